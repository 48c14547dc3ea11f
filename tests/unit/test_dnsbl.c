#include "rows.h"

#include <stdio.h>

#include "auth/dnsbl.h"
#include "base/clock.h"
#include "zone_kit.h"

/* ---- one client ---- */

static const struct mg_dnsbl_zone lists[] = {
	{ "zen.spamhaus.org", 60 },
	{ "bl.spamcop.net", 30 },
	{ "list.dnswl.org", -40 },
};

struct client_row {
	const char *name, *ip, *zone;
	enum mg_dnsbl_state states[3];
	int score;
	bool is_incomplete;
};
static const struct client_row client_rows[] = {
	{ "nowhere", "192.0.2.1", "", { MG_DNSBL_NOT_LISTED, MG_DNSBL_NOT_LISTED, MG_DNSBL_NOT_LISTED }, 0, false },
	{ "one", "192.0.2.1", "1.2.0.192.zen.spamhaus.org A 127.0.0.2\n",
		{ MG_DNSBL_LISTED, MG_DNSBL_NOT_LISTED, MG_DNSBL_NOT_LISTED }, 60, false },
	{ "a list with several codes counts once", "192.0.2.1",
		"1.2.0.192.zen.spamhaus.org A 127.0.0.2\n1.2.0.192.zen.spamhaus.org A 127.0.0.4\n",
		{ MG_DNSBL_LISTED, MG_DNSBL_NOT_LISTED, MG_DNSBL_NOT_LISTED }, 60, false },
	{ "all", "192.0.2.1",
		"1.2.0.192.zen.spamhaus.org A 127.0.0.2\n1.2.0.192.bl.spamcop.net A 127.0.0.2\n"
		"1.2.0.192.list.dnswl.org A 127.0.5.2\n",
		{ MG_DNSBL_LISTED, MG_DNSBL_LISTED, MG_DNSBL_LISTED }, 50, false },
	{ "IPv6", "2001:db8::1",
		"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.zen.spamhaus.org A 127.0.0.3\n",
		{ MG_DNSBL_LISTED, MG_DNSBL_NOT_LISTED, MG_DNSBL_NOT_LISTED }, 60, false },
	{ "a public resolver", "192.0.2.1", "1.2.0.192.zen.spamhaus.org A 127.255.255.254\n",
		{ MG_DNSBL_ERROR, MG_DNSBL_NOT_LISTED, MG_DNSBL_NOT_LISTED }, 0, false },
	{ "an error beside a listing", "192.0.2.1",
		"1.2.0.192.zen.spamhaus.org A 127.0.0.2\n1.2.0.192.zen.spamhaus.org A 127.255.255.255\n",
		{ MG_DNSBL_ERROR, MG_DNSBL_NOT_LISTED, MG_DNSBL_NOT_LISTED }, 0, false },
	{ "127.0.0.1", "192.0.2.1", "1.2.0.192.bl.spamcop.net A 127.0.0.1\n",
		{ MG_DNSBL_NOT_LISTED, MG_DNSBL_ERROR, MG_DNSBL_NOT_LISTED }, 0, false },
	{ "a parked zone", "192.0.2.1", "1.2.0.192.bl.spamcop.net A 203.0.113.80\n",
		{ MG_DNSBL_NOT_LISTED, MG_DNSBL_ERROR, MG_DNSBL_NOT_LISTED }, 0, false },
	{ "an allowlist refuses", "192.0.2.1", "1.2.0.192.list.dnswl.org A 127.0.0.255\n",
		{ MG_DNSBL_NOT_LISTED, MG_DNSBL_NOT_LISTED, MG_DNSBL_ERROR }, 0, false },
	{ "no answer", "192.0.2.1", "1.2.0.192.zen.spamhaus.org TIMEOUT\n1.2.0.192.bl.spamcop.net A 127.0.0.2\n",
		{ MG_DNSBL_TROUBLE, MG_DNSBL_LISTED, MG_DNSBL_NOT_LISTED }, 30, true },
};

