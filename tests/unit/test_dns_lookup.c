#include "rows.h"

#include <pthread.h>

#include "base/clock.h"
#include "zone_kit.h"

static const char zone_text[] = "a.example A 192.0.2.1\n"
				"b.example A 192.0.2.2\n"
				"b.example TXT hello\n"
				"broken.example SERVFAIL\n";

static struct mg_lookup *lookup_with(struct zone *zone, unsigned questions_max, int64_t deadline_us)
{
	struct mg_lookup_options options = {
		.source = &zone->source, .questions_max = questions_max, .deadline_us = deadline_us
	};

	return mg_lookup_new(&options);
}

static const struct mg_dns_answer *get(struct mg_lookup *lookup, const char *name)
{
	return mg_lookup_get(lookup, mg_str_z(name), MG_DNS_A);
}

struct get_row {
	const char *name, *asked;
	enum mg_dns_type type;
	enum mg_dns_status status;
	unsigned questions; /* that reach the source */
};
static const struct get_row get_rows[] = {
	{ "found", "a.example", MG_DNS_A, MG_DNS_FOUND, 1 },
	{ "no data", "a.example", MG_DNS_TXT, MG_DNS_NODATA, 1 },
	{ "no such name", "c.example", MG_DNS_A, MG_DNS_NXDOMAIN, 1 },
	{ "trouble", "broken.example", MG_DNS_A, MG_DNS_TROUBLE, 1 },
	{ "final dot and case", "A.Example.", MG_DNS_A, MG_DNS_FOUND, 1 },
	{ "an empty label is no name", "a..example", MG_DNS_A, MG_DNS_NXDOMAIN, 0 },
	{ "nothing is no name", "", MG_DNS_A, MG_DNS_NXDOMAIN, 0 },
	{ "64 bytes are no label", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example", MG_DNS_A,
		MG_DNS_NXDOMAIN, 0 },
};

static void a_question_has_its_answer(void **state)
{
	const struct get_row *row = *state;
	struct zone zone;
	struct mg_lookup *lookup;

	zone_begin(&zone, zone_text);
	lookup = zone_lookup(&zone);
	assert_int_equal(mg_lookup_get(lookup, mg_str_z(row->asked), row->type)->status, row->status);
	assert_int_equal(zone.asked, row->questions);
	assert_int_equal(mg_lookup_asked(lookup), row->questions);
	mg_lookup_free(&lookup);
	zone_end(&zone);
}

/* What is kept back is for others; what was asked already costs nothing. */
static void questions_can_be_kept_back(void **state)
{
	struct zone zone;
	struct mg_lookup *lookup;

	(void)state;
	zone_begin(&zone, zone_text);
	lookup = lookup_with(&zone, 3, INT64_MAX);
	mg_lookup_keep(lookup, 2);
	assert_int_equal(get(lookup, "a.example")->status, MG_DNS_FOUND);
	assert_int_equal(get(lookup, "b.example")->trouble, MG_DNS_BUDGET);
	assert_int_equal(get(lookup, "a.example")->status, MG_DNS_FOUND);
	mg_lookup_keep(lookup, 0);
	assert_int_equal(get(lookup, "b.example")->status, MG_DNS_FOUND);
	assert_int_equal(get(lookup, "c.example")->status, MG_DNS_NXDOMAIN);
	assert_int_equal(get(lookup, "d.example")->trouble, MG_DNS_BUDGET);
	assert_int_equal(zone.asked, 3);
	mg_lookup_free(&lookup);
	zone_end(&zone);
}

static void evaluators_share_answers(void **state)
{
	struct zone zone;
	struct mg_lookup *lookup;
	const struct mg_dns_answer *first;

	(void)state;
	zone_begin(&zone, zone_text);
	lookup = zone_lookup(&zone);
	first = get(lookup, "a.example");
	assert_ptr_equal(get(lookup, "A.example."), first);
	assert_int_equal(zone.asked, 1);
	assert_non_null(mg_lookup_get(lookup, MG_STR("a.example"), MG_DNS_TXT)); /* another type is another question */
	assert_int_equal(zone.asked, 2);
	mg_lookup_free(&lookup);
	zone_end(&zone);
}

