/* A pair is a row that says only how long it is to be known. */
#include "guard/seen.h"

const struct mg_table_shape mg_seen_rows = { "seen", 1, sizeof(struct mg_row) };

static const int64_t DAY_NS = INT64_C(86400) * 1000000000;

static uint64_t key_of(const struct mg_seen *seen, struct mg_str kind, struct mg_str who, struct mg_str whom)
{
	uint64_t pair[2] = { mg_state_key(seen->state, kind, who), mg_state_key(seen->state, kind, whom) };

	return mg_state_key(seen->state, MG_STR("seen"), mg_str_of(pair, sizeof pair));
}

bool mg_seen_knows(struct mg_seen *seen, struct mg_str kind, struct mg_str who, struct mg_str whom)
{
	struct mg_table *table = mg_state_table(seen->state, MG_STATE_SEEN);
	uint64_t key = key_of(seen, kind, who, whom);
	const struct mg_row *row;
	struct mg_table_hold hold;
	bool is_known;

	mg_table_lock(table, &key, 1, &hold);
	row = mg_table_get(table, key);
	is_known = row != NULL && row->until_ns > mg_state_now_ns(seen->state);
	mg_table_unlock(table, &hold);
	return is_known;
}

void mg_seen_learn(struct mg_seen *seen, struct mg_str kind, struct mg_str who, struct mg_str whom)
{
	struct mg_table *table = mg_state_table(seen->state, MG_STATE_SEEN);
	uint64_t key = key_of(seen, kind, who, whom);
	int64_t now_ns = mg_state_now_ns(seen->state);
	struct mg_row *row;
	struct mg_table_hold hold;

	mg_table_lock(table, &key, 1, &hold);
	row = mg_table_make(table, key, now_ns);
	row->until_ns = now_ns + MG_SEEN_DAYS * DAY_NS;
	mg_table_unlock(table, &hold);
}
