/* firewall.outbound25 - can this machine reach port 25 of others? Tried at the hosts of health.outbound25, else told by the log. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/i18n.h"
#include "health/check.h"

enum { TARGETS_MAX = 8, CONNECT_MS = 5000, LEAST_TIMED_OUT = 3, HOUR_S = 3600, SMTP = 25 };

static const double SHARE = 0.2; /* of attempts that time out: beyond it, more than a dead host now and then */

struct target {
	const char *host;
	struct mg_ip ip;
	int fd, errnum;
	bool is_known, is_reached;
};

/* ---- the hosts ---- */

static bool take_address(const struct mg_check_env *env, struct target *target, enum mg_dns_type type)
{
	const struct mg_dns_answer *answer = mg_check_ask(env, mg_str_z(target->host), type);

	if (answer->status != MG_DNS_FOUND || answer->count == 0)
		return false;
	target->ip = answer->records[0].ip;
	return true;
}

static void begin(struct target *target)
{
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(SMTP) };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(SMTP) };
	bool is_six = target->ip.family == MG_IP_V6;
	const struct sockaddr *address = is_six ? (const struct sockaddr *)&six : (const struct sockaddr *)&four;

	memcpy(&four.sin_addr, target->ip.bytes, sizeof four.sin_addr);
	memcpy(&six.sin6_addr, target->ip.bytes, sizeof six.sin6_addr);
	target->fd = socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (target->fd < 0) {
		target->errnum = errno;
		return;
	}
	if (connect(target->fd, address, is_six ? sizeof six : sizeof four) == 0)
		target->is_reached = true;
	else if (errno != EINPROGRESS)
		target->errnum = errno;
	if (target->errnum != 0)
		mg_fd_close(&target->fd);
}

static void finish(struct target *target)
{
	socklen_t size = sizeof target->errnum;

	if (getsockopt(target->fd, SOL_SOCKET, SO_ERROR, &target->errnum, &size) != 0)
		target->errnum = errno;
	target->is_reached = target->errnum == 0;
	mg_fd_close(&target->fd);
}

/* All at once; who is not there by the deadline has timed out. */
static void wait_for(struct target *targets, size_t count, int64_t deadline_us)
{
	for (;;) {
		struct pollfd waiting[TARGETS_MAX];
		int64_t left_us = deadline_us - mg_mono_us();
		size_t open = 0;

		for (size_t i = 0; i < count; i++) {
			waiting[i] = (struct pollfd){ .fd = targets[i].fd, .events = POLLOUT };
			open += targets[i].fd >= 0;
		}
		if (open == 0 || left_us <= 0)
			break;
		if (poll(waiting, count, (int)(left_us / MG_MS_US) + 1) < 0 && errno != EINTR)
			break;
		for (size_t i = 0; i < count; i++)
			if (targets[i].fd >= 0 && waiting[i].revents != 0)
				finish(&targets[i]);
	}
	for (size_t i = 0; i < count; i++)
		if (targets[i].fd >= 0) {
			targets[i].errnum = ETIMEDOUT;
			mg_fd_close(&targets[i].fd);
		}
}

static void say_blocked(const struct mg_check_env *env, struct mg_finding *finding)
{
	mg_finding_cause(finding,
		N_("the provider, or a firewall on the way, blocks connections to port 25, as many do with new servers"),
		NULL);
	mg_finding_fix(finding,
		N_("ask the provider to open outgoing port 25; or send through a relay: %1 -e 'relayhost=[RELAY.EXAMPLE]:587' && %2 reload"),
		mg_check_program(env, finding, "postconf"), mg_check_program(env, finding, "postfix"), NULL);
}

