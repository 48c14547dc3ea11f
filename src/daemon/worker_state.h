/* worker_state.h - the worker's parts; seen by the daemon's own files only.
 *
 * Threads: the loop's, except where a field says otherwise. */
#ifndef MG_DAEMON_WORKER_STATE_H
#define MG_DAEMON_WORKER_STATE_H

#include <pthread.h>

#include <event2/event.h>

#include "control/control.h"
#include "daemon/guards.h"
#include "daemon/worker.h"
#include "daemon/zone_tests.h"
#include "dns/resolver.h"
#include "engine/engine.h"
#include "policy/policy.h"
#include "postfix/follower.h"

enum { MG_EARLY_RECORDS = 1024 };

enum phase { PHASE_WAITING, PHASE_SERVING, PHASE_DRAINING };

struct worker {
	struct mg_worker_options o;
	struct event_base *base;
	struct event *channel, *tick, *drain_tick, *door_tick;
	enum phase phase;
	_Atomic bool is_yielding; /* draining with the roles given up */
	int64_t drain_until_us, tick_due_us;
	_Atomic int64_t loop_lag_us;
	int64_t started_us;

	_Atomic bool knows_postfix; /* its configuration was read once: recipients and clients can be told apart */
	int64_t doors_due_us;       /* then they open all the same */

	pthread_mutex_t conf_lock;
	const struct mg_conf *conf;

	struct mg_resolver *resolver;
	struct mg_dnsbl_zones *zones;
	struct mg_zone_tests *zone_tests;
	struct event *pump; /* answers came for what policy asked about */

	struct mg_worker_guards *guards;
	const struct mg_domains *domains; /* the follower's: as last read */

	struct mg_engine *engine;
	struct mg_policy *_Atomic policy; /* set once, read by the health worker too */
	struct mg_jobs *jobs;
	struct mg_health *health;
	struct mg_follower *follower;
	struct mg_control *control;

	pthread_rwlock_t journal_lock; /* the pointer and the trouble */
	struct mg_journal *journal;
	char journal_trouble[256];
	int64_t recording_retry_us; /* the next try when it could not be opened */
	_Atomic bool has_tried_journal;
	struct mg_record *early[MG_EARLY_RECORDS]; /* handed over before the journal is open */
	size_t early_count;

	pthread_mutex_t reader_lock; /* the pointer */
	struct mg_log_reader *reader;
};

/* A reference of the configuration in force; from any thread. Fits mg_control_options. */
const struct mg_conf *mg_worker_pin_conf(void *context);

/* roles.c: the journal, the log reader and what is told of them. */
bool mg_worker_put_record(void *context, struct mg_record *record); /* from any thread; fits mg_engine_options */
void mg_worker_take_record(struct worker *w, int fd);               /* handed over by the worker before us */
void mg_worker_close_journal(struct worker *w);
/* Opens the journal where it is not open, then follows the log; beside the loop. */
void mg_worker_start_recording(struct worker *w);
bool mg_worker_has_journal(struct worker *w); /* from any thread */
void mg_worker_stop_reader(struct worker *w);
void mg_worker_figures(void *context, struct mg_figures *out);                /* from any thread */
void mg_worker_postfix_read(void *context, const struct mg_postfix *postfix); /* on the health worker */
bool mg_worker_is_stale(void *context);                                       /* likewise */

/* How the configuration wants DNS asked. Borrows its texts. */
struct mg_resolver_options mg_worker_resolver_options(const struct mg_conf *conf);

/* reload.c: reads the file beside the loop and puts it in force; tells `told` (may be NULL) and the supervisor. */
void mg_worker_reload(void *context, mg_reload_told told, void *cookie);

#endif
