#include "guard/account.h"

#include <stddef.h>
#include <stdlib.h>

#include "guard/account_row.h"
#include "guard/key.h"

enum { FORGET_DAYS = 30 };

const struct mg_table_shape mg_account_rows = { "accounts", 1, sizeof(struct mg_account_row) };

static const int64_t SECOND_NS = 1000000000;

/* ---- hours ---- */

void mg_account_tick(struct mg_account_row *row, int64_t now_ns)
{
	int64_t hour = now_ns / MG_HOUR_NS;

	if (row->now.hour == hour)
		return;
	if (row->now.recipients > 0) {
		row->past[row->past_next % MG_ACCOUNT_HOURS] = row->now.recipients;
		row->past_next = (row->past_next + 1) % MG_ACCOUNT_HOURS;
		if (row->past_count < MG_ACCOUNT_HOURS)
			row->past_count++;
	}
	row->before = row->now;
	row->now = (struct mg_account_hour){ .hour = hour };
	row->outcomes = (struct mg_account_outcomes){ 0 }; /* the record tells them anew while they are true */
}

uint32_t mg_account_hourly(const struct mg_account_row *row, size_t member, int64_t now_ns)
{
	uint32_t now = *(const uint32_t *)(const void *)((const char *)&row->now + member);
	uint32_t before = *(const uint32_t *)(const void *)((const char *)&row->before + member);
	int64_t left_ns = MG_HOUR_NS - now_ns % MG_HOUR_NS;

	int64_t hour = now_ns / MG_HOUR_NS;

	if (row->before.hour != row->now.hour - 1)
		before = 0;
	if (row->now.hour != hour) { /* nothing has happened in this hour */
		before = row->now.hour == hour - 1 ? now : 0;
		now = 0;
	}
	return now + (uint32_t)((double)before * ((double)left_ns / (double)MG_HOUR_NS));
}

/* ---- networks ---- */

/* /16 and /32: what a provider's customer stays in, mostly. */
static uint64_t net_of(const struct mg_state *state, const struct mg_ip *client)
{
	if (client->family == MG_IP_NONE)
		return 0;
	return mg_state_key(state, MG_STR("account-net"), mg_str_of(client->bytes, client->family == MG_IP_V4 ? 2 : 4));
}

/* Its place; where there is none, that of the network longest unused, but not of its own ones while others are there. */
static struct mg_account_net *place_of(struct mg_account_row *row, uint64_t net, int64_t now_ns)
{
	struct mg_account_net *place = NULL;

	for (size_t i = 0; i < MG_ACCOUNT_NETS; i++) {
		struct mg_account_net *one = &row->net[i];

		if (one->net == net)
			return one;
		if (place == NULL || mg_account_owns(one, now_ns) < mg_account_owns(place, now_ns) ||
			(mg_account_owns(one, now_ns) == mg_account_owns(place, now_ns) &&
				one->last_ns < place->last_ns))
			place = one;
	}
	*place = (struct mg_account_net){ net, now_ns, now_ns };
	return place;
}

static bool is_own_net(const struct mg_account_row *row, uint64_t net, int64_t now_ns)
{
	for (size_t i = 0; i < MG_ACCOUNT_NETS; i++)
		if (row->net[i].net == net)
			return mg_account_owns(&row->net[i], now_ns);
	return false;
}

/* ---- rows ---- */

struct held {
	struct mg_table *table;
	struct mg_table_hold hold;
	struct mg_account_row *row; /* NULL: no such login */
	int64_t now_ns;
};

static uint64_t key_of(const struct mg_state *state, struct mg_str login, char *place)
{
	return mg_key_address(login, place, MG_KEY_PART) ? mg_state_key(state, MG_STR("account"), mg_str_z(place)) : 0;
}

