/* service.dovecot, dovecot.*, mailbox.quota - Dovecot: does it run, is its configuration sound, does it keep passwords from the network, are
 * its sockets for Postfix there, are mailboxes full? */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/i18n.h"
#include "base/run.h"
#include "health/local_socket.h"
#include "health/process.h"

enum {
	CONFIG_MS = 5000,
	CONFIG_BYTES = 256 * 1024,
	QUOTA_BYTES = 8 * 1024 * 1024,
	LOG_BYTES = 256 * 1024,
	LINE_SHOWN = 400,
	HOUR_S = 3600,
};

static int time_left_ms(const struct mg_check_env *env, int most_ms)
{
	int64_t left_ms = (env->deadline_us - mg_mono_us()) / MG_MS_US;

	return left_ms < 1 ? 1 : left_ms > most_ms ? most_ms : (int)left_ms;
}

static const char *command(
	const struct mg_check_env *env, struct mg_finding *finding, const char *program, const char *words)
{
	struct mg_buf text;
	const char *kept;

	mg_buf_init(&text, 4096);
	mg_buf_addf(&text, "%s%s", mg_dovecot_program(env, finding, program), words);
	kept = mg_arena_text(&finding->arena, mg_buf_str(&text), text.n);
	mg_buf_fini(&text);
	return kept;
}

static const char *start_command(const struct mg_check_env *env, struct mg_finding *finding)
{
	return mg_process_has_systemd() && env->conf->dovecot.config[0] == '\0'
		       ? "systemctl start dovecot"
		       : mg_dovecot_program(env, finding, "dovecot");
}

/* ---- service.dovecot ---- */

/* The last complaint of Dovecot's near the end of the mail log, "" none. */
static const char *last_words(const struct mg_check_env *env, struct mg_finding *finding)
{
	const char *path = mg_check_log_path(env, finding), *words = "";
	struct mg_buf text;
	struct mg_str rest;

	if (path[0] == '\0')
		return "";
	if (mg_file_tail(path, LOG_BYTES, &text, NULL) == MG_OK) {
		rest = mg_buf_str(&text);
		while (rest.n > 0) {
			struct mg_str line = mg_str_cut(&rest, '\n');
			size_t at = mg_str_find_str(line, MG_STR("dovecot: "));

			if (at != SIZE_MAX && (mg_str_find_str(line, MG_STR("Fatal: ")) != SIZE_MAX ||
						      mg_str_find_str(line, MG_STR("Panic: ")) != SIZE_MAX))
				words = mg_arena_text(&finding->arena, mg_str_from(line, at), LINE_SHOWN);
		}
	}
	mg_buf_fini(&text);
	return words;
}

static void say_down(const struct mg_check_env *env, struct mg_finding *finding)
{
	const char *words = last_words(env, finding);

	mg_finding_is(finding, MG_STATE_CRIT, N_("Dovecot does not run: nobody can read mail or log in"), NULL);
	if (words[0] != '\0')
		mg_finding_cause(
			finding, N_("it was stopped or has died; its last complaint in the log: %1"), words, NULL);
	else
		mg_finding_cause(finding, N_("it was stopped or has died, and left no complaint in the log"), NULL);
	mg_finding_fix(finding, "%1", start_command(env, finding), NULL);
}

/* The socket at which its login processes ask for a login. */
static void judge_login(const struct mg_check_env *env, struct mg_finding *finding, const char *base_dir)
{
	static const struct mg_postfix nobody = { .queue_directory = "/" };
	struct mg_local_socket socket;
	char path[MG_DOVECOT_TEXT + 16];
	int fd;

	snprintf(path, sizeof path, "%s/login/login", base_dir);
	mg_local_socket_look(&nobody, path, "root", env->deadline_us, &socket, &fd);
	mg_fd_close(&fd);
	if (socket.state == MG_LOCAL_SOCKET_FINE || socket.state == MG_LOCAL_SOCKET_UNSEEN)
		return;
	mg_finding_evidence(finding, "%s: %s", path, socket.trouble);
	mg_finding_is(finding, MG_STATE_CRIT, N_("Dovecot runs, but its login socket %1 does not answer"), path, NULL);
	mg_finding_cause(finding, N_("the socket was removed, or is left of a Dovecot that has ended"), NULL);
	if (mg_process_has_systemd() && env->conf->dovecot.config[0] == '\0')
		mg_finding_fix(finding, "systemctl restart dovecot", NULL);
	mg_finding_fix(
		finding, "%1 stop; %2", mg_dovecot_program(env, finding, "doveadm"), start_command(env, finding), NULL);
}

