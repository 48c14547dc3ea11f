/* parse.h - DNS messages (RFC 1035 section 4.1): a query from a question, an answer from bytes.
 *
 * Everything that comes in is hostile. Bounds: a message 64 KiB, 64 compression hops a name, backward only, names of 253
 * bytes, CNAME chains of MG_DNS_CHAIN, the counts of answer.h; work is linear in the message's length.
 *
 * Threads: pure. */
#ifndef MG_DNS_PARSE_H
#define MG_DNS_PARSE_H

#include "base/buf.h"
#include "dns/answer.h"

enum { MG_DNS_CHAIN = 8, MG_DNS_UDP_BYTES = 1232, MG_DNS_TTL_MAX_S = 86400, MG_DNS_NEGATIVE_MAX_S = 10800 };

/* Appends the query: RD and AD set (RFC 6840 section 5.7), EDNS(0) with MG_DNS_UDP_BYTES (RFC 6891) unless `is_plain`. */
void mg_dns_query(struct mg_buf *out, const struct mg_dns_question *question, unsigned id, bool is_plain);

/* Reads the reply to `question`. FOUND, NODATA or NXDOMAIN as it says; its TTL is the least along the CNAME chain, for a
 * negative answer that of RFC 2308 section 5, with the ceilings above. A CNAME chain that the message does not follow to
 * its end is what the resolver made of it: NODATA. A reply to another question, truncated (TC), too short, or beyond a
 * bound is TROUBLE (malformed); an error RCODE is TROUBLE (servfail, refused). Never NULL. The reference is the caller's. */
const struct mg_dns_answer *mg_dns_parse(struct mg_str message, const struct mg_dns_question *question);

#endif
