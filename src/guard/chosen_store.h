/* chosen_store.h - the store of the limits that state.store names, which a reload may change while charges are under way.
 *
 * The store that was is retired: it goes on with the charges it holds (MG_STORE_PATIENCE_MS), and is stopped a while later.
 *
 * Threads: choose, tick and stats from one; the store from any. */
#ifndef MG_GUARD_CHOSEN_STORE_H
#define MG_GUARD_CHOSEN_STORE_H

#include "conf/conf.h"
#include "guard/redis_store.h"

struct mg_chosen_store;

/* In memory at first. `state` outlives it; it lives as long as the process. NULL: no memory. */
struct mg_chosen_store *mg_chosen_store_new(struct mg_state *state);

/* Takes what `conf` says, where that is another store than before. On failure the levels are this machine's own. */
MG_MUSTCHECK
enum mg_rc mg_chosen_store_set(struct mg_chosen_store *chosen, const struct mg_conf *conf, struct mg_err *err);

/* The retired store that may be stopped by now, once; NULL: none. Stopping it may take a moment: not on a loop. */
struct mg_redis_store *mg_chosen_store_take_retired(struct mg_chosen_store *chosen, int64_t now_us);

const struct mg_limit_store *mg_chosen_store(const struct mg_chosen_store *chosen);

/* False: the levels are kept in memory alone. `trouble` of a store that could not even be begun is told too. */
bool mg_chosen_store_stats(struct mg_chosen_store *chosen, struct mg_redis_stats *stats_out);

#endif
