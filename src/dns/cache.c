/* Each part is a chained hash table of entries that also lie in a ring. The clock's hand walks the ring when room is
 * needed: an entry asked for since it last passed is spared once. Entries past their time go when they are met. */
#include "dns/cache.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"

enum { PARTS = 16, PART_ENTRIES_MIN = 64 };

struct entry {
	struct entry *chain;             /* of its bucket */
	struct entry *ring, **ring_back; /* the next around the clock, and who points here */
	const struct mg_dns_answer *answer;
	int64_t expires_us;
	uint64_t hash;
	size_t bytes;
	bool was_asked;
	unsigned char length;
	uint16_t type;
	char name[];
};

struct part {
	pthread_mutex_t lock; /* all below */
	struct entry **buckets;
	size_t mask;
	struct entry *ring, **hand; /* hand: where the pointer to the next candidate is */
	size_t entries, entries_max, bytes, bytes_max;
	uint64_t hits, misses, evicted;
	char apart[64]; /* neighbours share no cache line */
};

struct mg_dns_cache {
	struct part parts[PARTS];
	unsigned part_mask; /* parts in use, less one; never changes */
};

static uint64_t hash_of(const struct mg_dns_question *question)
{
	return mg_hash_keyed(mg_str_of(question->name, question->length)) +
	       (uint64_t)question->type * UINT64_C(0x9e3779b97f4a7c15);
}

static struct part *part_of(struct mg_dns_cache *cache, uint64_t hash)
{
	return &cache->parts[hash >> 60 & cache->part_mask];
}

static bool is_of(const struct entry *entry, uint64_t hash, const struct mg_dns_question *question)
{
	return entry->hash == hash && entry->type == (uint16_t)question->type && entry->length == question->length &&
	       memcmp(entry->name, question->name, question->length) == 0;
}

static struct entry **find(struct part *part, uint64_t hash, const struct mg_dns_question *question)
{
	struct entry **at = &part->buckets[hash & part->mask];

	while (*at != NULL && !is_of(*at, hash, question))
		at = &(*at)->chain;
	return at;
}

static void ring_insert(struct part *part, struct entry *entry)
{
	entry->ring = *part->hand; /* behind the hand: it comes here last, or first after the ring's end */
	entry->ring_back = part->hand;
	if (entry->ring != NULL)
		entry->ring->ring_back = &entry->ring;
	*part->hand = entry;
	part->hand = &entry->ring;
}

static void ring_remove(struct part *part, struct entry *entry)
{
	if (part->hand == &entry->ring)
		part->hand = entry->ring_back;
	*entry->ring_back = entry->ring;
	if (entry->ring != NULL)
		entry->ring->ring_back = entry->ring_back;
}

/* Takes the entry that *at points to out of its bucket and the ring. */
static void forget(struct part *part, struct entry **at)
{
	struct entry *entry = *at;

	*at = entry->chain;
	ring_remove(part, entry);
	part->entries--;
	part->bytes -= entry->bytes;
	mg_dns_answer_unref(&entry->answer);
	free(entry);
}

static void evict_one(struct part *part)
{
	struct entry *entry, **at;

	for (;;) {
		if (*part->hand == NULL)
			part->hand = &part->ring;
		entry = *part->hand;
		if (!entry->was_asked)
			break;
		entry->was_asked = false;
		part->hand = &entry->ring;
	}
	at = &part->buckets[entry->hash & part->mask];
	while (*at != entry)
		at = &(*at)->chain;
	forget(part, at);
	part->evicted++;
}

static void make_room(struct part *part, size_t entries, size_t bytes)
{
	while (part->entries > 0 &&
		(part->entries + entries > part->entries_max || part->bytes + bytes > part->bytes_max))
		evict_one(part);
}

static size_t bytes_of(const struct mg_dns_question *question, const struct mg_dns_answer *answer)
{
	size_t bytes =
		sizeof(struct entry) + question->length + sizeof *answer + answer->count * sizeof(struct mg_dns_record);

	for (size_t i = 0; i < answer->count; i++)
		bytes += answer->records[i].text.n;
	return bytes;
}

static int64_t life_us(const struct mg_dns_answer *answer)
{
	if (answer->status == MG_DNS_TROUBLE)
		return MG_DNS_TROUBLE_S * MG_S_US;
	return answer->ttl_s == 0 ? MG_S_US : answer->ttl_s * MG_S_US;
}

/* A part's share, and the buckets for it. False: no memory, nothing changed. */
static bool part_size(struct part *part, size_t entries)
{
	size_t room = 16;
	struct entry **buckets;

	while (room < entries)
		room *= 2;
	buckets = calloc(room, sizeof(struct entry *));
	if (buckets == NULL)
		return false;
	for (struct entry *entry = part->ring; entry != NULL; entry = entry->ring) {
		entry->chain = buckets[entry->hash & (room - 1)];
		buckets[entry->hash & (room - 1)] = entry;
	}
	free(part->buckets);
	part->buckets = buckets;
	part->mask = room - 1;
	part->entries_max = entries;
	part->bytes_max = entries * MG_DNS_CACHE_ENTRY_BYTES;
	make_room(part, 0, 0);
	return true;
}

