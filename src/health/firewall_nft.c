#include <string.h>

#include "base/buf.h"
#include "health/firewall_rules.h"

enum { ELEMENTS_MAX = 100000, VALUE_DEPTH = 4 };

struct reading {
	struct mg_rules *rules;
	const struct mg_newcomer *newcomer;
	const json_t *items; /* of the ruleset */
	struct mg_str family, table;
};

static struct mg_str text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return mg_str_z(text == NULL ? "" : text);
}

static bool is_text(const json_t *value, const char *text)
{
	return json_is_string(value) && strcmp(json_string_value(value), text) == 0;
}

static bool is_ours(const struct mg_newcomer *newcomer, struct mg_str family)
{
	return mg_str_eq(family, MG_STR("inet")) ||
	       mg_str_eq(family, newcomer->to.family == MG_IP_V6 ? MG_STR("ip6") : MG_STR("ip"));
}

/* ---- one value against the newcomer's ---- */

/* What of a packet is looked at: the left side of a match. */
enum subject {
	SUBJECT_NEVER, /* of another protocol: no packet of the newcomer's has it */
	SUBJECT_UNKNOWN,
	SUBJECT_PORT,
	SUBJECT_FROM,
	SUBJECT_TO,
	SUBJECT_LINK,
	SUBJECT_STATE,
	SUBJECT_FLAGS,
	SUBJECT_TYPE, /* fib daddr type */
	SUBJECT_WORD, /* a word or number below */
};

struct subject_of {
	enum subject subject;
	const char *word;
	int number;
};

static struct subject_of of_payload(const struct mg_newcomer *newcomer, const json_t *payload)
{
	struct mg_str protocol = text_of(payload, "protocol"), field = text_of(payload, "field");
	bool is_six = newcomer->to.family == MG_IP_V6;

	if (mg_str_eq(protocol, MG_STR("tcp")) || mg_str_eq(protocol, MG_STR("th")))
		return (struct subject_of){ mg_str_eq(field, MG_STR("dport"))   ? SUBJECT_PORT
					    : mg_str_eq(field, MG_STR("flags")) ? SUBJECT_FLAGS
										: SUBJECT_UNKNOWN,
			NULL, 0 };
	if (mg_str_eq(protocol, is_six ? MG_STR("ip6") : MG_STR("ip"))) {
		if (mg_str_eq(field, MG_STR("saddr")))
			return (struct subject_of){ SUBJECT_FROM, NULL, 0 };
		if (mg_str_eq(field, MG_STR("daddr")))
			return (struct subject_of){ SUBJECT_TO, NULL, 0 };
		if (mg_str_eq(field, MG_STR("protocol")) || mg_str_eq(field, MG_STR("nexthdr")))
			return (struct subject_of){ SUBJECT_WORD, "tcp", 6 };
		return (struct subject_of){ SUBJECT_UNKNOWN, NULL, 0 };
	}
	return (struct subject_of){ protocol.n > 0 ? SUBJECT_NEVER : SUBJECT_UNKNOWN, NULL, 0 };
}

static struct subject_of of_meta(const struct mg_newcomer *newcomer, struct mg_str key)
{
	bool is_six = newcomer->to.family == MG_IP_V6;

	if (mg_str_eq(key, MG_STR("l4proto")))
		return (struct subject_of){ SUBJECT_WORD, "tcp", 6 };
	if (mg_str_eq(key, MG_STR("nfproto")))
		return (struct subject_of){ SUBJECT_WORD, is_six ? "ipv6" : "ipv4", is_six ? 10 : 2 };
	if (mg_str_eq(key, MG_STR("protocol")))
		return (struct subject_of){ SUBJECT_WORD, is_six ? "ip6" : "ip", is_six ? 0x86dd : 0x800 };
	if (mg_str_eq(key, MG_STR("iifname")) || mg_str_eq(key, MG_STR("iif")))
		return (struct subject_of){ SUBJECT_LINK, NULL, 0 };
	return (struct subject_of){ SUBJECT_UNKNOWN, NULL, 0 };
}

static struct subject_of subject_of(const struct mg_newcomer *newcomer, const json_t *left)
{
	const json_t *inner;

