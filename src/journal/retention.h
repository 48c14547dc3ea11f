/* retention.h - what is old, or too much, goes: the oldest first, in slices of a few milliseconds.
 *
 * Threads: the writer's, between its batches. */
#ifndef MG_JOURNAL_RETENTION_H
#define MG_JOURNAL_RETENTION_H

#include "journal/store.h"

struct mg_retention {
	unsigned keep_days;
	unsigned max_mb;
};

/* Works for at most about `budget_us`; true: there is more to do. Failures are left in store->rc. */
bool mg_retention_run(
	struct mg_store *store, const char *path, const struct mg_retention *retention, int64_t budget_us);

/* Database and WAL on disk. */
uint64_t mg_retention_bytes(const char *path);

#endif
