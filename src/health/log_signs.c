/* log.* - what Postfix and Dovecot complain of, whether they still write at all, and whether the log is rotated. */
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "health/check.h"

enum { WINDOW_S = 900, KEYWORD_LEAST = 20, QUARTERS_LEAST = 16, MIB = 1024 * 1024, READ_MS = 20000 };

/* ---- log.errors ---- */

static void check_errors(const struct mg_check_env *env, struct mg_finding *finding)
{
	static const struct {
		enum mg_tally kind;
		unsigned warn, crit;
		const char *summary;
	} kinds[] = {
		{ MG_TALLY_PANIC, 1, 1,
			N_("a program of the mail server stopped on a bug (panic), %1 times in 15 minutes") },
		{ MG_TALLY_FATAL, 1, 1, N_("a program of the mail server gave up (fatal), %1 times in 15 minutes") },
		{ MG_TALLY_ERROR, 1, 0, N_("the mail server logged %1 errors in 15 minutes") },
		{ MG_TALLY_WARNING, 50, 0, N_("the mail server logged %1 warnings in 15 minutes") },
	};
	static const char *const patterns[] = { [MG_TALLY_PANIC] = "[Pp]anic:",
		[MG_TALLY_FATAL] = "[Ff]atal:",
		[MG_TALLY_ERROR] = "[Ee]rror:",
		[MG_TALLY_WARNING] = "[Ww]arning:" };
	struct mg_log_tally *tally = mg_check_tally(env, finding);
	int64_t now_us = mg_wall_us();
	char line[MG_TALLY_LINE];
	double total = 0;

	finding->manual = mg_check_log_search(env, finding, "panic:|fatal:|error:|warning:");
	if (tally == NULL)
		return;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		unsigned count = mg_log_tally_count(tally, kinds[i].kind, now_us, WINDOW_S);
		enum mg_check_state state = kinds[i].crit > 0 && count >= kinds[i].crit ? MG_STATE_CRIT
					    : count >= kinds[i].warn                    ? MG_STATE_WARN
											: MG_STATE_OK;

		if (count == 0)
			continue;
		mg_log_tally_last(tally, kinds[i].kind, line);
		mg_finding_evidence(finding, "%u %s, the last: %s", count, mg_tally_name(kinds[i].kind), line);
		if (state == MG_STATE_OK)
			continue;
		total += count;
		mg_finding_is(finding, state, kinds[i].summary, mg_finding_number(finding, count, ""), NULL);
		mg_finding_cause(finding, "%1", line, NULL);
		mg_finding_fix(finding, N_("let the line be explained: %1 -n 1 | mailguardctl explain"),
			mg_check_log_search(env, finding, patterns[kinds[i].kind]), NULL);
	}
	mg_finding_value(finding, total, "lines");
	mg_finding_is(finding, MG_STATE_OK, N_("no complaint in the mail log in the last 15 minutes"), NULL);
}

/* ---- log.keywords ---- */

static void check_keywords(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct mg_log_tally *tally = mg_check_tally(env, finding);
	int64_t now_us = mg_wall_us();
	double warn = 3, crit = 10;

	finding->manual = mg_check_log_search(env, finding, "denied|full|timeout|failed|refused");
	if (tally == NULL)
		return;
	mg_check_threshold(env->conf, "log.keywords", &warn, &crit);
	for (int kind = MG_TALLY_DENIED; kind <= MG_TALLY_REFUSED; kind++) {
		unsigned quarters, median = mg_log_tally_median(tally, (enum mg_tally)kind, now_us, &quarters);
		unsigned count = mg_log_tally_count(tally, (enum mg_tally)kind, now_us, WINDOW_S);
		double ratio = (double)count / (median == 0 ? 1 : median);
		const char *word = mg_tally_name((enum mg_tally)kind);

		mg_finding_evidence(finding, "\"%s\": %u in 15 minutes; usual: %u (over %u quarters of an hour)", word,
			count, median, quarters);
		if (!finding->has_value || ratio > finding->value)
			mg_finding_value(finding, ratio, "times the usual");
		if (count < KEYWORD_LEAST || quarters < QUARTERS_LEAST || ratio < warn)
			continue;
		mg_finding_is(finding, ratio >= crit ? MG_STATE_CRIT : MG_STATE_WARN,
			N_("the word \"%1\" stands in the mail log %2 times in 15 minutes; usual are %3"), word,
			mg_finding_number(finding, count, ""), mg_finding_number(finding, median, ""), NULL);
		mg_finding_cause(
			finding, N_("something has changed: many clients or deliveries meet the same trouble"), NULL);
		mg_finding_fix(finding,
			N_("look at the lines: %1; and let one be explained: mailguardctl explain LINE"),
			mg_check_log_search(env, finding, word), NULL);
	}
	mg_finding_is(finding, MG_STATE_OK, N_("the mail log says nothing more often than usual"), NULL);
}

/* ---- log.alive ---- */

/* When the newest message or refusal came that the doors saw, wall; 0 none. */
static int64_t newest_seen_us(const struct mg_check_env *env)
{
	struct mg_recent_filter filter = { .verdict = "", .client = "", .sender = "", .user = "", .limit = 20 };
	json_t *recent = NULL, *txn;
	int64_t newest_us = 0;
	size_t i;

	if (env->query == NULL || mg_query_recent(env->query, &filter, env->deadline_us, &recent, NULL) != MG_OK)
		return 0;
	json_array_foreach(recent, i, txn)
	{
		const char *rule = json_string_value(json_object_get(json_object_get(txn, "verdict"), "rule"));
		int64_t time_us = (int64_t)(json_number_value(json_object_get(txn, "time")) * 1e6);

		if ((rule == NULL || strcmp(rule, "log-only") != 0) && time_us > newest_us)
			newest_us = time_us;
	}
	json_decref(recent);
	return newest_us;
}

