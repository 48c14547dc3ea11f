/* A network is found by trying the client's address under every prefix length: a few dozen look-ups, and none while the table is empty. */
#include "guard/ban.h"

#include <stdio.h>
#include <stdlib.h>

#include "guard/key.h"
#include "mail/address.h"

enum { V4_LEAST = 8, V6_LEAST = 16, READ_ROWS = 64 };

struct row {
	struct mg_row head;
	int64_t since_ns;
	uint32_t kind, unused;
	char what[MG_BAN_WHAT];
	char reason[MG_BAN_REASON];
};

const struct mg_table_shape mg_ban_rows = { "bans", 1, sizeof(struct row) };

static const int64_t SECOND_NS = 1000000000;

static const char *const kinds[MG_BAN_KINDS] = { "client", "user", "sender", "domain" };

const char *mg_ban_kind_name(enum mg_ban_kind kind)
{
	return kinds[kind];
}

/* ---- what people write ---- */

static void write_net(const struct mg_net *net, char *place, size_t size)
{
	char ip[MG_IP_TEXT];
	bool is_whole = net->bits == (net->base.family == MG_IP_V4 ? 32U : 128U);

	mg_ip_text(&net->base, ip, sizeof ip);
	if (is_whole)
		snprintf(place, size, "%s", ip);
	else
		snprintf(place, size, "%s/%u", ip, net->bits);
}

static bool holds_loopback(const struct mg_net *net)
{
	static const struct mg_ip v6 = { .family = MG_IP_V6, .bytes = { [15] = 1 } };

	return mg_ip_is_loopback(&net->base) || mg_net_contains(net, &v6);
}

static enum mg_rc parse_client(struct mg_str text, struct mg_ban *ban, struct mg_err *err)
{
	struct mg_net net;

	if (!mg_net_parse(text, &net))
		return mg_err_set(err, MG_ESYNTAX, "\"%.*s\" is no address or network; write 192.0.2.1 or 192.0.2.0/24",
			MG_STR_ARGS(mg_str_first(text, 100)));
	if (net.bits < (net.base.family == MG_IP_V4 ? (unsigned)V4_LEAST : (unsigned)V6_LEAST))
		return mg_err_set(err, MG_ESYNTAX, "%.*s is too much of the world to be banned; the widest is /%d",
			MG_STR_ARGS(mg_str_first(text, 100)), net.base.family == MG_IP_V4 ? V4_LEAST : V6_LEAST);
	if (holds_loopback(&net))
		return mg_err_set(err, MG_ESYNTAX, "this machine itself can't be banned");
	write_net(&net, ban->what, sizeof ban->what);
	return MG_OK;
}

static bool read_kind(struct mg_str *text, enum mg_ban_kind *kind_out)
{
	for (int kind = 0; kind < MG_BAN_KINDS; kind++) {
		struct mg_str rest = *text;

		if (mg_read_token(&rest, mg_str_z(kinds[kind])) && mg_read_token(&rest, MG_STR(":"))) {
			*text = rest;
			*kind_out = (enum mg_ban_kind)kind;
			return true;
		}
	}
	return false;
}

/* What it is by its looks; KINDS: can't be told. */
static enum mg_ban_kind guess(struct mg_str text)
{
	struct mg_net net;

	if (mg_net_parse(text, &net) || mg_str_find(text, '/') != SIZE_MAX)
		return MG_BAN_CLIENT;
	if (mg_str_find(text, '@') == 0)
		return MG_BAN_DOMAIN;
	if (mg_str_find(text, '@') != SIZE_MAX)
		return MG_BAN_SENDER;
	return mg_str_find(text, '.') != SIZE_MAX ? MG_BAN_DOMAIN : MG_BAN_KINDS;
}

static bool is_plain(struct mg_str text)
{
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] <= ' ' || text.p[i] == 0x7f)
			return false;
	return text.n > 0;
}

static bool is_domain(struct mg_str text)
{
	return mg_str_find(text, '@') == SIZE_MAX && mg_str_find(text, '/') == SIZE_MAX &&
	       mg_str_find(text, ':') == SIZE_MAX;
}

enum mg_rc mg_ban_parse(struct mg_str text, struct mg_ban *ban, struct mg_err *err)
{
	bool is_fine;

