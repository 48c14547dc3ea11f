/* redis_store.h - rate limits shared by several machines through Redis or Valkey.
 *
 * One thread with its own loop speaks to the server: hiredis formats and reads, libevent's bufferevents carry (tcp, unix, TLS).
 * A decision is one script, so atomic; decisions that come while others are under way are pipelined on one connection. The
 * server's clock drains the levels. What the server answers is also noted in this machine's memory (memory_store.h), which decides
 * alone while the server is away, slower than MG_STORE_PATIENCE_MS, or answers nonsense. After such trouble the breaker is open:
 * decisions are local at once, and the server is tried again by itself, at first soon, later every few seconds.
 *
 * Threads: start and stop from one; the store from any. A charge's `ready` runs under a lock that abandon() takes too: who calls
 * abandon() holds no lock that `ready` wants. Stopping lets what is under way finish, 300 ms at most, and waits for a lookup of
 * the host's name. */
#ifndef MG_GUARD_REDIS_STORE_H
#define MG_GUARD_REDIS_STORE_H

#include "guard/memory_store.h"

struct mg_redis_store;

struct mg_redis_options {
	const char *url; /* state.store, validated: redis://[USER:PASS@]HOST:PORT/DB, rediss://, redis+unix://PATH */
	const char *password_file; /* "" none; wins over the URL's; its first line */
	struct mg_state *state;    /* outlives it */
	unsigned patience_ms;      /* with the server, for one decision; 0: MG_STORE_PATIENCE_MS */
};

/* MG_ESYNTAX, MG_EPERM, MG_ENOENT: the URL or the password file; a server that is away is no error. */
MG_MUSTCHECK
enum mg_rc mg_redis_store_start(
	const struct mg_redis_options *options, struct mg_redis_store **store_out, struct mg_err *err);
void mg_redis_store_stop(struct mg_redis_store **store); /* what it holds is decided locally; NULL is fine */

void mg_redis_store(struct mg_redis_store *redis, struct mg_limit_store *store_out);

struct mg_redis_stats {
	bool is_open;       /* the server answers, and decides */
	char trouble[200];  /* the last trouble, "" none so far; one line */
	char server[160];   /* where, without password */
	int64_t latency_us; /* of answers, smoothed; 0 none yet */
	uint64_t decisions, local_decisions, timeouts, reconnects;
	int64_t since_us; /* wall: it is open or closed since */
};
void mg_redis_stats(struct mg_redis_store *redis, struct mg_redis_stats *stats_out);

#endif
