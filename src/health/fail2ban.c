/* fail2ban.* - does the program that bans password guessers run, does it watch mail, and do its filters know the lines of this log? */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/i18n.h"
#include "base/run.h"
#include "health/jail_conf.h"
#include "health/mail_ports.h"
#include "health/process.h"

enum {
	CLIENT_MS = 8000,
	REGEX_MS = 15000,
	OUT_BYTES = 256 * 1024,
	LOG_BYTES = 2 * 1024 * 1024,
	LINES_MAX = 1000,
	LINE_MAX_BYTES = 2000,
	JAILS_MAX = 64,
};

struct jails {
	char name[JAILS_MAX][MG_JAIL_TEXT];
	size_t count;
};

static int time_left_ms(const struct mg_check_env *env, int most_ms)
{
	int64_t left_ms = (env->deadline_us - mg_mono_us()) / MG_MS_US;

	return left_ms < 1 ? 1 : left_ms > most_ms ? most_ms : (int)left_ms;
}

static enum mg_rc run(const struct mg_check_env *env, const char *const argv[], int most_ms,
	struct mg_run_result *result_out, struct mg_err *err)
{
	const struct mg_run how = {
		.argv = argv, .timeout_ms = time_left_ms(env, most_ms), .out_max = OUT_BYTES, .err_max = OUT_BYTES
	};

	return mg_run(&how, result_out, err);
}

/* ---- is it there? ---- */

/* It has run on this machine, or systemd is to start it: an installed package alone guards nobody. */
static bool is_used(void)
{
	static const char *const traces[] = { "/var/lib/fail2ban/fail2ban.sqlite3", "/var/log/fail2ban.log",
		"/var/run/fail2ban/fail2ban.pid" };
	struct stat info;

	if (mg_process_has_systemd())
		return lstat("/etc/systemd/system/multi-user.target.wants/fail2ban.service", &info) == 0;
	for (size_t i = 0; i < sizeof traces / sizeof traces[0]; i++)
		if (stat(traces[i], &info) == 0 && info.st_size > 0)
			return true;
	return false;
}

static void say_down(struct mg_finding *finding, const char *said)
{
	if (!is_used()) {
		mg_finding_not_applicable(finding, N_("not applicable: fail2ban is installed and not switched on"));
		return;
	}
	mg_finding_evidence(finding, "fail2ban-client: %s", said);
	mg_finding_is(
		finding, MG_STATE_CRIT, N_("fail2ban does not run: nobody who guesses passwords is banned"), NULL);
	mg_finding_cause(
		finding, N_("it was stopped, or ended on an error in its configuration: fail2ban-client -t"), NULL);
	mg_finding_fix(finding, mg_process_has_systemd() ? "systemctl start fail2ban" : "fail2ban-client start", NULL);
}

/* "`- Jail list:\tdovecot, postfix-sasl" */
static void read_jails(struct mg_str text, struct jails *jails)
{
	size_t at = mg_str_find_str(text, MG_STR("Jail list:"));
	struct mg_str rest = mg_str_from(text, at == SIZE_MAX ? text.n : at + sizeof "Jail list:" - 1), word;

	rest = mg_str_cut(&rest, '\n');
	while (jails->count < JAILS_MAX && mg_read_word(&rest, ", \t\r", &word))
		if (mg_str_copy(jails->name[jails->count], MG_JAIL_TEXT, word))
			jails->count++;
}

/* False, and said so: it does not run, is not here, or may not be asked. */
static bool ask_jails(const struct mg_check_env *env, struct mg_finding *finding, struct jails *jails)
{
	static const char *const argv[] = { "fail2ban-client", "status", NULL };
	struct mg_run_result result;
	struct mg_err err = { "" };
	enum mg_rc rc = run(env, argv, CLIENT_MS, &result, &err);
	char said[300] = "";

	jails->count = 0;
	(void)mg_run_said(&result, said, sizeof said);
	if (rc == MG_ENOENT) {
		mg_finding_not_applicable(finding, N_("not applicable: fail2ban is not installed"));
	} else if (rc != MG_OK) {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("fail2ban can't be asked"), NULL);
		mg_finding_cause(finding, "%1", err.text, NULL);
		mg_finding_fix(finding, "fail2ban-client ping", NULL);
	} else if (result.status != 0 && geteuid() != 0) {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("fail2ban can't be asked"), NULL);
		mg_finding_cause(finding, N_("needs root: %1"), said, NULL);
		mg_finding_fix(finding, "sudo fail2ban-client status", NULL);
	} else if (result.status != 0) {
		say_down(finding, said);
		rc = MG_EIO;
	} else {
		read_jails(mg_buf_str(&result.out), jails);
	}
	rc = rc == MG_OK && result.status != 0 ? MG_EIO : rc;
	mg_run_fini(&result);
	return rc == MG_OK;
}