/* The number of parts is fixed at birth: a small cache that grows stays in one. */
bool mg_dns_cache_resize(struct mg_dns_cache *cache, size_t entries)
{
	size_t parts = cache->part_mask + 1U;
	bool is_done = true;

	for (size_t i = 0; i < parts; i++) {
		pthread_mutex_lock(&cache->parts[i].lock);
		is_done &= part_size(&cache->parts[i], (entries + parts - 1) / parts);
		pthread_mutex_unlock(&cache->parts[i].lock);
	}
	return is_done;
}

struct mg_dns_cache *mg_dns_cache_new(size_t entries)
{
	struct mg_dns_cache *cache = calloc(1, sizeof *cache);

	if (cache == NULL)
		return NULL;
	cache->part_mask = entries >= (size_t)PARTS * PART_ENTRIES_MIN ? PARTS - 1 : 0;
	for (size_t i = 0; i < PARTS; i++) {
		pthread_mutex_init(&cache->parts[i].lock, NULL);
		cache->parts[i].hand = &cache->parts[i].ring;
	}
	if (!mg_dns_cache_resize(cache, entries))
		mg_dns_cache_free(&cache);
	return cache;
}

static void part_fini(struct part *part)
{
	struct entry *entry = part->ring;

	while (entry != NULL) {
		struct entry *next = entry->ring;

		mg_dns_answer_unref(&entry->answer);
		free(entry);
		entry = next;
	}
	free(part->buckets);
	pthread_mutex_destroy(&part->lock);
}

void mg_dns_cache_free(struct mg_dns_cache **cache)
{
	struct mg_dns_cache *ending = *cache;

	*cache = NULL;
	for (size_t i = 0; ending != NULL && i < PARTS; i++)
		part_fini(&ending->parts[i]);
	free(ending);
}

const struct mg_dns_answer *mg_dns_cache_get(
	struct mg_dns_cache *cache, const struct mg_dns_question *question, int64_t now_us)
{
	uint64_t hash = hash_of(question);
	struct part *part = part_of(cache, hash);
	const struct mg_dns_answer *answer = NULL;
	struct entry **at;

	pthread_mutex_lock(&part->lock);
	at = find(part, hash, question);
	if (*at != NULL && (*at)->expires_us <= now_us)
		forget(part, at);
	else if (*at != NULL) {
		answer = mg_dns_answer_ref((*at)->answer);
		(*at)->was_asked = true;
	}
	*(answer != NULL ? &part->hits : &part->misses) += 1;
	pthread_mutex_unlock(&part->lock);
	return answer;
}

static struct entry *entry_new(
	uint64_t hash, const struct mg_dns_question *question, const struct mg_dns_answer *answer, int64_t now_us)
{
	struct entry *entry = malloc(sizeof *entry + question->length);

	if (entry == NULL)
		return NULL;
	*entry = (struct entry){ .expires_us = now_us + life_us(answer),
		.hash = hash,
		.bytes = bytes_of(question, answer),
		.length = question->length,
		.type = (uint16_t)question->type };
	memcpy(entry->name, question->name, question->length);
	entry->answer = mg_dns_answer_ref(answer);
	return entry;
}

static void insert(struct part *part, struct entry *entry)
{
	struct entry **bucket = &part->buckets[entry->hash & part->mask];

	entry->chain = *bucket;
	*bucket = entry;
	ring_insert(part, entry);
	part->entries++;
	part->bytes += entry->bytes;
}

void mg_dns_cache_put(struct mg_dns_cache *cache, const struct mg_dns_question *question,
	const struct mg_dns_answer *answer, int64_t now_us)
{
	uint64_t hash = hash_of(question);
	struct part *part = part_of(cache, hash);
	struct entry *entry = entry_new(hash, question, answer, now_us), **old;

	if (entry == NULL)
		return;
	pthread_mutex_lock(&part->lock);
	old = find(part, hash, question);
	if (*old != NULL)
		forget(part, old);
	if (entry->bytes <= part->bytes_max) {
		make_room(part, 1, entry->bytes);
		insert(part, entry);
		entry = NULL;
	}
	pthread_mutex_unlock(&part->lock);
	if (entry != NULL) { /* larger than the part */
		mg_dns_answer_unref(&entry->answer);
		free(entry);
	}
}

void mg_dns_cache_stats(struct mg_dns_cache *cache, struct mg_dns_cache_stats *stats_out)
{
	*stats_out = (struct mg_dns_cache_stats){ 0 };
	for (size_t i = 0; i < PARTS; i++) {
		struct part *part = &cache->parts[i];

		pthread_mutex_lock(&part->lock);
		stats_out->entries += part->entries;
		stats_out->bytes += part->bytes;
		stats_out->hits += part->hits;
		stats_out->misses += part->misses;
		stats_out->evicted += part->evicted;
		pthread_mutex_unlock(&part->lock);
	}
}