static void judge_process(const struct mg_check_env *env, struct mg_finding *finding, const char *base_dir)
{
	char path[MG_DOVECOT_TEXT + 16];
	struct mg_process process;
	struct mg_err err = { "" };
	struct mg_buf text;
	uint64_t pid = 0;
	enum mg_rc rc;

	snprintf(path, sizeof path, "%s/master.pid", base_dir);
	rc = mg_file_read(path, 32, &text, &err);
	if (rc == MG_OK && !mg_str_to_u64(mg_str_trim(mg_buf_str(&text)), INT32_MAX, &pid))
		pid = 0;
	mg_buf_fini(&text);
	if (rc == MG_EPERM) {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("whether Dovecot runs can't be told"), NULL);
		mg_finding_cause(finding, N_("needs root: %1"), err.text, NULL);
	} else if (pid != 0 && mg_process_of((pid_t)pid, &process) && !process.has_ended &&
		   strcmp(process.name, "dovecot") == 0) {
		mg_finding_evidence(finding, "%s: dovecot runs, pid %d", path, (int)pid);
		judge_login(env, finding, base_dir);
	} else {
		mg_finding_evidence(finding,
			pid == 0 ? "%s: no process is named there"
				 : "%s: the process named there does not run any more",
			path);
		say_down(env, finding);
	}
}

static void check_service(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct mg_dovecot dovecot;
	struct mg_err err = { "" };
	enum mg_rc rc;

	finding->manual = command(env, finding, "doveadm", " service status");
	rc = mg_dovecot_look(env, &dovecot, &err);
	if (rc == MG_OK && !dovecot.is_used) {
		mg_finding_not_applicable(finding, N_("not applicable: Dovecot is not used here"));
		return;
	}
	if (rc != MG_OK && env->conf->dovecot.config[0] == '\0')
		judge_process(env, finding, "/run/dovecot"); /* it may run on with what it has read */
	else if (rc != MG_OK)
		(void)mg_dovecot_is_here(env, finding, &dovecot);
	else
		judge_process(env, finding, dovecot.base_dir);
	mg_finding_is(finding, MG_STATE_OK, N_("Dovecot runs"), NULL);
}

/* ---- dovecot.config ---- */

/* "... in /etc/dovecot/dovecot.conf:12: ..." or "... /etc/dovecot/dovecot.conf line 12: ...": "sed -n 12p FILE", "" when it names none. */
static const char *show_line(struct mg_finding *finding, struct mg_str said)
{
	size_t at = mg_str_find(said, '/');
	struct mg_str rest = mg_str_from(said, at == SIZE_MAX ? said.n : at), file;
	char command[MG_DOVECOT_TEXT + 32];
	uint64_t number;

	if (!mg_read_word(&rest, " :'\";$`\\", &file) || file.n >= MG_DOVECOT_TEXT)
		return "";
	if (!mg_read_token(&rest, MG_STR(":")) && !mg_read_token(&rest, MG_STR(" line ")))
		return "";
	if (!mg_read_u64(&rest, INT32_MAX, &number))
		return "";
	snprintf(command, sizeof command, "sed -n %up %.*s", (unsigned)number, MG_STR_ARGS(file));
	return mg_arena_text(&finding->arena, mg_str_z(command), sizeof command);
}

