/* question.h - what is asked of DNS: a name and a type.
 *
 * Names are text: labels joined by '.', lower case (ASCII letters only), no final dot, at most 253 bytes, each label 1..63.
 * Between the dots any byte but NUL is itself: there are no escapes. SPF macros (RFC 7208 section 7) make names with odd
 * bytes, and DNS allows them.
 *
 * Threads: pure. */
#ifndef MG_DNS_QUESTION_H
#define MG_DNS_QUESTION_H

#include "base/str.h"

enum { MG_DNS_NAME_MAX = 253, MG_DNS_LABEL_MAX = 63 };

enum mg_dns_type {
	MG_DNS_A = 1,
	MG_DNS_NS = 2,
	MG_DNS_CNAME = 5,
	MG_DNS_SOA = 6,
	MG_DNS_PTR = 12,
	MG_DNS_MX = 15,
	MG_DNS_TXT = 16,
	MG_DNS_AAAA = 28,
	MG_DNS_TLSA = 52,
};
const char *mg_dns_type_name(enum mg_dns_type type); /* "A", ...; "TYPE" for another */

struct mg_dns_question {
	enum mg_dns_type type;
	unsigned char length; /* of name, without its NUL */
	char name[MG_DNS_NAME_MAX + 1];
};

/* Makes a question of `name` (one final dot is taken off, letters become lower case). False: no name that DNS can hold
 * (empty, a label empty or over 63 bytes, over 253 in all, a NUL); *question_out is untouched. */
bool mg_dns_question_make(struct mg_str name, enum mg_dns_type type, struct mg_dns_question *question_out);

bool mg_dns_question_eq(const struct mg_dns_question *a, const struct mg_dns_question *b);

#endif
