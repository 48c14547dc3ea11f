/* The prover's parts: networks as Postfix reads them, patterns and what they match, rules with if, what tables answer, lists
 * of patterns. Whole configurations are in tests/e2e/test_relay_check.py. */
#include <stdio.h>

#include "postfix/relay_list.h"
#include "postfix/relay_match.h"
#include "postfix/relay_net.h"
#include "postfix/relay_pattern.h"
#include "postfix/relay_rules.h"
#include "postfix/relay_suffix.h"
#include "rows.h"

/* ---- networks ---- */

static const struct net_row {
	const char *text;
	enum mg_relay_net kind;
	enum mg_relay_reach reach;
} net_rows[] = {
	{ "0.0.0.0/0", MG_RELAY_NET_GOOD, MG_RELAY_REACH_WORLD },
	{ "127.0.0.0/8", MG_RELAY_NET_GOOD, MG_RELAY_REACH_OURS },
	{ "10.0.0.0/8", MG_RELAY_NET_GOOD, MG_RELAY_REACH_OURS },
	{ "10.0.0.0/7", MG_RELAY_NET_GOOD, MG_RELAY_REACH_WORLD },
	{ "198.51.100.0/24", MG_RELAY_NET_GOOD, MG_RELAY_REACH_NARROW },
	{ "198.51.0.0/16", MG_RELAY_NET_GOOD, MG_RELAY_REACH_DOUBTFUL },
	{ "[2001:db8::]/32", MG_RELAY_NET_GOOD, MG_RELAY_REACH_DOUBTFUL },
	{ "[2000::]/3", MG_RELAY_NET_GOOD, MG_RELAY_REACH_WORLD },
	{ "127.0.0.0/0", MG_RELAY_NET_BAD, MG_RELAY_REACH_OURS },
	{ "198.51.100.1/24", MG_RELAY_NET_BAD, MG_RELAY_REACH_OURS },
	{ "0/0", MG_RELAY_NET_BAD, MG_RELAY_REACH_OURS },
	{ "10.0.0.0/33", MG_RELAY_NET_BAD, MG_RELAY_REACH_OURS },
	{ "*", MG_RELAY_NET_NONE, MG_RELAY_REACH_OURS },
	{ "example.com", MG_RELAY_NET_NONE, MG_RELAY_REACH_OURS },
};

static void networks_are_read_as_postfix_reads_them(void **state)
{
	const struct net_row *row = *state;
	struct mg_net net;

	assert_int_equal(mg_relay_net_parse(mg_str_z(row->text), false, &net), row->kind);
	if (row->kind == MG_RELAY_NET_GOOD)
		assert_int_equal(mg_relay_net_reach(&net), row->reach);
}

static void a_mapped_network_holds_no_ipv4_client(void **state)
{
	struct mg_net net;
	struct mg_ip ip;

	(void)state;
	assert_int_equal(mg_relay_net_parse(MG_STR("[::ffff:0.0.0.0]/96"), false, &net), MG_RELAY_NET_GOOD);
	assert_true(mg_relay_ip_parse(MG_STR("192.0.2.1"), &ip));
	assert_false(mg_net_contains(&net, &ip));
}

static void octet_prefixes_are_networks(void **state)
{
	struct mg_net net;

	(void)state;
	assert_true(mg_relay_net_of_key(MG_STR("192.0"), &net) && net.bits == 16);
	assert_true(mg_relay_net_of_key(MG_STR("203"), &net) && net.bits == 8);
	assert_true(mg_relay_net_of_key(MG_STR("2001:db8"), &net) && net.bits == 32);
	assert_false(mg_relay_net_of_key(MG_STR("example.com"), &net));
}

/* ---- patterns ---- */

static const struct pattern_row {
	const char *text, *sample, *end;
} pattern_rows[] = {
	{ "@example\\.com$", "@example.com", "@example.com" },
	{ "^a+b?[xy]z$", "abxz", "z" },
	{ "^(a|b)c$", "ac", "c" },
	{ "a|b@ours$", "a", "" },
	{ "[(]a|b@ours$", "(a", "" },
	{ "[|]@ours$", "|@ours", "@ours" },
	{ "x(?=y)@ours$", "xy@ours", "" },
	{ "ours", "ours", "" },
	{ "(ours$|theirs)", "ours", "" },
	{ "^\\d{3}\\.", "111.", "" },
	{ "@(a|b)\\.com$", "@a.com", ".com" },
	{ "@ours\\.e?$", "@ours.e", "" },
};

