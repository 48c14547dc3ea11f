#include "rows.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "guard/memory_store.h"
#include "guard_kit.h"

#define S KIT_S

struct fixture {
	struct mg_state *state;
	struct mg_limit_store store;
};

static struct fixture begin(size_t rows)
{
	struct mg_state_plan plan = kit_plan(rows);
	struct fixture f;

	kit_mono_is(0);
	f.state = kit_open(&plan);
	mg_memory_store(f.state, &f.store);
	return f;
}

static bool spend(struct fixture *f, struct mg_charge *charge)
{
	assert_true(f->store.decide(f->store.context, charge));
	assert_true(atomic_load(&charge->is_decided));
	return !charge->is_refused;
}

static struct mg_charge charge_of(const struct mg_charge_item *items, size_t count)
{
	struct mg_charge charge = { .count = count };

	memcpy(charge.item, items, count * sizeof *items);
	return charge;
}

/* What stands in a level. */
static uint64_t used_of(struct fixture *f, const struct mg_charge_item *item)
{
	struct mg_charge_item copy = *item;

	(void)f->store.look(f->store.context, &copy);
	return copy.used;
}

struct step {
	const char *key; /* NULL: the end */
	uint64_t cost;
	int64_t at_ns, wait_ns;
};
struct script_row {
	const char *name;
	struct step step[6];
};
static const struct script_row script_rows[] = {
	/* 10 a second, 3 at once */
	{ "a burst passes, the next waits", { { "a", 3, S, 0 }, { "a", 1, S, S / 10 }, { "a", 1, S + S / 10, 0 } } },
	{ "keys don't share", { { "a", 3, S, 0 }, { "b", 3, S, 0 }, { "a", 1, S, S / 10 } } },
	{ "a refusal costs nothing", { { "a", 3, S, 0 }, { "a", 3, S, 3 * S / 10 }, { "a", 1, S, S / 10 } } },
	{ "idleness doesn't pile up", { { "a", 3, S, 0 }, { "a", 3, 900 * S, 0 }, { "a", 1, 900 * S, S / 10 } } },
	{ "more than the burst never passes", { { "a", 4, S, INT64_MAX } } },
};

static void spending_follows_the_script(void **state)
{
	const struct script_row *row = *state;
	struct fixture f = begin(16);

	for (const struct step *step = row->step; step < row->step + ROWS(row->step) && step->key != NULL; step++) {
		struct mg_charge_item item = kit_item("l", step->key, 10, 3, MG_CHARGE_HARD, step->cost);
		struct mg_charge charge = charge_of(&item, 1);

		kit_mono_is(step->at_ns);
		assert_int_equal(spend(&f, &charge), step->wait_ns == 0);
		assert_int_equal(charge.item[0].wait_ns, step->wait_ns);
		assert_int_equal(charge.item[0].is_over, step->wait_ns != 0);
		assert_int_equal(charge.item[0].is_charged, step->wait_ns == 0);
	}
	kit_close(&f.state);
}

