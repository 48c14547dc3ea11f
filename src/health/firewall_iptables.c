#include "health/firewall_rules.h"

enum { WORDS_MAX = 200 };

/* ---- one rule ---- */

struct reading {
	const struct mg_newcomer *newcomer;
	enum mg_maybe match, from; /* of all but the sender's address, and of that */
	bool is_from_public;       /* the sender's address must be one of some public ones */
	bool is_tcp;
	struct mg_str action, rest;
	bool is_goto;
};

/* The next word; "a quoted one" without its quotes, which it may hold behind a backslash. */
static bool next_word(struct mg_str *rest, struct mg_str *word_out)
{
	size_t end = 1;

	*rest = mg_str_trim(*rest);
	if (rest->n == 0)
		return false;
	if (rest->p[0] != '"')
		return mg_read_word(rest, " ", word_out);
	while (end < rest->n && rest->p[end] != '"')
		end += rest->p[end] == '\\' && end + 1 < rest->n ? 2 : 1;
	*word_out = mg_str_of(rest->p + 1, (end < rest->n ? end : rest->n) - 1);
	*rest = mg_str_from(*rest, end + 1);
	return true;
}

static void also(struct reading *reading, enum mg_maybe match, bool is_not)
{
	reading->match = mg_maybe_and(reading->match, is_not ? mg_maybe_not(match) : match);
}

/* "25", "25:587" */
static enum mg_maybe holds_port(struct mg_str range, unsigned port)
{
	struct mg_str first = mg_str_cut(&range, ':');
	uint64_t low, high;

	if (!mg_str_to_u64(first, 65535, &low))
		return MG_PERHAPS;
	if (range.n == 0)
		return low == port ? MG_YES : MG_NO;
	if (!mg_str_to_u64(range, 65535, &high))
		return MG_PERHAPS;
	return port >= low && port <= high ? MG_YES : MG_NO;
}

static enum mg_maybe holds_one(struct mg_str list, unsigned port)
{
	enum mg_maybe any = MG_NO;

	while (list.n > 0)
		any = mg_maybe_or(any, holds_port(mg_str_cut(&list, ','), port));
	return any;
}

static enum mg_maybe names(struct mg_str list, const char *wanted)
{
	while (list.n > 0)
		if (mg_str_eq_nocase(mg_str_cut(&list, ','), mg_str_z(wanted)))
			return MG_YES;
	return MG_NO;
}

/* A first packet has SYN alone: "FIN,SYN,RST,ACK SYN". */
static enum mg_maybe has_flags(struct mg_str mask, struct mg_str wanted)
{
	bool asks_syn = names(mask, "SYN") == MG_YES || mg_str_eq(mask, MG_STR("ALL"));
	bool wants_syn = names(wanted, "SYN") == MG_YES || mg_str_eq(wanted, MG_STR("ALL"));
	bool wants_more;

	if (mg_str_eq(wanted, MG_STR("NONE")))
		return asks_syn ? MG_NO : MG_YES;
	wants_more = mg_str_find(wanted, ',') != SIZE_MAX || !wants_syn || mg_str_eq(wanted, MG_STR("ALL"));
	return asks_syn == wants_syn && !wants_more ? MG_YES : MG_NO;
}

static enum mg_maybe is_protocol(struct mg_str name)
{
	return mg_str_eq(name, MG_STR("tcp")) || mg_str_eq(name, MG_STR("6")) || mg_str_eq(name, MG_STR("all")) ||
			       mg_str_eq(name, MG_STR("0"))
		       ? MG_YES
		       : MG_NO;
}

static bool is_any_of(struct mg_str word, const char *const *words)
{
	for (; *words != NULL; words++)
		if (mg_str_eq(word, mg_str_z(*words)))
			return true;
	return false;
}

static void read_from(struct reading *reading, struct mg_str network, bool is_not)
{
	enum mg_maybe from = mg_newcomer_is_from(reading->newcomer, network);
	struct mg_net net;

	reading->is_from_public =
		!is_not && mg_net_parse(network, &net) && !mg_net_is_private(&net) && !mg_ip_is_loopback(&net.base);
	reading->from = mg_maybe_and(reading->from, is_not ? mg_maybe_not(from) : from);
}

/* An option with one value; false: it is not known. */
static bool read_valued(struct reading *reading, struct mg_str option, struct mg_str value, bool is_not)
{
	static const char *const ports[] = { "--dport", "--dports", "--destination-port", "--destination-ports", NULL };
	static const char *const states[] = { "--ctstate", "--state", NULL };
	static const char *const talk[] = { "-m", "--comment", "--match", NULL };

	if (is_any_of(option, talk))
		return true;
	if (is_any_of(option, ports))
		also(reading, holds_one(value, reading->newcomer->port), is_not);
	else if (is_any_of(option, states))
		also(reading, names(value, "NEW"), is_not);
	else if (mg_str_eq(option, MG_STR("-p")))
		also(reading, is_protocol(value), is_not);
	else if (mg_str_eq(option, MG_STR("-i")))
		also(reading, mg_newcomer_is_on(reading->newcomer, value), is_not);
	else if (mg_str_eq(option, MG_STR("-d")))
		also(reading, mg_newcomer_is_to(reading->newcomer, value), is_not);
	else if (mg_str_eq(option, MG_STR("--dst-type")))
		also(reading, names(value, "LOCAL"), is_not);
	else if (mg_str_eq(option, MG_STR("-s")))
		read_from(reading, value, is_not);
	else
		return false;
	return true;
}

