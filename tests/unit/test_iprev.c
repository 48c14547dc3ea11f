#include "rows.h"

#include "auth/iprev.h"
#include "base/buf.h"
#include "zone_kit.h"

struct iprev_row {
	const char *name, *ip, *zone;
	enum mg_result result;
	const char *confirmed;
};
static const struct iprev_row iprev_rows[] = {
	{ "there and back", "192.0.2.1", "1.2.0.192.in-addr.arpa PTR mx.example\nmx.example A 192.0.2.1\n",
		MG_RESULT_PASS, "mx.example" },
	{ "IPv6", "2001:db8::1",
		"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR mx.example\n"
		"mx.example AAAA 2001:db8::1\n",
		MG_RESULT_PASS, "mx.example" },
	{ "a mapped address", "::ffff:192.0.2.1", "1.2.0.192.in-addr.arpa PTR mx.example\nmx.example A 192.0.2.1\n",
		MG_RESULT_PASS, "mx.example" },
	{ "the second name", "192.0.2.1",
		"1.2.0.192.in-addr.arpa PTR a.example\n1.2.0.192.in-addr.arpa PTR b.example\nb.example A 192.0.2.1\n",
		MG_RESULT_PASS, "b.example" },
	{ "the second address", "192.0.2.1",
		"1.2.0.192.in-addr.arpa PTR a.example\na.example A 192.0.2.9\na.example A 192.0.2.1\n", MG_RESULT_PASS,
		"a.example" },
	{ "another's name", "192.0.2.1", "1.2.0.192.in-addr.arpa PTR bank.example\nbank.example A 198.51.100.1\n",
		MG_RESULT_FAIL, "bank.example" },
	{ "a name without address", "192.0.2.1", "1.2.0.192.in-addr.arpa PTR a.example\n", MG_RESULT_FAIL,
		"a.example" },
	{ "an address of the other family", "192.0.2.1", "1.2.0.192.in-addr.arpa PTR a.example\na.example AAAA ::1\n",
		MG_RESULT_FAIL, "a.example" },
	{ "no name", "192.0.2.1", "", MG_RESULT_PERMERROR, "" },
	{ "no PTR", "192.0.2.1", "1.2.0.192.in-addr.arpa A 192.0.2.1\n", MG_RESULT_PERMERROR, "" },
	{ "no answer", "192.0.2.1", "1.2.0.192.in-addr.arpa TIMEOUT\n", MG_RESULT_TEMPERROR, "" },
	{ "no answer for one name, another leads back", "192.0.2.1",
		"1.2.0.192.in-addr.arpa PTR a.example\n1.2.0.192.in-addr.arpa PTR b.example\na.example SERVFAIL\n"
		"b.example A 192.0.2.1\n",
		MG_RESULT_PASS, "b.example" },
	{ "no answer for one name, none leads back", "192.0.2.1",
		"1.2.0.192.in-addr.arpa PTR a.example\n1.2.0.192.in-addr.arpa PTR b.example\nb.example SERVFAIL\n"
		"a.example A 192.0.2.2\n",
		MG_RESULT_TEMPERROR, "a.example" },
	{ "the fifth name", "192.0.2.1",
		"1.2.0.192.in-addr.arpa PTR a\n1.2.0.192.in-addr.arpa PTR b\n1.2.0.192.in-addr.arpa PTR c\n"
		"1.2.0.192.in-addr.arpa PTR d\n1.2.0.192.in-addr.arpa PTR e\n1.2.0.192.in-addr.arpa PTR f\ne A 192.0.2.1\n",
		MG_RESULT_PASS, "e" },
	{ "the sixth is not looked at", "192.0.2.1",
		"1.2.0.192.in-addr.arpa PTR a\n1.2.0.192.in-addr.arpa PTR b\n1.2.0.192.in-addr.arpa PTR c\n"
		"1.2.0.192.in-addr.arpa PTR d\n1.2.0.192.in-addr.arpa PTR e\n1.2.0.192.in-addr.arpa PTR f\nf A 192.0.2.1\n",
		MG_RESULT_FAIL, "a" },
	{ "odd bytes in a name", "192.0.2.1", "1.2.0.192.in-addr.arpa PTR a\\x0d\\x0ab\\xff.example\n", MG_RESULT_FAIL,
		"a??b?.example" },
	{ "a name DNS can't hold", "192.0.2.1", "1.2.0.192.in-addr.arpa PTR a..b\n", MG_RESULT_FAIL, "a..b" },
};

