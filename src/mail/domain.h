/* domain.h - domain names as mail writes them: checked, and in the form that DNS is asked with.
 *
 * Threads: pure. */
#ifndef MG_MAIL_DOMAIN_H
#define MG_MAIL_DOMAIN_H

#include "base/str.h"

enum { MG_DOMAIN_MAX = 253, MG_DOMAIN_TEXT = MG_DOMAIN_MAX + 1 };

/* The A-label form of a domain in lower case without its final dot, into `place` of MG_DOMAIN_TEXT bytes. U-labels (UTF-8)
 * are converted (RFC 5890, as RFC 8616 asks). False, and "" in place, for what is no host-like domain: an empty label or
 * one over 63 bytes, more than 253 in all, a byte that is no letter, digit, hyphen or underscore, a hyphen at a label's
 * edge, an address literal, a U-label that IDNA2008 refuses. One label is enough. */
bool mg_domain_ascii(struct mg_str domain, char place[MG_DOMAIN_TEXT]);

/* Whether `domain` is `parent` or lies below it; both as mg_domain_ascii() gives them. */
bool mg_domain_is_within(struct mg_str domain, struct mg_str parent);

/* Without its first label; empty when it has only one. */
struct mg_str mg_domain_parent(struct mg_str domain);
size_t mg_domain_labels(struct mg_str domain); /* 0 for "" */

#endif
