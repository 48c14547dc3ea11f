#include "control/control.h"

#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>

#include "base/log.h"
#include "control/call.h"

enum { GROUPS_MAX = 256, GROUP_TEXT = 4096, UNREAD_MAX = 256 * 1024 };

struct mg_client_link {
	LIST_ENTRY(mg_client_link) link;
	struct mg_control *control;
	struct bufferevent *stream; /* NULL: the client went away while its call was under way */
	bool may_change;
	bool is_calling;
	bool is_closing; /* behind the answer being sent */
};

struct mg_control {
	struct mg_control_options o;
	struct evconnlistener *listener;
	LIST_HEAD(clients, mg_client_link) clients;
	unsigned count;
};

/* ---- clients ---- */

static void free_client(struct mg_client_link *client)
{
	LIST_REMOVE(client, link);
	client->control->count--;
	free(client);
}

static void drop_client(struct mg_client_link *client)
{
	if (client->stream != NULL)
		bufferevent_free(client->stream);
	client->stream = NULL;
	if (!client->is_calling)
		free_client(client);
}

static void set_patience(struct mg_client_link *client)
{
	static const struct timeval patience = { .tv_sec = MG_CONTROL_PATIENCE_S },
				    idle = { .tv_sec = MG_CONTROL_IDLE_S };
	bool is_begun = evbuffer_get_length(bufferevent_get_input(client->stream)) > 0;

	bufferevent_set_timeouts(client->stream, is_begun ? &patience : &idle, &patience);
}

/* ---- answers ---- */

static void send_json(struct mg_client_link *client, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	if (text != NULL && client->stream != NULL) {
		evbuffer_add(bufferevent_get_output(client->stream), text, strlen(text));
		evbuffer_add(bufferevent_get_output(client->stream), "\n", 1);
	}
	free(text);
	json_decref(json);
}

static void send_error(struct mg_client_link *client, json_t *id, enum mg_rpc_error error, const char *text)
{
	send_json(client, json_pack("{s:s, s:O, s:{s:i, s:o}}", "jsonrpc", "2.0", "id", id, "error", "code", (int)error,
				  "message", mg_json_text(mg_str_z(text))));
}

static void close_behind_answer(struct mg_client_link *client)
{
	client->is_closing = true;
	if (client->stream != NULL)
		bufferevent_disable(client->stream, EV_READ);
}

static void read_lines(struct mg_client_link *client);

static void free_call(struct mg_call *call)
{
	json_decref(call->id);
	json_decref(call->params);
	json_decref(call->result);
	free(call);
}

void mg_call_fail(struct mg_call *call, enum mg_rpc_error error, const char *fmt, ...)
{
	va_list args;

	if (call->error != MG_RPC_NONE)
		return;
	call->error = error;
	va_start(args, fmt);
	vsnprintf(call->error_text, sizeof call->error_text, fmt, args);
	va_end(args);
}

/* Sends the answer and ends the call. False: the client is gone, and now freed. */
static bool finish_call(struct mg_call *call)
{
	struct mg_client_link *client = call->link;

	client->is_calling = false;
	if (client->stream == NULL) {
		free_call(call);
		free_client(client);
		return false;
	}
	if (call->error == MG_RPC_NONE && call->result == NULL)
		mg_call_fail(call, MG_RPC_FAILED, "no memory for the answer");
	if (call->error != MG_RPC_NONE)
		send_error(client, call->id, call->error, call->error_text);
	else
		send_json(
			client, json_pack("{s:s, s:O, s:O}", "jsonrpc", "2.0", "id", call->id, "result", call->result));
	free_call(call);
	bufferevent_enable(client->stream, EV_READ);
	return true;
}

void mg_call_answer(struct mg_call *call)
{
	struct mg_client_link *client = call->link;

	if (finish_call(call))
		read_lines(client);
}

static void run_job(struct mg_job *job)
{
	struct mg_call *call = (struct mg_call *)job;

	call->work(call);
}

static void job_done(struct mg_job *job)
{
	mg_call_answer((struct mg_call *)job);
}

/* ---- calls ---- */

static void start_call(struct mg_client_link *client, const struct mg_rpc_method *method, json_t *id, json_t *params)
{
	struct mg_call *call = calloc(1, sizeof *call);
	bool is_pending;

	if (call == NULL) {
		send_error(client, id, MG_RPC_FAILED, "no memory for the call");
		return;
	}
	*call = (struct mg_call){ .job = { run_job, job_done, NULL },
		.options = &client->control->o,
		.link = client,
		.id = json_incref(id),
		.params = json_incref(params) };
	client->is_calling = true;
	bufferevent_disable(client->stream, EV_READ);
	is_pending = method->start(call);
	if (is_pending && call->work == NULL)
		return;
	if (is_pending && mg_jobs_add(client->control->o.jobs, &call->job))
		return;
	if (is_pending)
		mg_call_fail(call, MG_RPC_BUSY, "too many questions at once, try again");
	finish_call(call);
}

static void take_request(struct mg_client_link *client, json_t *request)
{
	json_t *id = json_object_get(request, "id"), *params = json_object_get(request, "params");
	const char *name = json_string_value(json_object_get(request, "method"));
	const struct mg_rpc_method *method = name == NULL ? NULL : mg_rpc_method_find(name);
	json_t *no_id = json_null();

	if (!json_is_string(id) && !json_is_integer(id))
		id = no_id;
	if (name == NULL || (params != NULL && !json_is_object(params))) {
		send_error(client, id, MG_RPC_INVALID, "a request has a method's name, and params that are an object");
		close_behind_answer(client);
	} else if (method == NULL) {
		send_error(client, id, MG_RPC_NO_METHOD, "there is no such method");
	} else if (method->changes_state && !client->may_change) {
		send_error(client, id, MG_RPC_NOT_PERMITTED,
			"this changes the daemon's state: only root, the daemon's user and "
			"members of control.admin_group may");
	} else {
		start_call(client, method, id, params);
	}
}