static void read_options(struct reading *reading)
{
	struct mg_str option, value;
	bool is_not = false;

	for (int i = 0; i < WORDS_MAX && next_word(&reading->rest, &option); i++) {
		if (mg_str_eq(option, MG_STR("!"))) {
			is_not = true;
			continue;
		}
		if (mg_str_eq(option, MG_STR("-j")) || mg_str_eq(option, MG_STR("-g"))) {
			reading->is_goto = option.p[1] == 'g';
			(void)next_word(&reading->rest, &reading->action);
			return; /* what follows is the action's */
		}
		if (mg_str_eq(option, MG_STR("-f")) || mg_str_eq(option, MG_STR("--syn"))) {
			also(reading, option.p[1] == 'f' ? MG_NO : MG_YES, is_not);
		} else if (mg_str_eq(option, MG_STR("--tcp-flags"))) {
			struct mg_str wanted = { "", 0 };

			if (next_word(&reading->rest, &value) && next_word(&reading->rest, &wanted))
				also(reading, has_flags(value, wanted), is_not);
		} else if (mg_str_starts(option, MG_STR("-"))) {
			struct mg_str ahead = reading->rest;

			if (!next_word(&ahead, &value) || !read_valued(reading, option, value, is_not))
				also(reading, MG_PERHAPS, false); /* its values, if any, are passed over */
			else
				reading->rest = ahead;
		}
		is_not = false;
	}
}

/* ---- what it does ---- */

static void act(struct mg_rules *rules, struct reading *reading, struct mg_rule *rule, struct mg_str family,
	struct mg_str table)
{
	static const char *const going_on[] = { "LOG", "NFLOG", "ULOG", "MARK", "CONNMARK", "SET", "TCPMSS", "CT",
		"NOTRACK", "TRACE", "AUDIT", "DSCP", "TOS", "TTL", "HL", "CLASSIFY", "SECMARK", "CONNSECMARK",
		"TCPOPTSTRIP", "CHECKSUM", "HMARK", "RATEEST", NULL };
	static const char *const stopping[] = { "DROP", "REJECT", "TARPIT", "STEAL", NULL };
	struct mg_str action = reading->action;

	if (mg_str_eq(action, MG_STR("ACCEPT"))) {
		rule->action = MG_RULE_ACCEPT;
		rule->is_for_some = reading->match == MG_YES && reading->from == MG_NO && reading->is_from_public;
	} else if (is_any_of(action, stopping)) {
		rule->action = MG_RULE_DROP;
	} else if (mg_str_eq(action, MG_STR("RETURN"))) {
		rule->action = MG_RULE_RETURN;
	} else if (action.n > 0 && !is_any_of(action, going_on)) {
		size_t before = rules->chain_count, target = mg_rules_chain(rules, family, table, action);

		if (target < before) {
			rule->action = reading->is_goto ? MG_RULE_GOTO : MG_RULE_JUMP;
			rule->target = (unsigned)target;
		} else { /* an extension that is not known: it may do anything */
			if (target != SIZE_MAX)
				rules->chain_count--;
			rule->match = mg_maybe_and(rule->match, MG_PERHAPS);
			rule->action = MG_RULE_ACCEPT;
			mg_rules_add(rules, rule);
			rule->action = MG_RULE_DROP;
		}
	}
	mg_rules_add(rules, rule);
}

static void read_rule(struct mg_rules *rules, const struct mg_newcomer *newcomer, struct mg_str family,
	struct mg_str table, struct mg_str line)
{
	struct reading reading = { .newcomer = newcomer, .match = MG_YES, .from = MG_YES, .rest = line };
	struct mg_rule rule = { .match = MG_NO };
	struct mg_str name;
	size_t chain;

	if (!next_word(&reading.rest, &name) || (chain = mg_rules_chain(rules, family, table, name)) == SIZE_MAX)
		return;
	read_options(&reading);
	rule.chain = (unsigned)chain;
	rule.match = mg_maybe_and(reading.match, reading.from);
	act(rules, &reading, &rule, family, table);
}

/* ":INPUT DROP [0:0]", of a chain that packets to this machine pass. Tables of translation stop nobody. */
static void read_chain(struct mg_rules *rules, struct mg_str family, struct mg_str table, struct mg_str line)
{
	struct mg_str name, policy;
	struct mg_chain_of_rules *chain;
	size_t at;

	if (!next_word(&line, &name) || !next_word(&line, &policy) ||
		(at = mg_rules_chain(rules, family, table, name)) == SIZE_MAX)
		return;
	chain = &rules->chain[at];
	chain->is_base = !mg_str_eq(table, MG_STR("nat")) &&
			 (mg_str_eq(name, MG_STR("INPUT")) || mg_str_eq(name, MG_STR("PREROUTING")));
	chain->is_closed = mg_str_eq(policy, MG_STR("DROP"));
}

void mg_rules_read_iptables(struct mg_rules *rules, const struct mg_newcomer *newcomer, struct mg_str text)
{
	struct mg_str family = newcomer->to.family == MG_IP_V6 ? MG_STR("ip6") : MG_STR("ip"), table = { "", 0 };

	while (text.n > 0) {
		struct mg_str line = mg_str_trim(mg_str_cut(&text, '\n'));

		if (mg_read_token(&line, MG_STR("*")))
			table = line;
		else if (mg_read_token(&line, MG_STR(":")))
			read_chain(rules, family, table, line);
		else if (mg_read_token(&line, MG_STR("-A ")))
			read_rule(rules, newcomer, family, table, line);
	}
}
