#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guard/limits.h"
#include "guard/memory_store.h"
#include "guard_kit.h"

#define SENDER "ann@example.org"

static struct mg_limit_facts facts_of(const char *client, const char *user, const char *sender, const char *recipient)
{
	struct mg_limit_facts facts = {
		.user = mg_str_z(user), .sender = mg_str_z(sender), .recipient = mg_str_z(recipient)
	};

	(void)mg_ip_parse(mg_str_z(client), &facts.client);
	return facts;
}

static struct mg_limit_row limit_of(const char *key, enum mg_limit_count count)
{
	static char name[] = "l";

	return (struct mg_limit_row){ name, (char *)(uintptr_t)key, count, 10, 5, 60, MG_LIMIT_TEMPFAIL, { 0 } };
}

static struct mg_conf conf_of(struct mg_limit_row *limits, size_t count)
{
	return (struct mg_conf){ .rate = { limits, count } };
}

/* ---- keys ---- */

struct key_row {
	const char *name, *key, *client, *user, *sender, *recipient, *text; /* text NULL: the limit does not apply */
};
static const struct key_row key_rows[] = {
	{ "client", "client", "192.0.2.1", "", "", "", "client:192.0.2.1" },
	{ "client, v6", "client", "2001:DB8::1", "", "", "", "client:2001:db8::1" },
	{ "no client", "client", "", "", "", "", NULL },
	{ "client_net", "client_net", "192.0.2.201", "", "", "", "client_net:192.0.2.0/24" },
	{ "client_net, v6", "client_net", "2001:db8:1:2:3:4:5:6", "", "", "", "client_net:2001:db8:1:2::/64" },
	{ "no client_net", "client_net", "", "", "", "", NULL },
	{ "user", "user", "", "ann", "", "", "user:ann" },
	{ "user with a domain, and a tag", "user", "", "Ann+x@Example.ORG", "", "", "user:ann@example.org" },
	{ "user with a tag", "user", "", "ann+x", "", "", "user:ann" },
	{ "no user", "user", "192.0.2.1", "", "a@b", "c@d", NULL },
	{ "sender", "sender", "", "", "Ann@Example.ORG.", "", "sender:ann@example.org" },
	{ "null sender", "sender", "", "ann", "", "", NULL },
	{ "a tag", "sender", "", "", "ann+x+y@d", "", "sender:ann@d" },
	{ "nothing but a tag", "sender", "", "", "+x@d", "", "sender:+x@d" },
	{ "a plus in the domain is no tag", "sender", "", "", "ann@d+e", "", "sender:ann@d+e" },
	{ "quoted for nothing", "sender", "", "", "\"Ann\"@d", "", "sender:ann@d" },
	{ "with backslashes for nothing", "sender", "", "", "\"\\a\\n\\n\"@d", "", "sender:ann@d" },
	{ "a quoted tag", "sender", "", "", "\"ann+x\"@d", "", "sender:ann@d" },
	{ "a quoted space", "sender", "", "", "\"a b\"@d", "", "sender:a b@d" },
	{ "a quoted quote", "sender", "", "", "\"a\\\"b\"@d", "", "sender:a\\\"b@d" },
	{ "an @ in quotes", "sender", "", "", "\"a@b\"@d", "", "sender:a@b@d" },
	{ "control bytes", "sender", "", "", "a\r\nb@d", "", "sender:a\\x0d\\x0ab@d" },
	{ "UTF-8", "sender", "", "", "jos\xc3\xa9@d", "", "sender:jos\xc3\xa9@d" },
	{ "no UTF-8", "sender", "", "", "a\xff@d", "", "sender:a\\xff@d" },
	{ "a comma", "sender", "", "", "a,b@d", "", "sender:a\\x2cb@d" },
	{ "sender_domain", "sender_domain", "", "", "ann@Example.org.", "", "sender_domain:example.org" },
	{ "no sender_domain", "sender_domain", "", "", "ann", "", NULL },
	{ "recipient", "recipient", "", "", "", "Bob+x@d", "recipient:bob@d" },
	{ "recipient_domain", "recipient_domain", "", "", "", "bob@D", "recipient_domain:d" },
	{ "two", "client_net+sender_domain", "192.0.2.1", "", "ann@d", "", "client_net+sender_domain:192.0.2.0/24,d" },
	{ "two, the other way round", "sender_domain+client_net", "192.0.2.1", "", "ann@d", "",
		"sender_domain+client_net:d,192.0.2.0/24" },
	{ "two, one missing", "user+recipient", "", "", "ann@d", "bob@d", NULL },
	{ "two, and commas", "sender+recipient", "", "", "a,b@d", "c@d", "sender+recipient:a\\x2cb@d,c@d" },
	{ "only quotes", "sender", "", "", "\"\"", "", "sender:~eb13d654a4a32a9110782f5dac6e517b" },
};

