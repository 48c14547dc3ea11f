/* How fast the memory store of rate limits decides among many keys, what a key costs in memory, and how long a snapshot and its
 * restoring take. Every key has spent something, and every decision is for a random one of them. Prints medians of five runs.
 *
 *   bench_limits [DIRECTORY [KEYS]]    default /tmp and 10000000; the snapshot is made there and removed */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "guard/memory_store.h"

enum { RUNS = 5, DECISIONS = 1600000, THREADS_MAX = 16 };

struct load {
	struct mg_limit_store store;
	size_t keys, limits, decisions;
	uint64_t seed;
};

static struct mg_state_plan plan = { .shape = { [MG_STATE_LIMITS] = &mg_limit_rows } };

static void fail(const char *what, const struct mg_err *err)
{
	fprintf(stderr, "%s: %s\n", what, err->text);
	exit(EXIT_FAILURE);
}

static void *new_memory(void)
{
	void *memory = mmap(NULL, mg_state_bytes(&plan), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		fail("memory", &(struct mg_err){ "there is not enough" });
	return memory;
}

static struct mg_state *open_state(void *memory)
{
	struct mg_state *state;
	struct mg_err err = { "" };

	if (mg_state_open(&plan, memory, mg_state_bytes(&plan), true, &state, &err) != MG_OK)
		fail("state", &err);
	return state;
}

static void begin_charge(struct mg_charge *charge, size_t limits)
{
	static const char *const names[] = { "login-hour", "login-day", "login-bytes" };

	memset(charge, 0, sizeof *charge);
	charge->count = limits;
	for (size_t i = 0; i < limits; i++) {
		struct mg_charge_item *item = &charge->item[i];

		item->bucket = (struct mg_bucket){ UINT64_C(1000000000), UINT64_C(1000000000000), 86400 * 365 };
		item->cost = 10000; /* five minutes until it has drained: longer than all this takes */
		(void)mg_str_copy(item->limit, sizeof item->limit, mg_str_z(names[i]));
		(void)mg_str_copy(item->key, sizeof item->key, MG_STR("user:00000000@example.org"));
	}
}

static void decide(struct load *load, struct mg_charge *charge, uint64_t number)
{
	for (size_t i = 0; i < charge->count; i++)
		for (int digit = 0; digit < 8; digit++)
			charge->item[i].key[5 + digit] = "0123456789abcdef"[number >> 4 * digit & 15];
	(void)load->store.decide(load->store.context, charge);
}

static void *spend(void *arg)
{
	struct load *load = arg;
	struct mg_charge charge;

	begin_charge(&charge, load->limits);
	for (size_t i = 0; i < load->decisions; i++) {
		load->seed = load->seed * 6364136223846793005u + 1442695040888963407u;
		decide(load, &charge, (load->seed >> 33) % load->keys);
	}
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double values[RUNS])
{
	qsort(values, RUNS, sizeof values[0], by_value);
	return values[RUNS / 2];
}

/* Seconds that DECISIONS take. */
static double one_run(const struct load *load, size_t threads, uint64_t seed)
{
	struct load each[THREADS_MAX];
	pthread_t thread[THREADS_MAX];
	int64_t begun_us = mg_mono_us();

	for (size_t i = 0; i < threads; i++) {
		each[i] = *load;
		each[i].decisions = DECISIONS / threads;
		each[i].seed = seed + i * 977;
		if (pthread_create(&thread[i], NULL, spend, &each[i]) != 0)
			fail("thread", &(struct mg_err){ "none to be had" });
	}
	for (size_t i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	return (double)(mg_mono_us() - begun_us) / 1e6;
}

static void measure(const char *what, struct load load, size_t threads)
{
	double seconds[RUNS], each;

	for (size_t i = 0; i < RUNS; i++)
		seconds[i] = one_run(&load, threads, i * 7919 + 1);
	each = median(seconds) / DECISIONS;
	printf("%-40s %9.0f decisions/s, %6.0f ns each\n", what, 1 / each, each * 1e9);
}

static void fill(struct load *load)
{
	struct mg_charge charge;

	begin_charge(&charge, 1);
	for (uint64_t i = 0; i < load->keys; i++)
		decide(load, &charge, i);
}

static void print_memory(struct mg_state *state, size_t keys)
{
	struct mg_table_stats stats;

	mg_table_stats(mg_state_table(state, MG_STATE_LIMITS), &stats);
	printf("%-40s %9.0f bytes/key, %llu of %zu keys forgotten\n", "memory",
		(double)mg_state_bytes(&plan) / (double)keys, (unsigned long long)stats.forgotten, keys);
}

static void save(struct mg_state *state, const char *path)
{
	double ms[RUNS];
	struct mg_err err = { "" };
	struct stat info = { 0 };

	for (size_t i = 0; i < RUNS; i++) {
		int64_t begun_us = mg_mono_us();

		if (mg_state_save(state, path, &err) != MG_OK)
			fail("save", &err);
		ms[i] = (double)(mg_mono_us() - begun_us) / 1000;
	}
	(void)stat(path, &info);
	printf("%-40s %9.0f ms, %.1f MB\n", "snapshot", median(ms), (double)info.st_size / 1e6);
}

static void restore(const char *path)
{
	double ms[RUNS];
	struct mg_err err = { "" };

	for (size_t i = 0; i < RUNS; i++) {
		void *memory = new_memory();
		struct mg_state *state = open_state(memory);
		int64_t begun_us = mg_mono_us();

		if (mg_state_restore(state, path, &err) != MG_OK)
			fail("restore", &err);
		ms[i] = (double)(mg_mono_us() - begun_us) / 1000;
		mg_state_close(&state);
		munmap(memory, mg_state_bytes(&plan));
	}
	printf("%-40s %9.0f ms\n", "restore", median(ms));
}

int main(int argc, char **argv)
{
	uint64_t keys = 10000000;
	char path[256];
	struct load load = { .limits = 1 };
	struct mg_state *state;
	void *memory;

	if (argc > 2 && (!mg_str_to_u64(mg_str_z(argv[2]), 1 << 24, &keys) || keys < 16))
		fail(argv[2], &(struct mg_err){ "keys are 16 to 16777216" });
	(void)snprintf(path, sizeof path, "%s/bench-limits-%d.db", argc > 1 ? argv[1] : "/tmp", (int)getpid());
	plan.rows[MG_STATE_LIMITS] = load.keys = keys;
	memory = new_memory();
	state = open_state(memory);
	mg_memory_store(state, &load.store);
	fill(&load);
	print_memory(state, keys);
	printf("%zu keys:\n", load.keys);
	measure("1 thread", load, 1);
	measure("16 threads", load, 16);
	save(state, path);
	load.keys = 1;
	measure("16 threads, all on one key", load, 16);
	load.keys = keys / 3; /* two limits more have room */
	load.limits = 3;
	measure("1 thread, three limits at once", load, 1);
	mg_state_close(&state);
	munmap(memory, mg_state_bytes(&plan));
	restore(path);
	unlink(path);
	return 0;
}
