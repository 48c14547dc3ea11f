/* The thread that speaks to the server: what is sent, and what wakes it. */
#include "guard/redis_state.h"

#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"

enum { FAREWELL_MS = 300 };

void mg_redis_set_timer(struct event *timer, int64_t in_us)
{
	struct timeval interval = { .tv_sec = in_us / MG_S_US, .tv_usec = in_us % MG_S_US };

	if (in_us < 0)
		interval = (struct timeval){ 0 };
	event_add(timer, &interval);
}

/* ---- sending ---- */

static struct mg_redis_command command_of(struct mg_redis_store *redis, const struct mg_redis_request *request)
{
	enum mg_redis_script which = request->what == MG_REQUEST_REFUND ? MG_REDIS_REFUND : MG_REDIS_DECIDE;
	const char *sha = request->is_taught ? "" : mg_redis_link_sha(redis->link, which);

	if (request->what == MG_REQUEST_RESET)
		return mg_redis_reset_command(request->items);
	return mg_redis_script_command(which, sha, request->items, request->count);
}

bool mg_redis_put_on_wire(struct mg_redis_store *redis, struct mg_redis_request *request)
{
	request->asked_us = mg_mono_us();
	return mg_redis_link_send(redis->link, command_of(redis, request), mg_redis_take, request);
}

/* False: it was abandoned before it was sent. */
static bool begin_waiting(struct mg_redis_store *redis, struct mg_redis_request *request)
{
	bool is_wanted;

	pthread_mutex_lock(&redis->lock);
	is_wanted = request->charge != NULL;
	if (is_wanted)
		TAILQ_INSERT_TAIL(&redis->waiting, request, place);
	request->is_waiting = is_wanted;
	pthread_mutex_unlock(&redis->lock);
	if (is_wanted && !event_pending(redis->limit, EV_TIMEOUT, NULL))
		mg_redis_set_timer(redis->limit, request->deadline_us - mg_mono_us());
	return is_wanted;
}

void mg_redis_send(struct mg_redis_store *redis, struct mg_redis_request *request)
{
	if (request->what == MG_REQUEST_CHARGE && !begin_waiting(redis, request))
		mg_redis_request_free(redis, request);
	else if (!mg_redis_put_on_wire(redis, request))
		mg_redis_undone(redis, request);
}

/* ---- what wakes the thread ---- */

void mg_redis_leave_when_done(struct mg_redis_store *redis)
{
	if (redis->is_leaving && mg_redis_link_pending(redis->link) == 0)
		event_base_loopbreak(redis->base);
}

static void probe(struct mg_redis_store *redis)
{
	static const struct mg_charge_item item = { .bucket = { .limit = 1, .burst = 1, .per_s = 1 },
		.limit = ".probe",
		.key = "",
		.cost = 1,
		.mode = MG_CHARGE_FORCED };
	struct mg_redis_request *request = mg_redis_request_new(redis, MG_REQUEST_PROBE, &item, 1);

	if (request == NULL) {
		mg_redis_try_later(redis);
		return;
	}
	pthread_mutex_lock(&redis->lock);
	redis->held++;
	pthread_mutex_unlock(&redis->lock);
	redis->is_probing = mg_redis_put_on_wire(redis, request);
	if (!redis->is_probing) {
		mg_redis_request_free(redis, request);
		mg_redis_try_later(redis);
	}
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct mg_redis_store *redis = arg;

	(void)fd;
	(void)what;
	if (redis->is_leaving)
		return;
	if (mg_redis_link_is_closed(redis->link))
		mg_redis_link_connect(redis->link);
	else if (!redis->is_probing)
		probe(redis);
}

static void on_ready(void *context)
{
	struct mg_redis_store *redis = context;

	pthread_mutex_lock(&redis->lock);
	redis->stats.reconnects += redis->was_ready;
	pthread_mutex_unlock(&redis->lock);
	redis->was_ready = true;
	probe(redis);
}

static void on_ended(void *context, const char *trouble)
{
	struct mg_redis_store *redis = context;

	mg_redis_go_down(redis, trouble);
	mg_redis_leave_when_done(redis);
	mg_redis_try_later(redis);
}

