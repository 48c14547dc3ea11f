/* Whatever ends a connection is only noted where it is found; the teardown runs as an event of its own (on_step), so that no
 * callback frees what its caller still holds. */
#include "guard/redis_link.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/fd.h"
#include "guard/redis_address.h"
#include "guard/redis_tls.h"

enum { CONNECT_MS = 2000, TICK_MS = 200, TROUBLE = 200, CHUNK = 4096, INPUT_MAX = 65536 };

enum link_state {
	LINK_CLOSED,
	LINK_CONNECTING, /* to addresses[next - 1], TLS included */
	LINK_HELLO,      /* AUTH, SELECT and the scripts are under way */
	LINK_READY,
};

struct pending {
	mg_redis_answer *answer;
	void *context;
	int64_t sent_us;
};

struct mg_redis_link {
	struct event_base *base;
	const struct mg_store_url *url;
	struct mg_redis_link_owner owner;
	struct mg_redis_tls *tls; /* of rediss: */
	struct event *step, *tick;

	enum link_state state;
	bool is_failed;
	char trouble[TROUBLE];
	struct mg_redis_address addresses[MG_REDIS_ADDRESSES];
	size_t address_count, next;
	int64_t begun_us; /* the connection, or its hello */
	struct bufferevent *bev;
	struct mg_redis_reader *reader;
	char sha[MG_REDIS_SCRIPTS][MG_REDIS_SHA + 1];

	struct pending pending[MG_REDIS_PENDING]; /* a ring */
	size_t first, count;
};

static void fail(struct mg_redis_link *link, const char *trouble)
{
	if (link->is_failed || link->state == LINK_CLOSED)
		return;
	link->is_failed = true;
	mg_str_copy(link->trouble, sizeof link->trouble, mg_str_z(trouble));
	mg_escape_in_place(link->trouble);
	event_active(link->step, 0, 0);
}

static void fail_errno(struct mg_redis_link *link, int errnum, const char *what)
{
	struct mg_err err = { "" };

	(void)mg_err_sys(&err, MG_EIO, errnum, "%s", what);
	fail(link, err.text);
}

/* ---- commands and their answers ---- */

static struct pending *pop(struct mg_redis_link *link)
{
	struct pending *head = &link->pending[link->first];

	link->first = (link->first + 1) % MG_REDIS_PENDING;
	link->count--;
	return head;
}

static void keep_ticking(struct mg_redis_link *link)
{
	static const struct timeval interval = { .tv_usec = TICK_MS * 1000 };

	if (!event_pending(link->tick, EV_TIMEOUT, NULL))
		event_add(link->tick, &interval);
}

static bool say(
	struct mg_redis_link *link, struct mg_redis_command command_take, mg_redis_answer *answer, void *context)
{
	bool is_sent = command_take.p != NULL && !link->is_failed && link->count < MG_REDIS_PENDING &&
		       bufferevent_write(link->bev, command_take.p, command_take.n) == 0;

	mg_redis_command_free(&command_take);
	if (!is_sent)
		return false;
	link->pending[(link->first + link->count++) % MG_REDIS_PENDING] =
		(struct pending){ answer, context, mg_mono_us() };
	keep_ticking(link);
	return true;
}

bool mg_redis_link_send(
	struct mg_redis_link *link, struct mg_redis_command command_take, mg_redis_answer *answer, void *context)
{
	if (link->state == LINK_READY)
		return say(link, command_take, answer, context);
	mg_redis_command_free(&command_take);
	return false;
}

static void take_replies(struct mg_redis_link *link)
{
	struct mg_redis_reply reply;

	while (!link->is_failed) {
		enum mg_redis_read read = mg_redis_reader_next(link->reader, &reply);

		if (read == MG_REDIS_MORE)
			return;
		if (read == MG_REDIS_NONSENSE) {
			fail(link, "the server's answer is not one we asked for, or too large");
		} else if (link->count == 0) {
			fail(link, "the server says more than it was asked");
		} else {
			struct pending head = *pop(link);

			head.answer(head.context, &reply);
		}
	}
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct mg_redis_link *link = arg;
	char chunk[CHUNK];
	size_t n;

	while (!link->is_failed && (n = bufferevent_read(bev, chunk, sizeof chunk)) > 0) {
		mg_redis_reader_feed(link->reader, mg_str_of(chunk, n));
		take_replies(link);
	}
}

/* ---- hello ---- */

void mg_redis_link_say(const struct mg_redis_link *link, const struct mg_redis_reply *reply, char *place, size_t size)
{
	struct mg_str text = reply->text;
	const char *password = link->url->password;

	if (reply->kind != MG_REDIS_ERROR) {
		mg_str_copy(place, size, MG_STR("the server's answer makes no sense"));
		return;
	}
	if (password[0] != '\0' && mg_str_find_str(text, mg_str_z(password)) != SIZE_MAX)
		text = MG_STR("an error that repeats the password");
	(void)snprintf(place, size, "the server says: %.*s", MG_STR_ARGS(mg_str_first(text, 150)));
	mg_escape_in_place(place);
}