/* Every limit is 10 a second and 3 at once; `before` stands in it already. */
struct part {
	const char *limit; /* NULL: the end */
	enum mg_charge_mode mode;
	uint64_t before, cost;
	bool is_over, is_charged;
	uint64_t used;
};
struct charge_row {
	const char *name;
	bool is_refused;
	struct part part[4];
};
#define HARD   MG_CHARGE_HARD
#define SOFT   MG_CHARGE_SOFT
#define LOOK   MG_CHARGE_LOOK
#define FORCED MG_CHARGE_FORCED
#define WATCH  MG_CHARGE_WATCH
static const struct charge_row charge_rows[] = {
	{ "nothing at all", false, { { NULL, 0, 0, 0, 0, 0, 0 } } },
	{ "all fit", false, { { "a", HARD, 0, 1, false, true, 1 }, { "b", HARD, 1, 2, false, true, 3 } } },
	{ "one hard one doesn't: none is charged", true,
		{ { "a", HARD, 0, 1, false, false, 0 }, { "b", HARD, 3, 1, true, false, 3 },
			{ "c", HARD, 1, 1, false, false, 1 } } },
	{ "a refusal forces nothing in", true,
		{ { "a", FORCED, 1, 1, false, false, 1 }, { "b", HARD, 3, 1, true, false, 3 } } },
	{ "a soft one refuses nothing", false,
		{ { "a", SOFT, 3, 1, true, false, 3 }, { "b", HARD, 0, 1, false, true, 1 } } },
	{ "a soft one is charged where it fits", false, { { "a", SOFT, 2, 1, false, true, 3 } } },
	{ "a soft one is not charged where a hard one refuses", true,
		{ { "a", SOFT, 0, 1, false, false, 0 }, { "b", HARD, 3, 1, true, false, 3 } } },
	{ "a look is not charged", false,
		{ { "a", LOOK, 2, 1, false, false, 2 }, { "b", HARD, 0, 1, false, true, 1 } } },
	{ "a look refuses", true, { { "a", LOOK, 3, 1, true, false, 3 }, { "b", HARD, 0, 1, false, false, 0 } } },
	{ "a watch refuses nothing", false,
		{ { "a", WATCH, 3, 1, true, false, 3 }, { "b", HARD, 0, 1, false, true, 1 } } },
	{ "forced beyond the burst", false, { { "a", FORCED, 3, 2, true, true, 5 } } },
	{ "forced again: no further", false, { { "a", FORCED, 5, 2, true, true, 5 } } },
	{ "the same level twice fits", false,
		{ { "a", HARD, 0, 1, false, true, 1 }, { "a", HARD, 0, 2, false, true, 3 } } },
	{ "the same level twice doesn't", true,
		{ { "a", HARD, 0, 2, false, false, 0 }, { "a", HARD, 0, 2, true, false, 0 } } },
};

static void fill(struct fixture *f, const struct part *part)
{
	struct mg_charge_item item = kit_item(part->limit, "k", 10, 3, FORCED, part->before);
	struct mg_charge charge = charge_of(&item, 1);

	if (part->before > 0)
		assert_true(spend(f, &charge));
}

static void a_charge_is_all_or_nothing(void **state)
{
	const struct charge_row *row = *state;
	struct fixture f = begin(16);
	struct mg_charge charge = { 0 };

	for (const struct part *part = row->part; part < row->part + ROWS(row->part) && part->limit != NULL; part++) {
		fill(&f, part);
		charge.item[charge.count++] = kit_item(part->limit, "k", 10, 3, part->mode, part->cost);
	}
	assert_int_equal(spend(&f, &charge), !row->is_refused);
	for (size_t i = 0; i < charge.count; i++) {
		const struct mg_charge_item *item = &charge.item[i];
		const struct part *last = &row->part[i];

		assert_int_equal(item->is_over, row->part[i].is_over);
		assert_int_equal(item->is_charged, row->part[i].is_charged);
		assert_int_equal(item->used, row->part[i].used);
		for (size_t later = i; later < charge.count; later++)
			last = strcmp(row->part[later].limit, last->limit) == 0 ? &row->part[later] : last;
		assert_int_equal(used_of(&f, item), last->used);
	}
	kit_close(&f.state);
}

static void what_is_refunded_was_never_spent(void **state)
{
	struct fixture f = begin(16);
	struct mg_charge_item items[2] = { kit_item("a", "k", 10, 5, HARD, 2), kit_item("b", "k", 10, 5, HARD, 3) };
	struct mg_charge first = charge_of(items, 2), second = charge_of(items, 1);

	(void)state;
	assert_true(spend(&f, &second));
	assert_true(spend(&f, &first));
	f.store.refund(f.store.context, first.item, first.count);
	assert_int_equal(used_of(&f, &items[0]), 2);
	assert_int_equal(used_of(&f, &items[1]), 0);
	f.store.refund(f.store.context, first.item, first.count); /* once too often: not below empty */
	assert_int_equal(used_of(&f, &items[0]), 0);
	kit_close(&f.state);
}