/* One line of doveconf's standard error. */
static void judge_said(const struct mg_check_env *env, struct mg_finding *finding, struct mg_str line)
{
	bool is_warning;
	const char *said, *show;

	(void)mg_read_token(&line, MG_STR("doveconf: "));
	is_warning = mg_read_token(&line, MG_STR("Warning: "));
	if (line.n == 0 || mg_str_starts(line, MG_STR("NOTE: ")))
		return;
	said = mg_arena_text(&finding->arena, line, LINE_SHOWN);
	show = show_line(finding, line);
	mg_finding_evidence(finding, "doveconf: %s", said);
	if (is_warning)
		mg_finding_is(
			finding, MG_STATE_WARN, N_("Dovecot's configuration has a setting that it warns of"), NULL);
	else
		mg_finding_is(finding, MG_STATE_CRIT,
			N_("Dovecot's configuration has an error: it will not start, and not reload"), NULL);
	mg_finding_cause(finding, "%1", said, NULL);
	if (show[0] != '\0')
		mg_finding_fix(finding, N_("%1; change that line, then: %2 -n && %3 reload"), show,
			mg_dovecot_program(env, finding, "doveconf"), mg_dovecot_program(env, finding, "doveadm"),
			NULL);
	mg_finding_fix(finding, "%1 -n", mg_dovecot_program(env, finding, "doveconf"), NULL);
}

static void judge_config(const struct mg_check_env *env, struct mg_finding *finding, const struct mg_run_result *result)
{
	struct mg_str rest = mg_buf_str(&result->err);

	if (geteuid() != 0 && mg_str_find_str(rest, MG_STR("Permission denied")) != SIZE_MAX) {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("Dovecot's configuration can't be read"), NULL);
		mg_finding_cause(finding, N_("needs root: %1"), "Permission denied", NULL);
		return;
	}
	while (rest.n > 0)
		judge_said(env, finding, mg_str_trim(mg_str_cut(&rest, '\n')));
	if (result->status != 0) {
		mg_finding_is(finding, MG_STATE_CRIT,
			N_("Dovecot's configuration has an error: it will not start, and not reload"), NULL);
		mg_finding_cause(finding, N_("doveconf ends with an error and says nothing"), NULL);
		mg_finding_fix(finding, "%1 -n", mg_dovecot_program(env, finding, "doveconf"), NULL);
	}
}

static void check_config(const struct mg_check_env *env, struct mg_finding *finding)
{
	const char *file = env->conf->dovecot.config;
	const char *const argv[] = { "doveconf", "-n", file[0] == '\0' ? NULL : "-c", file, NULL };
	const struct mg_run run = { .argv = argv,
		.timeout_ms = time_left_ms(env, CONFIG_MS),
		.out_max = CONFIG_BYTES,
		.err_max = CONFIG_BYTES };
	struct mg_dovecot dovecot;
	struct mg_run_result result;
	struct mg_err err = { "" };

	finding->manual = command(env, finding, "doveconf", " -n");
	if (mg_dovecot_look(env, &dovecot, NULL) == MG_OK && !dovecot.is_used) {
		mg_finding_not_applicable(finding, N_("not applicable: Dovecot is not used here"));
		return;
	}
	if (mg_run(&run, &result, &err) == MG_OK) {
		judge_config(env, finding, &result);
	} else {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("Dovecot's configuration can't be read"), NULL);
		mg_finding_cause(finding, "%1", err.text, NULL);
		mg_finding_fix(finding, "%1", finding->manual, NULL);
	}
	mg_run_fini(&result);
	mg_finding_is(finding, MG_STATE_OK, N_("Dovecot's configuration is sound"), NULL);
}

/* ---- dovecot.tls ---- */

/* A setting, appended to the configuration: what stands last counts. */
static void fix_setting(const struct mg_check_env *env, struct mg_finding *finding, const struct mg_dovecot *dovecot,
	const char *setting)
{
	mg_finding_fix(finding, "echo '%1' >> %2 && %3 reload", setting,
		dovecot->file[0] == '\0' ? "/etc/dovecot/dovecot.conf" : dovecot->file,
		mg_dovecot_program(env, finding, "doveadm"), NULL);
}

static bool is_old(const char *version)
{
	static const char *const old[] = { "ANY", "SSLv2", "SSLv3", "TLSv1", "TLSv1.0", "TLSv1.1" };

	for (size_t i = 0; i < sizeof old / sizeof old[0]; i++)
		if (strcmp(version, old[i]) == 0)
			return true;
	return false;
}