static void check(const struct iprev_row *row, struct zone *zone)
{
	struct mg_lookup *lookup = zone_lookup(zone);
	const struct mg_iprev_output *output;
	struct mg_iprev *iprev;
	struct mg_arena arena;
	struct mg_ip ip;

	assert_true(mg_ip_parse(mg_str_z(row->ip), &ip));
	mg_arena_init(&arena, 16 * 1024);
	iprev = mg_iprev_new(&arena, &ip);
	assert_non_null(iprev);
	while (mg_iprev_step(iprev, lookup) == MG_STEP_WAIT)
		assert_true(zone_deliver(zone));
	output = mg_iprev_output(iprev);
	assert_string_equal(mg_result_name(output->result), mg_result_name(row->result));
	assert_string_equal(output->name, row->confirmed);
	assert_true(output->reason[0] != '\0');
	assert_in_range(zone->asked, 1, 1 + MG_IPREV_NAMES);
	mg_lookup_free(&lookup);
	mg_arena_fini(&arena);
}

static void the_name_leads_back(void **state)
{
	const struct iprev_row *row = *state;
	struct zone zone;

	zone_begin(&zone, row->zone);
	check(row, &zone);
	zone.asked = 0;
	zone.is_slow = true;
	check(row, &zone);
	zone_end(&zone);
}

/* All names are asked about in one round trip. */
static void names_are_asked_together(void **state)
{
	struct mg_lookup *lookup;
	struct mg_iprev *iprev;
	struct mg_arena arena;
	struct zone zone;
	struct mg_ip ip;

	(void)state;
	assert_true(mg_ip_parse(MG_STR("192.0.2.1"), &ip));
	zone_begin(&zone, "1.2.0.192.in-addr.arpa PTR a.example\n1.2.0.192.in-addr.arpa PTR b.example\n");
	zone.is_slow = true;
	lookup = zone_lookup(&zone);
	mg_arena_init(&arena, 16 * 1024);
	iprev = mg_iprev_new(&arena, &ip);
	assert_int_equal(mg_iprev_step(iprev, lookup), MG_STEP_WAIT);
	assert_true(zone_deliver(&zone));
	assert_int_equal(mg_iprev_step(iprev, lookup), MG_STEP_WAIT);
	assert_int_equal(mg_lookup_pending(lookup), 2);
	mg_lookup_expire(lookup);
	assert_int_equal(mg_iprev_step(iprev, lookup), MG_STEP_DONE);
	assert_int_equal(mg_iprev_output(iprev)->result, MG_RESULT_TEMPERROR);
	mg_lookup_free(&lookup);
	mg_arena_fini(&arena);
	zone_end(&zone);
}

struct reversed_row {
	const char *name, *ip, *zone, *reversed;
};
static const struct reversed_row reversed_rows[] = {
	{ "IPv4", "192.0.2.99", "in-addr.arpa", "99.2.0.192.in-addr.arpa" },
	{ "IPv4, a list (RFC 5782 section 2.1)", "192.0.2.99", "bad.example.com", "99.2.0.192.bad.example.com" },
	{ "IPv6 (RFC 3596 section 2.5)", "4321:0:1:2:3:4:567:89ab", "ip6.arpa",
		"b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa" },
};

static void an_address_is_reversed(void **state)
{
	const struct reversed_row *row = *state;
	struct mg_buf name;
	struct mg_ip ip;

	assert_true(mg_ip_parse(mg_str_z(row->ip), &ip));
	mg_buf_init(&name, 253);
	mg_ip_reversed(&name, &ip, mg_str_z(row->zone));
	assert_string_equal(mg_buf_z(&name), row->reversed);
	mg_buf_fini(&name);
}

int main(void)
{
	static struct CMUnitTest tests[40];
	size_t n = 0;

	ADD_ROWS(tests, n, iprev_rows, the_name_leads_back);
	ADD_ROWS(tests, n, reversed_rows, an_address_is_reversed);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(names_are_asked_together);
	return _cmocka_run_group_tests("iprev", tests, n, NULL, NULL);
}
