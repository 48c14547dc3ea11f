#include "rows.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guard/table.h"

/* What a row holds follows from its key, so that a broken one shows. */
struct row {
	struct mg_row head;
	uint64_t word[6];
};
static const struct mg_table_shape shape = { "test", 1, sizeof(struct row) };

static void *memory_of(size_t rows)
{
	void *memory =
		mmap(NULL, mg_table_bytes(&shape, rows), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		abort();
	return memory;
}

static struct mg_table table_of(size_t rows)
{
	struct mg_table table;

	if (!mg_table_open(&table, &shape, rows, memory_of(rows), true))
		abort();
	return table;
}

static void let_go(struct mg_table *table, size_t rows)
{
	munmap(table->memory, mg_table_bytes(&shape, rows));
}

/* As SipHash scatters: a bijection, so numbers never share a key. */
static uint64_t key_of(uint64_t i)
{
	i = (i + 1) * UINT64_C(0xbf58476d1ce4e5b9);
	i = (i ^ i >> 32) * UINT64_C(0x94d049bb133111eb);
	return i ^ i >> 29;
}

static void fill(struct row *row)
{
	for (size_t i = 0; i < ROWS(row->word); i++)
		row->word[i] = row->head.key * (i + 3);
}

static bool is_whole(const struct row *row)
{
	for (size_t i = 0; i < ROWS(row->word); i++)
		if (row->word[i] != 0 && row->word[i] != row->head.key * (i + 3))
			return false;
	return true;
}

static void put(struct mg_table *table, uint64_t key, int64_t until_ns, int64_t now_ns)
{
	struct mg_table_hold hold;
	struct row *row;

	mg_table_lock(table, &key, 1, &hold);
	row = mg_table_make(table, key, now_ns);
	fill(row);
	row->head.until_ns = until_ns;
	mg_table_unlock(table, &hold);
}

static bool has(struct mg_table *table, uint64_t key)
{
	struct mg_table_hold hold;
	const struct row *row;

	mg_table_lock(table, &key, 1, &hold);
	row = mg_table_get(table, key);
	mg_table_unlock(table, &hold);
	return row != NULL;
}

static struct mg_table_stats stats_of(const struct mg_table *table)
{
	struct mg_table_stats stats;

	mg_table_stats(table, &stats);
	return stats;
}

struct size_row {
	const char *name;
	size_t rows;
};
static const struct size_row size_rows[] = {
	{ "the smallest", 16 },
	{ "100", 100 },
	{ "5000", 5000 },
	{ "200000", 200000 },
};

static void a_table_filled_to_its_size_has_forgotten_hardly_any(void **state)
{
	const struct size_row *row = *state;
	struct mg_table table = table_of(row->rows);
	size_t known = 0;

	for (uint64_t i = 0; i < row->rows; i++)
		put(&table, key_of(i), 1000, 1);
	for (uint64_t i = 0; i < row->rows; i++)
		known += has(&table, key_of(i));
	assert_int_equal(stats_of(&table).rows_max, row->rows);
	assert_int_equal(stats_of(&table).rows, known);
	assert_int_equal(stats_of(&table).forgotten, row->rows - known);
	assert_true(stats_of(&table).forgotten * 100 < row->rows);
	let_go(&table, row->rows);
}

static void beyond_its_size_rows_go_and_are_counted(void **state)
{
	const struct size_row *row = *state;
	struct mg_table table = table_of(row->rows);
	uint64_t put_in = row->rows * 3;
	struct mg_table_stats stats;

	for (uint64_t i = 0; i < put_in; i++)
		put(&table, key_of(i), 1000 + (int64_t)i, 1);
	stats = stats_of(&table);
	assert_int_equal(stats.rows + stats.forgotten, put_in);
	assert_true(stats.rows >= row->rows && stats.rows <= row->rows * 2 + 24);
	assert_true(has(&table, key_of(put_in - 1)));
	let_go(&table, row->rows);
}

/* 16 rows are 2 or 3 sets: who goes is the idlest of 16. */
static void the_idlest_goes_first(void **state)
{
	struct mg_table table = table_of(16);
	unsigned late = 0;

	(void)state;
	for (uint64_t i = 0; i < 300; i++)
		put(&table, key_of(i), i % 30 == 0 ? 1000000 : 1000 + (int64_t)i, 1);
	for (uint64_t i = 0; i < 300; i += 30)
		late += has(&table, key_of(i));
	assert_int_equal(late, 10);
	assert_false(has(&table, key_of(1)));
	let_go(&table, 16);
}

static void rows_that_mean_nothing_go_uncounted(void **state)
{
	struct mg_table table = table_of(100);

	(void)state;
	for (uint64_t i = 0; i < 1000; i++)
		put(&table, key_of(i), (int64_t)i + 10, (int64_t)i); /* ten of them mean something at any time */
	assert_int_equal(stats_of(&table).forgotten, 0);
	for (uint64_t i = 990; i < 1000; i++)
		assert_true(has(&table, key_of(i)));
	let_go(&table, 100);
}

static void a_new_row_is_zero(void **state)
{
	struct mg_table table = table_of(16);
	struct mg_table_hold hold;

	(void)state;
	for (uint64_t i = 0; i < 200; i++) {
		uint64_t key = key_of(i);
		struct row *row, zero = { .head.key = key };

		mg_table_lock(&table, &key, 1, &hold);
		assert_null(mg_table_get(&table, key));
		row = mg_table_make(&table, key, 1);
		assert_memory_equal(row, &zero, sizeof zero);
		fill(row);
		row->head.until_ns = 1000;
		assert_ptr_equal(mg_table_make(&table, key, 1), row);
		assert_ptr_equal(mg_table_get(&table, key), row);
		mg_table_unlock(&table, &hold);
	}
	let_go(&table, 16);
}

static void what_is_dropped_is_gone(void **state)
{
	struct mg_table table = table_of(16);
	struct mg_table_hold hold;
	uint64_t key = key_of(1);

	(void)state;
	put(&table, key, 1000, 1);
	mg_table_lock(&table, &key, 1, &hold);
	mg_table_drop(&table, key);
	assert_null(mg_table_get(&table, key));
	mg_table_drop(&table, key);
	mg_table_unlock(&table, &hold);
	assert_int_equal(stats_of(&table).rows, 0);
	assert_int_equal(stats_of(&table).forgotten, 0);
	let_go(&table, 16);
}

static void shards_are_locked_once_and_in_order(void **state)
{
	struct mg_table table = table_of(200000);
	struct mg_table_hold hold;
	uint64_t keys[MG_TABLE_KEYS];

	(void)state;
	for (uint64_t i = 0; i < MG_TABLE_KEYS; i++)
		keys[i] = key_of(i % 10);
	mg_table_lock(&table, keys, MG_TABLE_KEYS, &hold);
	assert_true(hold.count > 1 && hold.count <= 10);
	for (size_t i = 1; i < hold.count; i++)
		assert_true(hold.shard[i - 1] < hold.shard[i]);
	mg_table_unlock(&table, &hold);
	mg_table_lock(&table, keys, 0, &hold);
	mg_table_unlock(&table, &hold);
	let_go(&table, 200000);
}

static bool add_one(void *context, void *row)
{
	size_t *count = context;

	((struct row *)row)->word[0] = 0;
	return ++*count < 3000;
}

static void a_walk_meets_every_row(void **state)
{
	struct mg_table table = table_of(5000);
	size_t count = 0;

	(void)state;
	for (uint64_t i = 0; i < 2000; i++)
		put(&table, key_of(i), 1000, 1);
	mg_table_walk(&table, add_one, &count);
	assert_int_equal(count, 2000);
	count = 2999;
	mg_table_walk(&table, add_one, &count);
	assert_int_equal(count, 3000);
	let_go(&table, 5000);
}

struct read_row {
	const char *name;
	size_t rows, max;
};
static const struct read_row read_rows[] = {
	{ "nothing", 0, 7 },
	{ "one by one", 300, 1 },
	{ "a few at once", 4000, 7 },
	{ "as many as come", 4000, 1000 },
};

static void reading_meets_every_row_once(void **state)
{
	const struct read_row *row = *state;
	struct mg_table table = table_of(5000);
	static struct row rows[1000];
	uint64_t cursor = 0, sum = 0, expected = 0;
	size_t count = 0, n;

	for (uint64_t i = 0; i < row->rows; i++) {
		put(&table, key_of(i), 1000, 1);
		expected += key_of(i);
	}
	while ((n = mg_table_read(&table, &cursor, rows, row->max)) > 0) {
		assert_true(n <= row->max);
		count += n;
		for (size_t i = 0; i < n; i++)
			sum += rows[i].head.key;
	}
	assert_int_equal(count, row->rows);
	assert_int_equal(sum, expected);
	assert_int_equal(mg_table_read(&table, &cursor, rows, row->max), 0);
	let_go(&table, 5000);
}

static void another_layout_is_not_taken_over(void **state)
{
	struct mg_table table = table_of(1000), other;
	struct mg_table_shape version = shape, bytes = shape;

	(void)state;
	version.version++;
	bytes.row_bytes += 8;
	put(&table, key_of(1), 1000, 1);
	assert_true(mg_table_open(&other, &shape, 1000, table.memory, false));
	assert_true(has(&other, key_of(1)));
	assert_false(mg_table_open(&other, &version, 1000, table.memory, false));
	assert_false(mg_table_open(&other, &bytes, 1000, table.memory, false));
	assert_false(mg_table_open(&other, &shape, 1001, table.memory, false));
	let_go(&table, 1000);
}

/* ---- many threads ---- */

enum { THREADS = 16, ROUNDS = 4000, KEYS = 64 };

static void *add_up(void *arg)
{
	struct mg_table *table = arg;
	uint64_t seed = (uintptr_t)&seed;

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t keys[4];
		struct mg_table_hold hold;

		for (size_t k = 0; k < ROWS(keys); k++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			keys[k] = key_of((seed >> 33) % KEYS);
		}
		mg_table_lock(table, keys, ROWS(keys), &hold);
		for (size_t k = 0; k < ROWS(keys); k++) {
			struct row *row = mg_table_make(table, keys[k], 1);

			row->head.until_ns = 1000;
			row->word[0]++;
		}
		mg_table_unlock(table, &hold);
	}
	return NULL;
}

