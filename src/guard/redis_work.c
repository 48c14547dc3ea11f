/* The thread that speaks to the server, and the breaker.
 *
 * The breaker is open (is_up false) until a probe, which is a real decision on a level of its own, was answered in time. A server that
 * is late keeps its connection, so that what it charges late is known and can be given back; it is probed until it is in time
 * again. One that says what can't be used loses the connection. Either way the pause before the next try doubles, from PAUSE_MS
 * up to PAUSE_MAX_MS, and begins anew only after a while that went well. */
#include "guard/redis_state.h"

#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"

enum { PAUSE_MS = 50, PAUSE_MAX_MS = 4000, LASTING_S = 10, FAREWELL_MS = 300, LATENCY_WEIGHT = 8 };

static void send_request(struct mg_redis_store *redis, struct mg_redis_request *request);

static void set_timer(struct event *timer, int64_t in_us)
{
	struct timeval interval = { .tv_sec = in_us / MG_S_US, .tv_usec = in_us % MG_S_US };

	if (in_us < 0)
		interval = (struct timeval){ 0 };
	event_add(timer, &interval);
}

/* ---- the breaker ---- */

static void try_later(struct mg_redis_store *redis)
{
	unsigned doublings = redis->tries < 8 ? redis->tries : 8;
	int64_t pause_us = (int64_t)(PAUSE_MS << doublings) * MG_MS_US;
	uint16_t dice = 0;

	redis->tries++;
	if (pause_us > PAUSE_MAX_MS * MG_MS_US)
		pause_us = PAUSE_MAX_MS * MG_MS_US;
	if (getrandom(&dice, sizeof dice, GRND_NONBLOCK) < 0)
		dice = 0;
	set_timer(redis->retry, pause_us * 3 / 4 + pause_us / 2 * dice / UINT16_MAX);
}

static void note_state(struct mg_redis_store *redis, bool is_up)
{
	pthread_mutex_lock(&redis->lock);
	if (redis->is_up != is_up)
		redis->stats.since_us = mg_wall_us();
	redis->is_up = is_up;
	pthread_mutex_unlock(&redis->lock);
}

static void go_down(struct mg_redis_store *redis, const char *trouble)
{
	if (redis->is_up && mg_mono_us() - redis->up_since_us > LASTING_S * MG_S_US)
		redis->tries = 0;
	note_state(redis, false);
	pthread_mutex_lock(&redis->lock);
	(void)mg_str_copy(redis->stats.trouble, sizeof redis->stats.trouble, mg_str_z(trouble));
	pthread_mutex_unlock(&redis->lock);
	if (!redis->is_away_told && !redis->is_leaving)
		mg_log(MG_LOG_WARNING, "store-away: server=%s, trouble=\"%s\"", redis->url.shown, trouble);
	redis->is_away_told = true;
}

static void send_owed(struct mg_redis_store *redis)
{
	struct mg_redis_queue owed = TAILQ_HEAD_INITIALIZER(owed);
	struct mg_redis_request *request;

	pthread_mutex_lock(&redis->lock);
	TAILQ_CONCAT(&owed, &redis->owed, place);
	redis->held += redis->owed_count;
	redis->owed_count = 0;
	pthread_mutex_unlock(&redis->lock);
	while ((request = TAILQ_FIRST(&owed)) != NULL) {
		TAILQ_REMOVE(&owed, request, place);
		send_request(redis, request);
	}
}

static void go_up(struct mg_redis_store *redis)
{
	redis->up_since_us = mg_mono_us();
	note_state(redis, true);
	send_owed(redis);
	if (redis->is_away_told)
		mg_log(MG_LOG_NOTICE, "store-back: server=%s", redis->url.shown);
	redis->is_away_told = false;
}

/* What the server says is of no use. */
static void lose(struct mg_redis_store *redis, const struct mg_redis_reply *reply)
{
	char trouble[200];

	mg_redis_link_say(redis->link, reply, trouble, sizeof trouble);
	mg_redis_link_end(redis->link, trouble);
	go_down(redis, trouble);
}