/* ---- fail2ban.running ---- */

static bool has_jail(const struct jails *jails, const char *word, const char *other)
{
	for (size_t i = 0; i < jails->count; i++)
		if (mg_str_find_str(mg_str_z(jails->name[i]), mg_str_z(word)) != SIZE_MAX ||
			mg_str_find_str(mg_str_z(jails->name[i]), mg_str_z(other)) != SIZE_MAX)
			return true;
	return false;
}

/* Whether somebody may guess passwords at Postfix. */
static bool has_logins(const struct mg_check_env *env)
{
	const struct mg_postfix_service *service = NULL;

	if (env->postfix == NULL)
		return false;
	while ((service = mg_postfix_next_smtpd(env->postfix, service)) != NULL)
		if (mg_postfix_is_yes(env->postfix, service, "smtpd_sasl_auth_enable"))
			return true;
	return false;
}

static void say_missing(struct mg_finding *finding, const char *program, const char *jail)
{
	mg_finding_is(finding, MG_STATE_WARN, N_("fail2ban runs, but has no jail for %1"), program, NULL);
	mg_finding_cause(finding,
		N_("its jails are off until they are switched on: who guesses passwords at %1 is not banned"), program,
		NULL);
	mg_finding_fix(finding,
		"printf '[%1]\\nenabled = true\\n' >> /etc/fail2ban/jail.d/mailguard.local && fail2ban-client reload",
		jail, NULL);
}

static void check_running(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct mg_mail_ports ports;
	struct jails jails;

	finding->manual = "fail2ban-client status";
	if (!ask_jails(env, finding, &jails))
		return;
	for (size_t i = 0; i < jails.count; i++)
		mg_finding_evidence(finding, "jail %s", jails.name[i]);
	mg_mail_ports_look(env, &ports);
	if ((ports.has_public[0] || has_logins(env)) && !has_jail(&jails, "postfix", "sasl"))
		say_missing(finding, "Postfix", has_logins(env) ? "postfix-sasl" : "postfix");
	if (ports.dovecot.count > 0 && !has_jail(&jails, "dovecot", "imap"))
		say_missing(finding, "Dovecot", "dovecot");
	mg_finding_value(finding, (double)jails.count, "jails");
	mg_finding_is(finding, MG_STATE_OK, N_("fail2ban runs and has jails for the mail services"), NULL);
}

/* ---- fail2ban.match ---- */

enum program { POSTFIX, DOVECOT, PROGRAMS };

struct matching {
	const struct mg_check_env *env;
	struct mg_finding *finding;
	const char *log;
	struct mg_buf lines[PROGRAMS]; /* of the log: failed logins */
	size_t count[PROGRAMS];
	char directory[64];
};

static void sort_line(struct matching *matching, struct mg_str line)
{
	enum program program;

	if (line.n > LINE_MAX_BYTES)
		return;
	if (mg_str_find_str(line, MG_STR(": SASL ")) != SIZE_MAX &&
		mg_str_find_str(line, MG_STR(" authentication failed")) != SIZE_MAX &&
		mg_str_find_str(line, MG_STR("smtpd[")) != SIZE_MAX)
		program = POSTFIX;
	else if (mg_str_find_str(line, MG_STR("-login: ")) != SIZE_MAX &&
		 mg_str_find_str(line, MG_STR("(auth failed, ")) != SIZE_MAX)
		program = DOVECOT;
	else
		return;
	if (matching->count[program] == LINES_MAX)
		return;
	matching->count[program]++;
	mg_buf_add(&matching->lines[program], line);
	mg_buf_addc(&matching->lines[program], '\n');
}

static bool write_lines(const struct matching *matching, enum program program, char *path, size_t size)
{
	FILE *file;
	bool is_written;

	snprintf(path, size, "%s/%s.log", matching->directory, program == POSTFIX ? "postfix" : "dovecot");
	if ((file = fopen(path, "we")) == NULL)
		return false;
	is_written =
		fwrite(matching->lines[program].p, 1, matching->lines[program].n, file) == matching->lines[program].n;
	return fclose(file) == 0 && is_written;
}

