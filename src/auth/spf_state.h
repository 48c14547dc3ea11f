/* spf_state.h - an SPF evaluation from inside, for the files that make it: spf_begin.c (the identity), spf.c (the machine),
 * spf_reason.c (what it says to people).
 *
 * Threads: one owner. */
#ifndef MG_AUTH_SPF_STATE_H
#define MG_AUTH_SPF_STATE_H

#include "auth/spf.h"
#include "auth/spf_match.h"

enum {
	MG_SPF_TERMS = 10, /* that ask DNS */
	MG_SPF_VOIDS = 2,
	MG_SPF_FRAMES = MG_SPF_TERMS + 1,
	MG_SPF_QUOTED = 64, /* bytes of a term that a reason quotes */
};

enum mg_spf_phase {
	MG_SPF_FETCH,   /* the record of the top frame's domain is wanted */
	MG_SPF_NEXT,    /* the top frame has a record; its next directive, or what follows the last, is wanted */
	MG_SPF_TERM,    /* the top frame's term is under judgement */
	MG_SPF_EXPLAIN, /* the result is fail; the text of exp= is wanted */
	MG_SPF_OVER,
};

struct mg_spf_frame {
	char domain[MG_SPF_NAME];
	size_t domain_length; /* a NUL may be inside: such a name is never found */
	bool is_redirected;
	struct mg_spf_record record;
	struct mg_str rest;      /* its directives to come */
	struct mg_spf_term term; /* under judgement; no kind: none has matched */
};

struct mg_spf {
	struct mg_arena *arena;
	struct mg_spf_values values; /* domain and validated change */
	bool wants_explanation;
	enum mg_spf_phase phase;
	struct mg_spf_frame *frames[MG_SPF_FRAMES]; /* made when they are first needed: most records include little */
	size_t depth;                               /* frames in use */
	size_t reach;                               /* the depth at which a directive matched */
	bool is_charged, is_p_charged;
	bool has_target;
	char target[MG_SPF_NAME]; /* of the term, expanded */
	size_t target_length;
	char validated[MG_SPF_NAME];
	struct mg_spf_output output;
};

/* All is over: the result, and why. */
void mg_spf_stop(struct mg_spf *spf, enum mg_result result, struct mg_say why);
void mg_spf_stop_for_trouble(struct mg_spf *spf, const char *name, enum mg_dns_trouble trouble);
void mg_spf_stop_at_match(struct mg_spf *spf, enum mg_result result); /* or because nothing matched */

/* As much of a term as a reason quotes. */
const char *mg_spf_quoted(struct mg_spf *spf, struct mg_str term);

/* Section 4.3: what is no multi-label domain name can't have a record. */
bool mg_spf_is_checkable(struct mg_str domain);

#endif
