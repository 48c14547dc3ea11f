/* redis_state.h - what the two sides of the shared store have in common: the callers' (redis_store.c) and the thread's
 * (redis_work.c, redis_answer.c, redis_breaker.c). Only they include this.
 *
 * A request is made by a caller and freed by the thread. The lock guards the queues, which charge a request is for, what became of it,
 * the stats, and every charge that is held; a charge is answered (and `ready` called) under it, so that once it is ours none is
 * being answered. A request's items are the thread's from the moment it is queued. */
#ifndef MG_GUARD_REDIS_STATE_H
#define MG_GUARD_REDIS_STATE_H

#include <pthread.h>
#include <sys/queue.h>

#include "guard/redis_link.h"
#include "guard/redis_store.h"

enum {
	MG_REDIS_REQUESTS_MAX = 2048, /* requests; more charges are decided locally */
	MG_REDIS_OWED_MAX = 1024,     /* of those remembered while the server is away; more: the oldest go */
	MG_REDIS_MARGIN_MS = 5,       /* of MG_STORE_PATIENCE_MS, for the thread to be woken */
};

enum mg_redis_what { MG_REQUEST_CHARGE, MG_REQUEST_REFUND, MG_REQUEST_RESET, MG_REQUEST_PROBE };

struct mg_redis_request {
	TAILQ_ENTRY(mg_redis_request) place; /* in inbox, waiting or owed */
	struct mg_redis_store *redis;
	enum mg_redis_what what;
	struct mg_charge *charge; /* under the lock; NULL: nobody waits (any more) */
	bool is_waiting;          /* under the lock: in `waiting` */
	bool is_unwanted;         /* under the lock: what it charges is to be given back */
	bool is_taught;           /* NOSCRIPT was answered once, the script's text has been sent */
	int64_t deadline_us;      /* of the charge */
	int64_t asked_us;         /* sent */
	int64_t owed_us;          /* a refund, reset: applied here and owed to the server since; 0: not */
	size_t count;
	struct mg_charge_item items[];
};
TAILQ_HEAD(mg_redis_queue, mg_redis_request);

struct mg_redis_store {
	struct mg_state *state;
	struct mg_limit_store memory;
	struct mg_store_url url; /* with the password to use */
	pthread_t thread;
	int wake_fd;
	int64_t patience_us;

	pthread_mutex_t lock;
	_Atomic bool is_up; /* written under the lock */
	bool is_stopping;
	size_t held;                   /* requests there are, but owed ones */
	struct mg_redis_queue inbox;   /* not seen by the thread yet */
	struct mg_redis_queue waiting; /* sent, their charges undecided; by deadline */
	struct mg_redis_queue owed;    /* refunds and resets for when the server is back */
	size_t owed_count;
	struct mg_redis_stats stats; /* but the three below */
	_Atomic uint64_t decisions, local_decisions;

	/* the thread's alone */
	struct event_base *base;
	struct event *wake, *retry, *limit, *farewell;
	struct mg_redis_link *link;
	bool is_probing, is_away_told, was_ready, is_leaving;
	unsigned tries; /* in a row without lasting success */
	int64_t up_since_us;
	struct mg_charge scratch; /* decided locally for one that is held */
};

/* NULL: no memory. Not counted as held yet. */
struct mg_redis_request *mg_redis_request_new(
	struct mg_redis_store *redis, enum mg_redis_what what, const struct mg_charge_item *items, size_t count);

/* Under the lock. False: the server is away, or too much is held. *is_first_out: the thread must be woken. */
bool mg_redis_queue_request(struct mg_redis_store *redis, struct mg_redis_request *request, bool *is_first_out);
void mg_redis_wake(struct mg_redis_store *redis);

/* Under the lock: without what means nothing any more, as all that was charged then has drained. */
void mg_redis_forget_owed(struct mg_redis_store *redis);
/* Applies a refund to this machine's levels, once. */
void mg_redis_refund_here(struct mg_redis_store *redis, struct mg_redis_request *request);
/* Applies a refund to this machine's levels and remembers it for the server. */
void mg_redis_owe(struct mg_redis_store *redis, struct mg_redis_request *request_take);

/* By this machine's levels; the charge is not held by anybody. */
void mg_redis_decide_locally(struct mg_redis_store *redis, struct mg_charge *charge);

/* redis_work.c: the thread, and what only it may call. */
MG_MUSTCHECK
enum mg_rc mg_redis_work_init(struct mg_redis_store *redis, struct mg_err *err);
void mg_redis_work_fini(struct mg_redis_store *redis); /* the thread has ended: all that is held is decided locally */
void *mg_redis_work(void *redis);                      /* the thread */
void mg_redis_send(struct mg_redis_store *redis, struct mg_redis_request *request_take);
/* False: it is not, and still the caller's. */
bool mg_redis_put_on_wire(struct mg_redis_store *redis, struct mg_redis_request *request);
void mg_redis_set_timer(struct event *timer, int64_t in_us);
void mg_redis_leave_when_done(struct mg_redis_store *redis);

/* redis_answer.c */
mg_redis_answer mg_redis_take; /* the answer to a request */
/* The server has not done what was asked, and never will. */
void mg_redis_undone(struct mg_redis_store *redis, struct mg_redis_request *request_take);
void mg_redis_request_free(struct mg_redis_store *redis, struct mg_redis_request *request_take);
/* Under the lock: the server had its time. */
void mg_redis_answer_locally(struct mg_redis_store *redis, struct mg_redis_request *request);

/* redis_breaker.c */
void mg_redis_go_up(struct mg_redis_store *redis);
void mg_redis_go_down(struct mg_redis_store *redis, const char *trouble);
void mg_redis_note_state(struct mg_redis_store *redis, bool is_up);
void mg_redis_try_later(struct mg_redis_store *redis);
/* What the server says is of no use: the connection ends. */
void mg_redis_lose(struct mg_redis_store *redis, const struct mg_redis_reply *reply);

#endif
