/* bucket.h - how much of something may be spent: the generic cell rate algorithm in its leaky-bucket form (ITU-T I.371).
 *
 * A bucket holds `burst` units and drains evenly at `limit` units per `per_s` seconds. What has been spent lies in it; a cost
 * fits while the bucket doesn't overflow. So at most `burst` at once, and never more than limit + burst in any
 * window of `per_s`. Amounts are exact; draining loses less than a nanosecond's worth each time the level is looked at.
 *
 * Threads: pure. */
#ifndef MG_GUARD_BUCKET_H
#define MG_GUARD_BUCKET_H

#include <stdint.h>

struct mg_bucket {
	uint64_t limit, burst; /* units, 1..10^12 */
	uint64_t per_s;        /* 1..one year */
};

struct mg_bucket_level {
	uint64_t used_fp; /* units spent and not drained, times 2^MG_LEVEL_BITS */
	int64_t at_ns;    /* the moment this was true; behind the last look by less than 2^-20 unit takes to drain */
};
enum { MG_LEVEL_BITS = 20 };

/* Drains what has drained by `now_ns`; a clock that went back drains nothing. */
void mg_level_drain(struct mg_bucket_level *level, const struct mg_bucket *bucket, int64_t now_ns);

/* Nanoseconds from at_ns until `cost` units fit a drained level: 0 fits now, INT64_MAX never (more than the burst). */
int64_t mg_level_wait_ns(const struct mg_bucket_level *level, const struct mg_bucket *bucket, uint64_t cost);

/* Puts `cost` in, whether it fits or not; the level never rises above `burst` plus that one cost, so that what is forced in
 * can't lock anybody out for longer than the bucket takes to drain. */
void mg_level_add(struct mg_bucket_level *level, const struct mg_bucket *bucket, uint64_t cost);

/* Takes `cost` out again; never below empty. */
void mg_level_remove(struct mg_bucket_level *level, uint64_t cost);

/* Whole units in it, rounded up. */
uint64_t mg_level_used(const struct mg_bucket_level *level);

/* Nanoseconds from at_ns until it is empty. */
int64_t mg_level_empty_ns(const struct mg_bucket_level *level, const struct mg_bucket *bucket);

#endif
