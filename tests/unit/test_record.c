/* The record itself, and its journey to another process: packed, unpacked, the same; hostile input is no record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "journal/record.h"
#include "journal/record_pack.h"

static void names_go_both_ways(void **state)
{
	(void)state;
	for (int i = 0; i < MG_ACTIONS; i++)
		assert_int_equal(mg_action_of(mg_str_z(mg_action_name((enum mg_action)i))), i);
	for (int i = 0; i < MG_DELIVERIES; i++)
		assert_int_equal(mg_delivery_of(mg_str_z(mg_delivery_name((enum mg_delivery)i))), i);
	assert_int_equal(mg_action_of(MG_STR("Accept")), MG_ACTIONS);
	assert_int_equal(mg_delivery_of(MG_STR("gone")), MG_DELIVERIES);
}

static void ids_of_one_moment_differ(void **state)
{
	struct mg_record *a = mg_record_new(1700000000000000, 1), *b = mg_record_new(1700000000000000, 2);

	(void)state;
	assert_string_not_equal(a->id, b->id);
	mg_record_free(&a);
	mg_record_free(&b);
	assert_null(a);
	mg_record_free(&a);
}

static void recipients_beyond_the_limit_are_counted(void **state)
{
	struct mg_record *record = mg_record_new(1, 1);

	(void)state;
	for (int i = 0; i < MG_RECORD_RECIPIENTS + 5; i++)
		mg_record_add_recipient(record, MG_STR("a@x"));
	assert_int_equal(record->recipient_count, MG_RECORD_RECIPIENTS);
	assert_int_equal(record->recipients_left_out, 5);
	mg_record_free(&record);
}

static void addresses_compare_as_postfix_does(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} cases[] = { { "a@x", "a@X", true }, { "A@x", "a@x", false }, { "a", "a", true }, { "a@x", "a", false },
		{ "", "", true }, { "\"a@b\"@x", "\"a@b\"@X", true }, { "a@x", "a@xy", false } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(mg_address_eq(mg_str_z(cases[i].a), mg_str_z(cases[i].b)), cases[i].same);
}

static struct mg_record *full_record(void)
{
	struct mg_record *record = mg_record_new(1700000000123456, 7);
	struct mg_recipient *recipient;

	record->connect_us = 1;
	record->end_us = 1700000001000000;
	record->by_milter = record->is_degraded = true;
	record->smtpd_pid = 4294967295U;
	record->queue_id = "4ABC";
	assert_true(mg_ip_parse(MG_STR("2001:db8::1"), &record->client_ip));
	record->client_port = 65535;
	record->client_name = "unknown";
	record->helo = mg_record_text(record, MG_STR("bad\xff\xc3\xa9\x01\"\\ bytes"));
	record->user = "u";
	record->sender = "s@example";
	record->from_domain = "example";
	record->message_id = "m@example";
	record->server_port = "25";
	record->tls = "TLSv1.3";
	record->size_bytes = 123456789;
	record->auth[MG_METHOD_DKIM] = "pass";
	record->relay = MG_RELAY_STRANGER;
	record->action = MG_ACTION_OBSERVE;
	record->would = MG_ACTION_REJECT;
	record->code = "554 5.7.1";
	record->text = "no";
	record->rule = "relay";
	record->latency_us = 99;
	record->auth_facts = "v1 dis=reject";
	record->asked = "reject auth:dmarc";
	for (int i = 0; i < 3; i++) {
		recipient = mg_record_add_recipient(record, MG_STR("a@x"));
		recipient->verdict = MG_ACTION_TEMPFAIL;
		recipient->code = "450";
		recipient->dsn = "4.7.1";
		recipient->reply = "later";
		recipient->time_us = i;
		recipient->rule = i == 1 ? "limit:x" : NULL;
		recipient->asked = i == 2 ? "tempfail limit:x" : "";
	}
	record->recipients_left_out = 4;
	return record;
}

static void what_was_asked_for_is_listed_once(void **state)
{
	struct mg_record *record = mg_record_new(5, 1);
	struct mg_str rest, rule;
	enum mg_action action;
	char name[80];

	(void)state;
	mg_record_ask(record, &record->asked, MG_ACTION_TEMPFAIL, "limit:x");
	mg_record_ask(record, &record->asked, MG_ACTION_REJECT, "relay:stranger");
	mg_record_ask(record, &record->asked, MG_ACTION_TEMPFAIL, "limit:x");
	assert_string_equal(record->asked, "tempfail limit:x;reject relay:stranger");
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof name, "limit:%d", i);
		mg_record_ask(record, &record->asked, MG_ACTION_QUARANTINE, name);
	}
	assert_true(strlen(record->asked) <= MG_RECORD_TEXT);
	rest = MG_STR("nonsense;;reject;tempfail limit:x;boo a:b; c;quarantine abuse:account");
	assert_true(mg_read_asked(&rest, &action, &rule) && action == MG_ACTION_TEMPFAIL);
	assert_true(mg_str_eq(rule, MG_STR("limit:x")));
	assert_true(mg_read_asked(&rest, &action, &rule) && action == MG_ACTION_QUARANTINE);
	assert_false(mg_read_asked(&rest, &action, &rule));
	mg_record_free(&record);
}

static void packed_and_unpacked_is_the_same(void **state)
{
	struct mg_record *record = full_record(), *again;
	struct mg_buf first, second;

	(void)state;
	mg_buf_init(&first, MG_RECORD_PACK_MAX);
	mg_buf_init(&second, MG_RECORD_PACK_MAX);
	mg_record_pack(record, &first);
	assert_true(mg_buf_ok(&first));
	assert_int_equal(mg_str_find(mg_buf_str(&first), '\n'), SIZE_MAX);
	again = mg_record_unpack(mg_buf_str(&first));
	assert_non_null(again);
	mg_record_pack(again, &second);
	assert_string_equal(mg_buf_z(&first), mg_buf_z(&second));
	assert_string_equal(again->id, record->id);
	assert_string_equal(again->helo, record->helo);
	assert_string_equal(again->auth[MG_METHOD_DKIM], "pass");
	assert_true(mg_ip_eq(&again->client_ip, &record->client_ip));
	assert_int_equal(again->time_us, record->time_us);
	assert_int_equal(again->smtpd_pid, record->smtpd_pid);
	assert_int_equal(again->would, MG_ACTION_REJECT);
	assert_true(again->by_milter && again->is_degraded && !again->by_policy);
	assert_int_equal(again->recipient_count, 3);
	assert_int_equal(again->recipients->next->time_us, 1);
	assert_string_equal(again->last_recipient->reply, "later");
	assert_string_equal(again->last_recipient->asked, "tempfail limit:x");
	assert_null(again->recipients->rule);
	assert_string_equal(again->recipients->next->rule, "limit:x");
	assert_string_equal(again->auth_facts, "v1 dis=reject");
	assert_string_equal(again->asked, "reject auth:dmarc");
	assert_int_equal(again->recipients_left_out, 4);
	mg_record_free(&record);
	mg_record_free(&again);
	mg_buf_fini(&first);
	mg_buf_fini(&second);
}

static void a_record_with_little_packs_too(void **state)
{
	struct mg_record *record = mg_record_new(5, 1), *again;
	struct mg_buf buf;

	(void)state;
	mg_buf_init(&buf, 10000);
	mg_record_pack(record, &buf);
	again = mg_record_unpack(mg_buf_str(&buf));
	assert_non_null(again);
	assert_int_equal(again->client_ip.family, MG_IP_NONE);
	assert_string_equal(again->sender, "");
	mg_record_free(&record);
	mg_record_free(&again);
	mg_buf_fini(&buf);
}

/* The packed record with `from` replaced by `to`. */
static bool survives(const char *packed, const char *from, const char *to)
{
	const char *at = strstr(packed, from);
	struct mg_record *record;
	struct mg_buf buf;

	assert_non_null(at);
	mg_buf_init(&buf, MG_RECORD_PACK_MAX);
	mg_buf_add(&buf, mg_str_of(packed, (size_t)(at - packed)));
	mg_buf_addz(&buf, to);
	mg_buf_addz(&buf, at + strlen(from));
	record = mg_record_unpack(mg_buf_str(&buf));
	mg_buf_fini(&buf);
	if (record == NULL)
		return false;
	mg_record_free(&record);
	return true;
}

