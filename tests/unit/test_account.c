#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guard/account.h"
#include "guard/plan.h"
#include "guard_kit.h"
#include "postfix_kit.h"

#define HOUR (3600 * KIT_S)
#define DAY  (24 * HOUR)

static const struct mg_conf *defaults;

struct fixture {
	struct mg_state *state;
	struct mg_conf conf; /* a copy whose abuse.* a test changes */
};

static struct fixture begin(void)
{
	struct mg_state_plan plan = mg_guard_plan(1024);
	struct fixture f = { .conf = *defaults };

	plan.clock = kit_plan(16).clock;
	kit_mono_is(0);
	f.state = kit_open(&plan);
	kit_mono_is(100 * DAY); /* hours begin here */
	f.conf.abuse.action = MG_ABUSE_TEMPFAIL;
	f.conf.abuse.score = 3;
	f.conf.abuse.expire_s = 86400;
	return f;
}

static void login(struct fixture *f, unsigned net)
{
	char text[32];
	struct mg_ip ip;

	snprintf(text, sizeof text, "198.%u.100.7", net);
	ip = kit_ip(text);
	mg_account_login(f->state, MG_STR("Ann"), &ip);
}

static void fail_from(struct fixture *f, unsigned net, unsigned times)
{
	char text[32];
	struct mg_ip ip;

	snprintf(text, sizeof text, "198.%u.100.7", net);
	ip = kit_ip(text);
	for (unsigned i = 0; i < times; i++)
		mg_account_failure(f->state, MG_STR("ann"), &ip);
}

static void recipients(struct fixture *f, unsigned fresh, unsigned known, unsigned invalid)
{
	for (unsigned i = 0; i < known; i++)
		mg_account_recipient(f->state, MG_STR("ann"), false, false);
	for (unsigned i = 0; i < invalid; i++)
		mg_account_recipient(f->state, MG_STR("ann"), false, true);
	for (unsigned i = 0; i < fresh; i++)
		mg_account_recipient(f->state, MG_STR("ann"), true, false);
}

static void messages(struct fixture *f, unsigned foreign)
{
	for (unsigned i = 0; i < foreign; i++)
		mg_account_message(f->state, MG_STR("ann"), true);
}

static void outcomes(struct fixture *f, uint32_t all, uint32_t undelivered, uint32_t invalid)
{
	mg_account_outcomes(f->state, MG_STR("ann"), &(struct mg_account_outcomes){ all, undelivered, invalid });
}

/* Moves on from `at` by `ns`. */
static int64_t later(int64_t *at, int64_t ns)
{
	kit_mono_is(*at += ns);
	return *at;
}

static struct mg_account_view view_of(struct fixture *f)
{
	struct mg_account_view view;

	assert_true(mg_account_look(f->state, &f->conf, MG_STR("ANN"), &view));
	return view;
}

/* ---- each sign at its threshold, and just below ---- */

