/* guard_kit.h - a guards' memory for tests, whose time stands still until the test moves it. */
#ifndef MG_TESTS_GUARD_KIT_H
#define MG_TESTS_GUARD_KIT_H

#include "guard/charge.h"
#include "guard/state.h"

#define KIT_S INT64_C(1000000000) /* ns */

/* Both clocks of every state the kit opens; from any thread. */
void kit_mono_is(int64_t ns); /* since the first state was opened: whole microseconds */
void kit_wall_is(int64_t us);

/* Limits, seen pairs and one table more, of `rows` each. */
struct mg_state_plan kit_plan(size_t rows);

/* Over new shared memory; gone with kit_close(). */
struct mg_state *kit_open(const struct mg_state_plan *plan);
void *kit_memory(void); /* of the last kit_open() */
void kit_close(struct mg_state **state);

/* An item of the limit "NAME"; the bucket is `limit` a second, `burst` at once. */
struct mg_charge_item kit_item(
	const char *name, const char *key, uint64_t limit, uint64_t burst, enum mg_charge_mode mode, uint64_t cost);

#endif
