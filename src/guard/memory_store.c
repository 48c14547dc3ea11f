/* A decision first plans on copies of the levels, then, if nothing speaks against it, writes them; all under the locks of all
 * its keys. A row is written so that whoever dies in between has drained a level too much rather than too little. */
#include "guard/memory_store.h"

#include <stdatomic.h>

enum { TEXT = 96, LIST_ROWS = 256 };

struct row {
	struct mg_row head;
	struct mg_bucket_level level;
	char text[TEXT]; /* limit, NUL, key; the key's end is cut with "~" */
};

const struct mg_table_shape mg_limit_rows = { "limits", 1, sizeof(struct row) };

struct plan {
	struct mg_bucket_level before, after;
};

static struct mg_table *table_of(struct mg_state *state)
{
	return mg_state_table(state, MG_STATE_LIMITS);
}

static uint64_t key_of(const struct mg_state *state, const struct mg_charge_item *item)
{
	return mg_state_key(state, mg_str_z(item->limit), mg_str_z(item->key));
}

static void write_text(char place[TEXT], const struct mg_charge_item *item)
{
	size_t at = strlen(item->limit) + 1;

	(void)mg_str_copy(place, TEXT, mg_str_z(item->limit));
	if (mg_str_copy(place + at, TEXT - at, mg_str_z(item->key)))
		return;
	for (at = TEXT - 2; ((unsigned char)place[at] & 0xc0) == 0x80; at--)
		place[at] = '\0'; /* no half of a character */
	memcpy(place + at, "~", 2);
}

static int64_t after_ns(int64_t at_ns, int64_t ns)
{
	return ns > INT64_MAX - at_ns ? INT64_MAX : at_ns + ns;
}

/* From now on; a level is drained up to shortly before. */
static int64_t wait_of(
	const struct mg_bucket_level *level, const struct mg_bucket *bucket, uint64_t cost, int64_t now_ns)
{
	int64_t wait_ns = mg_level_wait_ns(level, bucket, cost);

	return wait_ns == 0 || wait_ns == INT64_MAX ? wait_ns : after_ns(level->at_ns, wait_ns) - now_ns;
}

/* The level now, drained; empty where there is none. */
static struct mg_bucket_level read_level(
	struct mg_table *table, uint64_t key, const struct mg_bucket *bucket, int64_t now_ns)
{
	const struct row *row = mg_table_get(table, key);
	struct mg_bucket_level level = { 0, now_ns };

	if (row != NULL)
		level = row->level;
	if (level.at_ns < 0 || level.at_ns > now_ns)
		level.at_ns = now_ns; /* no moment of ours: nobody is locked out by it */
	mg_level_drain(&level, bucket, now_ns);
	return level;
}

static void write_level(struct mg_table *table, uint64_t key, const struct mg_charge_item *item,
	const struct mg_bucket_level *level, int64_t now_ns)
{
	struct row *row;

	if (level->used_fp == 0) {
		mg_table_drop(table, key);
		return;
	}
	row = mg_table_make(table, key, now_ns);
	if (row->head.until_ns == 0) /* new, or never finished */
		write_text(row->text, item);
	row->level.used_fp = level->used_fp;
	atomic_signal_fence(memory_order_seq_cst);
	row->level.at_ns = level->at_ns;
	row->head.until_ns = after_ns(level->at_ns, mg_level_empty_ns(level, &item->bucket));
}

static bool must_fit(enum mg_charge_mode mode)
{
	return mode == MG_CHARGE_HARD || mode == MG_CHARGE_LOOK;
}

static bool is_to_charge(const struct mg_charge_item *item)
{
	return item->mode == MG_CHARGE_FORCED ||
	       ((item->mode == MG_CHARGE_HARD || item->mode == MG_CHARGE_SOFT) && !item->is_over);
}

/* Plans item `at`; an earlier item with the same key has its cost in the level already. */
static void plan_item(struct mg_table *table, struct mg_charge *charge, const uint64_t *keys, struct plan *plans,
	size_t at, int64_t now_ns)
{
	struct mg_charge_item *item = &charge->item[at];
	struct plan *plan = &plans[at];
	size_t same = at;

	while (same > 0 && keys[same - 1] != keys[at])
		same--;
	plan->before = read_level(table, keys[at], &item->bucket, now_ns);
	plan->after = same > 0 ? plans[same - 1].after : plan->before;
	item->wait_ns = wait_of(&plan->after, &item->bucket, item->cost, now_ns);
	item->is_over = item->wait_ns > 0;
	item->is_charged = is_to_charge(item);
	if (item->is_charged)
		mg_level_add(&plan->after, &item->bucket, item->cost);
	charge->is_refused = charge->is_refused || (item->is_over && must_fit(item->mode));
}

static void carry_out(struct mg_table *table, struct mg_charge *charge, const uint64_t *keys, const struct plan *plans,
	int64_t now_ns)
{
	for (size_t i = 0; i < charge->count; i++) {
		struct mg_charge_item *item = &charge->item[i];

		item->is_charged = item->is_charged && !charge->is_refused;
		if (item->is_charged)
			write_level(table, keys[i], item, &plans[i].after, now_ns);
		item->used = mg_level_used(charge->is_refused ? &plans[i].before : &plans[i].after);
	}
}