/* Locks the login's row; false: there is no login, or (unless it is to be made) no row. */
static bool take(struct held *held, struct mg_state *state, struct mg_str login, bool is_made)
{
	char text[MG_KEY_PART];
	uint64_t key = key_of(state, login, text);

	held->table = mg_state_table(state, MG_STATE_ACCOUNTS);
	if (key == 0 || held->table == NULL)
		return false;
	held->now_ns = mg_state_now_ns(state);
	mg_table_lock(held->table, &key, 1, &held->hold);
	held->row = is_made ? mg_table_make(held->table, key, held->now_ns) : mg_table_get(held->table, key);
	if (held->row == NULL) {
		mg_table_unlock(held->table, &held->hold);
		return false;
	}
	if (held->row->first_ns == 0) {
		held->row->first_ns = held->now_ns;
		mg_str_copy(held->row->login, sizeof held->row->login, mg_str_z(text));
	}
	if (is_made)
		held->row->head.until_ns = held->now_ns + FORGET_DAYS * 24 * MG_HOUR_NS;
	mg_account_tick(held->row, held->now_ns);
	return true;
}

static void let_go(struct held *held)
{
	mg_table_unlock(held->table, &held->hold);
}

/* ---- what happens ---- */

void mg_account_login(struct mg_state *state, struct mg_str login, const struct mg_ip *client)
{
	uint64_t net = net_of(state, client);
	struct mg_account_net *place;
	struct held held;

	if (net == 0 || mg_ip_is_loopback(client) || !take(&held, state, login, true))
		return; /* webmail on this machine says nothing of where its users are */
	place = place_of(held.row, net, held.now_ns);
	place->last_ns = held.now_ns;
	mg_account_judge_login(held.row, place, held.now_ns);
	mg_account_judge(held.row, held.now_ns);
	let_go(&held);
}

/* A login that never succeeded is nobody's account: guessing of names must not push real ones out. */
void mg_account_failure(struct mg_state *state, struct mg_str login, const struct mg_ip *client)
{
	struct held held;

	if (!take(&held, state, login, false))
		return;
	if (is_own_net(held.row, net_of(state, client), held.now_ns))
		held.row->now.failures_own++;
	else
		held.row->now.failures_other++;
	let_go(&held);
}

void mg_account_recipient(struct mg_state *state, struct mg_str login, bool is_fresh, bool is_invalid)
{
	struct held held;

	if (!take(&held, state, login, true))
		return;
	if (is_invalid) {
		held.row->now.invalid++;
	} else {
		held.row->now.recipients++;
		held.row->now.fresh += is_fresh;
	}
	mg_account_judge(held.row, held.now_ns);
	let_go(&held);
}

void mg_account_message(struct mg_state *state, struct mg_str login, bool is_foreign_from)
{
	struct held held;

	if (!take(&held, state, login, true))
		return;
	held.row->now.messages++;
	held.row->now.foreign_from += is_foreign_from;
	mg_account_judge(held.row, held.now_ns);
	let_go(&held);
}

void mg_account_outcomes(struct mg_state *state, struct mg_str login, const struct mg_account_outcomes *outcomes)
{
	struct held held;

	if (!take(&held, state, login, false))
		return;
	if (held.row->pardoned_ns == 0 || held.now_ns - held.row->pardoned_ns > 24 * MG_HOUR_NS) {
		held.row->outcomes = *outcomes;
		mg_account_judge(held.row, held.now_ns);
	}
	let_go(&held);
}

/* ---- how it stands ---- */

static const char *const rungs[] = { "fine", "notify", "tempfail", "hold" };

const char *mg_account_rung_name(enum mg_account_rung rung)
{
	return rungs[rung];
}

static enum mg_account_rung rung_of(const struct mg_conf *conf, unsigned score)
{
	if (conf->abuse.action == MG_ABUSE_OFF || score == 0 || score + 1 < conf->abuse.score)
		return MG_ACCOUNT_FINE;
	if (score < conf->abuse.score || conf->abuse.action == MG_ABUSE_NOTIFY)
		return MG_ACCOUNT_NOTIFY;
	return conf->abuse.action == MG_ABUSE_HOLD ? MG_ACCOUNT_HOLD : MG_ACCOUNT_TEMPFAIL;
}

static int by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* It ends when so many signs have expired that too few are left for this rung. */
static int64_t ends_of(const struct mg_account_view *view, const struct mg_conf *conf)
{
	int64_t expiry[MG_SIGNS];
	size_t count = 0;
	unsigned needed = (unsigned)conf->abuse.score - (view->rung == MG_ACCOUNT_NOTIFY && conf->abuse.score > 1);

	for (int sign = 0; sign < MG_SIGNS; sign++)
		if (view->is_raised[sign])
			expiry[count++] = view->expires_s[sign];
	if (view->rung == MG_ACCOUNT_FINE || needed == 0 || count < needed)
		return 0;
	qsort(expiry, count, sizeof expiry[0], by_time);
	return expiry[count - needed];
}