static void check_alive(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct mg_log_tally *tally = mg_check_tally(env, finding);
	int64_t seen_us = newest_seen_us(env), logged_us;
	enum mg_check_state state;
	double behind_s;

	finding->manual = mg_check_log_search(env, finding, "postfix");
	if (tally == NULL)
		return;
	logged_us = mg_log_tally_newest_us(tally);
	if (seen_us == 0) {
		mg_finding_not_applicable(finding, N_("not applicable: no mail has passed mailguard yet"));
		return;
	}
	behind_s =
		logged_us >= seen_us
			? 0
			: (double)((logged_us == 0 ? mg_wall_us() : seen_us) - (logged_us == 0 ? seen_us : logged_us)) /
				  MG_S_US;
	mg_finding_value(finding, behind_s, "s");
	mg_finding_evidence(finding, "last line of the log %lld, last mail seen %lld", (long long)(logged_us / MG_S_US),
		(long long)(seen_us / MG_S_US));
	state = mg_check_grade(env, "log.alive", behind_s, 600, 3600);
	if (state != MG_STATE_OK) {
		mg_finding_is(finding, state, N_("mail comes in, but the mail log has stood still for %1"),
			mg_finding_number(finding, behind_s, "s"), NULL);
		mg_finding_cause(finding,
			N_("the log service is down, its disk is full, or the file was rotated and it was not told"),
			NULL);
		mg_finding_fix(finding, "systemctl restart rsyslog", NULL);
	}
	mg_finding_is(finding, MG_STATE_OK, N_("the mail log keeps up with the mail"), NULL);
}

/* ---- log.rotation ---- */

/* A file beside it that bears its name and more: mail.log.1, mail.log-20261121.gz. */
static bool has_rotated_sibling(const char *path)
{
	char directory[512];
	size_t slash = mg_str_rfind(mg_str_z(path), '/');
	const struct dirent *entry;
	bool has = false;
	DIR *all;

	if (slash == SIZE_MAX || !mg_str_copy(directory, sizeof directory, mg_str_first(mg_str_z(path), slash + 1)) ||
		(all = opendir(directory)) == NULL)
		return false;
	for (int n = 0; n < 100000 && !has && (entry = readdir(all)) != NULL; n++) {
		struct mg_str name = mg_str_z(entry->d_name);

		has = mg_read_token(&name, mg_str_z(path + slash + 1)) && name.n > 1 &&
		      (name.p[0] == '.' || name.p[0] == '-');
	}
	closedir(all);
	return has;
}

static void check_rotation(const struct mg_check_env *env, struct mg_finding *finding)
{
	const char *path = mg_check_log_path(env, finding);
	struct mg_log_tally *tally;
	enum mg_check_state state;
	struct stat info;
	double size_mib, days = 0;

	finding->manual = "ls -lh /var/log/mail*; cat /etc/logrotate.d/*";
	if (path[0] == '\0') {
		mg_finding_not_applicable(finding, N_("not applicable: the mail log is no file"));
		return;
	}
	if (stat(path, &info) != 0) {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("how large the mail log is can't be told"), NULL);
		mg_finding_cause(finding, N_("%1 is not there, or needs root"), path, NULL);
		return;
	}
	size_mib = (double)info.st_size / MIB;
	mg_finding_value(finding, size_mib, "MiB");
	mg_finding_evidence(finding, "%s: %.1f MiB", path, size_mib);
	state = mg_check_grade(env, "log.rotation", size_mib, 500, 2048);
	if (state != MG_STATE_OK) {
		mg_finding_is(finding, state, N_("the mail log has grown to %1"),
			mg_finding_number(finding, size_mib, "MiB"), NULL);
		mg_finding_cause(finding, N_("it is not rotated, or something floods it"), NULL);
		mg_finding_fix(finding, "logrotate -f /etc/logrotate.d/rsyslog", NULL);
	}
	if (!has_rotated_sibling(path) && (tally = mg_check_tally(env, finding)) != NULL &&
		mg_log_tally_first_us(tally) > 0)
		days = (double)(mg_wall_us() - mg_log_tally_first_us(tally)) / MG_DAY_US;
	if (days > 8) {
		mg_finding_is(finding, MG_STATE_WARN, N_("the mail log was not rotated for %1 days"),
			mg_finding_number(finding, (double)(int)days, ""), NULL);
		mg_finding_cause(finding, N_("no entry of logrotate names it: it grows until the disk is full"), NULL);
		mg_finding_fix(finding,
			N_("printf '%1 {\\n weekly\\n rotate 8\\n compress\\n delaycompress\\n missingok\\n postrotate\\n  postfix logrotate || true\\n endscript\\n}\\n' > /etc/logrotate.d/mail"),
			path, NULL);
	}
	mg_finding_is(finding, MG_STATE_OK, N_("the mail log is rotated"), NULL);
}

const struct mg_check mg_checks_log_signs[] = {
	{ "log.errors", N_("complaints in the mail log"), 0, READ_MS, .run = check_errors,
		.follows = { "config.smtpd.dead", "service.postfix" } },
	{ "log.keywords", N_("words of trouble in the mail log"), 0, READ_MS, .run = check_keywords,
		.follows = { "log.errors" }, .is_daemons = true },
	{ "log.alive", N_("the mail log is written"), 0, READ_MS, .run = check_alive, .needs = "journal.write" },
	{ "log.rotation", N_("the mail log is rotated"), 3600, READ_MS, .run = check_rotation },
};
const size_t mg_checks_log_signs_count = sizeof mg_checks_log_signs / sizeof mg_checks_log_signs[0];