static void networks_3(struct fixture *f)
{
	for (unsigned i = 0; i < 3; i++)
		login(f, i);
}
static void networks_4(struct fixture *f)
{
	for (unsigned i = 0; i < 4; i++)
		login(f, i);
}
static void networks_own(struct fixture *f, unsigned own)
{
	int64_t at = 100 * DAY;

	for (unsigned i = 0; i < own; i++)
		login(f, i), later(&at, 2 * HOUR);
	later(&at, DAY);
	for (unsigned i = 0; i < 4; i++)
		login(f, i);
}
static void networks_2_new(struct fixture *f)
{
	networks_own(f, 2);
}
static void networks_1_new(struct fixture *f)
{
	networks_own(f, 3);
}
static void networks_slowly(struct fixture *f)
{
	int64_t at = 100 * DAY;

	for (unsigned i = 0; i < 4; i++)
		login(f, i), later(&at, HOUR / 2);
}
static void networks_one_16(struct fixture *f)
{
	for (int i = 0; i < 9; i++) {
		char text[32];
		struct mg_ip ip;

		snprintf(text, sizeof text, "198.51.%d.7", i);
		ip = kit_ip(text);
		mg_account_login(f->state, MG_STR("ann"), &ip);
	}
}
static void aged(struct fixture *f, int64_t ns)
{
	int64_t at = 100 * DAY;

	recipients(f, 0, 1, 0);
	later(&at, ns);
}
static void fresh_30(struct fixture *f)
{
	aged(f, 3 * DAY);
	recipients(f, 30, 0, 0);
}
static void fresh_29(struct fixture *f)
{
	aged(f, 3 * DAY);
	recipients(f, 29, 0, 0);
}
static void fresh_too_new(struct fixture *f)
{
	aged(f, 3 * DAY - HOUR);
	recipients(f, 40, 0, 0);
}
static void fresh_4_in_5(struct fixture *f)
{
	aged(f, 3 * DAY);
	recipients(f, 32, 8, 0);
}
static void fresh_fewer(struct fixture *f)
{
	aged(f, 3 * DAY);
	recipients(f, 32, 9, 0);
}
static void invalid_10(struct fixture *f)
{
	recipients(f, 0, 40, 10);
}
static void invalid_of_49(struct fixture *f)
{
	recipients(f, 0, 39, 10);
}
static void invalid_9(struct fixture *f)
{
	recipients(f, 0, 41, 9);
}
static void invalid_told(struct fixture *f)
{
	recipients(f, 0, 1, 0);
	outcomes(f, 50, 0, 10);
}
static void invalid_told_9(struct fixture *f)
{
	recipients(f, 0, 1, 0);
	outcomes(f, 50, 0, 9);
}
static void undelivered_17(struct fixture *f)
{
	recipients(f, 0, 1, 0);
	outcomes(f, 51, 17, 0);
}
static void undelivered_16(struct fixture *f)
{
	recipients(f, 0, 1, 0);
	outcomes(f, 51, 16, 0);
}
static void undelivered_of_49(struct fixture *f)
{
	recipients(f, 0, 1, 0);
	outcomes(f, 49, 49, 0);
}
static void undelivered_once(struct fixture *f)
{
	int64_t at = 100 * DAY;

	recipients(f, 0, 1, 0);
	outcomes(f, 51, 17, 0);
	later(&at, 2 * DAY); /* the record speaks of it no longer */
	recipients(f, 0, 1, 0);
}
static void from_3(struct fixture *f)
{
	messages(f, 3);
}
static void from_2(struct fixture *f)
{
	messages(f, 2);
	mg_account_message(f->state, MG_STR("ann"), false);
}
static void volume(struct fixture *f, unsigned hours, unsigned each, unsigned last)
{
	int64_t at = 100 * DAY;

	for (unsigned i = 0; i < hours; i++)
		recipients(f, 0, each, 0), later(&at, 2 * HOUR);
	recipients(f, 0, last, 0);
}
static void volume_100(struct fixture *f)
{
	volume(f, 5, 10, 100);
}
static void volume_99(struct fixture *f)
{
	volume(f, 5, 1, 99);
}
static void volume_custom(struct fixture *f)
{
	volume(f, 5, 11, 109);
}
static void volume_no_history(struct fixture *f)
{
	volume(f, 4, 1, 200);
}
static void guessed_10(struct fixture *f)
{
	login(f, 1);
	fail_from(f, 2, 10);
	login(f, 3);
}
static void guessed_9(struct fixture *f)
{
	login(f, 1);
	fail_from(f, 2, 9);
	login(f, 3);
}
static void guessed_own(struct fixture *f)
{
	int64_t at = 100 * DAY;

	login(f, 1);
	later(&at, DAY);
	fail_from(f, 1, 50);
	login(f, 3);
}
static void guessed_login_own(struct fixture *f)
{
	int64_t at = 100 * DAY;

	login(f, 1);
	later(&at, DAY);
	fail_from(f, 2, 50);
	login(f, 1);
}