static void a_key_is_written(void **state)
{
	const struct key_row *row = *state;
	struct mg_limit_row limit = limit_of(row->key, MG_COUNT_MESSAGES);
	struct mg_conf conf = conf_of(&limit, 1);
	struct mg_limit_facts facts = facts_of(row->client, row->user, row->sender, row->recipient);
	static struct mg_charge charge;
	size_t at[MG_CHARGE_ITEMS];

	charge.count = 0;
	mg_limits_charge(&conf, &facts, MG_SPEND_MESSAGE, 1, false, NULL, &charge, at);
	assert_int_equal(charge.count, row->text != NULL);
	if (row->text == NULL)
		return;
	assert_string_equal(charge.item[0].key, row->text);
	assert_string_equal(charge.item[0].limit, "l");
}

static void a_written_key_is_found_again(void **state)
{
	const struct key_row *row = *state;
	struct mg_limit_row limit = limit_of(row->key, MG_COUNT_MESSAGES);
	struct mg_conf conf = conf_of(&limit, 1);
	static struct mg_charge charge;
	size_t at[MG_CHARGE_ITEMS];

	if (row->text == NULL)
		return;
	assert_true(mg_limits_of_key(&conf, mg_str_z(row->text), &charge, at));
	assert_int_equal(charge.count, 1);
	assert_string_equal(charge.item[0].key, row->text);
}

struct asked_row {
	const char *name, *asked, *text; /* text NULL: refused */
};
static const struct asked_row asked_rows[] = {
	{ "as people write it", "user:Ann@Example.org", "user:ann@example.org" },
	{ "a tag", "user:ann+x@example.org", "user:ann@example.org" },
	{ "a network by one of its addresses", "client_net:192.0.2.7", "client_net:192.0.2.0/24" },
	{ "an address in other words", "client:[2001:DB8:0::1]", "client:2001:db8::1" },
	{ "two parts", "user+recipient_domain:ann,D.", "user+recipient_domain:ann,d" },
	{ "two parts, one missing", "user+recipient_domain:ann", NULL },
	{ "a bare login", "ann", NULL },
	{ "a bare address", "ann@example.org", NULL },
	{ "no value", "user:", NULL },
	{ "no kind", ":ann", NULL },
	{ "another kind", "login:ann", NULL },
	{ "a kind too many", "user+sender+client:a,b,c", NULL },
	{ "half a kind", "user+:ann", NULL },
	{ "no address", "client:ann", NULL },
	{ "no network", "client_net:192.0.2.1/33", NULL },
	{ "nothing", "", NULL },
};

