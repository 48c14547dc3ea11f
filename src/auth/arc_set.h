/* arc_set.h - the three fields of one hop in a chain (RFC 8617 section 3.2): results, message signature, seal.
 *
 * Threads: one owner. */
#ifndef MG_AUTH_ARC_SET_H
#define MG_AUTH_ARC_SET_H

#include "auth/dkim_signature.h"

struct mg_arc_signature {
	struct mg_signature parsed;
	size_t field; /* its place in the header */
};

struct mg_arc_set {
	struct mg_arc_signature *message, *seal; /* NULL: missing */
	bool has_results;
	size_t results_field;
	struct mg_str results; /* the value behind "i=N;" too: as it stands in the field */
};

struct mg_arc_sets {
	struct mg_arc_set set[MG_ARC_INSTANCES]; /* set[0] is i=1 */
	unsigned count;                          /* the highest instance seen */
	bool has_any;
	const char *wrong; /* what is wrong with the structure; NULL: nothing so far */
	bool is_short;     /* there was no memory to read it */
};

/* Takes up a field of the header if it is ARC's. Returns the signature it holds when it is one that can be verified. */
const struct mg_signature *mg_arc_sets_add(
	struct mg_arc_sets *sets, struct mg_arena *arena, const struct mg_fields *fields, size_t field, int64_t now_s);

/* Section 5.2, steps 1 to 3: the sets are whole, without a gap, and cv= says what it should. False: `wrong` tells. */
bool mg_arc_sets_check(struct mg_arc_sets *sets);

#endif
