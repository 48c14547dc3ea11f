/* iprev.h - does the client's name lead back to its address (RFC 8601 section 3)?
 *
 * pass: a PTR name has an address record with the client's address. fail: there are names, none does. permerror: there is
 * no name. temperror: DNS gave no answer and no name passed. At most MG_IPREV_NAMES names are looked at.
 *
 * Threads: one owner. Does no I/O. */
#ifndef MG_AUTH_IPREV_H
#define MG_AUTH_IPREV_H

#include "auth/reason.h"
#include "auth/result.h"
#include "dns/lookup.h"

enum { MG_IPREV_NAMES = 5 };

struct mg_iprev; /* opaque; lives in the arena */

struct mg_iprev *mg_iprev_new(struct mg_arena *arena, const struct mg_ip *ip); /* NULL: no memory */
enum mg_step mg_iprev_step(struct mg_iprev *iprev, struct mg_lookup *lookup);

struct mg_iprev_output {
	enum mg_result result;
	const char *name;   /* confirmed, or the first that is not; "" none */
	const char *reason; /* plain English, one line */
	struct mg_say say;  /* the same, for translation */
};
const struct mg_iprev_output *mg_iprev_output(const struct mg_iprev *iprev);

/* Appends the name under which DNS knows things of an address: reversed octets or nibbles, then "." and `zone`
 * ("in-addr.arpa", "ip6.arpa", a DNSBL's zone; RFC 1035 section 3.5, RFC 3596 section 2.5, RFC 5782 section 2.1). Also
 * SPF's %{ir}.%{v} and PTR. */
struct mg_buf;
void mg_ip_reversed(struct mg_buf *out, const struct mg_ip *ip, struct mg_str zone);

#endif
