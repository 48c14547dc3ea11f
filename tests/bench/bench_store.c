/* How fast a shared store decides, over the unix socket of a redis-server that is started here: one decision after the other, and
 * many at once, with one item and with four. Prints medians of five runs: decisions a second, what one waits for its answer
 * (median and 99 %), our CPU time and the server's commands for each. The memory store stands beside it.
 *
 *   bench_store */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "../unit/machine_kit.h"
#include "../unit/redis_server_kit.h"
#include "base/clock.h"

enum { RUNS = 5, DECISIONS = 20000, KEYS = 5000, THREADS_MAX = 32, ITEMS_MAX = 4 };

struct run {
	struct machine *machine;
	bool is_shared;
	int threads;
	size_t items;
	_Atomic int next;
	int32_t took_us[DECISIONS];
};

struct figures {
	double rate, cpu_us, median_us, p99_us, commands;
};

static struct redis_server server;

static double cpu_s(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static double calls(void)
{
	char said[8192], *at;
	double n = 0;

	redis_say(&server, "EVAL \"return string.match(redis.call('INFO','commandstats'),'evalsha:calls=(%d+)')\" 0",
		said, sizeof said);
	at = said[0] == '$' ? strchr(said, '\0') + 2 : said; /* the text is on the second line */
	n = strtod(at, NULL);
	return n;
}

static void decide(struct run *run, struct mg_charge *charge)
{
	struct mg_limit_store memory;

	if (run->is_shared) {
		(void)machine_decide(run->machine, charge);
		return;
	}
	mg_memory_store(run->machine->state, &memory);
	(void)memory.decide(memory.context, charge);
}

static void *work(void *arg)
{
	struct run *run = arg;
	char key[32];
	int i;

	while ((i = run->next++) < DECISIONS) {
		struct mg_charge charge = { .count = run->items };
		int64_t begun_us;

		(void)snprintf(key, sizeof key, "user:u%d@example.org", i % KEYS);
		for (size_t k = 0; k < run->items; k++) {
			charge.item[k] = machine_item("bench", key, 1000000000, 1);
			charge.item[k].limit[0] = (char)('a' + k);
		}
		begun_us = mg_mono_us();
		decide(run, &charge);
		run->took_us[i] = (int32_t)(mg_mono_us() - begun_us);
	}
	return NULL;
}

static int by_time(const void *a, const void *b)
{
	return *(const int32_t *)a - *(const int32_t *)b;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void measure(struct run *run, struct figures *figures)
{
	pthread_t threads[THREADS_MAX];
	int64_t begun_us = mg_mono_us();
	double begun_cpu = cpu_s(), begun_calls = calls();

	run->next = 0;
	for (int i = 0; i < run->threads; i++)
		if (pthread_create(&threads[i], NULL, work, run) != 0)
			abort();
	for (int i = 0; i < run->threads; i++)
		pthread_join(threads[i], NULL);
	figures->rate = DECISIONS / ((double)(mg_mono_us() - begun_us) / 1e6);
	figures->cpu_us = (cpu_s() - begun_cpu) * 1e6 / DECISIONS;
	figures->commands = (calls() - begun_calls) / DECISIONS;
	qsort(run->took_us, DECISIONS, sizeof run->took_us[0], by_time);
	figures->median_us = run->took_us[DECISIONS / 2];
	figures->p99_us = run->took_us[DECISIONS / 100 * 99];
}

static double median_of(const struct figures *figures, size_t offset)
{
	double values[RUNS];

	for (int i = 0; i < RUNS; i++)
		values[i] = *(const double *)(const void *)((const char *)&figures[i] + offset);
	qsort(values, RUNS, sizeof values[0], by_value);
	return values[RUNS / 2];
}

static void report(struct machine *machine, bool is_shared, int threads, size_t items)
{
	static struct run run;
	struct figures figures[RUNS];

	run.machine = machine;
	run.is_shared = is_shared;
	run.threads = threads;
	run.items = items;
	for (int i = 0; i < RUNS; i++)
		measure(&run, &figures[i]);
	printf("%-6s %2d at once, %zu item%s %8.0f decisions/s, wait %5.0f us (99 %%: %5.0f), %5.1f us CPU, %.3f scripts each\n",
		is_shared ? "redis" : "memory", threads, items,
		items == 1 ? ": " : "s:", median_of(figures, offsetof(struct figures, rate)),
		median_of(figures, offsetof(struct figures, median_us)),
		median_of(figures, offsetof(struct figures, p99_us)),
		median_of(figures, offsetof(struct figures, cpu_us)),
		median_of(figures, offsetof(struct figures, commands)));
}

int main(void)
{
	static const int threads[] = { 1, 8, 32 };
	struct machine machine;

	redis_begin(&server, NULL);
	machine_begin(&machine, server.url, "", 0);
	machine_wait(&machine, true);
	for (int is_shared = 0; is_shared <= 1; is_shared++)
		for (size_t t = 0; t < sizeof threads / sizeof threads[0]; t++)
			for (size_t items = 1; items <= ITEMS_MAX; items += ITEMS_MAX - 1)
				report(&machine, is_shared == 1, threads[t], items);
	printf("decided here though shared: %llu, too late: %llu\n",
		(unsigned long long)machine_stats(&machine).local_decisions,
		(unsigned long long)machine_stats(&machine).timeouts);
	machine_end(&machine);
	redis_end(&server);
	return 0;
}
