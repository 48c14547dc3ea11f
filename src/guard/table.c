/* A key's bits choose its shard and two sets of eight rows in it; a new row goes to the set with fewer rows that still mean
 * something. So chosen, sets fill evenly, and with a third more slots than rows next to none overflows.
 *
 * A row's key is taken away before the row changes hands and given last, so whoever dies in between leaves it free; the
 * counters, which may then be wrong, are counted again by who finds the lock's owner dead.
 *
 * Behind the shards stands a byte for every set: whether it ever held a row. Sets that never did are not looked at, so that their memory
 * is never touched, and costs nothing. */
#include "guard/table.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/rc.h"

enum { WAYS = 8, SHARDS_MAX = 256, SHARD_ROWS = 1024, SPARE = 2 * WAYS, LINE = 64, READ_SLOTS = 512 };
static const uint64_t MAGIC = 0x6d67207461626c66;

struct shard {
	_Alignas(LINE) pthread_mutex_t lock; /* its rows and all below */
	uint64_t rows, forgotten;
};

struct mg_table_memory {
	uint64_t magic; /* written last */
	uint64_t rows_max;
	uint32_t version, row_bytes;
	uint32_t shards, sets; /* sets of each shard */
	struct shard shard[];
};

enum { PLAN = offsetof(struct mg_table_memory, sets) + sizeof(uint32_t) }; /* bytes of it before the shards */

static void lay_out(const struct mg_table_shape *shape, size_t rows, struct mg_table_memory *memory_out)
{
	size_t slots = rows + rows / 3 + SPARE;
	uint32_t shards = 1;

	while (shards < SHARDS_MAX && rows / shards > SHARD_ROWS)
		shards *= 2;
	*memory_out = (struct mg_table_memory){ .magic = MAGIC,
		.rows_max = rows,
		.version = shape->version,
		.row_bytes = shape->row_bytes,
		.shards = shards,
		.sets = (uint32_t)((slots + (size_t)shards * WAYS - 1) / ((size_t)shards * WAYS)) };
}

static size_t marks_at(const struct mg_table_memory *memory)
{
	return sizeof *memory + memory->shards * sizeof(struct shard);
}

static size_t rows_at(const struct mg_table_memory *memory)
{
	size_t end = marks_at(memory) + (size_t)memory->shards * memory->sets;

	return (end + LINE - 1) / LINE * LINE;
}

static size_t slots_of_shard(const struct mg_table_memory *memory)
{
	return (size_t)memory->sets * WAYS;
}

size_t mg_table_bytes(const struct mg_table_shape *shape, size_t rows)
{
	struct mg_table_memory memory;
	size_t bytes;

	lay_out(shape, rows, &memory);
	bytes = rows_at(&memory) + memory.shards * slots_of_shard(&memory) * shape->row_bytes;
	return (bytes + LINE - 1) / LINE * LINE;
}

static void make_lock(pthread_mutex_t *lock)
{
	pthread_mutexattr_t attributes;
	bool is_made = pthread_mutexattr_init(&attributes) == 0 &&
		       pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0 &&
		       pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0 &&
		       pthread_mutex_init(lock, &attributes) == 0;

	mg_assert(is_made);
	pthread_mutexattr_destroy(&attributes);
}

bool mg_table_open(struct mg_table *table, const struct mg_table_shape *shape, size_t rows, void *memory, bool is_new)
{
	struct mg_table_memory wanted, *there = memory;

	lay_out(shape, rows, &wanted);
	*table = (struct mg_table){ shape, there };
	if (!is_new)
		return memcmp(there, &wanted, PLAN) == 0;
	*there = wanted;
	there->magic = 0;
	for (uint32_t i = 0; i < wanted.shards; i++)
		make_lock(&there->shard[i].lock);
	atomic_signal_fence(memory_order_seq_cst);
	there->magic = MAGIC;
	return true;
}

static struct mg_row *row_at(const struct mg_table *table, uint64_t slot)
{
	return (void *)((char *)table->memory + rows_at(table->memory) + slot * table->memory->row_bytes);
}

/* Whether the slot's set ever held a row; under its shard's lock, like the row. */
static unsigned char *mark_of(const struct mg_table *table, uint64_t slot)
{
	return (unsigned char *)table->memory + marks_at(table->memory) + slot / WAYS;
}

