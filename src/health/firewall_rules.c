#include "health/firewall_rules.h"

#include <stdlib.h>

enum { DEPTH_MAX = 16, STEPS_MAX = 2000000, NARROW_BITS = 4 };

enum mg_maybe mg_maybe_not(enum mg_maybe value)
{
	return (enum mg_maybe)(MG_YES - value);
}

enum mg_maybe mg_maybe_and(enum mg_maybe a, enum mg_maybe b)
{
	return a < b ? a : b;
}

enum mg_maybe mg_maybe_or(enum mg_maybe a, enum mg_maybe b)
{
	return a > b ? a : b;
}

/* ---- the newcomer ---- */

enum mg_maybe mg_newcomer_is_from(const struct mg_newcomer *newcomer, struct mg_str network)
{
	struct mg_net net;

	if (!mg_net_parse(network, &net))
		return MG_PERHAPS;
	if (net.base.family != newcomer->to.family)
		return MG_NO;
	if (net.bits == 0 || (net.base.family == MG_IP_V6 && net.bits <= 3)) /* 2000::/3: all there is */
		return MG_YES;
	if (mg_net_is_private(&net) || mg_ip_is_loopback(&net.base))
		return MG_NO;
	return net.bits <= NARROW_BITS ? MG_PERHAPS : MG_NO;
}

enum mg_maybe mg_newcomer_is_to(const struct mg_newcomer *newcomer, struct mg_str network)
{
	struct mg_net net;

	if (!mg_net_parse(network, &net))
		return MG_PERHAPS;
	return mg_net_contains(&net, &newcomer->to) ? MG_YES : MG_NO;
}

enum mg_maybe mg_newcomer_is_on(const struct mg_newcomer *newcomer, struct mg_str link)
{
	struct mg_str own = mg_str_z(newcomer->link);

	if (mg_str_eq(link, MG_STR("lo")))
		return MG_NO;
	if (mg_str_eq(link, MG_STR("*")) || mg_str_eq(link, MG_STR("+")))
		return MG_YES;
	if (own.n == 0)
		return MG_PERHAPS;
	if (link.n > 0 && (link.p[link.n - 1] == '*' || link.p[link.n - 1] == '+'))
		return mg_str_starts(own, mg_str_first(link, link.n - 1)) ? MG_YES : MG_NO;
	return mg_str_eq(own, link) ? MG_YES : MG_NO;
}

/* ---- the list ---- */

bool mg_rules_init(struct mg_rules *rules)
{
	*rules = (struct mg_rules){ .count = 0 };
	rules->rule = calloc(MG_RULES_MAX, sizeof *rules->rule);
	rules->chain = calloc(MG_CHAINS_MAX, sizeof *rules->chain);
	return rules->rule != NULL && rules->chain != NULL;
}

void mg_rules_fini(struct mg_rules *rules)
{
	free(rules->rule);
	free(rules->chain);
	*rules = (struct mg_rules){ .count = 0 };
}

size_t mg_rules_chain(struct mg_rules *rules, struct mg_str family, struct mg_str table, struct mg_str name)
{
	struct mg_chain_of_rules *chain;

	for (size_t i = 0; i < rules->chain_count; i++) {
		chain = &rules->chain[i];
		if (mg_str_eq(mg_str_z(chain->name), name) && mg_str_eq(mg_str_z(chain->table), table) &&
			mg_str_eq(mg_str_z(chain->family), family))
			return i;
	}
	if (rules->chain_count == MG_CHAINS_MAX) {
		rules->is_cut = true;
		return SIZE_MAX;
	}
	chain = &rules->chain[rules->chain_count];
	if (!mg_str_copy(chain->name, sizeof chain->name, name) ||
		!mg_str_copy(chain->table, sizeof chain->table, table) ||
		!mg_str_copy(chain->family, sizeof chain->family, family)) {
		*chain = (struct mg_chain_of_rules){ .is_base = false };
		rules->is_cut = true;
		return SIZE_MAX;
	}
	rules->has_ufw = rules->has_ufw || mg_str_starts(name, MG_STR("ufw-")) || mg_str_starts(name, MG_STR("ufw6-"));
	rules->has_firewalld =
		rules->has_firewalld || mg_str_eq(table, MG_STR("firewalld")) || mg_str_eq(name, MG_STR("IN_public"));
	return rules->chain_count++;
}