	if ((inner = json_object_get(left, "payload")) != NULL)
		return of_payload(newcomer, inner);
	if ((inner = json_object_get(left, "meta")) != NULL)
		return of_meta(newcomer, text_of(inner, "key"));
	if ((inner = json_object_get(left, "ct")) != NULL && mg_str_eq(text_of(inner, "key"), MG_STR("state")))
		return (struct subject_of){ SUBJECT_STATE, NULL, 0 };
	if ((inner = json_object_get(left, "fib")) != NULL && mg_str_eq(text_of(inner, "result"), MG_STR("type")) &&
		is_text(json_array_get(json_object_get(inner, "flags"), 0), "daddr"))
		return (struct subject_of){ SUBJECT_TYPE, NULL, 0 };
	return (struct subject_of){ SUBJECT_UNKNOWN, NULL, 0 };
}

static enum mg_maybe is_network(
	const struct mg_newcomer *newcomer, struct mg_str address, json_int_t bits, bool is_from, bool *is_public)
{
	struct mg_buf text;
	struct mg_net net;
	enum mg_maybe is;

	mg_buf_init(&text, 128);
	if (bits < 0)
		mg_buf_add(&text, address);
	else
		mg_buf_addf(&text, "%.*s/%d", MG_STR_ARGS(address), (int)bits);
	if (is_from && mg_net_parse(mg_buf_str(&text), &net))
		*is_public = *is_public || !(mg_net_is_private(&net) || mg_ip_is_loopback(&net.base));
	is = is_from ? mg_newcomer_is_from(newcomer, mg_buf_str(&text))
		     : mg_newcomer_is_to(newcomer, mg_buf_str(&text));
	mg_buf_fini(&text);
	return is;
}

static enum mg_maybe is_port(const struct mg_newcomer *newcomer, const json_t *value)
{
	static const struct {
		const char *name;
		unsigned port;
	} known[] = { { "smtp", 25 }, { "submission", 587 }, { "submissions", 465 }, { "urd", 465 }, { "imap2", 143 },
		{ "imap", 143 }, { "imaps", 993 }, { "pop3", 110 }, { "pop3s", 995 } };

	if (json_is_integer(value))
		return json_integer_value(value) == (json_int_t)newcomer->port ? MG_YES : MG_NO;
	for (size_t i = 0; json_is_string(value) && i < sizeof known / sizeof known[0]; i++)
		if (is_text(value, known[i].name))
			return known[i].port == newcomer->port ? MG_YES : MG_NO;
	return MG_PERHAPS;
}

static enum mg_maybe is_word(const struct subject_of *subject, const json_t *value)
{
	if (json_is_integer(value))
		return json_integer_value(value) == subject->number ? MG_YES : MG_NO;
	return json_is_string(value) ? (is_text(value, subject->word) ? MG_YES : MG_NO) : MG_PERHAPS;
}

/* A plain value: a number, a word, an address. */
static enum mg_maybe is_plain(
	const struct mg_newcomer *newcomer, const struct subject_of *subject, const json_t *value, bool *is_public)
{
	const char *text = json_string_value(value);

	switch (subject->subject) {
	case SUBJECT_NEVER:
		return MG_NO;
	case SUBJECT_PORT:
		return is_port(newcomer, value);
	case SUBJECT_FROM:
	case SUBJECT_TO:
		return text == NULL
			       ? MG_PERHAPS
			       : is_network(newcomer, mg_str_z(text), -1, subject->subject == SUBJECT_FROM, is_public);
	case SUBJECT_LINK:
		return text == NULL ? MG_PERHAPS : mg_newcomer_is_on(newcomer, mg_str_z(text));
	case SUBJECT_STATE:
		return text == NULL ? MG_PERHAPS : is_text(value, "new") ? MG_YES : MG_NO;
	case SUBJECT_TYPE:
		return text == NULL ? MG_PERHAPS : is_text(value, "local") ? MG_YES : MG_NO;
	case SUBJECT_WORD:
		return is_word(subject, value);
	case SUBJECT_FLAGS:
		return text == NULL ? MG_PERHAPS : is_text(value, "syn") ? MG_YES : MG_NO;
	case SUBJECT_UNKNOWN:
		break;
	}
	return MG_PERHAPS;
}

static enum mg_maybe in_range(const struct mg_newcomer *newcomer, const struct subject_of *subject, const json_t *range)
{
	const json_t *low = json_array_get(range, 0), *high = json_array_get(range, 1);

