/* sasl.config - logins: can Postfix reach who checks passwords, which mechanisms are there, and is AUTH offered to people's clients? */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/i18n.h"
#include "health/local_socket.h"
#include "health/mail_ports.h"
#include "health/sasl_answer.h"

enum { ANSWER_MS = 3000, LOOK_MS = 5000, ANSWER_BYTES = 16 * 1024, LOOKS_MAX = 4, PATHS_MAX = 8 };

struct look {
	const struct mg_check_env *env;
	struct mg_finding *finding;
	struct mg_mail_ports ports;
	const char *paths[PATHS_MAX]; /* sockets already asked */
	size_t path_count, login_count;
};

static int64_t until(const struct mg_check_env *env, int64_t most_ms)
{
	int64_t end_us = mg_mono_us() + most_ms * MG_MS_US;

	return end_us < env->deadline_us ? end_us : env->deadline_us;
}

/* ---- Dovecot's authentication server ---- */

/* Reads lines until DONE, the end, ANSWER_BYTES or the deadline. */
static void read_answer(int fd, int64_t deadline_us, struct mg_sasl_answer *answer)
{
	char place[ANSWER_BYTES];
	size_t held = 0, total = 0;

	while (!answer->is_done && !answer->is_nonsense && total < ANSWER_BYTES && held < sizeof place) {
		struct mg_str rest;
		ssize_t n;

		if (mg_fd_wait(fd, POLLIN, deadline_us) == 0)
			return;
		n = read(fd, place + held, sizeof place - held);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return;
		total += (size_t)n;
		held += (size_t)n;
		for (rest = mg_str_of(place, held); mg_str_find(rest, '\n') != SIZE_MAX;)
			mg_sasl_answer_read(mg_str_cut(&rest, '\n'), answer);
		memmove(place, rest.p, rest.n);
		held = rest.n;
	}
}

static void fix_mechanisms(struct look *look, const char *mechanisms)
{
	const struct mg_dovecot *dovecot = &look->ports.dovecot;

	mg_finding_fix(look->finding, "echo 'auth_mechanisms = %1' >> %2 && %3 reload", mechanisms,
		dovecot->file[0] == '\0' ? "/etc/dovecot/dovecot.conf" : dovecot->file,
		mg_dovecot_program(look->env, look->finding, "doveadm"), NULL);
}

/* The mechanisms without ANONYMOUS, in lower case as Dovecot writes them. */
static const char *without_anonymous(struct mg_finding *finding, const char *mechanisms)
{
	struct mg_str rest = mg_str_z(mechanisms), word;
	char place[MG_SASL_MECHANISMS] = "";
	size_t held = 0;

	while (mg_read_word(&rest, " ", &word))
		if (!mg_str_eq_nocase(word, MG_STR("ANONYMOUS")))
			held += (size_t)snprintf(
				place + held, sizeof place - held, "%s%.*s", held == 0 ? "" : " ", MG_STR_ARGS(word));
	mg_lower(place);
	return held == 0 ? "plain login" : mg_arena_text(&finding->arena, mg_str_z(place), sizeof place);
}

static void judge_answer(struct look *look, const struct mg_local_socket *socket, const struct mg_sasl_answer *answer)
{
	struct mg_finding *finding = look->finding;

	mg_finding_evidence(finding, "%s: mechanisms %s", socket->path,
		answer->mechanisms[0] == '\0' ? "none" : answer->mechanisms);
	if (!answer->has_version || answer->is_nonsense || !answer->is_done) {
		mg_finding_is(finding, MG_STATE_CRIT, N_("%1 does not answer as an authentication server"),
			socket->path, NULL);
		mg_finding_cause(finding,
			answer->is_nonsense
				? N_("something else than Dovecot's authentication server listens there")
				: N_("Dovecot's authentication server hangs, or another program listens there"),
			NULL);
		mg_finding_fix(finding, N_("see who listens: ss -xlp src %1; then: %2 reload; %3 smtpd_sasl_path"),
			socket->path, mg_dovecot_program(look->env, finding, "doveadm"),
			mg_check_program(look->env, finding, "postconf"), NULL);
	} else if (answer->mechanisms[0] == '\0') {
		mg_finding_is(finding, MG_STATE_CRIT, N_("%1 offers no mechanism: nobody can log in to send mail"),
			socket->path, NULL);
		mg_finding_cause(finding, N_("no mechanism available: auth_mechanisms of Dovecot is empty"), NULL);
		fix_mechanisms(look, "plain login");
	} else if (answer->has_anonymous) {
		mg_finding_is(finding, MG_STATE_WARN, N_("%1 offers ANONYMOUS: logins without any password"),
			socket->path, NULL);
		mg_finding_cause(finding, N_("auth_mechanisms of Dovecot holds anonymous"), NULL);
		fix_mechanisms(look, without_anonymous(finding, answer->mechanisms));
	}
}

