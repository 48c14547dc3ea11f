/* machine_kit.h - one machine that has its limits in a shared store: its own memory, its own client.
 *
 * The kit ends the program with a sentence where nothing comes for long. */
#ifndef MG_TESTS_MACHINE_KIT_H
#define MG_TESTS_MACHINE_KIT_H

#include "guard/redis_store.h"

enum { MACHINE_PATIENT_MS = 20000 }; /* for tests of what the server answers, on machines that are slow */

struct machine {
	struct mg_state *state;
	void *memory;
	size_t bytes;
	struct mg_redis_store *redis;
	struct mg_limit_store store;
};

void machine_begin(struct machine *machine, const char *url, const char *password_file, unsigned patience_ms);
void machine_end(struct machine *machine);

/* Waits for the answer; true: granted. */
bool machine_decide(struct machine *machine, struct mg_charge *charge);
/* One hard item; waits until the server, not this machine, has decided it. */
bool machine_spend(struct machine *machine, const struct mg_charge_item *item);
/* What the server has in the level. */
uint64_t machine_used(struct machine *machine, const struct mg_charge_item *item);

/* Of the limit "NAME": `limit` in a year, all at once. */
struct mg_charge_item machine_item(const char *name, const char *key, uint64_t limit, uint64_t cost);

struct mg_redis_stats machine_stats(struct machine *machine);
void machine_wait(struct machine *machine, bool is_open); /* until the server decides, or no longer does */
bool machine_has_time(int64_t *limit_us, const char *what);
/* Waits for what has no event. */
#define MACHINE_UNTIL(condition)                                                                                       \
	for (int64_t limit_us_ = 0; !(condition) && machine_has_time(&limit_us_, #condition);)                         \
	machine_pause()
void machine_pause(void); /* between two looks at what can't be waited for */

#endif
