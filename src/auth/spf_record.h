/* spf_record.h - SPF records as text (RFC 7208 sections 3, 4.5, 4.6): which TXT record it is, and its terms.
 *
 * A record is checked whole before any of it is used (section 4.6: syntax errors anywhere are a permerror); its
 * directives are then read one by one from the same text, so nothing is stored and nothing can grow.
 *
 * Threads: pure. */
#ifndef MG_AUTH_SPF_RECORD_H
#define MG_AUTH_SPF_RECORD_H

#include "auth/result.h"
#include "dns/answer.h"

enum mg_spf_selected { MG_SPF_NO_RECORD, MG_SPF_ONE_RECORD, MG_SPF_SEVERAL_RECORDS };

/* The record among the TXT records of a name (section 4.5): those that begin with "v=spf1" and a space, or are it. What
 * follows the version goes to *terms_out, borrowed from the answer. */
enum mg_spf_selected mg_spf_record_select(const struct mg_dns_answer *answer, struct mg_str *terms_out);

enum mg_spf_kind {
	MG_SPF_NO_KIND, /* no term */
	MG_SPF_ALL,
	MG_SPF_INCLUDE,
	MG_SPF_A,
	MG_SPF_MX,
	MG_SPF_PTR,
	MG_SPF_IP4,
	MG_SPF_IP6,
	MG_SPF_EXISTS,
	MG_SPF_REDIRECT, /* modifiers from here on */
	MG_SPF_EXP,
	MG_SPF_UNKNOWN_MODIFIER,
};

struct mg_spf_term {
	enum mg_spf_kind kind;
	enum mg_result result; /* what its qualifier says; pass without one */
	struct mg_str text;    /* the whole term, as written */
	struct mg_str spec;    /* domain-spec, or a modifier's value, not expanded; "" none: the domain itself */
	struct mg_net net;     /* ip4, ip6 */
	unsigned bits4, bits6; /* a, mx: of the dual-cidr-length; 32 and 128 without */
};

/* Whether a term of this kind asks DNS, and so counts (section 4.6.4). */
bool mg_spf_kind_asks(enum mg_spf_kind kind);

struct mg_spf_record {
	struct mg_str terms;         /* of a sound record */
	struct mg_str redirect, exp; /* domain-specs; "" without the modifier */
};

/* Checks all terms. False: *record_out is not to be used, and *wrong_out is the term that is wrong. */
bool mg_spf_record_parse(struct mg_str terms, struct mg_spf_record *record_out, struct mg_str *wrong_out);

/* The next directive; modifiers are passed over. False: there is none, or the text isn't sound. */
bool mg_spf_directive_next(struct mg_str *terms, struct mg_spf_term *term_out);

#endif
