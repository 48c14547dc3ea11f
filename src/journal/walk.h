/* walk.h - every transaction of a time once, oldest first, as the record that it was.
 *
 * The walk goes in slices, each a read transaction of its own: a long one never holds the writer's log up. What comes in
 * behind the walk while it goes is not seen; what retention takes away in front of it neither.
 *
 * Threads: the query's owner. */
#ifndef MG_JOURNAL_WALK_H
#define MG_JOURNAL_WALK_H

#include "journal/query.h"

struct mg_walked {
	struct mg_record *record; /* the walk's; its arena may be used until `see` returns */
	unsigned delivered;       /* recipients that the log shows as delivered */
};

/* Calls `see` for each transaction since `since_us` (wall); false from it ends the walk, which is MG_OK. MG_ETIME when
 * `deadline_us` (monotonic) passes; what was seen until then stands. */
MG_MUSTCHECK
enum mg_rc mg_query_walk(struct mg_query *query, int64_t since_us, int64_t deadline_us,
	bool (*see)(void *context, const struct mg_walked *walked), void *context, struct mg_err *err);

#endif
