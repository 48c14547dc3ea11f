/* The schedule of the checks: what was not ok is looked at again as soon as somebody says that it changed. */
#include "rows.h"

#include <poll.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "health/fold.h"
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

static json_t *found(const char *id, const char *state, bool is_alone)
{
	return json_pack("{s:s, s:s, s:b}", "id", id, "state", state, "alone", is_alone);
}

static const char *root_in(json_t *checks, size_t at)
{
	const char *root = json_string_value(json_object_get(json_array_get(checks, at), "root"));

	return root == NULL ? "" : root;
}

static void consequences_are_folded_under_the_farthest_root(void **unused)
{
	json_t *checks = json_pack("[o, o, o, o, o, o]", found("disk.queue", "crit", false),
		found("service.postfix", "crit", false), found("port.listen", "crit", false),
		found("tls.starttls", "unknown", false), found("dns.mx", "crit", true), found("dns.a", "crit", false));

	(void)unused;
	mg_health_fold(checks);
	assert_string_equal(root_in(checks, 0), "");
	assert_string_equal(root_in(checks, 1), "disk.queue");
	assert_string_equal(root_in(checks, 2), "disk.queue");
	assert_string_equal(root_in(checks, 3), "disk.queue"); /* not looked at, for want of Postfix */
	assert_string_equal(root_in(checks, 4), "");           /* a fault of its own */
	assert_int_equal(mg_health_worst(checks), MG_STATE_CRIT);
	json_decref(checks);
	checks = json_pack("[o, o]", found("service.postfix", "ok", false), found("port.listen", "crit", false));
	mg_health_fold(checks);
	assert_string_equal(root_in(checks, 1), "");
	json_decref(checks);
}

static void a_value_leaves_its_state_by_more_than_a_little(void **unused)
{
	static const struct {
		double value, warn, crit;
		enum mg_check_state before, state;
	} rows[] = {
		{ 99, 100, 500, MG_STATE_OK, MG_STATE_OK },
		{ 100, 100, 500, MG_STATE_OK, MG_STATE_WARN },
		{ 95, 100, 500, MG_STATE_WARN, MG_STATE_WARN },
		{ 89, 100, 500, MG_STATE_WARN, MG_STATE_OK },
		{ 460, 100, 500, MG_STATE_CRIT, MG_STATE_CRIT },
		{ 440, 100, 500, MG_STATE_CRIT, MG_STATE_WARN },
		{ 14.9, 15, 5, MG_STATE_OK, MG_STATE_WARN }, /* less is worse */
		{ 15, 15, 5, MG_STATE_OK, MG_STATE_OK },
		{ 16, 15, 5, MG_STATE_WARN, MG_STATE_WARN },
		{ 17, 15, 5, MG_STATE_WARN, MG_STATE_OK },
		{ 5.4, 15, 5, MG_STATE_CRIT, MG_STATE_CRIT },
		{ 4, 15, 5, MG_STATE_UNKNOWN, MG_STATE_CRIT },
	};
	struct mg_check_env env = { .conf = NULL };

	(void)unused;
	assert_int_equal(mg_conf_defaults(&env.conf, NULL), MG_OK);
	for (size_t i = 0; i < ROWS(rows); i++) {
		env.before = rows[i].before;
		assert_int_equal(mg_check_grade(&env, "x", rows[i].value, rows[i].warn, rows[i].crit), rows[i].state);
	}
	mg_conf_unref(&env.conf);
}

static void the_worst_is_kept_and_what_stands_alone_is_told(void **unused)
{
	struct mg_finding finding;
	json_t *json;

	(void)unused;
	mg_finding_init(&finding);
	mg_finding_is(&finding, MG_STATE_WARN, "a warning", NULL);
	mg_finding_alone(&finding);
	mg_finding_cause(&finding, "of %1", "this", NULL);
	mg_finding_is(&finding, MG_STATE_OK, "all is well", NULL);
	mg_finding_cause(&finding, "never said", NULL);
	json = mg_finding_json(&finding, "x.y", "a title", 0);
	assert_string_equal(json_string_value(json_object_get(json, "cause")), "of this");
	assert_true(json_is_true(json_object_get(json, "alone")));
	json_decref(json);
	mg_finding_is(&finding, MG_STATE_CRIT, "worse", NULL);
	json = mg_finding_json(&finding, "x.y", "a title", 0);
	assert_string_equal(json_string_value(json_object_get(json, "cause")), "");
	assert_false(json_is_true(json_object_get(json, "alone")));
	json_decref(json);
	mg_finding_fini(&finding);
}

static void what_others_wrote_is_one_word_of_a_command(void **unused)
{
	static const char *const words[][2] = { { "ann@local.example", "ann@local.example" }, { "", "''" },
		{ "-rf", "'-rf'" }, { "a b", "'a b'" }, { "it's $(id)", "'it'\\''s $(id)'" },
		{ "x;reboot", "'x;reboot'" } };
	struct mg_finding finding;

	(void)unused;
	mg_finding_init(&finding);
	for (size_t i = 0; i < ROWS(words); i++)
		assert_string_equal(mg_finding_quoted(&finding, words[i][0]), words[i][1]);
	mg_finding_fini(&finding);
}

static void the_registry_is_sound(void **unused)
{
	size_t count;
	const struct mg_check *checks = mg_checks(&count);

	(void)unused;
	for (size_t i = 0; i < count; i++) {
		assert_ptr_equal(mg_check_find(checks[i].id), &checks[i]); /* no id twice */
		assert_true(checks[i].deadline_ms > 0 && checks[i].title[0] != '\0');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_record_being_opened_is_not_yet_wrong),
		cmocka_unit_test(consequences_are_folded_under_the_farthest_root),
		cmocka_unit_test(a_value_leaves_its_state_by_more_than_a_little),
		cmocka_unit_test(the_worst_is_kept_and_what_stands_alone_is_told),
		cmocka_unit_test(what_others_wrote_is_one_word_of_a_command), cmocka_unit_test(the_registry_is_sound) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
