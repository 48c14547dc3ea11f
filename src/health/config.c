/* config.* - Postfix's configuration beyond relaying: what Postfix itself complains of, what it was told and did not read, what its
 * version should be told. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/i18n.h"
#include "base/run.h"
#include "health/master.h"

enum { PRINTED_MAX = 64 * 1024, HOSTS_MAX = 1024 * 1024, LINE_SHOWN = 300, RELOAD_SLACK_S = 2 };

/* Its lines as evidence; the first of them, "" none. */
static const char *say_lines(struct mg_finding *finding, struct mg_str text)
{
	const char *first = "";

	while (text.n > 0) {
		struct mg_str line = mg_str_trim(mg_str_cut(&text, '\n'));

		if (line.n == 0)
			continue;
		mg_finding_evidence(finding, "%.*s", (int)(line.n < LINE_SHOWN ? line.n : LINE_SHOWN), line.p);
		if (first[0] == '\0')
			first = mg_arena_text(&finding->arena, line, LINE_SHOWN);
	}
	return first;
}

/* ---- what Postfix says itself ---- */

static bool speaks_of(const char *line, const char *word)
{
	return mg_str_find_str(mg_str_z(line), mg_str_z(word)) != SIZE_MAX;
}

static void say_check_fix(const struct mg_check_env *env, struct mg_finding *finding, const char *first)
{
	if (speaks_of(first, "not owned by") || speaks_of(first, "ermission") || speaks_of(first, "writable"))
		mg_finding_fix(finding, "%1", mg_master_command(env, finding, "set-permissions"), NULL);
	else
		mg_finding_fix(finding, N_("mend what it names, then look again: %1"),
			mg_master_command(env, finding, "check"), NULL);
}

/* `postfix check` makes what is missing of the queue, and a `postfix start` that does the same at that moment would fail: it is run only
 * where nothing is missing. */
static bool is_queue_complete(const char *queue)
{
	static const char *const names[] = { "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold",
		"incoming", "maildrop", "pid", "private", "public", "saved", "trace" };
	char path[1024];
	struct stat info;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", queue, names[i]);
		if (stat(path, &info) != 0)
			return false;
	}
	return true;
}

static void check_postfix(const struct mg_check_env *env, struct mg_finding *finding)
{
	const char *const argv[] = { "postfix", "-c", env->conf->postfix.config_directory, "check", NULL };
	struct mg_run run = { .argv = argv,
		.timeout_ms = (int)((env->deadline_us - mg_mono_us()) / MG_MS_US),
		.out_max = PRINTED_MAX,
		.err_max = PRINTED_MAX,
		.err_is_terminal = true }; /* postlog says nothing to a pipe */
	struct mg_run_result result;
	enum mg_rc rc;
	struct mg_err err = { "" };
	const char *first;

	finding->manual = mg_master_command(env, finding, "check");
	if (geteuid() != 0) {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("what postfix check says is not known"), NULL);
		mg_finding_cause(finding, N_("needs root"), NULL);
		mg_finding_fix(finding, "%1", finding->manual, NULL);
		return;
	}
	if (env->postfix != NULL && !is_queue_complete(env->postfix->queue_directory)) {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("what postfix check says is not known"), NULL);
		mg_finding_cause(finding,
			N_("its queue directories are not all there; Postfix makes them when it starts"), NULL);
		mg_finding_fix(finding, "%1", finding->manual, NULL);
		return;
	}
	rc = mg_run(&run, &result, &err);
	if (rc == MG_OK) {
		first = say_lines(finding, mg_buf_str(&result.err));
		if (first[0] == '\0')
			first = say_lines(finding, mg_buf_str(&result.out));
		if (result.status != 0)
			mg_finding_is(finding, MG_STATE_CRIT,
				N_("postfix check fails: Postfix would not start like this"), NULL);
		else if (first[0] != '\0')
			mg_finding_is(finding, MG_STATE_WARN, N_("postfix check complains"), NULL);
		if (first[0] != '\0')
			mg_finding_cause(finding, "%1", first, NULL);
		say_check_fix(env, finding, first);
	} else {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("what postfix check says is not known"), NULL);
		mg_finding_cause(finding, "%1", err.text, NULL);
	}
	mg_run_fini(&result);
	mg_finding_is(finding, MG_STATE_OK, N_("postfix check has nothing to complain of"), NULL);
}