struct sign_row {
	const char *name;
	void (*happens)(struct fixture *f);
	int sign;
	uint32_t number; /* 0: not raised */
};
static const struct sign_row sign_rows[] = {
	{ "3 networks", networks_3, MG_SIGN_NETWORKS, 0 },
	{ "4 networks", networks_4, MG_SIGN_NETWORKS, 4 },
	{ "4 networks, 2 its own", networks_2_new, MG_SIGN_NETWORKS, 4 },
	{ "4 networks, 3 its own", networks_1_new, MG_SIGN_NETWORKS, 0 },
	{ "4 networks within two hours", networks_slowly, MG_SIGN_NETWORKS, 0 },
	{ "9 addresses of one network", networks_one_16, MG_SIGN_NETWORKS, 0 },
	{ "30 fresh", fresh_30, MG_SIGN_FRESH, 30 },
	{ "29 fresh", fresh_29, MG_SIGN_FRESH, 0 },
	{ "fresh, known for less than 3 days", fresh_too_new, MG_SIGN_FRESH, 0 },
	{ "fresh, four in five", fresh_4_in_5, MG_SIGN_FRESH, 32 },
	{ "fresh, fewer than four in five", fresh_fewer, MG_SIGN_FRESH, 0 },
	{ "10 of 50 invalid", invalid_10, MG_SIGN_INVALID, 10 },
	{ "10 of 49 invalid", invalid_of_49, MG_SIGN_INVALID, 0 },
	{ "9 of 50 invalid", invalid_9, MG_SIGN_INVALID, 0 },
	{ "10 of 50 invalid, as the record tells", invalid_told, MG_SIGN_INVALID, 10 },
	{ "9 of 50 invalid, as the record tells", invalid_told_9, MG_SIGN_INVALID, 0 },
	{ "17 of 51 undelivered", undelivered_17, MG_SIGN_UNDELIVERED, 17 },
	{ "16 of 51 undelivered", undelivered_16, MG_SIGN_UNDELIVERED, 0 },
	{ "49 of 49 undelivered", undelivered_of_49, MG_SIGN_UNDELIVERED, 0 },
	{ "undelivered two days ago", undelivered_once, MG_SIGN_UNDELIVERED, 0 },
	{ "3 with a foreign From", from_3, MG_SIGN_FROM, 3 },
	{ "2 with a foreign From", from_2, MG_SIGN_FROM, 0 },
	{ "100 recipients, ten times its custom", volume_100, MG_SIGN_VOLUME, 100 },
	{ "99 recipients", volume_99, MG_SIGN_VOLUME, 0 },
	{ "less than ten times its custom", volume_custom, MG_SIGN_VOLUME, 0 },
	{ "no custom known", volume_no_history, MG_SIGN_VOLUME, 0 },
	{ "10 failures, then a login", guessed_10, MG_SIGN_GUESSED, 10 },
	{ "9 failures, then a login", guessed_9, MG_SIGN_GUESSED, 0 },
	{ "failures from its own network", guessed_own, MG_SIGN_GUESSED, 0 },
	{ "failures, then a login from its own network", guessed_login_own, MG_SIGN_GUESSED, 0 },
};

static void a_sign_is_raised_at_its_threshold(void **state)
{
	const struct sign_row *row = *state;
	struct fixture f = begin();
	struct mg_account_view view;

	row->happens(&f);
	view = view_of(&f);
	assert_int_equal(view.is_raised[row->sign], row->number > 0);
	assert_int_equal(view.number[row->sign], row->number);
	if (row->number > 0)
		assert_int_equal(
			view.expires_s[row->sign], f.conf.abuse.expire_s + 1 - (uint64_t)view.since_s[row->sign]);
	kit_close(&f.state);
}

/* ---- the ladder ---- */