static void ask_dovecot(struct look *look, const char *path)
{
	const struct mg_check_env *env = look->env;
	struct mg_sasl_answer answer = { .has_version = false };
	struct mg_local_socket socket;
	int64_t deadline_us = until(env, ANSWER_MS);
	char hello[64];
	int fd;

	for (size_t i = 0; i < look->path_count; i++)
		if (strcmp(look->paths[i], path) == 0)
			return;
	if (look->path_count == PATHS_MAX)
		return;
	look->paths[look->path_count++] = path;
	mg_local_socket_look(env->postfix, path, mg_check_parameter(env, look->finding, NULL, "mail_owner"),
		deadline_us, &socket, &fd);
	mg_finding_evidence(look->finding, "smtpd_sasl_path: %s: %s%s", socket.path, socket.seen, socket.trouble);
	mg_local_socket_judge(env, look->finding, &socket, &look->ports.dovecot, "smtpd_sasl_path", "auth");
	if (fd < 0)
		return;
	snprintf(hello, sizeof hello, "VERSION\t1\t1\nCPID\t%d\n", (int)getpid());
	if (mg_fd_write_all(fd, mg_str_z(hello), deadline_us))
		read_answer(fd, deadline_us, &answer);
	mg_fd_close(&fd);
	judge_answer(look, &socket, &answer);
}

static void look_at_servers(struct look *look)
{
	const struct mg_check_env *env = look->env;
	const struct mg_postfix_service *service = NULL;

	while ((service = mg_postfix_next_smtpd(env->postfix, service)) != NULL) {
		struct mg_str path;

		if (!mg_postfix_is_yes(env->postfix, service, "smtpd_sasl_auth_enable"))
			continue;
		look->login_count++;
		path = mg_str_z(mg_check_parameter(env, look->finding, service, "smtpd_sasl_path"));
		if (strcmp(mg_check_parameter(env, look->finding, service, "smtpd_sasl_type"), "dovecot") != 0 ||
			mg_str_starts(path, MG_STR("inet:")))
			continue;
		(void)mg_read_token(&path, MG_STR("unix:"));
		if (path.n > 0)
			ask_dovecot(look, path.p);
	}
}

/* ---- as a client sees it ---- */

static void say_no_auth(struct look *look, const struct mg_mail_port *port, bool is_enabled)
{
	const char *postconf = mg_check_program(look->env, look->finding, "postconf");
	const char *postfix = mg_check_program(look->env, look->finding, "postfix");

	mg_finding_is(look->finding, MG_STATE_CRIT, N_("%1 (%2) offers no AUTH: nobody can log in to send mail"),
		port->name, port->text, NULL);
	if (!is_enabled) {
		mg_finding_cause(look->finding, N_("smtpd_sasl_auth_enable is not yes for this service"), NULL);
		mg_finding_fix(look->finding, "%1 -P '%2/smtpd_sasl_auth_enable=yes' && %3 reload", postconf,
			port->name, postfix, NULL);
		return;
	}
	mg_finding_cause(look->finding,
		N_("no mechanism available: Postfix could not reach who checks passwords (%1: %2), or has no library for it"),
		mg_check_parameter(look->env, look->finding, port->service, "smtpd_sasl_type"),
		mg_check_parameter(look->env, look->finding, port->service, "smtpd_sasl_path"), NULL);
	mg_finding_fix(look->finding,
		N_("see what Postfix says: grep -i sasl %1 | tail -n 5; postconf -a; where Dovecot checks passwords: %2 -e smtpd_sasl_type=dovecot smtpd_sasl_path=private/auth && %3 reload"),
		mg_check_log_path(look->env, look->finding)[0] == '\0' ? "/var/log/mail.log"
								       : mg_check_log_path(look->env, look->finding),
		postconf, postfix, NULL);
}

