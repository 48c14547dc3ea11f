#include "dns_server_kit.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

enum { CONNECTIONS = 16, DELAYED = 4096, MESSAGE = 65535 };

struct delayed {
	int64_t due_us;
	struct sockaddr_in to;
	size_t n;
	unsigned char *bytes;
};

struct server_run {
	struct pollfd fds[3 + CONNECTIONS];
	struct delayed delayed[DELAYED];
	size_t delayed_count;
	unsigned char reply[MESSAGE + 2];
	unsigned last_id;
};

struct query {
	const unsigned char *bytes;
	size_t question_end; /* offset behind the question */
	unsigned type;
	bool has_opt;
};

static bool read_query(const unsigned char *bytes, size_t n, struct query *query)
{
	size_t at = 12;

	if (n < 17)
		return false;
	while (at < n && bytes[at] != 0)
		at += bytes[at] + 1U;
	if (at + 5 > n)
		return false;
	*query = (struct query){ bytes, at + 5, (unsigned)bytes[at + 1] << 8 | bytes[at + 2],
		(bytes[10] << 8 | bytes[11]) == 1 };
	return true;
}

static size_t put(unsigned char *to, size_t at, const void *bytes, size_t n)
{
	memcpy(to + at, bytes, n);
	return at + n;
}

static size_t put_txt(unsigned char *to, size_t at, size_t bytes)
{
	size_t strings = (bytes + 254) / 255, length = bytes + strings;

	to[at++] = (unsigned char)(length >> 8);
	to[at++] = (unsigned char)length;
	for (size_t left = bytes; left > 0;) {
		size_t n = left < 255 ? left : 255;

		to[at++] = (unsigned char)n;
		memset(to + at, 'x', n);
		at += n;
		left -= n;
	}
	return at;
}

/* The question with a header; no records yet. */
static size_t begin_reply(const struct query *query, unsigned char *reply, unsigned flags)
{
	memcpy(reply, query->bytes, query->question_end);
	reply[2] = (unsigned char)(0x81 | flags >> 8);
	reply[3] = (unsigned char)(0x80 | flags);
	memset(reply + 6, 0, 6);
	return query->question_end;
}

static size_t answer(const struct server *server, const struct query *query, unsigned char *reply, unsigned char mark)
{
	const unsigned char head[] = { 0xc0, 12, 0, (unsigned char)query->type, 0, 1, 0, 0, 0, 60 };
	size_t at = begin_reply(query, reply, 0);

	if (query->type != 1 && query->type != 16)
		return at;
	reply[7] = 1;
	at = put(reply, at, head, sizeof head);
	if (query->type == 1)
		return put(reply, at, (const unsigned char[]){ 0, 4, 192, 0, 2, mark }, 6);
	return put_txt(reply, at, server->text_bytes);
}

static void send_now(struct server *server, const struct sockaddr_in *to, const unsigned char *bytes, size_t n)
{
	(void)!sendto(server->udp_fd, bytes, n, MSG_DONTWAIT, (const void *)to, sizeof *to);
}

static void send_udp(struct server *server, const struct sockaddr_in *to, const unsigned char *bytes, size_t n)
{
	struct server_run *run = server->run;
	struct delayed *later = &run->delayed[run->delayed_count];

	if (server->delay_ms == 0 || run->delayed_count == DELAYED) {
		send_now(server, to, bytes, n);
		return;
	}
	*later = (struct delayed){ mg_mono_us() + server->delay_ms * MG_MS_US, *to, n, malloc(n + 1) };
	memcpy(later->bytes, bytes, n);
	run->delayed_count++;
}

static size_t with_rcode(const struct query *query, unsigned char *reply, unsigned rcode)
{
	return begin_reply(query, reply, rcode);
}

static size_t garbage(const struct query *query, unsigned char *reply)
{
	size_t at = begin_reply(query, reply, 0);

	reply[7] = 1;
	return put(reply, at, "\xff\xff\xff", 3);
}

static void send_from_elsewhere(const struct sockaddr_in *to, const unsigned char *bytes, size_t n)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	mg_assert(sendto(fd, bytes, n, 0, (const void *)to, sizeof *to) == (ssize_t)n);
	mg_fd_close(&fd);
}

