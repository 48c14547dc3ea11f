#include "rows.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "guard/memory_store.h"
#include "guard/seen.h"
#include "guard_kit.h"

#define S      KIT_S
#define WALL_S INT64_C(1000000)

enum { FILE_MAX = 1 << 16 };

static char directory[64], path[96], bad[112], fresh[112];

static struct mg_charge_item item_of(int i, uint64_t cost)
{
	char key[32];

	(void)snprintf(key, sizeof key, "user:%d@example.org", i);
	return kit_item("hour", key, 1, 1000, MG_CHARGE_HARD, cost);
}

static void spend(struct mg_state *state, int i, uint64_t cost)
{
	struct mg_limit_store store;
	struct mg_charge charge = { .count = 1 };

	mg_memory_store(state, &store);
	charge.item[0] = item_of(i, cost);
	assert_true(store.decide(store.context, &charge) && !charge.is_refused);
}

static uint64_t used(struct mg_state *state, int i)
{
	struct mg_limit_store store;
	struct mg_charge_item item = item_of(i, 1);

	mg_memory_store(state, &store);
	(void)store.look(store.context, &item);
	return item.used;
}

static size_t rows_of(struct mg_state *state)
{
	struct mg_table_stats stats;

	mg_table_stats(mg_state_table(state, MG_STATE_LIMITS), &stats);
	return stats.rows;
}

/* A snapshot at state's second 1 + `after_s`, of 100 units each in the levels 0..count-1, and of one pair seen. */
static void save(const struct mg_state_plan *plan, int count, int64_t after_s)
{
	struct mg_state *state;
	struct mg_seen seen;

	kit_mono_is(0);
	kit_wall_is(1000000 * WALL_S);
	seen.state = state = kit_open(plan);
	for (int i = 0; i < count; i++)
		spend(state, i, 100);
	mg_seen_learn(&seen, MG_STR("user"), MG_STR("ann"), MG_STR("bob"));
	kit_mono_is(after_s * S);
	assert_int_equal(mg_state_save(state, path, NULL), MG_OK);
	kit_close(&state);
}

static bool is_there(const char *name)
{
	return access(name, F_OK) == 0;
}

static size_t slurp(char content[FILE_MAX])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, content, FILE_MAX);

	assert_true(n > 0 && n < FILE_MAX);
	close(fd);
	return (size_t)n;
}

static void spill(const char *content, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, content, n), (ssize_t)n);
	close(fd);
}

static void a_state_comes_back(void **state)
{
	struct mg_state_plan plan = kit_plan(1000);
	struct mg_state *restored;
	struct mg_seen seen;
	struct stat info;

	(void)state;
	save(&plan, 700, 40);
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0600);
	assert_false(is_there(fresh));
	kit_mono_is(7777 * S); /* another boot: another monotonic clock */
	seen.state = restored = kit_open(&plan);
	assert_int_equal(mg_state_restore(restored, path, NULL), MG_OK);
	assert_int_equal(mg_state_now_ns(restored), 41 * S);
	for (int i = 0; i < 700; i++)
		assert_int_equal(used(restored, i), 60);
	assert_int_equal(used(restored, 700), 0);
	assert_true(mg_seen_knows(&seen, MG_STR("user"), MG_STR("ann"), MG_STR("bob")));
	assert_true(is_there(path));
	kit_close(&restored);
}

static void what_means_nothing_is_left_out(void **state)
{
	struct mg_state_plan plan = kit_plan(1000);
	struct mg_state *restored;
	static char content[FILE_MAX];
	size_t full;

	(void)state;
	save(&plan, 100, 40);
	full = slurp(content);
	save(&plan, 100, 101); /* drained to nothing */
	assert_true(slurp(content) < full / 10);
	restored = kit_open(&plan);
	assert_int_equal(mg_state_restore(restored, path, NULL), MG_OK);
	assert_int_equal(rows_of(restored), 0);
	kit_close(&restored);
}

struct away_row {
	const char *name;
	int64_t away_s; /* by the wall clock */
	uint64_t used;  /* of 100, one a second, 40 s after they were spent */
};
static const struct away_row away_rows[] = {
	{ "no time", 0, 60 },
	{ "ten seconds", 10, 50 },
	{ "long", 1000, 0 },
	{ "a thousand years: the clock was set", INT64_C(31536000000), 0 },
	{ "the clock went back: no time", -1000, 60 },
	{ "to before the epoch", -2000000, 60 },
};

