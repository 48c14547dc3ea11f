/* lookup_table.h - a Postfix lookup table ("hash:/etc/postfix/access") as far as others than Postfix can read it.
 *
 * Indexed files and texthash are enumerated by `postmap -s`, cidr files are read here, everything else (databases,
 * patterns) can only be asked, key by key, through `postmap -q`.
 *
 * Threads: safe from any; every call blocks on a file or on postmap, at most MG_LOOKUP_TABLE_MS. */
#ifndef MG_POSTFIX_LOOKUP_TABLE_H
#define MG_POSTFIX_LOOKUP_TABLE_H

#include "base/buf.h"

enum { MG_LOOKUP_TABLE_MS = 5000, MG_LOOKUP_TABLE_BYTES = 64 * 1024 * 1024 };

/* Whether all its keys can be had. */
bool mg_lookup_table_can_list(struct mg_str table);

/* Calls `take` for every entry; of a cidr table in its order, each key a network ("!" in front where it is negated). False: it
 * can't be listed, or not now; what was taken so far is not all. */
bool mg_lookup_table_list(const char *directory, struct mg_str table,
	void (*take)(void *context, struct mg_str key, struct mg_str value), void *context);

enum mg_lookup_result { MG_LOOKUP_ABSENT, MG_LOOKUP_FOUND, MG_LOOKUP_FAILED };

/* Asks for one key; the value goes to `value` (may be NULL). */
enum mg_lookup_result mg_lookup_table_ask(
	const char *directory, struct mg_str table, struct mg_str key, int timeout_ms, struct mg_buf *value);

/* The file behind it, where there is one: "/etc/postfix/access" and what is indexed of it. `place` gets the path that
 * changes when the table does; false: no file. */
bool mg_lookup_table_file(struct mg_str table, char *place, size_t size);

#endif
