/* The store of the limits changes by reloads while charges are under way. */
#include "rows.h"

#include <string.h>

#include "base/clock.h"
#include "guard/chosen_store.h"
#include "guard_kit.h"
#include "redis_fake_kit.h"

static struct mg_conf conf_with(const struct mg_conf *defaults, char *store)
{
	struct mg_conf conf = *defaults;

	conf.state.store = store;
	return conf;
}

static void nothing(void *context)
{
	(void)context;
}

/* A charge that its owner has not looked at yet, when the store that holds it is retired and stopped. */
static void a_charge_is_given_up_after_its_store_was_stopped(void **state)
{
	struct mg_state_plan plan = kit_plan(64);
	const struct mg_conf *defaults = NULL;
	struct mg_charge charge = { .count = 1, .ready = nothing };
	struct mg_redis_stats stats;
	struct mg_redis_store *retired;
	static struct mg_chosen_store *chosen; /* lives as long as the process */
	const struct mg_limit_store *store;
	struct mg_state *guards;
	struct mg_conf conf;
	struct fake fake;

	(void)state;
	kit_mono_is(0);
	guards = kit_open(&plan);
	assert_int_equal(mg_conf_defaults(&defaults, NULL), MG_OK);
	chosen = mg_chosen_store_new(guards);
	store = mg_chosen_store(chosen);
	assert_false(mg_chosen_store_stats(chosen, &stats));
	fake_begin(&fake, ACT_GRANT);
	conf = conf_with(defaults, fake.url);
	assert_int_equal(mg_chosen_store_set(chosen, &conf, NULL), MG_OK);
	assert_int_equal(mg_chosen_store_set(chosen, &conf, NULL), MG_OK); /* the same: nothing happens */
	assert_true(mg_chosen_store_stats(chosen, &stats));
	charge.item[0] = kit_item("l", "user:ann", 10, 10, MG_CHARGE_HARD, 1);
	store->decide(store->context, &charge);
	conf = conf_with(defaults, (char *)(uintptr_t) "memory");
	assert_int_equal(mg_chosen_store_set(chosen, &conf, NULL), MG_OK);
	assert_false(mg_chosen_store_stats(chosen, &stats));
	assert_null(mg_chosen_store_take_retired(chosen, mg_mono_us()));
	retired = mg_chosen_store_take_retired(chosen, mg_mono_us() + 60 * MG_S_US);
	assert_non_null(retired);
	mg_redis_store_stop(&retired);
	assert_null(mg_chosen_store_take_retired(chosen, mg_mono_us() + 60 * MG_S_US));
	store->abandon(store->context, &charge);
	fake_end(&fake);
	kit_close(&guards);
	mg_conf_unref(&defaults);
}

static void a_store_that_cannot_be_begun_leaves_memory(void **state)
{
	struct mg_state_plan plan = kit_plan(64);
	const struct mg_conf *defaults = NULL;
	struct mg_charge charge = { .count = 1, .ready = nothing };
	struct mg_err err = { "" };
	struct mg_redis_stats stats;
	static struct mg_chosen_store *chosen; /* lives as long as the process */
	const struct mg_limit_store *store;
	struct mg_state *guards;
	struct mg_conf conf;

	(void)state;
	guards = kit_open(&plan);
	assert_int_equal(mg_conf_defaults(&defaults, NULL), MG_OK);
	chosen = mg_chosen_store_new(guards);
	store = mg_chosen_store(chosen);
	conf = conf_with(defaults, (char *)(uintptr_t) "redis://127.0.0.1:1/0");
	conf.state.password_file = (char *)(uintptr_t) "/nonexistent/password";
	assert_int_not_equal(mg_chosen_store_set(chosen, &conf, &err), MG_OK);
	assert_true(mg_chosen_store_stats(chosen, &stats));
	assert_true(stats.trouble[0] != '\0');
	charge.item[0] = kit_item("l", "user:ann", 10, 1, MG_CHARGE_HARD, 1);
	assert_true(store->decide(store->context, &charge));
	assert_false(charge.is_refused);
	assert_true(store->decide(store->context, &charge));
	assert_true(charge.is_refused);
	kit_close(&guards);
	mg_conf_unref(&defaults);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_charge_is_given_up_after_its_store_was_stopped),
		cmocka_unit_test(a_store_that_cannot_be_begun_leaves_memory),
	};

	return cmocka_run_group_tests_name("chosen_store", tests, NULL, NULL);
}
