/* spf_kit.h - one SPF evaluation over a zone for tests: run twice, with answers at once and with answers that come one at a
 * time, which must not make a difference; and what must hold of every evaluation. */
#ifndef MG_TEST_SPF_KIT_H
#define MG_TEST_SPF_KIT_H

#include "auth/spf.h"
#include "zone_kit.h"

struct spf_run {
	struct mg_arena arena;
	struct mg_spf_output output; /* lives in the arena */
	unsigned asked;              /* questions put to the zone */
};

/* NULL: all is well; else which promise was broken. The caller ends the run either way. */
const char *spf_run_begin(struct spf_run *run, struct zone *zone, const struct mg_spf_input *input);
void spf_run_end(struct spf_run *run);

#endif
