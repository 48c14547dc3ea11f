/* bill.h - what one message has been charged so far, so that it can be given back when the message comes to nothing.
 *
 * A limit's key is kept once, however many recipients pay under it. Its memory is its own and bounded (MG_BILL_BYTES): what finds no
 * room is not given back.
 *
 * Threads: one owner. */
#ifndef MG_GUARD_BILL_H
#define MG_GUARD_BILL_H

#include "base/arena.h"
#include "guard/charge.h"

enum { MG_BILL_BYTES = 16 * 1024 * 1024 };

struct mg_bill { /* zeroed: nothing */
	struct mg_arena arena;
	struct mg_bill_line *lines;   /* limits with their keys, those last used first */
	struct mg_bill_share *shares; /* who paid under them */
};

/* Notes the items [from, until) of a decided charge that were charged, as those of `whose` (a recipient; NULL: the message's). */
void mg_bill_add(struct mg_bill *bill, const struct mg_charge *charge, size_t from, size_t until, const void *whose);

/* Gives back what stands there for `whose` (NULL: everything), and strikes it out. */
void mg_bill_refund(struct mg_bill *bill, const struct mg_limit_store *store, const void *whose);

/* Forgets all of it; nothing is given back. */
void mg_bill_fini(struct mg_bill *bill);

#endif
