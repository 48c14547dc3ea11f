#include "rows.h"

#include <stdio.h>
#include <string.h>

#include "guard/ban.h"
#include "guard/plan.h"
#include "guard_kit.h"
#include "postfix_kit.h"

/* ---- what people write ---- */

struct word_row {
	const char *name; /* as it is written */
	enum mg_ban_kind kind;
	const char *what; /* NULL: refused */
};
static const struct word_row word_rows[] = {
	{ "192.0.2.1", MG_BAN_CLIENT, "192.0.2.1" },
	{ "192.0.2.1/32", MG_BAN_CLIENT, "192.0.2.1" },
	{ "192.0.2.0/24", MG_BAN_CLIENT, "192.0.2.0/24" },
	{ "10.0.0.0/8", MG_BAN_CLIENT, "10.0.0.0/8" },
	{ "client:192.0.2.1", MG_BAN_CLIENT, "192.0.2.1" },
	{ "2001:DB8::/32", MG_BAN_CLIENT, "2001:db8::/32" },
	{ "[2001:db8::1]", MG_BAN_CLIENT, "2001:db8::1" },
	{ "::ffff:192.0.2.1", MG_BAN_CLIENT, "192.0.2.1" },
	{ "user:Ann", MG_BAN_LOGIN, "ann" },
	{ "user:Ann@Example.org", MG_BAN_LOGIN, "ann@example.org" },
	{ "X+tag@spam.Example.", MG_BAN_SENDER, "x@spam.example" },
	{ "sender:x@spam.example", MG_BAN_SENDER, "x@spam.example" },
	{ "@Spam.Example", MG_BAN_DOMAIN, "spam.example" },
	{ "spam.example.", MG_BAN_DOMAIN, "spam.example" },
	{ "domain:spam", MG_BAN_DOMAIN, "spam" },
	{ "user:a%n\x01", 0, NULL },
	{ "", 0, NULL },
	{ "ann", 0, NULL },
	{ "user:", 0, NULL },
	{ "@", 0, NULL },
	{ "sender:ann", 0, NULL },
	{ "client:ann", 0, NULL },
	{ "192.0.2.1/24", 0, NULL },
	{ "192.0.2.0/33", 0, NULL },
	{ "0.0.0.0/0", 0, NULL },
	{ "10.0.0.0/7", 0, NULL },
	{ "2000::/15", 0, NULL },
	{ "127.0.0.1", 0, NULL },
	{ "127.0.0.0/8", 0, NULL },
	{ "::1", 0, NULL },
	{ "::/64", 0, NULL },
	{ "domain:a@b", 0, NULL },
	{ "domain:a/b", 0, NULL },
	{ "spam example", 0, NULL },
	{ "spam.example\n", 0, NULL },
};

static void a_word_is_understood_or_refused_with_a_sentence(void **state)
{
	const struct word_row *row = *state;
	struct mg_err err = { "" };
	struct mg_ban ban;
	enum mg_rc rc = mg_ban_parse(mg_str_z(row->name), &ban, &err);

	assert_int_equal(rc, row->what == NULL ? MG_ESYNTAX : MG_OK);
	assert_int_equal(err.text[0] != '\0', row->what == NULL);
	if (row->what == NULL)
		return;
	assert_int_equal(ban.kind, row->kind);
	assert_string_equal(ban.what, row->what);
	assert_int_equal(ban.left_s, -1);
}

/* ---- who is shut out ---- */

static struct mg_state *begin(void)
{
	struct mg_state_plan plan = mg_guard_plan(1024);

	plan.clock = kit_plan(16).clock;
	kit_mono_is(0);
	return kit_open(&plan);
}

static void add(struct mg_state *state, const char *what, int64_t left_s)
{
	struct mg_ban ban;

	assert_int_equal(mg_ban_parse(mg_str_z(what), &ban, NULL), MG_OK);
	ban.left_s = left_s;
	assert_int_equal(mg_ban_add(state, &ban, NULL), MG_OK);
}

static bool finds(struct mg_state *state, const char *client, const char *user, const char *sender)
{
	struct mg_ban_facts facts = { kit_ip(client), mg_str_z(user), mg_str_z(sender) };
	struct mg_ban ban;

	return mg_ban_find(state, &facts, &ban);
}

struct find_row {
	const char *name, *ban, *client, *user, *sender;
	bool is_found;
};
static const struct find_row find_rows[] = {
	{ "nobody is", "192.0.2.1", "192.0.2.2", "", "", false },
	{ "a client without an address", "192.0.2.1", "", "", "", false },
	{ "a domain's own sender", "@spam.example", "", "", "x@spam.example", true },
	{ "below the domain", "@spam.example", "", "", "x@a.b.spam.example", true },
	{ "beside the domain", "@spam.example", "", "", "x@notspam.example", false },
	{ "above the domain", "@spam.example", "", "", "x@example", false },
	{ "another sender of the domain", "x@spam.example", "", "", "y@spam.example", false },
	{ "a sender with a tag", "x@spam.example", "", "", "X+1@SPAM.example", true },
	{ "a login is no sender", "user:x@spam.example", "", "", "x@spam.example", false },
	{ "a login", "user:x@spam.example", "", "X@spam.example", "", true },
};

