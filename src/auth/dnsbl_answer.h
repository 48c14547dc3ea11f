/* dnsbl_answer.h - one answer of a DNS list, understood: shared by the evaluation and the test of zones.
 *
 * Threads: pure. */
#ifndef MG_AUTH_DNSBL_ANSWER_H
#define MG_AUTH_DNSBL_ANSWER_H

#include "auth/dnsbl.h"

enum mg_dnsbl_word {
	MG_DNSBL_SAYS_NO,
	MG_DNSBL_SAYS_YES,
	MG_DNSBL_REFUSES,  /* an error code: public resolver, too many queries, a wrong key */
	MG_DNSBL_NONSENSE, /* an address outside 127/8: a parked or hijacked zone */
	MG_DNSBL_NO_WORD,  /* DNS trouble */
};

/* One code that means an error makes an error of the whole answer. */
enum mg_dnsbl_word mg_dnsbl_word(const char *zone, const struct mg_dns_answer *answer);

/* The question about `ip`: asks it. NULL: it is under way. */
const struct mg_dns_answer *mg_dnsbl_ask(struct mg_lookup *lookup, const char *zone, const struct mg_ip *ip);

/* Notes, at wall time `now_us`, what an evaluation or a test found. */
void mg_dnsbl_zones_set(struct mg_dnsbl_zones *zones, const char *name, enum mg_dnsbl_health health, int64_t now_us);

#endif
