#include "rows.h"

#include <stdbool.h>
#include <string.h>

#include "guard/bucket.h"

#define S    INT64_C(1000000000)
#define YEAR UINT64_C(31536000)
#define MAX  UINT64_C(1000000000000)

/* A step spends where it fits, as a store does; wait_ns is the answer before that. */
struct step {
	uint64_t cost;
	int64_t at_ns, wait_ns;
};
struct script_row {
	const char *name;
	struct mg_bucket bucket;
	struct step step[6]; /* up to the first without a moment */
};
static const struct script_row script_rows[] = {
	{ "a burst passes, the next waits", { 10, 3, 1 }, { { 3, S, 0 }, { 1, S, S / 10 }, { 1, S + S / 10, 0 } } },
	{ "a refusal costs nothing", { 10, 3, 1 }, { { 3, S, 0 }, { 3, S, 3 * S / 10 }, { 1, S, S / 10 } } },
	{ "idleness doesn't pile up", { 10, 3, 1 }, { { 3, S, 0 }, { 3, 900 * S, 0 }, { 1, 900 * S, S / 10 } } },
	{ "more than the burst never passes", { 10, 3, 1 }, { { 4, S, INT64_MAX }, { 3, S, 0 } } },
	{ "nothing always fits", { 10, 3, 1 }, { { 3, S, 0 }, { 0, S, 0 } } },
	{ "a clock that went back drains nothing", { 10, 3, 1 }, { { 3, 9 * S, 0 }, { 1, S, 8 * S + S / 10 } } },
	{ "and goes on where it was", { 10, 3, 1 },
		{ { 3, 9 * S, 0 }, { 1, S, 8 * S + S / 10 }, { 1, 9 * S, S / 10 }, { 1, 9 * S + S / 10, 0 } } },
	{ "one an hour", { 1, 1, 3600 },
		{ { 1, S, 0 }, { 1, 2 * S, 3599 * S + 1 }, { 1, 3601 * S + 1, 0 } } }, /* rounded up */
	{ "500 an hour: 7.2 s each", { 500, 500, 3600 },
		{ { 500, S, 0 }, { 1, S, 36 * S / 5 }, { 10, S, 72 * S }, { 10, 73 * S, 0 } } },
	{ "the largest, at once", { MAX, MAX, 1 },
		{ { MAX, S, 0 }, { MAX, S, S }, { 1000, S + 1, 0 }, { MAX, 2 * S + 1, 0 } } },
	{ "the slowest", { 1, 1, YEAR }, { { 1, S, 0 }, { 1, S, (int64_t)YEAR *S } } },
	{ "a wait beyond all time", { 1, MAX, YEAR }, { { MAX, S, 0 }, { MAX, S, INT64_MAX } } },
};

static int64_t wait_from(
	int64_t now_ns, const struct mg_bucket_level *level, const struct mg_bucket *bucket, uint64_t cost)
{
	int64_t wait_ns = mg_level_wait_ns(level, bucket, cost);

	return wait_ns == 0 || wait_ns == INT64_MAX ? wait_ns : level->at_ns + wait_ns - now_ns;
}

static void spending_follows_the_script(void **state)
{
	const struct script_row *row = *state;
	struct mg_bucket_level level = { 0 };

	for (const struct step *step = row->step; step < row->step + ROWS(row->step) && step->at_ns != 0; step++) {
		mg_level_drain(&level, &row->bucket, step->at_ns);
		assert_int_equal(wait_from(step->at_ns, &level, &row->bucket, step->cost), step->wait_ns);
		if (step->wait_ns == 0)
			mg_level_add(&level, &row->bucket, step->cost);
	}
}

/* One unit a year, looked at every millisecond: no look alone drains a thing. */
static void looking_often_does_not_stop_the_draining(void **state)
{
	struct mg_bucket bucket = { 1, 1, YEAR };
	struct mg_bucket_level often = { 0, S }, once;

	(void)state;
	mg_level_add(&often, &bucket, 1);
	once = often;
	for (int64_t now_ns = S; now_ns <= 1000 * S; now_ns += S / 1000)
		mg_level_drain(&often, &bucket, now_ns);
	mg_level_drain(&once, &bucket, 1000 * S);
	assert_true(once.used_fp < UINT64_C(1) << MG_LEVEL_BITS);
	assert_int_equal(often.used_fp, once.used_fp);
}

