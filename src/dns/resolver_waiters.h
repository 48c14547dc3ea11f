/* resolver_waiters.h - who waits for the questions under way.
 *
 * A token names a place and the place's generation, so one that was used up is known and harms nobody.
 *
 * Threads: the resolver's lock. */
#ifndef MG_DNS_RESOLVER_WAITERS_H
#define MG_DNS_RESOLVER_WAITERS_H

#include "dns/lookup.h"

enum { MG_WAITERS_MAX = 65535 };

struct mg_waiter {
	struct mg_lookup *lookup;
	unsigned slot;
	int64_t deadline_us;
	uintptr_t generation;
	unsigned *list; /* NULL: free */
	unsigned back, next;
};

struct mg_waiters {
	struct mg_waiter *places; /* place 0 is never used: it ends lists */
	unsigned used, room;      /* places that were ever in use, of those there are */
	unsigned first_free;
};

void mg_waiters_fini(struct mg_waiters *waiters);

/* Adds to the list (0: empty) of a question. NULL: no memory, or too many. */
void *mg_waiters_add(
	struct mg_waiters *waiters, unsigned *list, struct mg_lookup *lookup, unsigned slot, int64_t deadline_us);

/* Takes the waiter of this token from its list; nothing happens when the token was used up. */
void mg_waiters_cancel(struct mg_waiters *waiters, void *token);

/* Give the answer (a reference for each) to all of the list; to those whose deadline has passed. */
void mg_waiters_answer(struct mg_waiters *waiters, unsigned *list, const struct mg_dns_answer *answer);
void mg_waiters_expire(struct mg_waiters *waiters, unsigned *list, int64_t now_us);

#endif
