/* edits.h - the header changes of one message: deletions as its fields come by, insertions at the end.
 *
 * Threads: one owner. */
#ifndef MG_ENGINE_EDITS_H
#define MG_ENGINE_EDITS_H

#include "base/arena.h"
#include "engine/verdict.h"

struct mg_edits { /* zeroed: none */
	struct mg_edit *edit;
	size_t count, room;
};

/* Notes that occurrence `index` (1 is the first) of the field is to go. `name` is a literal. Without room nothing is noted. */
void mg_edits_delete(struct mg_edits *edits, struct mg_arena *arena, const char *name, unsigned index);

/* Deletions noted in the order of the fields, turned round: deleting a field moves those behind it up, so the last goes
 * first. Once, before the insertions. */
void mg_edits_last_first(struct mg_edits *edits);

/* A field on top of all others; what is inserted later stands higher. `value` is copied; an empty one is none. */
void mg_edits_insert(struct mg_edits *edits, struct mg_arena *arena, const char *name, struct mg_str value);

#endif