static void evaluate(const struct client_row *row, struct zone *zone, struct mg_dnsbl_zones *health)
{
	struct mg_lookup *lookup = zone_lookup(zone);
	const struct mg_dnsbl_output *output;
	struct mg_dnsbl *dnsbl;
	struct mg_arena arena;
	struct mg_ip ip;

	assert_true(mg_ip_parse(mg_str_z(row->ip), &ip));
	mg_arena_init(&arena, 32 * 1024);
	dnsbl = mg_dnsbl_new(&arena, &ip, lists, 3, health);
	assert_non_null(dnsbl);
	while (mg_dnsbl_step(dnsbl, lookup) == MG_STEP_WAIT)
		assert_true(zone_deliver(zone));
	output = mg_dnsbl_output(dnsbl);
	assert_int_equal(output->count, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(output->found[i].state, row->states[i]);
	assert_int_equal(output->score, row->score);
	assert_int_equal(output->is_incomplete, row->is_incomplete);
	mg_lookup_free(&lookup);
	mg_arena_fini(&arena);
}

static void the_lists_say(void **state)
{
	const struct client_row *row = *state;
	struct zone zone;

	zone_begin(&zone, row->zone);
	evaluate(row, &zone, NULL);
	zone.is_slow = true;
	evaluate(row, &zone, NULL);
	zone_end(&zone);
}

static void zones_are_asked_together(void **state)
{
	struct mg_lookup *lookup;
	struct mg_dnsbl *dnsbl;
	struct mg_arena arena;
	struct zone zone;
	struct mg_ip ip;

	(void)state;
	assert_true(mg_ip_parse(MG_STR("192.0.2.1"), &ip));
	zone_begin(&zone, "");
	zone.is_slow = true;
	lookup = zone_lookup(&zone);
	mg_arena_init(&arena, 32 * 1024);
	dnsbl = mg_dnsbl_new(&arena, &ip, lists, 3, NULL);
	assert_int_equal(mg_dnsbl_step(dnsbl, lookup), MG_STEP_WAIT);
	assert_int_equal(mg_lookup_pending(lookup), 3);
	mg_lookup_expire(lookup);
	assert_int_equal(mg_dnsbl_step(dnsbl, lookup), MG_STEP_DONE);
	assert_true(mg_dnsbl_output(dnsbl)->is_incomplete);
	mg_lookup_free(&lookup);
	mg_arena_fini(&arena);
	zone_end(&zone);
}

static void a_client_without_address_is_not_asked_for(void **state)
{
	const struct mg_ip none = { .family = MG_IP_NONE };
	struct mg_lookup *lookup;
	struct mg_dnsbl *dnsbl;
	struct mg_arena arena;
	struct zone zone;

	(void)state;
	zone_begin(&zone, "");
	lookup = zone_lookup(&zone);
	mg_arena_init(&arena, 32 * 1024);
	dnsbl = mg_dnsbl_new(&arena, &none, lists, 3, NULL);
	assert_int_equal(mg_dnsbl_step(dnsbl, lookup), MG_STEP_DONE);
	assert_int_equal(mg_dnsbl_output(dnsbl)->count, 0);
	assert_int_equal(zone.asked, 0);
	mg_lookup_free(&lookup);
	mg_arena_fini(&arena);
	zone_end(&zone);
}

static void codes_are_kept_up_to_a_bound(void **state)
{
	struct mg_lookup *lookup;
	struct mg_dnsbl *dnsbl;
	struct mg_arena arena;
	struct zone zone;
	struct mg_ip ip;

	(void)state;
	assert_true(mg_ip_parse(MG_STR("192.0.2.1"), &ip));
	zone_begin(&zone, "");
	for (unsigned i = 2; i < 40; i++) {
		char code[20];

		snprintf(code, sizeof code, "127.0.0.%u", i);
		zone_add(&zone, "1.2.0.192.zen.spamhaus.org", "A", code, strlen(code));
	}
	lookup = zone_lookup(&zone);
	mg_arena_init(&arena, 32 * 1024);
	dnsbl = mg_dnsbl_new(&arena, &ip, lists, 1, NULL);
	assert_int_equal(mg_dnsbl_step(dnsbl, lookup), MG_STEP_DONE);
	assert_int_equal(mg_dnsbl_output(dnsbl)->found[0].code_count, MG_DNSBL_CODES);
	assert_int_equal(mg_dnsbl_output(dnsbl)->found[0].codes[1].bytes[3], 3);
	mg_lookup_free(&lookup);
	mg_arena_fini(&arena);
	zone_end(&zone);
}

/* ---- the zones' health ---- */

struct health_row {
	const char *name, *zone;
	enum mg_dnsbl_health health;
	bool is_believed;
};
static const struct health_row health_rows[] = {
	{ "works", "2.0.0.127.zen.spamhaus.org A 127.0.0.2\n", MG_DNSBL_WORKS, true },
	{ "silent", "", MG_DNSBL_SILENT, false },
	{ "lists all", "2.0.0.127.zen.spamhaus.org A 127.0.0.2\n1.0.0.127.zen.spamhaus.org A 127.0.0.2\n",
		MG_DNSBL_LISTS_ALL, false },
	{ "lists all but its test point", "1.0.0.127.zen.spamhaus.org A 127.0.0.2\n", MG_DNSBL_LISTS_ALL, false },
	{ "parked", "2.0.0.127.zen.spamhaus.org A 203.0.113.80\n1.0.0.127.zen.spamhaus.org A 203.0.113.80\n",
		MG_DNSBL_LISTS_ALL, false },
	{ "refuses", "2.0.0.127.zen.spamhaus.org A 127.255.255.254\n1.0.0.127.zen.spamhaus.org A 127.255.255.254\n",
		MG_DNSBL_REFUSES_US, false },
	{ "refuses by 127.0.0.1", "2.0.0.127.zen.spamhaus.org A 127.0.0.1\n", MG_DNSBL_REFUSES_US, false },
	{ "no answer", "2.0.0.127.zen.spamhaus.org TIMEOUT\n", MG_DNSBL_NO_ANSWER, true },
	{ "half an answer", "2.0.0.127.zen.spamhaus.org A 127.0.0.2\n1.0.0.127.zen.spamhaus.org SERVFAIL\n",
		MG_DNSBL_NO_ANSWER, true },
};

static void test_zone(struct mg_dnsbl_zones *zones, struct zone *zone, const char *name, int64_t now_us)
{
	struct mg_lookup *lookup = zone_lookup(zone);
	struct mg_dnsbl_test *test;
	struct mg_arena arena;

	mg_arena_init(&arena, 8 * 1024);
	test = mg_dnsbl_test_new(&arena, name);
	assert_non_null(test);
	while (mg_dnsbl_test_step(test, lookup) == MG_STEP_WAIT)
		assert_true(zone_deliver(zone));
	mg_dnsbl_zones_note(zones, test, now_us);
	mg_lookup_free(&lookup);
	mg_arena_fini(&arena);
}

static void the_test_points_tell(void **state)
{
	const struct health_row *row = *state;
	struct mg_dnsbl_zones *zones = mg_dnsbl_zones_new();
	struct zone zone;
	int64_t since_us;

	zone_begin(&zone, row->zone);
	zone.is_slow = true;
	assert_int_equal(mg_dnsbl_zones_due_us(zones, "zen.spamhaus.org"), 0);
	test_zone(zones, &zone, "zen.spamhaus.org", 5 * MG_S_US);
	test_zone(zones, &zone, "ZEN.spamhaus.org", 9 * MG_S_US);
	assert_int_equal(mg_dnsbl_zones_health(zones, "zen.spamhaus.org", &since_us), row->health);
	assert_int_equal(since_us, 5 * MG_S_US);
	assert_int_equal(mg_dnsbl_zones_believes(zones, "zen.spamhaus.org"), row->is_believed);
	assert_int_equal(mg_dnsbl_zones_due_us(zones, "zen.spamhaus.org"),
		(9 + (row->health == MG_DNSBL_WORKS ? MG_DNSBL_TEST_EVERY_S : MG_DNSBL_TEST_AGAIN_S)) * MG_S_US);
	zone_end(&zone);
	mg_dnsbl_zones_free(&zones);
	assert_null(zones);
	mg_dnsbl_zones_free(&zones);
}

/* Muted is not asked; after a good test it counts again. */
static void a_broken_zone_is_muted_until_it_works(void **state)
{
	static const struct client_row muted = { "", "192.0.2.1", "",
		{ MG_DNSBL_MUTED, MG_DNSBL_NOT_LISTED, MG_DNSBL_NOT_LISTED }, 0, false };
	static const struct client_row listed = { "", "192.0.2.1", "",
		{ MG_DNSBL_LISTED, MG_DNSBL_NOT_LISTED, MG_DNSBL_NOT_LISTED }, 60, false };
	struct mg_dnsbl_zones *zones = mg_dnsbl_zones_new();
	struct zone broken, sound;

	(void)state;
	zone_begin(&broken, "1.2.0.192.zen.spamhaus.org A 127.0.0.2\n1.0.0.127.zen.spamhaus.org A 127.0.0.2\n");
	zone_begin(&sound, "1.2.0.192.zen.spamhaus.org A 127.0.0.2\n2.0.0.127.zen.spamhaus.org A 127.0.0.2\n");
	evaluate(&listed, &broken, zones);
	test_zone(zones, &broken, "zen.spamhaus.org", 1);
	broken.asked = 0;
	evaluate(&muted, &broken, zones);
	assert_int_equal(broken.asked, 2);
	test_zone(zones, &sound, "zen.spamhaus.org", 2);
	evaluate(&listed, &sound, zones);
	zone_end(&broken);
	zone_end(&sound);
	mg_dnsbl_zones_free(&zones);
}

static void an_error_in_a_clients_answer_mutes(void **state)
{
	struct mg_dnsbl_zones *zones = mg_dnsbl_zones_new();
	struct zone zone;

	(void)state;
	zone_begin(&zone, client_rows[5].zone);
	evaluate(&client_rows[5], &zone, zones);
	assert_int_equal(mg_dnsbl_zones_health(zones, "zen.spamhaus.org", NULL), MG_DNSBL_REFUSES_US);
	assert_false(mg_dnsbl_zones_believes(zones, "zen.spamhaus.org"));
	assert_true(mg_dnsbl_zones_believes(zones, "bl.spamcop.net"));
	assert_true(mg_dnsbl_zones_due_us(zones, "zen.spamhaus.org") <= mg_wall_us() + MG_DNSBL_TEST_AGAIN_S * MG_S_US);
	zone_end(&zone);
	mg_dnsbl_zones_free(&zones);
}

static void the_registry_is_bounded(void **state)
{
	struct mg_dnsbl_zones *zones = mg_dnsbl_zones_new();
	struct zone zone;
	char name[40];

	(void)state;
	zone_begin(&zone, "");
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "z%d.example", i);
		test_zone(zones, &zone, name, i + 1);
	}
	assert_int_equal(mg_dnsbl_zones_health(zones, "z999.example", NULL), MG_DNSBL_SILENT);
	assert_int_equal(mg_dnsbl_zones_health(zones, "z800.example", NULL), MG_DNSBL_SILENT);
	assert_int_equal(mg_dnsbl_zones_health(zones, "z0.example", NULL), MG_DNSBL_UNTESTED);
	assert_string_equal(mg_dnsbl_health_name(MG_DNSBL_SILENT), "silent");
	zone_end(&zone);
	mg_dnsbl_zones_free(&zones);
}