static void levels_drain_while_we_are_away(void **state)
{
	const struct away_row *row = *state;
	struct mg_state_plan plan = kit_plan(100);
	struct mg_state *restored;

	save(&plan, 10, 40);
	kit_wall_is((1000000 + row->away_s) * WALL_S);
	restored = kit_open(&plan);
	assert_int_equal(mg_state_restore(restored, path, NULL), MG_OK);
	assert_int_equal(used(restored, 3), row->used);
	kit_wall_is(0); /* steps later are nobody's business */
	assert_int_equal(used(restored, 3), row->used);
	kit_close(&restored);
}

static void there_is_none(void **state)
{
	struct mg_state_plan plan = kit_plan(100);
	struct mg_state *empty = kit_open(&plan);
	struct mg_err err = { "" };

	(void)state;
	unlink(path);
	assert_int_equal(mg_state_restore(empty, path, &err), MG_ENOENT);
	assert_int_equal(mg_state_save(empty, "/nonexistent/state.db", &err), MG_EIO);
	kit_close(&empty);
}

static void a_directory_in_its_place_is_set_aside(void **state)
{
	struct mg_state_plan plan = kit_plan(100);
	struct mg_state *empty = kit_open(&plan);

	(void)state;
	unlink(path);
	unlink(bad);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(mg_state_restore(empty, path, NULL), MG_ESYNTAX);
	assert_int_equal(rmdir(bad), 0);
	kit_close(&empty);
}

static void tables_of_another_version_are_left_empty(void **state)
{
	struct mg_state_plan plan = kit_plan(100);
	struct mg_table_shape newer = mg_limit_rows;
	struct mg_state *restored;
	struct mg_seen seen;

	(void)state;
	save(&plan, 10, 1);
	newer.version++;
	plan.shape[MG_STATE_LIMITS] = &newer;
	plan.shape[MG_STATE_BANS] = NULL;
	seen.state = restored = kit_open(&plan);
	assert_int_equal(mg_state_restore(restored, path, NULL), MG_OK);
	assert_int_equal(rows_of(restored), 0);
	assert_true(mg_seen_knows(&seen, MG_STR("user"), MG_STR("ann"), MG_STR("bob")));
	kit_close(&restored);
}

/* A smaller table keeps those that mean something longest. */
static void another_size_keeps_what_has_room(void **state)
{
	struct mg_state_plan plan = kit_plan(1000), smaller = kit_plan(100);
	struct mg_state *restored;

	(void)state;
	save(&plan, 1000, 1);
	restored = kit_open(&smaller);
	assert_int_equal(mg_state_restore(restored, path, NULL), MG_OK);
	assert_true(rows_of(restored) >= 100);
	kit_close(&restored);
}

/* Restores from what stands in `path`: all of it, or nothing, and then it stands aside. */
static bool is_restored_or_set_aside(const struct mg_state_plan *plan)
{
	struct mg_state *state = kit_open(plan);
	enum mg_rc rc = mg_state_restore(state, path, NULL);

	if (rc == MG_OK) {
		assert_true(is_there(path));
		assert_int_equal(rows_of(state), 3);
	} else {
		assert_int_equal(rc, MG_ESYNTAX);
		assert_true(is_there(bad) && !is_there(path));
		assert_int_equal(unlink(bad), 0);
		assert_int_equal(rows_of(state), 0);
	}
	kit_close(&state);
	return rc == MG_OK;
}

static void damage_at_every_byte_is_found(void **state)
{
	struct mg_state_plan plan = kit_plan(16);
	static char content[FILE_MAX];
	static const char damage[] = { 1, (char)0x80, (char)0xff };
	size_t n;

	(void)state;
	save(&plan, 3, 1);
	n = slurp(content);
	assert_true(is_restored_or_set_aside(&plan));
	for (size_t at = 0; at < n; at++)
		for (size_t i = 0; i < sizeof damage; i++) {
			content[at] = (char)(content[at] ^ damage[i]);
			spill(content, n);
			assert_false(is_restored_or_set_aside(&plan));
			content[at] = (char)(content[at] ^ damage[i]);
		}
}

static void every_length_but_the_right_one_is_found(void **state)
{
	struct mg_state_plan plan = kit_plan(16);
	static char content[FILE_MAX + 64];
	size_t n;

	(void)state;
	save(&plan, 3, 1);
	n = slurp(content);
	for (size_t length = 0; length < n + 64; length++) {
		spill(content, length);
		assert_int_equal(is_restored_or_set_aside(&plan), length == n);
	}
}

static void a_saving_that_fails_leaves_the_old_one(void **state)
{
	struct mg_state_plan plan = kit_plan(16);
	struct mg_state *full;

	(void)state;
	save(&plan, 3, 1);
	full = kit_open(&plan);
	assert_int_equal(mkdir(fresh, 0700), 0); /* in the way of the new file */
	assert_int_equal(mg_state_save(full, path, NULL), MG_EIO);
	assert_int_equal(rmdir(fresh), 0);
	kit_close(&full);
	assert_true(is_restored_or_set_aside(&plan));
}