static void a_reset_empties_one_level(void **state)
{
	struct fixture f = begin(16);
	struct mg_charge_item items[2] = { kit_item("a", "k", 10, 3, HARD, 3), kit_item("a", "other", 10, 3, HARD, 3) };
	struct mg_charge charge = charge_of(items, 2);

	(void)state;
	assert_true(spend(&f, &charge));
	f.store.reset(f.store.context, &items[0]);
	assert_int_equal(used_of(&f, &items[0]), 0);
	assert_int_equal(used_of(&f, &items[1]), 3);
	f.store.abandon(f.store.context, &charge); /* it has been decided: changes nothing */
	assert_int_equal(used_of(&f, &items[1]), 3);
	kit_close(&f.state);
}

static void a_look_tells_what_stands_there(void **state)
{
	struct fixture f = begin(16);
	struct mg_charge_item item = kit_item("a", "k", 10, 3, HARD, 3);
	struct mg_charge charge = charge_of(&item, 1);

	(void)state;
	assert_false(f.store.look(f.store.context, &item));
	assert_true(item.used == 0 && !item.is_over && item.wait_ns == 0);
	assert_true(spend(&f, &charge));
	assert_true(f.store.look(f.store.context, &item));
	assert_true(item.used == 3 && item.is_over && item.wait_ns == S / 10);
	kit_mono_is(S / 10);
	assert_true(f.store.look(f.store.context, &item));
	assert_true(item.used == 2 && !item.is_over && item.wait_ns == 0);
	kit_mono_is(S);
	assert_false(f.store.look(f.store.context, &item));
	kit_close(&f.state);
}

static void what_a_shared_store_told_is_known(void **state)
{
	struct fixture f = begin(16);
	struct mg_charge_item item = kit_item("a", "k", 10, 3, HARD, 1);
	struct mg_charge charge;

	(void)state;
	item.used = 3;
	mg_memory_store_learn(f.state, &item);
	charge = charge_of(&item, 1);
	assert_false(spend(&f, &charge));
	assert_int_equal(charge.item[0].wait_ns, S / 10);
	item.used = 2;
	mg_memory_store_learn(f.state, &item);
	assert_int_equal(used_of(&f, &item), 2);
	item.used = 0;
	mg_memory_store_learn(f.state, &item);
	assert_false(f.store.look(f.store.context, &item));
	kit_close(&f.state);
}

/* A limit whose numbers change at a reload keeps what was spent. */
static void a_level_outlives_its_limits_numbers(void **state)
{
	struct fixture f = begin(16);
	struct mg_charge_item item = kit_item("a", "k", 10, 10, HARD, 10);
	struct mg_charge charge = charge_of(&item, 1);

	(void)state;
	assert_true(spend(&f, &charge));
	charge.item[0] = kit_item("a", "k", 5, 5, HARD, 1);
	assert_false(spend(&f, &charge));
	assert_int_equal(charge.item[0].wait_ns, 6 * S / 5); /* 10 in it, 5 a second, 4 may be in it */
	charge.item[0] = kit_item("a", "k", 20, 20, HARD, 10);
	assert_true(spend(&f, &charge));
	kit_close(&f.state);
}

/* State's time never goes back; a level that says otherwise is damaged, and drains from now on. */
static void a_level_from_the_future_locks_nobody_out(void **state)
{
	struct fixture f = begin(16);
	struct mg_charge_item item = kit_item("a", "k", 10, 3, HARD, 3);
	struct mg_charge charge = charge_of(&item, 1);

	(void)state;
	kit_mono_is(1000000 * S);
	assert_true(spend(&f, &charge));
	kit_mono_is(S);
	assert_false(spend(&f, &charge));
	assert_int_equal(charge.item[0].wait_ns, 3 * S / 10);
	kit_close(&f.state);
}

