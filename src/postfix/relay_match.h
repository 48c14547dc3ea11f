/* relay_match.h - Postfix's lists of patterns (mynetworks, relay_domains, mydestination ...) and what they match.
 *
 * A list is names, networks, "/file" and type:table, each perhaps with "!"; the first that matches decides, a pattern that
 * Postfix can't read is a temporary error for whoever comes to it, and a word that begins with # ends the list. At most
 * MG_MATCH_PATTERNS patterns; a file named in a file is not followed, and makes the list unknown from there on.
 *
 * Threads: the owner's of the tables. */
#ifndef MG_POSTFIX_RELAY_MATCH_H
#define MG_POSTFIX_RELAY_MATCH_H

#include "postfix/relay_table.h"

enum { MG_MATCH_PATTERNS = 200000 };

enum mg_match_kind {
	MG_MATCH_NAME,
	MG_MATCH_NET,
	MG_MATCH_BAD, /* a network that Postfix refuses, a file that is not there */
	MG_MATCH_TABLE,
	MG_MATCH_DOUBT, /* a file that we can't read, or more than our bounds hold */
};

struct mg_match_pattern {
	enum mg_match_kind kind;
	bool is_negated;
	struct mg_str text;
	struct mg_net net;
	struct mg_table *table;
};

struct mg_match_list {
	struct mg_match_pattern *patterns;
	size_t count, room;
	bool with_parents; /* "example.com" matches what is below it, too */
	bool is_fatal;     /* a pattern that ends the program: a table without a type, as in ::/0 */
};

enum mg_match { MG_MATCH_NO, MG_MATCH_YES, MG_MATCH_ERROR, MG_MATCH_UNKNOWN };

/* `value` expanded; it and the list live in `arena`. */
void mg_match_load(struct mg_match_list *list, struct mg_tables *tables, struct mg_arena *arena, struct mg_str value,
	bool with_parents);

/* A client by its verified name and its address (either may be empty). *which_out: the pattern that decided, or NULL. */
enum mg_match mg_match_client(struct mg_tables *tables, const struct mg_match_list *list, struct mg_str name,
	struct mg_str address, const struct mg_ip *ip, const struct mg_match_pattern **which_out);

/* A domain against a list of domains (relay_domains), or one of plain names (mydestination). */
enum mg_match mg_match_domain(struct mg_tables *tables, const struct mg_match_list *list, struct mg_str domain,
	const struct mg_match_pattern **which_out);
enum mg_match mg_match_name(struct mg_tables *tables, const struct mg_match_list *list, struct mg_str domain);

#endif
