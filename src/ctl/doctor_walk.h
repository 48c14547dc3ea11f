/* doctor_walk.h - a walk through steps, each of which looks at something, says what it found, and may end the walk with a cause.
 *
 * Threads: none. */
#ifndef MG_CTL_DOCTOR_WALK_H
#define MG_CTL_DOCTOR_WALK_H

#include "ctl/checks.h"

enum { MG_WALK_PREFIXES = 16 };

struct mg_walk_step {
	const char *key;                      /* of the JSON: "services" */
	const char *question;                 /* N_(): what a person would ask */
	const char *checks[MG_WALK_PREFIXES]; /* ids, or how they begin: "service." */
};

struct mg_walk {
	struct mg_ctl *ctl;
	json_t *steps;   /* what was done so far, for --json */
	json_t *finding; /* the CHECK that is the cause; NULL none yet */
	bool was_looked_at[MG_CHECKS_MAX];
	int number;
};

void mg_walk_init(struct mg_walk *walk, struct mg_ctl *ctl);
void mg_walk_fini(struct mg_walk *walk);

/* Runs the step's checks that were not run yet, with those that could be at their root, and shows what they found. MG_EXIT_GO_ON: nothing
 * critical; MG_EXIT_CRIT: the walk has its cause; else it could not be done. */
int mg_walk_take(struct mg_walk *walk, const struct mg_walk_step *step);

/* A step that looked at something else: `state` "ok", "warn", "crit", "unknown"; the finding is also the walk's cause when that is not ok. */
void mg_walk_tell(struct mg_walk *walk, const char *key, const char *question, const char *state,
	const struct mg_say *found, const struct mg_say *cause, const struct mg_say *fix);

/* The end: the cause and the remedy, or that nothing was found; the JSON document with --json. Returns the exit status. */
int mg_walk_end(struct mg_walk *walk);

#endif
