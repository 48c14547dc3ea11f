/* internal.h - the session and the table of sessions; seen by the engine's own files only. */
#ifndef MG_ENGINE_INTERNAL_H
#define MG_ENGINE_INTERNAL_H

#include <pthread.h>
#include <sys/queue.h>

#include "base/hash.h"
#include "engine/transaction.h"

#include <uthash.h>

enum { MG_SESSION_KEY = 96 };

struct mg_session {
	UT_hash_handle hh;
	struct mg_engine *engine;
	char key[MG_SESSION_KEY]; /* "" not in the table */
	unsigned refs;            /* engine->lock */
	unsigned milters;         /* engine->lock: milter sessions that say they are this connection */

	pthread_mutex_t lock; /* all below */
	struct mg_ip ip;
	unsigned port;
	int64_t connect_us;
	char *name, *server_port, *helo, *tls; /* heap, NULL unknown */
	bool is_simulated;
	bool is_verified;        /* TLS client certificate */
	bool is_connect_charged; /* by limits that count connections */
	struct mg_ip speaker;    /* of an XCLIENT */
	bool is_spoofed;         /* ... who may not speak for others */
	struct mg_txn *open;     /* the milter's MAIL */
	struct mg_txn *waiting;  /* policy's, adopted by no MAIL so far */

	/* Begun at connect for the first message; touched by the milter's own events only, which come one at a time. */
	struct mg_evaluation *evaluation;

	struct mg_policy_waiter *waiter; /* the loop's thread: the request whose answer waits for `waiting`'s checks */
	TAILQ_ENTRY(mg_session) ready;   /* engine->lock: answers came for `waiting`'s checks */
	bool is_ready;                   /* engine->lock: it is in that queue */
	pthread_cond_t answered;         /* engine->lock: for the milter's thread */
	bool is_answered;                /* engine->lock: since it was last reset */

	/* Of `waiting`, for those who walk the table with the engine's lock only. */
	_Atomic bool has_waiting;
	_Atomic bool is_parting;    /* its smtpd process has gone on to another client, or said goodbye in the log */
	_Atomic int64_t touched_us; /* monotonic */

	UT_hash_handle by_pid;        /* engine->lock: in engine->pids while waiting_pid is not 0 */
	_Atomic unsigned waiting_pid; /* the smtpd process of `waiting`, 0 unknown */
};

struct mg_engine {
	pthread_mutex_t lock;            /* table, refs, snapshots */
	struct mg_session *table, *pids; /* by key; by the smtpd process of a waiting transaction */
	const struct mg_conf *conf;
	const struct mg_domains *domains;
	TAILQ_HEAD(mg_ready_sessions, mg_session) ready;
	struct mg_policy_waiter *waiters; /* the loop's thread */
	char policy_text
		[MG_RECORD_TEXT]; /* the loop's thread: of the last verdict for policy, whose record may be gone by now */
	struct mg_counters *counters;
	const struct mg_lookup_source *dns; /* NULL: senders are not checked */
	struct mg_dnsbl_zones *zones;
	const struct mg_guards *guards;
	_Atomic bool has_milter, has_tap; /* wired at every smtpd */
	void (*wake)(void *);
	bool (*put)(void *, struct mg_record *);
	void *context;
	_Atomic size_t sessions, milter_sessions, transactions;
};

/* The session of this client, made when it is not there; one reference. NULL: no memory, or for policy: too many. */
struct mg_session *mg_session_find(
	struct mg_engine *engine, const struct mg_client *client, const char *key, bool is_milter);
void mg_session_release(struct mg_session *session, bool is_milter);

/* The key of a client for joining; "" when port or address say nothing. */
void mg_session_key(char key[MG_SESSION_KEY], const struct mg_client *client);

/* A transaction under the engine's present snapshots, with the session's facts. Session locked. */
struct mg_txn *mg_session_begin(struct mg_session *session);

/* A new evaluation of this session's client under the engine's present snapshots; NULL: nothing is to be checked, or no
 * memory. `is_pumped`: answers make the session ready for mg_engine_pump(). Not locked. */
struct mg_evaluation *mg_session_evaluate(struct mg_session *session, bool is_pumped);

/* What somebody waits for has come (struct mg_session *): wakes the milter's thread and the pump. From any thread. */
void mg_session_is_ready(void *session);
/* The same for the charge of a gate (struct mg_gate *) that a shared store decides; and whether that has come, once. */
void mg_session_is_charged(void *gate);
bool mg_session_take_charge(struct mg_session *session, struct mg_gate *gate);

/* Sets session->waiting and what is told of it. Session locked. */
void mg_session_set_waiting(struct mg_session *session, struct mg_txn *txn);

/* Ends *txn (NULL is fine) and returns its record for mg_engine_deliver(), which comes after unlocking. */
struct mg_record *mg_session_finish(struct mg_session *session, struct mg_txn **txn, enum mg_end how);
void mg_engine_deliver(struct mg_engine *engine, struct mg_record *record);

struct mg_str mg_session_fact(const char *fact);
void mg_session_learn(char **fact, struct mg_str text); /* replaces; cut at 255 bytes */

#endif