/* ---- answers to charges ---- */

/* Under the lock. Whoever waits may free the charge as soon as it is decided. */
static void answer_charge(
	struct mg_redis_request *request, const struct mg_charge_item *items, bool is_refused, bool is_local)
{
	struct mg_charge *charge = request->charge;
	void (*ready)(void *context) = charge->ready;
	void *context = charge->context;

	for (size_t i = 0; i < charge->count; i++) {
		charge->item[i].is_charged = items[i].is_charged;
		charge->item[i].is_local = is_local && items[i].is_charged;
		charge->item[i].is_over = items[i].is_over;
		charge->item[i].wait_ns = items[i].wait_ns;
		charge->item[i].used = items[i].used;
	}
	charge->is_refused = is_refused;
	charge->is_local = is_local;
	charge->token = NULL;
	request->charge = NULL;
	charge->is_decided = true;
	ready(context);
}

/* Under the lock. */
static void stop_waiting(struct mg_redis_store *redis, struct mg_redis_request *request)
{
	if (request->is_waiting)
		TAILQ_REMOVE(&redis->waiting, request, place);
	request->is_waiting = false;
}

/* Under the lock: the server had its time. What it may charge yet is to be given back where this machine refuses. */
static void answer_locally(struct mg_redis_store *redis, struct mg_redis_request *request)
{
	struct mg_charge *local = &redis->scratch;

	stop_waiting(redis, request);
	if (request->charge == NULL)
		return;
	local->count = request->count;
	memcpy(local->item, request->items, request->count * sizeof request->items[0]);
	mg_redis_decide_locally(redis, local);
	request->is_unwanted = local->is_refused;
	answer_charge(request, local->item, local->is_refused, true);
}

static void answer_from_server(struct mg_redis_store *redis, struct mg_redis_request *request, bool is_refused)
{
	pthread_mutex_lock(&redis->lock);
	stop_waiting(redis, request);
	if (request->charge != NULL) {
		redis->decisions++;
		answer_charge(request, request->items, is_refused, false);
	}
	pthread_mutex_unlock(&redis->lock);
}

static void note_latency(struct mg_redis_store *redis, const struct mg_redis_request *request)
{
	int64_t took_us = mg_mono_us() - request->asked_us;

	pthread_mutex_lock(&redis->lock);
	if (redis->stats.latency_us == 0)
		redis->stats.latency_us = took_us;
	else
		redis->stats.latency_us += (took_us - redis->stats.latency_us) / LATENCY_WEIGHT;
	if (redis->stats.latency_us == 0)
		redis->stats.latency_us = 1;
	pthread_mutex_unlock(&redis->lock);
}

/* ---- requests ---- */

static void free_request(struct mg_redis_store *redis, struct mg_redis_request *request)
{
	pthread_mutex_lock(&redis->lock);
	redis->held--;
	pthread_mutex_unlock(&redis->lock);
	free(request);
}

/* The server has not done what was asked, and never will. */
static void undone(struct mg_redis_store *redis, struct mg_redis_request *request)
{
	if (request->what == MG_REQUEST_REFUND || request->what == MG_REQUEST_RESET) {
		pthread_mutex_lock(&redis->lock);
		redis->held--;
		pthread_mutex_unlock(&redis->lock);
		mg_redis_owe(redis, request);
		return;
	}
	pthread_mutex_lock(&redis->lock);
	answer_locally(redis, request);
	pthread_mutex_unlock(&redis->lock);
	free_request(redis, request);
}

/* Nobody knows whether it has. A refund is not repeated: twice would give away what others may not spend. */
static void unknown(struct mg_redis_store *redis, struct mg_redis_request *request)
{
	if (request->what == MG_REQUEST_REFUND) {
		redis->memory.refund(redis->memory.context, request->items, request->count);
		free_request(redis, request);
		return;
	}
	undone(redis, request);
}

