#include "dns/resolver_server.h"

#include <stdlib.h>

#include "base/clock.h"

enum { MEAN_WEIGHT = 8 };

struct mg_server *mg_server_new(struct event_base *base, const struct mg_server_address *address, unsigned timeout_ms,
	const struct mg_resolver_channel_owner *owner)
{
	struct mg_server *server = calloc(1, sizeof *server);

	if (server == NULL)
		return NULL;
	server->base = base;
	server->address = *address;
	server->timeout_ms = timeout_ms;
	server->owner = owner;
	mg_server_address_text(address, server->stats.address, sizeof server->stats.address);
	return server;
}

void mg_server_close(struct mg_server *server)
{
	for (size_t i = 0; i < MG_WAYS; i++)
		mg_resolver_channel_close(&server->channels[i]);
	for (size_t i = 0; i < MG_SERVER_RETIRED; i++)
		mg_resolver_channel_close(&server->retired[i]);
}

void mg_server_free(struct mg_server **server)
{
	mg_server_close(*server);
	free(*server);
	*server = NULL;
}

/* Makes the way's channel leave if it has served its turn and there is a place for it to drain. */
static void rotate(struct mg_server *server, enum mg_way way)
{
	struct mg_resolver_channel *channel = server->channels[way];

	if (channel == NULL || mg_resolver_channel_sent(channel) < MG_SERVER_TURN)
		return;
	for (size_t i = 0; i < MG_SERVER_RETIRED; i++)
		if (server->retired[i] == NULL) {
			server->retired[i] = channel;
			server->channels[way] = NULL;
			return;
		}
}

void mg_server_send(struct mg_server *server, enum mg_way way, struct mg_str query, void *ticket)
{
	struct mg_resolver_channel **channel = &server->channels[way];

	rotate(server, way);
	if (*channel == NULL)
		*channel = mg_resolver_channel_open(
			server->base, &server->address, way, server->timeout_ms, server->owner);
	if (*channel == NULL)
		server->owner->take(server->owner->context, ticket, MG_REPLY_UNREACHABLE, mg_str_of(NULL, 0));
	else
		mg_resolver_channel_send(*channel, query, ticket);
}

void mg_server_tick(struct mg_server *server)
{
	for (size_t i = 0; i < MG_WAYS; i++)
		if (server->channels[i] != NULL && mg_resolver_channel_pending(server->channels[i]) > 0)
			mg_resolver_channel_tick(server->channels[i]);
	for (size_t i = 0; i < MG_SERVER_RETIRED; i++) {
		if (server->retired[i] == NULL)
			continue;
		mg_resolver_channel_tick(server->retired[i]);
		if (mg_resolver_channel_pending(server->retired[i]) == 0)
			mg_resolver_channel_close(&server->retired[i]);
	}
}

bool mg_server_is_plain(const struct mg_server *server, int64_t now_us)
{
	return now_us < server->plain_until_us;
}

/* One that answers without EDNS and never did with it does not know it. */
static void learn_edns(struct mg_server *server, enum mg_way way, int64_t now_us)
{
	if (way == MG_WAY_EDNS)
		server->knows_edns = true;
	else if (way == MG_WAY_PLAIN && !server->knows_edns && !mg_server_is_plain(server, now_us))
		server->plain_until_us = now_us + MG_SERVER_PLAIN_US;
}

void mg_server_answered(struct mg_server *server, enum mg_way way, int64_t now_us, int64_t took_us)
{
	struct mg_server_stats *stats = &server->stats;

	server->failures = 0;
	stats->is_down = false;
	stats->mean_us = stats->answered == 0 ? (uint64_t)took_us
					      : (stats->mean_us * (MEAN_WEIGHT - 1) + (uint64_t)took_us) / MEAN_WEIGHT;
	stats->answered++;
	learn_edns(server, way, now_us);
}

/* TCP may be barred where UDP is not: it tells nothing of the server. */
void mg_server_failed(struct mg_server *server, enum mg_way way, enum mg_reply reply, int64_t now_us)
{
	if (reply == MG_REPLY_SILENCE)
		server->stats.timeouts++;
	if (way == MG_WAY_TCP)
		return;
	server->failures++;
	if (reply == MG_REPLY_SILENCE && server->failures < MG_SERVER_SILENCES)
		return;
	if (!server->stats.is_down)
		server->probe_at_us = now_us + MG_SERVER_PROBE_US;
	server->stats.is_down = true;
}
