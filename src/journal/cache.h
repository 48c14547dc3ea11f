/* cache.h - the heads that the running batch has touched. A message's lines come close together: its row is written once
 * a batch and not once a line.
 *
 * Every head that is read goes through here, so nobody sees an old one; before the commit all is written, afterwards
 * nothing is remembered.
 *
 * Threads: the writer's. */
#ifndef MG_JOURNAL_CACHE_H
#define MG_JOURNAL_CACHE_H

#include "journal/store.h"

enum { MG_CACHE_HEADS = 1024, MG_CACHE_SLOTS = 4096, MG_CACHE_QUEUE_ID = 24 };

struct mg_cached {
	struct mg_head head;
	char queue_id[MG_CACHE_QUEUE_ID]; /* set when this is the youngest life of the id, else "" */
};

struct mg_cache {
	struct mg_cached heads[MG_CACHE_HEADS];
	uint16_t by_seq[MG_CACHE_SLOTS]; /* index + 1, probed linearly; 0: free */
	uint16_t by_queue_id[MG_CACHE_SLOTS];
	unsigned count;
};

/* Remembers the head, to be written with the batch. */
void mg_cache_put(struct mg_store *store, const struct mg_head *head);

/* Replaces a head that was read from the database by its newer state, if there is one. */
void mg_cache_refresh(struct mg_store *store, struct mg_head *head);

/* Makes a remembered head what mg_cache_find() finds under its queue id, or (NULL) forgets the id. */
void mg_cache_name(struct mg_store *store, struct mg_str queue_id, const struct mg_head *head);
bool mg_cache_find(struct mg_store *store, struct mg_str queue_id, struct mg_head *head_out);

void mg_cache_set_parent(struct mg_store *store, int64_t seq, int64_t parent);
void mg_cache_forget(struct mg_store *store, int64_t seq);

/* Writes what is remembered and forgets it; the second only forgets. */
void mg_cache_flush(struct mg_store *store);
void mg_cache_clear(struct mg_store *store);

#endif
