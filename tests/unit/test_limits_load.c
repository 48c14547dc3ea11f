/* Many threads, and processes that are killed, on one memory: what limits promise holds all the same. */
#include "rows.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guard/memory_store.h"
#include "guard_kit.h"

#define S KIT_S

enum { THREADS = 16, MANY = 50 };

struct load {
	struct mg_limit_store store;
	int keys, rounds;
	uint64_t limit, burst;
	bool is_refunding;       /* every other grant is given back */
	bool is_several;         /* three limits at once, the second with half the room */
	_Atomic int64_t *now_ns; /* NULL: time stands still */
	_Atomic uint64_t granted[MANY];
};

struct load_row {
	const char *name;
	int keys, rounds;
	uint64_t limit, burst;
	bool is_refunding, is_several, is_moving;
};
static const struct load_row load_rows[] = {
	{ "one key", 1, 400, 10, 100, false, false, false },
	{ "many keys", MANY, 800, 10, 100, false, false, false },
	{ "one key, refunds", 1, 400, 10, 1000, true, false, false },
	{ "many keys, refunds", MANY, 800, 10, 1000, true, false, false },
	{ "one key, several limits", 1, 400, 10, 100, false, true, false },
	{ "many keys, several limits, refunds", MANY, 800, 10, 1000, true, true, false },
	{ "one key, time goes on", 1, 800, 100, 20, false, false, true },
	{ "many keys, time goes on", MANY, 800, 100, 20, false, false, true },
	{ "many keys, several limits, time goes on", MANY, 800, 100, 20, false, true, true },
};

static void items_of(const struct load *load, int key, uint64_t cost, struct mg_charge *charge)
{
	static const char *const names[] = { "first", "half", "third" };
	char text[32];

	(void)snprintf(text, sizeof text, "user:%d", key);
	memset(charge, 0, sizeof *charge);
	charge->count = load->is_several ? 3 : 1;
	for (size_t i = 0; i < charge->count; i++)
		charge->item[i] = kit_item(
			names[i], text, load->limit, i == 1 ? load->burst / 2 : load->burst, MG_CHARGE_HARD, cost);
}

static void one_round(struct load *load, uint64_t seed, struct mg_charge *charge)
{
	int key = (int)((seed >> 33) % (uint64_t)load->keys);
	uint64_t cost = 1 + (seed >> 20) % 3;

	if (load->now_ns != NULL)
		kit_mono_is(atomic_fetch_add(load->now_ns, S / 10000) + S / 10000);
	items_of(load, key, cost, charge);
	(void)load->store.decide(load->store.context, charge);
	if (charge->is_refused)
		return;
	if (load->is_refunding && seed >> 63 == 0)
		load->store.refund(load->store.context, charge->item, charge->count);
	else
		atomic_fetch_add(&load->granted[key], cost);
}

static void *spend_and_spend(void *arg)
{
	struct load *load = arg;
	struct mg_charge charge;
	uint64_t seed = (uintptr_t)&charge;

	for (int i = 0; i < load->rounds; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		one_round(load, seed, &charge);
	}
	return NULL;
}

static void run(struct load *load)
{
	pthread_t threads[THREADS];

	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, spend_and_spend, load), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

/* What was granted lies in every level of the key, no more and no less; with time going on, within what may have drained. */
static void check_levels(struct load *load, int64_t passed_ns)
{
	struct mg_charge charge;

	for (int key = 0; key < load->keys; key++) {
		uint64_t granted = atomic_load(&load->granted[key]);
		uint64_t drained = load->limit * (uint64_t)passed_ns / (uint64_t)S;

		items_of(load, key, 1, &charge);
		for (size_t i = 0; i < charge.count; i++) {
			struct mg_charge_item *item = &charge.item[i];

			(void)load->store.look(load->store.context, item);
			assert_true(granted <= item->bucket.burst + drained + 1);
			assert_true(item->used <= item->bucket.burst);
			assert_true(item->used <= granted && item->used + drained + 1 >= granted);
			if (passed_ns == 0)
				assert_int_equal(item->used, granted);
		}
	}
}

static void limits_hold_under_load(void **state)
{
	const struct load_row *row = *state;
	static struct load load;
	struct mg_state_plan plan = kit_plan(1000);
	struct mg_state *memory;
	_Atomic int64_t now_ns = 0;

	kit_mono_is(0);
	memory = kit_open(&plan);
	memset(&load, 0, sizeof load);
	mg_memory_store(memory, &load.store);
	load.keys = row->keys;
	load.rounds = row->rounds;
	load.limit = row->limit;
	load.burst = row->burst;
	load.is_refunding = row->is_refunding;
	load.is_several = row->is_several;
	load.now_ns = row->is_moving ? &now_ns : NULL;
	run(&load);
	kit_mono_is(atomic_load(&now_ns));
	check_levels(&load, atomic_load(&now_ns));
	kit_close(&memory);
}