struct list_row {
	const char *name, *limit, *key, *listed_key;
};
#define TEN   "0123456789"
#define SIXTY TEN TEN TEN TEN TEN TEN
static const struct list_row list_rows[] = {
	{ "as it is", "login-hour", "user:ann@example.org", "user:ann@example.org" },
	{ "the longest that fits", "abcd", SIXTY TEN TEN TEN, SIXTY TEN TEN TEN },
	{ "cut", "abcd", SIXTY TEN TEN TEN "x", SIXTY TEN TEN "012345678~" },
	{ "a long limit", "abc" SIXTY, SIXTY TEN, TEN TEN TEN "~" },
	{ "no half of a character", "abcd", SIXTY TEN TEN "01234567\xc3\xa9x", SIXTY TEN TEN "01234567~" },
};

struct listed {
	struct mg_limit_line line[8];
	size_t count, max;
};

static bool see(void *context, const struct mg_limit_line *line)
{
	struct listed *listed = context;

	listed->line[listed->count++] = *line;
	return listed->count < listed->max;
}

static void a_level_is_listed_under(void **state)
{
	const struct list_row *row = *state;
	struct fixture f = begin(16);
	struct mg_charge_item item = kit_item(row->limit, row->key, 10, 10, HARD, 10);
	struct mg_charge charge = charge_of(&item, 1);
	struct listed listed = { .max = 8 };

	assert_true(spend(&f, &charge));
	mg_memory_store_list(f.state, see, &listed);
	assert_int_equal(listed.count, 1);
	assert_string_equal(listed.line[0].limit, row->limit);
	assert_string_equal(listed.line[0].key, row->listed_key);
	assert_int_equal(listed.line[0].used, 10);
	assert_int_equal(listed.line[0].until_ns, mg_state_now_ns(f.state) + S);
	kit_mono_is(S / 2);
	listed.count = 0;
	mg_memory_store_list(f.state, see, &listed);
	assert_int_equal(listed.line[0].used, 5);
	kit_mono_is(S);
	listed.count = 0;
	mg_memory_store_list(f.state, see, &listed);
	assert_int_equal(listed.count, 0);
	kit_close(&f.state);
}

static void a_list_ends_when_it_is_told_to(void **state)
{
	struct fixture f = begin(1000);
	struct listed listed = { .max = 3 };

	(void)state;
	for (int i = 0; i < 500; i++) {
		char key[16];
		struct mg_charge charge = { .count = 1 };

		(void)snprintf(key, sizeof key, "client:%d", i);
		charge.item[0] = kit_item("a", key, 1, 10, HARD, 1);
		assert_true(spend(&f, &charge));
	}
	mg_memory_store_list(f.state, see, &listed);
	assert_int_equal(listed.count, 3);
	kit_close(&f.state);
}

int main(void)
{
	static struct CMUnitTest tests[64];
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(what_is_refunded_was_never_spent),
		cmocka_unit_test(a_reset_empties_one_level),
		cmocka_unit_test(a_look_tells_what_stands_there),
		cmocka_unit_test(what_a_shared_store_told_is_known),
		cmocka_unit_test(a_level_outlives_its_limits_numbers),
		cmocka_unit_test(a_level_from_the_future_locks_nobody_out),
		cmocka_unit_test(a_list_ends_when_it_is_told_to),
	};
	size_t n = 0;

	ADD_ROWS(tests, n, script_rows, spending_follows_the_script);
	ADD_ROWS(tests, n, charge_rows, a_charge_is_all_or_nothing);
	ADD_ROWS(tests, n, list_rows, a_level_is_listed_under);
	for (size_t i = 0; i < ROWS(others); i++)
		tests[n++] = others[i];
	return _cmocka_run_group_tests("memory store", tests, n, NULL, NULL);
}
