/* key.h - how facts about a message are written in keys, so that who is the same has one key however it is spelled.
 *
 * Lower case; the +tag folded ("ann+x@d" is "ann@d") and a quoted local part unquoted; no final dot. Bytes that are no
 * plain text are escaped (base/escape.h), and commas, which stand between parts. What is too long is its beginning, "~" and a
 * hash: nobody escapes a limit with a name that does not fit.
 *
 * Threads: pure. */
#ifndef MG_GUARD_KEY_H
#define MG_GUARD_KEY_H

#include "base/ip.h"

enum { MG_KEY_PART = 300, MG_KEY_PART_MIN = 80 }; /* good sizes of `place`: for one part, and the least */

/* An address or a login. False: there is none. */
bool mg_key_address(struct mg_str address, char *place, size_t size);
/* A domain. False: there is none. */
bool mg_key_domain(struct mg_str domain, char *place, size_t size);
/* "192.0.2.0/24", "2001:db8:1:2::/64". False: no address. */
bool mg_key_client_net(const struct mg_ip *client, char *place, size_t size);

#endif
