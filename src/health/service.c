/* service.* - does every mail port that is configured answer as a client wants it: connection, greeting, EHLO? */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/fd.h"
#include "base/i18n.h"
#include "health/mail_ports.h"

enum { DEADLINE_MS = 14000, LOG_TAIL = 128 * 1024, LEAST_MS = 200 };

static const double WARN_S = 2, CRIT_S = 10;

/* One check under way. */
struct asking {
	const struct mg_check_env *env;
	struct mg_finding *finding;
	const char *id;
	enum mg_mail_role role;
	double patience_s; /* how long a greeting may take before it counts as none */
	double slowest_s;
	const char *slowest_at;
	struct mg_buf names; /* of the ports that answered */
	bool is_short;       /* there was less time than patience for this one */
};

static bool is_smtp(const struct asking *asking)
{
	return mg_mail_role_protocol(asking->role) == MG_SERVED_SMTP;
}

/* ---- the log's last word on it ---- */

static const char *log_path(const struct asking *asking)
{
	const char *log = asking->env->conf->postfix.log, *path = "";

	if (strncmp(log, "file:", 5) == 0)
		return log + 5;
	if (asking->env->postfix != NULL)
		path = mg_check_parameter(asking->env, asking->finding, NULL, "maillog_file");
	return path[0] == '/' ? path : "/var/log/mail.log";
}

static bool is_about(const struct asking *asking, struct mg_str line)
{
	bool is_dovecot = mg_str_find_str(line, MG_STR("dovecot")) != SIZE_MAX;

	if (is_smtp(asking))
		return !is_dovecot && (mg_str_find_str(line, MG_STR(" fatal: ")) != SIZE_MAX ||
					      mg_str_find_str(line, MG_STR(" panic: ")) != SIZE_MAX);
	return is_dovecot && (mg_str_find_str(line, MG_STR("Fatal: ")) != SIZE_MAX ||
				     mg_str_find_str(line, MG_STR("Panic: ")) != SIZE_MAX);
}

static size_t read_tail(const char *path, char *place, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat info;
	ssize_t n = 0;

	if (fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode))
		n = pread(fd, place, size, info.st_size > (off_t)size ? info.st_size - (off_t)size : 0);
	mg_fd_close(&fd);
	return n > 0 ? (size_t)n : 0;
}

/* In the finding's memory; "" when there is none near the end. */
static const char *last_fatal(const struct asking *asking)
{
	char *tail = malloc(LOG_TAIL);
	struct mg_str rest = { tail, 0 }, line, found = { "", 0 };
	const char *kept = "";

	if (tail == NULL)
		return "";
	rest.n = read_tail(log_path(asking), tail, LOG_TAIL);
	while (rest.n > 0) {
		line = mg_str_cut(&rest, '\n');
		if (is_about(asking, line))
			found = line;
	}
	if (found.n > 0)
		kept = mg_arena_text(&asking->finding->arena, found, 400);
	free(tail);
	return kept;
}

/* ---- what to type ---- */

static void fix_look_at_log(const struct asking *asking)
{
	char option[600];

	if (is_smtp(asking))
		mg_finding_fix(asking->finding,
			"postfix %1check; journalctl -u postfix -u 'postfix@*' -g fatal -n 5; grep -E 'fatal|panic' %2 | tail -n 5",
			mg_postfix_dash_c(asking->env, option, sizeof option), log_path(asking), NULL);
	else
		mg_finding_fix(
			asking->finding, "doveadm reload; journalctl -u dovecot -n 20; doveadm log errors", NULL);
}

static void fix_start(const struct asking *asking, const struct mg_mail_port *port)
{
	char option[600], number[16];

	snprintf(number, sizeof number, "%u", port->port);
	if (!is_smtp(asking))
		mg_finding_fix(asking->finding, "systemctl start dovecot; doveadm reload; ss -tlnp 'sport = :%1'",
			number, NULL);
	else if (mg_postfix_dash_c(asking->env, option, sizeof option)[0] == '\0')
		mg_finding_fix(asking->finding, "systemctl start postfix; postfix reload; ss -tlnp 'sport = :%1'",
			number, NULL);
	else
		mg_finding_fix(asking->finding, "postfix %1start; postfix %1reload; ss -tlnp 'sport = :%2'", option,
			number, NULL);
}