struct ladder_row {
	const char *name;
	enum mg_abuse_action action;
	uint64_t score;
	unsigned signs;
	enum mg_account_rung rung;
	int64_t ends_s; /* the signs are of 0, 1 and 2 hours ago */
};
static const struct ladder_row ladder_rows[] = {
	{ "off", MG_ABUSE_OFF, 1, 3, MG_ACCOUNT_FINE, 0 },
	{ "nothing", MG_ABUSE_TEMPFAIL, 1, 0, MG_ACCOUNT_FINE, 0 },
	{ "one of one", MG_ABUSE_TEMPFAIL, 1, 1, MG_ACCOUNT_TEMPFAIL, 24 },
	{ "one of two", MG_ABUSE_TEMPFAIL, 2, 1, MG_ACCOUNT_NOTIFY, 24 },
	{ "one of three", MG_ABUSE_TEMPFAIL, 3, 1, MG_ACCOUNT_FINE, 0 },
	{ "two of three", MG_ABUSE_TEMPFAIL, 3, 2, MG_ACCOUNT_NOTIFY, 23 },
	{ "three of three", MG_ABUSE_TEMPFAIL, 3, 3, MG_ACCOUNT_TEMPFAIL, 22 },
	{ "three of three, held", MG_ABUSE_HOLD, 3, 3, MG_ACCOUNT_HOLD, 22 },
	{ "three of two", MG_ABUSE_HOLD, 2, 3, MG_ACCOUNT_HOLD, 23 },
	{ "notify: three of three lasts until one is left", MG_ABUSE_NOTIFY, 3, 3, MG_ACCOUNT_NOTIFY, 23 },
	{ "notify: one of one", MG_ABUSE_NOTIFY, 1, 1, MG_ACCOUNT_NOTIFY, 24 },
};

static void the_ladder(void **state)
{
	const struct ladder_row *row = *state;
	static void (*const signs[])(struct fixture *) = { from_3, invalid_10, undelivered_17 };
	struct fixture f = begin();
	int64_t at = 100 * DAY;
	struct mg_account_view view;

	f.conf.abuse.action = row->action;
	f.conf.abuse.score = row->score;
	recipients(&f, 0, 1, 0);
	for (unsigned i = 3; i-- > 0; later(&at, i == 0 ? 0 : 2 * HOUR))
		if (i < row->signs)
			signs[i](&f);
	view = view_of(&f);
	assert_int_equal(view.score, row->signs);
	assert_int_equal(view.rung, row->rung);
	/* two hours apart, the last one now */
	assert_int_equal(view.ends_s, row->ends_s == 0 ? 0 : (24 - 2 * (24 - row->ends_s)) * 3600 + 1);
	kit_close(&f.state);
}

static void a_sign_expires(void **state)
{
	struct fixture f = begin();
	int64_t at = 100 * DAY;

	(void)state;
	messages(&f, 3);
	later(&at, DAY - KIT_S);
	assert_int_equal(view_of(&f).score, 1);
	later(&at, KIT_S);
	assert_int_equal(view_of(&f).score, 0);
	kit_close(&f.state);
}

static void a_pardon_forgets_the_signs_and_believes_the_networks(void **state)
{
	struct fixture f = begin();
	int64_t at = 100 * DAY;

	(void)state;
	networks_4(&f);
	from_3(&f);
	invalid_told(&f);
	assert_int_equal(view_of(&f).score, 3);
	assert_true(mg_account_pardon(f.state, MG_STR("ann")));
	assert_int_equal(view_of(&f).score, 0);
	networks_4(&f);
	from_2(&f);
	outcomes(&f, 50, 50, 50); /* of before */
	assert_int_equal(view_of(&f).score, 0);
	later(&at, DAY + KIT_S);
	outcomes(&f, 50, 50, 50);
	assert_int_equal(view_of(&f).score, 2);
	assert_false(mg_account_pardon(f.state, MG_STR("nobody")));
	assert_false(mg_account_pardon(f.state, MG_STR("")));
	kit_close(&f.state);
}

