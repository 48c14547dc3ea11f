/* port.* - what listens on this machine, against what master.cf wants. */
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/i18n.h"
#include "health/check.h"
#include "health/ports_mx.h"
#include "health/process.h"

enum { TABLE_BYTES = 64 * 1024 * 1024, LISTENERS_MAX = 2000, PLACE_BYTES = 80 };

struct listener {
	struct mg_ip ip;
	bool is_any; /* every address */
	unsigned port;
	uint64_t inode;
};

struct listeners {
	struct listener *all;
	size_t count;
};

/* ---- the kernel's ---- */

/* Words of four bytes as the machine has them, in hex. */
static bool parse_address(struct mg_str hex, struct mg_ip *ip_out, bool *is_any_out)
{
	uint32_t words[4] = { 0 };
	size_t count = hex.n / 8;
	char text[9];

	if (hex.n != 8 && hex.n != 32)
		return false;
	*is_any_out = true;
	for (size_t i = 0; i < count; i++) {
		mg_str_copy(text, sizeof text, mg_str_of(hex.p + 8 * i, 8));
		words[i] = (uint32_t)strtoul(text, NULL, 16);
		*is_any_out = *is_any_out && words[i] == 0;
	}
	if (count == 1) {
		struct sockaddr_in four = { .sin_family = AF_INET, .sin_addr.s_addr = words[0] };

		return mg_ip_from_sockaddr((const struct sockaddr *)&four, ip_out, NULL);
	}
	struct sockaddr_in6 six = { .sin6_family = AF_INET6 };

	memcpy(&six.sin6_addr, words, sizeof words);
	return mg_ip_from_sockaddr((const struct sockaddr *)&six, ip_out, NULL);
}

/* "  0: 0100007F:0019 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 12345 ..." */
static bool parse_line(struct mg_str line, struct listener *listener_out)
{
	enum { LOCAL = 1, STATE = 3, INODE = 9, WORDS };
	struct mg_str word[WORDS], address;
	char port[8];

	for (int i = 0; i < WORDS; i++)
		if (!mg_read_word(&line, " ", &word[i]))
			return false;
	if (!mg_str_eq(word[STATE], MG_STR("0A")))
		return false;
	address = mg_str_cut(&word[LOCAL], ':');
	mg_str_copy(port, sizeof port, word[LOCAL]);
	listener_out->port = (unsigned)strtoul(port, NULL, 16);
	return mg_str_to_u64(word[INODE], UINT64_MAX, &listener_out->inode) &&
	       parse_address(address, &listener_out->ip, &listener_out->is_any);
}

static bool read_listeners(const char *path, struct listeners *listeners)
{
	struct mg_buf text;
	struct mg_str rest;
	bool is_read = mg_file_read(path, TABLE_BYTES, &text, NULL) == MG_OK;

	rest = mg_buf_str(&text);
	while (is_read && rest.n > 0 && listeners->count < LISTENERS_MAX)
		if (parse_line(mg_str_cut(&rest, '\n'), &listeners->all[listeners->count]))
			listeners->count++;
	mg_buf_fini(&text);
	return is_read;
}

/* The listener for this address (`ip` NULL: any at all) and port. */
static const struct listener *find(const struct listeners *listeners, const struct mg_ip *ip, unsigned port)
{
	for (size_t i = 0; i < listeners->count; i++) {
		const struct listener *one = &listeners->all[i];

		if (one->port == port && (ip == NULL || one->is_any || mg_ip_eq(&one->ip, ip)))
			return one;
	}
	return NULL;
}

/* ---- master.cf's ---- */

static unsigned port_of(const char *service)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE },
			*found = NULL;
	unsigned port = 0;
	uint64_t number;
	struct mg_ip ip;

	if (mg_str_to_u64(mg_str_z(service), 65535, &number))
		return (unsigned)number;
	if (getaddrinfo(NULL, service, &hints, &found) != 0)
		return 0;
	if (!mg_ip_from_sockaddr(found->ai_addr, &ip, &port))
		port = 0;
	freeaddrinfo(found);
	return port;
}

/* "smtp", "127.0.0.1:10025", "[::1]:10025": its host part, "" none, and port. */
static unsigned split(const char *name, struct mg_str *host_out)
{
	struct mg_str text = mg_str_z(name);
	size_t colon = mg_str_rfind(text, ':');

	*host_out = colon == SIZE_MAX ? MG_STR("") : mg_str_first(text, colon);
	if (host_out->n >= 2 && host_out->p[0] == '[')
		*host_out = mg_str_of(host_out->p + 1, host_out->n - 2);
	return port_of(colon == SIZE_MAX ? name : name + colon + 1);
}

