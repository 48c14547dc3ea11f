/* measure.h - what both load generators share: a table of durations, and what is printed of it.
 *
 * Threads: one owner. */
#ifndef MG_BENCH_MEASURE_H
#define MG_BENCH_MEASURE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct times {
	uint32_t *us;
	size_t count, room;
};

static inline int times_init(struct times *times, size_t room)
{
	*times = (struct times){ calloc(room, sizeof *times->us), 0, room };
	return times->us != NULL;
}

static inline void times_add(struct times *times, int64_t us)
{
	if (times->count < times->room)
		times->us[times->count++] = us < 0 ? 0 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static inline int times_order(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return (left > right) - (left < right);
}

static inline unsigned times_share(const struct times *times, double share)
{
	return times->count == 0 ? 0 : times->us[(size_t)(share * (double)(times->count - 1) + 0.5)];
}

/* `"name": {"p50": ..., ...}` in microseconds. */
static inline void times_print(const char *name, struct times *times)
{
	qsort(times->us, times->count, sizeof *times->us, times_order);
	printf("\"%s\": {\"p50\": %u, \"p90\": %u, \"p99\": %u, \"max\": %u}", name, times_share(times, 0.5),
		times_share(times, 0.9), times_share(times, 0.99), times_share(times, 1));
}

/* A failed load generator has measured nothing: it says why and ends. */
#define fail(...)                                                                                                      \
	do {                                                                                                           \
		fprintf(stderr, __VA_ARGS__);                                                                          \
		fputc('\n', stderr);                                                                                   \
		exit(EXIT_FAILURE);                                                                                    \
	} while (0)

#endif
