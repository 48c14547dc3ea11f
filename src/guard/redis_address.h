/* redis_address.h - where the shared store can be connected to.
 *
 * Threads: pure, but a host's name is looked up with the system's resolver, which blocks: only where nobody waits. */
#ifndef MG_GUARD_REDIS_ADDRESS_H
#define MG_GUARD_REDIS_ADDRESS_H

#include <sys/socket.h>

#include "conf/store_url.h"

enum { MG_REDIS_ADDRESSES = 8 };

struct mg_redis_address {
	struct sockaddr_storage address;
	socklen_t length;
};

/* At most MG_REDIS_ADDRESSES, in the order in which to try them. 0: none, and `err` says why. */
size_t mg_redis_addresses(const struct mg_store_url *url, struct mg_redis_address *list_out, struct mg_err *err);

#endif
