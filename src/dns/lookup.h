/* lookup.h - the DNS questions of one message: each asked once, its answer pinned to the end, counted against a budget.
 *
 * This is what evaluators see of DNS. They do no I/O: an evaluator's step calls mg_lookup_get() for what it needs next;
 * when that has no answer yet it returns MG_STEP_WAIT, and is stepped again when some answer has come. Asking early is
 * prefetching: the call is the same, the result is not looked at. Evaluators of one message share answers.
 *
 * Where answers come from is the source's business: the resolver (dns/resolver.h), or a table in a test.
 *
 * Threads: one thread at a time calls get, wait, expire and free (whose turn it is may move); the source's answers come
 * from any thread. */
#ifndef MG_DNS_LOOKUP_H
#define MG_DNS_LOOKUP_H

#include "dns/answer.h"

enum { MG_LOOKUP_QUESTIONS = 60 }; /* of one message, whatever it holds; lists of the client are asked besides */

/* What an evaluator's step says. */
enum mg_step {
	MG_STEP_DONE, /* the result stands; further steps change nothing */
	MG_STEP_WAIT, /* it needs an answer that is on its way: step again when one has come */
};

/* Told when an answer has come; must only store and signal, and call nothing of this header but mg_lookup_answer(). */
struct mg_lookup;

struct mg_lookup_source {
	void *context;
	/* The answer if it is known now: a new reference. Else NULL, and it will come through mg_lookup_answer(lookup, slot,
	 * ...), exactly once, from another thread or later on this one, but never inside this call, unless cancelled
	 * before. *token_out is then what `cancel` wants (not NULL). */
	const struct mg_dns_answer *(*ask)(void *context, const struct mg_dns_question *question, int64_t deadline_us,
		struct mg_lookup *lookup, unsigned slot, void **token_out);
	/* When this returns, mg_lookup_answer() is not running for this token and never will. */
	void (*cancel)(void *context, void *token);
};

struct mg_lookup_options {
	const struct mg_lookup_source *source; /* outlives the lookup */
	unsigned questions_max;                /* from 1 on */
	int64_t deadline_us;                   /* monotonic: for all of them; what is asked later is MG_DNS_BUDGET */
	/* An answer has come. From any thread, under locks of the source and of the lookup: may only signal somebody, and take
	 * no lock that is held by whoever calls this header. May be NULL. */
	void (*ready)(void *context);
	void *context;
};

/* NULL: no memory. */
struct mg_lookup *mg_lookup_new(const struct mg_lookup_options *options);
/* Cancels what is under way. Answers that mg_lookup_get() returned are gone. Sets *lookup to NULL; NULL in it is fine. */
void mg_lookup_free(struct mg_lookup **lookup);

/* The answer, borrowed until mg_lookup_free(); or NULL: it is being asked for. A name that DNS can't hold is NXDOMAIN
 * at once, without being asked (RFC 7208 section 4.8 wants it so; others check first). Beyond the budget or the deadline,
 * or without memory: MG_DNS_TROUBLE at once. */
const struct mg_dns_answer *mg_lookup_get(struct mg_lookup *lookup, struct mg_str name, enum mg_dns_type type);

/* From now on this many of the questions are kept back for others: beyond them the answer is MG_DNS_BUDGET, unless the question
 * was asked already. */
void mg_lookup_keep(struct mg_lookup *lookup, unsigned questions);

/* Waits until an answer came that had not come at the last call of this function, or nothing is under way, or monotonic
 * `until_us` passes; false in the last case. For drivers that may block. */
bool mg_lookup_wait(struct mg_lookup *lookup, int64_t until_us);

/* The time is over: what is under way becomes MG_DNS_TROUBLE (budget: whoever forgives a silent
 * server must not forgive this), and nothing more is asked. Evaluators then come to
 * their end without waiting. */
void mg_lookup_expire(struct mg_lookup *lookup);

/* How many different questions it was asked, and how many are under way. */
unsigned mg_lookup_asked(const struct mg_lookup *lookup);
unsigned mg_lookup_pending(struct mg_lookup *lookup);

/* For sources: the answer to `slot`; takes the reference. */
void mg_lookup_answer(struct mg_lookup *lookup, unsigned slot, const struct mg_dns_answer *answer_take);

#endif
