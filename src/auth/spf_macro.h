/* spf_macro.h - macro-strings of SPF (RFC 7208 section 7): their syntax, and what they expand to.
 *
 * Text is walked piece by piece and never copied but into a bounded buffer; a value's parts are found by walking it from
 * one end, so the work is linear. A value is at most MG_SPF_VALUE bytes, whoever made it.
 *
 * Threads: pure. */
#ifndef MG_AUTH_SPF_MACRO_H
#define MG_AUTH_SPF_MACRO_H

#include "base/buf.h"
#include "base/ip.h"
#include "dns/question.h"

enum { MG_SPF_VALUE = 768, MG_SPF_NAME = MG_DNS_NAME_MAX + 1 };

/* What the letters stand for (section 7.2). */
struct mg_spf_values {
	struct mg_str sender, local_part, sender_domain; /* s l o */
	struct mg_str domain;                            /* d */
	struct mg_str helo;                              /* h */
	struct mg_str validated;                         /* p */
	struct mg_str receiver;                          /* r */
	struct mg_ip ip;                                 /* i c v */
	int64_t now_s;                                   /* t */
};

/* Where a macro-string stands decides what it may hold. */
enum mg_spf_place {
	MG_SPF_IN_DOMAIN,   /* a domain-spec: no c, r, t (section 7.2) */
	MG_SPF_IN_MODIFIER, /* the value of an unknown modifier */
	MG_SPF_IN_TEXT,     /* an explanation: spaces too */
};

bool mg_spf_macro_is_sound(struct mg_str text, enum mg_spf_place place);

/* Whether `spec` is a domain-spec (section 7.1): sound, and its end a macro or a dot and a top label. */
bool mg_spf_domain_spec_is_sound(struct mg_str spec);

/* Whether %{p} stands in it: that one costs DNS questions. */
bool mg_spf_macro_uses_p(struct mg_str text);

/* Appends the expansion of a sound text; what the buffer can't hold is left out. */
void mg_spf_expand(struct mg_buf *out, struct mg_str text, const struct mg_spf_values *values);

/* The expansion of a sound domain-spec as a name to ask for: without a final dot; of a longer one labels are removed from
 * the left until it has 253 bytes (section 7.3). It may still be a name that DNS can't hold: then its length says so, or
 * mg_dns_question_make() does. False: no memory. */
bool mg_spf_expand_name(
	struct mg_str spec, const struct mg_spf_values *values, char place[MG_SPF_NAME], size_t *length_out);

#endif