static void fail_reply(struct mg_redis_link *link, const char *command, const struct mg_redis_reply *reply)
{
	char said[TROUBLE], trouble[TROUBLE + 16];

	mg_redis_link_say(link, reply, said, sizeof said);
	(void)snprintf(trouble, sizeof trouble, "%s: %s", command, said);
	fail(link, trouble);
}

static void on_auth(void *arg, const struct mg_redis_reply *reply)
{
	if (reply != NULL && reply->kind != MG_REDIS_TEXT)
		fail_reply(arg, "AUTH", reply);
}

static void on_select(void *arg, const struct mg_redis_reply *reply)
{
	if (reply != NULL && reply->kind != MG_REDIS_TEXT)
		fail_reply(arg, "SELECT", reply);
}

static bool is_sha(struct mg_str text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] == '\0' || strchr("0123456789abcdef", text.p[i]) == NULL)
			return false;
	return text.n == MG_REDIS_SHA;
}

/* Scripts are loaded in their order, and nothing else is asked before the last is there. */
static void on_script(void *arg, const struct mg_redis_reply *reply)
{
	struct mg_redis_link *link = arg;
	int which = 0;

	if (reply == NULL)
		return;
	if (reply->kind != MG_REDIS_TEXT || !is_sha(reply->text)) {
		fail_reply(link, "SCRIPT LOAD", reply);
		return;
	}
	while (link->sha[which][0] != '\0')
		which++;
	mg_str_copy(link->sha[which], sizeof link->sha[which], reply->text);
	if (which + 1 < MG_REDIS_SCRIPTS)
		return;
	link->state = LINK_READY;
	link->owner.ready(link->owner.context);
}

static bool say_auth(struct mg_redis_link *link)
{
	const struct mg_store_url *url = link->url;
	const char *two[] = { "AUTH", url->password }, *three[] = { "AUTH", url->user, url->password };

	if (url->password[0] == '\0')
		return true;
	return say(link, url->user[0] == '\0' ? mg_redis_command_of(two, 2) : mg_redis_command_of(three, 3), on_auth,
		link);
}

static bool say_select(struct mg_redis_link *link)
{
	char database[16];
	const char *words[] = { "SELECT", database };

	if (link->url->database == 0)
		return true;
	(void)snprintf(database, sizeof database, "%u", link->url->database);
	return say(link, mg_redis_command_of(words, 2), on_select, link);
}

static bool say_script(struct mg_redis_link *link, enum mg_redis_script which)
{
	const char *words[] = { "SCRIPT", "LOAD", mg_redis_script_text(which) };

	link->sha[which][0] = '\0';
	return say(link, mg_redis_command_of(words, 3), on_script, link);
}

static void say_hello(struct mg_redis_link *link)
{
	link->state = LINK_HELLO;
	link->begun_us = mg_mono_us();
	if (!say_auth(link) || !say_select(link) || !say_script(link, MG_REDIS_DECIDE) ||
		!say_script(link, MG_REDIS_REFUND))
		fail(link, "no memory");
}

/* ---- connecting ---- */

