/* seen.h - pairs met before: a login and its recipients, a network and our domains.
 *
 * Fixed size; what has not been met for MG_SEEN_DAYS is forgotten, and the least recent first where room is short: then a
 * known pair is taken for a new one.
 *
 * Threads and processes: safe from any. */
#ifndef MG_GUARD_SEEN_H
#define MG_GUARD_SEEN_H

#include "guard/state.h"

enum { MG_SEEN_DAYS = 60 };

extern const struct mg_table_shape mg_seen_rows;

struct mg_seen {
	struct mg_state *state;
};

/* Whether `who` and `whom` were met; a kind keeps different pairs apart. */
bool mg_seen_knows(struct mg_seen *seen, struct mg_str kind, struct mg_str who, struct mg_str whom);
void mg_seen_learn(struct mg_seen *seen, struct mg_str kind, struct mg_str who, struct mg_str whom);

#endif