static void a_key_is_asked_for(void **state)
{
	const struct asked_row *row = *state;
	struct mg_limit_row limits[] = { limit_of("user", MG_COUNT_MESSAGES), limit_of("client", MG_COUNT_MESSAGES),
		limit_of("client_net", MG_COUNT_MESSAGES), limit_of("user+recipient_domain", MG_COUNT_BYTES),
		limit_of("user", MG_COUNT_FAILURES) };
	struct mg_conf conf = conf_of(limits, ROWS(limits));
	static struct mg_charge charge;
	size_t at[MG_CHARGE_ITEMS];

	assert_int_equal(mg_limits_of_key(&conf, mg_str_z(row->asked), &charge, at), row->text != NULL);
	if (row->text == NULL)
		return;
	assert_int_equal(charge.count, mg_str_starts(mg_str_z(row->text), MG_STR("user:")) ? 2 : 1);
	for (size_t i = 0; i < charge.count; i++) {
		assert_string_equal(charge.item[i].key, row->text);
		assert_int_equal(charge.item[i].cost, 1);
		assert_int_equal(charge.item[i].bucket.burst, 5);
		assert_true(mg_str_starts(mg_str_z(row->text), mg_str_z(limits[at[i]].key)));
	}
}

static void a_kind_without_a_limit_has_no_items(void **state)
{
	struct mg_limit_row limit = limit_of("user", MG_COUNT_MESSAGES);
	struct mg_conf conf = conf_of(&limit, 1);
	static struct mg_charge charge;
	size_t at[MG_CHARGE_ITEMS];

	(void)state;
	assert_true(mg_limits_of_key(&conf, MG_STR("client:192.0.2.1"), &charge, at));
	assert_int_equal(charge.count, 0);
}

/* ---- what is too long ---- */

struct long_row {
	const char *name, *key;
	size_t bytes;
	bool is_tag, is_quoted, is_same; /* is_same: as the short address */
};
static const struct long_row long_rows[] = {
	{ "5000 bytes", "sender", 5000, false, false, false },
	{ "5000 bytes of two", "sender+recipient", 5000, false, false, false },
	{ "300 bytes", "sender", 300, false, false, false },
	{ "200 bytes of two", "sender+recipient", 200, false, false, false },
	{ "a tag of 5000 bytes", "sender", 5000, true, false, true },
	{ "quoted", "sender", 5000, false, true, false },
	{ "two megabytes", "sender", 2000000, false, false, false },
	{ "a tag of two megabytes", "sender", 2000000, true, false, true },
};

static void key_of_long(const struct long_row *row, char fill, bool is_upper, struct mg_charge_item *item_out)
{
	struct mg_limit_row limit = limit_of(row->key, MG_COUNT_MESSAGES);
	struct mg_conf conf = conf_of(&limit, 1);
	struct mg_limit_facts facts = facts_of("", "", "", "bob@d");
	char *sender = malloc(row->bytes + 16);
	static struct mg_charge charge;
	size_t at[MG_CHARGE_ITEMS], n = 0;

	if (row->is_quoted)
		sender[n++] = '"';
	sender[n++] = is_upper ? 'A' : 'a';
	if (row->is_tag)
		sender[n++] = '+';
	memset(sender + n, fill, row->bytes);
	n += row->bytes;
	if (row->is_quoted)
		sender[n++] = '"';
	memcpy(sender + n, is_upper ? "@Example.ORG." : "@example.org", is_upper ? 13 : 12);
	facts.sender = mg_str_of(sender, n + (is_upper ? 13 : 12));
	charge.count = 0;
	mg_limits_charge(&conf, &facts, MG_SPEND_MESSAGE, 1, false, NULL, &charge, at);
	assert_int_equal(charge.count, 1);
	*item_out = charge.item[0];
	free(sender);
}

