/* What rules of nftables and iptables make of a stranger's first packet to 198.51.100.1 port 25. */
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "health/firewall_rules.h"

static struct mg_newcomer newcomer(void)
{
	struct mg_newcomer who = { .port = 25, .link = "eth0" };

	assert_true(mg_ip_parse(MG_STR("198.51.100.1"), &who.to));
	return who;
}

struct text_row {
	const char *name;
	const char *policy; /* of INPUT */
	const char *rules;
	enum mg_fate fate;
};
static const struct text_row text_rows[] = {
	{ "nothing", "ACCEPT", "", MG_FATE_OPEN },
	{ "policy", "DROP", "", MG_FATE_BLOCKED },
	{ "a port", "DROP", "-A INPUT -p tcp -m tcp --dport 25 -j ACCEPT", MG_FATE_OPEN },
	{ "another port", "DROP", "-A INPUT -p tcp -m tcp --dport 2525 -j ACCEPT", MG_FATE_BLOCKED },
	{ "ports", "DROP", "-A INPUT -p tcp -m multiport --dports 22,25 -j ACCEPT", MG_FATE_OPEN },
	{ "a range", "ACCEPT", "-A INPUT -p tcp -m tcp --dport 20:30 -j REJECT", MG_FATE_BLOCKED },
	{ "not these ports", "ACCEPT", "-A INPUT -p tcp -m multiport ! --dports 25,587 -j DROP", MG_FATE_OPEN },
	{ "loopback", "DROP", "-A INPUT -i lo -j ACCEPT", MG_FATE_BLOCKED },
	{ "its interface", "DROP", "-A INPUT -i eth+ -j ACCEPT", MG_FATE_OPEN },
	{ "not loopback", "ACCEPT", "-A INPUT ! -i lo -j DROP", MG_FATE_BLOCKED },
	{ "old connections", "DROP", "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", MG_FATE_BLOCKED },
	{ "new connections", "DROP", "-A INPUT -m state --state NEW -j ACCEPT", MG_FATE_OPEN },
	{ "first packets", "ACCEPT", "-A INPUT -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j DROP",
		MG_FATE_BLOCKED },
	{ "no first packets", "ACCEPT", "-A INPUT -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -j DROP",
		MG_FATE_OPEN },
	{ "another protocol", "ACCEPT", "-A INPUT -p udp -j DROP", MG_FATE_OPEN },
	{ "a private sender", "DROP", "-A INPUT -s 10.0.0.0/8 -j ACCEPT", MG_FATE_BLOCKED },
	{ "some senders", "DROP", "-A INPUT -s 192.0.2.0/24 -j ACCEPT", MG_FATE_SOME },
	{ "a banned sender", "ACCEPT", "-A INPUT -s 192.0.2.7/32 -j DROP", MG_FATE_OPEN },
	{ "all but own senders", "ACCEPT", "-A INPUT ! -s 10.0.0.0/8 -j DROP", MG_FATE_BLOCKED },
	{ "half the world", "ACCEPT", "-A INPUT -s 128.0.0.0/1 -j DROP", MG_FATE_PERHAPS },
	{ "this address", "ACCEPT", "-A INPUT -d 198.51.100.1/32 -j DROP", MG_FATE_BLOCKED },
	{ "another address", "ACCEPT", "-A INPUT -d 198.51.100.2/32 -j DROP", MG_FATE_OPEN },
	{ "a limit", "DROP", "-A INPUT -p tcp -m limit --limit 3/sec -j ACCEPT", MG_FATE_PERHAPS },
	{ "an unknown match", "ACCEPT", "-A INPUT -m geoip --source-country XX -j DROP", MG_FATE_PERHAPS },
	{ "an unknown action", "DROP", "-A INPUT -j WONDER", MG_FATE_PERHAPS },
	{ "a log", "DROP", "-A INPUT -j LOG --log-prefix \"[-j ACCEPT] \"", MG_FATE_BLOCKED },
	{ "a comment", "ACCEPT", "-A INPUT -p udp -m comment --comment \"a \\\" -j DROP\" -j DROP", MG_FATE_OPEN },
	{ "a chain", "DROP", ":mail - [0:0]\n-A INPUT -j mail\n-A mail -p tcp -m tcp --dport 25 -j ACCEPT",
		MG_FATE_OPEN },
	{ "a chain that returns", "ACCEPT",
		":mail - [0:0]\n-A INPUT -j mail\n-A INPUT -j DROP\n-A mail -p tcp -j RETURN\n-A mail -j ACCEPT",
		MG_FATE_BLOCKED },
	{ "a chain gone to", "ACCEPT", ":mail - [0:0]\n-A INPUT -g mail\n-A INPUT -j DROP\n-A mail -p udp -j DROP",
		MG_FATE_OPEN },
	{ "a chain of itself", "ACCEPT", ":mail - [0:0]\n-A INPUT -j mail\n-A mail -j mail", MG_FATE_PERHAPS },
	{ "garbage", "ACCEPT", "-A\n-A INPUT\n-A INPUT -j\n:\n*\n-A INPUT --dport\n-A INPUT !", MG_FATE_OPEN },
};