	if (subject->subject == SUBJECT_NEVER)
		return MG_NO;
	if (subject->subject != SUBJECT_PORT || !json_is_integer(low) || !json_is_integer(high))
		return MG_PERHAPS;
	return (json_int_t)newcomer->port >= json_integer_value(low) &&
			       (json_int_t)newcomer->port <= json_integer_value(high)
		       ? MG_YES
		       : MG_NO;
}

static enum mg_maybe is_in(const struct reading *reading, const struct subject_of *subject, const json_t *value,
	unsigned depth, bool *is_public);

static enum mg_maybe is_any(const struct reading *reading, const struct subject_of *subject, const json_t *list,
	unsigned depth, bool *is_public)
{
	enum mg_maybe any = MG_NO;

	if (json_array_size(list) > ELEMENTS_MAX)
		return MG_PERHAPS;
	for (size_t i = 0; i < json_array_size(list) && any != MG_YES; i++)
		any = mg_maybe_or(any, is_in(reading, subject, json_array_get(list, i), depth + 1, is_public));
	return any;
}

/* A set or map of the ruleset by its name, NULL. */
static const json_t *find_set(const struct reading *reading, const char *kind, const char *name)
{
	for (size_t i = 0; i < json_array_size(reading->items); i++) {
		const json_t *set = json_object_get(json_array_get(reading->items, i), kind);

		if (set != NULL && mg_str_eq(text_of(set, "name"), mg_str_z(name)) &&
			mg_str_eq(text_of(set, "table"), reading->table) &&
			mg_str_eq(text_of(set, "family"), reading->family))
			return set;
	}
	return NULL;
}

/* Whether the subject is one of what the right side holds. Recursion is bounded by VALUE_DEPTH. */
static enum mg_maybe is_in(const struct reading *reading, const struct subject_of *subject, const json_t *value,
	unsigned depth, bool *is_public)
{
	const char *text = json_string_value(value);
	const json_t *inner;

	if (depth > VALUE_DEPTH)
		return MG_PERHAPS;
	if (text != NULL && text[0] == '@') {
		inner = find_set(reading, "set", text + 1);
		return inner == NULL ? MG_PERHAPS
				     : is_any(reading, subject, json_object_get(inner, "elem"), depth, is_public);
	}
	if (json_is_array(value))
		return is_any(reading, subject, value, depth, is_public);
	if ((inner = json_object_get(value, "set")) != NULL)
		return json_is_array(inner) ? is_any(reading, subject, inner, depth, is_public)
					    : is_in(reading, subject, inner, depth + 1, is_public);
	if ((inner = json_object_get(value, "elem")) != NULL)
		return is_in(reading, subject, json_object_get(inner, "val"), depth + 1, is_public);
	if ((inner = json_object_get(value, "range")) != NULL)
		return in_range(reading->newcomer, subject, inner);
	if ((inner = json_object_get(value, "prefix")) != NULL) {
		if (subject->subject != SUBJECT_FROM && subject->subject != SUBJECT_TO)
			return subject->subject == SUBJECT_NEVER ? MG_NO : MG_PERHAPS;
		return is_network(reading->newcomer, text_of(inner, "addr"),
			json_integer_value(json_object_get(inner, "len")), subject->subject == SUBJECT_FROM, is_public);
	}
	return is_plain(reading->newcomer, subject, value, is_public);
}

/* ---- one statement ---- */

struct judged {
	enum mg_maybe match, from;
	bool is_from_public;
};

static enum mg_maybe compare_port(const struct mg_newcomer *newcomer, struct mg_str op, const json_t *right)
{
	json_int_t port = newcomer->port, value = json_integer_value(right);

	if (!json_is_integer(right))
		return MG_PERHAPS;
	if (mg_str_eq(op, MG_STR("<")))
		return port < value ? MG_YES : MG_NO;
	if (mg_str_eq(op, MG_STR(">")))
		return port > value ? MG_YES : MG_NO;
	if (mg_str_eq(op, MG_STR("<=")))
		return port <= value ? MG_YES : MG_NO;
	if (mg_str_eq(op, MG_STR(">=")))
		return port >= value ? MG_YES : MG_NO;
	return MG_PERHAPS;
}

