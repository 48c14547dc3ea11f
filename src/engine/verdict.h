/* verdict.h - what a door answers, without its wire.
 *
 * Threads: plain values. */
#ifndef MG_ENGINE_VERDICT_H
#define MG_ENGINE_VERDICT_H

#include "journal/record.h"

enum { MG_EDITS_MAX = 65536 };      /* more fields than Postfix lets through */
enum { MG_EDIT_BYTES = 16 * 1024 }; /* of a field we add */

/* One change of a header field: deletions name the field and which of its occurrences (1 is the first). */
struct mg_edit {
	const char *name;
	unsigned index;    /* deletion: 1.. ; insertion: 0, at the very top */
	const char *value; /* NULL: delete */
};

struct mg_verdict {
	enum mg_action action; /* MG_ACTION_ACCEPT goes on; the text below is for the others */
	const char *code;      /* "554" or "451" */
	const char *dsn;       /* "5.7.1" */
	const char *text;      /* one line of printable ASCII, no '%' */
	/* At end-of-message: applied in this order, so deletions come before insertions and from the last index
	 * down. Borrowed from the transaction until its end. */
	const struct mg_edit *edits;
	size_t edit_count;
};

#endif