static void nobody_is_too_long_for_a_limit(void **state)
{
	const struct long_row *row = *state;
	static struct mg_charge_item one, upper, other;
	struct mg_limit_row limit = limit_of(row->key, MG_COUNT_MESSAGES);
	struct mg_conf conf = conf_of(&limit, 1);
	static struct mg_charge charge;
	size_t at[MG_CHARGE_ITEMS];

	key_of_long(row, 'x', false, &one);
	key_of_long(row, 'x', true, &upper);
	key_of_long(row, 'y', false, &other);
	if (row->bytes < 1000000 || row->is_tag) /* beyond any line of SMTP it need not be the same key in capitals */
		assert_string_equal(one.key, upper.key);
	assert_int_equal(strcmp(one.key, other.key) == 0, row->is_same);
	assert_true(row->is_same || strchr(one.key, '~') != NULL);
	assert_true(mg_limits_of_key(&conf, mg_str_z(one.key), &charge, at));
	assert_string_equal(charge.item[0].key, one.key);
}

/* ---- exceptions ---- */

struct except_row {
	const char *name, *key, *entry;
	bool is_excepted; /* 192.0.2.7, login ann@example.org, from ann@example.org to bob+x@Example.net */
};
static const struct except_row except_rows[] = {
	{ "the address", "client", "192.0.2.7", true },
	{ "its network", "client", "192.0.2.0/24", true },
	{ "another network", "client", "198.51.100.0/24", false },
	{ "a v6 network", "client", "2001:db8::/32", false },
	{ "the network of a network key", "client_net", "192.0.0.0/16", true },
	{ "the login", "user", SENDER, true },
	{ "the login in capitals", "user", "ANN@EXAMPLE.ORG", true },
	{ "the login's domain", "user", "@example.org", true },
	{ "a domain without @ is no address", "user", "example.org", false },
	{ "another login", "user", "amy@example.org", false },
	{ "the sender", "sender", " " SENDER " ", true },
	{ "a network is no sender", "sender", "192.0.2.0/24", false },
	{ "a domain below", "sender", "@org", false },
	{ "the sender's domain", "sender_domain", "Example.ORG", true },
	{ "the sender's domain with @", "sender_domain", "@example.org", true },
	{ "an address is no domain", "sender_domain", SENDER, false },
	{ "the recipient, tag and all", "recipient", "bob@example.net", true },
	{ "the recipient with another tag", "recipient", "bob+y@example.net", true },
	{ "the recipient's domain", "recipient_domain", "example.net", true },
	{ "the first of two", "client+recipient", "192.0.2.0/25", true },
	{ "the second of two", "client+recipient", "@example.net", true },
	{ "none of two", "client+recipient", "@example.org", false },
};

static void an_exception_is_for(void **state)
{
	const struct except_row *row = *state;
	char *entries[] = { (char *)(uintptr_t) "nobody@example.com", (char *)(uintptr_t)row->entry };
	struct mg_limit_row limit = limit_of(row->key, MG_COUNT_MESSAGES);
	struct mg_conf conf = conf_of(&limit, 1);
	struct mg_limit_facts facts = facts_of("192.0.2.7", SENDER, SENDER, "bob+x@Example.net");
	static struct mg_charge charge;
	size_t at[MG_CHARGE_ITEMS];

	limit.except = (struct mg_strings){ entries, 2 };
	charge.count = 0;
	mg_limits_charge(&conf, &facts, MG_SPEND_MESSAGE, 1, false, NULL, &charge, at);
	assert_int_equal(charge.count, !row->is_excepted);
}

/* ---- what is charged when, and how ---- */

