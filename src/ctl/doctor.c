/* mailguardctl doctor: the way a postmaster looks for a fault, step by step, to one cause and one remedy. */
#include <stdio.h>

#include "base/i18n.h"
#include "ctl/doctor_message.h"

/* In this order: each step takes the one before for granted. */
static const struct mg_walk_step services = { "services", N_("Do the services run and answer?"),
	{ "service.", "self.milter", "self.policy" } };
static const struct mg_walk_step reach = { "reach", N_("Can others find and reach this server?"),
	{ "dns.resolver", "dns.mx", "dns.a", "dns.aaaa", "port.listen", "firewall.inbound", "net.reach" } };
static const struct mg_walk_step configuration = { "configuration",
	N_("Can Postfix and Dovecot work with their configuration?"),
	{ "config.", "dovecot.", "sasl.config", "wiring." } };
static const struct mg_walk_step machine = { "machine", N_("Has the machine room, memory and the right time?"),
	{ "disk.", "system.", "journal.", "mailbox.quota", "state.", "self." } };
static const struct mg_walk_step complaints = { "complaints", N_("Does the log complain?"), { "log.", "limit.smtpd" } };
static const struct mg_walk_step queue = { "queue", N_("Does mail leave the queue?"),
	{ "queue.", "delivery.", "limit.provider", "firewall.outbound25" } };
static const struct mg_walk_step trust = { "trust", N_("Will others take our mail?"),
	{ "dnsbl.", "dns.", "account.", "host.", "sasl.", "bulk.", "tls." } };
static const struct mg_walk_step safety = { "safety", N_("Is the server safe?"), { "relay.", "fail2ban.", "backup." } };

/* "Receives but can't send": first the way of its users in, then its own way out. */
static const struct mg_walk_step logins = { "logins", N_("Can users hand in mail?"),
	{ "service.smtp.587", "service.smtp.465", "tls.starttls", "tls.cert.name", "tls.cert.expiry", "sasl.",
		"config.submission", "dovecot.sockets" } };
static const struct mg_walk_step way_out = { "way out", N_("Is there a way out to other servers?"),
	{ "net.reach", "dns.resolver", "firewall.outbound25", "disk.queue" } };
static const struct mg_walk_step excess = { "excess", N_("Does an account or a program send too much?"),
	{ "account.", "host.sendmail", "limit.provider" } };
static const struct mg_walk_step reputation = { "reputation", N_("Do others trust what this server sends?"),
	{ "dnsbl.self", "dns.ptr", "dns.ptr.match", "dns.spf", "dns.dkim", "dns.dmarc", "bulk.sender" } };

static const struct mg_walk_step *const general[] = { &services, &reach, &configuration, &machine, &complaints, &queue,
	&trust, &safety, NULL };
static const struct mg_walk_step *const sending[] = { &services, &logins, &way_out, &excess, &reputation, &queue,
	NULL };

static int take_all(struct mg_walk *walk, const struct mg_walk_step *const *steps)
{
	int status = MG_EXIT_GO_ON;

	for (; status == MG_EXIT_GO_ON && *steps != NULL; steps++)
		status = mg_walk_take(walk, *steps);
	return status == MG_EXIT_CRIT ? MG_EXIT_GO_ON : status;
}

/* Why a message is not there at all: the ways in, the first that is shut is the answer. */
static int look_for_way_in(struct mg_walk *walk, const char *what)
{
	static const struct mg_walk_step *const ways[] = { &reach, &configuration, NULL };
	int status = take_all(walk, ways);

	if (status == MG_EXIT_GO_ON && walk->finding == NULL)
		mg_walk_tell(walk, "elsewhere", N_("Where else can it be?"), "warn",
			&MG_SAY(N_("nothing keeps mail from reaching this server, and %1 has not reached it"), what),
			&MG_SAY(N_("the sender's server has not sent it, or sent it elsewhere; only its log can tell")),
			&MG_SAY(N_(
				"ask the sender for the line of its log or the bounce, and let it be explained: mailguardctl explain TEXT")));
	return status;
}

static int follow_message(struct mg_walk *walk, const char *what)
{
	static const struct mg_walk_step postfix = { "services", N_("Does Postfix run?"), { "service.postfix" } };
	bool is_found = false;
	int status = mg_walk_take(walk, &postfix);

	if (status == MG_EXIT_GO_ON)
		status = mg_doctor_message(walk, what, &is_found);
	if (status == MG_EXIT_GO_ON && !is_found)
		status = look_for_way_in(walk, what);
	if (status == MG_EXIT_GO_ON && is_found && walk->finding != NULL)
		status = mg_doctor_look_closer(walk);
	return status == MG_EXIT_CRIT ? MG_EXIT_GO_ON : status;
}

int mg_ctl_doctor(struct mg_ctl *ctl, int argc, char **argv)
{
	const char *message = NULL;
	bool is_sending = false;
	const struct mg_ctl_option options[] = { { "message", &message, NULL }, { "sending", NULL, &is_sending },
		{ NULL, NULL, NULL } };
	int status = mg_ctl_options(ctl, argc, argv, options);
	struct mg_walk walk;

	if (status != MG_EXIT_GO_ON)
		return status;
	if (optind != argc || (message != NULL && is_sending))
		return mg_ctl_fail(MG_EXIT_USAGE,
			_("usage: mailguardctl doctor [--sending | --message QUEUEID|MESSAGE-ID|ADDRESS]"));
	mg_walk_init(&walk, ctl);
	status = message != NULL ? follow_message(&walk, message) : take_all(&walk, is_sending ? sending : general);
	if (status == MG_EXIT_GO_ON)
		status = mg_walk_end(&walk);
	mg_walk_fini(&walk);
	return status;
}
