#include "rows.h"

#include <stdio.h>
#include <string.h>

#include "guard/seen.h"
#include "guard_kit.h"

#define DAY (INT64_C(86400) * KIT_S)

struct pair_row {
	const char *name, *kind, *who, *whom;
	bool is_known;
};
static const struct pair_row pair_rows[] = {
	/* learned: user, ann@example.org, bob@example.net */
	{ "the pair", "user", "ann@example.org", "bob@example.net", true },
	{ "another kind", "client_net", "ann@example.org", "bob@example.net", false },
	{ "another who", "user", "amy@example.org", "bob@example.net", false },
	{ "another whom", "user", "ann@example.org", "bill@example.net", false },
	{ "the other way round", "user", "bob@example.net", "ann@example.org", false },
	{ "cut elsewhere", "user", "ann@example.orgb", "ob@example.net", false },
	{ "nothing", "", "", "", false },
};

static void a_pair_is_known_as_itself(void **state)
{
	const struct pair_row *row = *state;
	struct mg_state_plan plan = kit_plan(16);
	struct mg_seen seen = { kit_open(&plan) };

	mg_seen_learn(&seen, MG_STR("user"), MG_STR("ann@example.org"), MG_STR("bob@example.net"));
	assert_int_equal(
		mg_seen_knows(&seen, mg_str_z(row->kind), mg_str_z(row->who), mg_str_z(row->whom)), row->is_known);
	kit_close(&seen.state);
}

static void a_pair_is_forgotten_when_it_is_not_met(void **state)
{
	struct mg_state_plan plan = kit_plan(16);
	struct mg_seen seen = { kit_open(&plan) };
	struct mg_str kind = MG_STR("user"), who = MG_STR("ann"), whom = MG_STR("bob@example.net");

	(void)state;
	kit_mono_is(0);
	mg_seen_learn(&seen, kind, who, whom);
	kit_mono_is(MG_SEEN_DAYS * DAY - KIT_S);
	assert_true(mg_seen_knows(&seen, kind, who, whom));
	mg_seen_learn(&seen, kind, who, whom);
	kit_mono_is(2 * MG_SEEN_DAYS * DAY - 2 * KIT_S);
	assert_true(mg_seen_knows(&seen, kind, who, whom));
	kit_mono_is(2 * MG_SEEN_DAYS * DAY);
	assert_false(mg_seen_knows(&seen, kind, who, whom));
	kit_close(&seen.state);
}

/* Where room is short the least recent go. */
static void the_last_met_stay(void **state)
{
	struct mg_state_plan plan = kit_plan(16);
	struct mg_seen seen = { kit_open(&plan) };
	int last = 0, first = 0;

	(void)state;
	for (int i = 0; i < 400; i++) {
		kit_mono_is(i * KIT_S);
		mg_seen_learn(&seen, MG_STR("user"), mg_str_of(&i, sizeof i), MG_STR("bob"));
	}
	for (int i = 0; i < 400; i++) {
		bool is_known = mg_seen_knows(&seen, MG_STR("user"), mg_str_of(&i, sizeof i), MG_STR("bob"));

		last += is_known && i >= 392;
		first += is_known && i < 300;
	}
	assert_int_equal(last, 8);
	assert_int_equal(first, 0);
	kit_close(&seen.state);
}

int main(void)
{
	static struct CMUnitTest tests[16];
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(a_pair_is_forgotten_when_it_is_not_met),
		cmocka_unit_test(the_last_met_stay),
	};
	size_t n = 0;

	ADD_ROWS(tests, n, pair_rows, a_pair_is_known_as_itself);
	for (size_t i = 0; i < ROWS(others); i++)
		tests[n++] = others[i];
	return _cmocka_run_group_tests("seen", tests, n, NULL, NULL);
}