struct spend_row {
	const char *name;
	enum mg_limit_count count;
	enum mg_limit_action action;
	enum mg_spend what;
	bool is_observing;
	int mode; /* -1: not charged */
	uint64_t cost;
};
static const struct spend_row spend_rows[] = {
	/* the amount is 7 */
	{ "messages", MG_COUNT_MESSAGES, MG_LIMIT_TEMPFAIL, MG_SPEND_MESSAGE, false, MG_CHARGE_HARD, 7 },
	{ "messages, not at RCPT", MG_COUNT_MESSAGES, MG_LIMIT_TEMPFAIL, MG_SPEND_RCPT, false, -1, 0 },
	{ "messages, rejected", MG_COUNT_MESSAGES, MG_LIMIT_REJECT, MG_SPEND_MESSAGE, false, MG_CHARGE_HARD, 7 },
	{ "messages, held", MG_COUNT_MESSAGES, MG_LIMIT_HOLD, MG_SPEND_MESSAGE, false, MG_CHARGE_SOFT, 7 },
	{ "messages, observed", MG_COUNT_MESSAGES, MG_LIMIT_OBSERVE, MG_SPEND_MESSAGE, false, MG_CHARGE_SOFT, 7 },
	{ "messages, all observed", MG_COUNT_MESSAGES, MG_LIMIT_REJECT, MG_SPEND_MESSAGE, true, MG_CHARGE_SOFT, 7 },
	{ "recipients", MG_COUNT_RECIPIENTS, MG_LIMIT_TEMPFAIL, MG_SPEND_RCPT, false, MG_CHARGE_HARD, 7 },
	{ "recipients, not with the message", MG_COUNT_RECIPIENTS, MG_LIMIT_TEMPFAIL, MG_SPEND_MESSAGE, false, -1, 0 },
	{ "new recipients", MG_COUNT_NEW_RECIPIENTS, MG_LIMIT_TEMPFAIL, MG_SPEND_RCPT, false, MG_CHARGE_HARD, 7 },
	{ "connections", MG_COUNT_CONNECTIONS, MG_LIMIT_TEMPFAIL, MG_SPEND_CONNECT, false, MG_CHARGE_HARD, 7 },
	{ "bytes", MG_COUNT_BYTES, MG_LIMIT_TEMPFAIL, MG_SPEND_DATA, false, MG_CHARGE_HARD, 7 },
	{ "failures", MG_COUNT_FAILURES, MG_LIMIT_TEMPFAIL, MG_SPEND_FAILURE, false, MG_CHARGE_FORCED, 7 },
	{ "failures, observed", MG_COUNT_FAILURES, MG_LIMIT_OBSERVE, MG_SPEND_FAILURE, true, MG_CHARGE_FORCED, 7 },
	{ "failures, at RCPT", MG_COUNT_FAILURES, MG_LIMIT_TEMPFAIL, MG_SPEND_RCPT, false, MG_CHARGE_LOOK, 1 },
	{ "failures, at RCPT, observed", MG_COUNT_FAILURES, MG_LIMIT_OBSERVE, MG_SPEND_RCPT, false, MG_CHARGE_WATCH,
		1 },
	{ "failures, at RCPT, all observed", MG_COUNT_FAILURES, MG_LIMIT_REJECT, MG_SPEND_RCPT, true, MG_CHARGE_WATCH,
		1 },
};

static void a_limit_is_charged_when_it_counts(void **state)
{
	const struct spend_row *row = *state;
	struct mg_limit_row limits[] = { limit_of("user", row->count), limit_of("client", row->count) };
	struct mg_conf conf = conf_of(limits, 2);
	struct mg_limit_facts facts =
		facts_of("192.0.2.7", "", SENDER, "bob@d"); /* no login: only the second applies */
	static struct mg_charge charge;
	size_t at[MG_CHARGE_ITEMS] = { 99 };

	limits[0].action = limits[1].action = row->action;
	charge.count = 0;
	mg_limits_charge(&conf, &facts, row->what, 7, row->is_observing, NULL, &charge, at);
	assert_int_equal(charge.count, row->mode >= 0);
	if (row->mode < 0)
		return;
	assert_int_equal(at[0], 1);
	assert_int_equal(charge.item[0].mode, row->mode);
	assert_int_equal(charge.item[0].cost, row->cost);
	assert_int_equal(charge.item[0].bucket.limit, 10);
	assert_int_equal(charge.item[0].bucket.burst, 5);
	assert_int_equal(charge.item[0].bucket.per_s, 60);
}

