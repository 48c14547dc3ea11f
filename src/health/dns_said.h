/* dns_said.h - what DNS said, in a finding: names that are safe to show, silence that is no finding, records of one kind among the
 * TXT records of a name.
 *
 * Threads: pure but for the finding. */
#ifndef MG_HEALTH_DNS_SAID_H
#define MG_HEALTH_DNS_SAID_H

#include "health/check.h"

enum { MG_DNS_SHOWN = 300 };

/* A copy in the finding's memory: printable ASCII, else '?', cut at MG_DNS_SHOWN. */
const char *mg_dns_shown(struct mg_finding *finding, struct mg_str text);
const char *mg_dns_shown_ip(struct mg_finding *finding, const struct mg_ip *ip);

/* A formatted text in the finding's memory. */
const char *mg_dns_text(struct mg_finding *finding, const char *fmt, ...) MG_PRINTF(2, 3);

/* True, and said so (unknown): there was no answer. Else nothing. */
bool mg_dns_is_silent(
	struct mg_finding *finding, const char *name, enum mg_dns_type type, const struct mg_dns_answer *answer);

/* How many TXT records begin with `version` ("v=DMARC1", without case) and a space, a ';' or their end; the first goes to *text_out. */
size_t mg_dns_versioned(const struct mg_dns_answer *answer, const char *version, struct mg_str *text_out);

/* A TXT value as a zone file has it: "..." or, beyond 255 bytes, ( "..." "..." ). What is no printable ASCII becomes '?'. */
const char *mg_dns_txt(struct mg_finding *finding, struct mg_str value);

/* The addresses of a name, both families; at most `max`. *silent_out: an answer that was trouble, else NULL. */
size_t mg_dns_addresses(const struct mg_check_env *env, struct mg_str name, struct mg_ip *place, size_t max,
	const struct mg_dns_answer **silent_out);

#endif
