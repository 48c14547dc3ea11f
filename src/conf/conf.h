/* conf.h - mailguard.conf as an immutable, counted snapshot.
 *
 * Every setting is one row of a table (settings.c) that holds its path, type, default, range and help; the reader, the
 * documentation check and "did you mean" all walk the same rows. An unknown key or value is an error that names
 * the nearest right one.
 *
 * Threads: a snapshot never changes after mg_conf_load(); ref and unref are safe from any thread. */
#ifndef MG_CONF_CONF_H
#define MG_CONF_CONF_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/rc.h"
#include "base/str.h"

#define MG_CONF_PATH "/etc/mailguard/mailguard.conf"

struct mg_strings {
	char **item; /* `count` texts */
	size_t count;
};

enum mg_mode { MG_MODE_ENFORCE, MG_MODE_OBSERVE };
enum mg_level { MG_LEVEL_OFF, MG_LEVEL_RECORD, MG_LEVEL_ENFORCE };
enum mg_relay_action { MG_RELAY_ACTION_REJECT, MG_RELAY_ACTION_OBSERVE, MG_RELAY_ACTION_OFF };
enum mg_limit_action { MG_LIMIT_TEMPFAIL, MG_LIMIT_REJECT, MG_LIMIT_HOLD, MG_LIMIT_OBSERVE };
enum mg_abuse_action { MG_ABUSE_NOTIFY, MG_ABUSE_TEMPFAIL, MG_ABUSE_HOLD, MG_ABUSE_OFF };

enum mg_limit_count {
	MG_COUNT_MESSAGES,
	MG_COUNT_RECIPIENTS,
	MG_COUNT_NEW_RECIPIENTS,
	MG_COUNT_BYTES,
	MG_COUNT_CONNECTIONS,
	MG_COUNT_FAILURES,
};

struct mg_limit_row {     /* rate.limits */
	char *name, *key; /* key as written, validated: one or two of the contract's words joined by '+' */
	enum mg_limit_count count;
	uint64_t limit, burst, per_s;
	enum mg_limit_action action;
	struct mg_strings except;
};

struct mg_dnsbl_row { /* auth.dnsbl */
	char *zone;
	int weight;
};

struct mg_dkim_row { /* health.dkim */
	char *domain, *selector, *key_file;
};

struct mg_threshold_row { /* health.thresholds */
	char *check;
	double warn, crit; /* NAN: not given */
};

struct mg_conf {
	atomic_uint refs;
	char *path; /* the file it came from */

	enum mg_mode mode;
	char *authserv_id, *language, *user;
	struct {
		char *listen;
		uint64_t max_sessions; /* 1..10000 */
	} milter;
	struct {
		char *listen;
	} policy;
	struct {
		char *listen, *group, *admin_group;
	} control;
	struct {
		char *listen;
	} http;
	struct {
		char *config_directory, *log; /* log: auto | journald | off | file:PATH */
	} postfix;
	struct {
		char *config; /* dovecot.conf; "": where doveconf looks by itself */
	} dovecot;
	struct {
		struct mg_strings servers; /* "ADDR:PORT" or "[ADDR6]:PORT" */
		uint64_t timeout_ms, tries, cache_entries;
	} dns;
	struct {
		char *path;
		uint64_t keep_days, max_mb;
		bool pseudonymize;
	} journal;
	struct {
		char *store, *snapshot, *password_file;
		uint64_t max_keys;
	} state;
	struct {
		enum mg_level spf, dkim, arc, dmarc, iprev;
		bool tempfail_on_temperror; /* on_temperror = "tempfail" */
		struct mg_strings trusted_sealers;
		bool add_header, add_received_spf;
		uint64_t max_signatures, time_budget_ms;
		struct mg_dnsbl_row *dnsbl;
		size_t dnsbl_count;
		enum mg_level dnsbl_action;
		uint64_t dnsbl_threshold;
	} auth;
	struct {
		enum mg_relay_action action;
		struct mg_strings trusted; /* addresses and networks, validated */
	} relay;
	struct {
		struct mg_limit_row *limits;
		size_t limit_count;
	} rate;
	struct {
		enum mg_abuse_action action;
		uint64_t score, expire_s;
	} abuse;
	struct {
		bool enabled;
		uint64_t delay_s;
	} greylist;
	struct {
		uint64_t interval_s;
		struct mg_strings domains, public_addresses, outbound25;
		struct mg_dkim_row *dkim;
		size_t dkim_count;
		struct mg_threshold_row *thresholds;
		size_t threshold_count;
		char *backup_path; /* "": nobody asks */
		uint64_t backup_period_s;
		bool updates;
	} health;
	struct {
		char *mail, *exec, *webhook;
	} alert;
};

/* Reads `path`. A missing file is an error, an empty one a valid configuration. On failure `err` is one sentence
 * "FILE:LINE: what; how to mend it". The file is at most 1 MiB, its @include files too. *conf_out holds one reference. */
MG_MUSTCHECK
enum mg_rc mg_conf_load(const char *path, const struct mg_conf **conf_out, struct mg_err *err);

/* Where the daemon can be asked, even of a file with errors in it: control.listen as the file's text has it, else the
 * default. For mailguardctl, which must answer when somebody broke the configuration. `place` of `size` bytes. */
void mg_conf_control_listen(const char *path, char *place, size_t size);

/* The defaults alone. */
MG_MUSTCHECK
enum mg_rc mg_conf_defaults(const struct mg_conf **conf_out, struct mg_err *err);

const struct mg_conf *mg_conf_ref(const struct mg_conf *conf);
void mg_conf_unref(const struct mg_conf **conf); /* sets *conf to NULL; NULL in it is fine */

/* Whether `next` may replace `now` by a reload: `listen` and `user` can't change. MG_EPERM: the sentence names the setting. */
MG_MUSTCHECK
enum mg_rc mg_conf_may_replace(const struct mg_conf *now, const struct mg_conf *next, struct mg_err *err);

#endif