static void check_tls(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct mg_dovecot dovecot;
	const char *clear;

	finding->manual =
		command(env, finding, "doveconf", " -a | grep -E '^(ssl|disable_plaintext_auth|auth_allow_cleartext)'");
	if (!mg_dovecot_is_here(env, finding, &dovecot))
		return;
	if (dovecot.count == 0) {
		mg_finding_not_applicable(finding, N_("not applicable: Dovecot serves neither IMAP nor POP3"));
		return;
	}
	clear = dovecot.is_24 ? "auth_allow_cleartext" : "disable_plaintext_auth";
	mg_finding_evidence(finding, "ssl = %s, ssl_min_protocol = %s, %s = %s", dovecot.ssl, dovecot.ssl_min_protocol,
		clear, dovecot.allows_plaintext == dovecot.is_24 ? "yes" : "no");
	if (strcmp(dovecot.ssl, "no") == 0) {
		mg_finding_is(finding, MG_STATE_CRIT,
			N_("Dovecot speaks without encryption: passwords and mail cross the network in clear"), NULL);
		mg_finding_cause(finding, N_("ssl = no in Dovecot's configuration"), NULL);
		fix_setting(env, finding, &dovecot, "ssl = required");
	} else if (dovecot.allows_plaintext && strcmp(dovecot.ssl, "required") != 0) {
		mg_finding_is(finding, MG_STATE_CRIT,
			N_("Dovecot takes passwords without encryption: they cross the network in clear"), NULL);
		mg_finding_cause(
			finding, N_("%1 = %2, and TLS is not required"), clear, dovecot.is_24 ? "yes" : "no", NULL);
		fix_setting(env, finding, &dovecot,
			dovecot.is_24 ? "auth_allow_cleartext = no" : "disable_plaintext_auth = yes");
	}
	if (is_old(dovecot.ssl_min_protocol)) {
		mg_finding_is(finding, MG_STATE_CRIT, N_("Dovecot takes versions of TLS before 1.2"), NULL);
		mg_finding_cause(finding, N_("ssl_min_protocol = %1: such versions can be broken"),
			dovecot.ssl_min_protocol, NULL);
		fix_setting(env, finding, &dovecot, "ssl_min_protocol = TLSv1.2");
	}
	mg_finding_is(finding, MG_STATE_OK, N_("Dovecot keeps passwords encrypted"), NULL);
}

/* ---- dovecot.sockets ---- */

struct sockets {
	const struct mg_check_env *env;
	struct mg_finding *finding;
	struct mg_dovecot dovecot;
	size_t count;
	const char *seen[MG_EVIDENCE_MAX];
};

static bool was_seen(struct sockets *sockets, const char *path)
{
	for (size_t i = 0; i < sockets->count && i < MG_EVIDENCE_MAX; i++)
		if (strcmp(sockets->seen[i], path) == 0)
			return true;
	if (sockets->count < MG_EVIDENCE_MAX)
		sockets->seen[sockets->count] = path;
	sockets->count++;
	return false;
}

static void judge_socket(struct sockets *sockets, const char *path, const char *setting, const char *service)
{
	const struct mg_check_env *env = sockets->env;
	const char *account = mg_check_parameter(env, sockets->finding, NULL, "mail_owner");
	struct mg_local_socket socket;
	int fd;

	if (was_seen(sockets, path))
		return;
	mg_local_socket_look(env->postfix, path, account, env->deadline_us, &socket, &fd);
	mg_fd_close(&fd);
	mg_finding_evidence(sockets->finding, "%s: %s: %s%s%s", setting, socket.path, socket.seen,
		socket.seen[0] != '\0' && socket.trouble[0] != '\0' ? "; " : "", socket.trouble);
	mg_local_socket_judge(env, sockets->finding, &socket, &sockets->dovecot, setting, service);
}

/* The socket's path in smtpd_sasl_path or behind lmtp:unix:, or "" when it is another kind. */
static const char *path_of(struct mg_finding *finding, const char *value, bool is_transport)
{
	struct mg_str rest = mg_str_z(value);

	if (is_transport && (!mg_read_token(&rest, MG_STR("lmtp:")) || !mg_read_token(&rest, MG_STR("unix:"))))
		return "";
	(void)mg_read_token(&rest, MG_STR("unix:"));
	if (mg_str_starts(rest, MG_STR("inet:")))
		return "";
	return mg_arena_text(&finding->arena, rest, rest.n);
}