/* What a lie says is told apart by its address. */
static void lie(struct server *server, const struct query *query, const struct sockaddr_in *to, enum server_act act)
{
	unsigned char *reply = server->run->reply;
	size_t n = answer(server, query, reply, 66);

	if (act == ACT_LIE_ADDRESS) {
		send_from_elsewhere(to, reply, n);
		return;
	}
	if (act == ACT_LIE_ID)
		reply[1] ^= 1;
	else if (act == ACT_LIE_QUESTION)
		reply[13] ^= 1;
	else
		n = 0;
	send_udp(server, to, reply, n);
}

static void serve_udp_query(struct server *server, const struct query *query, const struct sockaddr_in *to)
{
	unsigned char *reply = server->run->reply;
	enum server_act act = (enum server_act)server->act;
	size_t n = answer(server, query, reply, server->mark);

	switch (act) {
	case ACT_ANSWER:
		break;
	case ACT_SILENT:
		return;
	case ACT_DROP_FIRST:
		server->act = ACT_ANSWER;
		return;
	case ACT_SERVFAIL:
		n = with_rcode(query, reply, 2);
		break;
	case ACT_REFUSED:
		n = with_rcode(query, reply, 5);
		break;
	case ACT_NXDOMAIN:
		n = with_rcode(query, reply, 3);
		break;
	case ACT_TRUNCATE:
	case ACT_HANG_UP:
	case ACT_MUTE_TCP:
		n = begin_reply(query, reply, 0x200);
		break;
	case ACT_CUT:
		n -= 3;
		break;
	case ACT_LIE_ID:
	case ACT_LIE_QUESTION:
	case ACT_LIE_ADDRESS:
	case ACT_EMPTY:
		lie(server, query, to, act);
		n = answer(server, query, reply, server->mark);
		break;
	case ACT_NO_EDNS:
		n = query->has_opt ? with_rcode(query, reply, 1) : n;
		break;
	case ACT_NO_EDNS_BARE:
		if (query->has_opt) {
			with_rcode(query, reply, 1);
			reply[5] = 0;
			n = 12;
		}
		break;
	case ACT_NOTIMP_EDNS:
		n = query->has_opt ? with_rcode(query, reply, 4) : n;
		break;
	case ACT_DEAF_EDNS:
		if (query->has_opt)
			return;
		break;
	case ACT_GARBAGE:
		n = garbage(query, reply);
		break;
	}
	send_udp(server, to, reply, n);
}

static void serve_udp(struct server *server)
{
	unsigned char bytes[4096];
	struct sockaddr_in from;
	socklen_t from_size = sizeof from;
	ssize_t n = recvfrom(server->udp_fd, bytes, sizeof bytes, MSG_DONTWAIT, (void *)&from, &from_size);
	struct query query;
	unsigned id;

	if (n < 0 || !read_query(bytes, (size_t)n, &query))
		return;
	id = (unsigned)bytes[0] << 8 | bytes[1];
	server->ids_repeated += id == server->run->last_id;
	server->run->last_id = id;
	server->with_edns += query.has_opt;
	server->udp++;
	serve_udp_query(server, &query, &from);
}

/* One question of a connection, read in one piece: c-ares writes it so. False: closed. */
static bool serve_tcp(struct server *server, int fd)
{
	unsigned char bytes[4096], *reply = server->run->reply;
	ssize_t got = recv(fd, bytes, sizeof bytes, 0);
	size_t at = 0, n;
	struct query query;

	while (got > 2 && (size_t)got - at > 2 && server->act != ACT_HANG_UP) {
		size_t length = (size_t)bytes[at] << 8 | bytes[at + 1];

		if (length > (size_t)got - at - 2 || !read_query(bytes + at + 2, length, &query))
			return false;
		server->tcp++;
		if (server->act == ACT_MUTE_TCP)
			return true;
		n = server->act == ACT_GARBAGE ? garbage(&query, reply + 2)
					       : answer(server, &query, reply + 2, server->mark);
		reply[0] = (unsigned char)(n >> 8);
		reply[1] = (unsigned char)n;
		if (!mg_fd_write_all(fd, mg_str_of(reply, n + 2), mg_mono_us() + MG_S_US))
			return false;
		at += 2 + length;
	}
	if (server->act == ACT_HANG_UP && got > 0)
		server->tcp++;
	return got > 0 && server->act != ACT_HANG_UP;
}

