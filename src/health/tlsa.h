/* tlsa.h - a TLSA record (RFC 6698 section 2.1) against the certificates of a file, as SMTP uses them (RFC 7672).
 *
 * Threads: pure. */
#ifndef MG_HEALTH_TLSA_H
#define MG_HEALTH_TLSA_H

#include "base/buf.h"

struct mg_tlsa {
	unsigned usage, selector, matching;
	struct mg_str data; /* of the record */
};

/* False: too short, or the data has not the length that its matching says. */
bool mg_tlsa_parse(struct mg_str record, struct mg_tlsa *tlsa_out);

/* Usages 2 and 3, selectors 0 and 1, matchings 0 to 2: others count for nothing in SMTP (RFC 7672 section 3.1). */
bool mg_tlsa_is_usable(const struct mg_tlsa *tlsa);

/* Whether the file's first certificate (usage 3), or one of its others (2), is the one the record speaks of. */
bool mg_tlsa_matches(const struct mg_tlsa *tlsa, struct mg_str pem);

/* Appends "3 1 1 0123..", the record that fits the first certificate. False: there is none. */
bool mg_tlsa_write(struct mg_str pem, struct mg_buf *out);

#endif
