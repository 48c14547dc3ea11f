/* A head that says how the memory is laid out, then the tables. The head is compared byte for byte with what the plan would
 * make, so that a state is taken over only where every offset is the same. */
#include "guard/state_memory.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/hash.h"

enum { LAYOUT = 1, LINE = 64 };
static const uint64_t MAGIC = 0x6d67207374617465; /* "mg state" */
static const int64_t BIRTH_NS = 1000000000;

static const struct mg_state_clock machine_clock = { mg_mono_us, mg_wall_us };

static uint64_t in_lines(uint64_t bytes)
{
	return (bytes + LINE - 1) / LINE * LINE;
}

static struct mg_state_memory head_of(const struct mg_state_plan *plan)
{
	struct mg_state_memory head = { .magic = MAGIC, .layout = LAYOUT, .tables = MG_STATE_TABLES };
	uint64_t at = in_lines(sizeof head);

	for (int i = 0; i < MG_STATE_TABLES; i++) {
		const struct mg_table_shape *shape = plan->shape[i];
		struct mg_state_part *part = &head.part[i];

		if (shape == NULL)
			continue;
		(void)mg_str_copy(part->name, sizeof part->name, mg_str_z(shape->name));
		part->version = shape->version;
		part->row_bytes = shape->row_bytes;
		part->rows = plan->rows[i];
		part->at = at;
		at += in_lines(mg_table_bytes(shape, plan->rows[i]));
	}
	head.bytes = at;
	return head;
}

size_t mg_state_bytes(const struct mg_state_plan *plan)
{
	return (size_t)head_of(plan).bytes;
}

static bool open_tables(struct mg_state *state, const struct mg_state_plan *plan, bool is_new)
{
	for (int i = 0; i < MG_STATE_TABLES; i++)
		if (plan->shape[i] != NULL && !mg_table_open(&state->table[i], plan->shape[i], plan->rows[i],
						      (char *)state->memory + state->memory->part[i].at, is_new))
			return false;
	return true;
}

static enum mg_rc lay_out(struct mg_state *state, const struct mg_state_plan *plan, struct mg_err *err)
{
	struct mg_state_memory *memory = state->memory;

	*memory = head_of(plan);
	memory->magic = 0;
	if (getrandom(memory->key, sizeof memory->key, 0) != (ssize_t)sizeof memory->key)
		return mg_err_sys(err, MG_EIO, errno, "no random key for the guards' memory");
	atomic_store(&memory->lead_ns, BIRTH_NS - state->clock->mono_us() * 1000);
	(void)open_tables(state, plan, true);
	atomic_signal_fence(memory_order_seq_cst);
	memory->magic = MAGIC;
	return MG_OK;
}

static enum mg_rc take_over(struct mg_state *state, const struct mg_state_plan *plan, size_t bytes, struct mg_err *err)
{
	struct mg_state_memory head = head_of(plan);

	if (bytes != head.bytes || memcmp(state->memory, &head, offsetof(struct mg_state_memory, key)) != 0 ||
		!open_tables(state, plan, false))
		return mg_err_set(err, MG_ESYNTAX, "the guards' memory is of another layout");
	return MG_OK;
}

enum mg_rc mg_state_open(const struct mg_state_plan *plan, void *memory, size_t bytes, bool is_new,
	struct mg_state **state_out, struct mg_err *err)
{
	struct mg_state *state = calloc(1, sizeof *state);
	enum mg_rc rc;

	if (state == NULL)
		return mg_err_set(err, MG_ENOMEM, "no memory for the guards' state");
	mg_assert(bytes >= sizeof *state->memory);
	state->memory = memory;
	state->clock = plan->clock == NULL ? &machine_clock : plan->clock;
	rc = is_new ? lay_out(state, plan, err) : take_over(state, plan, bytes, err);
	if (rc != MG_OK)
		mg_state_close(&state);
	*state_out = state;
	return rc;
}

void mg_state_close(struct mg_state **state)
{
	free(*state);
	*state = NULL;
}

struct mg_table *mg_state_table(struct mg_state *state, enum mg_state_table which)
{
	return &state->table[which];
}

int64_t mg_state_now_ns(const struct mg_state *state)
{
	return state->clock->mono_us() * 1000 + atomic_load_explicit(&state->memory->lead_ns, memory_order_relaxed);
}

uint64_t mg_state_key(const struct mg_state *state, struct mg_str space, struct mg_str text)
{
	uint64_t own[2] = { mg_hash_under(state->memory->key, space), state->memory->key[1] }, key;

	own[1] ^= own[0];
	key = mg_hash_under(own, text);
	return key == 0 ? 1 : key;
}