static void learn(struct mg_redis_store *redis, const struct mg_redis_request *request)
{
	for (size_t i = 0; i < request->count; i++)
		mg_memory_store_learn(redis->state, &request->items[i]);
}

/* It becomes the refund of what was charged. */
static void give_back(struct mg_redis_store *redis, struct mg_redis_request *request)
{
	size_t n = 0;

	for (size_t i = 0; i < request->count; i++)
		if (request->items[i].is_charged)
			request->items[n++] = request->items[i];
	request->what = MG_REQUEST_REFUND;
	request->count = n;
	request->is_taught = false;
	if (n > 0)
		send_request(redis, request);
	else
		free_request(redis, request);
}

static bool is_unwanted(struct mg_redis_store *redis, const struct mg_redis_request *request)
{
	bool is_unwanted;

	pthread_mutex_lock(&redis->lock);
	is_unwanted = request->is_unwanted;
	pthread_mutex_unlock(&redis->lock);
	return is_unwanted;
}

static void take_decision(
	struct mg_redis_store *redis, struct mg_redis_request *request, const struct mg_redis_reply *reply)
{
	bool is_refused;

	if (reply->kind != MG_REDIS_TEXT ||
		!mg_redis_decide_answer(reply->text, request->items, request->count, &is_refused)) {
		lose(redis, reply);
		undone(redis, request);
		return;
	}
	note_latency(redis, request);
	learn(redis, request);
	answer_from_server(redis, request, is_refused);
	if (is_unwanted(redis, request))
		give_back(redis, request);
	else
		free_request(redis, request);
}

static void take_refund(
	struct mg_redis_store *redis, struct mg_redis_request *request, const struct mg_redis_reply *reply)
{
	if (reply->kind == MG_REDIS_TEXT && mg_redis_refund_answer(reply->text, request->items, request->count)) {
		learn(redis, request);
		free_request(redis, request);
		return;
	}
	lose(redis, reply);
	if (reply->kind == MG_REDIS_ERROR)
		undone(redis, request);
	else
		unknown(redis, request);
}

static void take_reset(
	struct mg_redis_store *redis, struct mg_redis_request *request, const struct mg_redis_reply *reply)
{
	if (reply->kind == MG_REDIS_NUMBER) {
		free_request(redis, request);
		return;
	}
	lose(redis, reply);
	undone(redis, request);
}

static void take_probe(
	struct mg_redis_store *redis, struct mg_redis_request *request, const struct mg_redis_reply *reply)
{
	int64_t took_us = mg_mono_us() - request->asked_us;
	bool is_refused, is_answer;

	is_answer = reply->kind == MG_REDIS_TEXT &&
		    mg_redis_decide_answer(reply->text, request->items, request->count, &is_refused);
	redis->is_probing = false;
	if (is_answer)
		note_latency(redis, request);
	free_request(redis, request);
	if (!is_answer)
		lose(redis, reply);
	else if (took_us < redis->patience_us)
		go_up(redis);
	else
		try_later(redis);
}

static struct mg_redis_command command_of(struct mg_redis_store *redis, const struct mg_redis_request *request)
{
	enum mg_redis_script which = request->what == MG_REQUEST_REFUND ? MG_REDIS_REFUND : MG_REDIS_DECIDE;
	const char *sha = request->is_taught ? "" : mg_redis_link_sha(redis->link, which);

	if (request->what == MG_REQUEST_RESET)
		return mg_redis_reset_command(request->items);
	return mg_redis_script_command(which, sha, request->items, request->count);
}

/* A server that was restarted has forgotten the scripts: it is told the text once. */
static bool is_to_teach(const struct mg_redis_request *request, const struct mg_redis_reply *reply)
{
	return !request->is_taught && mg_redis_reply_is_error(reply, MG_STR("NOSCRIPT"));
}