static bool sum_up(void *context, void *row)
{
	*(uint64_t *)context += ((struct row *)row)->word[0];
	return true;
}

static void threads_lose_nothing(void **state)
{
	struct mg_table table = table_of(5000);
	pthread_t threads[THREADS];
	uint64_t sum = 0;

	(void)state;
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, add_up, &table), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	mg_table_walk(&table, sum_up, &sum);
	assert_int_equal(sum, (uint64_t)THREADS * ROUNDS * 4);
	assert_int_equal(stats_of(&table).rows, KEYS);
	let_go(&table, 5000);
}

/* ---- kill -9 ---- */

enum { KILLS = 300, KILL_ROWS = 64 };

/* Makes, changes and drops rows under several locks for ever. */
static _Noreturn void write_for_ever(struct mg_table *table, uint64_t seed)
{
	for (int64_t now_ns = 1;; now_ns++) {
		uint64_t keys[4];
		struct mg_table_hold hold;

		for (size_t k = 0; k < ROWS(keys); k++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			keys[k] = key_of((seed >> 33) % (4 * KILL_ROWS));
		}
		mg_table_lock(table, keys, ROWS(keys), &hold);
		for (size_t k = 0; k < ROWS(keys); k++) {
			struct row *row = mg_table_make(table, keys[k], now_ns);

			fill(row);
			row->head.until_ns = now_ns + (int64_t)(seed >> 50);
		}
		if (seed >> 62 == 0)
			mg_table_drop(table, keys[0]);
		mg_table_unlock(table, &hold);
	}
}

