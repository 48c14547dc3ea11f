/* c-ares tells by sock_state_cb which sockets it wants watched. It gets events through ares_process_fd(), and there only;
 * timeouts come from the owner's tick, because its own ares_timeout() walks all questions. */
#include "dns/resolver_channel.h"

#include <ares.h>
#include <stdlib.h>
#include <string.h>

enum { WATCHES = 8, UDP_ACCEPTED_BYTES = 4096 };

struct watch {
	int fd;
	struct event *event; /* NULL: free place */
	struct mg_resolver_channel *channel;
};

struct mg_resolver_channel {
	ares_channel ares;
	struct event_base *base;
	const struct mg_resolver_channel_owner *owner;
	struct watch watches[WATCHES]; /* one socket for UDP or TCP, and one that closes */
	unsigned pending, sent;
};

struct question {
	struct mg_resolver_channel *channel;
	void *ticket;
};

/* NOCHECKRESP: error codes come to us. IGNTC: truncation too. EDNS: UDP replies over 512 bytes are taken. */
static const int flags_of[MG_WAYS] = {
	[MG_WAY_EDNS] = ARES_FLAG_NOCHECKRESP | ARES_FLAG_IGNTC | ARES_FLAG_EDNS,
	[MG_WAY_PLAIN] = ARES_FLAG_NOCHECKRESP | ARES_FLAG_IGNTC,
	[MG_WAY_TCP] = ARES_FLAG_NOCHECKRESP | ARES_FLAG_USEVC,
};

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct watch *watch = arg;
	struct mg_resolver_channel *channel = watch->channel;

	ares_process_fd(channel->ares, (what & EV_READ) != 0 ? fd : ARES_SOCKET_BAD,
		(what & EV_WRITE) != 0 ? fd : ARES_SOCKET_BAD);
	channel->owner->served(channel->owner->context);
}

static struct watch *watch_of(struct mg_resolver_channel *channel, int fd)
{
	struct watch *free_place = NULL;

	for (size_t i = 0; i < WATCHES; i++) {
		struct watch *watch = &channel->watches[i];

		if (watch->event != NULL && watch->fd == fd)
			return watch;
		if (watch->event == NULL)
			free_place = watch;
	}
	return free_place;
}

static void stop_watching(struct watch *watch)
{
	if (watch->event != NULL)
		event_free(watch->event);
	watch->event = NULL;
}

/* Without a place or memory the socket goes unwatched: its questions time out. */
static void watch_socket(void *context, ares_socket_t fd, int is_readable, int is_writable)
{
	struct mg_resolver_channel *channel = context;
	struct watch *watch = watch_of(channel, fd);
	short what = (short)(EV_PERSIST | (is_readable ? EV_READ : 0) | (is_writable ? EV_WRITE : 0));

	if (watch == NULL)
		return;
	stop_watching(watch);
	if (!is_readable && !is_writable)
		return;
	*watch = (struct watch){ .fd = fd, .channel = channel };
	watch->event = event_new(channel->base, fd, what, on_socket, watch);
	if (watch->event != NULL)
		event_add(watch->event, NULL);
}

static int set_server(ares_channel ares, const struct mg_server_address *address)
{
	struct ares_addr_port_node node = { .family = address->ip.family == MG_IP_V6 ? AF_INET6 : AF_INET,
		.udp_port = (int)address->port,
		.tcp_port = (int)address->port };

	memcpy(&node.addr, address->ip.bytes, address->ip.family == MG_IP_V6 ? 16 : 4);
	return ares_set_servers_ports(ares, &node);
}

/* All that c-ares would read from files or the environment is given, or read from nowhere. */
static int open_ares(struct mg_resolver_channel *channel, const struct mg_server_address *address, enum mg_way way,
	unsigned timeout_ms)
{
	char nowhere[] = "/dev/null", lookups[] = "b";
	struct ares_options options = { .flags = flags_of[way],
		.timeout = (int)timeout_ms,
		.tries = 1,
		.lookups = lookups,
		.sock_state_cb = watch_socket,
		.sock_state_cb_data = channel,
		.ednspsz = UDP_ACCEPTED_BYTES,
		.resolvconf_path = nowhere };
	int status = ares_init_options(&channel->ares, &options,
		ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS |
			ARES_OPT_SOCK_STATE_CB | ARES_OPT_EDNSPSZ | ARES_OPT_RESOLVCONF);

	if (status != ARES_SUCCESS)
		return status;
	status = set_server(channel->ares, address);
	if (status != ARES_SUCCESS)
		ares_destroy(channel->ares);
	return status;
}

struct mg_resolver_channel *mg_resolver_channel_open(struct event_base *base, const struct mg_server_address *address,
	enum mg_way way, unsigned timeout_ms, const struct mg_resolver_channel_owner *owner)
{
	struct mg_resolver_channel *channel = calloc(1, sizeof *channel);

	if (channel == NULL)
		return NULL;
	channel->base = base;
	channel->owner = owner;
	if (open_ares(channel, address, way, timeout_ms) != ARES_SUCCESS) {
		free(channel);
		return NULL;
	}
	return channel;
}

void mg_resolver_channel_close(struct mg_resolver_channel **channel)
{
	struct mg_resolver_channel *closing = *channel;

	if (closing == NULL)
		return;
	*channel = NULL;
	ares_destroy(closing->ares);
	for (size_t i = 0; i < WATCHES; i++)
		stop_watching(&closing->watches[i]);
	free(closing);
}

static void on_reply(void *arg, int status, int timeouts, unsigned char *message, int length)
{
	struct question *question = arg;
	struct mg_resolver_channel *channel = question->channel;
	void *ticket = question->ticket;
	enum mg_reply reply = status == ARES_ETIMEOUT ? MG_REPLY_SILENCE : MG_REPLY_UNREACHABLE;

	(void)timeouts;
	if (status == ARES_SUCCESS && message != NULL && length >= 0)
		reply = MG_REPLY_MESSAGE;
	free(question);
	channel->pending--;
	channel->owner->take(channel->owner->context, ticket, reply,
		reply == MG_REPLY_MESSAGE ? mg_str_of(message, (size_t)length) : mg_str_of(NULL, 0));
}

void mg_resolver_channel_send(struct mg_resolver_channel *channel, struct mg_str query, void *ticket)
{
	struct question *question = malloc(sizeof *question);

	if (question == NULL) {
		channel->owner->take(channel->owner->context, ticket, MG_REPLY_UNREACHABLE, mg_str_of(NULL, 0));
		return;
	}
	*question = (struct question){ channel, ticket };
	channel->pending++;
	channel->sent++;
	ares_send(channel->ares, (const unsigned char *)query.p, (int)query.n, on_reply, question);
}

void mg_resolver_channel_tick(struct mg_resolver_channel *channel)
{
	ares_process_fd(channel->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

unsigned mg_resolver_channel_pending(const struct mg_resolver_channel *channel)
{
	return channel->pending;
}

unsigned mg_resolver_channel_sent(const struct mg_resolver_channel *channel)
{
	return channel->sent;
}