static void because_of_log(const struct asking *asking, const char *without)
{
	const char *line = last_fatal(asking);

	if (line[0] == '\0') {
		mg_finding_cause(asking->finding, without, NULL);
		return;
	}
	mg_finding_cause(asking->finding,
		N_("the program behind the port seems to die at once; the log's last such line: %1"), line, NULL);
	mg_finding_evidence(asking->finding, "log: %s", line);
}

/* ---- what went wrong ---- */

static void refused(const struct asking *asking, const struct mg_mail_port *port)
{
	mg_finding_is(asking->finding, MG_STATE_CRIT, N_("nobody listens on %1 (%2): the connection is refused"),
		port->text, port->name, NULL);
	if (is_smtp(asking))
		mg_finding_cause(asking->finding,
			N_("Postfix does not run, or has not read its configuration since this listener was written into it"),
			NULL);
	else
		mg_finding_cause(asking->finding,
			N_("Dovecot does not run, or has not read its configuration since this listener was written into it"),
			NULL);
	fix_start(asking, port);
}

static void unreachable(const struct asking *asking, const struct mg_mail_port *port, const struct mg_served *served)
{
	mg_finding_is(asking->finding, asking->is_short ? MG_STATE_UNKNOWN : MG_STATE_CRIT,
		N_("no connection to %1 (%2): %3"), port->text, port->name, served->trouble, NULL);
	mg_finding_cause(asking->finding,
		N_("a firewall drops it, nobody takes connections off the queue, or the address is not this machine's"),
		NULL);
	mg_finding_fix(asking->finding, "ip address; ss -tlnp; nft list ruleset", NULL);
}

/* A listener whose configuration does not fit its port number: clients begin with the wrong thing. */
static bool speaks_the_other(const struct asking *asking, const struct mg_mail_port *port)
{
	bool wants_tls = mg_mail_role_is_implicit(asking->role);
	char option[600];

	if (port->service == NULL || wants_tls == port->is_implicit)
		return false;
	mg_finding_cause(asking->finding,
		wants_tls ? N_("clients of this port begin with TLS, and the service is without smtpd_tls_wrappermode")
			  : N_("clients of this port begin in clear, and the service has smtpd_tls_wrappermode=yes"),
		NULL);
	mg_finding_fix(asking->finding, "postconf %1-P '%2/smtpd_tls_wrappermode=%3' && postfix %1reload",
		mg_postfix_dash_c(asking->env, option, sizeof option), port->name, wants_tls ? "yes" : "no", NULL);
	return true;
}

static void silent(const struct asking *asking, const struct mg_mail_port *port)
{
	char time[32];

	snprintf(time, sizeof time, "%.3g s", asking->patience_s);
	if (asking->is_short) {
		mg_finding_is(asking->finding, MG_STATE_UNKNOWN, N_("no time was left to wait for the greeting of %1"),
			port->text, NULL);
		return;
	}
	mg_finding_is(asking->finding, MG_STATE_CRIT, N_("%1 (%2) takes connections and says nothing for %3"),
		port->text, port->name, time, NULL);
	if (speaks_the_other(asking, port))
		return;
	because_of_log(asking,
		N_("the program behind the port dies when it starts, is stopped, or all its processes are busy"));
	fix_look_at_log(asking);
}

static void closed(const struct asking *asking, const struct mg_mail_port *port, const struct mg_served *served)
{
	mg_finding_is(asking->finding, MG_STATE_CRIT,
		N_("%1 (%2) takes the connection and ends it without a greeting: %3"), port->text, port->name,
		served->trouble, NULL);
	if (speaks_the_other(asking, port))
		return;
	because_of_log(asking, N_("the program behind the port dies when it starts, or turns clients away"));
	fix_look_at_log(asking);
}

