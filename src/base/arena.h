/* arena.h - memory of one transaction: taken piece by piece, bounded by a ceiling, given back whole.
 *
 * Threads: one owner at a time; ownership may move between threads. */
#ifndef MG_BASE_ARENA_H
#define MG_BASE_ARENA_H

#include "base/str.h"

struct mg_arena {
	struct mg_arena_block *first;
	size_t used; /* bytes taken from the system */
	size_t max;  /* ceiling of `used` */
};

void mg_arena_init(struct mg_arena *arena, size_t max_bytes); /* allocates nothing */
void mg_arena_fini(struct mg_arena *arena);                   /* every piece is gone */

/* Zeroed and aligned for any type; NULL when the ceiling or memory is reached. */
void *mg_arena_take(struct mg_arena *arena, size_t bytes);

/* A NUL-terminated copy, cut at its first NUL and at `max` bytes; "" (static) when there is no room. */
const char *mg_arena_text(struct mg_arena *arena, struct mg_str text, size_t max);

#endif
