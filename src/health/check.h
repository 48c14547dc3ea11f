/* check.h - a health check: one row of the registry, and what it may look at.
 *
 * A check runs on the health worker of the daemon or in mailguardctl itself; it may block up to its deadline on small
 * things (a connect, postconf) and never touches the mail path. What can't be looked up is unknown, never ok.
 *
 * Threads: the health worker's, one check at a time. */
#ifndef MG_HEALTH_CHECK_H
#define MG_HEALTH_CHECK_H

#include "auth/dnsbl.h"
#include "conf/conf.h"
#include "dns/resolver.h"
#include "engine/counters.h"
#include "guard/guards.h"
#include "guard/redis_store.h"
#include "health/finding.h"
#include "journal/journal.h"
#include "journal/query.h"
#include "postfix/log_reader.h"
#include "postfix/postconf.h"

/* What only the daemon knows of itself, at one moment. */
struct mg_figures {
	bool has_journal, is_journal_opening;
	struct mg_journal_stats journal;
	char journal_trouble[256]; /* why there is no journal, "" */
	bool has_log;
	struct mg_log_reader_stats log;
	unsigned milter_sessions, milter_capped, policy_connections;
	struct mg_counters *counters;
	const struct mg_guards *guards;
	bool has_store; /* of limits, shared with others */
	struct mg_redis_stats store;
	struct mg_resolver_stats dns;
	struct {
		char shown[MG_DNSBL_SHOWN]; /* its name without a key */
		enum mg_dnsbl_health health;
		bool is_believed;
	} zones[MG_DNSBL_ZONES]; /* the configured DNS lists */
	size_t zone_count;
	int64_t loop_lag_us; /* the longest the main loop kept a timer waiting in the last minute */
	uint64_t rss_bytes;
	int64_t worker_started_us; /* wall */
};

struct mg_check_env {
	const struct mg_conf *conf;
	const struct mg_postfix *postfix; /* NULL: could not be read */
	const char *postfix_trouble;      /* why, or "" */
	struct mg_query *query;           /* NULL: no record to read */
	const struct mg_figures *figures; /* NULL: no daemon was reached */
	int64_t deadline_us;              /* monotonic */
};

struct mg_check {
	const char *id;    /* of CHECKS.md's catalogue: a contract */
	const char *title; /* N_() */
	unsigned period_s; /* 0: every health.interval */
	unsigned deadline_ms;
	const char *depends_on; /* the check whose failure explains this one's, or NULL */
	bool needs_daemon;      /* looks at figures */
	void (*run)(const struct mg_check_env *env, struct mg_finding *finding);
};

/* All rows, in the order they are shown. */
const struct mg_check *mg_checks(size_t *count_out);
const struct mg_check *mg_check_find(const char *id); /* NULL: no such id */

/* A configured threshold, or the default. */
void mg_check_threshold(const struct mg_conf *conf, const char *id, double *warn, double *crit);

/* The families, one file each. */
extern const struct mg_check mg_checks_wiring[], mg_checks_relay[], mg_checks_relaying[], mg_checks_account[],
	mg_checks_state[], mg_checks_journal[], mg_checks_log[], mg_checks_self[];
extern const size_t mg_checks_wiring_count, mg_checks_relay_count, mg_checks_relaying_count, mg_checks_account_count,
	mg_checks_state_count, mg_checks_journal_count, mg_checks_log_count, mg_checks_self_count;

#endif