/* Whatever moves while it grows, answers stay where they are. */
static void the_budget_is_kept(void **state)
{
	struct zone zone;
	struct mg_lookup *lookup;
	const struct mg_dns_answer *first;
	char name[] = "n00.example";

	(void)state;
	zone_begin(&zone, zone_text);
	lookup = lookup_with(&zone, 20, mg_mono_us() + 3600 * MG_S_US);
	first = get(lookup, "a.example");
	for (int i = 0; i < 19; i++) {
		name[1] = (char)('0' + i / 10);
		name[2] = (char)('0' + i % 10);
		assert_int_equal(get(lookup, name)->status, MG_DNS_NXDOMAIN);
	}
	assert_int_equal(get(lookup, "b.example")->trouble, MG_DNS_BUDGET);
	assert_int_equal(mg_lookup_asked(lookup), 20);
	assert_int_equal(zone.asked, 20);
	assert_ptr_equal(get(lookup, "a.example"), first); /* what is known costs nothing */
	mg_lookup_free(&lookup);
	zone_end(&zone);
}

static void beyond_the_deadline_nothing_is_asked(void **state)
{
	struct zone zone;
	struct mg_lookup *lookup;

	(void)state;
	zone_begin(&zone, zone_text);
	lookup = lookup_with(&zone, 20, mg_mono_us() - 1);
	assert_int_equal(get(lookup, "a.example")->trouble, MG_DNS_BUDGET);
	assert_int_equal(zone.asked, 0);
	mg_lookup_free(&lookup);
	zone_end(&zone);
}

static void an_answer_that_comes_later_is_found(void **state)
{
	struct zone zone;
	struct mg_lookup *lookup;

	(void)state;
	zone_begin(&zone, zone_text);
	zone.is_slow = true;
	lookup = zone_lookup(&zone);
	assert_null(get(lookup, "a.example"));
	assert_null(get(lookup, "b.example"));
	assert_null(get(lookup, "a.example"));
	assert_int_equal(zone.asked, 2);
	assert_int_equal(mg_lookup_pending(lookup), 2);
	assert_true(zone_deliver(&zone));
	assert_int_equal(get(lookup, "a.example")->status, MG_DNS_FOUND);
	assert_null(get(lookup, "b.example"));
	assert_int_equal(mg_lookup_pending(lookup), 1);
	assert_true(zone_deliver(&zone));
	assert_int_equal(get(lookup, "b.example")->status, MG_DNS_FOUND);
	mg_lookup_free(&lookup);
	zone_end(&zone);
}

static void expiry_answers_what_is_under_way(void **state)
{
	struct zone zone;
	struct mg_lookup *lookup;

	(void)state;
	zone_begin(&zone, zone_text);
	zone.is_slow = true;
	lookup = zone_lookup(&zone);
	assert_null(get(lookup, "a.example"));
	assert_true(zone_deliver(&zone));
	assert_null(get(lookup, "b.example"));
	mg_lookup_expire(lookup);
	assert_int_equal(zone.waiting_count, 0); /* cancelled */
	assert_int_equal(get(lookup, "a.example")->status, MG_DNS_FOUND);
	assert_int_equal(get(lookup, "b.example")->trouble, MG_DNS_BUDGET);
	assert_int_equal(get(lookup, "new.example")->trouble, MG_DNS_BUDGET);
	assert_int_equal(zone.asked, 2);
	assert_int_equal(mg_lookup_pending(lookup), 0);
	mg_lookup_free(&lookup);
	zone_end(&zone);
}

static void leaving_cancels(void **state)
{
	struct zone zone;
	struct mg_lookup *lookup;

	(void)state;
	zone_begin(&zone, zone_text);
	zone.is_slow = true;
	lookup = zone_lookup(&zone);
	assert_null(get(lookup, "a.example"));
	mg_lookup_free(&lookup);
	assert_null(lookup);
	assert_false(zone_deliver(&zone));
	mg_lookup_free(&lookup);
	zone_end(&zone);
}

