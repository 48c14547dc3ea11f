/* What the server answers, and what becomes of a request when it doesn't. */
#include "guard/redis_state.h"

#include <stdlib.h>

#include "base/clock.h"

enum { LATENCY_WEIGHT = 8 };

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
void mg_redis_answer_locally(struct mg_redis_store *redis, struct mg_redis_request *request)
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

void mg_redis_request_free(struct mg_redis_store *redis, struct mg_redis_request *request)
{
	pthread_mutex_lock(&redis->lock);
	redis->held--;
	pthread_mutex_unlock(&redis->lock);
	free(request);
}

/* The server has not done what was asked, and never will. */
void mg_redis_undone(struct mg_redis_store *redis, struct mg_redis_request *request)
{
	if (request->what == MG_REQUEST_REFUND || request->what == MG_REQUEST_RESET) {
		pthread_mutex_lock(&redis->lock);
		redis->held--;
		pthread_mutex_unlock(&redis->lock);
		mg_redis_owe(redis, request);
		return;
	}
	pthread_mutex_lock(&redis->lock);
	mg_redis_answer_locally(redis, request);
	pthread_mutex_unlock(&redis->lock);
	mg_redis_request_free(redis, request);
}

/* Nobody knows whether it has. A refund is not repeated: twice would give away what others may not spend. */
static void unknown(struct mg_redis_store *redis, struct mg_redis_request *request)
{
	if (request->what == MG_REQUEST_REFUND) {
		mg_redis_refund_here(redis, request);
		mg_redis_request_free(redis, request);
		return;
	}
	mg_redis_undone(redis, request);
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
		mg_redis_send(redis, request);
	else
		mg_redis_request_free(redis, request);
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
		mg_redis_lose(redis, reply);
		mg_redis_undone(redis, request);
		return;
	}
	note_latency(redis, request);
	learn(redis, request);
	answer_from_server(redis, request, is_refused);
	if (is_unwanted(redis, request))
		give_back(redis, request);
	else
		mg_redis_request_free(redis, request);
}

static void take_refund(
	struct mg_redis_store *redis, struct mg_redis_request *request, const struct mg_redis_reply *reply)
{
	if (reply->kind == MG_REDIS_TEXT && mg_redis_refund_answer(reply->text, request->items, request->count)) {
		learn(redis, request);
		mg_redis_request_free(redis, request);
		return;
	}
	mg_redis_lose(redis, reply);
	if (reply->kind == MG_REDIS_ERROR)
		mg_redis_undone(redis, request);
	else
		unknown(redis, request);
}

static void take_reset(
	struct mg_redis_store *redis, struct mg_redis_request *request, const struct mg_redis_reply *reply)
{
	if (reply->kind == MG_REDIS_NUMBER) {
		mg_redis_request_free(redis, request);
		return;
	}
	mg_redis_lose(redis, reply);
	mg_redis_undone(redis, request);
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
	mg_redis_request_free(redis, request);
	if (!is_answer)
		mg_redis_lose(redis, reply);
	else if (took_us < redis->patience_us)
		mg_redis_go_up(redis);
	else
		mg_redis_try_later(redis);
}

/* A server that was restarted has forgotten the scripts: it is told the text once. */
static bool is_to_teach(const struct mg_redis_request *request, const struct mg_redis_reply *reply)
{
	return !request->is_taught && mg_redis_reply_is_error(reply, MG_STR("NOSCRIPT"));
}

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
	if (!mg_redis_put_on_wire(redis, request))
		mg_redis_undone(redis, request);
}

void mg_redis_take(void *arg, const struct mg_redis_reply *reply)
{
	struct mg_redis_request *request = arg;
	struct mg_redis_store *redis = request->redis;

	if (reply != NULL) {
		take_answer(redis, request, reply);
		mg_redis_leave_when_done(redis);
		return;
	}
	if (request->what == MG_REQUEST_PROBE)
		redis->is_probing = false;
	unknown(redis, request);
}