struct look {
	const struct mg_check_env *env;
	struct mg_finding *finding;
	struct listeners listeners;
};

static void say_missing(struct look *look, const struct mg_postfix_service *service, const char *place)
{
	mg_finding_evidence(look->finding, "%s: nobody listens on %s", service->id, place);
	mg_finding_is(look->finding, MG_STATE_CRIT, N_("nobody listens on %1, where Postfix's service %2 should"),
		place, service->id, NULL);
	mg_finding_cause(look->finding,
		N_("Postfix does not run, was not restarted since master.cf or inet_interfaces changed, or could not take the port"),
		NULL);
	mg_finding_fix(look->finding, "%1 stop; %1 start", mg_check_program(look->env, look->finding, "postfix"), NULL);
}

/* Postfix's master, or a child of it, which has its listening sockets too; systemd may hold them for it. */
static bool is_masters(const struct mg_process *process)
{
	struct mg_process parent;

	return strcmp(process->name, "master") == 0 || strcmp(process->name, "systemd") == 0 ||
	       (mg_process_of(process->parent, &parent) && strcmp(parent.name, "master") == 0);
}

/* Whoever has the port must be Postfix's master; who it is can only be seen by root. */
static void judge_owner(
	struct look *look, const struct mg_postfix_service *service, const char *place, const struct listener *listener)
{
	pid_t pid = mg_process_of_socket(listener->inode);
	struct mg_process owner;

	if (pid == 0 || !mg_process_of(pid, &owner)) {
		mg_finding_evidence(look->finding, "%s: somebody listens on %s", service->id, place);
		return;
	}
	mg_finding_evidence(look->finding, "%s: %s (pid %d) listens on %s", service->id, owner.name, (int)pid, place);
	if (is_masters(&owner))
		return;
	mg_finding_is(look->finding, MG_STATE_CRIT, N_("%1 holds %2, which is Postfix's"), owner.name, place, NULL);
	mg_finding_alone(look->finding);
	mg_finding_cause(look->finding,
		N_("another program took the port before Postfix: often a second mail server that was installed with the system"),
		NULL);
	mg_finding_fix(look->finding,
		N_("see who it is: ss -tlnp 'sport = :%2'; stop it: systemctl disable --now %1; then: %3 start"),
		mg_finding_quoted(look->finding, owner.name), mg_finding_number(look->finding, listener->port, ""),
		mg_check_program(look->env, look->finding, "postfix"), NULL);
}

static void judge_place(
	struct look *look, const struct mg_postfix_service *service, const struct mg_ip *ip, unsigned port)
{
	const struct listener *listener = find(&look->listeners, ip, port);
	char address[64] = "", place[PLACE_BYTES];

	if (ip != NULL)
		mg_ip_text(ip, address, sizeof address);
	snprintf(place, sizeof place,
		strchr(address, ':') != NULL ? "[%s]:%u"
		: address[0] == '\0'         ? "%s*:%u"
					     : "%s:%u",
		address, port);
	if (listener == NULL)
		say_missing(look, service, place);
	else
		judge_owner(look, service, place, listener);
}

/* A service without a host part listens where inet_interfaces says. */
static void judge_interfaces(struct look *look, const struct mg_postfix_service *service, unsigned port)
{
	struct mg_str rest = mg_str_z(mg_check_parameter(look->env, look->finding, NULL, "inet_interfaces")), word;
	const char *protocols = mg_check_parameter(look->env, look->finding, NULL, "inet_protocols");
	bool has_four = mg_str_find_str(mg_str_z(protocols), MG_STR("ipv6")) == SIZE_MAX ||
			mg_str_find_str(mg_str_z(protocols), MG_STR("ipv4")) != SIZE_MAX;
	struct mg_ip ip;

	while (mg_read_word(&rest, ", \t\n", &word)) {
		if (mg_str_eq(word, MG_STR("loopback-only")) &&
			mg_ip_parse(has_four ? MG_STR("127.0.0.1") : MG_STR("::1"), &ip))
			judge_place(look, service, &ip, port);
		else if (mg_ip_parse(word, &ip))
			judge_place(look, service, &ip, port);
		else
			judge_place(look, service, NULL, port);
	}
}