/* ---- waiting ---- */

static void waiting_ends_by_an_answer_or_by_time(void **state)
{
	struct zone zone;
	struct mg_lookup *lookup;
	int64_t begun_us;

	(void)state;
	zone_begin(&zone, zone_text);
	zone.is_slow = true;
	lookup = zone_lookup(&zone);
	assert_true(mg_lookup_wait(lookup, mg_mono_us() + MG_S_US)); /* nothing is under way */
	assert_null(get(lookup, "a.example"));
	assert_null(get(lookup, "b.example"));
	begun_us = mg_mono_us();
	assert_false(mg_lookup_wait(lookup, begun_us + 20 * MG_MS_US));
	assert_true(mg_mono_us() - begun_us >= 20 * MG_MS_US);
	assert_true(zone_deliver(&zone));
	assert_true(mg_lookup_wait(lookup, mg_mono_us() + MG_S_US));
	assert_false(mg_lookup_wait(lookup, mg_mono_us())); /* that answer has been told of */
	assert_true(zone_deliver(&zone));
	assert_true(mg_lookup_wait(lookup, mg_mono_us()));
	mg_lookup_free(&lookup);
	zone_end(&zone);
}

static void *deliver(void *zone)
{
	(void)zone_deliver(zone);
	return NULL;
}

static void an_answer_from_another_thread_wakes(void **state)
{
	struct zone zone;
	struct mg_lookup *lookup;
	pthread_t thread;

	(void)state;
	zone_begin(&zone, zone_text);
	zone.is_slow = true;
	lookup = zone_lookup(&zone);
	assert_null(get(lookup, "a.example"));
	assert_null(get(lookup, "b.example"));
	pthread_create(&thread, NULL, deliver, &zone);
	assert_true(mg_lookup_wait(lookup, mg_mono_us() + 10 * MG_S_US));
	assert_non_null(get(lookup, "a.example"));
	pthread_join(thread, NULL);
	mg_lookup_free(&lookup);
	zone_end(&zone);
}

static void note(void *context)
{
	++*(unsigned *)context;
}

static void the_driver_is_told_of_each_that_comes(void **state)
{
	struct zone zone;
	unsigned told = 0;
	struct mg_lookup_options options = { .source = &zone.source,
		.questions_max = 10,
		.deadline_us = mg_mono_us() + 3600 * MG_S_US,
		.ready = note,
		.context = &told };
	struct mg_lookup *lookup;

	(void)state;
	zone_begin(&zone, zone_text);
	lookup = mg_lookup_new(&options);
	assert_non_null(get(lookup, "broken.example"));
	assert_int_equal(told, 0); /* known at once: nothing comes */
	zone.is_slow = true;
	assert_null(get(lookup, "a.example"));
	assert_null(get(lookup, "b.example"));
	assert_int_equal(told, 0);
	assert_true(zone_deliver(&zone) && zone_deliver(&zone));
	assert_int_equal(told, 2);
	mg_lookup_free(&lookup);
	zone_end(&zone);
}

int main(void)
{
	static struct CMUnitTest tests[64];
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(questions_can_be_kept_back),
		cmocka_unit_test(evaluators_share_answers),
		cmocka_unit_test(the_budget_is_kept),
		cmocka_unit_test(beyond_the_deadline_nothing_is_asked),
		cmocka_unit_test(an_answer_that_comes_later_is_found),
		cmocka_unit_test(expiry_answers_what_is_under_way),
		cmocka_unit_test(leaving_cancels),
		cmocka_unit_test(waiting_ends_by_an_answer_or_by_time),
		cmocka_unit_test(an_answer_from_another_thread_wakes),
		cmocka_unit_test(the_driver_is_told_of_each_that_comes),
	};
	size_t n = 0;

	ADD_ROWS(tests, n, get_rows, a_question_has_its_answer);
	for (size_t i = 0; i < ROWS(others); i++)
		tests[n++] = others[i];
	return _cmocka_run_group_tests("dns lookup", tests, n, NULL, NULL);
}
