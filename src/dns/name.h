/* name.h - names as DNS messages write them (RFC 1035 sections 3.1 and 4.1.4), and as our text.
 *
 * Reading costs at most MG_DNS_HOPS compression pointers and 255 bytes, whatever the message says; pointers lead backward
 * only, so there are no loops.
 *
 * Threads: pure. */
#ifndef MG_DNS_NAME_H
#define MG_DNS_NAME_H

#include "base/buf.h"
#include "dns/question.h"

enum { MG_DNS_HOPS = 64, MG_DNS_WIRE_NAME_MAX = 255 };

struct mg_dns_name {
	bool is_text;         /* can be written as in question.h: no NUL, and no '.' inside a label */
	unsigned char length; /* of text; the root is "" */
	char text[MG_DNS_NAME_MAX + 1];
};

/* Reads the name at offset *at of the message and advances *at behind it. False, *at untouched: it leads out of the
 * message, forward, or is too long. */
bool mg_dns_name_read(struct mg_str message, size_t *at, struct mg_dns_name *name_out);

bool mg_dns_name_eq(const struct mg_dns_name *a, const struct mg_dns_name *b); /* false for what is no text */

/* Appends the question's name, uncompressed. */
void mg_dns_name_write(struct mg_buf *out, const struct mg_dns_question *question);

#endif
