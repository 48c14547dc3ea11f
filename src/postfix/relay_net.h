/* relay_net.h - addresses and networks exactly as Postfix reads them, and how far a network reaches beyond its owner.
 *
 * Unlike base/ip.h nothing is mapped: Postfix sees IPv4 clients as IPv4, so "[::ffff:0.0.0.0]/96" matches nobody.
 *
 * Threads: pure. */
#ifndef MG_POSTFIX_RELAY_NET_H
#define MG_POSTFIX_RELAY_NET_H

#include "base/ip.h"

enum mg_relay_net {
	MG_RELAY_NET_NONE, /* no address at all: a name, perhaps */
	MG_RELAY_NET_GOOD,
	MG_RELAY_NET_BAD, /* meant as a network, but Postfix refuses it: host bits, mask, short form */
};

/* How many strangers a permitted network lets in. */
enum mg_relay_reach {
	MG_RELAY_REACH_OURS,     /* loopback, private: of any width */
	MG_RELAY_REACH_NARROW,   /* public, but no wider than one site: /24, /48 */
	MG_RELAY_REACH_DOUBTFUL, /* a provider's or a company's: /16 ... /23, /32 ... /47 */
	MG_RELAY_REACH_WORLD,
};

/* An address without brackets or mask. */
bool mg_relay_ip_parse(struct mg_str text, struct mg_ip *ip_out);

/* "192.0.2.0/24", "[2001:db8::]/32", "192.0.2.1"; `is_bare`: IPv6 without brackets, as in cidr: tables. */
enum mg_relay_net mg_relay_net_parse(struct mg_str text, bool is_bare, struct mg_net *net_out);

/* The net that a key of check_client_access stands for: "192", "192.0.2", "2001:db8", a whole address. */
bool mg_relay_net_of_key(struct mg_str key, struct mg_net *net_out);

enum mg_relay_reach mg_relay_net_reach(const struct mg_net *net);

/* The first address behind the net; false: there is none. */
bool mg_relay_net_behind(const struct mg_net *net, struct mg_ip *ip_out);

/* Whether this can be the address of a client that comes from outside: no loopback, private, multicast, 0/8. */
bool mg_relay_ip_is_outside(const struct mg_ip *ip);

/* The ranges that mg_relay_ip_is_outside() leaves out. */
const struct mg_net *mg_relay_inside_nets(size_t *count_out);

#endif
