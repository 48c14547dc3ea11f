/* relay_suffix.h - names below which strangers register their own: "com", "co.uk"; libpsl is asked.
 *
 * Threads: safe from any. */
#ifndef MG_POSTFIX_RELAY_SUFFIX_H
#define MG_POSTFIX_RELAY_SUFFIX_H

#include "base/str.h"

/* Whether a domain (without a leading dot) has one label only, and not a local one such as "lan", or is a suffix of the public list's ICANN part. */
bool mg_relay_is_suffix(struct mg_str domain);

#endif
