/* resolver_address.h - where the resolvers are: addresses as settings and resolv.conf(5) write them.
 *
 * Threads: pure, but for the file that is read. */
#ifndef MG_DNS_RESOLVER_ADDRESS_H
#define MG_DNS_RESOLVER_ADDRESS_H

#include "base/ip.h"
#include "dns/resolver.h"

struct mg_server_address {
	struct mg_ip ip;
	unsigned port;
};

struct mg_server_list {
	size_t count;
	struct mg_server_address items[MG_RESOLVER_SERVERS];
};

/* "192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:5353". */
bool mg_server_address_parse(struct mg_str text, struct mg_server_address *address_out);
const char *mg_server_address_text(const struct mg_server_address *address, char *place, size_t size);
bool mg_server_address_eq(const struct mg_server_address *a, const struct mg_server_address *b);

/* The servers of the options. MG_ESYNTAX, MG_ERANGE: the sentence names the culprit. */
MG_MUSTCHECK
enum mg_rc mg_server_list_of(
	const struct mg_resolver_options *options, struct mg_server_list *list_out, struct mg_err *err);

/* The nameserver lines of a resolv.conf: the first MG_RESOLVER_SERVERS that can be read, at port 53. IPv6 zones ("%eth0") are
 * ignored, as are all other lines. */
void mg_resolv_conf_parse(struct mg_str text, struct mg_server_list *list_out);

/* What tells one state of a file from another. */
struct mg_file_mark {
	uint64_t device, inode, bytes;
	int64_t seconds, nanoseconds;
};

/* Reads the file if it is another than `mark` says, and updates the mark. False: as before. A file that can't be read has
 * no servers. */
bool mg_resolv_conf_follow(const char *path, struct mg_file_mark *mark, struct mg_server_list *list_out);

#endif
