#include "rows.h"

#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/escape.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/ip.h"
#include "base/say.h"

struct ip_row {
	const char *name, *text, *canonical; /* canonical NULL: refused */
	bool is_loopback, is_private;
};
static const struct ip_row ip_rows[] = {
	{ "v4", "192.0.2.1", "192.0.2.1", false, false },
	{ "v6", "2001:db8::1", "2001:db8::1", false, false },
	{ "v6 as a milter sees it", "IPv6:2001:db8::1", "2001:db8::1", false, false },
	{ "v4 mapped is v4", "::ffff:192.0.2.1", "192.0.2.1", false, false },
	{ "brackets", "[127.0.0.1]", "127.0.0.1", true, false },
	{ "v6 loopback", "::1", "::1", true, false },
	{ "private 10/8", "10.255.0.1", "10.255.0.1", false, true },
	{ "just outside 172.16/12", "172.32.0.1", "172.32.0.1", false, false },
	{ "unique local", "fd00::1", "fd00::1", false, true },
	{ "link local", "fe80::1", "fe80::1", false, true },
	{ "empty", "", NULL, false, false },
	{ "a name", "localhost", NULL, false, false },
	{ "too long", "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0001", NULL, false, false },
	{ "leading zeros are no octal", "192.0.2.010", NULL, false, false },
};

static void an_address_is_read(void **state)
{
	const struct ip_row *row = *state;
	struct mg_ip ip = { 0 };
	char text[MG_IP_TEXT];

	assert_int_equal(mg_ip_parse(mg_str_z(row->text), &ip), row->canonical != NULL);
	if (row->canonical == NULL)
		return;
	assert_string_equal(mg_ip_text(&ip, text, sizeof text), row->canonical);
	assert_int_equal(mg_ip_is_loopback(&ip), row->is_loopback);
	assert_int_equal(mg_ip_is_private(&ip), row->is_private);
}

struct net_row {
	const char *name, *net, *inside, *outside; /* inside NULL: refused */
};
static const struct net_row net_rows[] = {
	{ "v4 /24", "192.0.2.0/24", "192.0.2.255", "192.0.3.0" },
	{ "v4 /23", "192.0.2.0/23", "192.0.3.1", "192.0.4.1" },
	{ "v4 /0", "0.0.0.0/0", "203.0.113.9", "2001:db8::1" },
	{ "a bare address", "192.0.2.7", "192.0.2.7", "192.0.2.8" },
	{ "v6 /33", "2001:db8:8000::/33", "2001:db8:ffff::1", "2001:db8:7fff::1" },
	{ "Postfix's brackets", "[2001:db8::]/32", "2001:db8:1::1", "2001:db9::1" },
	{ "host bits", "192.0.2.1/24", NULL, NULL },
	{ "too many bits", "192.0.2.0/33", NULL, NULL },
	{ "no bits", "192.0.2.0/", NULL, NULL },
};

static void a_network_contains_its_own(void **state)
{
	const struct net_row *row = *state;
	struct mg_net net;
	struct mg_ip ip;

	assert_int_equal(mg_net_parse(mg_str_z(row->net), &net), row->inside != NULL);
	if (row->inside == NULL)
		return;
	assert_true(mg_ip_parse(mg_str_z(row->inside), &ip));
	assert_true(mg_net_contains(&net, &ip));
	assert_true(mg_ip_parse(mg_str_z(row->outside), &ip));
	assert_false(mg_net_contains(&net, &ip));
}

