/* ip.h - one address type for IPv4 and IPv6, and networks.
 *
 * An IPv4-mapped IPv6 address (::ffff:a.b.c.d) is read as the IPv4 address it stands for.
 *
 * Threads: pure. */
#ifndef MG_BASE_IP_H
#define MG_BASE_IP_H

#include <sys/socket.h>

#include "base/str.h"

enum mg_ip_family { MG_IP_NONE = 0, MG_IP_V4 = 4, MG_IP_V6 = 6 };

struct mg_ip {
	enum mg_ip_family family; /* MG_IP_NONE: no address */
	unsigned char bytes[16];  /* network order; 4 used for IPv4, the rest zero */
};

struct mg_net {
	struct mg_ip base;
	unsigned bits; /* 0..32 or 0..128 */
};

enum { MG_IP_TEXT = 46 }; /* bytes for the longest text form with its NUL */

/* Reads "192.0.2.1", "2001:db8::1", "IPv6:2001:db8::1" (as milters see it), "[...]" around either. */
bool mg_ip_parse(struct mg_str text, struct mg_ip *ip_out);
/* `port_out` may be NULL. False: no Internet address. */
bool mg_ip_from_sockaddr(const struct sockaddr *address, struct mg_ip *ip_out, unsigned *port_out);
const char *mg_ip_text(const struct mg_ip *ip, char *place, size_t size); /* "" for MG_IP_NONE */

bool mg_ip_eq(const struct mg_ip *a, const struct mg_ip *b);
bool mg_ip_is_loopback(const struct mg_ip *ip); /* 127/8, ::1 */
bool mg_ip_is_private(const struct mg_ip *ip);  /* RFC 1918, 4193, link-local (3927, 4291) */

/* "192.0.2.0/24", "[2001:db8::]/32", "2001:db8::/32", a bare address; host bits must be zero. */
bool mg_net_parse(struct mg_str text, struct mg_net *net_out);
bool mg_net_contains(const struct mg_net *net, const struct mg_ip *ip);
bool mg_net_is_private(const struct mg_net *net); /* every address of it is */

#endif