/* Decides what has waited long enough. */
static bool expire(struct mg_redis_store *redis)
{
	int64_t now_us = mg_mono_us();
	struct mg_redis_request *head;
	bool has_expired = false;

	pthread_mutex_lock(&redis->lock);
	while ((head = TAILQ_FIRST(&redis->waiting)) != NULL && head->deadline_us <= now_us) {
		mg_redis_answer_locally(redis, head);
		redis->stats.timeouts++;
		has_expired = true;
	}
	if (head != NULL)
		mg_redis_set_timer(redis->limit, head->deadline_us - now_us);
	pthread_mutex_unlock(&redis->lock);
	return has_expired;
}

static void on_limit(evutil_socket_t fd, short what, void *arg)
{
	struct mg_redis_store *redis = arg;

	(void)fd;
	(void)what;
	if (!expire(redis) || !redis->is_up)
		return;
	mg_redis_go_down(redis, "no answer in time");
	mg_redis_try_later(redis);
}

static void on_farewell(evutil_socket_t fd, short what, void *arg)
{
	struct mg_redis_store *redis = arg;

	(void)fd;
	(void)what;
	event_base_loopbreak(redis->base);
}

static void leave(struct mg_redis_store *redis)
{
	redis->is_leaving = true;
	mg_redis_note_state(redis, false);
	mg_redis_set_timer(redis->farewell, FAREWELL_MS * MG_MS_US);
	mg_redis_leave_when_done(redis);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct mg_redis_store *redis = arg;
	struct mg_redis_queue inbox = TAILQ_HEAD_INITIALIZER(inbox);
	struct mg_redis_request *request;
	bool is_stopping;
	uint64_t times;

	(void)what;
	if (read(fd, &times, sizeof times) < 0)
		return;
	pthread_mutex_lock(&redis->lock);
	TAILQ_CONCAT(&inbox, &redis->inbox, place);
	is_stopping = redis->is_stopping;
	pthread_mutex_unlock(&redis->lock);
	while ((request = TAILQ_FIRST(&inbox)) != NULL) {
		TAILQ_REMOVE(&inbox, request, place);
		mg_redis_send(redis, request);
	}
	if (is_stopping && !redis->is_leaving)
		leave(redis);
}

/* ---- life ---- */

enum mg_rc mg_redis_work_init(struct mg_redis_store *redis, struct mg_err *err)
{
	const struct mg_redis_link_owner owner = { redis, on_ready, on_ended };

	redis->base = event_base_new();
	if (redis->base == NULL)
		return mg_err_set(err, MG_EIO, "no event loop for the shared store");
	redis->wake = event_new(redis->base, redis->wake_fd, EV_READ | EV_PERSIST, on_wake, redis);
	redis->retry = event_new(redis->base, -1, 0, on_retry, redis);
	redis->limit = event_new(redis->base, -1, 0, on_limit, redis);
	redis->farewell = event_new(redis->base, -1, 0, on_farewell, redis);
	if (redis->wake == NULL || redis->retry == NULL || redis->limit == NULL || redis->farewell == NULL ||
		event_add(redis->wake, NULL) != 0)
		return mg_err_set(err, MG_ENOMEM, "no memory for the shared store's events");
	event_active(redis->retry, 0, 0);
	return mg_redis_link_new(redis->base, &redis->url, &owner, &redis->link, err);
}

void *mg_redis_work(void *arg)
{
	struct mg_redis_store *redis = arg;

	pthread_setname_np(pthread_self(), "mg-store");
	event_base_loop(redis->base, EVLOOP_NO_EXIT_ON_EMPTY);
	return NULL;
}

void mg_redis_work_fini(struct mg_redis_store *redis)
{
	struct event *events[] = { redis->wake, redis->retry, redis->limit, redis->farewell };
	struct mg_redis_request *request;

	mg_redis_link_free(&redis->link);
	while ((request = TAILQ_FIRST(&redis->inbox)) != NULL) {
		TAILQ_REMOVE(&redis->inbox, request, place);
		mg_redis_undone(redis, request);
	}
	for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
		if (events[i] != NULL)
			event_free(events[i]);
	if (redis->base != NULL)
		event_base_free(redis->base);
}