	*ban = (struct mg_ban){ .left_s = -1 };
	if (!read_kind(&text, &ban->kind))
		ban->kind = guess(text);
	if (!is_plain(text) || ban->kind == MG_BAN_KINDS)
		return mg_err_set(err, MG_ESYNTAX,
			"write an address, a network, user:NAME, a sender such as x@spam.example, or a domain such as @spam.example");
	if (ban->kind == MG_BAN_CLIENT)
		return parse_client(text, ban, err);
	if (ban->kind == MG_BAN_DOMAIN) {
		mg_read_token(&text, MG_STR("@"));
		is_fine = is_domain(text) && mg_key_domain(text, ban->what, sizeof ban->what);
	} else {
		is_fine = (ban->kind == MG_BAN_LOGIN || mg_str_find(text, '@') != SIZE_MAX) &&
			  mg_key_address(text, ban->what, sizeof ban->what);
	}
	if (!is_fine)
		return mg_err_set(
			err, MG_ESYNTAX, "\"%.*s\" is no %s", MG_STR_ARGS(mg_str_first(text, 100)), kinds[ban->kind]);
	return MG_OK;
}

/* ---- rows ---- */

static uint64_t key_of(const struct mg_state *state, enum mg_ban_kind kind, const char *what)
{
	char space[24];

	snprintf(space, sizeof space, "ban-%s", kinds[kind]);
	return mg_state_key(state, mg_str_z(space), mg_str_z(what));
}

/* A row that is there from the first ban on: until then nobody looks further. */
static uint64_t any_key(const struct mg_state *state)
{
	return mg_state_key(state, MG_STR("ban-any"), MG_STR("*"));
}

static void note_any(struct mg_state *state, struct mg_table *table)
{
	uint64_t key = any_key(state);
	struct mg_table_hold hold;
	struct row *row;

	mg_table_lock(table, &key, 1, &hold);
	row = mg_table_make(table, key, mg_state_now_ns(state));
	row->kind = MG_BAN_KINDS;
	row->head.until_ns = INT64_MAX;
	mg_table_unlock(table, &hold);
}

static bool has_any(struct mg_state *state, struct mg_table *table)
{
	uint64_t key = any_key(state);
	struct mg_table_hold hold;
	bool has;

	mg_table_lock(table, &key, 1, &hold);
	has = mg_table_get(table, key) != NULL;
	mg_table_unlock(table, &hold);
	return has;
}

static void drop_if_expired(struct mg_table *table, uint64_t key, int64_t now_ns)
{
	struct mg_table_hold hold;
	const struct row *row;

	mg_table_lock(table, &key, 1, &hold);
	row = mg_table_get(table, key);
	if (row != NULL && row->head.until_ns <= now_ns)
		mg_table_drop(table, key);
	mg_table_unlock(table, &hold);
}

/* Expired bans lie there until somebody needs their room. */
static void drop_expired(struct mg_table *table, int64_t now_ns)
{
	struct row *rows = calloc(READ_ROWS, sizeof *rows);
	uint64_t cursor = 0;
	size_t n;

	while (rows != NULL && (n = mg_table_read(table, &cursor, rows, READ_ROWS)) > 0)
		for (size_t i = 0; i < n; i++)
			if (rows[i].head.until_ns <= now_ns)
				drop_if_expired(table, rows[i].head.key, now_ns);
	free(rows);
}

static bool is_full(struct mg_table *table, int64_t now_ns)
{
	struct mg_table_stats stats;

	mg_table_stats(table, &stats);
	if (stats.rows <= MG_BANS)
		return false;
	drop_expired(table, now_ns);
	mg_table_stats(table, &stats);
	return stats.rows > MG_BANS;
}

enum mg_rc mg_ban_add(struct mg_state *state, const struct mg_ban *ban, struct mg_err *err)
{
	struct mg_table *table = mg_state_table(state, MG_STATE_BANS);
	uint64_t key = key_of(state, ban->kind, ban->what);
	int64_t now_ns = mg_state_now_ns(state);
	bool has_room = !is_full(table, now_ns);
	struct mg_table_hold hold;
	struct row *row;

	note_any(state, table);
	mg_table_lock(table, &key, 1, &hold);
	row = mg_table_get(table, key);
	if (row == NULL && has_room)
		row = mg_table_make(table, key, now_ns);
	if (row != NULL) {
		row->since_ns = now_ns;
		row->kind = ban->kind;
		mg_str_copy(row->what, sizeof row->what, mg_str_z(ban->what));
		mg_str_copy(row->reason, sizeof row->reason, mg_str_z(ban->reason));
		row->head.until_ns = ban->left_s < 0 ? INT64_MAX : now_ns + ban->left_s * SECOND_NS;
	}
	mg_table_unlock(table, &hold);
	return row != NULL ? MG_OK
			   : mg_err_set(err, MG_EFULL, "%d bans are the most there can be; remove some", MG_BANS);
}