static bool put_on_wire(struct mg_redis_store *redis, struct mg_redis_request *request);

static void take_answer(
	struct mg_redis_store *redis, struct mg_redis_request *request, const struct mg_redis_reply *reply)
{
	static void (*const take[])(struct mg_redis_store * redis, struct mg_redis_request * request,
		const struct mg_redis_reply *reply) = { [MG_REQUEST_CHARGE] = take_decision,
		[MG_REQUEST_REFUND] = take_refund,
		[MG_REQUEST_RESET] = take_reset,
		[MG_REQUEST_PROBE] = take_probe };

	if (!is_to_teach(request, reply)) {
		take[request->what](redis, request, reply);
		return;
	}
	request->is_taught = true;
	if (!put_on_wire(redis, request))
		undone(redis, request);
}

static void leave_when_done(struct mg_redis_store *redis)
{
	if (redis->is_leaving && mg_redis_link_pending(redis->link) == 0)
		event_base_loopbreak(redis->base);
}

static void on_answer(void *arg, const struct mg_redis_reply *reply)
{
	struct mg_redis_request *request = arg;
	struct mg_redis_store *redis = request->redis;

	if (reply != NULL) {
		take_answer(redis, request, reply);
		leave_when_done(redis);
		return;
	}
	if (request->what == MG_REQUEST_PROBE)
		redis->is_probing = false;
	unknown(redis, request);
}

static bool put_on_wire(struct mg_redis_store *redis, struct mg_redis_request *request)
{
	request->asked_us = mg_mono_us();
	return mg_redis_link_send(redis->link, command_of(redis, request), on_answer, request);
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
		set_timer(redis->limit, request->deadline_us - mg_mono_us());
	return is_wanted;
}

static void send_request(struct mg_redis_store *redis, struct mg_redis_request *request)
{
	if (request->what == MG_REQUEST_CHARGE && !begin_waiting(redis, request))
		free_request(redis, request);
	else if (!put_on_wire(redis, request))
		undone(redis, request);
}

/* ---- what wakes the thread ---- */

static void probe(struct mg_redis_store *redis)
{
	static const struct mg_charge_item item = { .bucket = { .limit = 1, .burst = 1, .per_s = 1 },
		.limit = ".probe",
		.key = "",
		.cost = 1,
		.mode = MG_CHARGE_FORCED };
	struct mg_redis_request *request = mg_redis_request_new(redis, MG_REQUEST_PROBE, &item, 1);

	if (request == NULL) {
		try_later(redis);
		return;
	}
	pthread_mutex_lock(&redis->lock);
	redis->held++;
	pthread_mutex_unlock(&redis->lock);
	redis->is_probing = put_on_wire(redis, request);
	if (!redis->is_probing) {
		free_request(redis, request);
		try_later(redis);
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

	go_down(redis, trouble);
	leave_when_done(redis);
	try_later(redis);
}

/* Decides what has waited long enough. */
static bool expire(struct mg_redis_store *redis)
{
	int64_t now_us = mg_mono_us();
	struct mg_redis_request *head;
	bool has_expired = false;

	pthread_mutex_lock(&redis->lock);
	while ((head = TAILQ_FIRST(&redis->waiting)) != NULL && head->deadline_us <= now_us) {
		answer_locally(redis, head);
		redis->stats.timeouts++;
		has_expired = true;
	}
	if (head != NULL)
		set_timer(redis->limit, head->deadline_us - now_us);
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
	go_down(redis, "no answer in time");
	try_later(redis);
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
	note_state(redis, false);
	set_timer(redis->farewell, FAREWELL_MS * MG_MS_US);
	leave_when_done(redis);
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
		send_request(redis, request);
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
		undone(redis, request);
	}
	for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
		if (events[i] != NULL)
			event_free(events[i]);
	if (redis->base != NULL)
		event_base_free(redis->base);
}
