#include "guard_kit.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "guard/memory_store.h"
#include "guard/seen.h"

static _Atomic int64_t mono_us, wall_us;
static void *last_memory;
static size_t last_bytes;

static const struct mg_table_shape other_rows = { "other", 3, 24 };

void kit_mono_is(int64_t ns)
{
	atomic_store(&mono_us, ns / 1000);
}

void kit_wall_is(int64_t us)
{
	atomic_store(&wall_us, us);
}

static int64_t mono(void)
{
	return atomic_load(&mono_us);
}

static int64_t wall(void)
{
	return atomic_load(&wall_us);
}

struct mg_state_plan kit_plan(size_t rows)
{
	static const struct mg_state_clock clock = { mono, wall };

	return (struct mg_state_plan){
		.shape = { [MG_STATE_LIMITS] = &mg_limit_rows,
			[MG_STATE_SEEN] = &mg_seen_rows,
			[MG_STATE_BANS] = &other_rows },
		.rows = { [MG_STATE_LIMITS] = rows, [MG_STATE_SEEN] = rows, [MG_STATE_BANS] = rows },
		.clock = &clock,
	};
}

struct mg_state *kit_open(const struct mg_state_plan *plan)
{
	struct mg_state *state = NULL;

	last_bytes = mg_state_bytes(plan);
	last_memory = mmap(NULL, last_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (last_memory == MAP_FAILED || mg_state_open(plan, last_memory, last_bytes, true, &state, NULL) != MG_OK) {
		fprintf(stderr, "no state of %zu bytes\n", last_bytes);
		abort();
	}
	return state;
}

void *kit_memory(void)
{
	return last_memory;
}

void kit_close(struct mg_state **state)
{
	mg_state_close(state);
	munmap(last_memory, last_bytes);
}

struct mg_charge_item kit_item(
	const char *name, const char *key, uint64_t limit, uint64_t burst, enum mg_charge_mode mode, uint64_t cost)
{
	struct mg_charge_item item = { .bucket = { limit, burst, 1 }, .cost = cost, .mode = mode };

	(void)mg_str_copy(item.limit, sizeof item.limit, mg_str_z(name));
	(void)mg_str_copy(item.key, sizeof item.key, mg_str_z(key));
	return item;
}