static void judge_logins(struct sockets *sockets)
{
	const struct mg_check_env *env = sockets->env;
	const struct mg_postfix_service *service = NULL;

	while ((service = mg_postfix_next_smtpd(env->postfix, service)) != NULL) {
		const char *path;

		if (!mg_postfix_is_yes(env->postfix, service, "smtpd_sasl_auth_enable") ||
			strcmp(mg_check_parameter(env, sockets->finding, service, "smtpd_sasl_type"), "dovecot") != 0)
			continue;
		path = path_of(
			sockets->finding, mg_check_parameter(env, sockets->finding, service, "smtpd_sasl_path"), false);
		if (path[0] != '\0')
			judge_socket(sockets, path, "smtpd_sasl_path", "auth");
	}
}

static void judge_transports(struct sockets *sockets)
{
	static const char *const transports[] = { "virtual_transport", "mailbox_transport", "local_transport",
		"fallback_transport", "relay_transport", "default_transport" };

	for (size_t i = 0; i < sizeof transports / sizeof transports[0]; i++) {
		const char *path = path_of(sockets->finding,
			mg_check_parameter(sockets->env, sockets->finding, NULL, transports[i]), true);

		if (path[0] != '\0' &&
			(sockets->dovecot.is_used || mg_str_find_str(mg_str_z(path), MG_STR("dovecot")) != SIZE_MAX))
			judge_socket(sockets, path, transports[i], "lmtp");
	}
}

static void check_sockets(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct sockets sockets = { .env = env, .finding = finding };

	finding->manual =
		"postconf smtpd_sasl_path virtual_transport mailbox_transport; ls -l /var/spool/postfix/private";
	if (!mg_check_has_postfix(env, finding))
		return;
	if (mg_dovecot_look(env, &sockets.dovecot, NULL) != MG_OK)
		sockets.dovecot = (struct mg_dovecot){ .is_used = true };
	judge_logins(&sockets);
	judge_transports(&sockets);
	if (sockets.count == 0)
		mg_finding_not_applicable(finding, N_("not applicable: Postfix names no socket of Dovecot's"));
	mg_finding_is(finding, MG_STATE_OK, N_("the sockets through which Postfix reaches Dovecot are there"), NULL);
}

/* ---- mailbox.quota ---- */

/* "Username\tQuota name\tType\tValue\tLimit\t%", sizes in KiB, "-" without a limit. */
static bool read_quota(struct mg_str line, struct mg_str *user_out, struct mg_str *type_out, uint64_t *percent_out)
{
	struct mg_str value, limit;
	uint64_t used, most;

	*user_out = mg_str_cut(&line, '\t');
	(void)mg_str_cut(&line, '\t');
	*type_out = mg_str_cut(&line, '\t');
	value = mg_str_cut(&line, '\t');
	limit = mg_str_cut(&line, '\t');
	if (!mg_str_to_u64(value, UINT64_MAX / 100, &used) || !mg_str_to_u64(limit, UINT64_MAX / 100, &most) ||
		most == 0)
		return false;
	*percent_out = used * 100 / most;
	return true;
}

static void judge_quotas(const struct mg_check_env *env, struct mg_finding *finding, struct mg_str rest)
{
	struct mg_str user, type, worst = { "", 0 };
	uint64_t percent, most = 0;
	size_t limits = 0, full = 0;
	enum mg_check_state state;
	const char *name;

	while (rest.n > 0) {
		if (!read_quota(mg_str_cut(&rest, '\n'), &user, &type, &percent))
			continue;
		limits++;
		if (mg_check_grade(env, "mailbox.quota", (double)percent, 90, 98) != MG_STATE_OK) {
			mg_finding_evidence(finding, "%.*s: %llu%% of its quota (%.*s)", MG_STR_ARGS(user),
				(unsigned long long)percent, MG_STR_ARGS(type));
			full++;
		}
		if (percent >= most) {
			most = percent;
			worst = user;
		}
	}
	if (limits == 0)
		return;
	mg_finding_value(finding, (double)most, "%");
	state = mg_check_grade(env, "mailbox.quota", (double)most, 90, 98);
	name = mg_str_find(worst, '\'') != SIZE_MAX ? "USER" : mg_arena_text(&finding->arena, worst, LINE_SHOWN);
	if (state != MG_STATE_OK) {
		mg_finding_is(finding, state, N_("the mailbox of %1 is %2 full; %3 mailboxes are near their limit"),
			name, mg_finding_number(finding, (double)most, "%"),
			mg_finding_number(finding, (double)full, ""), NULL);
		mg_finding_cause(finding, N_("a full mailbox takes no more mail: it is put off or goes back"), NULL);
		mg_finding_fix(finding,
			N_("%1 expunge -u '%2' mailbox Trash savedbefore 30d; %1 quota get -u '%2'; or enlarge the quota in Dovecot's configuration"),
			mg_dovecot_program(env, finding, "doveadm"), name, NULL);
	}
	mg_finding_is(finding, MG_STATE_OK, N_("no mailbox is near its quota: the fullest has %1"),
		mg_finding_number(finding, (double)most, "%"), NULL);
}

