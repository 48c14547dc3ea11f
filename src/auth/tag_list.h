/* tag_list.h - "name=value; name=value": the tag lists of RFC 6376 section 3.2, which DKIM signatures and keys, ARC's fields
 * and DMARC records share.
 *
 * Strict: a name begins with a letter and has letters, digits and underscores; a value has printable ASCII other than ';',
 * UTF-8 (RFC 8616), and blanks or folds between; no name twice, and never two semicolons in a row. Names and values are
 * case-sensitive.
 *
 * Threads: pure. */
#ifndef MG_AUTH_TAG_LIST_H
#define MG_AUTH_TAG_LIST_H

#include "base/str.h"

enum { MG_TAGS_MAX = 48 };

struct mg_tag {
	struct mg_str name;
	struct mg_str value; /* without the blanks around it */
	struct mg_str raw;   /* with them: all between '=' and ';' */
};

struct mg_tag_list {
	size_t count;
	struct mg_tag tags[MG_TAGS_MAX]; /* slices of the text */
};

/* False: not such a list, or more tags than the bound. An empty text is an empty list. */
bool mg_tag_list_parse(struct mg_str text, struct mg_tag_list *list_out);

const struct mg_tag *mg_tag_list_find(const struct mg_tag_list *list, const char *name); /* NULL: not there */

/* The next item of a value that is a list parted by colons, without blanks around it. False: no item is left. An empty
 * value has one empty item. *rest.p becomes NULL behind the last. */
bool mg_read_colon_item(struct mg_str *rest, struct mg_str *item_out);

#endif