struct force_row {
	const char *name;
	uint64_t forced[4];
	uint64_t used;
	int64_t empty_ns;
};
static const struct force_row force_rows[] = {
	{ "below the burst", { 1, 2 }, 3, 3 * S / 10 },
	{ "over the burst by one cost", { 3, 2 }, 5, S / 2 },
	{ "and no further", { 3, 2, 2, 2 }, 5, S / 2 },
	{ "one that is larger than the burst", { 100 }, 100, 10 * S },
	{ "larger than all", { UINT64_MAX, UINT64_MAX }, 3 + MAX, INT64_MAX },
};

static void what_is_forced_in_is_bounded(void **state)
{
	const struct force_row *row = *state;
	struct mg_bucket bucket = { 10, 3, 1 };
	struct mg_bucket_level level = { 0, S };

	for (size_t i = 0; i < ROWS(row->forced); i++)
		if (row->forced[i] != 0)
			mg_level_add(&level, &bucket, row->forced[i]);
	assert_int_equal(mg_level_used(&level), row->used);
	assert_int_equal(mg_level_empty_ns(&level, &bucket), row->empty_ns);
}

static void what_is_taken_out_is_what_was_put_in(void **state)
{
	struct mg_bucket bucket = { 10, 30, 1 };
	struct mg_bucket_level level = { 0, S }, before;

	(void)state;
	mg_level_add(&level, &bucket, 7);
	mg_level_drain(&level, &bucket, S + S / 3);
	before = level;
	mg_level_add(&level, &bucket, 11);
	mg_level_remove(&level, 11);
	assert_memory_equal(&level, &before, sizeof level);
	mg_level_remove(&level, 100);
	assert_int_equal(mg_level_used(&level), 0);
	assert_int_equal(mg_level_empty_ns(&level, &bucket), 0);
}

static void used_is_rounded_up(void **state)
{
	struct mg_bucket_level level = { 0 };

	(void)state;
	assert_int_equal(mg_level_used(&level), 0);
	level.used_fp = 1;
	assert_int_equal(mg_level_used(&level), 1);
	level.used_fp = UINT64_C(5) << MG_LEVEL_BITS;
	assert_int_equal(mg_level_used(&level), 5);
	level.used_fp = UINT64_MAX;
	assert_int_equal(mg_level_used(&level), UINT64_C(1) << (64 - MG_LEVEL_BITS));
}

struct window_row {
	const char *name;
	struct mg_bucket bucket;
};
static const struct window_row window_rows[] = {
	{ "7 of 10 in 3 s", { 10, 7, 3 } },
	{ "1 of 1 in 1 s", { 1, 1, 1 } },
	{ "500 of 500 in an hour", { 500, 500, 3600 } },
	{ "3 of 1000 in a second", { 1000, 3, 1 } },
	{ "1000 of 3 in 7 s", { 3, 1000, 7 } },
};

/* Random spending, greedy for the most part: no window of per_s ever sees more than limit + burst. */
static void no_window_sees_more_than_limit_and_burst(void **state)
{
	enum { TRIES = 20000 };
	const struct window_row *row = *state;
	static int64_t at[TRIES];
	static uint64_t granted[TRIES];
	struct mg_bucket_level level = { 0 };
	int64_t now_ns = S, per_ns = (int64_t)row->bucket.per_s * S;
	uint64_t seed = 42, in_window = 0;
	size_t oldest = 0;

	for (size_t i = 0; i < TRIES; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		now_ns += (int64_t)((seed >> 33) % (uint64_t)(per_ns / 50));
		at[i] = now_ns;
		granted[i] = 1 + (seed >> 20) % row->bucket.burst / 2;
		mg_level_drain(&level, &row->bucket, now_ns);
		if (mg_level_wait_ns(&level, &row->bucket, granted[i]) == 0)
			mg_level_add(&level, &row->bucket, granted[i]);
		else
			granted[i] = 0;
		in_window += granted[i];
		while (at[oldest] <= now_ns - per_ns)
			in_window -= granted[oldest++];
		assert_true(in_window <= row->bucket.limit + row->bucket.burst);
		assert_true(mg_level_used(&level) <= row->bucket.burst);
	}
}

int main(void)
{
	static struct CMUnitTest tests[64];
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(looking_often_does_not_stop_the_draining),
		cmocka_unit_test(what_is_taken_out_is_what_was_put_in),
		cmocka_unit_test(used_is_rounded_up),
	};
	size_t n = 0;

	ADD_ROWS(tests, n, script_rows, spending_follows_the_script);
	ADD_ROWS(tests, n, force_rows, what_is_forced_in_is_bounded);
	ADD_ROWS(tests, n, window_rows, no_window_sees_more_than_limit_and_burst);
	for (size_t i = 0; i < ROWS(others); i++)
		tests[n++] = others[i];
	return _cmocka_run_group_tests("bucket", tests, n, NULL, NULL);
}