void mg_rules_add(struct mg_rules *rules, const struct mg_rule *rule)
{
	if (rules->count == MG_RULES_MAX)
		rules->is_cut = true;
	else
		rules->rule[rules->count++] = *rule;
}

/* ---- the walk ---- */

struct walk {
	const struct mg_rules *rules;
	bool may_pass, may_stop; /* ends that it may come to */
	bool is_for_some;
	size_t stopped_in; /* the chain of the rule that surely stops it, SIZE_MAX */
	unsigned steps;
	bool is_lost; /* too deep, too long */
};

/* Whether the packet may come back from the chain. */
static bool walk_chain(struct walk *walk, size_t chain, unsigned depth) // NOLINT: bounded by DEPTH_MAX
{
	bool may_return = false;

	if (depth > DEPTH_MAX)
		walk->is_lost = true;
	for (size_t i = 0; i < walk->rules->count && !walk->is_lost; i++) {
		const struct mg_rule *rule = &walk->rules->rule[i];
		bool returns = true;

		if (++walk->steps > STEPS_MAX)
			walk->is_lost = true;
		if (rule->chain != chain)
			continue;
		walk->is_for_some = walk->is_for_some || rule->is_for_some;
		if (rule->match == MG_NO || rule->action == MG_RULE_NONE)
			continue;
		switch (rule->action) {
		case MG_RULE_ACCEPT:
			walk->may_pass = true;
			returns = false;
			break;
		case MG_RULE_DROP:
			walk->may_stop = true;
			walk->stopped_in = rule->match == MG_YES ? chain : walk->stopped_in;
			returns = false;
			break;
		case MG_RULE_RETURN:
			may_return = true;
			returns = false;
			break;
		case MG_RULE_JUMP:
			returns = walk_chain(walk, rule->target, depth + 1);
			break;
		case MG_RULE_GOTO:
			may_return = walk_chain(walk, rule->target, depth + 1) || may_return;
			returns = false;
			break;
		case MG_RULE_NONE:
			break;
		}
		if (rule->match == MG_YES && !returns)
			return may_return;
	}
	return true;
}

static enum mg_fate fate_at(const struct mg_rules *rules, size_t chain, size_t *stopped_in_out)
{
	struct walk walk = { .rules = rules, .stopped_in = SIZE_MAX };

	if (walk_chain(&walk, chain, 0)) {
		if (rules->chain[chain].is_closed)
			walk.may_stop = true;
		else
			walk.may_pass = true;
	}
	*stopped_in_out = walk.stopped_in;
	if (walk.is_lost || rules->is_cut)
		return MG_FATE_PERHAPS;
	if (!walk.may_stop)
		return MG_FATE_OPEN;
	if (walk.may_pass)
		return MG_FATE_PERHAPS;
	return walk.is_for_some ? MG_FATE_SOME : MG_FATE_BLOCKED;
}

/* A chain that stops nobody, whoever comes. */
static bool is_idle(const struct mg_rules *rules, size_t chain)
{
	if (rules->chain[chain].is_closed)
		return false;
	for (size_t i = 0; i < rules->count; i++)
		if (rules->rule[i].chain == chain && rules->rule[i].action != MG_RULE_NONE &&
			rules->rule[i].action != MG_RULE_ACCEPT)
			return false;
	return true;
}

void mg_rules_judge(const struct mg_rules *rules, struct mg_rules_verdict *verdict_out)
{
	*verdict_out = (struct mg_rules_verdict){ .fate = rules->is_cut ? MG_FATE_PERHAPS : MG_FATE_OPEN };
	for (size_t i = 0; i < rules->chain_count; i++) {
		const struct mg_chain_of_rules *chain = &rules->chain[i];
		enum mg_fate fate;
		size_t stopped_in;

		if (!chain->is_base || chain->is_foreign)
			continue;
		verdict_out->has_rules = verdict_out->has_rules || !is_idle(rules, i);
		if ((fate = fate_at(rules, i, &stopped_in)) <= verdict_out->fate)
			continue;
		verdict_out->fate = fate;
		verdict_out->by = fate >= MG_FATE_SOME ? chain : NULL;
		verdict_out->in = fate >= MG_FATE_SOME && stopped_in != SIZE_MAX ? &rules->chain[stopped_in] : NULL;
	}
}
