#include "postfix/relay_samples.h"

#include <stdlib.h>

#include "postfix/relay_access.h"
#include "postfix/relay_net.h"
#include "postfix/relay_rules.h"
#include "postfix/relay_suffix.h"

enum { TEXT_BYTES = 1024, ALTERNATIVES = 16 };

/* ---- making up ---- */

struct making {
	const struct mg_table_rule *rule;
	mg_relay_take_sample *take;
	void *context;
};

static void offer(
	const struct making *making, const char *before, struct mg_str sample, const char *behind, bool is_doubtful)
{
	struct mg_str groups[MG_PATTERN_GROUPS];
	struct mg_buf text;

	mg_buf_init(&text, TEXT_BYTES);
	mg_buf_addf(&text, "%s%.*s%s", before, MG_STR_ARGS(sample), behind);
	if (text.n > 0 && mg_buf_ok(&text) &&
		mg_relay_pattern_match(making->rule->pattern, mg_buf_str(&text), groups) != making->rule->is_negated)
		making->take(making->context, mg_buf_str(&text), is_doubtful);
	mg_buf_fini(&text);
}

static bool is_numeric(struct mg_str text)
{
	for (size_t i = 0; i < text.n; i++)
		if (strchr("0123456789.:", text.p[i]) == NULL)
			return false;
	return true;
}

/* The domain that a sample stands in front of: what is behind a leading dot. */
static bool begins_suffix(struct mg_str sample)
{
	return sample.n > 1 && sample.p[0] == '.' && mg_relay_is_suffix(mg_str_from(sample, 1));
}

static void make_names(const struct making *making, struct mg_str s)
{
	bool has_dot = s.n > 0 && s.p[0] == '.', ends_in_dot = s.n > 0 && s.p[s.n - 1] == '.';

	offer(making, "", s, "", false);
	offer(making, has_dot ? "host" : "", s, ends_in_dot ? MG_RELAY_PROBE ".com" : "." MG_RELAY_PROBE ".com",
		is_numeric(s));
	offer(making, "host" MG_RELAY_PROBE, s, ends_in_dot ? MG_RELAY_PROBE ".com" : "." MG_RELAY_PROBE ".com", false);
	if (begins_suffix(s))
		offer(making, MG_RELAY_PROBE, s, "", false);
	else if (has_dot)
		offer(making, "host", s, "", false);
	else
		offer(making, MG_RELAY_PROBE, s, "", true);
}

static void make_addresses(const struct making *making, struct mg_str s)
{
	size_t at = mg_str_rfind(s, '@');
	const char *user = at == 0 ? "stranger" : "";

	if (at == SIZE_MAX) {
		bool has_dot = s.n > 0 && s.p[0] == '.';

		offer(making, "", s, "@" MG_RELAY_PROBE ".com", false);
		offer(making, has_dot ? "stranger@host" : "stranger@", s, "." MG_RELAY_PROBE ".com", false);
		offer(making, has_dot ? "stranger@host" : "stranger@", s, "", false);
		if (begins_suffix(s))
			offer(making, "stranger@" MG_RELAY_PROBE, s, "", false);
		else if (!has_dot)
			offer(making, "stranger@" MG_RELAY_PROBE, s, "", true);
		return;
	}
	offer(making, user, s, at + 1 == s.n ? MG_RELAY_PROBE ".com" : "", false);
	offer(making, user, s, "." MG_RELAY_PROBE ".com", false);
	offer(making, "stranger", s, at + 1 == s.n ? MG_RELAY_PROBE ".com" : "", false);
}

void mg_relay_samples(
	const struct mg_table_rule *rule, enum mg_sample_shape shape, mg_relay_take_sample *take, void *context)
{
	struct making making = { rule, take, context };
	struct mg_buf sample;

	if (rule->pattern == NULL)
		return;
	mg_buf_init(&sample, MG_PATTERN_MAX);
	for (size_t i = 0; i < ALTERNATIVES && mg_relay_pattern_sample(rule->key, i, &sample); i++) {
		if (mg_buf_ok(&sample) && sample.n > 0 && shape == MG_SAMPLE_NAME)
			make_names(&making, mg_buf_str(&sample));
		else if (mg_buf_ok(&sample) && sample.n > 0)
			make_addresses(&making, mg_buf_str(&sample));
		mg_buf_reset(&sample);
	}
	mg_buf_fini(&sample);
}

bool mg_relay_sample_net(const struct mg_table_rule *rule, struct mg_net *net_out)
{
	struct mg_buf sample;
	struct mg_str key;
	bool is_net = false;

	if (rule->pattern == NULL || rule->is_negated || rule->key.n == 0 || rule->key.p[0] != '^' ||
		mg_str_find(rule->key, '|') != SIZE_MAX)
		return false;
	mg_buf_init(&sample, MG_PATTERN_MAX);
	if (mg_relay_pattern_sample(rule->key, 0, &sample) && mg_buf_ok(&sample)) {
		key = mg_buf_str(&sample);
		if (key.n > 1 && (key.p[key.n - 1] == '.' || key.p[key.n - 1] == ':'))
			key = mg_str_first(key, key.n - 1);
		is_net = is_numeric(key) && mg_relay_net_of_key(key, net_out);
	}
	mg_buf_fini(&sample);
	return is_net;
}

