/* Each kind of key is a row: its word, and how its text is had from the facts, or from what somebody wrote. */
#include "guard/limits.h"

#include "mail/address.h"

enum shape { SHAPE_IP, SHAPE_NET, SHAPE_ADDRESS, SHAPE_DOMAIN };
struct kind {
	struct mg_str word;
	enum shape shape;
	size_t fact; /* offset of the text in the facts */
};
#define FACT(field) offsetof(struct mg_limit_facts, field)
#define KIND(word, shape, field)                                                                                       \
	{                                                                                                              \
		{ word, sizeof(word) - 1 }, shape, FACT(field)                                                         \
	}
static const struct kind kinds[] = {
	KIND("client", SHAPE_IP, client),
	KIND("client_net", SHAPE_NET, client),
	KIND("user", SHAPE_ADDRESS, user),
	KIND("sender", SHAPE_ADDRESS, sender),
	KIND("sender_domain", SHAPE_DOMAIN, sender),
	KIND("recipient", SHAPE_ADDRESS, recipient),
	KIND("recipient_domain", SHAPE_DOMAIN, recipient),
};
enum { KINDS = sizeof kinds / sizeof kinds[0], PARTS = 2, HALF = 140 }; /* HALF: of two parts, each */
_Static_assert(sizeof "sender_domain+recipient_domain:" + 2 * HALF <= MG_CHARGE_KEY, "two halves fit");
_Static_assert(sizeof "recipient_domain:" + MG_KEY_PART <= MG_CHARGE_KEY, "one part fits");

/* What is counted when. */
static const enum mg_spend spent_at[] = {
	[MG_COUNT_MESSAGES] = MG_SPEND_MESSAGE,
	[MG_COUNT_RECIPIENTS] = MG_SPEND_RCPT,
	[MG_COUNT_NEW_RECIPIENTS] = MG_SPEND_RCPT,
	[MG_COUNT_BYTES] = MG_SPEND_DATA,
	[MG_COUNT_CONNECTIONS] = MG_SPEND_CONNECT,
	[MG_COUNT_FAILURES] = MG_SPEND_FAILURE,
};

static const struct kind *kind_of(struct mg_str word)
{
	for (size_t i = 0; i < KINDS; i++)
		if (mg_str_eq(kinds[i].word, word))
			return &kinds[i];
	return NULL;
}

/* The one or two kinds of a key; 0: it is none. */
static size_t kinds_of(struct mg_str key, const struct kind *kind_out[PARTS])
{
	size_t count = 0;

	if (mg_str_ends(key, MG_STR("+")))
		return 0;
	do {
		if (count == PARTS || (kind_out[count++] = kind_of(mg_str_cut(&key, '+'))) == NULL)
			return 0;
	} while (key.n > 0);
	return count;
}

static struct mg_str fact_of(const struct kind *kind, const struct mg_limit_facts *facts)
{
	struct mg_str fact;

	memcpy(&fact, (const char *)facts + kind->fact, sizeof fact);
	return kind->shape == SHAPE_DOMAIN ? mg_address_domain(fact) : fact;
}

static bool write_part(const struct kind *kind, const struct mg_limit_facts *facts, char *place, size_t size)
{
	switch (kind->shape) {
	case SHAPE_IP:
		return mg_ip_text(&facts->client, place, size)[0] != '\0';
	case SHAPE_NET:
		return mg_key_client_net(&facts->client, place, size);
	case SHAPE_ADDRESS:
		return mg_key_address(fact_of(kind, facts), place, size);
	default:
		return mg_key_domain(fact_of(kind, facts), place, size);
	}
}

static size_t room_for(size_t count)
{
	return count == PARTS ? HALF : MG_KEY_PART;
}

/* "words:" at the beginning of a key; returns where its first part goes. */
static size_t write_words(struct mg_str words, char place[MG_CHARGE_KEY])
{
	(void)mg_str_copy(place, MG_CHARGE_KEY, words);
	place[words.n] = ':';
	return words.n + 1;
}

/* Moves on behind the part at `at`, and a comma where another one follows. */
static size_t next_part(char place[MG_CHARGE_KEY], size_t at, bool is_last)
{
	at += strlen(place + at);
	if (!is_last)
		place[at++] = ',';
	return at;
}

