/* table.h - rows of fixed size under 64-bit keys, in memory that outlives the process that writes it.
 *
 * The size is fixed at birth: where a new key finds no room, the row that is nearest to meaning nothing goes (the smallest
 * `until_ns`) and is counted. A key may lie in one of two sets of its shard, so that a table filled to its nominal number of
 * rows has forgotten hardly any. Shards have robust process-shared mutexes; a row is written so that a kill -9 at any
 * instruction leaves it valid or free.
 *
 * Keys are SipHash values under the state's own key: who can't know it can't make rows collide.
 *
 * Threads and processes: safe from any. Nothing here waits but for a shard's lock, held for a moment. */
#ifndef MG_GUARD_TABLE_H
#define MG_GUARD_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MG_TABLE_KEYS = 32 }; /* held together at most */

/* How every row begins. */
struct mg_row {
	uint64_t key;     /* 0: free */
	int64_t until_ns; /* state's time (state.h): from then on nothing is lost by forgetting the row */
};

struct mg_table_shape {
	const char *name;   /* in the snapshot; at most 15 bytes */
	uint32_t version;   /* of the row's layout */
	uint32_t row_bytes; /* a multiple of 8; a row begins with struct mg_row */
};

struct mg_table { /* the process's view; the rows and locks lie in the shared memory */
	const struct mg_table_shape *shape;
	struct mg_table_memory *memory;
};

/* What a table of about `rows` rows needs; a multiple of 64. */
size_t mg_table_bytes(const struct mg_table_shape *shape, size_t rows);

/* Lays the table out in zeroed memory of mg_table_bytes(), 64-byte aligned, or takes over the one that is there. False: what
 * is there is another layout. */
bool mg_table_open(struct mg_table *table, const struct mg_table_shape *shape, size_t rows, void *memory, bool is_new);

/* Locks the shards of these keys, in an order that can't deadlock. count <= MG_TABLE_KEYS; keys may repeat. No other call on
 * this table but get, make and drop, with these keys, until mg_table_unlock(). */
struct mg_table_hold {
	uint32_t shard[MG_TABLE_KEYS];
	size_t count;
};
void mg_table_lock(struct mg_table *table, const uint64_t *keys, size_t count, struct mg_table_hold *hold_out);
void mg_table_unlock(struct mg_table *table, const struct mg_table_hold *hold);

/* The row, or NULL. */
void *mg_table_get(struct mg_table *table, uint64_t key);
/* The row, made (zeroed behind its head, until_ns 0) where there is none: a row of its two sets may go for it, one that another
 * call has just returned too, so fill a row (until_ns last) before the next is made. */
void *mg_table_make(struct mg_table *table, uint64_t key, int64_t now_ns);
void mg_table_drop(struct mg_table *table, uint64_t key);

/* Calls `see` for every row, a shard locked at a time; `see` may change the row and calls nothing of this header. False from
 * it ends the walk. */
void mg_table_walk(struct mg_table *table, bool (*see)(void *context, void *row), void *context);

/* Copies the next rows, at most `max` >= 1, and moves `cursor`, 0 at first; returns how many, 0 at the end. A shard is locked only
 * while rows are copied. A row that is there all the time comes exactly once. */
size_t mg_table_read(struct mg_table *table, uint64_t *cursor, void *rows_out, size_t max);

struct mg_table_stats {
	size_t rows_max;    /* as asked for at birth */
	uint64_t rows;      /* in use, those that mean nothing any more included */
	uint64_t forgotten; /* rows that went before their time */
};
void mg_table_stats(const struct mg_table *table, struct mg_table_stats *stats_out);

#endif
