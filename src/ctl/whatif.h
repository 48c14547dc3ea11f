/* whatif.h - what other settings would have changed: counted, grouped, and shown.
 *
 * The document of `whatif --json`, with what people read made of the same; mailguardctl(8) tells its keys.
 *
 * Threads: none. */
#ifndef MG_CTL_WHATIF_H
#define MG_CTL_WHATIF_H

#include "ctl/ctl.h"
#include "engine/replay.h"

enum { MG_WHATIF_MESSAGES = 1000, MG_WHATIF_GROUPS = 300, MG_WHATIF_NAMES = 500, MG_WHATIF_NAMES_TOLD = 20 };

struct mg_whatif {
	json_t *groups;   /* "FROM TO RULE" -> the group */
	json_t *messages; /* at most MG_WHATIF_MESSAGES */
	int64_t transactions, unknown, changed, drifted, left_out;
	int64_t gaps[MG_GAPS];
	int64_t last_us; /* wall: of the last transaction seen */
};

void mg_whatif_init(struct mg_whatif *whatif);
void mg_whatif_fini(struct mg_whatif *whatif);

/* Counts a transaction: `next` under the settings asked about, `now` under those in force. */
void mg_whatif_add(struct mg_whatif *whatif, const struct mg_walked *walked, const struct mg_replayed *next,
	const struct mg_replayed *now);

/* The document, without "since", "settings" and "notes". A new reference. */
json_t *mg_whatif_json(const struct mg_whatif *whatif);

/* Shows the document. */
void mg_whatif_show(const struct mg_ctl *ctl, const json_t *document);

#endif
