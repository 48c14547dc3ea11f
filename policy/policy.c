#include "policy/policy.h"

#include <stdlib.h>
#include <sys/queue.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>

#include "base/log.h"
#include "policy/request.h"

static const struct timeval request_time = { .tv_sec = MG_POLICY_REQUEST_S };

struct connection {
	LIST_ENTRY(connection) link;
	struct mg_policy *policy;
	struct bufferevent *stream;
	bool is_begun;                  /* part of a request has come */
	struct mg_policy_waiter waiter; /* for the answer to the last request, while `waiter.session` is set */
};

struct mg_policy {
	struct event_base *base;
	struct evconnlistener *listener;
	struct mg_engine *engine;
	struct mg_counters *counters;
	LIST_HEAD(connections, connection) connections;
	_Atomic unsigned count;
	bool is_draining;
};

static void close_connection(struct connection *connection)
{
	mg_engine_policy_cancel(connection->policy->engine, &connection->waiter);
	LIST_REMOVE(connection, link);
	connection->policy->count--;
	bufferevent_free(connection->stream);
	free(connection);
}

static void complain(struct connection *connection, const char *what)
{
	atomic_fetch_add(&connection->policy->counters->policy_malformed, 1);
	mg_log(MG_LOG_WARNING, "policy-malformed: reason=\"%s\", connection closed", what);
}

static void answer(struct connection *connection, const struct mg_verdict *verdict)
{
	struct evbuffer *out = bufferevent_get_output(connection->stream);

	switch (verdict->action) {
	case MG_ACTION_REJECT:
		evbuffer_add_printf(out, "action=%s %s %s\n\n", verdict->code, verdict->dsn, verdict->text);
		break;
	case MG_ACTION_TEMPFAIL:
		evbuffer_add_printf(out, "action=defer_if_permit %s %s\n\n", verdict->dsn, verdict->text);
		break;
	case MG_ACTION_QUARANTINE:
		evbuffer_add_printf(out, "action=hold %s\n\n", verdict->text);
		break;
	default:
		evbuffer_add(out, "action=dunno\n\n", 14);
		break;
	}
}

/* False: the connection had to be closed. */
static bool serve(struct connection *connection, struct mg_str text)
{
	struct mg_policy_request request;
	struct mg_verdict verdict;
	struct mg_err err = { "" };

	if (mg_policy_request_parse(text, &request, &err) != MG_OK) {
		complain(connection, err.text);
		close_connection(connection);
		return false;
	}
	verdict = mg_engine_policy(connection->policy->engine, &request, &connection->waiter);
	if (verdict.action != MG_ACTION_NONE)
		answer(connection, &verdict);
	return true;
}

static bool is_waiting(const struct connection *connection)
{
	return connection->waiter.session != NULL;
}

static bool is_quiet(const struct connection *connection)
{
	return !is_waiting(connection) && evbuffer_get_length(bufferevent_get_input(connection->stream)) == 0 &&
	       evbuffer_get_length(bufferevent_get_output(connection->stream)) == 0;
}

/* A request begun has a deadline; between requests Postfix may be silent as long as it likes. */
static void set_patience(struct connection *connection)
{
	bool is_begun = !is_waiting(connection) && evbuffer_get_length(bufferevent_get_input(connection->stream)) > 0;

	if (is_begun == connection->is_begun)
		return;
	connection->is_begun = is_begun;
	bufferevent_set_timeouts(connection->stream, is_begun ? &request_time : NULL, &request_time);
}

/* Serves what has come, up to a request whose answer has to wait: one after another, as Postfix asks them. */
static void serve_all(struct connection *connection)
{
	struct evbuffer *in = bufferevent_get_input(connection->stream);

	while (!is_waiting(connection)) {
		size_t have = evbuffer_get_length(in), length;
		struct mg_str buffered;

		if (have == 0)
			break;
		buffered = mg_str_of(evbuffer_pullup(in, -1), have);
		length = mg_policy_request_length(buffered);
		if (length > MG_POLICY_REQUEST_MAX || (length == 0 && have > MG_POLICY_REQUEST_MAX)) {
			complain(connection, "a request of more than 64 KiB");
			close_connection(connection);
			return;
		}
		if (length == 0)
			break;
		if (!serve(connection, mg_str_first(buffered, length)))
			return;
		evbuffer_drain(in, length);
	}
	set_patience(connection);
	if (is_waiting(connection))
		bufferevent_disable(connection->stream, EV_READ);
	else
		bufferevent_enable(connection->stream, EV_READ);
}

