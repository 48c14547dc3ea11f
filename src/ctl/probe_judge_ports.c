/* service.*, relay.probe - does each port answer as a mail server, and would it relay for a stranger? */
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "ctl/probe.h"

static const double WARN_S = 2, CRIT_S = 10;

/* ---- service.* ---- */

struct service {
	const struct mg_probe_door *door;
	size_t answering, closed, unseen;
	double slowest_s;
};

static bool is_needed(const struct mg_probe_door *door)
{
	return door == &mg_probe_doors[0];
}

/* Ports that people may do without: shut is no fault. */
static void shut(const struct mg_probe_seen *seen, struct service *service)
{
	struct mg_finding *finding = seen->finding;
	char number[16];

	service->closed++;
	if (!is_needed(service->door))
		return;
	snprintf(number, sizeof number, "%u", seen->port->number);
	if (seen->port->served.state == MG_DIALOGUE_REFUSED) {
		mg_finding_is(finding, MG_STATE_CRIT, N_("nobody takes mail at %1: the connection is refused"),
			seen->where, NULL);
		mg_finding_cause(finding,
			N_("the server does not run, listens on other addresses alone, or a firewall turns connections away"),
			NULL);
		mg_finding_fix(finding, N_("on that server: ss -tlnp 'sport = :%1'; systemctl status postfix exim4"),
			number, NULL);
		return;
	}
	mg_finding_is(
		finding, MG_STATE_CRIT, N_("%1 does not answer: %2"), seen->where, seen->port->served.trouble, NULL);
	mg_finding_cause(finding,
		N_("a firewall there swallows connections or the machine is down; or the network here lets nothing out to port %1, as many providers do"),
		number, NULL);
	mg_finding_fix(finding,
		N_("try it from another network: nc -vz %1 %2; on that server: ss -tlnp 'sport = :%2'; ufw allow %2/tcp"),
		seen->address->text, number, NULL);
}

static void broken(const struct mg_probe_seen *seen)
{
	const struct mg_served *served = &seen->port->served;
	struct mg_finding *finding = seen->finding;
	char number[16];

	snprintf(number, sizeof number, "%u", seen->port->number);
	if (served->state == MG_DIALOGUE_SILENT)
		mg_finding_is(finding, MG_STATE_CRIT, N_("%1 takes connections and does not speak: %2"), seen->where,
			served->trouble, NULL);
	else
		mg_finding_is(finding, MG_STATE_CRIT, N_("%1 does not speak as a mail server: %2"), seen->where,
			served->trouble[0] != '\0' ? served->trouble : served->greeting_text, NULL);
	mg_finding_cause(finding,
		N_("the program behind the port hangs, dies at its start, or is another one; or something in between answers for it"),
		NULL);
	mg_finding_fix(finding,
		N_("on that server: ss -tlnp 'sport = :%1'; journalctl -u postfix -u exim4 -u dovecot -n 50"), number,
		NULL);
}

static void turned_away(const struct mg_probe_seen *seen, const char *said)
{
	mg_finding_is(seen->finding, MG_STATE_CRIT, N_("%1 turns us away: %2"), seen->where, said, NULL);
	mg_finding_cause(seen->finding,
		N_("an error in its configuration if everybody is told so; else it refuses the address from which this was asked"),
		NULL);
	mg_finding_fix(seen->finding,
		N_("look the answer up: mailguardctl explain '%1'; try it from another network; on that server, look at the mail log"),
		said, NULL);
}

static void answered(const struct mg_probe_seen *seen, struct service *service)
{
	double took_s = (double)seen->port->served.greet_us / (double)MG_S_US;
	enum mg_check_state state = mg_check_grade(&seen->probe->env, service->door->id, took_s, WARN_S, CRIT_S);
	char time[32];

	service->answering++;
	if (took_s > service->slowest_s)
		service->slowest_s = took_s;
	if (state == MG_STATE_OK)
		return;
	snprintf(time, sizeof time, "%.1f s", took_s);
	mg_finding_is(seen->finding, MG_STATE_WARN, N_("%1 greets only after %2"), seen->where, time, NULL);
	mg_finding_cause(seen->finding,
		N_("it waits on purpose to try out spammers, or for DNS, a filter, or processes that are all taken; impatient senders give up"),
		NULL);
	mg_finding_fix(seen->finding,
		N_("on that server: uptime; see whether DNS answers and how many connections are open: ss -tn"), NULL);
}

static void show(const struct mg_probe_seen *seen)
{
	const struct mg_probe_port *port = seen->port;

	if (!port->is_looked)
		mg_finding_evidence(seen->finding, "%s: not looked at, no time was left", seen->where);
	else
		mg_finding_evidence(seen->finding, "%s: %s: %s", seen->where, mg_probe_port_state(port),
			port->served.is_greeted ? port->served.greeting_text : port->served.trouble);
}

static bool is_refusal(enum mg_reply_state state)
{
	return state == MG_REPLY_LATER || state == MG_REPLY_BAD;
}

