/* resolver.h - our stub resolver: one thread, c-ares on its own libevent loop, answers parsed by us.
 *
 * Identical questions under way are one question; truncated answers are asked again over TCP; servers that don't answer are
 * tried after those that do. What can't be answered by the deadline is MG_DNS_TROUBLE.
 *
 * Threads: every call is safe from any. Nothing waits for the network: ask returns at once. */
#ifndef MG_DNS_RESOLVER_H
#define MG_DNS_RESOLVER_H

#include "dns/cache.h"
#include "dns/lookup.h"

enum { MG_RESOLVER_INFLIGHT = 4096 }; /* questions under way at once; more are TROUBLE (budget) */
enum { MG_RESOLVER_SERVERS = 8 };

struct mg_resolver;

struct mg_resolver_options {
	/* "ADDR:PORT", "[ADDR6]:PORT", port optional (53); borrowed for the call. Count 0: from `resolv_conf`, followed
	 * when it changes (looked at every second while questions are asked). */
	const char *const *servers;
	size_t server_count;
	const char *resolv_conf; /* NULL: /etc/resolv.conf */
	unsigned timeout_ms;     /* of one try, 50..30000 */
	unsigned tries;          /* 1..10, over all servers in turn */
	size_t cache_entries;    /* 100..10000000 */
};

/* Starts the thread. MG_ESYNTAX: a server that can't be read, named by the sentence. No server at all is no error: every
 * answer is then TROUBLE (no server). */
MG_MUSTCHECK
enum mg_rc mg_resolver_start(
	const struct mg_resolver_options *options, struct mg_resolver **resolver_out, struct mg_err *err);
/* Answers what is under way with TROUBLE, then ends the thread. Every lookup over it must be freed before or be told so. */
void mg_resolver_stop(struct mg_resolver **resolver); /* sets *resolver to NULL; NULL in it is fine */

/* Later questions use these (the cache keeps what it has, resized). */
MG_MUSTCHECK
enum mg_rc mg_resolver_set_options(
	struct mg_resolver *resolver, const struct mg_resolver_options *options, struct mg_err *err);

/* The resolver as the source of lookups; valid while the resolver is. */
const struct mg_lookup_source *mg_resolver_source(struct mg_resolver *resolver);

enum { MG_RESOLVER_LATENCY_BUCKETS = 16 }; /* bucket b: under 2^b ms; the last: above */

struct mg_server_stats {
	char address[64]; /* "192.0.2.1:53" */
	bool is_down;     /* did not answer lately; tried after the others */
	uint64_t asked, answered, timeouts;
	uint64_t mean_us; /* of its answers, lately */
};

struct mg_resolver_stats {
	uint64_t questions;                   /* sent: not from the cache, not joined */
	uint64_t joined;                      /* found the same question under way */
	uint64_t by_type[6];                  /* A, AAAA, PTR, MX, TXT, others */
	uint64_t by_status[4];                /* mg_dns_status */
	uint64_t by_trouble[MG_DNS_TROUBLES]; /* mg_dns_trouble */
	uint64_t truncated, over_tcp;
	uint64_t latency[MG_RESOLVER_LATENCY_BUCKETS];
	unsigned inflight;
	struct mg_dns_cache_stats cache;
	size_t server_count;
	struct mg_server_stats servers[MG_RESOLVER_SERVERS];
};
void mg_resolver_stats(struct mg_resolver *resolver, struct mg_resolver_stats *stats_out);

#endif