/* "Lines: 3 lines, 0 ignored, 2 matched, 1 missed" */
static bool read_matched(struct mg_str text, uint64_t *matched_out)
{
	size_t at = mg_str_find_str(text, MG_STR(" ignored, "));
	struct mg_str rest = mg_str_from(text, at == SIZE_MAX ? text.n : at + sizeof " ignored, " - 1);

	return mg_read_u64(&rest, LINES_MAX, matched_out) && mg_str_starts(rest, MG_STR(" matched"));
}

/* Whether a jail's filter knows at least one of the lines; false too, and said so, when that can't be told. */
static bool does_match(struct matching *matching, enum program program, const char *jail, const char *filter,
	const char *path, bool *is_known)
{
	const char *const argv[] = { "fail2ban-regex", path, filter, NULL };
	struct mg_run_result result;
	struct mg_err err = { "" };
	uint64_t matched = 0;
	char said[300];

	*is_known = run(matching->env, argv, REGEX_MS, &result, &err) == MG_OK &&
		    read_matched(mg_buf_str(&result.out), &matched);
	if (*is_known)
		mg_finding_evidence(matching->finding, "jail %s, filter %s: knows %llu of %zu failed logins", jail,
			filter, (unsigned long long)matched, matching->count[program]);
	else
		mg_finding_evidence(matching->finding, "jail %s, filter %s: %s", jail, filter,
			err.text[0] != '\0' ? err.text : mg_run_said(&result, said, sizeof said));
	mg_run_fini(&result);
	return matched > 0;
}

/* Whether the jail reads this file: 1, 0; -1 it reads the journal, or can't be asked. */
static int does_watch(struct matching *matching, const char *jail)
{
	const char *const argv[] = { "fail2ban-client", "get", jail, "logpath", NULL };
	struct mg_run_result result;
	int watches = -1;

	if (run(matching->env, argv, CLIENT_MS, &result, NULL) == MG_OK && result.status == 0 &&
		mg_str_find(mg_buf_str(&result.out), '/') != SIZE_MAX)
		watches = mg_str_find_str(mg_buf_str(&result.out), mg_str_z(matching->log)) != SIZE_MAX;
	mg_run_fini(&result);
	return watches;
}

static bool is_of(const char *jail, enum program program)
{
	struct mg_str name = mg_str_z(jail);

	if (program == DOVECOT)
		return mg_str_find_str(name, MG_STR("dovecot")) != SIZE_MAX ||
		       mg_str_find_str(name, MG_STR("imap")) != SIZE_MAX;
	return mg_str_find_str(name, MG_STR("postfix")) != SIZE_MAX ||
	       mg_str_find_str(name, MG_STR("sasl")) != SIZE_MAX;
}

static void say_no_match(
	struct matching *matching, enum program program, const char *filter, bool is_elsewhere, const char *jail)
{
	mg_finding_is(matching->finding, MG_STATE_CRIT,
		N_("fail2ban bans nobody who guesses passwords at %1: %2 failed logins, none noticed"),
		program == POSTFIX ? "Postfix" : "Dovecot",
		mg_finding_number(matching->finding, (double)matching->count[program], ""), NULL);
	if (is_elsewhere) {
		mg_finding_cause(
			matching->finding, N_("its jail %1 reads another file than %2"), jail, matching->log, NULL);
		mg_finding_fix(matching->finding,
			"printf '[%1]\\nlogpath = %2\\nbackend = auto\\n' >> /etc/fail2ban/jail.d/mailguard.local && fail2ban-client reload",
			jail, matching->log, NULL);
	}
	mg_finding_cause(
		matching->finding, N_("the filter %1 of its jail %2 knows none of these lines"), filter, jail, NULL);
	mg_finding_fix(matching->finding,
		N_("fail2ban-regex %1 '%2'; mend the filter, or give the jail one that knows the lines: printf '[%3]\\nfilter = %4\\n' >> /etc/fail2ban/jail.d/mailguard.local && fail2ban-client reload"),
		matching->log, filter, jail, program == POSTFIX ? "postfix[mode=auth]" : "dovecot", NULL);
}