/* Those it could not tell of are no reason to keep silent of the others. */
static void judge_quota_errors(
	const struct mg_check_env *env, struct mg_finding *finding, const struct mg_run_result *result)
{
	char said[LINE_SHOWN];

	if (result->err.n == 0 && result->status == 0)
		return;
	mg_run_said(result, said, sizeof said);
	mg_finding_evidence(finding, "doveadm: %s", said);
	mg_finding_is(finding, MG_STATE_UNKNOWN, N_("how full the mailboxes are can't be told"), NULL);
	mg_finding_cause(finding, "%1", said, NULL);
	mg_finding_fix(finding, "%1 quota get -A", mg_dovecot_program(env, finding, "doveadm"), NULL);
}

static void check_quota(const struct mg_check_env *env, struct mg_finding *finding)
{
	const char *file = env->conf->dovecot.config;
	const char *const plain[] = { "doveadm", "-f", "tab", "quota", "get", "-A", NULL };
	const char *const with[] = { "doveadm", "-c", file, "-f", "tab", "quota", "get", "-A", NULL };
	struct mg_run run = { .argv = file[0] == '\0' ? plain : with, .out_max = QUOTA_BYTES, .err_max = CONFIG_BYTES };
	struct mg_run_result result;
	struct mg_dovecot dovecot;
	struct mg_err err = { "" };

	finding->manual = command(env, finding, "doveadm", " quota get -A");
	if (!mg_dovecot_is_here(env, finding, &dovecot))
		return;
	if (!dovecot.has_quota) {
		mg_finding_not_applicable(finding, N_("not applicable: Dovecot's mailboxes have no quota"));
		return;
	}
	if (geteuid() != 0) {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("how full the mailboxes are can't be told"), NULL);
		mg_finding_cause(finding, N_("needs root: doveadm reads all mailboxes"), NULL);
		return;
	}
	run.timeout_ms = time_left_ms(env, INT32_MAX);
	if (mg_run(&run, &result, &err) == MG_OK) {
		judge_quotas(env, finding, mg_buf_str(&result.out));
		judge_quota_errors(env, finding, &result);
	} else {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("how full the mailboxes are can't be told"), NULL);
		mg_finding_cause(finding, "%1", err.text, NULL);
		mg_finding_fix(finding, "%1 quota get -A", mg_dovecot_program(env, finding, "doveadm"), NULL);
	}
	mg_run_fini(&result);
	mg_finding_is(finding, MG_STATE_OK, N_("no mailbox has a limit"), NULL);
}

#define OF_DOVECOT .follows = { "service.dovecot", "dovecot.config" }

const struct mg_check mg_checks_dovecot[] = {
	{ "service.dovecot", N_("Dovecot runs"), 15, 10000, .run = check_service, .follows = { "dovecot.config" } },
	{ "dovecot.config", N_("Dovecot's configuration"), 300, 12000, .run = check_config },
	{ "dovecot.tls", N_("Dovecot's encryption"), 300, 6000, .run = check_tls, .follows = { "dovecot.config" } },
	{ "dovecot.sockets", N_("Dovecot's sockets for Postfix"), 0, 8000, .run = check_sockets, OF_DOVECOT },
	{ "mailbox.quota", N_("room in mailboxes"), HOUR_S, 30000, .run = check_quota, OF_DOVECOT },
};
const size_t mg_checks_dovecot_count = sizeof mg_checks_dovecot / sizeof mg_checks_dovecot[0];
