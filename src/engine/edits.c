#include "engine/edits.h"

static bool make_room(struct mg_edits *edits, struct mg_arena *arena)
{
	size_t room = edits->room == 0 ? 8 : 2 * edits->room;
	struct mg_edit *larger;

	if (edits->count < edits->room)
		return true;
	if (room > MG_EDITS_MAX || (larger = mg_arena_take(arena, room * sizeof *larger)) == NULL)
		return false;
	if (edits->count > 0)
		memcpy(larger, edits->edit, edits->count * sizeof *larger);
	edits->edit = larger;
	edits->room = room;
	return true;
}

void mg_edits_delete(struct mg_edits *edits, struct mg_arena *arena, const char *name, unsigned index)
{
	if (make_room(edits, arena))
		edits->edit[edits->count++] = (struct mg_edit){ name, index, NULL };
}

void mg_edits_last_first(struct mg_edits *edits)
{
	for (size_t i = 0, last = edits->count; i + 1 < last; i++, last--) {
		struct mg_edit first = edits->edit[i];

		edits->edit[i] = edits->edit[last - 1];
		edits->edit[last - 1] = first;
	}
}

void mg_edits_insert(struct mg_edits *edits, struct mg_arena *arena, const char *name, struct mg_str value)
{
	if (value.n > 0 && make_room(edits, arena))
		edits->edit[edits->count++] = (struct mg_edit){ name, 0, mg_arena_text(arena, value, MG_EDIT_BYTES) };
}