/* The row's key for these facts. False: one of them is missing. */
static bool write_key(const struct mg_limit_row *row, const struct mg_limit_facts *facts, char place[MG_CHARGE_KEY])
{
	const struct kind *kind[PARTS];
	size_t count = kinds_of(mg_str_z(row->key), kind), at = count == 0 ? 0 : write_words(mg_str_z(row->key), place);

	for (size_t i = 0; i < count; i++) {
		if (!write_part(kind[i], facts, place + at, room_for(count)))
			return false;
		at = next_part(place, at, i + 1 == count);
	}
	return count > 0;
}

/* ---- exceptions ---- */

static bool is_client_in(struct mg_str entry, const struct mg_ip *client)
{
	struct mg_net net;

	return mg_net_parse(entry, &net) && mg_net_contains(&net, client);
}

static bool is_domain_of(struct mg_str entry, struct mg_str domain)
{
	return domain.n > 0 && mg_str_eq_nocase(entry, domain);
}

static bool is_address(struct mg_str entry, struct mg_str fact)
{
	char wanted[MG_KEY_PART], given[MG_KEY_PART];

	if (entry.n > 1 && entry.p[0] == '@')
		return is_domain_of(mg_str_from(entry, 1), mg_address_domain(fact));
	return mg_key_address(entry, wanted, sizeof wanted) && mg_key_address(fact, given, sizeof given) &&
	       strcmp(wanted, given) == 0;
}

static bool is_excepted_by(struct mg_str entry, const struct kind *kind, const struct mg_limit_facts *facts)
{
	switch (kind->shape) {
	case SHAPE_IP:
	case SHAPE_NET:
		return is_client_in(entry, &facts->client);
	case SHAPE_ADDRESS:
		return is_address(entry, fact_of(kind, facts));
	default:
		return is_domain_of(
			mg_str_starts(entry, MG_STR("@")) ? mg_str_from(entry, 1) : entry, fact_of(kind, facts));
	}
}

static bool is_excepted(const struct mg_limit_row *row, const struct mg_limit_facts *facts)
{
	const struct kind *kind[PARTS];
	size_t count = kinds_of(mg_str_z(row->key), kind);

	for (size_t i = 0; i < row->except.count; i++)
		for (size_t k = 0; k < count; k++)
			if (is_excepted_by(mg_str_trim(mg_str_z(row->except.item[i])), kind[k], facts))
				return true;
	return false;
}

/* ---- charges ---- */

static bool is_spent(const struct mg_limit_row *row, enum mg_spend what)
{
	return spent_at[row->count] == what || (row->count == MG_COUNT_FAILURES && what == MG_SPEND_RCPT);
}

static enum mg_charge_mode mode_of(const struct mg_limit_row *row, enum mg_spend what, bool is_observing)
{
	bool is_soft = is_observing || row->action == MG_LIMIT_OBSERVE || row->action == MG_LIMIT_HOLD;

	if (what == MG_SPEND_FAILURE)
		return MG_CHARGE_FORCED;
	if (row->count == MG_COUNT_FAILURES)
		return is_soft ? MG_CHARGE_WATCH : MG_CHARGE_LOOK;
	return is_soft ? MG_CHARGE_SOFT : MG_CHARGE_HARD;
}

static bool is_known(
	const struct mg_limit_row *row, const char *key, const struct mg_limit_facts *facts, struct mg_seen *seen)
{
	char recipient[MG_KEY_PART];

	return seen != NULL && mg_key_address(facts->recipient, recipient, sizeof recipient) &&
	       mg_seen_knows(seen, mg_str_z(row->key), mg_str_z(key), mg_str_z(recipient));
}

/* Whether a limit with this key has anything to say. */
static bool applies(
	const struct mg_limit_row *row, const char *key, const struct mg_limit_facts *facts, struct mg_seen *seen)
{
	if (is_excepted(row, facts))
		return false;
	return row->count != MG_COUNT_NEW_RECIPIENTS || (facts->recipient.n > 0 && !is_known(row, key, facts, seen));
}

/* The next item, which counts when charge->count says so; NULL: no room. */
static struct mg_charge_item *next_item(struct mg_charge *charge, const struct mg_limit_row *row)
{
	struct mg_charge_item *item = &charge->item[charge->count];