static void judge_service(struct look *look, const struct mg_postfix_service *service)
{
	struct mg_str host;
	unsigned port;
	struct mg_ip ip;

	if (strcmp(service->type, "inet") != 0)
		return;
	port = split(service->name, &host);
	if (port == 0) {
		mg_finding_is(look->finding, MG_STATE_CRIT,
			N_("master.cf names the service %1, which has no port number"), service->name, NULL);
		mg_finding_cause(look->finding, N_("the name is not in /etc/services"), NULL);
		mg_finding_fix(look->finding, N_("write the number of the port in master.cf instead of %1"),
			service->name, NULL);
	} else if (host.n == 0) {
		judge_interfaces(look, service, port);
	} else {
		judge_place(look, service, mg_ip_parse(host, &ip) ? &ip : NULL, port);
	}
}

/* ---- what should not be there ---- */

static bool is_ours(const struct mg_postfix *postfix, unsigned port)
{
	struct mg_str host;

	for (size_t i = 0; i < postfix->service_count; i++)
		if (strcmp(postfix->services[i].type, "inet") == 0 && split(postfix->services[i].name, &host) == port)
			return true;
	return false;
}

static void judge_extra(struct look *look)
{
	static const unsigned mail_ports[] = { 25, 465, 587 };

	for (size_t i = 0; i < sizeof mail_ports / sizeof mail_ports[0]; i++) {
		const struct listener *listener = find(&look->listeners, NULL, mail_ports[i]);
		struct mg_process owner = { .name = "?" };
		const char *port = mg_finding_number(look->finding, mail_ports[i], "");

		if (listener == NULL || is_ours(look->env->postfix, mail_ports[i]))
			continue;
		(void)mg_process_of(mg_process_of_socket(listener->inode), &owner);
		mg_finding_evidence(
			look->finding, "port %s: %s listens, and master.cf knows nothing of it", port, owner.name);
		if (is_masters(&owner)) {
			mg_finding_is(look->finding, MG_STATE_WARN,
				N_("Postfix still listens on port %1, which master.cf no longer has"), port, NULL);
			mg_finding_cause(look->finding,
				N_("master.cf was changed and not read again, or another instance of Postfix has the port"),
				NULL);
			mg_finding_fix(look->finding, "%1 reload",
				mg_check_program(look->env, look->finding, "postfix"), NULL);
			continue;
		}
		mg_finding_is(look->finding, MG_STATE_WARN,
			N_("%1 listens on the mail port %2, and Postfix knows nothing of it"), owner.name, port, NULL);
		mg_finding_cause(look->finding,
			N_("a second mail server runs on this machine; what passes it passes no check of this one"),
			NULL);
		mg_finding_fix(look->finding,
			N_("see who it is: ss -tlnp 'sport = :%1'; if it is not wanted: systemctl disable --now %2"),
			port, mg_finding_quoted(look->finding, owner.name), NULL);
	}
}

static bool listens_25(void *context, const struct mg_ip *ip)
{
	const struct listeners *listeners = context;

	return find(listeners, ip, 25) != NULL;
}

static void check_listen(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct look look = { env, finding, { NULL, 0 } };

	finding->manual = "ss -tlnp; postconf -M";
	if (!mg_check_has_postfix(env, finding))
		return;
	look.listeners.all = calloc(LISTENERS_MAX, sizeof *look.listeners.all);
	if (look.listeners.all == NULL || !read_listeners("/proc/net/tcp", &look.listeners)) {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("what listens on this machine can't be told"), NULL);
		mg_finding_cause(finding, N_("/proc/net/tcp can't be read"), NULL);
		free(look.listeners.all);
		return;
	}
	(void)read_listeners("/proc/net/tcp6", &look.listeners);
	for (size_t i = 0; i < env->postfix->service_count; i++)
		judge_service(&look, &env->postfix->services[i]);
	judge_extra(&look);
	mg_ports_judge_mx(env, finding, listens_25, &look.listeners);
	free(look.listeners.all);
	mg_finding_is(finding, MG_STATE_OK, N_("Postfix listens where it should"), NULL);
}

const struct mg_check mg_checks_ports[] = {
	{ "port.listen", N_("Postfix listens where it should"), 0, 5000, .run = check_listen, .steady = 2,
		.follows = { "service.postfix" }, .needs = "service.postfix" },
};
const size_t mg_checks_ports_count = sizeof mg_checks_ports / sizeof mg_checks_ports[0];
