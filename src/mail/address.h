/* address.h - mail addresses as the SMTP envelope writes them (RFC 5321 section 4.1.2).
 *
 * Threads: pure. */
#ifndef MG_MAIL_ADDRESS_H
#define MG_MAIL_ADDRESS_H

#include "base/str.h"

/* The address inside one pair of angle brackets, or the text itself when it has none: "<a@b>" and "a@b" give "a@b",
 * "<>" gives "". A source route ("<@x:a@b>") stays as it is. */
struct mg_str mg_address_bare(struct mg_str path);

/* What stands behind the last '@', without a final dot; empty for an address without a domain. */
struct mg_str mg_address_domain(struct mg_str address);

#endif