/* ---- words for people ---- */

struct shown_row {
	const char *name, *shown;
};
static const struct shown_row shown_rows[] = {
	{ "zen.spamhaus.org", "zen.spamhaus.org" },
	{ "abcd1234efgh5678ijklmnop.zen.dq.spamhaus.net", "KEY.zen.dq.spamhaus.net" },
	{ "abcdefghijklmno1.x", "KEY.x" },
	{ "abcdefghijklmn1.x", "abcdefghijklmn1.x" },
	{ "abcdefghijklmnopqrst.x", "abcdefghijklmnopqrst.x" },
	{ "abcdefghijklm-nopq1.x", "abcdefghijklm-nopq1.x" },
	{ "abcdefghijklmno1", "KEY" },
	{ "", "" },
	{ "a\r\nb.x", "a??b.x" },
};

static void a_key_is_not_shown(void **state)
{
	const struct shown_row *row = *state;
	char place[MG_DNSBL_SHOWN];

	assert_string_equal(mg_dnsbl_shown(row->name, place), row->shown);
}

struct meaning_row {
	const char *name, *zone, *code, *meaning;
};
static const struct meaning_row meaning_rows[] = {
	{ "SBL", "zen.spamhaus.org", "127.0.0.2", "a source of spam (SBL)" },
	{ "XBL", "xbl.spamhaus.org", "127.0.0.7", "an infected or hijacked machine (XBL)" },
	{ "PBL with a key", "abcd1234efgh5678.zen.dq.spamhaus.net", "127.0.0.11",
		"an address that should not send mail directly (PBL)" },
	{ "case", "ZEN.Spamhaus.ORG", "127.0.0.2", "a source of spam (SBL)" },
	{ "unknown code", "zen.spamhaus.org", "127.0.0.8", "" },
	{ "no code", "zen.spamhaus.org", "192.0.0.2", "" },
	{ "IPv6", "zen.spamhaus.org", "::1", "" },
	{ "unknown list", "bl.example", "127.0.0.2", "" },
	{ "only the end of a label", "notspamhaus.org", "127.0.0.2", "" },
	{ "SpamCop", "bl.spamcop.net", "127.0.0.2", "reported as a source of spam (SpamCop)" },
	{ "Barracuda", "b.barracudacentral.org", "127.0.0.2", "a source of spam (Barracuda)" },
	{ "PSBL", "psbl.surriel.com", "127.0.0.2", "has sent mail to a spam trap (PSBL)" },
	{ "Mailspike", "rep.mailspike.net", "127.0.0.20", "an excellent reputation (Mailspike)" },
	{ "UCEPROTECT", "dnsbl-2.uceprotect.net", "127.0.0.2", "in a network that sends spam (UCEPROTECT level 2)" },
	{ "dnswl", "list.dnswl.org", "127.0.11.3", "education, high trust (dnswl.org)" },
	{ "dnswl, no trust", "list.dnswl.org", "127.0.3.0", "email service provider, no trust (dnswl.org)" },
	{ "dnswl, unknown trust", "list.dnswl.org", "127.0.3.4", "" },
	{ "dnswl, unknown category", "list.dnswl.org", "127.0.19.1", "" },
};

static void a_code_means(void **state)
{
	const struct meaning_row *row = *state;
	struct mg_say meaning;
	struct mg_buf english;
	struct mg_ip code;

	assert_true(mg_ip_parse(mg_str_z(row->code), &code));
	meaning = mg_dnsbl_meaning(row->zone, &code);
	mg_buf_init(&english, MG_SAY_TEXT);
	mg_say_english(&english, &meaning);
	assert_string_equal(mg_buf_z(&english), row->meaning);
	mg_buf_fini(&english);
}

int main(void)
{
	static struct CMUnitTest tests[80];
	size_t n = 0;

	ADD_ROWS(tests, n, client_rows, the_lists_say);
	ADD_ROWS(tests, n, health_rows, the_test_points_tell);
	ADD_ROWS(tests, n, shown_rows, a_key_is_not_shown);
	ADD_ROWS(tests, n, meaning_rows, a_code_means);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(zones_are_asked_together);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_client_without_address_is_not_asked_for);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(codes_are_kept_up_to_a_bound);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_broken_zone_is_muted_until_it_works);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(an_error_in_a_clients_answer_mutes);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(the_registry_is_bounded);
	return _cmocka_run_group_tests("dnsbl", tests, n, NULL, NULL);
}
