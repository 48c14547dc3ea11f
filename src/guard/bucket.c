/* What drains is time times rate. Time that did not suffice for one more 2^-20 unit is not used up: at_ns stays that far
 * behind, or a level that is looked at often enough would never drain. Products need 128 bits. */
#include "guard/bucket.h"

#define UNITS_MAX UINT64_C(1000000000000)
#define NS_PER_S  UINT64_C(1000000000)

__extension__ typedef unsigned __int128 u128;

static uint64_t fp(uint64_t units)
{
	return (units < UNITS_MAX ? units : UNITS_MAX) << MG_LEVEL_BITS;
}

/* Nanoseconds in which `amount_fp` drains, rounded up; INT64_MAX for more. */
static int64_t ns_to_drain(const struct mg_bucket *bucket, uint64_t amount_fp)
{
	u128 rate = (u128)bucket->limit << MG_LEVEL_BITS, work = (u128)amount_fp * (bucket->per_s * NS_PER_S);
	u128 ns = (work + rate - 1) / rate;

	return ns > INT64_MAX ? INT64_MAX : (int64_t)ns;
}

void mg_level_drain(struct mg_bucket_level *level, const struct mg_bucket *bucket, int64_t now_ns)
{
	u128 drained;

	if (now_ns <= level->at_ns)
		return;
	drained = ((u128)bucket->limit << MG_LEVEL_BITS) * ((uint64_t)now_ns - (uint64_t)level->at_ns) /
		  (bucket->per_s * NS_PER_S);
	if (drained >= level->used_fp) {
		*level = (struct mg_bucket_level){ 0, now_ns };
		return;
	}
	level->used_fp -= (uint64_t)drained;
	level->at_ns += ns_to_drain(bucket, (uint64_t)drained);
}

int64_t mg_level_wait_ns(const struct mg_bucket_level *level, const struct mg_bucket *bucket, uint64_t cost)
{
	uint64_t room;

	if (cost > bucket->burst)
		return INT64_MAX;
	room = fp(bucket->burst - cost);
	return level->used_fp <= room ? 0 : ns_to_drain(bucket, level->used_fp - room);
}

void mg_level_add(struct mg_bucket_level *level, const struct mg_bucket *bucket, uint64_t cost)
{
	uint64_t full = fp(bucket->burst);

	level->used_fp = (level->used_fp < full ? level->used_fp : full) + fp(cost);
}

void mg_level_remove(struct mg_bucket_level *level, uint64_t cost)
{
	uint64_t out = fp(cost);

	level->used_fp -= out < level->used_fp ? out : level->used_fp;
}

uint64_t mg_level_used(const struct mg_bucket_level *level)
{
	uint64_t part = level->used_fp & ((UINT64_C(1) << MG_LEVEL_BITS) - 1);

	return (level->used_fp >> MG_LEVEL_BITS) + (part != 0);
}

int64_t mg_level_empty_ns(const struct mg_bucket_level *level, const struct mg_bucket *bucket)
{
	return ns_to_drain(bucket, level->used_fp);
}
