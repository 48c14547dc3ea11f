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
#include "dns/lookup.h"
#include "dns/resolver.h"
#include "engine/counters.h"
#include "guard/guards.h"
#include "guard/redis_store.h"
#include "health/finding.h"
#include "health/log_history.h"
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
	const struct mg_figures *figures; /* NULL: this is not the daemon */
	struct mg_log_history *history;   /* of the mail log; see mg_check_tally() */
	struct mg_lookup *dns;            /* questions of this check; see mg_check_ask() */
	enum mg_check_state before;       /* what this check found the last time; ok the first time */
	int64_t deadline_us;              /* monotonic: of this check */
};

enum { MG_CHECK_ROOTS = 4, MG_CHECK_QUESTIONS = 500 };

struct mg_check {
	const char *id;    /* of the catalogue: a contract */
	const char *title; /* N_() */
	unsigned period_s; /* 0: every health.interval */
	unsigned deadline_ms;
	void (*run)(const struct mg_check_env *env, struct mg_finding *finding);
	/* Checks whose failure explains this one's: it is then shown folded under the first of them that failed. */
	const char *follows[MG_CHECK_ROOTS];
	const char *
		needs; /* a check without which this can't be looked at: while that is critical, this is unknown unseen */
	bool is_daemons; /* only the daemon knows (its figures, its tallies): others ask it */
	unsigned steady; /* on the schedule, a change is believed when seen this often in a row; 0, 1: at once */
};

/* All rows, in the order they are shown. */
const struct mg_check *mg_checks(size_t *count_out);
const struct mg_check *mg_check_find(const char *id); /* NULL: no such id */

/* A configured threshold, or the default. */
void mg_check_threshold(const struct mg_conf *conf, const char *id, double *warn, double *crit);

/* The state of a measured value against the check's thresholds (configured, or these); `warn` > `crit`: less is worse. What it was
 * before it stays until the value is a tenth away from the threshold, so that it does not flap about it. */
enum mg_check_state mg_check_grade(
	const struct mg_check_env *env, const char *id, double value, double warn, double crit);

/* The answer of DNS, waited for until the check's deadline; borrowed until the check ends. Never NULL. A steppable evaluator takes
 * env->dns itself and waits with mg_check_wait(). */
const struct mg_dns_answer *mg_check_ask(const struct mg_check_env *env, struct mg_str name, enum mg_dns_type type);
/* Waits for one more answer; false: the deadline has passed, and everything still asked for is trouble. */
bool mg_check_wait(const struct mg_check_env *env);

/* False, and said so: Postfix's configuration can't be read (unknown). */
bool mg_check_has_postfix(const struct mg_check_env *env, struct mg_finding *finding);
/* An expanded parameter of main.cf, in the finding's memory; "" for an unknown one. */
const char *mg_check_parameter(const struct mg_check_env *env, struct mg_finding *finding,
	const struct mg_postfix_service *service, const char *name);

/* How to call Postfix's `program` here: "postfix", or "postfix -c DIR" of another instance. In the finding's memory. */
const char *mg_check_program(const struct mg_check_env *env, struct mg_finding *finding, const char *program);

/* The file of the mail log, in the finding's memory; "": it is in the journal, or not read. */
const char *mg_check_log_path(const struct mg_check_env *env, struct mg_finding *finding);
/* The command that shows the last lines of the log with this pattern (a literal, as grep -E has it); in the finding's memory. */
const char *mg_check_log_search(const struct mg_check_env *env, struct mg_finding *finding, const char *pattern);
/* What the mail log says, read to its end; NULL, and said so: it is not read (not applicable) or can't be (unknown). */
struct mg_log_tally *mg_check_tally(const struct mg_check_env *env, struct mg_finding *finding);

/* The families, one file each, in the order they are shown. */
/* clang-format off */
#define MG_CHECK_FAMILIES(X) \
	X(services) \
	X(ports) \
	X(network) \
	X(firewall) \
	X(outbound25) \
	X(fail2ban) \
	X(disk) \
	X(system) \
	X(config) \
	X(table) \
	X(submission) \
	X(dovecot) \
	X(service) \
	X(sasl_config) \
	X(tls) \
	X(wiring) \
	X(relay) \
	X(backscatter) \
	X(self) \
	X(journal) \
	X(log) \
	X(log_signs) \
	X(abuse_signs) \
	X(limits) \
	X(relaying) \
	X(state) \
	X(account) \
	X(queue) \
	X(delivery) \
	X(resolver) \
	X(dns_host) \
	X(dns_mx) \
	X(dns_spf) \
	X(dns_auth) \
	X(dns_policy) \
	X(dns_dane) \
	X(dnsbl) \
	X(bulk) \
	X(upkeep)
/* clang-format on */
#define MG_CHECK_FAMILY(name)                                                                                          \
	extern const struct mg_check mg_checks_##name[];                                                               \
	extern const size_t mg_checks_##name##_count;
MG_CHECK_FAMILIES(MG_CHECK_FAMILY)
#undef MG_CHECK_FAMILY

#endif