/* is_local is not touched: it is for who falls back on this store to say. */
static bool decide(void *context, struct mg_charge *charge)
{
	struct mg_state *state = context;
	struct mg_table *table = table_of(state);
	struct mg_table_hold hold;
	struct plan plans[MG_CHARGE_ITEMS];
	uint64_t keys[MG_CHARGE_ITEMS];
	int64_t now_ns;

	mg_assert(charge->count <= MG_CHARGE_ITEMS);
	for (size_t i = 0; i < charge->count; i++)
		keys[i] = key_of(state, &charge->item[i]);
	charge->is_refused = false;
	mg_table_lock(table, keys, charge->count, &hold);
	now_ns = mg_state_now_ns(state);
	for (size_t i = 0; i < charge->count; i++)
		plan_item(table, charge, keys, plans, i, now_ns);
	carry_out(table, charge, keys, plans, now_ns);
	mg_table_unlock(table, &hold);
	atomic_store(&charge->is_decided, true);
	return true;
}

/* Everything was decided when decide() returned. */
static void abandon(void *context, struct mg_charge *charge)
{
	(void)context;
	(void)charge;
}

static void refund_one(struct mg_state *state, const struct mg_charge_item *item)
{
	struct mg_table *table = table_of(state);
	uint64_t key = key_of(state, item);
	struct mg_table_hold hold;
	struct mg_bucket_level level;
	int64_t now_ns;

	mg_table_lock(table, &key, 1, &hold);
	now_ns = mg_state_now_ns(state);
	level = read_level(table, key, &item->bucket, now_ns);
	mg_level_remove(&level, item->cost);
	write_level(table, key, item, &level, now_ns);
	mg_table_unlock(table, &hold);
}

static void refund(void *context, const struct mg_charge_item *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		refund_one(context, &items[i]);
}

static bool look(void *context, struct mg_charge_item *item)
{
	struct mg_state *state = context;
	struct mg_table *table = table_of(state);
	uint64_t key = key_of(state, item);
	struct mg_table_hold hold;
	struct mg_bucket_level level;
	int64_t now_ns = mg_state_now_ns(state);

	mg_table_lock(table, &key, 1, &hold);
	level = read_level(table, key, &item->bucket, now_ns);
	mg_table_unlock(table, &hold);
	item->used = mg_level_used(&level);
	item->wait_ns = wait_of(&level, &item->bucket, 1, now_ns);
	item->is_over = item->wait_ns > 0;
	return item->used > 0;
}

static void reset(void *context, const struct mg_charge_item *item)
{
	struct mg_state *state = context;
	uint64_t key = key_of(state, item);
	struct mg_table_hold hold;

	mg_table_lock(table_of(state), &key, 1, &hold);
	mg_table_drop(table_of(state), key);
	mg_table_unlock(table_of(state), &hold);
}

void mg_memory_store(struct mg_state *state, struct mg_limit_store *store_out)
{
	*store_out = (struct mg_limit_store){ state, decide, abandon, refund, look, reset };
}

void mg_memory_store_learn(struct mg_state *state, const struct mg_charge_item *item)
{
	struct mg_table *table = table_of(state);
	uint64_t key = key_of(state, item);
	struct mg_table_hold hold;
	struct mg_bucket_level level = { 0 };

	mg_table_lock(table, &key, 1, &hold);
	level.at_ns = mg_state_now_ns(state);
	mg_level_add(&level, &item->bucket, item->used);
	write_level(table, key, item, &level, level.at_ns);
	mg_table_unlock(table, &hold);
}

/* What is left of `row` at `now_ns`: levels drain evenly, from all at at_ns to nothing at until_ns. */
static bool line_of(const struct row *row, int64_t now_ns, struct mg_limit_line *line_out)
{
	struct mg_str text = mg_str_of(row->text, sizeof row->text), limit = mg_str_cut(&text, '\0');
	double whole_ns = (double)row->head.until_ns - (double)row->level.at_ns;
	double left_ns = (double)row->head.until_ns - (double)now_ns;
	struct mg_bucket_level level = row->level;

	if (left_ns <= 0 || whole_ns <= 0)
		return false;
	if (left_ns < whole_ns)
		level.used_fp = (uint64_t)((double)level.used_fp * (left_ns / whole_ns));
	line_out->used = mg_level_used(&level);
	line_out->until_ns = row->head.until_ns;
	(void)mg_str_copy(line_out->limit, sizeof line_out->limit, limit);
	(void)mg_str_copy(line_out->key, sizeof line_out->key, mg_str_cut(&text, '\0'));
	return line_out->used > 0;
}

void mg_memory_store_list(
	struct mg_state *state, bool (*see)(void *context, const struct mg_limit_line *line), void *context)
{
	struct row rows[LIST_ROWS];
	struct mg_limit_line line;
	uint64_t cursor = 0;
	size_t n;

	while ((n = mg_table_read(table_of(state), &cursor, rows, LIST_ROWS)) > 0)
		for (size_t i = 0; i < n; i++)
			if (line_of(&rows[i], mg_state_now_ns(state), &line) && !see(context, &line))
				return;
}