/* ---- reading while others write ---- */

struct readers {
	struct mg_state *state;
	_Atomic bool is_over;
	const char *path;
};

static bool check_line(void *context, const struct mg_limit_line *line)
{
	(void)context;
	return line->used > 0 && line->used <= 1000 && strncmp(line->key, "user:", 5) == 0;
}

static void *list_and_save(void *arg)
{
	struct readers *readers = arg;

	while (!atomic_load(&readers->is_over)) {
		mg_memory_store_list(readers->state, check_line, NULL);
		if (mg_state_save(readers->state, readers->path, NULL) != MG_OK)
			return readers;
	}
	return NULL;
}

static void lists_and_snapshots_disturb_nobody(void **state)
{
	static struct load load;
	struct mg_state_plan plan = kit_plan(1000);
	char path[64];
	struct readers readers = { .path = path };
	pthread_t thread;
	void *trouble;

	(void)state;
	(void)snprintf(path, sizeof path, "/tmp/mailguard-load-%d.db", (int)getpid());
	kit_mono_is(0);
	readers.state = kit_open(&plan);
	memset(&load, 0, sizeof load);
	mg_memory_store(readers.state, &load.store);
	load.keys = MANY;
	load.rounds = 1000;
	load.limit = 10;
	load.burst = 1000;
	load.is_refunding = true;
	assert_int_equal(pthread_create(&thread, NULL, list_and_save, &readers), 0);
	run(&load);
	atomic_store(&readers.is_over, true);
	pthread_join(thread, &trouble);
	assert_null(trouble);
	check_levels(&load, 0);
	kit_close(&readers.state);
	readers.state = kit_open(&plan);
	assert_int_equal(mg_state_restore(readers.state, path, NULL), MG_OK);
	kit_close(&readers.state);
	unlink(path);
}

/* ---- kill -9 ---- */

enum { KILLS = 150, CHILDREN = 2 };

static _Noreturn void spend_for_ever(struct load *load, uint64_t seed)
{
	struct mg_charge charge;

	for (;;) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		one_round(load, seed, &charge);
	}
}

static bool count_line(void *context, const struct mg_limit_line *line)
{
	size_t *count = context;

	assert_true(line->used > 0 && line->used <= 20);
	assert_true(strcmp(line->limit, "first") == 0 || strcmp(line->limit, "half") == 0 ||
		    strcmp(line->limit, "third") == 0);
	assert_true(strncmp(line->key, "user:", 5) == 0);
	++*count;
	return true;
}

/* Two spend without end; again and again one is killed wherever it is. */
static void a_killed_spender_leaves_levels_plausible(void **state)
{
	static struct load load;
	static _Atomic int64_t now_ns;
	struct mg_state_plan plan = kit_plan(16); /* so that rows are made and go all the time */
	struct mg_state *memory;
	uint64_t seed = 11;
	size_t listed = 0;

	(void)state;
	kit_mono_is(0);
	memory = kit_open(&plan);
	memset(&load, 0, sizeof load);
	mg_memory_store(memory, &load.store);
	load = (struct load){ .store = load.store,
		.keys = MANY,
		.limit = 100,
		.burst = 20,
		.is_refunding = true,
		.is_several = true,
		.now_ns = &now_ns };
	for (int i = 0; i < KILLS; i++) {
		pid_t child[CHILDREN];
		struct mg_charge charge;

		for (int c = 0; c < CHILDREN; c++)
			if ((child[c] = fork()) == 0)
				spend_for_ever(&load, seed + (uint64_t)c);
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		for (volatile uint64_t spin = 0; spin < (seed >> 33) % 2000000; spin = spin + 1)
			;
		for (int c = 0; c < CHILDREN; c++) {
			kill(child[c], SIGKILL);
			assert_int_equal(waitpid(child[c], NULL, 0), child[c]);
		}
		mg_memory_store_list(memory, count_line, &listed);
		kit_mono_is(atomic_fetch_add(&now_ns, 1000 * S) + 1000 * S); /* all have drained: everybody may spend */
		for (int key = 0; key < MANY; key++) {
			items_of(&load, key, 10, &charge);
			assert_true(load.store.decide(load.store.context, &charge) && !charge.is_refused);
		}
	}
	assert_true(listed > 0);
	kit_close(&memory);
}

int main(void)
{
	static struct CMUnitTest tests[16];
	size_t n = 0;

	ADD_ROWS(tests, n, load_rows, limits_hold_under_load);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(lists_and_snapshots_disturb_nobody);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_killed_spender_leaves_levels_plausible);
	return _cmocka_run_group_tests("limits under load", tests, n, NULL, NULL);
}