static void accept_one(struct server *server)
{
	int fd = accept(server->tcp_fd, NULL, NULL);

	for (size_t i = 3; i < 3 + CONNECTIONS; i++)
		if (server->run->fds[i].fd < 0) {
			server->run->fds[i] = (struct pollfd){ .fd = fd, .events = POLLIN };
			return;
		}
	mg_fd_close(&fd);
}

/* Sends what is due; returns poll's timeout for the rest. */
static int send_delayed(struct server *server)
{
	struct server_run *run = server->run;
	int64_t now_us = mg_mono_us(), next_us = now_us + MG_S_US;
	size_t kept = 0;

	for (size_t i = 0; i < run->delayed_count; i++) {
		struct delayed *one = &run->delayed[i];

		if (one->due_us <= now_us) {
			send_now(server, &one->to, one->bytes, one->n);
			free(one->bytes);
			continue;
		}
		next_us = one->due_us < next_us ? one->due_us : next_us;
		run->delayed[kept++] = *one;
	}
	run->delayed_count = kept;
	return (int)((next_us - now_us) / MG_MS_US) + 1;
}

static void *serve(void *arg)
{
	struct server *server = arg;
	struct pollfd *fds = server->run->fds;

	for (;;) {
		(void)poll(fds, 3 + CONNECTIONS, send_delayed(server));
		if (fds[0].revents != 0)
			return NULL;
		if (fds[1].revents != 0)
			serve_udp(server);
		if (fds[2].revents != 0)
			accept_one(server);
		for (size_t i = 3; i < 3 + CONNECTIONS; i++)
			if (fds[i].fd >= 0 && fds[i].revents != 0 && !serve_tcp(server, fds[i].fd)) {
				mg_fd_close(&fds[i].fd);
				fds[i].revents = 0;
			}
	}
}

/* Both sockets on one port; false: the port is taken for one of them. */
static bool bind_both(struct server *server, unsigned port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	socklen_t size = sizeof at;
	int on = 1;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server->udp_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	server->tcp_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(server->tcp_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(server->udp_fd, (void *)&at, sizeof at) == 0 && getsockname(server->udp_fd, (void *)&at, &size) == 0 &&
		bind(server->tcp_fd, (void *)&at, sizeof at) == 0 && listen(server->tcp_fd, 64) == 0) {
		server->port = ntohs(at.sin_port);
		return true;
	}
	mg_fd_close(&server->udp_fd);
	mg_fd_close(&server->tcp_fd);
	return false;
}

void server_begin_at(struct server *server, enum server_act act, unsigned char mark, unsigned port)
{
	*server = (struct server){ .act = act, .mark = mark, .text_bytes = 100 };
	for (int tries = 0; !bind_both(server, port); tries++)
		mg_assert(tries < 100);
	(void)snprintf(server->address, sizeof server->address, "127.0.0.1:%u", server->port);
	server->stop_fd = eventfd(0, EFD_CLOEXEC);
	server->run = calloc(1, sizeof *server->run);
	for (size_t i = 0; i < 3 + CONNECTIONS; i++)
		server->run->fds[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
	server->run->fds[0].fd = server->stop_fd;
	server->run->fds[1].fd = server->udp_fd;
	server->run->fds[2].fd = server->tcp_fd;
	pthread_create(&server->thread, NULL, serve, server);
}

void server_begin(struct server *server, enum server_act act, unsigned char mark)
{
	server_begin_at(server, act, mark, 0);
}

void server_end(struct server *server)
{
	uint64_t one = 1;

	(void)!write(server->stop_fd, &one, sizeof one);
	pthread_join(server->thread, NULL);
	for (size_t i = 0; i < 3 + CONNECTIONS; i++)
		mg_fd_close(&server->run->fds[i].fd);
	for (size_t i = 0; i < server->run->delayed_count; i++)
		free(server->run->delayed[i].bytes);
	free(server->run);
}
