/* arc.h - the Authenticated Received Chain (RFC 8617): was it passed on by hands that can be named, and unbroken?
 *
 * Verification only. At most 50 sets (section 4.2.1). none: no ARC fields; pass; fail: the chain is broken or says cv=fail;
 * temperror: a key could not be fetched. A set that is not whole or not well-formed breaks the chain, and so does a message
 * signature with l= below the body's length. Older message signatures only tell `oldest_pass`: those whose keys were not among
 * the first 24 asked for are taken not to hold.
 *
 * Life as dkim.h. Threads: one owner. Does no I/O. */
#ifndef MG_AUTH_ARC_H
#define MG_AUTH_ARC_H

#include "auth/body_hash.h"
#include "auth/result.h"
#include "dns/lookup.h"

enum { MG_ARC_SETS = 50 };

struct mg_arc; /* lives in the arena */

struct mg_arc *mg_arc_new(struct mg_arena *arena, const struct mg_fields *fields, int64_t now_s); /* NULL: no memory */
void mg_arc_field(struct mg_arc *arc, struct mg_lookup *lookup);
void mg_arc_header_end(struct mg_arc *arc, struct mg_body_hashes *hashes);
void mg_arc_body_end(struct mg_arc *arc, const struct mg_body_hashes *hashes);
enum mg_step mg_arc_step(struct mg_arc *arc, struct mg_lookup *lookup);

struct mg_arc_output {
	enum mg_result result;
	unsigned instance;    /* the highest i=; 0 without a chain */
	unsigned oldest_pass; /* the lowest instance whose message signature still holds (section 5.2); 0: all hold */
	const char *reason;   /* plain English, one line */
	const char *sealer[MG_ARC_SETS];    /* d= of the seals, sealer[0] of i=1; A-labels, lower case */
	struct mg_str results[MG_ARC_SETS]; /* the values of ARC-Authentication-Results, results[0] of i=1 */
};
const struct mg_arc_output *mg_arc_output(const struct mg_arc *arc);

#endif
