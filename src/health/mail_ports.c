#include "health/mail_ports.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/run.h"

enum { ADDRESSES_MAX = 8, GETENT_MS = 2000 };

static const struct {
	unsigned port;
	enum mg_served_protocol protocol;
	bool is_implicit;
} roles[MG_MAIL_ROLES] = {
	[MG_ROLE_SMTP_25] = { 25, MG_SERVED_SMTP, false },
	[MG_ROLE_SMTP_587] = { 587, MG_SERVED_SMTP, false },
	[MG_ROLE_SMTP_465] = { 465, MG_SERVED_SMTP, true },
	[MG_ROLE_IMAP_143] = { 143, MG_SERVED_IMAP, false },
	[MG_ROLE_IMAP_993] = { 993, MG_SERVED_IMAP, true },
	[MG_ROLE_POP_110] = { 110, MG_SERVED_POP3, false },
	[MG_ROLE_POP_995] = { 995, MG_SERVED_POP3, true },
};

unsigned mg_mail_role_port(enum mg_mail_role role)
{
	return roles[role].port;
}

enum mg_served_protocol mg_mail_role_protocol(enum mg_mail_role role)
{
	return roles[role].protocol;
}

bool mg_mail_role_is_implicit(enum mg_mail_role role)
{
	return roles[role].is_implicit;
}

/* ---- addresses ---- */

struct addresses {
	struct mg_ip ip[ADDRESSES_MAX];
	size_t count;
	bool has_public; /* one of them is not loopback, or all were meant */
};

/* What this machine has. */
struct machine {
	struct mg_ip own4, own6; /* the address the world would use, of each family; MG_IP_NONE */
	bool has_loopback6;
	bool speaks4, speaks6; /* inet_protocols; Dovecot: both */
};

static bool is_link_local(const struct mg_ip *ip)
{
	return ip->family == MG_IP_V6 && ip->bytes[0] == 0xfe && (ip->bytes[1] & 0xc0) == 0x80;
}

static void prefer(struct mg_ip *best, const struct mg_ip *ip)
{
	if (best->family == MG_IP_NONE || (mg_ip_is_private(best) && !mg_ip_is_private(ip)))
		*best = *ip;
}

static void look_at_interfaces(struct machine *machine)
{
	struct ifaddrs *all = NULL;

	if (getifaddrs(&all) != 0)
		return;
	for (const struct ifaddrs *one = all; one != NULL; one = one->ifa_next) {
		struct mg_ip ip;
		unsigned port;

		if ((one->ifa_flags & IFF_UP) == 0 || !mg_ip_from_sockaddr(one->ifa_addr, &ip, &port) ||
			is_link_local(&ip))
			continue;
		if (mg_ip_is_loopback(&ip))
			machine->has_loopback6 = machine->has_loopback6 || ip.family == MG_IP_V6;
		else
			prefer(ip.family == MG_IP_V4 ? &machine->own4 : &machine->own6, &ip);
	}
	freeifaddrs(all);
}

static void add_ip(struct addresses *out, const struct machine *machine, const struct mg_ip *ip)
{
	if (ip->family == MG_IP_NONE || out->count == ADDRESSES_MAX ||
		!(ip->family == MG_IP_V4 ? machine->speaks4 : machine->speaks6))
		return;
	for (size_t i = 0; i < out->count; i++)
		if (mg_ip_eq(&out->ip[i], ip))
			return;
	out->has_public = out->has_public || !mg_ip_is_loopback(ip);
	out->ip[out->count++] = *ip;
}

static void add_text(struct addresses *out, const struct machine *machine, struct mg_str text)
{
	struct mg_ip ip;

	if (mg_ip_parse(text, &ip))
		add_ip(out, machine, &ip);
}

static void add_loopback(struct addresses *out, const struct machine *machine, bool v4, bool v6)
{
	if (v4)
		add_text(out, machine, MG_STR("127.0.0.1"));
	if (v6 && machine->has_loopback6)
		add_text(out, machine, MG_STR("::1"));
}

static void add_all(struct addresses *out, const struct machine *machine, bool v4, bool v6)
{
	out->has_public = true;
	add_loopback(out, machine, v4, v6);
	if (v4)
		add_ip(out, machine, &machine->own4);
	if (v6)
		add_ip(out, machine, &machine->own6);
}

/* A name in inet_interfaces: the system's own look-up, which may hang, in a process of its own. */
static void add_name(struct addresses *out, const struct machine *machine, struct mg_str name)
{
	char host[256];
	const char *const argv[] = { "getent", "ahosts", host, NULL };
	struct mg_run run = { .argv = argv, .timeout_ms = GETENT_MS, .out_max = 4096, .err_max = 256 };
	struct mg_run_result result;
	struct mg_str rest, line;

	if (!mg_str_copy(host, sizeof host, name) || host[0] == '-')
		return;
	if (mg_run(&run, &result, NULL) == MG_OK)
		for (rest = mg_buf_str(&result.out); rest.n > 0;) {
			line = mg_str_cut(&rest, '\n');
			add_text(out, machine, mg_str_cut(&line, ' '));
		}
	mg_run_fini(&result);
}