static enum mg_fate fate_of(const struct mg_rules *rules)
{
	struct mg_rules_verdict verdict;

	mg_rules_judge(rules, &verdict);
	assert_true(verdict.fate >= MG_FATE_SOME ? verdict.by != NULL : verdict.by == NULL);
	return verdict.fate;
}

static void iptables_say(void **state)
{
	const struct text_row *row = *state;
	struct mg_newcomer who = newcomer();
	struct mg_rules rules;
	struct mg_buf text;

	mg_buf_init(&text, 65536);
	mg_buf_addf(&text,
		"*nat\n:INPUT DROP [0:0]\nCOMMIT\n*filter\n:INPUT %s [0:0]\n:FORWARD DROP [0:0]\n%s\nCOMMIT\n",
		row->policy, row->rules);
	assert_true(mg_rules_init(&rules));
	mg_rules_read_iptables(&rules, &who, mg_buf_str(&text));
	assert_int_equal(fate_of(&rules), row->fate);
	mg_rules_fini(&rules);
	mg_buf_fini(&text);
}

static const char accept_[] = "{\"accept\":null}", drop[] = "{\"drop\":null}";
struct json_row {
	const char *name;
	const char *policy;
	const char *match; /* statements before the verdict, each with a comma */
	const char *verdict;
	enum mg_fate fate;
};
#define MATCH(op, left, right) "{\"match\":{\"op\":\"" op "\",\"left\":" left ",\"right\":" right "}},"
#define DPORT                  "{\"payload\":{\"protocol\":\"tcp\",\"field\":\"dport\"}}"
#define SADDR                  "{\"payload\":{\"protocol\":\"ip\",\"field\":\"saddr\"}}"
#define META(key)              "{\"meta\":{\"key\":\"" key "\"}}"
static const struct json_row json_rows[] = {
	{ "policy alone", "drop", MATCH("==", META("iifname"), "\"lo\""), accept_, MG_FATE_BLOCKED },
	{ "a port", "drop", MATCH("==", DPORT, "25"), accept_, MG_FATE_OPEN },
	{ "a set", "drop", MATCH("==", DPORT, "{\"set\":[22,{\"range\":[24,30]}]}"), accept_, MG_FATE_OPEN },
	{ "a named set", "drop", MATCH("==", DPORT, "\"@mail\""), accept_, MG_FATE_OPEN },
	{ "a set of nobody's", "drop", MATCH("==", DPORT, "\"@none\""), accept_, MG_FATE_PERHAPS },
	{ "not a set", "accept", MATCH("!=", DPORT, "{\"set\":[25,587]}"), drop, MG_FATE_OPEN },
	{ "beyond", "accept", MATCH("<", DPORT, "1024"), drop, MG_FATE_BLOCKED },
	{ "new", "drop", MATCH("in", "{\"ct\":{\"key\":\"state\"}}", "[\"new\",\"related\"]"), accept_, MG_FATE_OPEN },
	{ "protocol", "accept", MATCH("!=", META("l4proto"), "\"tcp\""), drop, MG_FATE_OPEN },
	{ "protocol by number", "accept", MATCH("==", META("l4proto"), "6"), drop, MG_FATE_BLOCKED },
	{ "the other family", "accept", MATCH("==", META("nfproto"), "\"ipv6\""), drop, MG_FATE_OPEN },
	{ "another protocol's field", "accept",
		MATCH("!=", "{\"payload\":{\"protocol\":\"udp\",\"field\":\"dport\"}}", "53"), drop, MG_FATE_OPEN },
	{ "some senders", "drop", MATCH("==", SADDR, "{\"prefix\":{\"addr\":\"192.0.2.0\",\"len\":24}}"), accept_,
		MG_FATE_SOME },
	{ "private senders", "drop",
		MATCH("==", SADDR, "{\"set\":[{\"prefix\":{\"addr\":\"10.0.0.0\",\"len\":8}},\"127.0.0.1\"]}"), accept_,
		MG_FATE_BLOCKED },
	{ "banned senders", "accept", MATCH("==", SADDR, "\"@bad\""), drop, MG_FATE_OPEN },
	{ "a limit", "accept", "{\"limit\":{\"rate\":3}},", drop, MG_FATE_PERHAPS },
	{ "harmless words", "accept", "{\"counter\":null},{\"log\":null},", drop, MG_FATE_BLOCKED },
	{ "something new", "accept", "{\"wonder\":null},", accept_, MG_FATE_PERHAPS },
	{ "a queue", "accept", "", "{\"queue\":null}", MG_FATE_PERHAPS },
	{ "a reject", "accept", "", "{\"reject\":{\"type\":\"tcp reset\"}}", MG_FATE_BLOCKED },
	{ "a jump", "drop", "", "{\"jump\":{\"target\":\"mail\"}}", MG_FATE_OPEN },
	{ "a jump to nowhere", "drop", "", "{\"jump\":{\"target\":\"none\"}}", MG_FATE_BLOCKED },
	{ "a map", "drop", "", "{\"vmap\":{\"key\":" DPORT ",\"data\":{\"set\":[[25,{\"accept\":null}]]}}}",
		MG_FATE_OPEN },
	{ "types that are none", "accept", "{\"match\":5},{\"match\":{\"op\":7,\"left\":[],\"right\":{}}},", drop,
		MG_FATE_PERHAPS },
};

