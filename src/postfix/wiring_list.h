/* wiring_list.h - a restriction list or a milter list: what of ours stands in it, and how to put it in or take it out.
 *
 * Looking is done on the expanded text, editing on the raw one, word by word, so that all else stays byte for byte.
 *
 * Threads: pure. */
#ifndef MG_POSTFIX_WIRING_LIST_H
#define MG_POSTFIX_WIRING_LIST_H

#include "base/buf.h"
#include "postfix/wiring.h"

#define MG_MACRO_CHECK  "mailguard_check"
#define MG_MACRO_TAP    "mailguard_relay_tap"
#define MG_MACRO_MILTER "mailguard_milter"
#define MG_TAP_CONTEXT  "relay-rcpt"

struct mg_list_view {          /* slices point into the expanded text */
	bool is_there;         /* our milter or check is named */
	bool is_reachable;     /* ... by a name that works from this service */
	bool is_explicit;      /* ... with the default action that lets mail flow */
	struct mg_str blocker; /* check: what before it surely permits or ends the list */
	struct mg_str doubt;   /* check: what before it may permit for all we know */

	bool has_tap, is_tap_reachable;
	struct mg_str tap_blocker; /* what before the tap, or in the whole list without one, may permit or ends it */
};

void mg_list_view_restrictions(struct mg_str expanded, const struct mg_wiring_doors *doors, const char *queue_directory,
	bool is_chroot, struct mg_list_view *view_out);
void mg_list_view_milters(struct mg_str expanded, const struct mg_wiring_doors *doors, const char *queue_directory,
	bool is_chroot, struct mg_list_view *view_out);

/* Whether the raw text has the word $macro, and whether as its last one. */
bool mg_list_has(struct mg_str raw, const char *macro, bool *is_last_out);

/* Appends `raw` to `out` without the words $macro. */
void mg_list_remove(struct mg_str raw, const char *macro, struct mg_buf *out);

/* Appends `raw` to `out` with $macro in front of it or behind it. `is_spaced`: ", " may separate, else ",". */
void mg_list_add(struct mg_str raw, const char *macro, bool in_front, bool is_spaced, struct mg_buf *out);

#endif
