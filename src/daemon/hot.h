/* hot.h - state that outlives a worker: shared memory of fixed size, held by the supervisor.
 *
 * It begins with a magic number and the layout's version; another layout (after an upgrade) begins anew. All that lies
 * in it is changed by atomics, so a kill -9 at any instruction leaves it valid.
 *
 * Threads and processes: safe from any. */
#ifndef MG_DAEMON_HOT_H
#define MG_DAEMON_HOT_H

#include "engine/counters.h"

struct mg_hot {
	uint64_t magic;
	uint32_t layout, bytes;
	struct mg_counters counters;
};

/* Maps `*fd`, or makes new memory when it is -1 or of another layout (*fd is then the new descriptor, close-on-exec).
 * *is_new_out tells which. */
MG_MUSTCHECK
enum mg_rc mg_hot_open(int *fd, struct mg_hot **hot_out, bool *is_new_out, struct mg_err *err);

#endif
