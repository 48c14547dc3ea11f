/* own.h - who this server is on the Internet: its name, the domains it sends for, the addresses it sends from.
 *
 * Domains: health.domains; else what Postfix holds for its own (myorigin, mydestination, virtual_mailbox_domains,
 * virtual_alias_domains), without the host's own name and what can't exist on the Internet ("localhost", "lan"); relay_domains are
 * others'. Addresses: health.public_addresses; else smtp_bind_address(6) or the public ones of inet_interfaces; else the
 * interfaces'; else, behind NAT, what the zone says of the name. The documentation ranges (RFC 5737, 3849) count as public.
 *
 * Threads: made and used by one run of a check; texts live in the finding's memory. */
#ifndef MG_HEALTH_OWN_H
#define MG_HEALTH_OWN_H

#include "health/check.h"

enum { MG_OWN_DOMAINS = 32, MG_OWN_ADDRESSES = 16 };

enum mg_own_source { MG_OWN_NOWHERE, MG_OWN_CONFIGURED, MG_OWN_BOUND, MG_OWN_INTERFACES, MG_OWN_ZONE };

struct mg_own {
	const char *hostname;                /* myhostname, "" unknown; as mg_domain_ascii() gives it */
	const char *domains[MG_OWN_DOMAINS]; /* the same form, none twice */
	size_t domain_count;
	size_t domains_left_out; /* beyond the bound */
	struct mg_ip addresses[MG_OWN_ADDRESSES];
	size_t address_count;
	enum mg_own_source source; /* of the addresses */
	bool has_smarthost; /* relayhost, and nobody said which addresses are ours: others' addresses send our mail */
	const struct mg_dns_answer *trouble; /* the addresses are those of a zone that gave no answer; else NULL */
};

/* The name and the domains. False, and said so: they can't be known. */
bool mg_own_names(const struct mg_check_env *env, struct mg_finding *finding, struct mg_own *own_out);
/* The addresses, of an `own` with names; may ask DNS. */
void mg_own_addresses(const struct mg_check_env *env, struct mg_finding *finding, struct mg_own *own);
/* Both. */
bool mg_own(const struct mg_check_env *env, struct mg_finding *finding, struct mg_own *own_out);

/* Asks the first question about every own domain at once. False: there is no domain, and that is said. */
bool mg_own_prefetch(
	const struct mg_check_env *env, struct mg_finding *finding, const struct mg_own *own, enum mg_dns_type type);

bool mg_own_has(const struct mg_own *own, const struct mg_ip *ip);
bool mg_own_has_family(const struct mg_own *own, enum mg_ip_family family);
/* The addresses as one text, for evidence. */
const char *mg_own_list(struct mg_finding *finding, const struct mg_own *own);
/* Reachable from the whole Internet. */
bool mg_own_is_public(const struct mg_ip *ip);

#endif