static void judge_service(const struct mg_probe_seen *seen, void *context)
{
	struct service *service = context;
	const struct mg_served *served = &seen->port->served;
	struct mg_str state = mg_str_z(mg_probe_port_state(seen->port));

	if (seen->port->door != service->door)
		return;
	show(seen);
	if (mg_str_eq(state, MG_STR("skipped")) || mg_str_eq(state, MG_STR("unreachable")))
		service->unseen++;
	else if (mg_str_eq(state, MG_STR("closed")) || mg_str_eq(state, MG_STR("filtered")))
		shut(seen, service);
	else if (is_refusal(served->greeting))
		turned_away(seen, served->greeting_text);
	else if (is_refusal(served->hello))
		turned_away(seen, served->hello_text);
	else if (!served->is_greeted || served->greeting == MG_REPLY_NONSENSE || served->hello == MG_REPLY_NONSENSE ||
		 served->state == MG_DIALOGUE_FLOOD || served->hello == MG_REPLY_MORE)
		broken(seen);
	else
		answered(seen, service);
}

static void say_unseen(struct mg_probe *probe, struct mg_finding *finding, size_t unseen)
{
	if (probe->host_count == 0) {
		mg_finding_not_applicable(finding, N_("not looked at: there is no server to look at"));
	} else if (unseen == 0) {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("not looked at: no address is known"), NULL);
		mg_finding_cause(finding, N_("DNS gave no address of the server"), NULL);
		mg_finding_fix(finding, "dig %1 MX; dig %1 A", probe->target, NULL);
	} else {
		mg_finding_is(finding, MG_STATE_UNKNOWN,
			N_("it could not be looked at: there is no way to it from here"), NULL);
		mg_finding_cause(finding, N_("this machine has no route to the address, or no time was left"), NULL);
		mg_finding_fix(finding, "ip route; ip -6 route", NULL);
	}
}

static void check_service(struct mg_probe *probe, struct mg_finding *finding, const struct mg_probe_door *door)
{
	struct service service = { .door = door };
	char text[200], time[32];

	snprintf(text, sizeof text, "nc -v %.120s %u",
		probe->host_count > 0 && probe->host[0].address_count > 0 ? probe->host[0].address[0].text
									  : probe->target,
		probe->only_port != 0 ? probe->only_port : door->port);
	finding->manual = mg_arena_text(&finding->arena, mg_str_z(text), sizeof text);
	if (probe->only_port != 0 && !is_needed(door))
		return;
	mg_probe_each_port(probe, finding, judge_service, &service);
	if (service.answering == 0 && service.closed == 0 && finding->summary.template == NULL) {
		if (is_needed(door))
			say_unseen(probe, finding, service.unseen);
		return;
	}
	if (service.answering == 0 && finding->summary.template == NULL) {
		mg_finding_not_applicable(finding, N_("not offered: the port is shut"));
		return;
	}
	if (service.answering > 0)
		mg_finding_value(finding, service.slowest_s, "s");
	snprintf(time, sizeof time, "%.0f ms", service.slowest_s * 1000);
	mg_finding_is(finding, MG_STATE_OK, N_("it answers, after at most %1"), time, NULL);
}

#define SERVICE(name, at)                                                                                              \
	static void check_##name(struct mg_probe *probe, struct mg_finding *finding)                                   \
	{                                                                                                              \
		check_service(probe, finding, &mg_probe_doors[at]);                                                    \
	}
SERVICE(smtp_25, 0)
SERVICE(smtp_465, 1)
SERVICE(smtp_587, 2)
SERVICE(imap_143, 3)
SERVICE(imap_993, 4)
SERVICE(pop_110, 5)
SERVICE(pop_995, 6)

/* ---- relay.probe ---- */

static void close_it(const struct mg_probe_seen *seen)
{
	static const char *const fixes[] = {
		[MG_SOFTWARE_OTHER] = N_(
			"in that server's configuration: allow relaying only after a login and from its own addresses"),
		[MG_SOFTWARE_POSTFIX] = N_(
			"on that server: mailguardctl relay-check; most often: postconf -e 'mynetworks = 127.0.0.0/8 [::1]/128' 'smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination' && postfix reload"),
		[MG_SOFTWARE_EXIM] = N_(
			"on that server: dc_relay_nets='' in /etc/exim4/update-exim4.conf.conf (or hostlist relay_from_hosts = 127.0.0.1 : ::1), then: update-exim4.conf && systemctl restart exim4"),
		[MG_SOFTWARE_EXCHANGE] = N_(
			"on that server: Get-ReceiveConnector | Remove-ADPermission -User 'NT AUTHORITY\\ANONYMOUS LOGON' -ExtendedRights Ms-Exch-SMTP-Accept-Any-Recipient"),
		[MG_SOFTWARE_SENDMAIL] = N_(
			"on that server: take FEATURE(promiscuous_relay) and wide RELAY lines of /etc/mail/access out, then: make -C /etc/mail && systemctl restart sendmail"),
		[MG_SOFTWARE_DOVECOT] = N_(
			"in that server's configuration: allow relaying only after a login and from its own addresses"),
	};

	mg_finding_fix(seen->finding, fixes[seen->port->software.kind], NULL);
}

