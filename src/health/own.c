#include "health/own.h"

#include <ifaddrs.h>
#include <net/if.h>

#include "base/i18n.h"
#include "health/dns_said.h"
#include "mail/domain.h"
#include "postfix/local_domains.h"
#include "postfix/restrictions.h"

/* ---- domains ---- */

struct gathering {
	struct mg_finding *finding;
	struct mg_own *own;
};

/* Names that the Internet does not know (RFC 6761, 8375, and custom). */
static bool is_local_name(struct mg_str domain)
{
	static const char *const tops[] = { "localhost", "local", "localdomain", "lan", "internal", "home.arpa",
		"invalid", "intranet", "corp", "home" };

	for (size_t i = 0; i < sizeof tops / sizeof tops[0]; i++)
		if (mg_domain_is_within(domain, mg_str_z(tops[i])))
			return true;
	return mg_domain_labels(domain) < 2;
}

static bool has_domain(const struct mg_own *own, const char *domain)
{
	for (size_t i = 0; i < own->domain_count; i++)
		if (mg_str_eq(mg_str_z(own->domains[i]), mg_str_z(domain)))
			return true;
	return false;
}

static void add_domain(struct gathering *gathering, struct mg_str name)
{
	struct mg_own *own = gathering->own;
	char domain[MG_DOMAIN_TEXT];

	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	if (!mg_domain_ascii(name, domain) || has_domain(own, domain))
		return;
	if (own->domain_count == MG_OWN_DOMAINS)
		own->domains_left_out++;
	else
		own->domains[own->domain_count++] =
			mg_arena_text(&gathering->finding->arena, mg_str_z(domain), sizeof domain);
}

/* Of Postfix's names those that are no machine's: the host's own name and "localhost.$mydomain" send nothing that people read. */
static void add_postfix_domain(void *context, struct mg_str name)
{
	struct gathering *gathering = context;
	char domain[MG_DOMAIN_TEXT];
	struct mg_str ascii;

	if (!mg_domain_ascii(name, domain))
		return;
	ascii = mg_str_z(domain);
	if (!is_local_name(ascii) && !mg_str_starts(ascii, MG_STR("localhost.")) &&
		!mg_str_eq(ascii, mg_str_z(gathering->own->hostname)))
		add_domain(gathering, ascii);
}

static void take_postfix(const struct mg_check_env *env, struct gathering *gathering)
{
	mg_local_domains_each(env->postfix, add_postfix_domain, gathering);
	if (gathering->own->domain_count == 0)
		add_postfix_domain(gathering, mg_str_z(mg_check_parameter(env, gathering->finding, NULL, "mydomain")));
}

bool mg_own_names(const struct mg_check_env *env, struct mg_finding *finding, struct mg_own *own_out)
{
	const struct mg_strings *domains = &env->conf->health.domains;
	struct gathering gathering = { finding, own_out };
	char name[MG_DOMAIN_TEXT];

	*own_out = (struct mg_own){ .hostname = "" };
	for (size_t i = 0; i < domains->count; i++)
		add_domain(&gathering, mg_str_z(domains->item[i]));
	if (env->postfix == NULL)
		return domains->count > 0 || mg_check_has_postfix(env, finding);
	if (mg_domain_ascii(mg_str_z(mg_check_parameter(env, finding, NULL, "myhostname")), name))
		own_out->hostname = mg_arena_text(&finding->arena, mg_str_z(name), sizeof name);
	if (domains->count == 0)
		take_postfix(env, &gathering);
	return true;
}

/* ---- addresses ---- */

bool mg_own_is_public(const struct mg_ip *ip)
{
	if (mg_ip_is_private(ip) || mg_ip_is_loopback(ip))
		return false;
	if (ip->family == MG_IP_V6)
		return (ip->bytes[0] & 0xe0) == 0x20;
	return ip->family == MG_IP_V4 && ip->bytes[0] != 0 && ip->bytes[0] < 224 &&
	       !(ip->bytes[0] == 100 && (ip->bytes[1] & 0xc0) == 64);
}

bool mg_own_has(const struct mg_own *own, const struct mg_ip *ip)
{
	for (size_t i = 0; i < own->address_count; i++)
		if (mg_ip_eq(&own->addresses[i], ip))
			return true;
	return false;
}

bool mg_own_has_family(const struct mg_own *own, enum mg_ip_family family)
{
	for (size_t i = 0; i < own->address_count; i++)
		if (own->addresses[i].family == family)
			return true;
	return false;
}

static void add_address(struct mg_own *own, const struct mg_ip *ip, enum mg_own_source source)
{
	if (own->address_count == MG_OWN_ADDRESSES || mg_own_has(own, ip))
		return;
	own->addresses[own->address_count++] = *ip;
	own->source = source;
}

