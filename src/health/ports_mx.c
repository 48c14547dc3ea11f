#include "health/ports_mx.h"

#include <ifaddrs.h>

#include "base/i18n.h"
#include "health/dns_said.h"
#include "health/own.h"

enum { TARGETS = 8, ADDRESSES = 8 };

/* An address of one of the interfaces: behind NAT it is another's. */
static bool is_here(const struct ifaddrs *all, const struct mg_ip *ip)
{
	struct mg_ip own;

	for (; all != NULL; all = all->ifa_next)
		if (mg_ip_from_sockaddr(all->ifa_addr, &own, NULL) && mg_ip_eq(&own, ip))
			return true;
	return false;
}

static void say_deaf(
	const struct mg_check_env *env, struct mg_finding *finding, const char *domain, const struct mg_ip *ip)
{
	char address[64];
	const char *interfaces = mg_check_parameter(env, finding, NULL, "inet_interfaces");

	mg_ip_text(ip, address, sizeof address);
	mg_finding_evidence(finding, "%s MX -> %s: nobody listens on its port 25", domain, address);
	mg_finding_is(finding, MG_STATE_CRIT, N_("mail for %1 is brought to %2, where nobody listens on port 25"),
		domain, address, NULL);
	mg_finding_cause(finding,
		N_("the MX leads to this machine, but Postfix does not listen on that address (inet_interfaces = %1)"),
		interfaces, NULL);
	mg_finding_fix(finding, "%1 -e inet_interfaces=all && %2 stop; %2 start",
		mg_check_program(env, finding, "postconf"), mg_check_program(env, finding, "postfix"), NULL);
}

void mg_ports_judge_mx(const struct mg_check_env *env, struct mg_finding *finding,
	bool (*listens)(void *context, const struct mg_ip *ip), void *context)
{
	struct mg_finding aside; /* that there are no domains is no finding here */
	struct mg_own own;
	struct ifaddrs *interfaces = NULL;
	const struct mg_dns_answer *silent;
	struct mg_ip addresses[ADDRESSES];

	mg_finding_init(&aside);
	if (mg_own_names(env, &aside, &own) && getifaddrs(&interfaces) == 0)
		for (size_t d = 0; d < own.domain_count; d++) {
			const struct mg_dns_answer *answer = mg_check_ask(env, mg_str_z(own.domains[d]), MG_DNS_MX);

			for (size_t t = 0; t < answer->count && t < TARGETS; t++) {
				size_t count =
					mg_dns_addresses(env, answer->records[t].text, addresses, ADDRESSES, &silent);

				for (size_t i = 0; i < count; i++)
					if (is_here(interfaces, &addresses[i]) && !listens(context, &addresses[i]))
						say_deaf(env, finding, own.domains[d], &addresses[i]);
			}
		}
	if (interfaces != NULL)
		freeifaddrs(interfaces);
	mg_finding_fini(&aside);
}