static void hostile_input_is_no_record(void **state)
{
	static const struct {
		const char *from, *to;
	} cases[] = { { "\"v\":3", "\"v\":4" }, { "\"v\":3", "\"v\":\"3\"" }, { "\"v\":3,", "" },
		{ "\"id\":\"", "\"id\":\"0123456789012345678901234567890" }, { "2001:db8::1", "2001:db8::g" },
		{ "65535", "65536" }, { "65535", "-1" }, { "65535", "1.5" }, { "65535", "\"x\"" },
		{ "65535", "99999999999999999999" }, { "4294967295", "4294967296" }, { "\"i\":[", "\"i\":[0," },
		{ "\"s\":[", "\"s\":[\"\"," }, { "\"s\":[\"4ABC\"", "\"s\":[4" }, { "\"4ABC\"", "\"\\u0000\"" },
		{ "\"4ABC\"", "\"\\u2603\"" }, { "[\"a@x\",3", "[\"a@x\",7" }, { "[\"a@x\",3", "[\"a@x\",-1" },
		{ "[\"a@x\",3", "[5,3" }, { "[\"a@x\",3", "[\"a@x\"" }, { "\"r\":[[", "\"r\":[7,[" },
		{ "\"r\":[", "\"r\":{\"a\":[" }, { "}", "" }, { "}", "}}" } };
	struct mg_record *record = full_record();
	struct mg_buf packed;

	(void)state;
	mg_buf_init(&packed, MG_RECORD_PACK_MAX);
	mg_record_pack(record, &packed);
	assert_true(survives(mg_buf_z(&packed), "4ABC", "4ABD"));
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (survives(mg_buf_z(&packed), cases[i].from, cases[i].to))
			fail_msg("%s -> %s was taken", cases[i].from, cases[i].to);
	for (size_t n = 0; n < packed.n; n++)
		assert_null(mg_record_unpack(mg_str_first(mg_buf_str(&packed), n)));
	assert_null(mg_record_unpack(MG_STR("[]")));
	assert_null(mg_record_unpack((struct mg_str){ NULL, 0 }));
	mg_record_free(&record);
	mg_buf_fini(&packed);
}