/* ---- what is left ---- */

struct doubting {
	struct mg_relay_model *model;
	const struct mg_relay_strangers *strangers;
	const struct mg_table *site; /* the table of the restriction; rules may be a part's */
	enum mg_relay_op op;
};

static enum mg_relay_choice choice_of(enum mg_relay_op op)
{
	static const struct {
		enum mg_relay_op op;
		enum mg_relay_choice choice;
	} rows[] = { { MG_RELAY_CLIENT, MG_CHOICE_NAME }, { MG_RELAY_HELO, MG_CHOICE_HELO },
		{ MG_RELAY_SENDER, MG_CHOICE_SENDER }, { MG_RELAY_RECIPIENT, MG_CHOICE_RECIPIENT },
		{ MG_RELAY_CERT, MG_CHOICE_CERT } };

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].op == op)
			return rows[i].choice;
	return MG_CHOICES;
}

static bool is_met_by(const struct mg_relay_strangers *strangers, enum mg_relay_choice choice,
	const struct mg_table *table, const struct mg_table_rule *rule)
{
	struct mg_str groups[MG_PATTERN_GROUPS];
	uint64_t steps = MG_TABLE_RULES;

	for (size_t i = 0; i < strangers->all.count[choice]; i++)
		if (mg_table_rules_find(table, strangers->all.is[choice][i].text, groups, &steps) == rule)
			return true;
	return false;
}

/* All that matches ends in `end`: does it lie below a domain of ours, or of one other owner? */
static bool is_owned(const struct doubting *doubting, struct mg_str key, struct mg_str end)
{
	size_t at = mg_str_rfind(end, '@'), dot;
	bool is_whole =
		key.n > 0 && key.p[0] == '^' && key.n <= 2 * end.n + 2; /* nothing but the literal between ^ and $ */

	if (at != SIZE_MAX)
		return mg_relay_destination_is_own(doubting->model->destination, mg_str_from(end, at + 1));
	dot = mg_str_find(end, '.');
	if (doubting->op == MG_RELAY_RECIPIENT || dot == SIZE_MAX)
		return dot != SIZE_MAX &&
		       mg_relay_destination_is_own(doubting->model->destination, mg_str_from(end, dot + 1));
	return doubting->op == MG_RELAY_CLIENT && (is_whole || !mg_relay_is_suffix(mg_str_from(end, dot + 1)));
}

static bool is_harmless(const struct doubting *doubting, const struct mg_table_rule *rule)
{
	struct mg_buf end;
	struct mg_net net;
	bool is_so;

	if (rule->is_negated || rule->but_not != NULL)
		return false;
	if (doubting->op == MG_RELAY_CLIENT && mg_relay_sample_net(rule, &net))
		return true; /* drawn as a network, and tried as such */
	mg_buf_init(&end, MG_PATTERN_MAX);
	mg_relay_pattern_end(rule->key, &end);
	is_so = (doubting->op == MG_RELAY_CLIENT || doubting->op == MG_RELAY_RECIPIENT) && end.n > 0 &&
		is_owned(doubting, rule->key, mg_buf_str(&end));
	mg_buf_fini(&end);
	return is_so;
}

static void doubt_rule(void *context, const struct mg_table *table, const struct mg_table_rule *rule)
{
	struct doubting *doubting = context;
	struct mg_relay_model *model = doubting->model;
	enum mg_relay_choice choice = choice_of(doubting->op);
	enum mg_relay_answer answer = mg_relay_answer_of(rule->value);
	bool is_plain = table == doubting->site;

	if (table->kind != MG_TABLE_PATTERNED || rule->is_if || choice == MG_CHOICES ||
		(is_plain && answer != MG_RELAY_SAYS_OK && answer != MG_RELAY_SAYS_LIST) ||
		is_harmless(doubting, rule) || is_met_by(doubting->strangers, choice, table, rule))
		return;
	if (choice == MG_CHOICE_NAME && is_met_by(doubting->strangers, MG_CHOICE_ADDRESS, table, rule))
		return;
	if (model->doubt_count == MG_RELAY_DOUBTS)
		return; /* there are enough: one is as good as many */
	model->doubts[model->doubt_count++] = (struct mg_relay_doubt){ doubting->site, choice, rule->key };
}

static void doubt_item(void *context, const struct mg_relay_item *item)
{
	static const enum mg_relay_op bare[] = { MG_RELAY_RECIPIENT, MG_RELAY_CLIENT, MG_RELAY_HELO, MG_RELAY_SENDER };
	struct doubting *doubting = context;

	if (item->table == NULL || item->table->kind == MG_TABLE_BROKEN)
		return;
	doubting->site = item->table;
	for (size_t i = 0; i < (item->op == MG_RELAY_BARE ? 4 : 1); i++) {
		doubting->op = item->op == MG_RELAY_BARE ? bare[i] : item->op;
		mg_table_each_rule(item->table, doubt_rule, doubting);
	}
}

void mg_relay_doubts_find(struct mg_relay_model *model, const struct mg_relay_strangers *strangers, bool is_forged)
{
	struct doubting doubting = { .model = model, .strangers = strangers };

	model->doubt_count = 0;
	if (!is_forged)
		mg_relay_lists_each(model->lists, doubt_item, &doubting);
}
