/* dmarc_rfc7489.h - what the RFC that DMARC had before would have done otherwise, for reports: its organizational domain came
 * from the public suffix list, and it knew pct.
 *
 * Threads: safe from any; asks nothing of DNS that was not asked already. */
#ifndef MG_AUTH_DMARC_RFC7489_H
#define MG_AUTH_DMARC_RFC7489_H

#include "auth/dmarc.h"

/* `record`, found at `policy_domain`, applied to `author`, and the message passed or not. Returns in plain English what
 * RFC 7489 would have done otherwise; "" nothing. Static. */
const char *mg_dmarc_rfc7489_differs(struct mg_str author, const struct mg_dmarc_record *record,
	struct mg_str policy_domain, const struct mg_dmarc_identifier *identifiers, size_t count, bool has_passed);

#endif
