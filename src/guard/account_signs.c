/* One row a sign: whether its threshold is reached, and the number that says so. */
#include <stddef.h>
#include <stdlib.h>

#include "base/i18n.h"
#include "guard/account_row.h"

enum {
	NETWORKS = 4,
	STRANGE_NETWORKS = 2,
	FRESH = 30,
	FRESH_AFTER_HOURS = 72,
	RECIPIENTS = 50,
	FOREIGN_FROM = 3,
	VOLUME = 100,
	VOLUME_TIMES = 10,
	VOLUME_HISTORY = 5,
	FAILURES = 10,
	OWN_AFTER_HOURS = 24,
};

#define HOURLY(row, member, now_ns) mg_account_hourly(row, offsetof(struct mg_account_hour, member), now_ns)

bool mg_account_owns(const struct mg_account_net *net, int64_t now_ns)
{
	return net->net != 0 && now_ns - net->first_ns >= OWN_AFTER_HOURS * MG_HOUR_NS;
}

static uint32_t networks(const struct mg_account_row *row, int64_t now_ns)
{
	uint32_t all = 0, strange = 0;

	for (size_t i = 0; i < MG_ACCOUNT_NETS; i++)
		if (row->net[i].net != 0 && now_ns - row->net[i].last_ns <= MG_HOUR_NS) {
			all++;
			strange += !mg_account_owns(&row->net[i], now_ns);
		}
	return all >= NETWORKS && strange >= STRANGE_NETWORKS ? all : 0;
}

static uint32_t fresh(const struct mg_account_row *row, int64_t now_ns)
{
	uint32_t count = HOURLY(row, fresh, now_ns);

	if (now_ns - row->first_ns < FRESH_AFTER_HOURS * MG_HOUR_NS)
		return 0;
	return count >= FRESH && 5 * (uint64_t)count >= 4 * (uint64_t)HOURLY(row, recipients, now_ns) ? count : 0;
}

static uint32_t invalid(const struct mg_account_row *row, int64_t now_ns)
{
	uint32_t refused = HOURLY(row, invalid, now_ns), tried = HOURLY(row, recipients, now_ns) + refused;
	const struct mg_account_outcomes *outcomes = &row->outcomes;

	if (tried >= RECIPIENTS && 5 * (uint64_t)refused >= tried)
		return refused;
	return outcomes->recipients >= RECIPIENTS && 5 * (uint64_t)outcomes->invalid >= outcomes->recipients
		       ? outcomes->invalid
		       : 0;
}

static uint32_t undelivered(const struct mg_account_row *row, int64_t now_ns)
{
	const struct mg_account_outcomes *outcomes = &row->outcomes;

	(void)now_ns;
	return outcomes->recipients >= RECIPIENTS && 3 * (uint64_t)outcomes->undelivered >= outcomes->recipients
		       ? outcomes->undelivered
		       : 0;
}

static uint32_t foreign_from(const struct mg_account_row *row, int64_t now_ns)
{
	uint32_t count = HOURLY(row, foreign_from, now_ns);

	return count >= FOREIGN_FROM ? count : 0;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static uint32_t volume(const struct mg_account_row *row, int64_t now_ns)
{
	uint32_t count = HOURLY(row, recipients, now_ns), sorted[MG_ACCOUNT_HOURS];
	size_t hours = row->past_count;

	if (count < VOLUME || hours < VOLUME_HISTORY || hours > MG_ACCOUNT_HOURS)
		return 0;
	for (size_t i = 0; i < hours; i++)
		sorted[i] = row->past[i];
	qsort(sorted, hours, sizeof sorted[0], by_number);
	return count >= VOLUME_TIMES * (uint64_t)sorted[hours / 2] ? count : 0;
}

static const struct {
	const char *name, *sentence;
	uint32_t (*number)(
		const struct mg_account_row *row, int64_t now_ns); /* 0: not reached; NULL: raised by a login */
} signs[MG_SIGNS] = {
	[MG_SIGN_NETWORKS] = { "networks", N_("it sent from %1 networks within an hour, some of them new"), networks },
	[MG_SIGN_FRESH] = { "fresh", N_("it wrote to %1 people within an hour that it never wrote to before"), fresh },
	[MG_SIGN_INVALID] = { "invalid", N_("%1 of its recipients do not exist"), invalid },
	[MG_SIGN_UNDELIVERED] = { "undelivered", N_("%1 of its messages of a day bounced or still wait"), undelivered },
	[MG_SIGN_FROM] = { "from", N_("%1 messages within an hour were from somebody else's domain"), foreign_from },
	[MG_SIGN_VOLUME] = { "volume", N_("it wrote to %1 recipients within an hour, many times its custom"), volume },
	[MG_SIGN_GUESSED] = { "guessed", N_("after %1 failed logins from new networks one of them succeeded"), NULL },
};

const char *mg_sign_name(enum mg_sign sign)
{
	return signs[sign].name;
}

const char *mg_sign_sentence(enum mg_sign sign)
{
	return signs[sign].sentence;
}

static void raise_sign(struct mg_account_row *row, enum mg_sign sign, uint32_t number, int64_t now_ns)
{
	row->raised_ns[sign] = now_ns;
	row->number[sign] = number;
}

void mg_account_judge(struct mg_account_row *row, int64_t now_ns)
{
	for (int sign = 0; sign < MG_SIGNS; sign++) {
		uint32_t number = signs[sign].number == NULL ? 0 : signs[sign].number(row, now_ns);

		if (number > 0)
			raise_sign(row, (enum mg_sign)sign, number, now_ns);
	}
}

void mg_account_judge_login(struct mg_account_row *row, const struct mg_account_net *net, int64_t now_ns)
{
	uint32_t failures = HOURLY(row, failures_other, now_ns);

	if (failures >= FAILURES && !mg_account_owns(net, now_ns))
		raise_sign(row, MG_SIGN_GUESSED, failures, now_ns);
}
