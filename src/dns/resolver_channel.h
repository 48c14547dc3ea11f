/* resolver_channel.h - one c-ares channel to one server, asked in one way, on a libevent loop.
 *
 * c-ares carries the bytes and matches reply and question (id, question, server's address); failover, retries, health and
 * what a reply means are not its business here, so a channel knows one server and tries once. A socket lives while there
 * are questions on it: its source port changes.
 *
 * A reply may come while mg_resolver_channel_send() runs (c-ares may fail at once), so whoever takes it must only note it down.
 *
 * Threads: one owner, that of the loop. */
#ifndef MG_DNS_RESOLVER_CHANNEL_H
#define MG_DNS_RESOLVER_CHANNEL_H

#include <event2/event.h>

#include "dns/resolver_address.h"

enum mg_way {
	MG_WAY_EDNS,  /* UDP, the query has an OPT record */
	MG_WAY_PLAIN, /* UDP without EDNS, for servers that don't know it: 512 bytes */
	MG_WAY_TCP,
	MG_WAYS,
};

enum mg_reply {
	MG_REPLY_MESSAGE,
	MG_REPLY_SILENCE,     /* nothing within the timeout */
	MG_REPLY_UNREACHABLE, /* refused, no route, broken, no memory, being closed */
};

struct mg_resolver_channel;

struct mg_resolver_channel_owner {
	void *context;
	/* The reply to the question sent with `ticket`; `message` is borrowed, empty unless MG_REPLY_MESSAGE. */
	void (*take)(void *context, void *ticket, enum mg_reply reply, struct mg_str message);
	/* Sockets have been served: what was noted down can be worked on. */
	void (*served)(void *context);
};

/* NULL: no memory. `owner` outlives it. */
struct mg_resolver_channel *mg_resolver_channel_open(struct event_base *base, const struct mg_server_address *address,
	enum mg_way way, unsigned timeout_ms, const struct mg_resolver_channel_owner *owner);
/* What is under way is MG_REPLY_UNREACHABLE. Never from within `take` or `served`. */
void mg_resolver_channel_close(struct mg_resolver_channel **channel);

void mg_resolver_channel_send(struct mg_resolver_channel *channel, struct mg_str query, void *ticket);
void mg_resolver_channel_tick(struct mg_resolver_channel *channel); /* ends what timed out */

unsigned mg_resolver_channel_pending(const struct mg_resolver_channel *channel);
unsigned mg_resolver_channel_sent(const struct mg_resolver_channel *channel);

#endif