static void judge_match(const struct reading *reading, const json_t *match, struct judged *judged)
{
	struct mg_str op = text_of(match, "op");
	const json_t *right = json_object_get(match, "right"), *left = json_object_get(match, "left"),
		     *masked = json_object_get(left, "&");
	struct subject_of subject = subject_of(reading->newcomer, masked == NULL ? left : json_array_get(masked, 0));
	bool is_not = mg_str_eq(op, MG_STR("!=")), is_public = false;
	enum mg_maybe is;

	if (masked != NULL && subject.subject != SUBJECT_FLAGS && subject.subject != SUBJECT_NEVER)
		subject.subject = SUBJECT_UNKNOWN;
	if (subject.subject == SUBJECT_NEVER) {
		judged->match = MG_NO; /* the packet has no such field, whatever is asked of it */
		return;
	}
	if (is_not || mg_str_eq(op, MG_STR("==")) || mg_str_eq(op, MG_STR("in")))
		is = is_in(reading, &subject, right, 0, &is_public);
	else
		is = subject.subject == SUBJECT_PORT ? compare_port(reading->newcomer, op, right) : MG_PERHAPS;
	if (subject.subject == SUBJECT_FLAGS && masked != NULL && is == MG_NO && !is_text(right, "fin") &&
		!json_is_string(right))
		is = MG_PERHAPS; /* a mask of many: not told apart */
	if (is_not)
		is = mg_maybe_not(is);
	if (subject.subject == SUBJECT_FROM) {
		judged->from = mg_maybe_and(judged->from, is);
		judged->is_from_public = judged->is_from_public || (is_public && !is_not);
	} else {
		judged->match = mg_maybe_and(judged->match, is);
	}
}

/* A verdict: false, this is none. */
static bool read_verdict(const struct reading *reading, const json_t *statement, struct mg_rule *rule)
{
	const json_t *jump = json_object_get(statement, "jump"), *go = json_object_get(statement, "goto");
	struct mg_str target = text_of(jump == NULL ? go : jump, "target");
	size_t chain;

	if (json_object_get(statement, "accept") != NULL)
		rule->action = MG_RULE_ACCEPT;
	else if (json_object_get(statement, "drop") != NULL || json_object_get(statement, "reject") != NULL)
		rule->action = MG_RULE_DROP;
	else if (json_object_get(statement, "return") != NULL)
		rule->action = MG_RULE_RETURN;
	else if (json_object_get(statement, "continue") != NULL)
		rule->action = MG_RULE_NONE;
	else if (jump != NULL || go != NULL) {
		chain = mg_rules_chain(reading->rules, reading->family, reading->table, target);
		rule->action = chain == SIZE_MAX ? MG_RULE_NONE : jump != NULL ? MG_RULE_JUMP : MG_RULE_GOTO;
		rule->target = chain == SIZE_MAX ? 0 : (unsigned)chain;
	} else {
		return false;
	}
	return true;
}

static void add_rule(const struct reading *reading, struct mg_rule *rule, const struct judged *judged)
{
	rule->match = mg_maybe_and(judged->match, judged->from);
	rule->is_for_some = rule->action == MG_RULE_ACCEPT && judged->match == MG_YES && judged->from == MG_NO &&
			    judged->is_from_public;
	mg_rules_add(reading->rules, rule);
}

/* What may end in either way. */
static void add_either(const struct reading *reading, struct mg_rule rule, const struct judged *judged)
{
	struct judged perhaps = *judged;

	perhaps.match = mg_maybe_and(perhaps.match, MG_PERHAPS);
	rule.action = MG_RULE_ACCEPT;
	add_rule(reading, &rule, &perhaps);
	rule.action = MG_RULE_DROP;
	add_rule(reading, &rule, &perhaps);
}

/* "vmap": a rule for each of its elements. */
static void read_map(
	const struct reading *reading, const json_t *map, const struct mg_rule *model, const struct judged *judged)
{
	const json_t *data = json_object_get(map, "data"), *pairs = json_object_get(data, "set");
	struct subject_of subject = subject_of(reading->newcomer, json_object_get(map, "key"));
	const char *name = json_string_value(data);

	if (name != NULL && name[0] == '@')
		pairs = json_object_get(find_set(reading, "map", name + 1), "elem");
	if (!json_is_array(pairs) || json_array_size(pairs) > ELEMENTS_MAX) {
		add_either(reading, *model, judged);
		return;
	}
	for (size_t i = 0; i < json_array_size(pairs); i++) {
		const json_t *pair = json_array_get(pairs, i);
		struct judged one = *judged;
		struct mg_rule rule = *model;
		bool is_public = false;
		enum mg_maybe is = is_in(reading, &subject, json_array_get(pair, 0), 0, &is_public);

		if (subject.subject == SUBJECT_FROM) {
			one.from = mg_maybe_and(one.from, is);
			one.is_from_public = one.is_from_public || is_public;
		} else {
			one.match = mg_maybe_and(one.match, is);
		}
		if (read_verdict(reading, json_array_get(pair, 1), &rule))
			add_rule(reading, &rule, &one);
		else if (is != MG_NO)
			add_either(reading, rule, &one);
	}
}

