/* hot.h - state that outlives a worker: shared memory of fixed size, held by the supervisor.
 *
 * It begins with a magic number and the layout's version; another layout (after an upgrade) begins anew. Behind the counters lies
 * the guards' state (guard/state.h). All that lies in it is changed by atomics or under robust locks, so a kill -9 at any
 * instruction leaves it valid.
 *
 * Threads and processes: safe from any. */
#ifndef MG_DAEMON_HOT_H
#define MG_DAEMON_HOT_H

#include "engine/counters.h"
#include "guard/state.h"

struct mg_hot {
	uint64_t magic;
	uint32_t layout, header_bytes;
	uint64_t bytes;    /* of all */
	uint64_t max_keys; /* state.max_keys as it was at birth */
	struct mg_counters counters;
};

/* Maps `*fd`, or makes new memory when it is -1 or of another layout (*fd is then the new descriptor, close-on-exec); new memory
 * is filled from the snapshot at `path` ("": none), which is in the log if it can't be read. */
MG_MUSTCHECK
enum mg_rc mg_hot_open(int *fd, size_t max_keys, const char *path, struct mg_hot **hot_out, struct mg_err *err);

/* The guards' state in it, for this process. */
MG_MUSTCHECK
enum mg_rc mg_hot_state(struct mg_hot *hot, struct mg_state **state_out, struct mg_err *err);

#endif