	if (charge->count == MG_CHARGE_ITEMS)
		return NULL;
	*item = (struct mg_charge_item){ .bucket = { row->limit, row->burst, row->per_s } };
	(void)mg_str_copy(item->limit, sizeof item->limit, mg_str_z(row->name));
	return item;
}

void mg_limits_charge(const struct mg_conf *conf, const struct mg_limit_facts *facts, enum mg_spend what,
	uint64_t amount, bool is_observing, struct mg_seen *seen, struct mg_charge *charge,
	size_t row_out[MG_CHARGE_ITEMS])
{
	for (size_t i = 0; i < conf->rate.limit_count; i++) {
		const struct mg_limit_row *row = &conf->rate.limits[i];
		struct mg_charge_item *item = is_spent(row, what) ? next_item(charge, row) : NULL;

		if (item == NULL || !write_key(row, facts, item->key) || !applies(row, item->key, facts, seen))
			continue;
		item->mode = mode_of(row, what, is_observing);
		item->cost = item->mode == MG_CHARGE_LOOK || item->mode == MG_CHARGE_WATCH ? 1 : amount;
		row_out[charge->count++] = i;
	}
}

void mg_limits_learn(const struct mg_conf *conf, const struct mg_limit_facts *facts, struct mg_seen *seen)
{
	char key[MG_CHARGE_KEY], recipient[MG_KEY_PART];

	if (!mg_key_address(facts->recipient, recipient, sizeof recipient))
		return;
	for (size_t i = 0; i < conf->rate.limit_count; i++) {
		const struct mg_limit_row *row = &conf->rate.limits[i];

		if (row->count == MG_COUNT_NEW_RECIPIENTS && write_key(row, facts, key))
			mg_seen_learn(seen, mg_str_z(row->key), mg_str_z(key), mg_str_z(recipient));
	}
}

/* ---- keys as written ---- */

static bool is_escaped(struct mg_str value)
{
	return mg_str_find(value, '\\') != SIZE_MAX;
}

static bool write_net(struct mg_str value, char *place, size_t size)
{
	struct mg_net net;

	return mg_net_parse(value, &net) && mg_key_client_net(&net.base, place, size);
}

/* The part that somebody wrote; as a list shows it, escaped or hashed, it stays what it is. */
static bool write_value(const struct kind *kind, struct mg_str value, char *place, size_t size)
{
	struct mg_ip ip;

	switch (kind->shape) {
	case SHAPE_IP:
		return mg_ip_parse(value, &ip) && mg_ip_text(&ip, place, size)[0] != '\0';
	case SHAPE_NET:
		return write_net(value, place, size);
	default:
		if (value.n > 0 && value.n < size && is_escaped(value)) {
			(void)mg_str_copy(place, size, value);
			mg_lower(place);
			return true;
		}
		return kind->shape == SHAPE_ADDRESS ? mg_key_address(value, place, size)
						    : mg_key_domain(value, place, size);
	}
}

/* "words:value" or "words:value,value" in its one spelling. */
static bool write_written(struct mg_str words, struct mg_str value, char place[MG_CHARGE_KEY])
{
	const struct kind *kind[PARTS];
	size_t count = kinds_of(words, kind), at = count == 0 ? 0 : write_words(words, place);

	for (size_t i = 0; i < count; i++) {
		bool is_last = i + 1 == count;

		if (!write_value(kind[i], is_last ? value : mg_str_cut(&value, ','), place + at, room_for(count)))
			return false;
		at = next_part(place, at, is_last);
	}
	return count > 0;
}

bool mg_limits_of_key(
	const struct mg_conf *conf, struct mg_str key, struct mg_charge *charge_out, size_t row_out[MG_CHARGE_ITEMS])
{
	struct mg_str value = key, words = mg_str_cut(&value, ':');
	char text[MG_CHARGE_KEY];

	*charge_out = (struct mg_charge){ 0 };
	if (!write_written(words, value, text))
		return false;
	for (size_t i = 0; i < conf->rate.limit_count; i++) {
		struct mg_charge_item *item = mg_str_eq(mg_str_z(conf->rate.limits[i].key), words)
						      ? next_item(charge_out, &conf->rate.limits[i])
						      : NULL;

		if (item == NULL)
			continue;
		memcpy(item->key, text, sizeof item->key);
		item->cost = 1;
		item->mode = MG_CHARGE_LOOK;
		row_out[charge_out->count++] = i;
	}
	return true;
}
