/* The callers' side: nothing here touches the network. */
#include "guard/redis_state.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "guard/redis_password.h"

/* ---- requests ---- */

struct mg_redis_request *mg_redis_request_new(
	struct mg_redis_store *redis, enum mg_redis_what what, const struct mg_charge_item *items, size_t count)
{
	struct mg_redis_request *request = malloc(sizeof *request + count * sizeof items[0]);

	mg_assert(count >= 1 && count <= MG_CHARGE_ITEMS);
	if (request == NULL)
		return NULL;
	*request = (struct mg_redis_request){ .redis = redis, .what = what, .count = count };
	memcpy(request->items, items, count * sizeof items[0]);
	return request;
}

bool mg_redis_queue_request(struct mg_redis_store *redis, struct mg_redis_request *request, bool *is_first_out)
{
	*is_first_out = TAILQ_EMPTY(&redis->inbox);
	if (!redis->is_up || redis->is_stopping || redis->held >= MG_REDIS_REQUESTS_MAX)
		return false;
	redis->held++;
	TAILQ_INSERT_TAIL(&redis->inbox, request, place);
	return true;
}

void mg_redis_wake(struct mg_redis_store *redis)
{
	uint64_t one = 1;

	if (write(redis->wake_fd, &one, sizeof one) < 0)
		mg_assert(errno == EAGAIN); /* woken more often than it can count */
}

static bool queue(struct mg_redis_store *redis, struct mg_redis_request *request)
{
	bool is_queued, is_first;

	pthread_mutex_lock(&redis->lock);
	is_queued = mg_redis_queue_request(redis, request, &is_first);
	pthread_mutex_unlock(&redis->lock);
	if (is_queued && is_first)
		mg_redis_wake(redis);
	return is_queued;
}

/* ---- decisions ---- */

void mg_redis_decide_locally(struct mg_redis_store *redis, struct mg_charge *charge)
{
	mg_assert(redis->memory.decide(redis->memory.context, charge));
	charge->is_local = true;
	charge->token = NULL;
	for (size_t i = 0; i < charge->count; i++)
		charge->item[i].is_local = charge->item[i].is_charged;
	redis->decisions++;
	redis->local_decisions++;
}

/* Everything of the charge is set before the thread can see it. */
static bool hold(struct mg_redis_store *redis, struct mg_charge *charge, struct mg_redis_request *request)
{
	bool is_first, is_held;

	charge->is_decided = charge->is_local = charge->is_refused = false;
	request->charge = charge;
	pthread_mutex_lock(&redis->lock);
	request->deadline_us = mg_mono_us() + redis->patience_us;
	charge->token = request;
	is_held = mg_redis_queue_request(redis, request, &is_first);
	pthread_mutex_unlock(&redis->lock);
	if (is_held && is_first)
		mg_redis_wake(redis);
	return is_held;
}

static bool decide(void *context, struct mg_charge *charge)
{
	struct mg_redis_store *redis = context;
	struct mg_redis_request *request = NULL;

	if (redis->is_up && charge->count > 0)
		request = mg_redis_request_new(redis, MG_REQUEST_CHARGE, charge->item, charge->count);
	if (request != NULL && hold(redis, charge, request))
		return false;
	free(request);
	mg_redis_decide_locally(redis, charge);
	charge->is_decided = true;
	return true;
}

/* ---- what is given back ---- */

/* From when on the server's level is the same, whether it was ever charged or not. */
static int64_t forgotten_us(const struct mg_charge_item *item, int64_t charged_us)
{
	double full_us = (double)item->bucket.burst / (double)item->bucket.limit * (double)item->bucket.per_s * 1e6;

	return full_us > 1e16 ? INT64_MAX : charged_us + (int64_t)full_us;
}

static bool means_nothing(const struct mg_redis_request *request, int64_t now_us)
{
	for (size_t i = 0; i < request->count; i++)
		if (request->what != MG_REQUEST_REFUND || forgotten_us(&request->items[i], request->owed_us) > now_us)
			return false;
	return true;
}

static void forget(struct mg_redis_store *redis, struct mg_redis_request *request)
{
	TAILQ_REMOVE(&redis->owed, request, place);
	redis->owed_count--;
	free(request);
}

