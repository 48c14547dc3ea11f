/* bill.h - what one message has been charged so far, so that it can be given back when the message comes to nothing.
 *
 * Lies in the transaction's arena. Threads: one owner. */
#ifndef MG_GUARD_BILL_H
#define MG_GUARD_BILL_H

#include "base/arena.h"
#include "guard/charge.h"

struct mg_bill_line;

struct mg_bill { /* zeroed: nothing */
	struct mg_bill_line *first;
};

/* Notes the items [from, until) of a decided charge that were charged, as those of `whose` (a recipient; NULL: the message's).
 * Without memory they are not given back. */
void mg_bill_add(struct mg_bill *bill, struct mg_arena *arena, const struct mg_charge *charge, size_t from,
	size_t until, const void *whose);

/* Gives back what stands there for `whose` (NULL: everything), and strikes it out. */
void mg_bill_refund(struct mg_bill *bill, const struct mg_limit_store *store, const void *whose);

#endif
