/* Blocks in a list, the newest first; a piece larger than a block gets a block of its own. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>

struct mg_arena_block {
	struct mg_arena_block *next;
	size_t used, room;
	alignas(max_align_t) unsigned char bytes[];
};

enum { BLOCK = 1536 };

void mg_arena_init(struct mg_arena *arena, size_t max_bytes)
{
	*arena = (struct mg_arena){ .max = max_bytes };
}

void mg_arena_fini(struct mg_arena *arena)
{
	while (arena->first != NULL) {
		struct mg_arena_block *block = arena->first;

		arena->first = block->next;
		free(block);
	}
	arena->used = 0;
}

static struct mg_arena_block *add_block(struct mg_arena *arena, size_t room)
{
	struct mg_arena_block *block;
	size_t bytes = sizeof *block + room;

	if (bytes > arena->max - arena->used || (block = calloc(1, bytes)) == NULL)
		return NULL;
	block->room = room;
	block->next = arena->first;
	arena->first = block;
	arena->used += bytes;
	return block;
}

void *mg_arena_take(struct mg_arena *arena, size_t bytes)
{
	const size_t unit = alignof(max_align_t);
	struct mg_arena_block *block = arena->first;
	void *piece;

	if (bytes > arena->max)
		return NULL;
	bytes = (bytes + unit - 1) / unit * unit;
	if (block == NULL || block->room - block->used < bytes)
		block = add_block(arena, bytes > BLOCK ? bytes : BLOCK);
	if (block == NULL)
		return NULL;
	piece = block->bytes + block->used;
	block->used += bytes;
	return piece;
}

const char *mg_arena_text(struct mg_arena *arena, struct mg_str text, size_t max)
{
	char *copy;

	text = mg_str_first(text, mg_str_find(text, '\0'));
	text = mg_str_first(text, max);
	if (text.n == 0 || (copy = mg_arena_take(arena, text.n + 1)) == NULL)
		return "";
	memcpy(copy, text.p, text.n);
	return copy;
}