/* Whatever one byte is changed to: a record that packs again, or none, but no crash. */
static void changed_bytes_do_no_harm(void **state)
{
	struct mg_record *record = full_record(), *again;
	struct mg_buf packed, out;

	(void)state;
	mg_buf_init(&packed, MG_RECORD_PACK_MAX);
	mg_buf_init(&out, MG_RECORD_PACK_MAX);
	mg_record_pack(record, &packed);
	for (size_t i = 0; i < packed.n; i++)
		for (const char *c = "0\"[]{},:-9\\\x80"; *c != '\0'; c++) {
			char was = packed.p[i];

			packed.p[i] = *c;
			again = mg_record_unpack(mg_buf_str(&packed));
			packed.p[i] = was;
			if (again == NULL)
				continue;
			mg_buf_reset(&out);
			mg_record_pack(again, &out);
			assert_true(mg_buf_ok(&out));
			mg_record_free(&again);
		}
	mg_record_free(&record);
	mg_buf_fini(&packed);
	mg_buf_fini(&out);
}

static void too_many_recipients_are_refused(void **state)
{
	struct mg_record *record = mg_record_new(5, 1);
	struct mg_buf buf;

	(void)state;
	mg_buf_init(&buf, MG_RECORD_PACK_MAX);
	mg_record_pack(record, &buf);
	mg_buf_drop(&buf, 0);
	buf.n -= strlen("[]}");
	mg_buf_addc(&buf, '[');
	for (int i = 0; i <= MG_RECORD_RECIPIENTS; i++)
		mg_buf_addf(&buf, "%s[\"a@x\",1,\"\",\"\",\"\",0]", i > 0 ? "," : "");
	mg_buf_addz(&buf, "]}");
	assert_null(mg_record_unpack(mg_buf_str(&buf)));
	mg_record_free(&record);
	mg_buf_fini(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_go_both_ways),
		cmocka_unit_test(ids_of_one_moment_differ),
		cmocka_unit_test(recipients_beyond_the_limit_are_counted),
		cmocka_unit_test(addresses_compare_as_postfix_does),
		cmocka_unit_test(what_was_asked_for_is_listed_once),
		cmocka_unit_test(packed_and_unpacked_is_the_same),
		cmocka_unit_test(a_record_with_little_packs_too),
		cmocka_unit_test(hostile_input_is_no_record),
		cmocka_unit_test(changed_bytes_do_no_harm),
		cmocka_unit_test(too_many_recipients_are_refused),
	};

	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
