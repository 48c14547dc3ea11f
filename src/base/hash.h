/* hash.h - SipHash-2-4 under a key drawn at start, for every table whose keys come from outside.
 *
 * Include this before uthash.h: it makes uthash use the keyed hash.
 *
 * Threads: safe from any after mg_hash_init(). */
#ifndef MG_BASE_HASH_H
#define MG_BASE_HASH_H

#include "base/str.h"

/* Draws the key from the kernel. Once, before the first thread. Without it the key is zero (tests). */
void mg_hash_init(void);

uint64_t mg_hash_keyed(struct mg_str text);

/* The same under a key of the caller's, for what outlives a process or is shared with others. */
uint64_t mg_hash_under(const uint64_t key[2], struct mg_str text);

#define HASH_FUNCTION(keyptr, keylen, hashv) ((hashv) = (unsigned)mg_hash_keyed(mg_str_of((keyptr), (keylen))))

#endif
