/* watch.h - files that something was made of, and whether they are still the same.
 *
 * Threads: adding has one owner; asking is safe from any. */
#ifndef MG_POSTFIX_WATCH_H
#define MG_POSTFIX_WATCH_H

#include "base/str.h"

enum { MG_WATCH_MAX = 256 };

struct mg_watch { /* zeroed: nothing is watched */
	struct mg_watched *file;
	size_t count;
};

/* Watches the file as it is now; one that is not there is watched for coming. More than MG_WATCH_MAX are left out. */
void mg_watch_add(struct mg_watch *watch, struct mg_str path);
/* The files that an expanded match list or restriction list names: "/path" and "type:/path". */
void mg_watch_add_list(struct mg_watch *watch, struct mg_str list);

/* None of them has changed (time, size, inode). */
bool mg_watch_is_same(const struct mg_watch *watch);

void mg_watch_fini(struct mg_watch *watch);

#endif
