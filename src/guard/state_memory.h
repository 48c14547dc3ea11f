/* state_memory.h - how the guards' memory lies in shared memory, for those who write it: state.c and snapshot.c.
 *
 * Threads: see state.h. */
#ifndef MG_GUARD_STATE_MEMORY_H
#define MG_GUARD_STATE_MEMORY_H

#include <stdatomic.h>

#include "guard/state.h"

struct mg_state_memory {
	uint64_t magic; /* written last */
	uint32_t layout, tables;
	uint64_t bytes;
	struct mg_state_part {
		char name[16];
		uint32_t version, row_bytes;
		uint64_t rows, at; /* offset of the table */
	} part[MG_STATE_TABLES];
	/* Above: as planned; below: this state's own. */
	uint64_t key[2];         /* of mg_state_key() */
	_Atomic int64_t lead_ns; /* state's time less the monotonic clock's */
};

struct mg_state { /* the process's view */
	struct mg_state_memory *memory;
	const struct mg_state_clock *clock;
	struct mg_table table[MG_STATE_TABLES];
};

/* Fills a new state from the snapshot that `fd` is open on. MG_ESYNTAX: it can't be read, and unless it changed meanwhile the state
 * is still empty. */
MG_MUSTCHECK
enum mg_rc mg_snapshot_read(struct mg_state *state, int fd, struct mg_err *err);

#endif