static void judge_offer(struct look *look, const struct mg_mail_port *port, const struct mg_served *served)
{
	const struct mg_check_env *env = look->env;
	const struct mg_served_words *words = served->is_secured ? &served->after : &served->before;
	bool is_enabled = mg_postfix_is_yes(env->postfix, port->service, "smtpd_sasl_auth_enable");
	bool is_after_tls = mg_postfix_is_yes(env->postfix, port->service, "smtpd_tls_auth_only");

	mg_finding_evidence(look->finding, "%s at %s%s: %s%s", port->name, port->text,
		served->is_secured ? " in TLS" : "", (words->has & MG_SERVED_AUTH) != 0 ? "AUTH " : "no AUTH",
		words->mechanisms);
	if ((words->has & MG_SERVED_AUTH) == 0) {
		if (!served->is_secured && is_after_tls)
			return; /* TLS does not work: tls.starttls says so */
		say_no_auth(look, port, is_enabled);
		return;
	}
	if (mg_str_find_str(mg_str_z(words->mechanisms), MG_STR("ANONYMOUS")) == SIZE_MAX)
		return;
	mg_finding_is(
		look->finding, MG_STATE_WARN, N_("%1 offers ANONYMOUS: logins without any password"), port->text, NULL);
	mg_finding_cause(look->finding, N_("smtpd_sasl_security_options lets it through"), NULL);
	mg_finding_fix(look->finding,
		"%1 -e smtpd_sasl_security_options=noanonymous 'smtpd_sasl_tls_security_options=$smtpd_sasl_security_options' && %2 reload",
		mg_check_program(env, look->finding, "postconf"), mg_check_program(env, look->finding, "postfix"),
		NULL);
}

/* People's ports, and others where logins are switched on. */
static bool is_for_logins(const struct look *look, const struct mg_mail_port *port)
{
	const struct mg_check_env *env = look->env;

	if (port->service == NULL || !port->is_first || strcmp(port->service->command, "smtpd") != 0 ||
		mg_check_parameter(env, look->finding, port->service, "smtpd_sasl_exceptions_networks")[0] != '\0')
		return false;
	return port->port == 587 || port->port == 465 ||
	       mg_postfix_is_yes(env->postfix, port->service, "smtpd_sasl_auth_enable");
}

/* None of them could be seen: what they offer is not known. */
static void say_unseen(struct look *look, const char *port, const char *trouble)
{
	mg_finding_is(look->finding, MG_STATE_UNKNOWN, N_("whether logins are offered can't be told"), NULL);
	mg_finding_cause(look->finding, N_("%1 does not answer: %2"), port, trouble, NULL);
	mg_finding_fix(look->finding, "%1 status; mailguardctl check service.postfix service.smtp.587",
		mg_check_program(look->env, look->finding, "postfix"), NULL);
}

static void look_at_ports(struct look *look)
{
	int looks = 0, answers = 0;
	const char *silent = "", *trouble = "";

	for (size_t i = 0; i < look->ports.count && looks < LOOKS_MAX; i++) {
		const struct mg_mail_port *port = &look->ports.port[i];
		struct mg_served_target target;
		struct mg_served served;

		if (!is_for_logins(look, port))
			continue;
		looks++;
		target = mg_mail_port_target(port, until(look->env, LOOK_MS));
		target.secure = port->is_implicit ? MG_SERVED_IMPLICIT : MG_SERVED_UPGRADE;
		mg_served_look(&target, &served);
		if (served.hello == MG_REPLY_GOOD) {
			judge_offer(look, port, &served);
			answers++;
		} else {
			mg_finding_evidence(look->finding, "%s at %s: %s", port->name, port->text, served.trouble);
			silent = port->text;
			trouble = mg_arena_text(&look->finding->arena, mg_str_z(served.trouble), sizeof served.trouble);
		}
		mg_served_fini(&served);
	}
	if (looks > 0 && answers == 0)
		say_unseen(look, silent, trouble);
}

static bool has_people_port(const struct look *look)
{
	for (size_t i = 0; i < look->ports.count; i++)
		if (look->ports.port[i].service != NULL && look->ports.port[i].port == 587)
			return true;
	return false;
}

static void check_sasl(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct look look = { .env = env, .finding = finding };

	finding->manual =
		"postconf -a; postconf smtpd_sasl_type smtpd_sasl_path; openssl s_client -starttls smtp -connect localhost:587";
	if (!mg_check_has_postfix(env, finding))
		return;
	mg_mail_ports_look(env, &look.ports);
	look_at_servers(&look);
	if (look.login_count == 0 && !has_people_port(&look)) {
		mg_finding_not_applicable(finding, N_("not applicable: Postfix offers no logins"));
		return;
	}
	look_at_ports(&look);
	mg_finding_is(finding, MG_STATE_OK, N_("logins are offered, and who checks passwords answers"), NULL);
}

const struct mg_check mg_checks_sasl_config[] = {
	{ "sasl.config", N_("logins to send mail"), 0, 25000, .run = check_sasl,
		.follows = { "dovecot.sockets", "service.dovecot", "service.postfix" }, .needs = "service.postfix" },
};
const size_t mg_checks_sasl_config_count = sizeof mg_checks_sasl_config / sizeof mg_checks_sasl_config[0];