struct escape_row {
	const char *name, *text, *quoted, *terminal, *json;
};
static const struct escape_row escape_rows[] = {
	{ "plain", "a b", "a b", "a b", "a b" },
	{ "a line end", "a\r\nb", "a\\x0d\\x0ab", "a??b", "a\r\nb" },
	{ "an escape sequence", "\033[2J", "\\x1b[2J", "?[2J", "\033[2J" },
	{ "quotes", "a\"\\b", "a\\\"\\\\b", "a\"\\b", "a\"\\b" },
	{ "UTF-8 stays", "ñ€😀", "ñ€😀", "ñ€😀", "ñ€😀" },
	{ "C1 control as UTF-8", "\xc2\x9b", "\\xc2\\x9b", "?", "\xc2\x9b" },
	{ "right-to-left override", "\xe2\x80\xae", "\\xe2\\x80\\xae", "?", "\xe2\x80\xae" },
	{ "Latin-1", "\xf1", "\\xf1", "\xef\xbf\xbd", "\xef\xbf\xbd" },
	{ "overlong", "\xc0\xaf", "\\xc0\\xaf", "\xef\xbf\xbd\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbd" },
	{ "surrogate", "\xed\xa0\x80", "\\xed\\xa0\\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
		"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
	{ "cut sequence", "\xe2\x82", "\\xe2\\x82", "\xef\xbf\xbd\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbd" },
};

static void hostile_text_is_made_harmless(void **state)
{
	const struct escape_row *row = *state;
	struct mg_buf out;

	mg_buf_init(&out, 1000);
	mg_escape_quoted(&out, mg_str_z(row->text), 500);
	assert_string_equal(mg_buf_z(&out), row->quoted);
	mg_buf_reset(&out);
	mg_escape_terminal(&out, mg_str_z(row->text), 500);
	assert_string_equal(mg_buf_z(&out), row->terminal);
	mg_buf_reset(&out);
	mg_utf8_clean(&out, mg_str_z(row->text), 500);
	assert_string_equal(mg_buf_z(&out), row->json);
	mg_buf_fini(&out);
}

static void a_long_text_is_cut_and_says_so(void **state)
{
	struct mg_buf out;

	(void)state;
	mg_buf_init(&out, 1000);
	mg_escape_quoted(&out, MG_STR("0123456789"), 6);
	assert_string_equal(mg_buf_z(&out), "012...");
	mg_buf_reset(&out);
	mg_escape_terminal(&out, MG_STR("0123456789"), 4);
	assert_string_equal(mg_buf_z(&out), "0123…");
	mg_buf_fini(&out);
}

static void a_buffer_keeps_its_ceiling(void **state)
{
	struct mg_buf buf;

	(void)state;
	mg_buf_init(&buf, 5);
	mg_buf_addz(&buf, "abc");
	mg_buf_addf(&buf, "%d", 1234);
	assert_false(mg_buf_ok(&buf));
	assert_string_equal(mg_buf_z(&buf), "abc");
	mg_buf_addz(&buf, "d"); /* once full, nothing more: no holes in the middle */
	assert_string_equal(mg_buf_z(&buf), "abc");
	mg_buf_reset(&buf);
	mg_buf_addz(&buf, "abcde");
	assert_true(mg_buf_ok(&buf));
	mg_buf_drop(&buf, 2);
	assert_string_equal(mg_buf_z(&buf), "cde");
	mg_buf_fini(&buf);
}

static void an_arena_keeps_its_ceiling(void **state)
{
	struct mg_arena arena;
	size_t pieces = 0;

	(void)state;
	mg_arena_init(&arena, 64 * 1024);
	while (mg_arena_take(&arena, 1000) != NULL)
		pieces++;
	assert_in_range(pieces, 20, 64);
	assert_true(arena.used <= 64 * 1024);
	assert_null(mg_arena_take(&arena, SIZE_MAX - 3));
	while (mg_arena_take(&arena, 1) != NULL)
		pieces++;
	assert_string_equal(mg_arena_text(&arena, MG_STR("no room"), 100000), "");
	mg_arena_fini(&arena);
	mg_arena_init(&arena, 64 * 1024);
	assert_string_equal(mg_arena_text(&arena, mg_str_of("a\0b", 3), 10), "a");
	assert_string_equal(mg_arena_text(&arena, MG_STR("abcdef"), 3), "abc");
	mg_arena_fini(&arena);
}

/* The first vectors of the reference implementation, under the zero key they are not: only the shape is checked here. */
static void the_keyed_hash_depends_on_every_byte(void **state)
{
	(void)state;
	assert_true(mg_hash_keyed(MG_STR("")) != mg_hash_keyed(mg_str_of("\0", 1)));
	assert_true(mg_hash_keyed(MG_STR("abcdefgh")) != mg_hash_keyed(MG_STR("abcdefgi")));
	assert_true(mg_hash_keyed(MG_STR("abcdefghi")) != mg_hash_keyed(MG_STR("abcdefgh")));
	/* SipHash-2-4 of the empty text under the zero key. */
	assert_true(mg_hash_keyed(MG_STR("")) == 0x1e924b9d737700d7);
}

struct duration_row {
	const char *name, *text;
	int64_t seconds; /* -1: refused */
};
static const struct duration_row duration_rows[] = {
	{ "seconds", "90s", 90 },
	{ "minutes", "5m", 300 },
	{ "hours", "1h", 3600 },
	{ "days", "30d", 30 * 86400 },
	{ "no unit", "5", -1 },
	{ "two units", "1h5m", -1 },
	{ "negative", "-1h", -1 },
	{ "too much", "99999999999999999999s", -1 },
	{ "beyond the range by its unit", "1000000d", -1 },
};

static void a_duration_is_read(void **state)
{
	const struct duration_row *row = *state;
	uint64_t seconds = 0;

	assert_int_equal(mg_str_to_seconds(mg_str_z(row->text), 86400 * 1000, &seconds), row->seconds >= 0);
	if (row->seconds >= 0)
		assert_int_equal(seconds, row->seconds);
}

static void readers_advance_only_on_success(void **state)
{
	struct mg_str rest = MG_STR("  one,two"), word;
	uint64_t number = 7;

	(void)state;
	assert_true(mg_read_word(&rest, " ,", &word));
	assert_true(mg_str_eq(word, MG_STR("one")));
	assert_false(mg_read_u64(&rest, 10, &number));
	assert_int_equal(number, 7);
	assert_true(mg_str_eq(rest, MG_STR(",two")));
	rest = MG_STR("18446744073709551616");
	assert_false(mg_read_u64(&rest, UINT64_MAX, &number));
	rest = MG_STR("18446744073709551615");
	assert_true(mg_read_u64(&rest, UINT64_MAX, &number));
	rest = MG_STR("11");
	assert_false(mg_read_u64(&rest, 10, &number));
}

struct endpoint_row {
	const char *name, *text;
	enum mg_rc rc;
};
static const struct endpoint_row endpoint_rows[] = {
	{ "unix", "unix:/run/x.sock", MG_OK },
	{ "inet", "inet:127.0.0.1:9619", MG_OK },
	{ "inet v6", "inet:[::1]:9619", MG_OK },
	{ "off", "", MG_ENOENT },
	{ "relative path", "unix:x.sock", MG_ESYNTAX },
	{ "a name", "inet:localhost:9619", MG_ESYNTAX },
	{ "no port", "inet:127.0.0.1", MG_ESYNTAX },
	{ "port too large", "inet:127.0.0.1:65536", MG_ESYNTAX },
	{ "no family", "/run/x.sock", MG_ESYNTAX },
	{ "path too long",
		"unix:/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		MG_ERANGE },
};

static void an_endpoint_is_read(void **state)
{
	const struct endpoint_row *row = *state;
	struct mg_endpoint endpoint;
	struct mg_err err = { "" };

	assert_int_equal(mg_endpoint_parse(mg_str_z(row->text), &endpoint, &err), row->rc);
	assert_int_equal(err.text[0] != '\0', row->rc != MG_OK);
}

static void a_sentence_is_filled_in_and_travels(void **state)
{
	struct mg_say say = MG_SAY("%2 is %1 at 5%%, %3.", "full", "the disk\n");
	struct mg_buf text;
	json_t *json;

	(void)state;
	mg_buf_init(&text, 1000);
	mg_say_english(&text, &say);
	assert_string_equal(mg_buf_z(&text), "the disk\n is full at 5%, .");
	mg_buf_reset(&text);
	json = mg_say_json(&say);
	mg_say_local_json(&text, json);
	assert_string_equal(mg_buf_z(&text), "the disk\n is full at 5%, .");
	json_decref(json);
	mg_buf_reset(&text);
	say = (struct mg_say){ 0 };
	mg_say_local(&text, &say);
	assert_string_equal(mg_buf_z(&text), "");
	mg_buf_fini(&text);
}

static void an_error_sentence_is_one_line(void **state)
{
	struct mg_err err = { "" };

	(void)state;
	assert_int_equal(mg_err_set(&err, MG_EIO, "bad\nthing \033[1m"), MG_EIO);
	assert_string_equal(err.text, "bad?thing ?[1m");
	assert_int_equal(mg_err_set(NULL, MG_EIO, "nobody listens"), MG_EIO);
}

int main(void)
{
	static struct CMUnitTest tests[100];
	size_t n = 0;

	ADD_ROWS(tests, n, ip_rows, an_address_is_read);
	ADD_ROWS(tests, n, net_rows, a_network_contains_its_own);
	ADD_ROWS(tests, n, escape_rows, hostile_text_is_made_harmless);
	ADD_ROWS(tests, n, duration_rows, a_duration_is_read);
	ADD_ROWS(tests, n, endpoint_rows, an_endpoint_is_read);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_long_text_is_cut_and_says_so);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_buffer_keeps_its_ceiling);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(an_arena_keeps_its_ceiling);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(the_keyed_hash_depends_on_every_byte);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(readers_advance_only_on_success);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_sentence_is_filled_in_and_travels);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(an_error_sentence_is_one_line);
	return _cmocka_run_group_tests("base", tests, n, NULL, NULL);
}