static void see_row(
	const struct mg_account_row *row, const struct mg_conf *conf, int64_t now_ns, struct mg_account_view *view)
{
	int64_t lasts_ns = (int64_t)conf->abuse.expire_s * SECOND_NS;

	*view = (struct mg_account_view){ .messages = mg_account_hourly(
						  row, offsetof(struct mg_account_hour, messages), now_ns) };
	mg_str_copy(view->login, sizeof view->login, mg_str_first(mg_str_z(row->login), sizeof row->login - 1));
	for (int sign = 0; sign < MG_SIGNS; sign++) {
		int64_t age_ns = now_ns - row->raised_ns[sign];

		if (row->raised_ns[sign] == 0 || age_ns >= lasts_ns)
			continue;
		view->is_raised[sign] = true;
		view->number[sign] = row->number[sign];
		view->since_s[sign] = age_ns / SECOND_NS;
		view->expires_s[sign] = (lasts_ns - age_ns) / SECOND_NS + 1;
		view->score++;
	}
	view->rung = rung_of(conf, view->score);
	view->ends_s = ends_of(view, conf);
	view->recipients = mg_account_hourly(row, offsetof(struct mg_account_hour, recipients), now_ns);
	view->failures_own = mg_account_hourly(row, offsetof(struct mg_account_hour, failures_own), now_ns);
	view->failures_other = mg_account_hourly(row, offsetof(struct mg_account_hour, failures_other), now_ns);
	for (size_t i = 0; i < MG_ACCOUNT_NETS; i++)
		view->networks += row->net[i].net != 0 && now_ns - row->net[i].last_ns <= MG_HOUR_NS;
}

bool mg_account_look(
	struct mg_state *state, const struct mg_conf *conf, struct mg_str login, struct mg_account_view *view_out)
{
	struct held held;

	if (!take(&held, state, login, false))
		return false;
	see_row(held.row, conf, held.now_ns, view_out);
	let_go(&held);
	return true;
}

struct listing {
	const struct mg_conf *conf;
	int64_t now_ns;
	struct mg_account_view *view;
	size_t count;
};

enum { LIST_MAX = 1000 };

static bool collect(void *context, void *row)
{
	struct listing *listing = context;
	struct mg_account_view *view = &listing->view[listing->count];

	see_row(row, listing->conf, listing->now_ns, view);
	listing->count += view->rung != MG_ACCOUNT_FINE;
	return listing->count < LIST_MAX;
}

void mg_account_list(struct mg_state *state, const struct mg_conf *conf,
	bool (*see)(void *context, const struct mg_account_view *view), void *context)
{
	struct listing listing = { conf, mg_state_now_ns(state), calloc(LIST_MAX, sizeof *listing.view), 0 };
	struct mg_table *table = mg_state_table(state, MG_STATE_ACCOUNTS);

	if (listing.view == NULL || table == NULL) {
		free(listing.view);
		return;
	}
	mg_table_walk(table, collect, &listing);
	for (size_t i = 0; i < listing.count && see(context, &listing.view[i]); i++)
		;
	free(listing.view);
}

bool mg_account_pardon(struct mg_state *state, struct mg_str login)
{
	struct held held;

	if (!take(&held, state, login, false))
		return false;
	for (int sign = 0; sign < MG_SIGNS; sign++)
		held.row->raised_ns[sign] = 0;
	for (size_t i = 0; i < MG_ACCOUNT_NETS; i++)
		held.row->net[i].first_ns -= held.row->net[i].net == 0 ? 0 : 24 * MG_HOUR_NS;
	held.row->now = held.row->before = (struct mg_account_hour){ .hour = held.now_ns / MG_HOUR_NS };
	held.row->before.hour--;
	held.row->outcomes = (struct mg_account_outcomes){ 0 };
	held.row->pardoned_ns = held.now_ns;
	let_go(&held);
	return true;
}
