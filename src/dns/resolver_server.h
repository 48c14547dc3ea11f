/* resolver_server.h - one DNS server: its channels, how it has been answering, what it can do.
 *
 * A server that stayed silent MG_SERVER_SILENCES times in a row, or can't be reached, is down: it is tried after the others,
 * and every MG_SERVER_PROBE_US a question is put to it beside the server that is really asked; its first answer makes it
 * one of the others again.
 *
 * A channel is replaced after MG_SERVER_TURN questions, so that its socket does not keep one source port for ever under a
 * load that never pauses.
 *
 * Threads: the resolver's; what `stats` holds changes under the resolver's lock. */
#ifndef MG_DNS_RESOLVER_SERVER_H
#define MG_DNS_RESOLVER_SERVER_H

#include "dns/resolver_channel.h"

enum { MG_SERVER_SILENCES = 2, MG_SERVER_TURN = 1000, MG_SERVER_RETIRED = 4 };
#define MG_SERVER_PROBE_US (2 * MG_S_US)
#define MG_SERVER_PLAIN_US (600 * MG_S_US) /* how long a server is taken not to know EDNS */

struct mg_server {
	struct mg_server_address address;
	unsigned timeout_ms;
	struct event_base *base;
	const struct mg_resolver_channel_owner *owner;
	struct mg_resolver_channel *channels[MG_WAYS];          /* opened when needed */
	struct mg_resolver_channel *retired[MG_SERVER_RETIRED]; /* closed when nothing is under way on them */

	unsigned pending;  /* attempts that name it */
	unsigned failures; /* in a row */
	bool knows_edns;   /* has answered a query with EDNS */
	int64_t plain_until_us, probe_at_us;
	struct mg_server_stats stats;
	struct mg_server *next; /* in the list of those that leave */
};

struct mg_server *mg_server_new(struct event_base *base, const struct mg_server_address *address, unsigned timeout_ms,
	const struct mg_resolver_channel_owner *owner); /* NULL: no memory */
/* Ends what is under way. Never from within a reply, as free. */
void mg_server_close(struct mg_server *server);
void mg_server_free(struct mg_server **server); /* sets *server to NULL */

/* The reply comes to the owner; perhaps at once. */
void mg_server_send(struct mg_server *server, enum mg_way way, struct mg_str query, void *ticket);
void mg_server_tick(struct mg_server *server);

bool mg_server_is_plain(const struct mg_server *server, int64_t now_us); /* is asked without EDNS */

/* Under the resolver's lock: what became of a question. */
void mg_server_answered(struct mg_server *server, enum mg_way way, int64_t now_us, int64_t took_us);
void mg_server_failed(struct mg_server *server, enum mg_way way, enum mg_reply reply, int64_t now_us);

#endif