void mg_redis_forget_owed(struct mg_redis_store *redis)
{
	struct mg_redis_request *request = TAILQ_FIRST(&redis->owed), *next;
	int64_t now_us = mg_mono_us();

	for (; request != NULL; request = next) {
		next = TAILQ_NEXT(request, place);
		if (means_nothing(request, now_us))
			forget(redis, request);
	}
}

void mg_redis_refund_here(struct mg_redis_store *redis, struct mg_redis_request *request)
{
	if (request->owed_us != 0)
		return;
	request->owed_us = mg_mono_us();
	if (request->what == MG_REQUEST_REFUND)
		redis->memory.refund(redis->memory.context, request->items, request->count);
}

void mg_redis_owe(struct mg_redis_store *redis, struct mg_redis_request *request_take)
{
	struct mg_redis_request *request = request_take;

	mg_redis_refund_here(redis, request);
	request->is_taught = false;
	pthread_mutex_lock(&redis->lock);
	if (redis->owed_count >= MG_REDIS_OWED_MAX)
		mg_redis_forget_owed(redis);
	if (redis->owed_count >= MG_REDIS_OWED_MAX)
		forget(redis, TAILQ_FIRST(&redis->owed));
	TAILQ_INSERT_TAIL(&redis->owed, request, place);
	redis->owed_count++;
	pthread_mutex_unlock(&redis->lock);
}

static void queue_or_owe(
	struct mg_redis_store *redis, enum mg_redis_what what, const struct mg_charge_item *items, size_t count)
{
	struct mg_redis_request *request = mg_redis_request_new(redis, what, items, count);

	if (request != NULL && !queue(redis, request))
		mg_redis_owe(redis, request);
}

static void refund(void *context, const struct mg_charge_item *items, size_t count)
{
	struct mg_redis_store *redis = context;
	struct mg_charge_item shared[MG_CHARGE_ITEMS];
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		if (items[i].is_local) {
			redis->memory.refund(redis->memory.context, &items[i], 1);
			continue;
		}
		shared[n++] = items[i];
		if (n == MG_CHARGE_ITEMS) {
			queue_or_owe(redis, MG_REQUEST_REFUND, shared, n);
			n = 0;
		}
	}
	if (n > 0)
		queue_or_owe(redis, MG_REQUEST_REFUND, shared, n);
}

static void refund_charged(struct mg_redis_store *redis, struct mg_charge *charge)
{
	struct mg_charge_item charged[MG_CHARGE_ITEMS];
	size_t n = 0;

	for (size_t i = 0; i < charge->count; i++)
		if (charge->item[i].is_charged) {
			charge->item[i].is_charged = false;
			charged[n++] = charge->item[i];
		}
	refund(redis, charged, n);
}

static void abandon(void *context, struct mg_charge *charge)
{
	struct mg_redis_store *redis = context;
	struct mg_redis_request *request;

	pthread_mutex_lock(&redis->lock);
	request = charge->token;
	charge->token = NULL;
	if (request != NULL) {
		request->charge = NULL;
		request->is_unwanted = true;
		if (request->is_waiting)
			TAILQ_REMOVE(&redis->waiting, request, place);
		request->is_waiting = false;
	}
	pthread_mutex_unlock(&redis->lock);
	if (request == NULL && charge->is_decided)
		refund_charged(redis, charge);
}

static bool look(void *context, struct mg_charge_item *item)
{
	struct mg_redis_store *redis = context;

	return redis->memory.look(redis->memory.context, item);
}

static void reset(void *context, const struct mg_charge_item *item)
{
	struct mg_redis_store *redis = context;

	redis->memory.reset(redis->memory.context, item);
	queue_or_owe(redis, MG_REQUEST_RESET, item, 1);
}

/* ---- life ---- */

static enum mg_rc read_url(struct mg_redis_store *redis, const struct mg_redis_options *options, struct mg_err *err)
{
	enum mg_rc rc = mg_store_url_parse(mg_str_z(options->url), &redis->url, err);