static void a_charge_is_appended_to_and_bounded(void **state)
{
	struct mg_limit_row limits[20];
	struct mg_conf conf = conf_of(limits, ROWS(limits));
	struct mg_limit_facts facts = facts_of("192.0.2.7", SENDER, SENDER, "bob@d");
	static struct mg_charge charge;
	size_t at[MG_CHARGE_ITEMS];

	(void)state;
	for (size_t i = 0; i < ROWS(limits); i++)
		limits[i] = limit_of("user", MG_COUNT_RECIPIENTS);
	charge.count = 0;
	mg_limits_charge(&conf, &facts, MG_SPEND_RCPT, 1, false, NULL, &charge, at);
	assert_int_equal(charge.count, 20);
	mg_limits_charge(&conf, &facts, MG_SPEND_RCPT, 1, false, NULL, &charge, at);
	assert_int_equal(charge.count, MG_CHARGE_ITEMS);
	assert_int_equal(at[19], 19);
	assert_int_equal(at[20], 0);
}

static size_t items_for(struct mg_conf *conf, struct mg_seen *seen, const char *user, const char *recipient)
{
	struct mg_limit_facts facts = facts_of("192.0.2.7", user, SENDER, recipient);
	static struct mg_charge charge;
	size_t at[MG_CHARGE_ITEMS];

	charge.count = 0;
	mg_limits_charge(conf, &facts, MG_SPEND_RCPT, 1, false, seen, &charge, at);
	return charge.count;
}

static void a_recipient_is_new_once(void **state)
{
	struct mg_state_plan plan = kit_plan(100);
	struct mg_seen seen = { kit_open(&plan) };
	struct mg_limit_row limits[] = { limit_of("user", MG_COUNT_NEW_RECIPIENTS),
		limit_of("user", MG_COUNT_RECIPIENTS) };
	struct mg_conf conf = conf_of(limits, 2);
	struct mg_limit_facts facts = facts_of("192.0.2.7", "ann", SENDER, "bob@d");

	(void)state;
	assert_int_equal(items_for(&conf, &seen, "ann", "bob@d"), 2);
	assert_int_equal(items_for(&conf, &seen, "ann", "bob@d"), 2); /* asking is not learning */
	mg_limits_learn(&conf, &facts, &seen);
	assert_int_equal(items_for(&conf, &seen, "ann", "bob@d"), 1);
	assert_int_equal(items_for(&conf, &seen, "Ann", "BOB+x@D"), 1);
	assert_int_equal(items_for(&conf, &seen, "amy", "bob@d"), 2);
	assert_int_equal(items_for(&conf, &seen, "ann", "bill@d"), 2);
	assert_int_equal(items_for(&conf, NULL, "ann", "bob@d"), 2);
	assert_int_equal(items_for(&conf, &seen, "ann", ""), 1);
	limits[0].name = (char *)(uintptr_t) "another"; /* a new limit on the same key knows them too */
	assert_int_equal(items_for(&conf, &seen, "ann", "bob@d"), 1);
	kit_close(&seen.state);
}

int main(void)
{
	static struct CMUnitTest tests[192];
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(a_kind_without_a_limit_has_no_items),
		cmocka_unit_test(a_charge_is_appended_to_and_bounded),
		cmocka_unit_test(a_recipient_is_new_once),
	};
	size_t n = 0;

	ADD_ROWS(tests, n, key_rows, a_key_is_written);
	ADD_ROWS(tests, n, key_rows, a_written_key_is_found_again);
	ADD_ROWS(tests, n, asked_rows, a_key_is_asked_for);
	ADD_ROWS(tests, n, long_rows, nobody_is_too_long_for_a_limit);
	ADD_ROWS(tests, n, except_rows, an_exception_is_for);
	ADD_ROWS(tests, n, spend_rows, a_limit_is_charged_when_it_counts);
	for (size_t i = 0; i < ROWS(others); i++)
		tests[n++] = others[i];
	return _cmocka_run_group_tests("limits", tests, n, NULL, NULL);
}