struct layout_row {
	const char *name;
	size_t rows, more_bytes;
	bool has_bans;
	enum mg_rc rc;
};
static const struct layout_row layout_rows[] = {
	{ "the same", 100, 0, true, MG_OK },
	{ "more rows", 101, 0, true, MG_ESYNTAX },
	{ "a table less", 100, 0, false, MG_ESYNTAX },
	{ "more memory than planned", 100, 4096, true, MG_ESYNTAX },
};

static void memory_is_taken_over_only_as_planned(void **state)
{
	const struct layout_row *row = *state;
	struct mg_state_plan plan = kit_plan(100), wanted = kit_plan(row->rows);
	struct mg_state *first = kit_open(&plan), *next = NULL;

	spend(first, 1, 100);
	if (!row->has_bans)
		wanted.shape[MG_STATE_BANS] = NULL;
	assert_int_equal(
		mg_state_open(&wanted, kit_memory(), mg_state_bytes(&plan) + row->more_bytes, false, &next, NULL),
		row->rc);
	if (row->rc == MG_OK)
		assert_int_equal(used(next, 1), 100);
	else
		assert_null(next);
	mg_state_close(&next);
	kit_close(&first);
}

static void memory_never_laid_out_is_not_taken_over(void **state)
{
	struct mg_state_plan plan = kit_plan(100);
	struct mg_state *first = kit_open(&plan), *next = NULL;

	(void)state;
	memset(kit_memory(), 0, 8); /* it died before it had written its mark */
	assert_int_equal(mg_state_open(&plan, kit_memory(), mg_state_bytes(&plan), false, &next, NULL), MG_ESYNTAX);
	mg_state_close(&first);
	kit_close(&first);
}

/* Two states have two keys: rows can't be made to collide by who knows one. */
static void keys_are_the_states_own(void **state)
{
	struct mg_state_plan plan = kit_plan(100);
	struct mg_state *one = kit_open(&plan);
	uint64_t key = mg_state_key(one, MG_STR("ban"), MG_STR("192.0.2.1"));

	(void)state;
	assert_true(key != 0 && key == mg_state_key(one, MG_STR("ban"), MG_STR("192.0.2.1")));
	assert_true(key != mg_state_key(one, MG_STR("bann"), MG_STR("192.0.2.1")));
	assert_true(key != mg_state_key(one, MG_STR("ban"), MG_STR("192.0.2.2")));
	assert_true(mg_state_key(one, MG_STR("ab"), MG_STR("c")) != mg_state_key(one, MG_STR("a"), MG_STR("bc")));
	kit_close(&one);
	one = kit_open(&plan);
	assert_true(key != mg_state_key(one, MG_STR("ban"), MG_STR("192.0.2.1")));
	kit_close(&one);
}

int main(void)
{
	static struct CMUnitTest tests[32];
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(a_state_comes_back),
		cmocka_unit_test(what_means_nothing_is_left_out),
		cmocka_unit_test(there_is_none),
		cmocka_unit_test(a_directory_in_its_place_is_set_aside),
		cmocka_unit_test(tables_of_another_version_are_left_empty),
		cmocka_unit_test(another_size_keeps_what_has_room),
		cmocka_unit_test(damage_at_every_byte_is_found),
		cmocka_unit_test(every_length_but_the_right_one_is_found),
		cmocka_unit_test(a_saving_that_fails_leaves_the_old_one),
		cmocka_unit_test(memory_never_laid_out_is_not_taken_over),
		cmocka_unit_test(keys_are_the_states_own),
	};
	size_t n = 0;
	int failed;

	mg_log_open(true, MG_LOG_ERROR);
	(void)snprintf(directory, sizeof directory, "/tmp/mailguard-snapshot-XXXXXX");
	if (mkdtemp(directory) == NULL)
		return 1;
	(void)snprintf(path, sizeof path, "%s/state.db", directory);
	(void)snprintf(bad, sizeof bad, "%s.bad", path);
	(void)snprintf(fresh, sizeof fresh, "%s.new", path);
	ADD_ROWS(tests, n, away_rows, levels_drain_while_we_are_away);
	ADD_ROWS(tests, n, layout_rows, memory_is_taken_over_only_as_planned);
	for (size_t i = 0; i < ROWS(others); i++)
		tests[n++] = others[i];
	failed = _cmocka_run_group_tests("snapshot", tests, n, NULL, NULL);
	unlink(path);
	unlink(bad);
	rmdir(directory);
	return failed;
}
