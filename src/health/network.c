/* net.* - is there a way out of this machine? */
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/i18n.h"
#include "health/check.h"

enum { ROUTES_MAX = 16 * 1024 * 1024, GATEWAY_FLAG = 0x2, UP_FLAG = 0x1 };

struct way {
	bool is_there;
	char device[32];
	char gateway[64]; /* "" none: the device itself leads on */
};

/* /proc/net/route: Iface Destination Gateway Flags RefCnt Use Metric Mask ..., numbers in hex, addresses as the machine has them. */
static bool parse_route4(struct mg_str line, struct way *way)
{
	struct mg_str word[8];
	unsigned gateway;
	char text[16];

	for (int i = 0; i < 8; i++)
		if (!mg_read_word(&line, " \t", &word[i]))
			return false;
	if (!mg_str_eq(word[1], MG_STR("00000000")) || !mg_str_eq(word[7], MG_STR("00000000")))
		return false;
	mg_str_copy(way->device, sizeof way->device, word[0]);
	mg_str_copy(text, sizeof text, word[2]);
	gateway = (unsigned)strtoul(text, NULL, 16);
	if (gateway != 0) {
		struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = gateway };
		struct mg_ip ip;

		if (mg_ip_from_sockaddr((const struct sockaddr *)&address, &ip, NULL))
			mg_ip_text(&ip, way->gateway, sizeof way->gateway);
	}
	return true;
}

/* /proc/net/ipv6_route: destination and prefix length first, the device last; "::/0" on lo is the kernel's own. */
static bool parse_route6(struct mg_str line, struct way *way)
{
	struct mg_str word, device = MG_STR("");

	if (!mg_str_starts(line, MG_STR("00000000000000000000000000000000 00 ")))
		return false;
	while (mg_read_word(&line, " \t", &word))
		device = word;
	mg_str_copy(way->device, sizeof way->device, device);
	return !mg_str_eq(device, MG_STR("lo"));
}

static bool find_way(const char *path, bool (*parse)(struct mg_str line, struct way *way), struct way *way_out)
{
	struct mg_buf text;
	struct mg_str rest;
	bool is_read = mg_file_read(path, ROUTES_MAX, &text, NULL) == MG_OK;

	*way_out = (struct way){ .is_there = false };
	rest = mg_buf_str(&text);
	while (is_read && rest.n > 0 && !way_out->is_there)
		way_out->is_there = parse(mg_str_cut(&rest, '\n'), way_out);
	mg_buf_fini(&text);
	return is_read;
}

/* /proc/net/arp: the gateway's line with flags 0x0 is one that did not answer. */
static bool is_silent(const char *gateway)
{
	struct mg_buf text;
	struct mg_str rest;
	bool is_silent = false;

	if (mg_file_read("/proc/net/arp", ROUTES_MAX, &text, NULL) == MG_OK) {
		rest = mg_buf_str(&text);
		while (rest.n > 0) {
			struct mg_str line = mg_str_cut(&rest, '\n'), address, type, flags;

			if (mg_read_word(&line, " ", &address) && mg_read_word(&line, " ", &type) &&
				mg_read_word(&line, " ", &flags) && mg_str_eq(address, mg_str_z(gateway)))
				is_silent = mg_str_eq(flags, MG_STR("0x0"));
		}
	}
	mg_buf_fini(&text);
	return is_silent;
}

/* An IPv6 address that the world could know. */
static bool has_global6(void)
{
	struct ifaddrs *all, *one;
	bool has = false;

	if (getifaddrs(&all) != 0)
		return false;
	for (one = all; one != NULL; one = one->ifa_next) {
		struct mg_ip ip;

		if (one->ifa_addr != NULL && one->ifa_addr->sa_family == AF_INET6 && (one->ifa_flags & IFF_UP) != 0 &&
			mg_ip_from_sockaddr(one->ifa_addr, &ip, NULL) && !mg_ip_is_loopback(&ip) &&
			!mg_ip_is_private(&ip))
			has = true;
	}
	freeifaddrs(all);
	return has;
}

/* Whether mail is meant to come and go by IPv6: Postfix speaks it, and the name has such an address. */
static bool wants_six(const struct mg_check_env *env, struct mg_finding *finding)
{
	const struct mg_dns_answer *answer;
	const char *protocols, *name;

	if (env->postfix == NULL || !has_global6())
		return false;
	protocols = mg_check_parameter(env, finding, NULL, "inet_protocols");
	if (mg_str_find_str(mg_str_z(protocols), MG_STR("all")) == SIZE_MAX &&
		mg_str_find_str(mg_str_z(protocols), MG_STR("ipv6")) == SIZE_MAX)
		return false;
	name = mg_check_parameter(env, finding, NULL, "myhostname");
	answer = mg_check_ask(env, mg_str_z(name), MG_DNS_AAAA);
	return answer->status == MG_DNS_FOUND && answer->count > 0;
}

static void check_reach(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct way four, six;

	finding->manual = "ip route; ip -6 route; ip neigh";
	if (!find_way("/proc/net/route", parse_route4, &four)) {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("the routes of this machine can't be read"), NULL);
		return;
	}
	(void)find_way("/proc/net/ipv6_route", parse_route6, &six);
	if (!four.is_there && !six.is_there) {
		mg_finding_evidence(finding, "no default route");
		mg_finding_is(finding, MG_STATE_CRIT,
			N_("this machine has no way to the Internet: there is no default route"), NULL);
		mg_finding_cause(finding, N_("the network was not set up, or its interface is down"), NULL);
		mg_finding_fix(finding,
			N_("see what is up: ip addr; then set the route: ip route add default via GATEWAY"), NULL);
		return;
	}
	if (four.is_there)
		mg_finding_evidence(finding, "default via %s dev %s", four.gateway, four.device);
	if (four.is_there && four.gateway[0] != '\0' && is_silent(four.gateway)) {
		mg_finding_is(finding, MG_STATE_CRIT, N_("the gateway %1 does not answer"), four.gateway, NULL);
		mg_finding_cause(finding,
			N_("the cable, the switch or the provider's router: it does not even answer ARP"), NULL);
		mg_finding_fix(finding, "ping -c 3 %1", four.gateway, NULL);
	}
	if (!six.is_there && wants_six(env, finding)) {
		mg_finding_is(finding, MG_STATE_CRIT,
			N_("this machine has an IPv6 address in DNS, but no IPv6 way out"), NULL);
		mg_finding_cause(finding, N_("there is no default route for IPv6"), NULL);
		mg_finding_fix(finding,
			N_("ip -6 route add default via GATEWAY, or without IPv6: %1 -e inet_protocols=ipv4 && %2 stop && %2 start"),
			mg_check_program(env, finding, "postconf"), mg_check_program(env, finding, "postfix"), NULL);
	}
	mg_finding_is(finding, MG_STATE_OK, N_("there is a way out"), NULL);
}

const struct mg_check mg_checks_network[] = {
	{ "net.reach", N_("a way to the Internet"), 0, 5000, .run = check_reach },
};
const size_t mg_checks_network_count = sizeof mg_checks_network / sizeof mg_checks_network[0];
