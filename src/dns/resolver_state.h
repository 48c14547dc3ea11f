/* resolver_state.h - what the callers' side (resolver.c) and the thread's side (resolver_work.c,
 * resolver_judge.c, resolver_attempt.c) of the resolver share.
 *
 * The life of a question: mg_lookup_get() of some thread misses the cache and finds nobody asking the same, so it makes a
 * mg_asking, puts it into the table and the inbox, and wakes the thread. The thread sends attempts, one at a time, to the
 * servers in turn; c-ares' replies are noted down and judged when c-ares has returned. The end: the answer goes into the
 * cache, then, under the lock, the asking out of the table and the answer to all who wait.
 *
 * Threads: `lock` guards what is named so; all else belongs to the resolver's thread. The order of locks: this one, then a
 * lookup's or a cache part's. */
#ifndef MG_DNS_RESOLVER_STATE_H
#define MG_DNS_RESOLVER_STATE_H

#include <event2/event.h>
#include <pthread.h>

#include "base/hash.h"
/* after the keyed hash; and memory that is out is no reason to die */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "dns/resolver.h"
#include "dns/resolver_server.h"
#include "dns/resolver_waiters.h"

enum { MG_RESOLVER_ATTEMPTS = 2 * MG_RESOLVER_INFLIGHT, MG_RESOLVER_PATH = 1024 };

struct mg_attempt;

/* A question under way. */
struct mg_asking {
	struct mg_dns_question question; /* zeroed beyond its name: the table's key */
	UT_hash_handle hh;               /* lock */
	unsigned waiters;                /* lock */
	struct mg_asking *next;          /* in the inbox (lock), or in a list of the thread's */

	bool is_begun;
	int64_t begun_us, limit_us;  /* after which it is given up */
	int64_t again_us;            /* when the next round begins; 0: it is not waiting for that */
	int64_t round_us;            /* when this round began */
	unsigned round;              /* over all servers */
	unsigned generation;         /* of the servers that the two masks speak of */
	unsigned tried;              /* bit per server: asked in this round */
	unsigned spent;              /* has said that it can't answer */
	unsigned silent;             /* has been silent: may be it is EDNS that it does not like */
	enum mg_dns_trouble trouble; /* the most telling of those met */
	struct mg_attempt *attempt;  /* under way, or NULL */
};

/* A question put to one server. */
struct mg_attempt {
	struct mg_asking *asking; /* NULL: a probe, or nobody waits any more */
	struct mg_server *server;
	enum mg_way way;
	uint16_t id;
	int64_t sent_us;
	struct mg_dns_question question;

	struct mg_attempt *next; /* of those that have a reply */
	enum mg_reply reply;
	unsigned rcode;
	bool is_truncated;
	const struct mg_dns_answer *answer; /* of MG_REPLY_MESSAGE */
};

struct mg_resolver_settings {
	struct mg_server_list list; /* unless is_following */
	bool is_following;
	char path[MG_RESOLVER_PATH]; /* of resolv.conf */
	unsigned timeout_ms, tries;
};

struct mg_resolver {
	struct mg_lookup_source source;
	struct mg_dns_cache *cache;
	pthread_t thread;
	int wake_fd;
	_Atomic uint64_t finished; /* questions ever */

	pthread_mutex_t lock;
	struct mg_asking *table;
	struct mg_asking *inbox, **inbox_end;
	struct mg_waiters waiters;
	struct mg_resolver_settings *new_settings; /* NULL: none */
	bool is_stopping;
	struct mg_resolver_stats stats; /* its counters */
	/* Changed by the thread under the lock, so that the thread reads them without. */
	struct mg_server *servers[MG_RESOLVER_SERVERS];
	size_t server_count;

	struct event_base *base;
	struct event *wake, *tick;
	bool is_ticking;
	struct mg_resolver_channel_owner owner;
	struct mg_resolver_settings settings;
	struct mg_file_mark mark;
	int64_t looked_us; /* at resolv.conf */
	unsigned generation;
	struct mg_server *leaving;
	struct mg_attempt *replies, **replies_end;
	unsigned attempts;
	unsigned char ids[65536 / 8]; /* in use */
	uint16_t drawn[128];          /* random ids not yet used */
	unsigned drawn_left;
};

/* Prepares the thread's side; the thread is not running yet. */
MG_MUSTCHECK
enum mg_rc mg_resolver_work_init(struct mg_resolver *resolver, struct mg_err *err);
/* After the thread's end: everything under way is MG_DNS_NO_SERVER. */
void mg_resolver_work_fini(struct mg_resolver *resolver);
void *mg_resolver_work(void *resolver); /* the thread */

/* resolver_attempt.c: one question to one server. A new one has its own random id; NULL: no memory, or too many. */
struct mg_attempt *mg_attempt_new(struct mg_resolver *resolver, const struct mg_dns_question *question,
	struct mg_server *server, enum mg_way way);
void mg_attempt_send(struct mg_resolver *resolver, struct mg_attempt *attempt);
void mg_attempt_take(void *resolver, void *attempt, enum mg_reply reply, struct mg_str message); /* notes it down */
struct mg_attempt *mg_attempt_next_reply(struct mg_resolver *resolver);                          /* NULL: no more */
void mg_attempt_free(struct mg_resolver *resolver, struct mg_attempt *attempt);

/* resolver_judge.c. Judges what was noted down; puts a question to the next server; ends it (takes the reference): these
 * two may free it. */
void mg_attempt_judge_all(void *resolver);
void mg_asking_advance(struct mg_resolver *resolver, struct mg_asking *asking);
void mg_asking_finish(struct mg_resolver *resolver, struct mg_asking *asking, const struct mg_dns_answer *answer_take);
void mg_asking_give_up(struct mg_resolver *resolver, struct mg_asking *asking); /* with the trouble met */

#endif
