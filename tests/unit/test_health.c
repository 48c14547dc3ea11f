/* The schedule of the checks: what was not ok is looked at again as soon as somebody says that it changed. */
#include "rows.h"

#include <poll.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "health/health.h"

enum { PATIENCE_MS = 3000 };

static atomic_bool is_opening;
static struct mg_counters counters;

static void figures(void *context, struct mg_figures *out)
{
	(void)context;
	*out = (struct mg_figures){
		.is_journal_opening = is_opening, .has_journal = !is_opening, .counters = &counters
	};
}

/* The state of the check `id` once it has run and is `wanted`; the last one seen when that takes too long. */
static const char *state_of(struct mg_health *health, const char *id, const char *wanted)
{
	static char state[16];
	int64_t until_us = mg_mono_us() + PATIENCE_MS * MG_MS_US;

	do {
		json_t *all = mg_health_results(health), *check;
		size_t i;

		json_array_foreach(all, i,
			check) if (mg_str_eq(mg_str_z(json_string_value(json_object_get(check, "id"))), mg_str_z(id)))
			mg_str_copy(state, sizeof state, mg_str_z(json_string_value(json_object_get(check, "state"))));
		json_decref(all);
		if (mg_str_eq(mg_str_z(state), mg_str_z(wanted)))
			break;
		poll(NULL, 0, 10);
	} while (mg_mono_us() < until_us);
	return state;
}

static void a_record_being_opened_is_not_yet_wrong(void **unused)
{
	struct mg_health_options options = { .figures = figures };
	struct mg_health *health = NULL;

	(void)unused;
	is_opening = true;
	assert_int_equal(mg_conf_defaults(&options.conf, NULL), MG_OK);
	assert_int_equal(mg_health_start(&options, false, &health, NULL), MG_OK);
	assert_string_equal(state_of(health, "journal.write", "unknown"), "unknown");
	is_opening = false;
	mg_health_hasten(health); /* its own period is longer than our patience */
	assert_string_equal(state_of(health, "journal.write", "ok"), "ok");
	mg_health_stop(&health);
	mg_conf_unref(&options.conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_record_being_opened_is_not_yet_wrong) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