static void check_warnings(const struct mg_check_env *env, struct mg_finding *finding)
{
	const char *first;

	finding->manual = "postconf -n >/dev/null; postconf -M >/dev/null";
	if (!mg_check_has_postfix(env, finding))
		return;
	first = say_lines(finding, mg_str_z(env->postfix->warnings));
	mg_finding_value(finding, (double)finding->evidence_count, "warnings");
	if (first[0] != '\0') {
		mg_finding_is(finding, MG_STATE_WARN, N_("postconf warns of something in main.cf or master.cf"), NULL);
		mg_finding_cause(finding, "%1", first, NULL);
		mg_finding_fix(finding,
			speaks_of(first, "unused parameter")
				? N_("a name that Postfix does not know, mistyped perhaps: correct or remove it in %1/main.cf")
			: speaks_of(first, "overriding earlier entry")
				? N_("the same name stands there twice and the last one counts: remove one of them in %1/main.cf")
				: N_("correct it in %1, then look again: postconf -n"),
			env->conf->postfix.config_directory, NULL);
	}
	mg_finding_is(finding, MG_STATE_OK, N_("postconf has nothing to warn of"), NULL);
}

/* ---- what it was told and did not read ---- */

static void check_reload(const struct mg_check_env *env, struct mg_finding *finding)
{
	static const char *const files[] = { "main.cf", "master.cf" };
	struct mg_master master;
	int64_t read_s;
	struct stat info;
	char path[1024];

	finding->manual = "ls -l --full-time /etc/postfix/*.cf; ps -o lstart= -C qmgr";
	if (!mg_check_has_postfix(env, finding))
		return;
	master = mg_master_of(env->postfix->queue_directory);
	read_s = mg_master_read_s(&master);
	if (master.state == MG_MASTER_DOWN) {
		mg_finding_not_applicable(finding, N_("not applicable: Postfix does not run"));
		return;
	}
	if (read_s == 0) {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("when Postfix read its configuration can't be told"), NULL);
		mg_finding_cause(finding, N_("its queue manager is not seen among the processes"), NULL);
		return;
	}
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", env->postfix->directory, files[i]);
		if (stat(path, &info) != 0 || info.st_mtim.tv_sec <= read_s + RELOAD_SLACK_S)
			continue;
		mg_finding_evidence(finding, "%s was changed %lld s after Postfix read it", path,
			(long long)(info.st_mtim.tv_sec - read_s));
		mg_finding_is(finding, MG_STATE_WARN, N_("%1 has changed since Postfix was started or reloaded"),
			files[i], NULL);
		mg_finding_cause(
			finding, N_("some of Postfix's programs use the new settings and others the old ones"), NULL);
		mg_finding_fix(finding, "%1", mg_master_command(env, finding, "reload"), NULL);
	}
	mg_finding_is(finding, MG_STATE_OK, N_("Postfix has read its configuration"), NULL);
}

/* ---- compatibility ---- */

/* "3.6", "2", "3.6.1" as 3006000. */
static uint64_t version_number(struct mg_str text)
{
	uint64_t number = 0, part;

	for (int i = 0; i < 3; i++) {
		if (!mg_read_u64(&text, 999, &part))
			part = 0;
		number = number * 1000 + part;
		(void)mg_read_token(&text, MG_STR("."));
	}
	return number;
}

/* Postfix itself says in the log that it falls back on an old default, since it last read its configuration. */
static void say_fallbacks(const struct mg_check_env *env, struct mg_finding *finding, const char *wanted)
{
	struct mg_finding aside; /* a log that can't be read is no finding here */
	struct mg_master master = mg_master_of(env->postfix->queue_directory);
	int64_t read_us = (mg_master_read_s(&master) - RELOAD_SLACK_S) * MG_S_US;
	struct mg_log_tally *tally;
	char line[MG_TALLY_LINE];
	bool is_relay;

	mg_finding_init(&aside);
	if (master.state == MG_MASTER_RUNS && (tally = mg_check_tally(env, &aside)) != NULL) {
		is_relay = mg_log_tally_last(tally, MG_TALLY_COMPAT_RELAY, line) > read_us;
		if (is_relay || mg_log_tally_last(tally, MG_TALLY_COMPAT, line) > read_us) {
			mg_finding_evidence(finding, "%s", line);
			mg_finding_is(finding, is_relay ? MG_STATE_CRIT : MG_STATE_WARN,
				is_relay
					? N_("Postfix falls back on an old default that leaves relaying open to mistakes")
					: N_("Postfix falls back on the default of an old version"),
				NULL);
			mg_finding_cause(finding, "%1", line, NULL);
			mg_finding_fix(finding, "%3 -e compatibility_level=%1 && %2", wanted,
				mg_master_command(env, finding, "reload"), mg_check_program(env, finding, "postconf"),
				NULL);
		}
	}
	mg_finding_fini(&aside);
}