static bool check_row(void *context, void *at)
{
	const struct row *row = at;
	unsigned *met = context;

	assert_true(is_whole(row));
	for (unsigned i = 0; i < 4 * KILL_ROWS; i++)
		if (key_of(i) == row->head.key)
			met[i]++;
	return true;
}

/* Every row is valid and there once, and every key can still be had. */
static void check_table(struct mg_table *table)
{
	unsigned met[4 * KILL_ROWS] = { 0 }, rows = 0;

	mg_table_walk(table, check_row, met);
	for (unsigned i = 0; i < 4 * KILL_ROWS; i++) {
		assert_true(met[i] <= 1);
		assert_int_equal(has(table, key_of(i)), met[i]);
		rows += met[i];
	}
	assert_int_equal(stats_of(table).rows, rows);
}

static void a_killed_writer_leaves_the_table_valid(void **state)
{
	struct mg_table table = table_of(KILL_ROWS);
	uint64_t seed = 7;

	(void)state;
	for (int i = 0; i < KILLS; i++) {
		pid_t child = fork();
		int status;

		if (child == 0)
			write_for_ever(&table, seed + (uint64_t)i);
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		for (volatile uint64_t spin = 0; spin < (seed >> 33) % 2000000; spin = spin + 1)
			;
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, &status, 0), child);
		check_table(&table);
	}
	assert_true(stats_of(&table).rows > KILL_ROWS / 2);
	let_go(&table, KILL_ROWS);
}

