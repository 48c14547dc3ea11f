#include "guard/greylist.h"

#include <stdio.h>

#include "guard/key.h"

struct row {
	struct mg_row head;
	int64_t first_ns;
};

const struct mg_table_shape mg_greylist_rows = { "greylist", 1, sizeof(struct row) };

static const int64_t SECOND_NS = 1000000000;

void mg_greylist_know(struct mg_seen *seen, const struct mg_ip *client)
{
	char net[MG_KEY_PART];

	if (mg_key_client_net(client, net, sizeof net))
		mg_seen_learn(seen, MG_STR("greylist"), mg_str_z(net), MG_STR(""));
}

/* Since when the pair is known; it is noted where it is not. */
static int64_t first_of(struct mg_state *state, uint64_t key, int64_t now_ns)
{
	struct mg_table *table = mg_state_table(state, MG_STATE_GREYLIST);
	struct mg_table_hold hold;
	struct row *row;
	int64_t first_ns;

	mg_table_lock(table, &key, 1, &hold);
	row = mg_table_make(table, key, now_ns);
	if (row->first_ns == 0 || row->head.until_ns <= now_ns) {
		row->first_ns = now_ns;
		row->head.until_ns = now_ns + MG_GREYLIST_WINDOW_S * SECOND_NS;
	}
	first_ns = row->first_ns;
	mg_table_unlock(table, &hold);
	return first_ns;
}

int64_t mg_greylist_ask(
	struct mg_state *state, struct mg_seen *seen, const struct mg_ip *client, struct mg_str sender, int64_t delay_s)
{
	char net[MG_KEY_PART], address[MG_KEY_PART] = "", pair[2 * MG_KEY_PART + 2];
	int64_t now_ns = mg_state_now_ns(state), left_ns;

	if (mg_state_table(state, MG_STATE_GREYLIST) == NULL || !mg_key_client_net(client, net, sizeof net) ||
		mg_seen_knows(seen, MG_STR("greylist"), mg_str_z(net), MG_STR("")))
		return 0;
	mg_key_address(sender, address, sizeof address);
	snprintf(pair, sizeof pair, "%s %s", net, address);
	left_ns = first_of(state, mg_state_key(state, MG_STR("greylist"), mg_str_z(pair)), now_ns) +
		  delay_s * SECOND_NS - now_ns;
	if (left_ns > 0)
		return left_ns / SECOND_NS + 1;
	mg_greylist_know(seen, client);
	return 0;
}