static void on_read(struct bufferevent *stream, void *arg)
{
	(void)stream;
	serve_all(arg);
}

/* The engine calls this inside mg_engine_pump(), and then lets go of the waiter: what else has come is served after that. */
static void on_decided(struct mg_policy_waiter *waiter, const struct mg_verdict *verdict)
{
	struct connection *connection =
		(struct connection *)(void *)((char *)waiter - offsetof(struct connection, waiter));

	answer(connection, verdict);
	bufferevent_trigger(connection->stream, EV_READ, BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
}

static void on_written(struct bufferevent *stream, void *arg)
{
	struct connection *connection = arg;

	(void)stream;
	if (connection->policy->is_draining && is_quiet(connection))
		close_connection(connection);
}

static void on_event(struct bufferevent *stream, short what, void *arg)
{
	struct connection *connection = arg;

	(void)stream;
	if (what & BEV_EVENT_TIMEOUT)
		complain(connection, "a request that was not completed in time");
	close_connection(connection);
}

static void on_accept(
	struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address, int length, void *arg)
{
	struct mg_policy *policy = arg;
	struct connection *connection = NULL;

	(void)listener;
	(void)address;
	(void)length;
	if (policy->count < MG_POLICY_CONNECTIONS)
		connection = calloc(1, sizeof *connection);
	if (connection != NULL)
		connection->stream = bufferevent_socket_new(policy->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (connection == NULL || connection->stream == NULL) {
		mg_log(MG_LOG_WARNING, "policy-refused: connections=%u", policy->count);
		free(connection);
		evutil_closesocket(fd);
		return;
	}
	connection->policy = policy;
	connection->waiter.done = on_decided;
	LIST_INSERT_HEAD(&policy->connections, connection, link);
	policy->count++;
	bufferevent_setcb(connection->stream, on_read, on_written, on_event, connection);
	bufferevent_setwatermark(connection->stream, EV_READ, 0, MG_POLICY_REQUEST_MAX + 1);
	bufferevent_set_timeouts(connection->stream, NULL, &request_time);
	bufferevent_enable(connection->stream, EV_READ | EV_WRITE);
}

enum mg_rc mg_policy_start(struct event_base *base, int listen_fd, struct mg_engine *engine,
	struct mg_counters *counters, struct mg_policy **policy_out, struct mg_err *err)
{
	struct mg_policy *policy = calloc(1, sizeof *policy);

	if (policy == NULL)
		return mg_err_set(err, MG_ENOMEM, "no memory for the policy door");
	*policy = (struct mg_policy){ .base = base, .engine = engine, .counters = counters };
	policy->listener = evconnlistener_new(base, on_accept, policy, LEV_OPT_CLOSE_ON_EXEC, 0, listen_fd);
	if (policy->listener == NULL) {
		mg_policy_free(&policy);
		return mg_err_set(err, MG_EIO, "libevent does not take the policy socket");
	}
	*policy_out = policy;
	return MG_OK;
}

void mg_policy_drain(struct mg_policy *policy)
{
	struct connection *connection, *next;

	policy->is_draining = true;
	if (policy->listener != NULL)
		evconnlistener_disable(policy->listener);
	for (connection = LIST_FIRST(&policy->connections); connection != NULL; connection = next) {
		next = LIST_NEXT(connection, link);
		if (is_quiet(connection))
			close_connection(connection);
	}
}

unsigned mg_policy_connections(const struct mg_policy *policy)
{
	return policy->count;
}

void mg_policy_free(struct mg_policy **policy)
{
	if (*policy == NULL)
		return;
	while (!LIST_EMPTY(&(*policy)->connections))
		close_connection(LIST_FIRST(&(*policy)->connections));
	if ((*policy)->listener != NULL)
		evconnlistener_free((*policy)->listener);
	free(*policy);
	*policy = NULL;
}