static void names_that_never_logged_in_make_no_row(void **state)
{
	struct fixture f = begin();
	struct mg_account_view view;

	(void)state;
	fail_from(&f, 1, 100);
	outcomes(&f, 100, 100, 100);
	assert_false(mg_account_look(f.state, &f.conf, MG_STR("ann"), &view));
	kit_close(&f.state);
}

static bool note(void *context, const struct mg_account_view *view)
{
	struct mg_account_view *last = context;

	last->messages += 1000 + view->messages;
	memcpy(last->login, view->login, sizeof last->login);
	return true;
}

static void the_list_has_all_that_are_not_fine(void **state)
{
	struct fixture f = begin();
	struct mg_account_view sum = { .messages = 0 };
	char name[40];
	int64_t at = 100 * DAY;

	(void)state;
	f.conf.abuse.score = 1;
	for (int i = 0; i < 20; i++)
		for (int j = 0; j < (i % 2 == 0 ? 3 : 2); j++) {
			snprintf(name, sizeof name, "user%d", i);
			mg_account_message(f.state, mg_str_z(name), true);
		}
	mg_account_list(f.state, &f.conf, note, &sum);
	assert_int_equal(sum.messages, 10 * 1003);
	sum.messages = 0;
	later(&at, 3 * HOUR); /* nothing of that was in the last hour */
	mg_account_list(f.state, &f.conf, note, &sum);
	assert_int_equal(sum.messages, 10 * 1000);
	kit_close(&f.state);
}

static const struct {
	const char *name;
	struct mg_str login;
} hostile_rows[] = {
	{ "control bytes", { "a\r\nb\x1b[2J", 8 } },
	{ "a NUL", { "a\0b", 3 } },
	{ "percent and quotes", { "%s%n\"'\\", 7 } },
	{ "no UTF-8", { "\xff\xfe\xc3", 3 } },
	{ "white space", { "  ", 2 } },
	{ "nothing but an @", { "@", 1 } },
};

static void hostile_names_are_written_without_harm(void **state)
{
	const struct mg_str *text = &((const struct {
		const char *name;
		struct mg_str login;
	} *)*state)
					     ->login;
	struct fixture f = begin();
	struct mg_account_view view;

	mg_account_message(f.state, *text, true);
	assert_true(mg_account_look(f.state, &f.conf, *text, &view));
	for (const char *p = view.login; *p != '\0'; p++)
		assert_true((unsigned char)*p > ' ' || *p == ' ');
	assert_true(view.login[0] != '\0');
	kit_close(&f.state);
}

static void a_long_name_is_cut(void **state)
{
	struct fixture f = begin();
	struct mg_account_view view;
	char name[100001];

	(void)state;
	memset(name, 'a', sizeof name);
	mg_account_message(f.state, mg_str_of(name, 100000), true);
	assert_true(mg_account_look(f.state, &f.conf, mg_str_of(name, 100000), &view));
	assert_false(mg_account_look(f.state, &f.conf, mg_str_of(name, 100001), &view));
	assert_true(strlen(view.login) < MG_ACCOUNT_LOGIN);
	kit_close(&f.state);
}

static int load(void **state)
{
	(void)state;
	return mg_conf_defaults(&defaults, NULL) == MG_OK ? 0 : -1;
}

static int unload(void **state)
{
	(void)state;
	mg_conf_unref(&defaults);
	return 0;
}

int main(void)
{
	static struct CMUnitTest tests[80];
	size_t n = 0;

	ADD_ROWS(tests, n, sign_rows, a_sign_is_raised_at_its_threshold);
	ADD_ROWS(tests, n, ladder_rows, the_ladder);
	ADD_ROWS(tests, n, hostile_rows, hostile_names_are_written_without_harm);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_sign_expires);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_pardon_forgets_the_signs_and_believes_the_networks);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(names_that_never_logged_in_make_no_row);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(the_list_has_all_that_are_not_fine);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_long_name_is_cut);
	return _cmocka_run_group_tests("account", tests, n, load, unload);
}