static void judge_targets(
	const struct mg_check_env *env, struct mg_finding *finding, const struct target *targets, size_t count)
{
	size_t known = 0, failed = 0;
	enum mg_check_state state;

	for (size_t i = 0; i < count; i++) {
		char ip[MG_IP_TEXT];

		mg_finding_evidence(finding, "%s [%s]:25: %s", targets[i].host,
			mg_ip_text(&targets[i].ip, ip, sizeof ip),
			!targets[i].is_known    ? "no address in DNS"
			: targets[i].is_reached ? "reached"
						: strerrordesc_np(targets[i].errnum));
		known += targets[i].is_known;
		failed += targets[i].is_known && !targets[i].is_reached;
	}
	if (known == 0) {
		mg_finding_is(
			finding, MG_STATE_UNKNOWN, N_("whether port 25 of others can be reached can't be told"), NULL);
		mg_finding_cause(finding, N_("none of the hosts of health.outbound25 has an address in DNS"), NULL);
		mg_finding_fix(finding, "dig %1", targets[0].host, NULL);
		return;
	}
	mg_finding_value(finding, (double)failed, "targets");
	state = mg_check_grade(env, "firewall.outbound25", (double)failed, 1, 3);
	if (state == MG_STATE_CRIT && failed < known)
		state = MG_STATE_WARN; /* the port as such is open */
	if (failed > 0 && state != MG_STATE_OK) {
		mg_finding_is(finding, state, N_("port 25 of %1 of %2 mail servers can't be reached from here"),
			mg_finding_number(finding, (double)failed, ""), mg_finding_number(finding, (double)known, ""),
			NULL);
		say_blocked(env, finding);
	}
	mg_finding_is(finding, MG_STATE_OK, N_("port 25 of other mail servers can be reached"), NULL);
}

static void try_targets(const struct mg_check_env *env, struct mg_finding *finding)
{
	const struct mg_strings *hosts = &env->conf->health.outbound25;
	struct target targets[TARGETS_MAX];
	size_t count = 0;
	int64_t deadline_us;

	for (; count < hosts->count && count < TARGETS_MAX; count++) {
		struct target *target = &targets[count];

		*target = (struct target){ .host = hosts->item[count], .fd = -1 };
		target->is_known = mg_ip_parse(mg_str_z(target->host), &target->ip) ||
				   take_address(env, target, MG_DNS_A) || take_address(env, target, MG_DNS_AAAA);
	}
	for (size_t i = 0; i < count; i++)
		if (targets[i].is_known)
			begin(&targets[i]);
	deadline_us = mg_mono_us() + CONNECT_MS * MG_MS_US;
	wait_for(targets, count, deadline_us < env->deadline_us ? deadline_us : env->deadline_us);
	judge_targets(env, finding, targets, count);
}

/* ---- the log ---- */

static void judge_log(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct mg_log_tally *tally = mg_check_tally(env, finding);
	unsigned timed_out, reached;
	char line[MG_TALLY_LINE];

	if (tally == NULL)
		return;
	timed_out = mg_log_tally_count(tally, MG_TALLY_TIMED_OUT, mg_wall_us(), HOUR_S);
	reached = mg_log_tally_count(tally, MG_TALLY_REACHED, mg_wall_us(), HOUR_S);
	if (timed_out + reached == 0) {
		mg_finding_not_applicable(finding,
			N_("not applicable: health.outbound25 names no hosts, and no mail went to other servers in the last hour"));
		return;
	}
	mg_log_tally_last(tally, MG_TALLY_TIMED_OUT, line);
	mg_finding_evidence(finding,
		"in the last hour: %u connections to port 25 timed out, %u messages were handed over", timed_out,
		reached);
	mg_finding_value(finding, timed_out, "timeouts");
	if (timed_out > 0) {
		mg_finding_evidence(finding, "%s", line);
		if (reached == 0 && timed_out >= LEAST_TIMED_OUT)
			mg_finding_is(finding, MG_STATE_CRIT,
				N_("no other mail server was reached in the last hour: all %1 connections to port 25 timed out"),
				mg_finding_number(finding, timed_out, ""), NULL);
		else if (timed_out >= SHARE * (timed_out + reached))
			mg_finding_is(finding, MG_STATE_WARN,
				N_("%1 connections to port 25 of other servers timed out in the last hour, %2 messages went out"),
				mg_finding_number(finding, timed_out, ""), mg_finding_number(finding, reached, ""),
				NULL);
		if (finding->summary.template != NULL)
			say_blocked(env, finding);
	}
	mg_finding_is(finding, MG_STATE_OK, N_("port 25 of other mail servers can be reached"), NULL);
}

static void check_outbound(const struct mg_check_env *env, struct mg_finding *finding)
{
	finding->manual =
		"nc -vz -w 5 gmail-smtp-in.l.google.com 25; grep 'Connection timed out' /var/log/mail.log | tail";
	if (env->conf->health.outbound25.count > 0)
		try_targets(env, finding);
	else
		judge_log(env, finding);
}

const struct mg_check mg_checks_outbound25[] = {
	{ "firewall.outbound25", N_("the way to port 25 of others"), 300, 20000, .run = check_outbound,
		.follows = { "net.reach" } },
};
const size_t mg_checks_outbound25_count = sizeof mg_checks_outbound25 / sizeof mg_checks_outbound25[0];