static void check_compatibility(const struct mg_check_env *env, struct mg_finding *finding)
{
	const char *level, *wanted;

	finding->manual = "postconf compatibility_level mail_version";
	if (!mg_check_has_postfix(env, finding))
		return;
	level = mg_check_parameter(env, finding, NULL, "compatibility_level");
	wanted = version_number(mg_str_z(env->postfix->version)) >= 3006000 ? "3.6" : "2";
	mg_finding_evidence(finding, "compatibility_level = %s, Postfix %s", level, env->postfix->version);
	if (version_number(mg_str_z(level)) < version_number(mg_str_z(wanted))) {
		mg_finding_is(finding, MG_STATE_WARN,
			N_("Postfix runs with the defaults of an old version (compatibility level %1)"),
			level[0] == '\0' ? "0" : level, NULL);
		mg_finding_cause(finding,
			N_("main.cf was made for an older Postfix; the old defaults are less safe, and the log fills with warnings"),
			NULL);
		mg_finding_fix(finding, "%3 -e compatibility_level=%1 && %2", wanted,
			mg_master_command(env, finding, "reload"), mg_check_program(env, finding, "postconf"), NULL);
	}
	say_fallbacks(env, finding, wanted);
	mg_finding_is(finding, MG_STATE_OK, N_("the defaults are those of compatibility level %1"), level, NULL);
}

/* ---- the name ---- */

/* A line of /etc/hosts gives `name` a loopback address: that one, "" none. */
static const char *loopback_of(struct mg_finding *finding, const char *name)
{
	struct mg_buf text;
	struct mg_str rest, word;
	const char *found = "";

	if (mg_file_read("/etc/hosts", HOSTS_MAX, &text, NULL) == MG_OK) {
		rest = mg_buf_str(&text);
		while (rest.n > 0 && found[0] == '\0') {
			struct mg_str line = mg_str_cut(&rest, '\n'), address;
			struct mg_ip ip;

			line = mg_str_cut(&line, '#');
			if (!mg_read_word(&line, " \t\r", &address) || !mg_ip_parse(address, &ip) ||
				!mg_ip_is_loopback(&ip))
				continue;
			while (mg_read_word(&line, " \t\r", &word))
				if (mg_str_eq_nocase(word, mg_str_z(name)))
					found = mg_arena_text(&finding->arena, address, address.n);
		}
	}
	mg_buf_fini(&text);
	return found;
}

static void check_hostname(const struct mg_check_env *env, struct mg_finding *finding)
{
	const char *name, *loopback, *suggested;
	struct mg_str host;

	finding->manual = "postconf myhostname; getent hosts $(postconf -hx myhostname)";
	if (!mg_check_has_postfix(env, finding))
		return;
	name = mg_check_parameter(env, finding, NULL, "myhostname");
	host = mg_str_z(name);
	mg_finding_evidence(finding, "myhostname = %s", name);
	suggested = mg_check_parameter(env, finding, NULL, "mydomain");
	if (mg_str_find(mg_str_z(suggested), '.') == SIZE_MAX ||
		mg_str_starts_nocase(mg_str_z(suggested), MG_STR("localdomain")))
		suggested = "example.com";
	if (mg_str_find(host, '.') == SIZE_MAX || mg_str_starts_nocase(host, MG_STR("localhost")) ||
		mg_str_ends_nocase(host, MG_STR(".localdomain")) || mg_str_ends_nocase(host, MG_STR(".local"))) {
		mg_finding_is(finding, MG_STATE_WARN,
			N_("Postfix calls itself %1, which is no full name on the Internet"), name, NULL);
		mg_finding_cause(
			finding, N_("other servers refuse or mistrust a HELO name that is not fully qualified"), NULL);
		mg_finding_fix(finding, N_("%3 -e myhostname=mail.%1 && %2, with the name your address has in DNS"),
			suggested, mg_master_command(env, finding, "reload"),
			mg_check_program(env, finding, "postconf"), NULL);
	}
	loopback = loopback_of(finding, name);
	if (loopback[0] != '\0') {
		mg_finding_evidence(finding, "/etc/hosts: %s %s", loopback, name);
		mg_finding_is(finding, MG_STATE_CRIT, N_("%1 resolves to %2 on this machine"), name, loopback, NULL);
		mg_finding_cause(finding,
			N_("/etc/hosts gives the server's name a loopback address: programs that look it up reach themselves"),
			NULL);
		mg_finding_fix(finding,
			N_("take %1 out of the line of %2 in /etc/hosts, or give it the public address there"), name,
			loopback, NULL);
	}
	mg_finding_is(finding, MG_STATE_OK, N_("Postfix calls itself %1"), name, NULL);
}

