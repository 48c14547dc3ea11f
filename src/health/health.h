/* health.h - the checks run on a schedule, and what they found.
 *
 * One worker thread runs what is due; results are read from any thread without waiting for a check.
 *
 * Threads: start/stop from the owner's; the rest from any. */
#ifndef MG_HEALTH_HEALTH_H
#define MG_HEALTH_HEALTH_H

#include "health/check.h"

struct mg_health;

struct mg_health_options {
	const struct mg_conf *conf; /* one reference is taken */
	void *context;
	/* Fills in the daemon's figures. From any thread, must not block. NULL: there is no daemon in this process. */
	void (*figures)(void *context, struct mg_figures *figures_out);
};

/* Starts the worker thread, unless `is_once`: then only mg_health_check() runs checks. */
MG_MUSTCHECK
enum mg_rc mg_health_start(
	const struct mg_health_options *options, bool is_once, struct mg_health **health_out, struct mg_err *err);
void mg_health_stop(struct mg_health **health); /* waits for the check under way; NULL is fine */

void mg_health_set_conf(struct mg_health *health, const struct mg_conf *conf);

/* What is not ok is looked at again at once: something it depends on has just changed. */
void mg_health_hasten(struct mg_health *health);

/* The last results of all checks as CHECK objects, folded (fold.h), a new reference: what does not apply is left out. */
json_t *mg_health_results(struct mg_health *health);

enum { MG_CHECKS_MAX = 160 };

struct mg_checks_asked {
	const struct mg_check *const *checks;
	size_t count; /* 1..MG_CHECKS_MAX */
	/* A look at everything: what does not apply is left out, and what needs a check that has failed is not looked at. Else exactly
	 * these, whatever else is the matter. */
	bool is_general;
};
/* Everything: `place` has room for MG_CHECKS_MAX. */
void mg_checks_ask_all(struct mg_checks_asked *asked_out, const struct mg_check **place);

/* Runs these checks now on this thread, a new reference, not folded. Blocks up to the sum of their deadlines. */
json_t *mg_health_check(struct mg_health *health, const struct mg_checks_asked *asked);

/* How the wiring stands, as the last wiring checks saw it. */
struct mg_wiring_state {
	bool milter, policy;
};
void mg_health_wiring(struct mg_health *health, struct mg_wiring_state *state_out);

#endif
