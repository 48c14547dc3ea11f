/* memory_store.h - the levels of rate limits in this machine's memory: the default store, and what a shared one falls back to.
 *
 * Threads: safe from any; decides at once. */
#ifndef MG_GUARD_MEMORY_STORE_H
#define MG_GUARD_MEMORY_STORE_H

#include "guard/charge.h"
#include "guard/state.h"

extern const struct mg_table_shape mg_limit_rows; /* of MG_STATE_LIMITS */

/* The store over `state`, which outlives it; lives in `store_out`. */
void mg_memory_store(struct mg_state *state, struct mg_limit_store *store_out);

/* Sets a level as a shared store has just told it: `used` whole units now. */
void mg_memory_store_learn(struct mg_state *state, const struct mg_charge_item *item);

/* One row for lists. */
struct mg_limit_line {
	char limit[64], key[MG_CHARGE_KEY]; /* as far as the row keeps them; a cut key ends in "~" */
	uint64_t used;                      /* at the moment of listing */
	int64_t until_ns;                   /* state's time: empty then */
};
/* Calls `see` for every level that is not empty; false from it ends the walk. No lock is held while it runs. */
void mg_memory_store_list(
	struct mg_state *state, bool (*see)(void *context, const struct mg_limit_line *line), void *context);

#endif