static bool is_used(const struct mg_table *table, uint64_t slot)
{
	return *mark_of(table, slot) != 0 && row_at(table, slot)->key != 0;
}

static uint32_t scaled(uint64_t bits, uint32_t below)
{
	return (uint32_t)((bits & UINT32_MAX) * below >> 32);
}

static uint32_t shard_of(const struct mg_table *table, uint64_t key)
{
	return scaled(key >> 32, table->memory->shards);
}

/* The first slots of the key's two sets. */
static void sets_of(const struct mg_table *table, uint64_t key, uint64_t slot_out[2])
{
	uint64_t first = shard_of(table, key) * slots_of_shard(table->memory);
	uint32_t sets = table->memory->sets, one = scaled(key, sets);
	uint32_t other = scaled(key * UINT64_C(0x9e3779b97f4a7c15) >> 32, sets);

	if (other == one)
		other = (one + 1) % sets;
	slot_out[0] = first + (uint64_t)one * WAYS;
	slot_out[1] = first + (uint64_t)other * WAYS;
}

/* Its last owner died holding the lock. */
static void repair(struct mg_table *table, uint32_t at)
{
	struct shard *shard = &table->memory->shard[at];
	uint64_t first = at * slots_of_shard(table->memory);

	shard->rows = 0;
	for (uint64_t slot = first; slot < first + slots_of_shard(table->memory); slot++)
		shard->rows += is_used(table, slot);
	pthread_mutex_consistent(&shard->lock);
}

static void lock(struct mg_table *table, uint32_t at)
{
	int rc = pthread_mutex_lock(&table->memory->shard[at].lock);

	if (rc == EOWNERDEAD)
		repair(table, at);
	else
		mg_assert(rc == 0);
}

static void unlock(struct mg_table *table, uint32_t at)
{
	pthread_mutex_unlock(&table->memory->shard[at].lock);
}

/* Adds a shard to the ascending list unless it is in it. */
static void list_shard(struct mg_table_hold *hold, uint32_t shard)
{
	size_t at = hold->count;

	while (at > 0 && hold->shard[at - 1] > shard)
		at--;
	if (at > 0 && hold->shard[at - 1] == shard)
		return;
	memmove(&hold->shard[at + 1], &hold->shard[at], (hold->count - at) * sizeof hold->shard[0]);
	hold->shard[at] = shard;
	hold->count++;
}

void mg_table_lock(struct mg_table *table, const uint64_t *keys, size_t count, struct mg_table_hold *hold_out)
{
	mg_assert(count <= MG_TABLE_KEYS);
	hold_out->count = 0;
	for (size_t i = 0; i < count; i++)
		list_shard(hold_out, shard_of(table, keys[i]));
	for (size_t i = 0; i < hold_out->count; i++)
		lock(table, hold_out->shard[i]);
}

void mg_table_unlock(struct mg_table *table, const struct mg_table_hold *hold)
{
	for (size_t i = hold->count; i > 0; i--)
		unlock(table, hold->shard[i - 1]);
}

void *mg_table_get(struct mg_table *table, uint64_t key)
{
	uint64_t set[2];

	sets_of(table, key, set);
	for (int i = 0; i < 2; i++)
		for (uint64_t slot = set[i]; *mark_of(table, set[i]) != 0 && slot < set[i] + WAYS; slot++)
			if (row_at(table, slot)->key == key)
				return row_at(table, slot);
	return NULL;
}

/* What a set has to offer to a new row. */
struct offer {
	struct mg_row *row; /* a free one, or the one that means nothing soonest */
	unsigned live;
};

static bool is_live(const struct mg_row *row, int64_t now_ns)
{
	return row->key != 0 && row->until_ns > now_ns;
}

static bool goes_before(const struct mg_row *a, const struct mg_row *b)
{
	if (a->key == 0 || b->key == 0)
		return a->key == 0 && b->key != 0;
	return a->until_ns < b->until_ns;
}

static struct offer offer_of(const struct mg_table *table, uint64_t set, int64_t now_ns)
{
	struct offer offer = { row_at(table, set), 0 };

	for (uint64_t slot = set; *mark_of(table, set) != 0 && slot < set + WAYS; slot++) {
		struct mg_row *row = row_at(table, slot);

		offer.live += is_live(row, now_ns);
		if (goes_before(row, offer.row))
			offer.row = row;
	}
	return offer;
}