static void judge_program(struct matching *matching, const struct jails *jails, enum program program)
{
	char path[128], filter[MG_JAIL_TEXT * 2], last_filter[MG_JAIL_TEXT * 2] = "";
	const char *last = NULL, *elsewhere = NULL;
	bool is_known = false, is_unknown = false;

	if (matching->count[program] == 0 || !write_lines(matching, program, path, sizeof path))
		return;
	for (size_t i = 0; i < jails->count; i++) {
		const char *jail = jails->name[i];

		if (!is_of(jail, program))
			continue;
		mg_jail_filter("/etc/fail2ban", jail, filter, sizeof filter);
		if (does_match(matching, program, jail, filter, path, &is_known)) {
			if (does_watch(matching, jail) != 0)
				return;
			elsewhere = jail;
		}
		is_unknown = is_unknown || !is_known;
		last = jail;
		(void)mg_str_copy(last_filter, sizeof last_filter, mg_str_z(filter));
	}
	if (last == NULL)
		return; /* fail2ban.running says so */
	if (elsewhere == NULL && is_unknown) {
		mg_finding_is(matching->finding, MG_STATE_UNKNOWN,
			N_("whether fail2ban's filters know the lines of the log can't be told"), NULL);
		mg_finding_cause(matching->finding, N_("fail2ban-regex could not try them"), NULL);
		mg_finding_fix(matching->finding, "fail2ban-regex %1 '%2'", matching->log, last_filter, NULL);
		return;
	}
	say_no_match(matching, program, last_filter, elsewhere != NULL, elsewhere == NULL ? last : elsewhere);
}

static void judge_lines(struct matching *matching, const struct jails *jails)
{
	struct mg_buf text;
	struct mg_str rest;

	if (mg_file_tail(matching->log, LOG_BYTES, &text, NULL) == MG_OK)
		for (rest = mg_buf_str(&text); rest.n > 0;)
			sort_line(matching, mg_str_cut(&rest, '\n'));
	mg_buf_fini(&text);
	if (matching->count[POSTFIX] + matching->count[DOVECOT] == 0) {
		mg_finding_is(matching->finding, MG_STATE_OK,
			N_("no failed logins at the end of the log to try fail2ban with"), NULL);
		return;
	}
	snprintf(matching->directory, sizeof matching->directory, "/tmp/mailguard-XXXXXX");
	if (mkdtemp(matching->directory) == NULL) {
		mg_finding_is(matching->finding, MG_STATE_UNKNOWN,
			N_("whether fail2ban's filters know the lines of the log can't be told"), NULL);
		mg_finding_cause(matching->finding, N_("no directory can be made in /tmp"), NULL);
		return;
	}
	for (int program = POSTFIX; program < PROGRAMS; program++) {
		char path[128];

		judge_program(matching, jails, (enum program)program);
		snprintf(path, sizeof path, "%s/%s.log", matching->directory,
			program == POSTFIX ? "postfix" : "dovecot");
		unlink(path);
	}
	rmdir(matching->directory);
}

static void check_match(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct matching matching = { .env = env, .finding = finding, .log = mg_check_log_path(env, finding) };
	struct jails jails;

	finding->manual = "fail2ban-regex /var/log/mail.log 'postfix[mode=auth]'";
	if (!ask_jails(env, finding, &jails)) {
		if (finding->summary.template != NULL &&
			finding->state == MG_STATE_CRIT) /* fail2ban.running's to say */
			finding->state = MG_STATE_UNKNOWN;
		return;
	}
	if (matching.log[0] == '\0') {
		mg_finding_not_applicable(finding, N_("not applicable: the mail log is not read from a file"));
		return;
	}
	mg_buf_init(&matching.lines[POSTFIX], LOG_BYTES);
	mg_buf_init(&matching.lines[DOVECOT], LOG_BYTES);
	judge_lines(&matching, &jails);
	mg_buf_fini(&matching.lines[POSTFIX]);
	mg_buf_fini(&matching.lines[DOVECOT]);
	mg_finding_is(finding, MG_STATE_OK, N_("fail2ban's filters know the failed logins of the log"), NULL);
}

const struct mg_check mg_checks_fail2ban[] = {
	{ "fail2ban.running", N_("fail2ban runs and watches mail"), 300, 15000, .run = check_running },
	{ "fail2ban.match", N_("fail2ban knows the log's failed logins"), 1800, 60000, .run = check_match,
		.follows = { "fail2ban.running" } },
};
const size_t mg_checks_fail2ban_count = sizeof mg_checks_fail2ban / sizeof mg_checks_fail2ban[0];