static void tune(struct mg_redis_link *link)
{
	evutil_socket_t fd = bufferevent_getfd(link->bev);
	int on = 1;

	(void)mg_fd_cloexec(fd, true);
	if (link->url->kind == MG_STORE_UNIX)
		return;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

static void on_error(struct mg_redis_link *link, struct bufferevent *bev, int errnum)
{
	char trouble[TROUBLE] = "";

	if (link->tls != NULL)
		mg_redis_tls_trouble(bev, trouble, sizeof trouble);
	if (trouble[0] != '\0')
		fail(link, trouble);
	else if (errnum == 0)
		fail(link, "the server broke the connection");
	else
		fail_errno(link, errnum, link->state == LINK_CONNECTING ? "can't connect" : "the connection broke");
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	int errnum = errno;
	struct mg_redis_link *link = arg;

	if ((what & BEV_EVENT_ERROR) != 0)
		on_error(link, bev, errnum);
	else if ((what & BEV_EVENT_EOF) != 0)
		fail(link, "the server closed the connection");
	else if ((what & BEV_EVENT_CONNECTED) != 0 && !link->is_failed) {
		tune(link);
		say_hello(link);
	}
}

static struct bufferevent *make_bufferevent(struct mg_redis_link *link)
{
	if (link->tls != NULL)
		return mg_redis_tls_bufferevent(link->tls, link->base, link->url->host);
	return bufferevent_socket_new(link->base, -1, BEV_OPT_CLOSE_ON_FREE);
}

static void try_next(struct mg_redis_link *link)
{
	struct mg_redis_address *to = &link->addresses[link->next++];

	link->begun_us = mg_mono_us();
	link->bev = make_bufferevent(link);
	link->reader = mg_redis_reader_new();
	if (link->bev == NULL || link->reader == NULL) {
		fail(link, "no memory");
		return;
	}
	bufferevent_setcb(link->bev, on_read, NULL, on_event, link);
	bufferevent_setwatermark(link->bev, EV_READ, 0, INPUT_MAX);
	bufferevent_enable(link->bev, EV_READ | EV_WRITE);
	keep_ticking(link);
	if (bufferevent_socket_connect(link->bev, (void *)&to->address, (int)to->length) != 0)
		fail_errno(link, errno, "can't connect");
}

void mg_redis_link_connect(struct mg_redis_link *link)
{
	struct mg_err err = { "no address" };

	mg_assert(link->state == LINK_CLOSED);
	link->state = LINK_CONNECTING;
	link->next = 0;
	link->address_count = mg_redis_addresses(link->url, link->addresses, &err);
	if (link->address_count == 0)
		fail(link, err.text);
	else
		try_next(link);
}

/* ---- the end ---- */

static void close_socket(struct mg_redis_link *link)
{
	if (link->bev != NULL)
		bufferevent_free(link->bev);
	link->bev = NULL;
	mg_redis_reader_free(&link->reader);
}

static void drop_pending(struct mg_redis_link *link)
{
	while (link->count > 0) {
		struct pending head = *pop(link);

		head.answer(head.context, NULL);
	}
}

static void on_step(evutil_socket_t fd, short what, void *arg)
{
	struct mg_redis_link *link = arg;

	(void)fd;
	(void)what;
	if (!link->is_failed)
		return;
	close_socket(link);
	if (link->state == LINK_CONNECTING && link->next < link->address_count) {
		link->is_failed = false;
		try_next(link);
		return;
	}
	drop_pending(link);
	link->state = LINK_CLOSED;
	link->is_failed = false;
	event_del(link->tick);
	link->owner.ended(link->owner.context, link->trouble);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct mg_redis_link *link = arg;
	int64_t now_us = mg_mono_us();

	(void)fd;
	(void)what;
	if (link->state < LINK_READY && now_us - link->begun_us > CONNECT_MS * MG_MS_US)
		fail(link,
			link->state == LINK_CONNECTING ? "can't connect: no answer" : "no answer to our first words");
	if (link->count > 0 && now_us - link->pending[link->first].sent_us > MG_REDIS_SILENCE_MS * MG_MS_US)
		fail(link, "no answer for seconds");
	if (!link->is_failed && (link->state < LINK_READY || link->count > 0))
		keep_ticking(link);
}

void mg_redis_link_end(struct mg_redis_link *link, const char *trouble)
{
	fail(link, trouble);
}

/* ---- life ---- */

static enum mg_rc prepare(struct mg_redis_link *link, struct mg_err *err)
{
	link->step = event_new(link->base, -1, 0, on_step, link);
	link->tick = event_new(link->base, -1, 0, on_tick, link);
	if (link->step == NULL || link->tick == NULL)
		return mg_err_set(err, MG_ENOMEM, "no memory for the store's connection");
	return link->url->kind == MG_STORE_TLS ? mg_redis_tls_new(&link->tls, err) : MG_OK;
}

enum mg_rc mg_redis_link_new(struct event_base *base, const struct mg_store_url *url,
	const struct mg_redis_link_owner *owner, struct mg_redis_link **link_out, struct mg_err *err)
{
	struct mg_redis_link *link = calloc(1, sizeof *link);
	enum mg_rc rc;

	if (link == NULL)
		return mg_err_set(err, MG_ENOMEM, "no memory for the store's connection");
	link->base = base;
	link->url = url;
	link->owner = *owner;
	rc = prepare(link, err);
	if (rc == MG_OK)
		*link_out = link;
	else
		mg_redis_link_free(&link);
	return rc;
}

void mg_redis_link_free(struct mg_redis_link **link)
{
	struct mg_redis_link *ending = *link;

	if (ending == NULL)
		return;
	*link = NULL;
	ending->state = LINK_CLOSED;
	close_socket(ending);
	drop_pending(ending);
	mg_redis_tls_free(&ending->tls);
	if (ending->step != NULL)
		event_free(ending->step);
	if (ending->tick != NULL)
		event_free(ending->tick);
	free(ending);
}

bool mg_redis_link_is_closed(const struct mg_redis_link *link)
{
	return link->state == LINK_CLOSED;
}

size_t mg_redis_link_pending(const struct mg_redis_link *link)
{
	return link->count;
}

const char *mg_redis_link_sha(const struct mg_redis_link *link, enum mg_redis_script which)
{
	return link->sha[which];
}
