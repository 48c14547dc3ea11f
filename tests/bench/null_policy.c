/* The floor of the policy door: libevent, the end of each request found as policy/policy.c finds it, and "dunno".
 *
 *   null_policy unix:/PATH */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "base/fd.h"

static void on_read(struct bufferevent *stream, void *unused)
{
	struct evbuffer *in = bufferevent_get_input(stream);
	size_t have;

	(void)unused;
	while ((have = evbuffer_get_length(in)) > 0) {
		const unsigned char *text = evbuffer_pullup(in, -1);
		const unsigned char *end = memmem(text, have, "\n\n", 2);

		if (end == NULL)
			break;
		evbuffer_add(bufferevent_get_output(stream), "action=dunno\n\n", 14);
		evbuffer_drain(in, (size_t)(end - text) + 2);
	}
}

static void on_event(struct bufferevent *stream, short what, void *unused)
{
	(void)what;
	(void)unused;
	bufferevent_free(stream);
}

static void on_accept(
	struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address, int length, void *unused)
{
	struct bufferevent *stream =
		bufferevent_socket_new(evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);

	(void)address;
	(void)length;
	(void)unused;
	if (stream == NULL) {
		evutil_closesocket(fd);
		return;
	}
	bufferevent_setcb(stream, on_read, NULL, on_event, NULL);
	bufferevent_enable(stream, EV_READ | EV_WRITE);
}

int main(int argc, char **argv)
{
	struct event_base *base = event_base_new();
	struct mg_endpoint endpoint;
	struct mg_err err = { "" };

	if (argc != 2 || base == NULL || mg_endpoint_parse(mg_str_z(argv[1]), &endpoint, &err) != MG_OK) {
		fprintf(stderr, "usage: null_policy unix:/PATH %s\n", err.text);
		return EXIT_FAILURE;
	}
	if (evconnlistener_new_bind(base, on_accept, NULL, LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_CLOSE_ON_FREE, 512,
		    (void *)&endpoint.address, (int)endpoint.length) == NULL) {
		fprintf(stderr, "null_policy: can't listen on %s\n", argv[1]);
		return EXIT_FAILURE;
	}
	return event_base_dispatch(base) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
