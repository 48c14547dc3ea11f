/* match_list.h - a list of patterns as Postfix's match_list reads it: mydestination, mynetworks, relay_clientcerts ...
 *
 * Patterns are separated by commas and white space; "/path" stands for the patterns in that file; "!" in front of one excludes
 * what it matches from those behind it.
 *
 * Threads: pure but for the files it reads. */
#ifndef MG_POSTFIX_MATCH_LIST_H
#define MG_POSTFIX_MATCH_LIST_H

#include "base/str.h"

enum { MG_MATCH_LIST_BYTES = 4 * 1024 * 1024 };

/* Calls `take` for every pattern of an expanded list, those of the files it names included; `is_excluded`: "!" stood before it.
 * False: not all could be read (a file in a file, or one that is too large). */
bool mg_match_list_each(
	struct mg_str list, void (*take)(void *context, struct mg_str pattern, bool is_excluded), void *context);

/* Whether a pattern is a lookup table ("type:name") and no address in brackets. */
bool mg_match_list_is_table(struct mg_str pattern);

#endif