static void failed_tls(const struct asking *asking, const struct mg_mail_port *port, const struct mg_served *served)
{
	mg_finding_is(asking->finding, MG_STATE_CRIT, N_("no TLS on %1 (%2), where clients begin with it: %3"),
		port->text, port->name, served->trouble, NULL);
	if (speaks_the_other(asking, port))
		return;
	mg_finding_cause(asking->finding,
		N_("the service has no certificate and key that it can load, or what answers there does not speak TLS"),
		NULL);
	mg_finding_fix(asking->finding, "mailguardctl check tls.key tls.cert.chain", NULL);
}

static void stranger(const struct asking *asking, const struct mg_mail_port *port, const struct mg_served *served)
{
	char number[16];

	snprintf(number, sizeof number, "%u", port->port);
	mg_finding_is(asking->finding, MG_STATE_CRIT, N_("what answers on %1 (%2) is no mail server: %3"), port->text,
		port->name, served->greeting_text[0] == '\0' ? served->trouble : served->greeting_text, NULL);
	mg_finding_cause(asking->finding, N_("another program holds the port, or it speaks another protocol"), NULL);
	mg_finding_fix(asking->finding, "ss -tlnp 'sport = :%1'", number, NULL);
}

static void turned_away(const struct asking *asking, const struct mg_mail_port *port, const char *said)
{
	mg_finding_is(asking->finding, MG_STATE_CRIT, N_("%1 (%2) turns clients away: %3"), port->text, port->name,
		said, NULL);
	if (is_smtp(asking))
		mg_finding_cause(asking->finding,
			N_("an error in the configuration, a milter or a table that does not answer, or a restriction refuses this machine itself before the first command; the server said: %1"),
			said, NULL);
	else
		mg_finding_cause(asking->finding, N_("the server said: %1"), said, NULL);
	fix_look_at_log(asking);
}

/* ---- judging ---- */

static void answered(struct asking *asking, const struct mg_mail_port *port, const struct mg_served *served)
{
	double took_s = (double)served->greet_us / (double)MG_S_US;
	char time[32], number[16];
	enum mg_check_state state;

	mg_buf_addz(&asking->names, asking->names.n == 0 ? "" : ", ");
	mg_buf_addz(&asking->names, port->text);
	if (asking->slowest_at == NULL || took_s > asking->slowest_s) {
		asking->slowest_s = took_s;
		asking->slowest_at = port->text;
	}
	state = mg_check_grade(asking->env, asking->id, took_s, WARN_S, CRIT_S);
	if (state == MG_STATE_OK)
		return;
	snprintf(time, sizeof time, "%.3g s", took_s);
	snprintf(number, sizeof number, "%u", port->port);
	mg_finding_is(asking->finding, state, N_("%1 (%2) greets only after %3"), port->text, port->name, time, NULL);
	mg_finding_cause(asking->finding,
		N_("the machine is busy, all processes of the service are taken, or it waits for DNS, a milter or a table before it greets"),
		NULL);
	if (is_smtp(asking))
		mg_finding_fix(asking->finding,
			N_("uptime; ss -tnp 'sport = :%1'; postconf default_process_limit; see whether DNS answers: mailguardctl check dns.resolver"),
			number, NULL);
	else
		mg_finding_fix(asking->finding, "uptime; doveadm who; doveadm service status", NULL);
}

