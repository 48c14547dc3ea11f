/* counters.h - what is counted since the supervisor started; lies in memory that outlives a worker.
 *
 * Fixed size and changed only by atomics, so a kill -9 at any instruction leaves it valid.
 *
 * Threads and processes: safe from any. */
#ifndef MG_ENGINE_COUNTERS_H
#define MG_ENGINE_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

#include "auth/result.h"
#include "engine/evidence.h"
#include "journal/record.h"

enum mg_degraded {            /* why a message passed without the full work */
	MG_DEGRADED_SESSIONS, /* more sessions than milter.max_sessions */
	MG_DEGRADED_MEMORY,   /* no memory for a record */
	MG_DEGRADED_JOURNAL,  /* the journal's queue was full: unrecorded */
	MG_DEGRADED_CHECKS,   /* auth.time_budget_ms was over before the sender was checked */
	MG_DEGRADED_KINDS,
};
const char *mg_degraded_name(enum mg_degraded why);

enum { MG_LATENCY_BUCKETS = 40 };

struct mg_counters {
	int64_t started_us; /* wall: the supervisor's start */
	_Atomic uint64_t by_action[MG_ACTIONS];
	_Atomic uint64_t degraded[MG_DEGRADED_KINDS];
	_Atomic uint64_t auth[MG_METHODS][MG_RESULTS]; /* messages by method and its result */
	_Atomic uint64_t dmarc_rfc7489;  /* messages that RFC 7489 would have treated otherwise than RFC 9989 */
	_Atomic uint64_t arc_overrides;  /* DMARC failures that a trusted ARC chain overrode */
	struct mg_evidence relay_proofs; /* recipients that proved an open relay, refused or not */
	struct mg_evidence
		relay_listed; /* relaying without a login from public networks that the configuration trusts */
	struct mg_evidence relay_spoofs; /* sessions whose client was claimed by somebody who may not (XCLIENT) */
	struct mg_evidence accounts;     /* mail of accounts that look compromised, refused or held */
	_Atomic uint64_t limit_hits;     /* charges that were over a limit */
	_Atomic uint64_t ban_hits, greylisted;
	_Atomic uint64_t milter_sessions, policy_requests, policy_malformed;
	_Atomic uint64_t worker_starts, worker_crashes;
	_Atomic int64_t last_crash_us, last_reload_us; /* wall; 0 never */
	_Atomic uint64_t latency[MG_LATENCY_BUCKETS];  /* transactions by latency: bucket i holds < 2^i microseconds */
};

/* Counts a finished transaction. */
void mg_counters_add(struct mg_counters *counters, enum mg_action action, int64_t latency_us);

/* The log showed another answer than we had counted. */
void mg_counters_correct(struct mg_counters *counters, enum mg_action was, enum mg_action is);

/* The latency in microseconds below which `share` (0..1) of the transactions lie; 0 without any. */
int64_t mg_counters_latency_us(const struct mg_counters *counters, double share);

#endif