static bool speaks(const struct mg_check_env *env, struct mg_finding *finding, enum mg_ip_family family)
{
	struct mg_str rest, word;

	if (env->postfix == NULL)
		return true;
	rest = mg_str_z(mg_check_parameter(env, finding, NULL, "inet_protocols"));
	while (mg_postfix_word(&rest, &word))
		if (mg_str_eq_nocase(word, MG_STR("all")) ||
			mg_str_eq_nocase(word, family == MG_IP_V6 ? MG_STR("ipv6") : MG_STR("ipv4")))
			return true;
	return false;
}

/* Public addresses that Postfix was told to send from. */
static void take_bound(const struct mg_check_env *env, struct mg_finding *finding, struct mg_own *own)
{
	static const char *const parameters[] = { "smtp_bind_address", "smtp_bind_address6", "inet_interfaces" };
	struct mg_ip ip;

	for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++) {
		struct mg_str rest = mg_str_z(mg_check_parameter(env, finding, NULL, parameters[i])), word;

		while (mg_postfix_word(&rest, &word))
			if (mg_ip_parse(word, &ip) && mg_own_is_public(&ip) && speaks(env, finding, ip.family))
				add_address(own, &ip, MG_OWN_BOUND);
	}
}

static void take_interfaces(const struct mg_check_env *env, struct mg_finding *finding, struct mg_own *own)
{
	bool has4 = mg_own_has_family(own, MG_IP_V4), has6 = mg_own_has_family(own, MG_IP_V6);
	struct ifaddrs *all = NULL;
	struct mg_ip ip;
	unsigned port;

	if (getifaddrs(&all) != 0)
		return;
	for (const struct ifaddrs *at = all; at != NULL; at = at->ifa_next)
		if (at->ifa_addr != NULL && (at->ifa_flags & IFF_UP) != 0 &&
			mg_ip_from_sockaddr(at->ifa_addr, &ip, &port) && mg_own_is_public(&ip) &&
			!(ip.family == MG_IP_V4 ? has4 : has6) && speaks(env, finding, ip.family))
			add_address(own, &ip, MG_OWN_INTERFACES);
	freeifaddrs(all);
}

/* Behind NAT the zone is the only one that knows: of IPv6 too, where no interface has a public address at all. */
static void take_zone(const struct mg_check_env *env, struct mg_own *own)
{
	static const struct {
		enum mg_dns_type type;
		enum mg_ip_family family;
	} rows[] = { { MG_DNS_A, MG_IP_V4 }, { MG_DNS_AAAA, MG_IP_V6 } };
	bool is_public_somewhere = own->address_count > 0;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct mg_dns_answer *answer;

		if (mg_own_has_family(own, rows[i].family) || (rows[i].family == MG_IP_V6 && is_public_somewhere))
			continue;
		answer = mg_check_ask(env, mg_str_z(own->hostname), rows[i].type);
		if (answer->status == MG_DNS_TROUBLE && rows[i].type == MG_DNS_A)
			own->trouble = answer;
		for (size_t k = 0; k < answer->count; k++)
			if (mg_own_is_public(&answer->records[k].ip))
				add_address(own, &answer->records[k].ip, MG_OWN_ZONE);
	}
}

void mg_own_addresses(const struct mg_check_env *env, struct mg_finding *finding, struct mg_own *own)
{
	const struct mg_strings *configured = &env->conf->health.public_addresses;
	struct mg_ip ip;

	for (size_t i = 0; i < configured->count; i++)
		if (mg_ip_parse(mg_str_z(configured->item[i]), &ip))
			add_address(own, &ip, MG_OWN_CONFIGURED);
	if (own->address_count > 0)
		return;
	if (env->postfix != NULL) {
		own->has_smarthost = mg_check_parameter(env, finding, NULL, "relayhost")[0] != '\0';
		take_bound(env, finding, own);
	}
	take_interfaces(env, finding, own);
	if (own->hostname[0] != '\0')
		take_zone(env, own);
}

bool mg_own(const struct mg_check_env *env, struct mg_finding *finding, struct mg_own *own_out)
{
	if (!mg_own_names(env, finding, own_out))
		return false;
	mg_own_addresses(env, finding, own_out);
	return true;
}

const char *mg_own_list(struct mg_finding *finding, const struct mg_own *own)
{
	const char *list = "";

	for (size_t i = 0; i < own->address_count; i++)
		list = mg_dns_text(
			finding, "%s%s%s", list, i > 0 ? ", " : "", mg_dns_shown_ip(finding, &own->addresses[i]));
	return list;
}

bool mg_own_prefetch(
	const struct mg_check_env *env, struct mg_finding *finding, const struct mg_own *own, enum mg_dns_type type)
{
	if (own->domain_count == 0) {
		mg_finding_not_applicable(finding, N_("not applicable: this server has no domain of its own"));
		return false;
	}
	for (size_t i = 0; i < own->domain_count; i++)
		mg_lookup_get(env->dns, mg_str_z(own->domains[i]), type);
	if (own->domains_left_out > 0)
		mg_finding_evidence(finding, "%zu more domains were not looked at", own->domains_left_out);
	return true;
}