struct relaying {
	size_t asked, refused;
};

/* Where people hand in their mail, whoever has not logged in is refused for whatever reason, and rightly. */
static enum mg_relaying meaning_of(const struct mg_probe_seen *seen)
{
	enum mg_relaying relaying = seen->port->relaying;
	bool is_refusal = relaying == MG_RELAYING_NOT_US || relaying == MG_RELAYING_NOT_THERE;

	return is_refusal && !is_needed(seen->port->door) ? MG_RELAYING_REFUSED : relaying;
}

static void judge_relaying(const struct mg_probe_seen *seen, void *context)
{
	static const char *const froms[] = { "<>", "<>", "its own postmaster" };
	struct relaying *relaying = context;
	const struct mg_served *served = &seen->port->served;
	struct mg_finding *finding = seen->finding;
	const char *said = served->tried[seen->port->telling].text;

	for (size_t i = 0; i < served->tried_count; i++)
		if (served->tried[i].text[0] != '\0')
			mg_finding_evidence(finding, "%s: MAIL FROM %s, RCPT TO a stranger: %s", seen->where, froms[i],
				served->tried[i].text);
	switch (meaning_of(seen)) {
	case MG_RELAYING_UNASKED:
		return;
	case MG_RELAYING_ACCEPTED:
		mg_finding_is(finding, MG_STATE_CRIT, N_("%1 may be an open relay: it took a stranger's recipient: %2"),
			seen->where, said, NULL);
		mg_finding_cause(finding,
			N_("it accepted RCPT for a domain that is not its own, from an address that is not its own, without a login (some servers refuse only later); spammers will find it"),
			NULL);
		close_it(seen);
		break;
	case MG_RELAYING_REFUSED:
		relaying->refused++;
		break;
	case MG_RELAYING_LATER:
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("whether %1 relays can't be told: it put us off: %2"),
			seen->where, said, NULL);
		mg_finding_cause(finding, N_("greylisting, or a look-up that failed there"), NULL);
		mg_finding_fix(
			finding, N_("ask again in ten minutes: mailguardctl probe %1"), seen->probe->target, NULL);
		break;
	case MG_RELAYING_NOT_US:
		mg_finding_is(finding, MG_STATE_UNKNOWN,
			N_("whether %1 relays can't be told: it refuses this machine: %2"), seen->where, said, NULL);
		mg_finding_cause(finding, N_("it takes nothing from the address from which this was asked"), NULL);
		mg_finding_fix(finding, N_("ask from a machine with a static address and a PTR record"), NULL);
		break;
	case MG_RELAYING_NOT_THERE:
		mg_finding_is(finding, MG_STATE_UNKNOWN,
			N_("whether %1 relays can't be told: it refuses the sender or the recipient's domain: %2"),
			seen->where, said, NULL);
		mg_finding_cause(finding, N_("it looks addresses up before it decides about relaying"), NULL);
		mg_finding_fix(finding, N_("ask on that server; for Postfix: mailguardctl relay-check"), NULL);
		break;
	}
	relaying->asked++;
}

static void check_relaying(struct mg_probe *probe, struct mg_finding *finding)
{
	struct relaying relaying = { 0 };

	finding->manual =
		"nc SERVER 25, then by hand: EHLO x; MAIL FROM:<>; RCPT TO:<relay-test@mailguard-probe.invalid>; QUIT";
	if (probe->has_no_relay_test) {
		mg_finding_not_applicable(finding, N_("not looked at: --no-relay-test was given"));
		return;
	}
	mg_probe_each_port(probe, finding, judge_relaying, &relaying);
	if (probe->host_count == 0)
		mg_finding_not_applicable(finding, N_("not looked at: there is no server to look at"));
	else if (relaying.asked == 0) {
		mg_finding_is(
			finding, MG_STATE_UNKNOWN, N_("whether it relays for strangers could not be asked"), NULL);
		mg_finding_cause(finding, N_("no SMTP port let it come to that question"), NULL);
		mg_finding_fix(finding, N_("mend what is wrong with the ports first, then: mailguardctl probe %1"),
			probe->target, NULL);
	} else
		mg_finding_is(finding, MG_STATE_OK, N_("it refuses to relay for strangers"), NULL);
}

const struct mg_probe_check mg_probe_checks_ports[] = {
	{ "service.smtp.25", N_("mail from other servers is answered (25)"), check_smtp_25 },
	{ "service.smtp.587", N_("people's mail is answered (587)"), check_smtp_587 },
	{ "service.smtp.465", N_("people's mail in TLS is answered (465)"), check_smtp_465 },
	{ "service.imap.143", N_("IMAP is answered (143)"), check_imap_143 },
	{ "service.imap.993", N_("IMAP in TLS is answered (993)"), check_imap_993 },
	{ "service.pop.110", N_("POP3 is answered (110)"), check_pop_110 },
	{ "service.pop.995", N_("POP3 in TLS is answered (995)"), check_pop_995 },
	{ "relay.probe", N_("it does not relay for strangers"), check_relaying },
	{ NULL, NULL, NULL },
};
