/* A charge remembers which store holds it, so that giving it up reaches the right one, also long after that store was stopped: what a
 * retired store leaves behind is a few bytes for each change of state.store. */
#include "guard/chosen_store.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"

enum { RETIRED_S = 5 };

struct holder {
	struct holder *next; /* retired ones */
	struct mg_limit_store store;
	struct mg_redis_store *redis; /* NULL: memory, or stopped */
	bool is_stopped;
	int64_t retired_us;
};

struct mg_chosen_store {
	struct mg_limit_store face, memory;
	struct mg_state *state;
	pthread_rwlock_t lock; /* `now`; each holder's is_stopped */
	struct holder in_memory, *now, *retired, *stopped;
	char *url, *password_file; /* as last set */
	char trouble[200];         /* why it could not be begun */
};

static struct holder *take_now(struct mg_chosen_store *chosen)
{
	pthread_rwlock_rdlock(&chosen->lock);
	return chosen->now;
}

static void let_go(struct mg_chosen_store *chosen)
{
	pthread_rwlock_unlock(&chosen->lock);
}

static bool decide(void *context, struct mg_charge *charge)
{
	struct holder *holder = take_now(context);
	bool is_decided;

	charge->holder = holder;
	is_decided = holder->store.decide(holder->store.context, charge);
	let_go(context);
	return is_decided;
}

/* Its store has decided and told it long ago. */
static void give_back(struct mg_chosen_store *chosen, struct mg_charge *charge)
{
	const struct mg_limit_store *store = &chosen->now->store;

	for (size_t i = 0; i < charge->count; i++)
		if (charge->item[i].is_charged && charge->item[i].is_local)
			store->refund(store->context, &charge->item[i], 1);
}

static void abandon(void *context, struct mg_charge *charge)
{
	struct mg_chosen_store *chosen = context;
	const struct holder *holder = charge->holder;

	if (holder == NULL)
		return;
	take_now(chosen);
	if (holder->is_stopped)
		give_back(chosen, charge);
	else
		holder->store.abandon(holder->store.context, charge);
	let_go(chosen);
}

static void refund(void *context, const struct mg_charge_item *items, size_t count)
{
	struct holder *holder = take_now(context);

	holder->store.refund(holder->store.context, items, count);
	let_go(context);
}

static bool look(void *context, struct mg_charge_item *item)
{
	struct mg_chosen_store *chosen = context;

	return chosen->memory.look(chosen->memory.context, item);
}

static void reset(void *context, const struct mg_charge_item *item)
{
	struct holder *holder = take_now(context);

	holder->store.reset(holder->store.context, item);
	let_go(context);
}

struct mg_chosen_store *mg_chosen_store_new(struct mg_state *state)
{
	struct mg_chosen_store *chosen = calloc(1, sizeof *chosen);

	if (chosen == NULL)
		return NULL;
	chosen->state = state;
	pthread_rwlock_init(&chosen->lock, NULL);
	mg_memory_store(state, &chosen->memory);
	chosen->in_memory.store = chosen->memory;
	chosen->now = &chosen->in_memory;
	chosen->face = (struct mg_limit_store){ chosen, decide, abandon, refund, look, reset };
	return chosen;
}

static bool is_same(const char *before, const char *now)
{
	return before != NULL && mg_str_eq(mg_str_z(before), mg_str_z(now));
}

static void remember(struct mg_chosen_store *chosen, const struct mg_conf *conf)
{
	free(chosen->url);
	free(chosen->password_file);
	chosen->url = mg_str_dup(mg_str_z(conf->state.store));
	chosen->password_file = mg_str_dup(mg_str_z(conf->state.password_file));
}

static void put_in_place(struct mg_chosen_store *chosen, struct holder *next)
{
	struct holder *before;

	pthread_rwlock_wrlock(&chosen->lock);
	before = chosen->now;
	chosen->now = next;
	pthread_rwlock_unlock(&chosen->lock);
	if (before == &chosen->in_memory)
		return;
	before->retired_us = mg_mono_us();
	before->next = chosen->retired;
	chosen->retired = before;
}

static enum mg_rc begin(
	struct mg_chosen_store *chosen, const struct mg_conf *conf, struct holder **holder_out, struct mg_err *err)
{
	struct mg_redis_options options = {
		.url = conf->state.store, .password_file = conf->state.password_file, .state = chosen->state
	};
	struct holder *holder = calloc(1, sizeof *holder);
	enum mg_rc rc;

	if (holder == NULL)
		return mg_err_set(err, MG_ENOMEM, "no memory for the shared store");
	rc = mg_redis_store_start(&options, &holder->redis, err);
	if (rc != MG_OK) {
		free(holder);
		return rc;
	}
	mg_redis_store(holder->redis, &holder->store);
	*holder_out = holder;
	return MG_OK;
}

enum mg_rc mg_chosen_store_set(struct mg_chosen_store *chosen, const struct mg_conf *conf, struct mg_err *err)
{
	struct holder *next = &chosen->in_memory;
	enum mg_rc rc = MG_OK;

	if (is_same(chosen->url, conf->state.store) && is_same(chosen->password_file, conf->state.password_file))
		return MG_OK;
	remember(chosen, conf);
	chosen->trouble[0] = '\0';
	if (!mg_str_eq(mg_str_z(conf->state.store), MG_STR("memory")) &&
		(rc = begin(chosen, conf, &next, err)) != MG_OK) {
		mg_str_copy(chosen->trouble, sizeof chosen->trouble, mg_str_z(err == NULL ? "" : err->text));
		next = &chosen->in_memory;
	}
	if (next != chosen->now)
		put_in_place(chosen, next);
	return rc;
}

struct mg_redis_store *mg_chosen_store_take_retired(struct mg_chosen_store *chosen, int64_t now_us)
{
	struct holder **at = &chosen->retired, *old;
	struct mg_redis_store *redis;

	while (*at != NULL && now_us - (*at)->retired_us < RETIRED_S * MG_S_US)
		at = &(*at)->next;
	if ((old = *at) == NULL)
		return NULL;
	*at = old->next;
	redis = old->redis;
	pthread_rwlock_wrlock(&chosen->lock);
	old->redis = NULL;
	old->is_stopped = true; /* it stays: a charge may remember it */
	old->next = chosen->stopped;
	chosen->stopped = old;
	pthread_rwlock_unlock(&chosen->lock);
	return redis;
}

const struct mg_limit_store *mg_chosen_store(const struct mg_chosen_store *chosen)
{
	return &chosen->face;
}

bool mg_chosen_store_stats(struct mg_chosen_store *chosen, struct mg_redis_stats *stats_out)
{
	*stats_out = (struct mg_redis_stats){ 0 };
	if (chosen->now->redis != NULL) {
		mg_redis_stats(chosen->now->redis, stats_out);
		return true;
	}
	mg_str_copy(stats_out->trouble, sizeof stats_out->trouble, mg_str_z(chosen->trouble));
	mg_str_copy(stats_out->server, sizeof stats_out->server, MG_STR("state.store"));
	return chosen->trouble[0] != '\0';
}
