/* dmarc_walk.h - the DNS Tree Walk (RFC 9989 section 4.10): the policy records from a domain up to the top of the tree, and
 * which of those domains is the organizational one. At most 8 questions.
 *
 * Threads: pure; asks through a mg_lookup. */
#ifndef MG_AUTH_DMARC_WALK_H
#define MG_AUTH_DMARC_WALK_H

#include "auth/dmarc_record.h"
#include "dns/lookup.h"

enum { MG_DMARC_LEVELS = 8 };

struct mg_dmarc_level {
	struct mg_str domain; /* the walk's domain, or the end of it */
	bool has_record;
	struct mg_dmarc_record record;
};

struct mg_dmarc_walk {
	bool is_broken; /* DNS gave no answer to one of the questions: nothing may be concluded */
	struct mg_dmarc_level level[MG_DMARC_LEVELS]; /* from the domain upwards, to the first psd=y or psd=n */
	size_t count;
	struct mg_str org; /* the organizational domain */
};

/* Asks the whole way at once: for later. */
void mg_dmarc_walk_prefetch(struct mg_lookup *lookup, struct mg_str domain);

/* Asks for the record of `domain` alone: *level_out. */
enum mg_step mg_dmarc_walk_first(
	struct mg_lookup *lookup, struct mg_str domain, bool *is_broken_out, struct mg_dmarc_level *level_out);

/* Walks; DONE: *walk_out is filled in, its slices point into `domain`. */
enum mg_step mg_dmarc_walk(struct mg_lookup *lookup, struct mg_str domain, struct mg_dmarc_walk *walk_out);

#endif