static void take_line(struct mg_client_link *client, const char *line, size_t length)
{
	json_t *request = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);

	if (json_is_object(request)) {
		take_request(client, request);
	} else {
		send_error(client, json_null(), MG_RPC_PARSE, "not a JSON object on one line");
		close_behind_answer(client);
	}
	json_decref(request);
}

static bool must_read_first(const struct mg_client_link *client)
{
	return evbuffer_get_length(bufferevent_get_output(client->stream)) >= UNREAD_MAX;
}

/* Serves line after line until a call is under way, the client must read first, or no whole line is left. Reading is off
 * meanwhile: libevent calls again and again for what lies in the buffer while it is on. */
static void read_lines(struct mg_client_link *client)
{
	struct evbuffer *in = bufferevent_get_input(client->stream);

	while (!client->is_calling && !client->is_closing && !must_read_first(client)) {
		size_t length;
		char *line = evbuffer_readln(in, &length, EVBUFFER_EOL_LF);

		if (line == NULL) {
			if (evbuffer_get_length(in) <= MG_CONTROL_LINE)
				break;
			send_error(client, json_null(), MG_RPC_PARSE, "a line has at most 64 KiB");
			close_behind_answer(client);
			return;
		}
		if (length > 0)
			take_line(client, line, length);
		free(line);
	}
	if (must_read_first(client))
		bufferevent_disable(client->stream, EV_READ);
	set_patience(client);
}

static void on_read(struct bufferevent *stream, void *arg)
{
	(void)stream;
	read_lines(arg);
}

static void on_written(struct bufferevent *stream, void *arg)
{
	struct mg_client_link *client = arg;

	(void)stream;
	if (client->is_closing) {
		drop_client(client);
	} else if (!client->is_calling) {
		bufferevent_enable(client->stream, EV_READ);
		read_lines(client);
	}
}

static void on_event(struct bufferevent *stream, short what, void *arg)
{
	(void)stream;
	(void)what;
	drop_client(arg);
}

/* ---- who may change state ---- */

static bool is_in_group(int fd, gid_t gid)
{
	gid_t groups[GROUPS_MAX];
	socklen_t size = sizeof groups;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) != 0)
		return false;
	for (size_t i = 0; i < size / sizeof groups[0]; i++)
		if (groups[i] == gid)
			return true;
	return false;
}

static bool may_change(const struct mg_control *control, int fd)
{
	struct ucred peer;
	socklen_t size = sizeof peer;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
		return false;
	return peer.uid == 0 || peer.uid == geteuid() ||
	       (control->o.admins != MG_CONTROL_NO_GROUP &&
		       (peer.gid == control->o.admins || is_in_group(fd, control->o.admins)));
}

static void on_accept(
	struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address, int length, void *arg)
{
	struct mg_control *control = arg;
	struct mg_client_link *client = NULL;

	(void)listener;
	(void)address;
	(void)length;
	if (control->count < MG_CONTROL_CLIENTS)
		client = calloc(1, sizeof *client);
	if (client != NULL)
		client->stream = bufferevent_socket_new(control->o.base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (client == NULL || client->stream == NULL) {
		mg_log(MG_LOG_WARNING, "control-refused: clients=%u", control->count);
		free(client);
		evutil_closesocket(fd);
		return;
	}
	client->control = control;
	client->may_change = may_change(control, fd);
	LIST_INSERT_HEAD(&control->clients, client, link);
	control->count++;
	bufferevent_setcb(client->stream, on_read, on_written, on_event, client);
	bufferevent_setwatermark(client->stream, EV_READ, 0, MG_CONTROL_LINE + 1);
	bufferevent_enable(client->stream, EV_READ | EV_WRITE);
	set_patience(client);
}

/* ---- life ---- */

gid_t mg_control_group_id(const char *name)
{
	char text[GROUP_TEXT];
	struct group entry, *found = NULL;

	if (name[0] == '\0' || getgrnam_r(name, &entry, text, sizeof text, &found) != 0 || found == NULL)
		return MG_CONTROL_NO_GROUP;
	return entry.gr_gid;
}

void mg_control_set_admins(struct mg_control *control, gid_t admins)
{
	control->o.admins = admins;
}

enum mg_rc mg_control_start(
	const struct mg_control_options *options, struct mg_control **control_out, struct mg_err *err)
{
	struct mg_control *control = calloc(1, sizeof *control);

	if (control == NULL)
		return mg_err_set(err, MG_ENOMEM, "no memory for the diagnostic socket");
	control->o = *options;
	control->listener =
		evconnlistener_new(options->base, on_accept, control, LEV_OPT_CLOSE_ON_EXEC, 0, options->listen_fd);
	if (control->listener == NULL) {
		free(control);
		return mg_err_set(err, MG_EIO, "libevent does not take the diagnostic socket");
	}
	*control_out = control;
	return MG_OK;
}

void mg_control_stop_accepting(struct mg_control *control)
{
	if (control->listener != NULL)
		evconnlistener_free(control->listener);
	control->listener = NULL;
}