/* Whoever dies with the locks in hand does not keep them. */
static void a_dead_owner_lets_go_of_its_locks(void **state)
{
	struct mg_table table = table_of(200000);
	uint64_t keys[MG_TABLE_KEYS];
	struct mg_table_hold hold;
	pid_t child;
	int status;

	(void)state;
	for (uint64_t i = 0; i < MG_TABLE_KEYS; i++)
		keys[i] = key_of(i);
	put(&table, keys[0], 1000, 1);
	child = fork();
	if (child == 0) {
		mg_table_lock(&table, keys, MG_TABLE_KEYS, &hold);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	mg_table_lock(&table, keys, MG_TABLE_KEYS, &hold);
	mg_table_unlock(&table, &hold);
	assert_true(has(&table, keys[0]));
	assert_int_equal(stats_of(&table).rows, 1);
	let_go(&table, 200000);
}

int main(void)
{
	static struct CMUnitTest tests[64];
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(the_idlest_goes_first),
		cmocka_unit_test(rows_that_mean_nothing_go_uncounted),
		cmocka_unit_test(a_new_row_is_zero),
		cmocka_unit_test(what_is_dropped_is_gone),
		cmocka_unit_test(shards_are_locked_once_and_in_order),
		cmocka_unit_test(a_walk_meets_every_row),
		cmocka_unit_test(another_layout_is_not_taken_over),
		cmocka_unit_test(threads_lose_nothing),
		cmocka_unit_test(a_killed_writer_leaves_the_table_valid),
		cmocka_unit_test(a_dead_owner_lets_go_of_its_locks),
	};
	size_t n = 0;

	ADD_ROWS(tests, n, size_rows, a_table_filled_to_its_size_has_forgotten_hardly_any);
	ADD_ROWS(tests, n, size_rows, beyond_its_size_rows_go_and_are_counted);
	ADD_ROWS(tests, n, read_rows, reading_meets_every_row_once);
	for (size_t i = 0; i < ROWS(others); i++)
		tests[n++] = others[i];
	return _cmocka_run_group_tests("table", tests, n, NULL, NULL);
}
