/* guards.h - the guards that a transaction is judged by, together. Any may be missing (NULL): then it says nothing.
 *
 * Threads: never changes; each guard is safe from any thread. */
#ifndef MG_GUARD_GUARDS_H
#define MG_GUARD_GUARDS_H

#include "guard/charge.h"
#include "guard/relay_inquiry.h"
#include "guard/seen.h"

struct mg_guards {
	struct mg_state *state;
	struct mg_inquiries *inquiries;
	const struct mg_limit_store *limits;
	struct mg_seen *seen;
};

#endif