static void judge(struct asking *asking, const struct mg_mail_port *port, const struct mg_served *served)
{
	if (served->is_greeted && (served->greeting == MG_REPLY_LATER || served->greeting == MG_REPLY_BAD)) {
		turned_away(asking, port, served->greeting_text);
	} else if (served->hello == MG_REPLY_LATER || served->hello == MG_REPLY_BAD) {
		turned_away(asking, port, served->hello_text);
	} else if (served->is_greeted &&
		   (served->greeting == MG_REPLY_NONSENSE || served->hello == MG_REPLY_NONSENSE)) {
		stranger(asking, port, served);
	} else {
		switch (served->state) {
		case MG_DIALOGUE_OPEN:
			answered(asking, port, served);
			break;
		case MG_DIALOGUE_REFUSED:
			refused(asking, port);
			break;
		case MG_DIALOGUE_UNREACHABLE:
			unreachable(asking, port, served);
			break;
		case MG_DIALOGUE_SILENT:
			silent(asking, port);
			break;
		case MG_DIALOGUE_CLOSED:
			closed(asking, port, served);
			break;
		case MG_DIALOGUE_TLS:
			failed_tls(asking, port, served);
			break;
		case MG_DIALOGUE_FLOOD:
		case MG_DIALOGUE_INJECTED:
		case MG_DIALOGUE_NO_LIBRARY:
			stranger(asking, port, served);
			break;
		}
	}
}

static void show(const struct asking *asking, const struct mg_mail_port *port, const struct mg_served *served)
{
	if (served->is_greeted)
		mg_finding_evidence(asking->finding, "%s %s: connected in %.1f ms, greeted after %.1f ms: %s%s%s%s",
			port->text, port->name, (double)served->connect_us / 1000, (double)served->greet_us / 1000,
			served->greeting_text, served->trouble[0] == '\0' ? "" : " (", served->trouble,
			served->trouble[0] == '\0' ? "" : ")");
	else
		mg_finding_evidence(asking->finding, "%s %s: %s", port->text, port->name, served->trouble);
}

/* False: the rest would only wait for the same. */
static bool try_port(struct asking *asking, const struct mg_mail_port *port)
{
	int64_t now_us = mg_mono_us(), end_us = now_us + (int64_t)(asking->patience_s * (double)MG_S_US);
	struct mg_served_target target;
	struct mg_served served;

	asking->is_short = end_us > asking->env->deadline_us;
	if (asking->is_short)
		end_us = asking->env->deadline_us;
	if (end_us - now_us < LEAST_MS * MG_MS_US) {
		mg_finding_evidence(asking->finding, "%s %s: not tried, no time was left", port->text, port->name);
		return false;
	}
	target = mg_mail_port_target(port, end_us);
	mg_served_look(&target, &served);
	show(asking, port, &served);
	judge(asking, port, &served);
	if (served.state == MG_DIALOGUE_SILENT)
		asking->patience_s = 1; /* one silence is enough: what else is dead shows in a moment */
	mg_served_fini(&served);
	return true;
}

static void show_manual(const struct asking *asking, const struct mg_mail_port *port)
{
	char text[300], ip[MG_IP_TEXT];

	mg_ip_text(&port->ip, ip, sizeof ip);
	if (mg_mail_role_is_implicit(asking->role))
		snprintf(text, sizeof text, "openssl s_client -quiet -connect %s </dev/null; ss -tlnp 'sport = :%u'",
			port->text, port->port);
	else
		snprintf(text, sizeof text,
			"timeout 10 bash -c 'exec 3<>/dev/tcp/%s/%u; head -n 1 <&3'; ss -tlnp 'sport = :%u'", ip,
			port->port, port->port);
	asking->finding->manual = mg_arena_text(&asking->finding->arena, mg_str_z(text), sizeof text);
}

static void conclude(struct asking *asking)
{
	char time[32];

	if (asking->slowest_at == NULL)
		return;
	mg_finding_value(asking->finding, asking->slowest_s, "s");
	snprintf(time, sizeof time, "%.0f ms", asking->slowest_s * 1000);
	mg_finding_is(asking->finding, MG_STATE_OK, N_("%1 greets clients in time (%2)"), mg_buf_z(&asking->names),
		time, NULL);
}

static void no_listener(struct asking *asking, const struct mg_mail_ports *ports)
{
	if (is_smtp(asking)) {
		mg_finding_not_applicable(asking->finding, N_("not applicable: Postfix has no such listener"));
	} else if (ports->dovecot_trouble[0] != '\0') {
		mg_finding_is(asking->finding, MG_STATE_UNKNOWN, N_("Dovecot's configuration can't be read"), NULL);
		mg_finding_cause(asking->finding, "%1", ports->dovecot_trouble, NULL);
		mg_finding_fix(asking->finding, N_("see what it complains of: doveconf -n"), NULL);
	} else {
		mg_finding_not_applicable(
			asking->finding, N_("not applicable: Dovecot is not used here, or has no such listener"));
	}
}