static void nft_says(void **state)
{
	const struct json_row *row = *state;
	struct mg_newcomer who = newcomer();
	struct mg_rules rules;
	struct mg_buf text;
	json_t *json;

	mg_buf_init(&text, 65536);
	mg_buf_addf(&text,
		"{\"nftables\":[{\"metainfo\":{}},{\"chain\":{\"family\":\"inet\",\"table\":\"f\",\"name\":\"in\",\"hook\":\"input\","
		"\"type\":\"filter\",\"policy\":\"%s\"}},{\"chain\":{\"family\":\"inet\",\"table\":\"f\",\"name\":\"mail\"}},"
		"{\"set\":{\"family\":\"inet\",\"table\":\"f\",\"name\":\"mail\",\"elem\":[25,587]}},"
		"{\"set\":{\"family\":\"inet\",\"table\":\"f\",\"name\":\"bad\",\"elem\":[{\"elem\":{\"val\":\"192.0.2.9\",\"timeout\":5}}]}},"
		"{\"rule\":{\"family\":\"inet\",\"table\":\"f\",\"chain\":\"mail\",\"expr\":[{\"accept\":null}]}},"
		"{\"rule\":{\"family\":\"inet\",\"table\":\"f\",\"chain\":\"in\",\"expr\":[%s%s]}}]}",
		row->policy, row->match, row->verdict);
	json = json_loadb(text.p, text.n, 0, NULL);
	assert_non_null(json);
	assert_true(mg_rules_init(&rules));
	mg_rules_read_nft(&rules, &who, json);
	assert_int_equal(fate_of(&rules), row->fate);
	mg_rules_fini(&rules);
	json_decref(json);
	mg_buf_fini(&text);
}

static void too_many_rules_are_no_verdict(void **state)
{
	struct mg_newcomer who = newcomer();
	struct mg_rules rules;
	struct mg_buf text;

	(void)state;
	mg_buf_init(&text, 4 * 1024 * 1024);
	mg_buf_addz(&text, "*filter\n:INPUT DROP [0:0]\n");
	for (int i = 0; i <= MG_RULES_MAX; i++)
		mg_buf_addz(&text, "-A INPUT -j DROP\n");
	assert_true(mg_rules_init(&rules));
	mg_rules_read_iptables(&rules, &who, mg_buf_str(&text));
	assert_int_equal(fate_of(&rules), MG_FATE_PERHAPS);
	mg_rules_fini(&rules);
	mg_buf_fini(&text);
}

int main(void)
{
	struct CMUnitTest tests[ROWS(text_rows) + ROWS(json_rows) + 4];
	size_t n = 0;

	ADD_ROWS(tests, n, text_rows, iptables_say);
	ADD_ROWS(tests, n, json_rows, nft_says);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(too_many_rules_are_no_verdict);
	return _cmocka_run_group_tests("firewall", tests, n, NULL, NULL);
}
