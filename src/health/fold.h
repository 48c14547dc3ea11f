/* fold.h - what follows from what: one root cause is reported once.
 *
 * Threads: pure. */
#ifndef MG_HEALTH_FOLD_H
#define MG_HEALTH_FOLD_H

#include <jansson.h>

#include "health/finding.h"

/* Gives each CHECK object that is not ok and follows from another bad one of the array the key "root": the id of the farthest. */
void mg_health_fold(json_t *checks);

/* The worst of warn and crit in the array, else ok: what is unknown or muted is no verdict. */
enum mg_check_state mg_health_worst(const json_t *checks);

#endif