static void bans_fit_whom_they_name(void **state)
{
	const struct find_row *row = *state;
	struct mg_state *guards = begin();

	assert_false(finds(guards, row->client, row->user, row->sender));
	add(guards, row->ban, -1);
	assert_int_equal(finds(guards, row->client, row->user, row->sender), row->is_found);
	kit_close(&guards);
}

/* Every prefix length shuts out its first and last address and neither neighbour. */
static void networks_of_every_length(void **state)
{
	static const struct {
		enum mg_ip_family family;
		unsigned least, most;
	} families[] = { { MG_IP_V4, 8, 32 }, { MG_IP_V6, 16, 128 } };

	(void)state;
	for (size_t f = 0; f < ROWS(families); f++)
		for (unsigned bits = families[f].least; bits <= families[f].most; bits++) {
			struct mg_state *guards = begin();
			struct mg_ip first = { .family = families[f].family }, last, beyond;
			struct mg_ban_facts facts = { .client = first };
			char ip[MG_IP_TEXT], what[80];
			struct mg_ban ban;

			for (unsigned bit = 1; bit < bits; bit += 2)
				first.bytes[bit / 8] |= (unsigned char)(0x80U >> bit % 8);
			last = beyond = first;
			for (unsigned bit = bits; bit < families[f].most; bit++)
				last.bytes[bit / 8] |= (unsigned char)(0x80U >> bit % 8);
			beyond.bytes[(bits - 1) / 8] ^= (unsigned char)(0x80U >> (bits - 1) % 8);
			snprintf(what, sizeof what, "%s/%u", mg_ip_text(&first, ip, sizeof ip), bits);
			add(guards, what, -1);
			facts.client = first;
			assert_true(mg_ban_find(guards, &facts, &ban));
			facts.client = last;
			assert_true(mg_ban_find(guards, &facts, &ban));
			facts.client = beyond;
			assert_false(mg_ban_find(guards, &facts, &ban));
			kit_close(&guards);
		}
}

static void a_ban_ends_and_can_be_renewed_and_removed(void **state)
{
	struct mg_state *guards = begin();
	struct mg_ban ban;

	(void)state;
	kit_mono_is(KIT_S);
	add(guards, "192.0.2.1", 60);
	assert_true(finds(guards, "192.0.2.1", "", ""));
	kit_mono_is(61 * KIT_S);
	assert_false(finds(guards, "192.0.2.1", "", ""));
	assert_int_equal(mg_ban_parse(MG_STR("192.0.2.1"), &ban, NULL), MG_OK);
	assert_false(mg_ban_remove(guards, &ban));
	add(guards, "192.0.2.1", 60);
	assert_true(finds(guards, "192.0.2.1", "", ""));
	assert_true(mg_ban_remove(guards, &ban));
	assert_false(mg_ban_remove(guards, &ban));
	assert_false(finds(guards, "192.0.2.1", "", ""));
	kit_close(&guards);
}

static bool count(void *context, const struct mg_ban *ban)
{
	assert_int_equal(ban->kind, MG_BAN_DOMAIN);
	++*(unsigned *)context;
	return true;
}

static bool stop(void *context, const struct mg_ban *ban)
{
	(void)ban;
	++*(unsigned *)context;
	return false;
}

static void fill(struct mg_state *state, int64_t left_s)
{
	char what[40];

	for (int i = 0; i < MG_BANS; i++) {
		snprintf(what, sizeof what, "@d%d.example", i);
		add(state, what, left_s);
	}
}

static void a_full_list_takes_no_more_and_loses_none(void **state)
{
	struct mg_state *guards = begin();
	struct mg_err err = { "" };
	struct mg_ban ban;
	unsigned n = 0;
	char sender[60];

	(void)state;
	fill(guards, -1);
	assert_int_equal(mg_ban_parse(MG_STR("@more.example"), &ban, NULL), MG_OK);
	assert_int_equal(mg_ban_add(guards, &ban, &err), MG_EFULL);
	assert_true(err.text[0] != '\0');
	add(guards, "@d7.example", 60); /* one that is there can still be changed */
	mg_ban_list(guards, count, &n);
	assert_int_equal(n, MG_BANS);
	for (int i = 0; i < MG_BANS; i++) {
		snprintf(sender, sizeof sender, "x@d%d.example", i);
		assert_true(finds(guards, "", "", sender));
	}
	n = 0;
	mg_ban_list(guards, stop, &n);
	assert_int_equal(n, 1);
	kit_close(&guards);
}

static void expired_bans_make_room(void **state)
{
	struct mg_state *guards = begin();
	unsigned n = 0;

	(void)state;
	fill(guards, 60);
	kit_mono_is(61 * KIT_S);
	add(guards, "@more.example", -1);
	assert_true(finds(guards, "", "", "x@more.example"));
	mg_ban_list(guards, count, &n);
	assert_int_equal(n, 1);
	kit_close(&guards);
}

int main(void)
{
	static struct CMUnitTest tests[80];
	size_t n = 0;

	ADD_ROWS(tests, n, word_rows, a_word_is_understood_or_refused_with_a_sentence);
	ADD_ROWS(tests, n, find_rows, bans_fit_whom_they_name);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(networks_of_every_length);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_ban_ends_and_can_be_renewed_and_removed);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_full_list_takes_no_more_and_loses_none);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(expired_bans_make_room);
	return _cmocka_run_group_tests("ban", tests, n, NULL, NULL);
}
