#include "engine/counters.h"

static const char *const degraded_names[MG_DEGRADED_KINDS] = { "sessions", "memory", "journal", "checks" };

const char *mg_degraded_name(enum mg_degraded why)
{
	return degraded_names[why];
}

void mg_counters_add(struct mg_counters *counters, enum mg_action action, int64_t latency_us)
{
	unsigned bucket = 0;

	while (bucket < MG_LATENCY_BUCKETS - 1 && latency_us >> bucket != 0)
		bucket++;
	atomic_fetch_add(&counters->latency[bucket], 1);
	atomic_fetch_add(&counters->by_action[action], 1);
}

void mg_counters_correct(struct mg_counters *counters, enum mg_action was, enum mg_action is)
{
	uint64_t have = atomic_load(&counters->by_action[was]);

	/* A record from before the supervisor's start was never counted here. */
	while (have > 0)
		if (atomic_compare_exchange_weak(&counters->by_action[was], &have, have - 1)) {
			atomic_fetch_add(&counters->by_action[is], 1);
			return;
		}
}

int64_t mg_counters_latency_us(const struct mg_counters *counters, double share)
{
	uint64_t total = 0, below = 0;

	for (unsigned i = 0; i < MG_LATENCY_BUCKETS; i++)
		total += atomic_load(&counters->latency[i]);
	for (unsigned i = 0; total > 0 && i < MG_LATENCY_BUCKETS; i++) {
		below += atomic_load(&counters->latency[i]);
		if ((double)below >= share * (double)total)
			return (int64_t)1 << i;
	}
	return 0;
}
