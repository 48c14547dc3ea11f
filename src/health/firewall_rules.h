/* firewall_rules.h - what a firewall's rules make of one newcomer: a stranger's first packet to a TCP port of this machine.
 *
 * Rules are read into a list already judged for the newcomer: each matches, does not, or perhaps. What is not understood is perhaps, so that
 * a walk over the list knows every end the packet may come to; "blocked" is only said where no end is acceptance. Two readers make such
 * lists: of nftables' JSON and of iptables-save's text. A stranger's address is any public one: rules for private addresses and for narrow
 * networks are not about it.
 *
 * All text comes from a program run as root, but sets, comments and names in it are others': counts, depth and steps are bounded.
 *
 * Threads: plain values, one owner. */
#ifndef MG_HEALTH_FIREWALL_RULES_H
#define MG_HEALTH_FIREWALL_RULES_H

#include <jansson.h>

#include "base/ip.h"

enum mg_maybe { MG_NO, MG_PERHAPS, MG_YES };
enum mg_maybe mg_maybe_not(enum mg_maybe value);
enum mg_maybe mg_maybe_and(enum mg_maybe a, enum mg_maybe b);
enum mg_maybe mg_maybe_or(enum mg_maybe a, enum mg_maybe b);

enum { MG_LINK_NAME = 16 };

struct mg_newcomer {
	struct mg_ip to; /* the address it wants */
	unsigned port;
	char link[MG_LINK_NAME]; /* the interface that has the address; "" not known */
};

/* Whether any public address is meant by, "is in", this network. */
enum mg_maybe mg_newcomer_is_from(const struct mg_newcomer *newcomer, struct mg_str network);
enum mg_maybe mg_newcomer_is_to(const struct mg_newcomer *newcomer, struct mg_str network);
/* By an interface's name, "eth*" and "eth+" too. */
enum mg_maybe mg_newcomer_is_on(const struct mg_newcomer *newcomer, struct mg_str link);

enum mg_rule_action { MG_RULE_NONE, MG_RULE_ACCEPT, MG_RULE_DROP, MG_RULE_RETURN, MG_RULE_JUMP, MG_RULE_GOTO };

enum { MG_RULES_MAX = 20000, MG_CHAINS_MAX = 1000, MG_CHAIN_NAME = 64 };

struct mg_rule {
	unsigned chain; /* index */
	enum mg_maybe match;
	enum mg_rule_action action;
	unsigned target; /* of JUMP and GOTO: a chain */
	/* It would match but for the sender's address, which must be one of some public ones. */
	bool is_for_some;
};

struct mg_chain_of_rules {
	char table[MG_CHAIN_NAME], name[MG_CHAIN_NAME];
	char family[8];  /* "ip", "ip6", "inet" */
	bool is_base;    /* packets to this machine pass it */
	bool is_closed;  /* its policy is drop */
	bool is_foreign; /* nftables: its table has rules of iptables, which only iptables-save can tell */
};

struct mg_rules {
	struct mg_rule *rule;
	size_t count;
	struct mg_chain_of_rules *chain;
	size_t chain_count;
	bool is_cut;  /* there are more than fit: anything may happen */
	bool has_ufw; /* made by ufw */
	bool has_firewalld;
};

/* False: no memory. */
MG_MUSTCHECK
bool mg_rules_init(struct mg_rules *rules);
void mg_rules_fini(struct mg_rules *rules);

/* For readers. A chain by its place, made when it is new; SIZE_MAX: too many. */
size_t mg_rules_chain(struct mg_rules *rules, struct mg_str family, struct mg_str table, struct mg_str name);
void mg_rules_add(struct mg_rules *rules, const struct mg_rule *rule);

/* `iptables-save`: the chains that a packet to this machine passes, of all tables. */
void mg_rules_read_iptables(struct mg_rules *rules, const struct mg_newcomer *newcomer, struct mg_str text);
/* `nft -j list ruleset`, parsed. */
void mg_rules_read_nft(struct mg_rules *rules, const struct mg_newcomer *newcomer, const json_t *ruleset);

enum mg_fate {
	MG_FATE_OPEN,    /* accepted, or nobody minds */
	MG_FATE_PERHAPS, /* it depends on what can't be told from here */
	MG_FATE_SOME,    /* blocked, but for some public addresses */
	MG_FATE_BLOCKED,
};

struct mg_rules_verdict {
	enum mg_fate fate;
	bool has_rules;                     /* any rule, or a policy, that could stop anybody */
	const struct mg_chain_of_rules *by; /* the base chain that blocks; NULL */
	const struct mg_chain_of_rules *in; /* the chain whose rule does; NULL: it is the policy of `by` */
};

/* All base chains in turn; foreign tables are passed over. */
void mg_rules_judge(const struct mg_rules *rules, struct mg_rules_verdict *verdict_out);

#endif