/* Statements that neither match nor decide. */
static bool is_harmless(const json_t *statement)
{
	static const char *const words[] = { "counter", "log", "mangle", "comment", "notrack", "ct helper",
		"ct timeout", "set", "map", "meter", "last", "flow", "secmark" };

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (json_object_get(statement, words[i]) != NULL)
			return true;
	return false;
}

static void read_rule(struct reading *reading, const json_t *item)
{
	struct judged judged = { MG_YES, MG_YES, false };
	const json_t *statements = json_object_get(item, "expr");
	size_t chain = mg_rules_chain(reading->rules, reading->family, reading->table, text_of(item, "chain"));
	struct mg_rule rule = { .chain = (unsigned)chain };

	for (size_t i = 0; chain != SIZE_MAX && i < json_array_size(statements); i++) {
		const json_t *statement = json_array_get(statements, i), *inner;

		if ((inner = json_object_get(statement, "match")) != NULL)
			judge_match(reading, inner, &judged);
		else if ((inner = json_object_get(statement, "vmap")) != NULL)
			read_map(reading, inner, &rule, &judged);
		else if (read_verdict(reading, statement, &rule))
			add_rule(reading, &rule, &judged);
		else if (json_object_get(statement, "limit") != NULL)
			judged.match = mg_maybe_and(judged.match, MG_PERHAPS);
		else if (!is_harmless(statement))
			add_either(reading, rule, &judged);
	}
}

/* ---- the whole ---- */

static bool has_iptables(const json_t *item)
{
	const json_t *statements = json_object_get(item, "expr");

	for (size_t i = 0; i < json_array_size(statements); i++)
		if (json_object_get(json_array_get(statements, i), "xt") != NULL)
			return true;
	return false;
}

static void read_chain(const struct reading *reading, const json_t *item)
{
	struct mg_str hook = text_of(item, "hook");
	size_t at = mg_rules_chain(reading->rules, reading->family, reading->table, text_of(item, "name"));
	struct mg_chain_of_rules *chain;

	if (at == SIZE_MAX)
		return;
	chain = &reading->rules->chain[at];
	chain->is_base = (mg_str_eq(hook, MG_STR("input")) || mg_str_eq(hook, MG_STR("prerouting"))) &&
			 !mg_str_eq(text_of(item, "type"), MG_STR("nat"));
	chain->is_closed = mg_str_eq(text_of(item, "policy"), MG_STR("drop"));
}

static void set_foreign(const struct reading *reading)
{
	for (size_t i = 0; i < reading->rules->chain_count; i++) {
		struct mg_chain_of_rules *chain = &reading->rules->chain[i];

		if (mg_str_eq(mg_str_z(chain->family), reading->family) &&
			mg_str_eq(mg_str_z(chain->table), reading->table))
			chain->is_foreign = true;
	}
}

void mg_rules_read_nft(struct mg_rules *rules, const struct mg_newcomer *newcomer, const json_t *ruleset)
{
	struct reading reading = {
		.rules = rules, .newcomer = newcomer, .items = json_object_get(ruleset, "nftables")
	};

	for (int pass = 0; pass < 3; pass++) /* chains, rules, what is another's */
		for (size_t i = 0; i < json_array_size(reading.items); i++) {
			const json_t *item = json_array_get(reading.items, i), *chain = json_object_get(item, "chain"),
				     *rule = json_object_get(item, "rule"), *what = pass == 0 ? chain : rule;

			if (what == NULL || !is_ours(newcomer, text_of(what, "family")))
				continue;
			reading.family = text_of(what, "family");
			reading.table = text_of(what, "table");
			if (pass == 0)
				read_chain(&reading, chain);
			else if (pass == 1)
				read_rule(&reading, rule);
			else if (has_iptables(rule))
				set_foreign(&reading);
		}
}