static void add_host(struct addresses *out, const struct machine *machine, struct mg_str host)
{
	struct mg_ip ip;

	if (mg_str_eq_nocase(host, MG_STR("all")))
		add_all(out, machine, true, true);
	else if (mg_str_eq(host, MG_STR("*")) || mg_str_eq(host, MG_STR("0.0.0.0")))
		add_all(out, machine, true, false);
	else if (mg_str_eq(host, MG_STR("::")) || mg_str_eq(host, MG_STR("[::]")))
		add_all(out, machine, false, true);
	else if (mg_str_eq_nocase(host, MG_STR("loopback-only")) || mg_str_eq_nocase(host, MG_STR("localhost")))
		add_loopback(out, machine, true, true);
	else if (mg_ip_parse(host, &ip))
		add_ip(out, machine, &ip);
	else
		add_name(out, machine, host);
}

static void add_hosts(struct addresses *out, const struct machine *machine, struct mg_str hosts)
{
	struct mg_str host;

	while (mg_read_word(&hosts, ", \t", &host))
		add_host(out, machine, host);
}

/* ---- the list ---- */

static void add_ports(struct mg_mail_ports *ports, const struct mg_mail_port *model, const struct addresses *at)
{
	for (size_t i = 0; i < at->count && ports->count < MG_MAIL_PORTS_MAX; i++) {
		struct mg_mail_port *port = &ports->port[ports->count++];
		char text[MG_IP_TEXT];

		*port = *model;
		port->ip = at->ip[i];
		port->is_first = i == 0;
		port->is_loopback = !at->has_public;
		snprintf(port->text, sizeof port->text, port->ip.family == MG_IP_V6 ? "[%s]:%u" : "%s:%u",
			mg_ip_text(&port->ip, text, sizeof text), port->port);
	}
	if (at->has_public)
		ports->has_public[model->service == NULL] = true;
}

/* ---- Postfix ---- */

static unsigned port_of_name(struct mg_str name)
{
	static const struct {
		const char *name;
		unsigned port;
	} known[] = { { "smtp", 25 }, { "submission", 587 }, { "smtps", 465 }, { "submissions", 465 } };
	struct servent entry, *found = NULL;
	char text[64], space[1024];
	uint64_t number;

	if (mg_str_to_u64(name, 65535, &number))
		return (unsigned)number;
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (mg_str_eq_nocase(name, mg_str_z(known[i].name)))
			return known[i].port;
	if (mg_str_copy(text, sizeof text, name) &&
		getservbyname_r(text, "tcp", &entry, space, sizeof space, &found) == 0 && found != NULL)
		return ((unsigned)found->s_port & 0xff) << 8 | ((unsigned)found->s_port >> 8 & 0xff);
	return 0;
}

static bool value_holds(
	const struct mg_check_env *env, const struct mg_postfix_service *service, const char *name, const char *word)
{
	struct mg_buf value;
	bool holds;

	mg_buf_init(&value, 16 * 1024);
	holds = mg_postfix_value(env->postfix, service, name, &value, NULL) == MG_OK &&
		mg_str_find_str(mg_buf_str(&value), mg_str_z(word)) != SIZE_MAX;
	mg_buf_fini(&value);
	return holds;
}

/* A listener for people with a login. */
static bool is_submission(const struct mg_check_env *env, const struct mg_postfix_service *service)
{
	const struct mg_postfix_parameter *tag = mg_postfix_override(service, MG_STR("syslog_name"));

	if (tag != NULL && mg_str_find_str(mg_str_z(tag->value), MG_STR("submission")) != SIZE_MAX)
		return true;
	if (!mg_postfix_is_yes(env->postfix, service, "smtpd_sasl_auth_enable"))
		return false;
	if (value_holds(env, service, "smtpd_tls_security_level", "encrypt"))
		return true;
	return value_holds(env, service, "smtpd_client_restrictions", "permit_sasl_authenticated") &&
	       value_holds(env, service, "smtpd_client_restrictions", "reject");
}

static enum mg_mail_role role_of(const struct mg_check_env *env, const struct mg_mail_port *port)
{
	for (unsigned role = MG_ROLE_SMTP_25; role <= MG_ROLE_SMTP_465; role++)
		if (roles[role].port == port->port)
			return (enum mg_mail_role)role;
	if (port->is_implicit)
		return MG_ROLE_SMTP_465;
	return is_submission(env, port->service) ? MG_ROLE_SMTP_587 : MG_ROLE_SMTP_25;
}