static void check_role(
	const struct mg_check_env *env, struct mg_finding *finding, const char *id, enum mg_mail_role role)
{
	struct mg_mail_ports *ports = calloc(1, sizeof *ports);
	struct asking asking = { .env = env, .finding = finding, .id = id, .role = role, .patience_s = CRIT_S };
	double warn = WARN_S;
	size_t tried = 0;

	mg_buf_init(&asking.names, 600);
	finding->manual = is_smtp(&asking) ? "ss -tlnp; postconf -M" : "ss -tlnp; doveconf -n";
	mg_check_threshold(env->conf, id, &warn, &asking.patience_s);
	if (ports != NULL && (!is_smtp(&asking) || mg_check_has_postfix(env, finding))) {
		mg_mail_ports_look(env, ports);
		for (size_t i = 0; i < ports->count; i++) {
			if (ports->port[i].role != role)
				continue;
			if (tried++ == 0)
				show_manual(&asking, &ports->port[i]);
			if (!try_port(&asking, &ports->port[i]))
				break;
		}
		if (tried == 0)
			no_listener(&asking, ports);
		conclude(&asking);
	}
	mg_buf_fini(&asking.names);
	free(ports);
}

#define ROLE(name, id, role)                                                                                           \
	static void check_##name(const struct mg_check_env *env, struct mg_finding *finding)                           \
	{                                                                                                              \
		check_role(env, finding, id, role);                                                                    \
	}
ROLE(smtp_25, "service.smtp.25", MG_ROLE_SMTP_25)
ROLE(smtp_587, "service.smtp.587", MG_ROLE_SMTP_587)
ROLE(smtp_465, "service.smtp.465", MG_ROLE_SMTP_465)
ROLE(imap_143, "service.imap.143", MG_ROLE_IMAP_143)
ROLE(imap_993, "service.imap.993", MG_ROLE_IMAP_993)
ROLE(pop_110, "service.pop.110", MG_ROLE_POP_110)
ROLE(pop_995, "service.pop.995", MG_ROLE_POP_995)

#define OF_POSTFIX .follows = { "service.postfix", "config.smtpd.dead" }, .needs = "service.postfix"
#define OF_DOVECOT .follows = { "service.dovecot" }, .needs = "service.dovecot"

const struct mg_check mg_checks_service[] = {
	{ "service.smtp.25", N_("mail from other servers is answered (25)"), 0, DEADLINE_MS, .run = check_smtp_25,
		.steady = 2, OF_POSTFIX },
	{ "service.smtp.587", N_("people's mail is answered (587)"), 0, DEADLINE_MS, .run = check_smtp_587, .steady = 2,
		OF_POSTFIX },
	{ "service.smtp.465", N_("people's mail in TLS is answered (465)"), 0, DEADLINE_MS, .run = check_smtp_465,
		.steady = 2, OF_POSTFIX },
	{ "service.imap.143", N_("IMAP is answered (143)"), 0, DEADLINE_MS, .run = check_imap_143, .steady = 2,
		OF_DOVECOT },
	{ "service.imap.993", N_("IMAP in TLS is answered (993)"), 0, DEADLINE_MS, .run = check_imap_993, .steady = 2,
		OF_DOVECOT },
	{ "service.pop.110", N_("POP3 is answered (110)"), 0, DEADLINE_MS, .run = check_pop_110, .steady = 2,
		OF_DOVECOT },
	{ "service.pop.995", N_("POP3 in TLS is answered (995)"), 0, DEADLINE_MS, .run = check_pop_995, .steady = 2,
		OF_DOVECOT },
};
const size_t mg_checks_service_count = sizeof mg_checks_service / sizeof mg_checks_service[0];