static void a_pattern_shows_its_literals(void **state)
{
	const struct pattern_row *row = *state;
	struct mg_buf sample, end;

	mg_buf_init(&sample, 256);
	mg_buf_init(&end, 256);
	assert_true(mg_relay_pattern_sample(mg_str_z(row->text), 0, &sample));
	mg_relay_pattern_end(mg_str_z(row->text), &end);
	assert_string_equal(mg_buf_z(&sample), row->sample);
	assert_string_equal(mg_buf_z(&end), row->end);
	mg_buf_fini(&sample);
	mg_buf_fini(&end);
}

static void matching_is_bounded(void **state)
{
	struct mg_str groups[MG_PATTERN_GROUPS];
	bool is_too_long;
	struct mg_relay_pattern *pattern = mg_relay_pattern_new(true, MG_STR("^(a+)+$"), MG_STR(""), &is_too_long);

	(void)state;
	assert_non_null(pattern);
	assert_false(mg_relay_pattern_match(pattern, MG_STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"), groups));
	assert_true(mg_relay_pattern_match(pattern, MG_STR("AAA"), groups));
	mg_relay_pattern_free(&pattern);
	assert_null(mg_relay_pattern_new(true, MG_STR("("), MG_STR(""), &is_too_long));
}

/* ---- rules ---- */

static const struct rule_row {
	const char *file, *key, *value; /* NULL: no rule fits */
	enum mg_table_kind kind;
} rule_rows[] = {
	{ "0.0.0.0/0 OK\n", "192.0.2.1", "OK", MG_TABLE_RULES_IP },
	{ "0.0.0.0/0 OK\n", "2001:db8::1", NULL, MG_TABLE_RULES_IP },
	{ "!10.0.0.0/8 OK\n", "192.0.2.1", "OK", MG_TABLE_RULES_IP },
	{ "!10.0.0.0/8 OK\n", "10.1.1.1", NULL, MG_TABLE_RULES_IP },
	{ "192.0.2.1/24 OK\n", "192.0.2.1", NULL, MG_TABLE_RULES_IP },
	{ "# c\n192.0.2.0/24\n\n  # c\n  OK\n", "192.0.2.1", "OK", MG_TABLE_RULES_IP },
	{ "if 10.0.0.0/8\n0.0.0.0/0 OK\nendif\n0.0.0.0/0 NO\n", "192.0.2.1", "NO", MG_TABLE_RULES_IP },
	{ "if 10.0.0.0/8\n0.0.0.0/0 OK\nendif\n0.0.0.0/0 NO\n", "10.1.1.1", "OK", MG_TABLE_RULES_IP },
	{ "/@EVIL/ NO\n", "a@evil.example", "NO", MG_TABLE_PATTERNED },
	{ "/@EVIL/i NO\n", "a@evil.example", NULL, MG_TABLE_PATTERNED },
	{ "if !/x/\n/./ A\nendif\n/./ B\n", "xa", "B", MG_TABLE_PATTERNED },
	{ "if !/x/\n/./ A\nendif\n/./ B\n", "a", "A", MG_TABLE_PATTERNED },
	{ "/(/ A\n/./ B\n", "a", "B", MG_TABLE_PATTERNED },
	{ "endif\nif /a/\n/./ A\n", "b", NULL, MG_TABLE_PATTERNED },
};

static void the_first_rule_that_fits_answers(void **state)
{
	const struct rule_row *row = *state;
	struct mg_table table = { .kind = row->kind };
	struct mg_arena arena;
	struct mg_str groups[MG_PATTERN_GROUPS];
	uint64_t steps = 1000;
	const struct mg_table_rule *rule;

	mg_arena_init(&arena, 1024 * 1024);
	assert_int_equal(mg_table_rules_read(&table, &arena, mg_str_z(row->file), true), MG_OK);
	rule = mg_table_rules_find(&table, mg_str_z(row->key), groups, &steps);
	if (row->value == NULL)
		assert_null(rule);
	else
		assert_string_equal(rule->value.p, row->value);
	mg_table_rules_free(&table);
	mg_arena_fini(&arena);
}

/* ---- answers, suffixes, lists ---- */

static const struct answer_row {
	const char *value;
	enum mg_relay_answer answer;
} answer_rows[] = {
	{ "OK", MG_RELAY_SAYS_OK },
	{ "relay", MG_RELAY_SAYS_OK },
	{ "200", MG_RELAY_SAYS_OK },
	{ "550", MG_RELAY_SAYS_OK },
	{ "", MG_RELAY_SAYS_OK },
	{ "550 no", MG_RELAY_SAYS_NO },
	{ "REJECT no", MG_RELAY_SAYS_NO },
	{ "DUNNO", MG_RELAY_SAYS_NOTHING },
	{ "hash:/x", MG_RELAY_SAYS_BAD },
	{ "permit", MG_RELAY_SAYS_LIST },
	{ "HOLD", MG_RELAY_SAYS_ELSEWHERE },
};

static void answers_mean_what_smtpd_makes_of_them(void **state)
{
	const struct answer_row *row = *state;

	assert_int_equal(mg_relay_answer_of(mg_str_z(row->value)), row->answer);
}

static void suffixes_are_everybodys(void **state)
{
	(void)state;
	assert_true(mg_relay_is_suffix(MG_STR("com")) && mg_relay_is_suffix(MG_STR("co.uk")));
	assert_false(mg_relay_is_suffix(MG_STR("example.com")) || mg_relay_is_suffix(MG_STR("lan")) ||
		     mg_relay_is_suffix(MG_STR("*")) || mg_relay_is_suffix(MG_STR("10")));
}

static const struct list_row {
	const char *list, *address;
	enum mg_match match;
} list_rows[] = {
	{ "127.0.0.0/8 # 0.0.0.0/0", "192.0.2.1", MG_MATCH_NO },
	{ "!192.0.2.0/24, 0.0.0.0/0", "192.0.2.1", MG_MATCH_NO },
	{ "0.0.0.0/0, !192.0.2.0/24", "192.0.2.1", MG_MATCH_YES },
	{ "192.0.2.1/24 0.0.0.0/0", "192.0.2.1", MG_MATCH_ERROR },
	{ "192.0.2.1/24 [::]/0", "2001:db8::1", MG_MATCH_YES },
	{ "static:all", "192.0.2.1", MG_MATCH_YES },
	{ "2001:db8::/32 0.0.0.0/0", "192.0.2.1", MG_MATCH_ERROR },
	{ "/nonexistent 0.0.0.0/0", "192.0.2.1", MG_MATCH_ERROR },
	{ "", "192.0.2.1", MG_MATCH_NO },
};

static void the_first_pattern_that_matches_decides(void **state)
{
	const struct list_row *row = *state;
	struct mg_tables *tables = mg_tables_new("/nonexistent");
	const struct mg_match_pattern *which;
	struct mg_match_list list;
	struct mg_arena arena;
	struct mg_ip ip;

	mg_arena_init(&arena, 1024 * 1024);
	assert_non_null(tables);
	assert_true(mg_relay_ip_parse(mg_str_z(row->address), &ip));
	mg_match_load(&list, tables, &arena, mg_str_z(row->list), true);
	assert_int_equal(
		mg_match_client(tables, &list, MG_STR("unknown"), mg_str_z(row->address), &ip, &which), row->match);
	mg_tables_free(&tables);
	mg_arena_fini(&arena);
}

int main(void)
{
	struct CMUnitTest tests[128] = {
		cmocka_unit_test(a_mapped_network_holds_no_ipv4_client),
		cmocka_unit_test(octet_prefixes_are_networks),
		cmocka_unit_test(matching_is_bounded),
		cmocka_unit_test(suffixes_are_everybodys),
	};
	size_t n = 4;

	for (size_t i = 0; i < ROWS(net_rows); i++)
		tests[n++] = (struct CMUnitTest){ net_rows[i].text, networks_are_read_as_postfix_reads_them, NULL, NULL,
			(void *)(uintptr_t)&net_rows[i] };
	for (size_t i = 0; i < ROWS(pattern_rows); i++)
		tests[n++] = (struct CMUnitTest){ pattern_rows[i].text, a_pattern_shows_its_literals, NULL, NULL,
			(void *)(uintptr_t)&pattern_rows[i] };
	for (size_t i = 0; i < ROWS(rule_rows); i++)
		tests[n++] = (struct CMUnitTest){ rule_rows[i].file, the_first_rule_that_fits_answers, NULL, NULL,
			(void *)(uintptr_t)&rule_rows[i] };
	for (size_t i = 0; i < ROWS(answer_rows); i++)
		tests[n++] = (struct CMUnitTest){ answer_rows[i].value, answers_mean_what_smtpd_makes_of_them, NULL,
			NULL, (void *)(uintptr_t)&answer_rows[i] };
	for (size_t i = 0; i < ROWS(list_rows); i++)
		tests[n++] = (struct CMUnitTest){ list_rows[i].list, the_first_pattern_that_matches_decides, NULL, NULL,
			(void *)(uintptr_t)&list_rows[i] };
	return _cmocka_run_group_tests("relay", tests, n, NULL, NULL);
}
