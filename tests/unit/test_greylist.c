/* Also the lines of evidence, which are as small. */
#include "rows.h"

#include <pthread.h>
#include <string.h>

#include "engine/evidence.h"
#include "guard/greylist.h"
#include "guard/plan.h"
#include "guard_kit.h"
#include "postfix_kit.h"

struct step {
	int64_t at_s;
	const char *client, *sender; /* NULL: the end */
	int64_t wait_s;
};
struct script {
	const char *name;
	struct step step[5];
};
static const struct script scripts[] = {
	/* the delay is 300 s */
	{ "who comes back after the delay is known from then on",
		{ { 0, "192.0.2.1", "a@x", 301 }, { 299, "192.0.2.1", "a@x", 2 }, { 300, "192.0.2.1", "a@x", 0 },
			{ 301, "192.0.2.99", "b@y", 0 } } },
	{ "another sender waits for himself", { { 0, "192.0.2.1", "a@x", 301 }, { 200, "192.0.2.1", "b@x", 301 } } },
	{ "another network, too", { { 0, "192.0.2.1", "a@x", 301 }, { 300, "192.0.3.1", "a@x", 301 } } },
	{ "another host of the network may come back",
		{ { 0, "192.0.2.1", "a@x", 301 }, { 300, "192.0.2.200", "a@x", 0 } } },
	{ "who comes too late begins anew", { { 0, "192.0.2.1", "a@x", 301 }, { 172800, "192.0.2.1", "a@x", 301 } } },
	{ "the last second of the window", { { 0, "192.0.2.1", "a@x", 301 }, { 172799, "192.0.2.1", "a@x", 0 } } },
	{ "IPv6 and the null sender", { { 0, "2001:db8::1", "", 301 }, { 300, "2001:db8::2", "", 0 } } },
	{ "no address", { { 0, "", "a@x", 0 } } },
};

static void strangers_wait(void **state)
{
	const struct script *script = *state;
	struct mg_state_plan plan = mg_guard_plan(256);
	struct mg_seen seen;

	plan.clock = kit_plan(16).clock;
	kit_mono_is(0);
	seen.state = kit_open(&plan);
	for (const struct step *step = script->step; step < script->step + ROWS(script->step) && step->sender != NULL;
		step++) {
		struct mg_ip client = kit_ip(step->client);

		kit_mono_is(step->at_s * KIT_S);
		assert_int_equal(
			mg_greylist_ask(seen.state, &seen, &client, mg_str_z(step->sender), 300), step->wait_s);
	}
	kit_close(&seen.state);
}

static void who_is_known_does_not_wait(void **state)
{
	struct mg_state_plan plan = mg_guard_plan(256);
	struct mg_ip client = kit_ip("192.0.2.1"), other = kit_ip("192.0.2.2");
	struct mg_seen seen;

	(void)state;
	plan.clock = kit_plan(16).clock;
	seen.state = kit_open(&plan);
	mg_greylist_know(&seen, &client);
	assert_int_equal(mg_greylist_ask(seen.state, &seen, &other, MG_STR("a@x"), 300), 0);
	kit_close(&seen.state);
}

/* ---- evidence ---- */

static void the_last_lines_are_kept(void **state)
{
	struct mg_evidence evidence = { 0 };
	char text[MG_EVIDENCE_TEXT], wide[500];

	(void)state;
	assert_int_equal(mg_evidence_get(&evidence, 0, text), 0);
	for (int i = 0; i < 11; i++)
		mg_evidence_add(&evidence, "line %d", i);
	for (unsigned back = 0; back < MG_EVIDENCE_LINES; back++) {
		assert_int_not_equal(mg_evidence_get(&evidence, back, text), 0);
		assert_int_equal(text[5] == '1' ? 10 : text[5] - '0', 10 - back);
	}
	assert_int_equal(mg_evidence_get(&evidence, MG_EVIDENCE_LINES, text), 0);
	memset(wide, 'x', sizeof wide);
	mg_evidence_add(&evidence, "%.*s", (int)sizeof wide, wide);
	assert_int_not_equal(mg_evidence_get(&evidence, 0, text), 0);
	assert_int_equal(strlen(text), MG_EVIDENCE_TEXT - 1);
}

static void a_line_that_is_half_written_is_not_shown(void **state)
{
	struct mg_evidence evidence = { 0 };
	char text[MG_EVIDENCE_TEXT];

	(void)state;
	mg_evidence_add(&evidence, "whole");
	atomic_fetch_add(&evidence.line[0].version, 1); /* its writer was killed */
	assert_int_equal(mg_evidence_get(&evidence, 0, text), 0);
	for (unsigned i = 0; i < MG_EVIDENCE_LINES; i++)
		mg_evidence_add(&evidence, "again");
	assert_int_not_equal(mg_evidence_get(&evidence, 0, text), 0);
	assert_string_equal(text, "again");
}

static void *add(void *arg)
{
	for (int i = 0; i < 2000; i++)
		mg_evidence_add(arg, "%s", i % 2 == 0 ? "aaaaaaaaaaaaaaaaaaaaaaaa" : "bbbbbbbbbbbbbbbbbbbbbbbb");
	return NULL;
}

static void readers_and_a_writer(void **state)
{
	struct mg_evidence evidence = { 0 };
	char text[MG_EVIDENCE_TEXT];
	pthread_t writer;

	(void)state;
	assert_int_equal(pthread_create(&writer, NULL, add, &evidence), 0);
	for (int i = 0; i < 2000; i++)
		if (mg_evidence_get(&evidence, (unsigned)i % MG_EVIDENCE_LINES, text) != 0)
			assert_int_equal(strspn(text, "a") + strspn(text, "b"), 24);
	pthread_join(writer, NULL);
}

int main(void)
{
	static struct CMUnitTest tests[20];
	size_t n = 0;

	ADD_ROWS(tests, n, scripts, strangers_wait);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(who_is_known_does_not_wait);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(the_last_lines_are_kept);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_line_that_is_half_written_is_not_shown);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(readers_and_a_writer);
	return _cmocka_run_group_tests("greylist", tests, n, NULL, NULL);
}
