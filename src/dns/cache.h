/* cache.h - answers kept as long as their TTL allows.
 *
 * Positive and negative answers live for their TTL (RFC 2308), trouble for MG_DNS_TROUBLE_S (RFC 9520 wants failures
 * cached). A full cache forgets what was not asked for longest (second chance). The number of entries and of bytes is
 * bounded; keys come from outside and are hashed under a key.
 *
 * Threads: every call is safe from any; readers of different names rarely meet (the cache is cut into parts, each with
 * its own lock). */
#ifndef MG_DNS_CACHE_H
#define MG_DNS_CACHE_H

#include "dns/answer.h"

enum { MG_DNS_TROUBLE_S = 5, MG_DNS_CACHE_ENTRY_BYTES = 1024 /* mean size the byte ceiling allows per entry */ };

struct mg_dns_cache;

/* A cache for about `entries` answers (100..10000000); memory is taken as it fills. NULL: no memory. */
struct mg_dns_cache *mg_dns_cache_new(size_t entries);
void mg_dns_cache_free(struct mg_dns_cache **cache); /* sets *cache to NULL; NULL in it is fine */

/* A new reference, or NULL when nothing fresh is known at monotonic `now_us`. */
const struct mg_dns_answer *mg_dns_cache_get(
	struct mg_dns_cache *cache, const struct mg_dns_question *question, int64_t now_us);
/* Keeps a reference. TTL 0 is kept for one second: the questions of one burst are one question. */
void mg_dns_cache_put(struct mg_dns_cache *cache, const struct mg_dns_question *question,
	const struct mg_dns_answer *answer, int64_t now_us);

/* Another ceiling; what is kept stays as far as it has room. False: no memory, some parts keep their old ceiling. */
bool mg_dns_cache_resize(struct mg_dns_cache *cache, size_t entries);

struct mg_dns_cache_stats {
	uint64_t entries, bytes, hits, misses, evicted;
};
void mg_dns_cache_stats(struct mg_dns_cache *cache, struct mg_dns_cache_stats *stats_out);

#endif
