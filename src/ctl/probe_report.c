/* A probe for people: what was seen of each server, then what is thought of it, then what could not be looked at. */
#include <stdio.h>
#include <time.h>

#include "base/i18n.h"
#include "ctl/findings.h"
#include "ctl/probe.h"

enum { INDENT = 17, LINE = 700, PORT_COLUMNS = 6, STATE_COLUMNS = 11 };

static const struct {
	const char *state, *word; /* N_() */
	enum mg_ink ink;
} words[] = {
	{ "open", N_("open"), MG_INK_GOOD },
	{ "closed", N_("closed"), MG_INK_FAINT },
	{ "filtered", N_("no answer"), MG_INK_FAINT },
	{ "unreachable", N_("no way"), MG_INK_FAINT },
	{ "silent", N_("silent"), MG_INK_BAD },
	{ "broken", N_("broken"), MG_INK_BAD },
	{ "skipped", N_("no time"), MG_INK_WARN },
};

static void print_line(const struct mg_ctl *ctl, const char *line)
{
	if (line[0] != '\0')
		mg_ctl_paragraph(ctl, INDENT, "", line);
}

static void print_software(const struct mg_ctl *ctl, const struct mg_probe_port *port)
{
	char line[LINE];

	if (port->software.sign == MG_SOFTWARE_NO_SIGN)
		return;
	snprintf(line, sizeof line,
		port->software.sign == MG_SOFTWARE_GREETING ? _("%s, as it says")
							    : _("perhaps %s, from the way it speaks"),
		port->software.name);
	print_line(ctl, line);
}

static void print_tls(const struct mg_ctl *ctl, const struct mg_probe_host *host, const struct mg_probe_port *port)
{
	const struct mg_served *served = &port->served;
	const struct mg_cert_facts *facts;
	char line[LINE], until[32] = "", why[128];
	struct tm parts;
	time_t end;

	if (!served->is_secured) {
		if (served->hello == MG_REPLY_GOOD && !port->door->is_implicit)
			print_line(ctl, (served->before.has & MG_SERVED_STARTTLS) == 0 ? _("no STARTTLS")
										       : _("STARTTLS fails"));
		return;
	}
	snprintf(line, sizeof line, "%s %s", served->version, served->cipher);
	print_line(ctl, line);
	if (served->chain == NULL)
		return;
	facts = mg_chain_at(served->chain, 0);
	end = (time_t)facts->not_after_s;
	if (gmtime_r(&end, &parts) != NULL)
		(void)strftime(until, sizeof until, "%Y-%m-%d", &parts);
	snprintf(line, sizeof line, _("certificate of %s, until %s; %s; %s"),
		facts->names[0] != '\0' ? facts->names : facts->subject, until,
		mg_chain_covers(served->chain, host->name) ? _("covers the name") : _("does not cover the name"),
		mg_chain_trust(served->chain, why, sizeof why) == MG_CHAIN_TRUSTED ? _("trusted") : why);
	print_line(ctl, line);
}

static void print_relay(const struct mg_ctl *ctl, const struct mg_probe_port *port)
{
	char line[LINE];

	if (port->relaying == MG_RELAYING_UNASKED)
		return;
	snprintf(line, sizeof line, _("a stranger's mail for strangers: %s"), port->served.tried[port->telling].text);
	print_line(ctl, line);
}

static void print_port(const struct mg_ctl *ctl, const struct mg_probe_host *host, const struct mg_probe_port *port)
{
	const char *state = mg_probe_port_state(port);
	char number[16];

	snprintf(number, sizeof number, "  %u", port->number);
	mg_ctl_print(ctl, MG_INK_STRONG, PORT_COLUMNS, number);
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (mg_str_eq(mg_str_z(words[i].state), mg_str_z(state)))
			mg_ctl_print(ctl, words[i].ink, STATE_COLUMNS, _(words[i].word));
	mg_ctl_print(ctl, MG_INK_PLAIN, 0, port->served.is_greeted ? port->served.greeting_text : port->served.trouble);
	putchar('\n');
	if (!port->served.is_greeted)
		return;
	print_software(ctl, port);
	print_tls(ctl, host, port);
	print_relay(ctl, port);
}

static void print_address(
	const struct mg_ctl *ctl, const struct mg_probe_host *host, const struct mg_probe_address *address)
{
	char line[LINE];

	snprintf(line, sizeof line,
		address->ptr[0] == '\0' ? _("%s, without a name of its own in DNS")
		: address->is_confirmed ? _("%s is %s")
					: _("%s says it is %s, which does not lead back"),
		address->text, address->ptr);
	mg_ctl_print(ctl, MG_INK_PLAIN, 0, line);
	putchar('\n');
	for (size_t i = 0; i < address->port_count; i++)
		print_port(ctl, host, &address->port[i]);
}

static void print_left_out(const struct mg_ctl *ctl, const char *template, size_t count)
{
	char line[LINE];

	if (count == 0)
		return;
	snprintf(line, sizeof line, template, count);
	mg_ctl_print(ctl, MG_INK_WARN, 0, line);
	putchar('\n');
}

static void print_host(const struct mg_ctl *ctl, const struct mg_probe *probe, const struct mg_probe_host *host)
{
	char line[LINE];

	if (host->name[0] != '\0') {
		if (probe->has_mx)
			snprintf(line, sizeof line, "%s  MX %u", host->name, host->preference);
		else
			snprintf(line, sizeof line, "%s", host->name);
		mg_ctl_print(ctl, MG_INK_STRONG, 0, line);
		putchar('\n');
	}
	if (host->address_count == 0) {
		mg_ctl_print(ctl, MG_INK_BAD, 0, _("no address is known"));
		putchar('\n');
	}
	for (size_t i = 0; i < host->address_count; i++)
		print_address(ctl, host, &host->address[i]);
	print_left_out(ctl, _("addresses not looked at, because there are too many: %zu"), host->addresses_left_out);
	putchar('\n');
}

static void print_skipped(const struct mg_ctl *ctl, const json_t *skipped)
{
	size_t i;
	json_t *one;

	if (json_array_size(skipped) == 0)
		return;
	putchar('\n');
	json_array_foreach((json_t *)skipped, i, one)
	{
		struct mg_buf text;

		mg_buf_init(&text, 4 * MG_SAY_TEXT);
		mg_say_local_json(&text, json_object_get(json_object_get(one, "say"), "why"));
		mg_ctl_paragraph(ctl, 30, mg_ctl_text(one, "id"), mg_buf_z(&text));
		mg_buf_fini(&text);
	}
}

void mg_probe_report(const struct mg_ctl *ctl, const struct mg_probe *probe)
{
	for (size_t i = 0; i < probe->host_count; i++)
		print_host(ctl, probe, &probe->host[i]);
	print_left_out(ctl, _("servers not looked at, because there are too many: %zu"), probe->hosts_left_out);
	(void)mg_ctl_print_findings(ctl, probe->checks, true);
	print_skipped(ctl, probe->skipped);
}