static void add_service(const struct mg_check_env *env, struct mg_mail_ports *ports, const struct machine *machine,
	const struct mg_postfix_service *service)
{
	struct mg_mail_port model = { .service = service };
	struct mg_str name = mg_str_z(service->name), host = { "", 0 };
	size_t colon = mg_str_rfind(name, ':');
	struct addresses at = { .count = 0 };
	struct mg_buf interfaces;

	if (colon != SIZE_MAX) {
		host = mg_str_first(name, colon);
		name = mg_str_from(name, colon + 1);
	}
	if ((model.port = port_of_name(name)) == 0)
		return;
	(void)mg_str_copy(model.name, sizeof model.name, mg_str_z(service->id));
	model.is_implicit = mg_postfix_is_yes(env->postfix, service, "smtpd_tls_wrappermode");
	model.has_proxy = value_holds(env, service, "smtpd_upstream_proxy_protocol", "haproxy");
	if (strcmp(service->command, "postscreen") == 0)
		model.has_proxy = value_holds(env, service, "postscreen_upstream_proxy_protocol", "haproxy");
	model.role = role_of(env, &model);
	mg_buf_init(&interfaces, 16 * 1024);
	if (host.n == 0 && mg_postfix_value(env->postfix, NULL, "inet_interfaces", &interfaces, NULL) == MG_OK)
		host = mg_buf_str(&interfaces);
	add_hosts(&at, machine, host);
	add_ports(ports, &model, &at);
	mg_buf_fini(&interfaces);
}

static void look_at_postfix(const struct mg_check_env *env, struct mg_mail_ports *ports, struct machine *machine)
{
	bool is_all = value_holds(env, NULL, "inet_protocols", "all");

	machine->speaks4 = is_all || value_holds(env, NULL, "inet_protocols", "ipv4");
	machine->speaks6 = is_all || value_holds(env, NULL, "inet_protocols", "ipv6");
	for (size_t i = 0; i < env->postfix->service_count; i++) {
		const struct mg_postfix_service *service = &env->postfix->services[i];

		if (strcmp(service->type, "inet") == 0 &&
			(strcmp(service->command, "smtpd") == 0 || strcmp(service->command, "postscreen") == 0))
			add_service(env, ports, machine, service);
	}
}

/* ---- Dovecot ---- */

static enum mg_mail_role role_of_listener(const struct mg_dovecot_listener *listener)
{
	for (unsigned role = MG_ROLE_IMAP_143; role < MG_MAIL_ROLES; role++)
		if (roles[role].port == listener->port && (roles[role].protocol == MG_SERVED_POP3) == listener->is_pop3)
			return (enum mg_mail_role)role;
	if (listener->is_pop3)
		return listener->is_tls ? MG_ROLE_POP_995 : MG_ROLE_POP_110;
	return listener->is_tls ? MG_ROLE_IMAP_993 : MG_ROLE_IMAP_143;
}

static void look_at_dovecot(const struct mg_check_env *env, struct mg_mail_ports *ports, struct machine *machine)
{
	struct mg_err err = { "" };

	machine->speaks4 = machine->speaks6 = true;
	if (mg_dovecot_look(env, &ports->dovecot, &err) != MG_OK)
		(void)mg_str_copy(ports->dovecot_trouble, sizeof ports->dovecot_trouble, mg_str_z(err.text));
	for (size_t i = 0; i < ports->dovecot.count; i++) {
		const struct mg_dovecot_listener *listener = &ports->dovecot.listener[i];
		struct mg_mail_port model = { .role = role_of_listener(listener),
			.port = listener->port,
			.is_implicit = listener->is_tls,
			.has_proxy = listener->has_proxy };
		struct addresses at = { .count = 0 };

		(void)mg_str_copy(model.name, sizeof model.name, mg_str_z(listener->name));
		add_hosts(&at, machine, mg_str_z(listener->hosts));
		add_ports(ports, &model, &at);
	}
}

void mg_mail_ports_look(const struct mg_check_env *env, struct mg_mail_ports *ports_out)
{
	struct machine machine = { .speaks4 = false };

	*ports_out = (struct mg_mail_ports){ .count = 0 };
	look_at_interfaces(&machine);
	if (env->postfix != NULL)
		look_at_postfix(env, ports_out, &machine);
	look_at_dovecot(env, ports_out, &machine);
}

struct mg_served_target mg_mail_port_target(const struct mg_mail_port *port, int64_t deadline_us)
{
	struct mg_served_target target = { .protocol = roles[port->role].protocol,
		.secure = roles[port->role].is_implicit ? MG_SERVED_IMPLICIT : MG_SERVED_CLEAR,
		.ip = port->ip,
		.port = port->port,
		.deadline_us = deadline_us };

	if (port->has_proxy)
		target.preamble = port->ip.family == MG_IP_V6 ? "PROXY TCP6 ::1 ::1 40000 25"
							      : "PROXY TCP4 127.0.0.1 127.0.0.1 40000 25";
	return target;
}

const char *mg_postfix_dash_c(const struct mg_check_env *env, char *place, size_t size)
{
	place[0] = '\0';
	if (env->postfix != NULL && strcmp(env->postfix->directory, "/etc/postfix") != 0)
		snprintf(place, size, "-c %s ", env->postfix->directory);
	return place;
}