	if (rc == MG_OK && redis->url.kind == MG_STORE_MEMORY)
		rc = mg_err_set(err, MG_ESYNTAX, "state.store: \"memory\" is no shared store");
	if (rc == MG_OK && options->password_file[0] != '\0')
		rc = mg_redis_password_read(
			options->password_file, redis->url.password, sizeof redis->url.password, err);
	if (rc == MG_OK && redis->url.user[0] != '\0' && redis->url.password[0] == '\0')
		rc = mg_err_set(err, MG_ESYNTAX,
			"state.store names a user without a password; write redis://USER:PASSWORD@... or set state.password_file");
	return rc;
}

/* Signals are for the threads that wait for them; SIGPIPE is for nobody. */
static int start_thread(struct mg_redis_store *redis)
{
	sigset_t all, before;
	int errnum;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	errnum = pthread_create(&redis->thread, NULL, mg_redis_work, redis);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return errnum;
}

static enum mg_rc prepare(struct mg_redis_store *redis, const struct mg_redis_options *options, struct mg_err *err)
{
	enum mg_rc rc = read_url(redis, options, err);
	int errnum;

	if (rc != MG_OK)
		return rc;
	(void)mg_str_copy(redis->stats.server, sizeof redis->stats.server, mg_str_z(redis->url.shown));
	redis->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (redis->wake_fd < 0)
		return mg_err_sys(err, MG_EIO, errno, "no eventfd for the shared store");
	rc = mg_redis_work_init(redis, err);
	if (rc != MG_OK)
		return rc;
	errnum = start_thread(redis);
	return errnum == 0 ? MG_OK : mg_err_sys(err, MG_EIO, errnum, "no thread for the shared store");
}

static void destroy(struct mg_redis_store *redis)
{
	struct mg_redis_request *request;

	mg_redis_work_fini(redis);
	while ((request = TAILQ_FIRST(&redis->owed)) != NULL) {
		TAILQ_REMOVE(&redis->owed, request, place);
		free(request);
	}
	mg_fd_close(&redis->wake_fd);
	pthread_mutex_destroy(&redis->lock);
	explicit_bzero(&redis->url, sizeof redis->url);
	free(redis);
}

static int64_t patience_us(unsigned patience_ms)
{
	if (patience_ms == 0)
		patience_ms = MG_STORE_PATIENCE_MS;
	return (patience_ms > MG_REDIS_MARGIN_MS ? patience_ms - MG_REDIS_MARGIN_MS : 1) * MG_MS_US;
}

enum mg_rc mg_redis_store_start(
	const struct mg_redis_options *options, struct mg_redis_store **store_out, struct mg_err *err)
{
	struct mg_redis_store *redis = calloc(1, sizeof *redis);
	enum mg_rc rc;

	if (redis == NULL)
		return mg_err_set(err, MG_ENOMEM, "no memory for the shared store");
	redis->state = options->state;
	redis->patience_us = patience_us(options->patience_ms);
	mg_memory_store(options->state, &redis->memory);
	redis->wake_fd = -1;
	TAILQ_INIT(&redis->inbox);
	TAILQ_INIT(&redis->waiting);
	TAILQ_INIT(&redis->owed);
	redis->stats.since_us = mg_wall_us();
	pthread_mutex_init(&redis->lock, NULL);
	rc = prepare(redis, options, err);
	if (rc != MG_OK)
		destroy(redis);
	else
		*store_out = redis;
	return rc;
}

void mg_redis_store_stop(struct mg_redis_store **store)
{
	struct mg_redis_store *redis = *store;

	if (redis == NULL)
		return;
	*store = NULL;
	pthread_mutex_lock(&redis->lock);
	redis->is_stopping = true;
	pthread_mutex_unlock(&redis->lock);
	mg_redis_wake(redis);
	pthread_join(redis->thread, NULL);
	destroy(redis);
}

void mg_redis_store(struct mg_redis_store *redis, struct mg_limit_store *store_out)
{
	*store_out = (struct mg_limit_store){ redis, decide, abandon, refund, look, reset };
}

void mg_redis_stats(struct mg_redis_store *redis, struct mg_redis_stats *stats_out)
{
	pthread_mutex_lock(&redis->lock);
	*stats_out = redis->stats;
	stats_out->is_open = redis->is_up;
	pthread_mutex_unlock(&redis->lock);
	stats_out->decisions = redis->decisions;
	stats_out->local_decisions = redis->local_decisions;
}
