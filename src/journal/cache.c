/* Two small tables of indexes with linear probing. Nothing is deleted from them singly: what must not be found any more
 * is marked in its entry. */
#include "journal/cache.h"

#include <string.h>

static uint32_t slot_of_seq(int64_t seq)
{
	return (uint32_t)((uint64_t)seq * 0x9e3779b97f4a7c15 >> 40) % MG_CACHE_SLOTS;
}

static uint32_t slot_of_queue_id(const struct mg_store *store, struct mg_str queue_id)
{
	return (uint32_t)((uint64_t)mg_veil_text_key(&store->veil, queue_id) >> 32) % MG_CACHE_SLOTS;
}

static struct mg_cached *find_seq(struct mg_store *store, int64_t seq)
{
	struct mg_cache *cache = store->cache;

	for (uint32_t slot = slot_of_seq(seq); cache->by_seq[slot] != 0; slot = (slot + 1) % MG_CACHE_SLOTS)
		if (cache->heads[cache->by_seq[slot] - 1].head.seq == seq)
			return &cache->heads[cache->by_seq[slot] - 1];
	return NULL;
}

static struct mg_cached *find_queue_id(struct mg_store *store, struct mg_str queue_id)
{
	struct mg_cache *cache = store->cache;
	uint32_t slot = slot_of_queue_id(store, queue_id);

	for (; cache->by_queue_id[slot] != 0; slot = (slot + 1) % MG_CACHE_SLOTS) {
		struct mg_cached *cached = &cache->heads[cache->by_queue_id[slot] - 1];

		if (mg_str_eq(mg_str_z(cached->queue_id), queue_id))
			return cached;
	}
	return NULL;
}

void mg_cache_put(struct mg_store *store, const struct mg_head *head)
{
	struct mg_cache *cache = store->cache;
	struct mg_cached *cached = find_seq(store, head->seq);
	uint32_t slot = slot_of_seq(head->seq);

	if (cached != NULL) {
		cached->head = *head;
		return;
	}
	if (cache->count == MG_CACHE_HEADS)
		mg_cache_flush(store);
	while (cache->by_seq[slot] != 0)
		slot = (slot + 1) % MG_CACHE_SLOTS;
	cache->heads[cache->count] = (struct mg_cached){ .head = *head };
	cache->by_seq[slot] = (uint16_t)++cache->count;
}

void mg_cache_refresh(struct mg_store *store, struct mg_head *head)
{
	const struct mg_cached *cached = store->cache->count == 0 ? NULL : find_seq(store, head->seq);

	if (cached != NULL)
		*head = cached->head;
}

void mg_cache_name(struct mg_store *store, struct mg_str queue_id, const struct mg_head *head)
{
	struct mg_cache *cache = store->cache;
	struct mg_cached *named = find_queue_id(store, queue_id);
	struct mg_cached *cached = head == NULL ? NULL : find_seq(store, head->seq);
	uint32_t slot = slot_of_queue_id(store, queue_id);

	if (named != NULL && named == cached)
		return;
	if (named != NULL)
		named->queue_id[0] = '\0';
	if (cached == NULL || cached->queue_id[0] != '\0' || queue_id.n == 0 || queue_id.n >= MG_CACHE_QUEUE_ID)
		return;
	for (unsigned tries = 0; cache->by_queue_id[slot] != 0; slot = (slot + 1) % MG_CACHE_SLOTS)
		if (++tries == MG_CACHE_SLOTS / 4)
			return;
	mg_str_copy(cached->queue_id, sizeof cached->queue_id, queue_id);
	cache->by_queue_id[slot] = (uint16_t)(cached - cache->heads + 1);
}

bool mg_cache_find(struct mg_store *store, struct mg_str queue_id, struct mg_head *head_out)
{
	const struct mg_cached *cached = store->cache->count == 0 ? NULL : find_queue_id(store, queue_id);

	if (cached != NULL)
		*head_out = cached->head;
	return cached != NULL;
}

void mg_cache_set_parent(struct mg_store *store, int64_t seq, int64_t parent)
{
	struct mg_cached *cached = find_seq(store, seq);

	if (cached != NULL)
		cached->head.parent = parent;
}

void mg_cache_forget(struct mg_store *store, int64_t seq)
{
	struct mg_cached *cached = find_seq(store, seq);

	if (cached == NULL)
		return;
	cached->queue_id[0] = '\0';
	cached->head.seq = -1; /* no row has it */
}

void mg_cache_clear(struct mg_store *store)
{
	struct mg_cache *cache = store->cache;

	if (cache->count == 0)
		return;
	memset(cache->by_seq, 0, sizeof cache->by_seq);
	memset(cache->by_queue_id, 0, sizeof cache->by_queue_id);
	cache->count = 0;
}

void mg_cache_flush(struct mg_store *store)
{
	for (unsigned i = 0; i < store->cache->count; i++)
		if (store->cache->heads[i].head.seq > 0)
			mg_head_write(store, &store->cache->heads[i].head);
	mg_cache_clear(store);
}