static bool read_row(const struct row *row, int64_t now_ns, struct mg_ban *ban)
{
	if (row->head.until_ns <= now_ns || row->kind >= MG_BAN_KINDS)
		return false;
	*ban = (struct mg_ban){ .kind = (enum mg_ban_kind)row->kind,
		.age_s = (now_ns - row->since_ns) / SECOND_NS,
		.left_s = row->head.until_ns == INT64_MAX ? -1 : (row->head.until_ns - now_ns) / SECOND_NS + 1 };
	mg_str_copy(ban->what, sizeof ban->what, mg_str_first(mg_str_z(row->what), sizeof row->what - 1));
	mg_str_copy(ban->reason, sizeof ban->reason, mg_str_first(mg_str_z(row->reason), sizeof row->reason - 1));
	return true;
}

bool mg_ban_remove(struct mg_state *state, const struct mg_ban *ban)
{
	struct mg_table *table = mg_state_table(state, MG_STATE_BANS);
	uint64_t key = key_of(state, ban->kind, ban->what);
	struct mg_table_hold hold;
	struct mg_ban found;
	struct row *row;
	bool was_there;

	mg_table_lock(table, &key, 1, &hold);
	row = mg_table_get(table, key);
	was_there = row != NULL && read_row(row, mg_state_now_ns(state), &found);
	mg_table_drop(table, key);
	mg_table_unlock(table, &hold);
	return was_there;
}

/* ---- looking ---- */

static bool look(struct mg_state *state, enum mg_ban_kind kind, const char *what, struct mg_ban *ban)
{
	struct mg_table *table = mg_state_table(state, MG_STATE_BANS);
	uint64_t key = key_of(state, kind, what);
	struct mg_table_hold hold;
	const struct row *row;
	bool is_found;

	mg_table_lock(table, &key, 1, &hold);
	row = mg_table_get(table, key);
	is_found = row != NULL && read_row(row, mg_state_now_ns(state), ban);
	mg_table_unlock(table, &hold);
	return is_found;
}

static bool find_client(struct mg_state *state, const struct mg_ip *client, struct mg_ban *ban)
{
	unsigned most = client->family == MG_IP_V4 ? 32 : 128, least = client->family == MG_IP_V4 ? V4_LEAST : V6_LEAST;
	struct mg_net net = { *client, most };
	char what[MG_BAN_WHAT];

	if (client->family == MG_IP_NONE)
		return false;
	for (;;) {
		write_net(&net, what, sizeof what);
		if (look(state, MG_BAN_CLIENT, what, ban))
			return true;
		if (net.bits == least)
			return false;
		net.bits--;
		net.base.bytes[net.bits / 8] &= (unsigned char)~(0x80U >> net.bits % 8);
	}
}

static bool find_domain(struct mg_state *state, struct mg_str domain, struct mg_ban *ban)
{
	char text[MG_BAN_WHAT];
	const char *at = text;

	if (!mg_key_domain(domain, text, sizeof text))
		return false;
	while (at != NULL && *at != '\0') {
		if (look(state, MG_BAN_DOMAIN, at, ban))
			return true;
		at = strchr(at, '.');
		at = at == NULL ? NULL : at + 1;
	}
	return false;
}

bool mg_ban_find(struct mg_state *state, const struct mg_ban_facts *facts, struct mg_ban *ban)
{
	struct mg_table *table = mg_state_table(state, MG_STATE_BANS);
	char text[MG_BAN_WHAT];

	if (table == NULL || !has_any(state, table))
		return false;
	if (find_client(state, &facts->client, ban))
		return true;
	if (facts->user.n > 0 && mg_key_address(facts->user, text, sizeof text) && look(state, MG_BAN_LOGIN, text, ban))
		return true;
	if (facts->sender.n == 0)
		return false;
	return (mg_key_address(facts->sender, text, sizeof text) && look(state, MG_BAN_SENDER, text, ban)) ||
	       find_domain(state, mg_address_domain(facts->sender), ban);
}

void mg_ban_list(struct mg_state *state, bool (*see)(void *context, const struct mg_ban *ban), void *context)
{
	struct mg_table *table = mg_state_table(state, MG_STATE_BANS);
	struct row *rows = calloc(READ_ROWS, sizeof *rows);
	struct mg_ban ban;
	uint64_t cursor = 0;
	bool goes_on = rows != NULL && table != NULL;
	size_t n;

	while (goes_on && (n = mg_table_read(table, &cursor, rows, READ_ROWS)) > 0)
		for (size_t i = 0; goes_on && i < n; i++)
			if (read_row(&rows[i], mg_state_now_ns(state), &ban))
				goes_on = see(context, &ban);
	free(rows);
}