static struct mg_row *room_for(const struct mg_table *table, uint64_t key, int64_t now_ns)
{
	struct offer one, other;
	uint64_t set[2];

	sets_of(table, key, set);
	one = offer_of(table, set[0], now_ns);
	other = offer_of(table, set[1], now_ns);
	if (one.live != other.live)
		return one.live < other.live ? one.row : other.row;
	if (one.live == 0 && *mark_of(table, set[1]) == 0)
		return one.row;
	return goes_before(other.row, one.row) ? other.row : one.row;
}

static void take_key(struct shard *shard, struct mg_row *row)
{
	shard->rows -= row->key != 0;
	row->key = 0;
	atomic_signal_fence(memory_order_seq_cst);
}

static void give_key(struct shard *shard, struct mg_row *row, uint64_t key)
{
	atomic_signal_fence(memory_order_seq_cst);
	row->key = key;
	shard->rows++;
}

static void mark_set(const struct mg_table *table, const struct mg_row *row)
{
	size_t offset = (size_t)((const char *)row - (const char *)table->memory) - rows_at(table->memory);

	*mark_of(table, offset / table->memory->row_bytes) = 1;
}

void *mg_table_make(struct mg_table *table, uint64_t key, int64_t now_ns)
{
	struct shard *shard = &table->memory->shard[shard_of(table, key)];
	struct mg_row *row = mg_table_get(table, key);

	mg_assert(key != 0);
	if (row != NULL)
		return row;
	row = room_for(table, key, now_ns);
	shard->forgotten += is_live(row, now_ns);
	take_key(shard, row);
	mark_set(table, row);
	memset((char *)row + sizeof row->key, 0, table->memory->row_bytes - sizeof row->key);
	give_key(shard, row, key);
	return row;
}

void mg_table_drop(struct mg_table *table, uint64_t key)
{
	struct mg_row *row = mg_table_get(table, key);

	if (row != NULL)
		take_key(&table->memory->shard[shard_of(table, key)], row);
}

static bool walk_shard(struct mg_table *table, uint32_t at, bool (*see)(void *context, void *row), void *context)
{
	uint64_t first = at * slots_of_shard(table->memory);

	for (uint64_t slot = first; slot < first + slots_of_shard(table->memory); slot++)
		if (is_used(table, slot) && !see(context, row_at(table, slot)))
			return false;
	return true;
}

void mg_table_walk(struct mg_table *table, bool (*see)(void *context, void *row), void *context)
{
	bool goes_on = true;

	for (uint32_t at = 0; at < table->memory->shards && goes_on; at++) {
		lock(table, at);
		goes_on = walk_shard(table, at, see, context);
		unlock(table, at);
	}
}

/* Copies from slots cursor..end, which lie in one shard, whose lock is held. */
static size_t copy_rows(const struct mg_table *table, uint64_t *cursor, uint64_t end, char *rows_out, size_t max)
{
	size_t n = 0, bytes = table->memory->row_bytes;

	for (; *cursor < end && n < max; ++*cursor)
		if (is_used(table, *cursor))
			memcpy(rows_out + n++ * bytes, row_at(table, *cursor), bytes);
	return n;
}

size_t mg_table_read(struct mg_table *table, uint64_t *cursor, void *rows_out, size_t max)
{
	uint64_t in_shard = slots_of_shard(table->memory), slots = table->memory->shards * in_shard;
	size_t n = 0;

	while (n == 0 && *cursor < slots) {
		uint32_t shard = (uint32_t)(*cursor / in_shard);
		uint64_t left = (shard + 1) * in_shard - *cursor;

		lock(table, shard);
		n = copy_rows(table, cursor, *cursor + (left < READ_SLOTS ? left : READ_SLOTS), rows_out, max);
		unlock(table, shard);
	}
	return n;
}

void mg_table_stats(const struct mg_table *table, struct mg_table_stats *stats_out)
{
	struct mg_table view = *table;

	*stats_out = (struct mg_table_stats){ .rows_max = table->memory->rows_max };
	for (uint32_t at = 0; at < table->memory->shards; at++) {
		lock(&view, at);
		stats_out->rows += table->memory->shard[at].rows;
		stats_out->forgotten += table->memory->shard[at].forgotten;
		unlock(&view, at);
	}
}
