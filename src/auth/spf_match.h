/* spf_match.h - does a mechanism match the client (RFC 7208 section 5)? All but include, which is an evaluation of its own.
 *
 * Each function may be called again and again until it no longer waits: the answers are pinned in the lookup, so it
 * says the same whatever the order in which they came. A match counts more than trouble, as section 5.4 has it: "if any
 * address matches, the mechanism matches".
 *
 * Limits: 10 MX names (more: permerror), 10 PTR names (the rest is ignored).
 *
 * Threads: pure but for the lookup. */
#ifndef MG_AUTH_SPF_MATCH_H
#define MG_AUTH_SPF_MATCH_H

#include "auth/spf_macro.h"
#include "auth/spf_record.h"
#include "dns/lookup.h"

enum { MG_SPF_HOSTS = 10 };

enum mg_spf_verdict {
	MG_SPF_WAITS,
	MG_SPF_MATCHES,
	MG_SPF_DIFFERS,
	MG_SPF_TROUBLE,  /* temperror */
	MG_SPF_TOO_MANY, /* MX names: permerror */
};

struct mg_spf_match {
	enum mg_spf_verdict verdict;
	bool is_void;                /* a question found nothing (section 4.6.4); only of what differs */
	enum mg_dns_trouble trouble; /* of MG_SPF_TROUBLE */
};

/* `target` is the term's domain-spec, expanded. */
struct mg_spf_match mg_spf_match(
	const struct mg_spf_term *term, const struct mg_ip *ip, struct mg_str target, struct mg_lookup *lookup);

/* %{p}: the validated name of `ip` (section 5.5), best `domain` itself, else one below it, else any; "unknown" without one
 * or when DNS gives no answer (section 7.3). False: it waits. */
bool mg_spf_validated(const struct mg_ip *ip, struct mg_str domain, struct mg_lookup *lookup, char place[MG_SPF_NAME]);

#endif