/* ---- SMTP smuggling ---- */

static void check_smuggling(const struct mg_check_env *env, struct mg_finding *finding)
{
	const char *newline, *pipelining, *discarded, *data;
	uint64_t version;
	bool knows_newline, knows_normalize;

	finding->manual = "postconf smtpd_forbid_bare_newline smtpd_forbid_unauth_pipelining";
	if (!mg_check_has_postfix(env, finding))
		return;
	version = version_number(mg_str_z(env->postfix->version));
	newline = mg_check_parameter(env, finding, NULL, "smtpd_forbid_bare_newline");
	pipelining = mg_check_parameter(env, finding, NULL, "smtpd_forbid_unauth_pipelining");
	discarded = mg_check_parameter(env, finding, NULL, "smtpd_discard_ehlo_keywords");
	data = mg_check_parameter(env, finding, NULL, "smtpd_data_restrictions");
	knows_newline = newline[0] != '\0';
	knows_normalize = version >= 3009000 || (version >= 3008005 && version < 3009000) ||
			  (version >= 3007010 && version < 3008000) || (version >= 3006014 && version < 3007000) ||
			  (version >= 3005024 && version < 3006000);
	mg_finding_evidence(finding, "Postfix %s: smtpd_forbid_bare_newline = %s, smtpd_forbid_unauth_pipelining = %s",
		env->postfix->version, newline, pipelining);
	if (knows_newline && mg_str_eq_nocase(mg_str_z(newline), MG_STR("no"))) {
		mg_finding_is(finding, MG_STATE_WARN,
			N_("strangers can smuggle mail in past the checks (smtpd_forbid_bare_newline is off)"), NULL);
		mg_finding_cause(finding,
			N_("a line that ends in a bare newline can end a message early; this version's default leaves that open (CVE-2023-51764)"),
			NULL);
		mg_finding_fix(finding, "%3 -e smtpd_forbid_bare_newline=%1 && %2",
			knows_normalize ? "normalize" : "yes", mg_master_command(env, finding, "reload"),
			mg_check_program(env, finding, "postconf"), NULL);
	} else if (!knows_newline &&
		   (!speaks_of(discarded, "chunking") ||
			   (!speaks_of(data, "reject_unauth_pipelining") && !speaks_of(pipelining, "yes")))) {
		mg_finding_is(finding, MG_STATE_WARN,
			N_("strangers can smuggle mail in past the checks (SMTP smuggling)"), NULL);
		mg_finding_cause(finding,
			N_("this version does not know smtpd_forbid_bare_newline; without BDAT and with reject_unauth_pipelining most of it is stopped (CVE-2023-51764)"),
			NULL);
		mg_finding_fix(finding,
			"%2 -e smtpd_data_restrictions=reject_unauth_pipelining smtpd_discard_ehlo_keywords=chunking && %1",
			mg_master_command(env, finding, "reload"), mg_check_program(env, finding, "postconf"), NULL);
	}
	if (pipelining[0] != '\0' && mg_str_eq_nocase(mg_str_z(pipelining), MG_STR("no")) &&
		!speaks_of(data, "reject_unauth_pipelining")) {
		mg_finding_is(finding, MG_STATE_WARN,
			N_("clients may send commands before their turn (smtpd_forbid_unauth_pipelining is off)"),
			NULL);
		mg_finding_cause(finding, N_("spam programs do, and it is the second half of SMTP smuggling"), NULL);
		mg_finding_fix(finding, "%2 -e smtpd_forbid_unauth_pipelining=yes && %1",
			mg_master_command(env, finding, "reload"), mg_check_program(env, finding, "postconf"), NULL);
	}
	mg_finding_is(finding, MG_STATE_OK, N_("SMTP smuggling is stopped"), NULL);
}

const struct mg_check mg_checks_config[] = {
	{ "config.postfix.check", N_("postfix check is content"), 1800, 30000, .run = check_postfix,
		.needs = "service.postfix" },
	{ "config.postconf.warn", N_("postconf has no warnings"), 0, 2000, .run = check_warnings },
	{ "config.reload", N_("Postfix has read its configuration"), 0, 5000, .run = check_reload,
		.needs = "service.postfix" },
	{ "config.compat", N_("defaults of this version"), 0, 20000, .run = check_compatibility },
	{ "config.hostname", N_("Postfix's own name"), 0, 2000, .run = check_hostname },
	{ "config.smuggling", N_("no SMTP smuggling"), 0, 2000, .run = check_smuggling },
};
const size_t mg_checks_config_count = sizeof mg_checks_config / sizeof mg_checks_config[0];
