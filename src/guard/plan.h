/* plan.h - which tables the guards keep, and how large.
 *
 * Threads: pure. */
#ifndef MG_GUARD_PLAN_H
#define MG_GUARD_PLAN_H

#include "guard/state.h"

struct mg_state_plan mg_guard_plan(size_t max_keys);

#endif
