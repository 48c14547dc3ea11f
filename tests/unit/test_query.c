/* Reading: the filters of recent, the ways to find a message, its story, coverage, deadlines. */
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "journal_kit.h"

static const char script[] =
	"record q=Q1 t=10 end=11 pid=7 ip=192.0.2.1 name=mx.example helo=mx.example from=Alice@Example.org user=alice "
	"msgid=one@example size=1000 spf=pass rcpt=bob@x rcpt=carol@x\n"
	"client q=Q1 t=10.5 pid=7 ip=192.0.2.1\nmsgid q=Q1 t=10.6 msgid=one@example\n"
	"queued q=Q1 t=11 from=Alice@Example.org size=1000\n"
	"dovecot t=11.5 msgid=one@example mailbox=INBOX/Work\n"
	"delivery q=Q1 t=12 to=bob@x relay=dovecot status=sent dsn=2.0.0 reply=stored\n"
	"delivery q=Q1 t=12 to=carol@x relay=none status=deferred dsn=4.4.1 reply=no_route\n"
	"record t=20 end=21 pid=8 ip=198.51.100.9 name=unknown from=spam@bad.example "
	"rcpt=bob@x=reject=554=5.7.1=no_relaying action=reject rule=relay code=554_5.7.1 text=no_relaying\n"
	"record t=30 end=31 pid=9 ip=2001:db8::7 from= rcpt=dave@x action=observe would=tempfail rule=rate\n"
	"notice q=Q1 t=40 child=Q2\nqueued q=Q2 t=40 from= size=500\n"
	"delivery q=Q2 t=41 to=Alice@Example.org relay=local status=sent reply=delivered_to_maildir\nremoved q=Q2 t=41\n"
	"removed q=Q1 t=42\nwait 31\n";

static struct kit kit;

static int set_up(void **state)
{
	(void)state;
	kit_begin(&kit);
	kit_open(&kit);
	kit_run(&kit, script, false);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	kit_end(&kit);
	return 0;
}

struct recent_case {
	const char *name;
	struct mg_recent_filter filter;
	const char *expected;
};

static const struct recent_case recent_cases[] = {
	{ "all, newest first", { 0, "", "", "", "", 100 },
		"[{'queue_id':'Q2'},{'time':1700000030.0},{'time':1700000020.0},{'queue_id':'Q1'}]" },
	{ "a limit", { 0, "", "", "", "", 1 }, "[{'queue_id':'Q2'}]" },
	{ "since", { KIT_EPOCH + 25000000, "", "", "", "", 100 }, "[{'queue_id':'Q2'},{'time':1700000030.0}]" },
	{ "refused", { 0, "reject", "", "", "", 100 }, "[{'time':1700000020.0}]" },
	{ "what would have been put off", { 0, "tempfail", "", "", "", 100 }, "[{'time':1700000030.0}]" },
	{ "observed", { 0, "observe", "", "", "", 100 }, "[{'verdict':{'action':'observe','would':'tempfail'}}]" },
	{ "a client", { 0, "", "192.0.2.1", "", "", 100 }, "[{'queue_id':'Q1'}]" },
	{ "a network", { 0, "", "192.0.0.0/16", "", "", 100 }, "[{'queue_id':'Q1'}]" },
	{ "everybody of IPv4", { 0, "", "0.0.0.0/0", "", "", 100 }, "[{'time':1700000020.0},{'queue_id':'Q1'}]" },
	{ "IPv6", { 0, "", "2001:db8::/32", "", "", 100 }, "[{'time':1700000030.0}]" },
	{ "a sender", { 0, "", "", "alice@EXAMPLE.org", "", 100 }, "[{'queue_id':'Q1'}]" },
	{ "a sender's domain", { 0, "", "", "@EXAMPLE.ORG", "", 100 }, "[{'queue_id':'Q1'}]" },
	{ "no other domain", { 0, "", "", "@xample.org", "", 100 }, "[]" },
	{ "the empty sender", { 0, "", "", "<>", "", 100 }, "[{'queue_id':'Q2'},{'time':1700000030.0}]" },
	{ "a login", { 0, "", "", "", "alice", 100 }, "[{'queue_id':'Q1'}]" },
	{ "nobody", { 0, "", "", "", "mallory", 100 }, "[]" },
	{ "all at once", { KIT_EPOCH, "accept", "192.0.2.0/24", "alice@example.org", "alice", 100 },
		"[{'queue_id':'Q1'}]" },
};

static void recent_filters(void **state)
{
	const struct recent_case *c = *state;
	struct mg_query *query = NULL;
	json_t *got = NULL;

	assert_int_equal(mg_query_open(kit.path, &query, NULL), MG_OK);
	assert_int_equal(mg_query_recent(query, &c->filter, mg_mono_us() + 10 * MG_S_US, &got, NULL), MG_OK);
	kit_expect(c->name, got, c->expected);
	json_decref(got);
	mg_query_close(&query);
}

static void every_key_of_the_contract_is_there(void **state)
{
	static const char *const keys[] = { "id", "time", "queue_id", "client", "sender", "recipients", "from_domain",
		"size", "auth", "relay", "verdict", "latency_us", "parent", "message_id", "service", "doors",
		"connect_time", "end_time", "degraded", "recipients_left_out" };
	json_t *got = kit_transactions(&kit), *txn;
	size_t i;

	(void)state;
	json_array_foreach(got, i, txn)
	{
		for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++)
			if (json_object_get(txn, keys[k]) == NULL)
				fail_msg("no %s", keys[k]);
		assert_true(json_is_real(json_object_get(txn, "time")));
	}
	kit_expect("shape", json_array_get(got, 0),
		"{'client':{'ip':'192.0.2.1','name':'mx.example','helo':'mx.example','user':'alice'},"
		"'auth':{'iprev':'','spf':'pass','dkim':'','arc':'','dmarc':''},'relay':'','latency_us':0,"
		"'recipients':[{'address':'bob@x','verdict':'accept','delivery':'sent','dsn':'2.0.0','reply':'stored'},"
		"{'address':'carol@x','delivery':'deferred'}],'degraded':false,'recipients_left_out':0}");
	json_decref(got);
}

static void wrong_filters_are_named(void **state)
{
	static const struct mg_recent_filter filters[] = { { 0, "refuse", "", "", "", 1 },
		{ 0, "", "192.0.2.300", "", "", 1 }, { 0, "", "192.0.2.1/24", "", "", 1 } };
	struct mg_query *query = NULL;
	struct mg_err err = { "" };
	json_t *got = NULL;

	(void)state;
	assert_int_equal(mg_query_open(kit.path, &query, NULL), MG_OK);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(
			mg_query_recent(query, &filters[i], mg_mono_us() + 10 * MG_S_US, &got, &err), MG_ESYNTAX);
	assert_null(got);
	mg_query_close(&query);
}

static void a_passed_deadline_is_told(void **state)
{
	struct mg_recent_filter filter = { 0, "", "", "", "", 10 };
	struct mg_query *query = NULL;
	struct mg_err err = { "" };
	json_t *got = NULL;

	(void)state;
	assert_int_equal(mg_query_open(kit.path, &query, NULL), MG_OK);
	assert_int_equal(mg_query_recent(query, &filter, mg_mono_us() - 1, &got, &err), MG_ETIME);
	assert_int_equal(mg_query_trace(query, "Q1", 10, mg_mono_us() - 1, &got, &err), MG_ETIME);
	assert_int_equal(mg_query_recent(query, &filter, mg_mono_us() + 10 * MG_S_US, &got, &err), MG_OK);
	json_decref(got);
	mg_query_close(&query);
}

/* A scan that would last for hours ends at its deadline, from within. */
static void a_long_scan_ends_at_its_deadline(void **state)
{
	struct mg_recent_filter filter = { 0, "", "", "@nowhere.example", "", 10 };
	int64_t begun_us = mg_mono_us();
	struct mg_query *query = NULL;
	json_t *got = NULL;
	sqlite3 *db = NULL;

	(void)state;
	assert_int_equal(mg_journal_flush(kit.journal, 5000), true);
	assert_int_equal(sqlite3_open(kit.path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	assert_int_equal(sqlite3_exec(db,
				 "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<200000)"
				 " INSERT INTO txn(time_us,is_shown,sender) SELECT i,1,'a@b' FROM n",
				 NULL, NULL, NULL),
		SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(mg_query_open(kit.path, &query, NULL), MG_OK);
	assert_int_equal(mg_query_recent(query, &filter, mg_mono_us() + 2000, &got, NULL), MG_ETIME);
	assert_true(mg_mono_us() - begun_us < 20 * MG_S_US);
	mg_query_close(&query);
}

static void without_a_file_there_is_no_answer(void **state)
{
	struct mg_query *query = NULL;
	struct mg_err err = { "" };

	(void)state;
	assert_int_equal(mg_query_open("/nowhere/journal.db", &query, &err), MG_ENOENT);
	assert_null(query);
	mg_query_close(&query);
}

struct trace_case {
	const char *what;
	const char *expected; /* of "transactions" */
};

static const struct trace_case trace_cases[] = {
	{ "Q1", "[{'queue_id':'Q2'},{'queue_id':'Q1'}]" }, /* with its bounce */
	{ "Q2", "[{'queue_id':'Q2'},{'queue_id':'Q1'}]" }, /* with what it is a bounce of */
	{ "one@example", "[{'queue_id':'Q2'},{'queue_id':'Q1'}]" },
	{ "<one@example>", "[{'queue_id':'Q2'},{'queue_id':'Q1'}]" },
	{ " dave@X ", "[{'time':1700000030.0}]" },
	{ "spam@bad.example", "[{'time':1700000020.0}]" },
	{ "198.51.100.9", "[{'time':1700000020.0}]" },
	{ "2001:DB8::7", "[{'time':1700000030.0}]" },
	{ "nobody@nowhere", "[]" },
	{ "", "[]" },
	{ "<>", "[]" },
	{ "Q1' OR '1'='1", "[]" },
};

static void messages_are_found(void **state)
{
	const struct trace_case *c = *state;
	json_t *got = kit_trace(&kit, c->what);

	kit_expect(c->what, json_object_get(got, "transactions"), c->expected);
	if (json_array_size(json_object_get(got, "transactions")) == 0)
		assert_int_equal(json_array_size(json_object_get(got, "events")), 0);
	json_decref(got);
}

/* Fails unless the story has these sentences in this order. */
static void expect_story(const json_t *events, const char *const *wanted)
{
	const json_t *event;
	double last = 0;
	size_t i, at = 0;

	json_array_foreach(events, i, event)
	{
		const char *text = json_string_value(json_object_get(event, "text"));
		double time = json_number_value(json_object_get(event, "time"));

		assert_true(time >= last);
		last = time;
		assert_non_null(json_string_value(json_object_get(event, "stage")));
		assert_true(json_array_size(json_object_get(event, "say")) >= 1);
		assert_non_null(json_string_value(json_object_get(event, "id")));
		if (wanted[at] != NULL && strcmp(text, wanted[at]) == 0)
			at++;
	}
	if (wanted[at] != NULL) {
		char *dump = json_dumps(events, JSON_INDENT(1));

		print_error("not told: %s\n%s\n", wanted[at], dump);
		free(dump);
		fail();
	}
}

static void the_story_is_told(void **state)
{
	static const char *const delivered[] = { "mx.example [192.0.2.1] connected",
		"it introduced itself as mx.example", "it logged in as alice", "the sender is Alice@Example.org",
		"recipient bob@x was accepted", "recipient carol@x was accepted",
		"the message was received: 1000 bytes, Message-ID <one@example>",
		"where it says it comes from was checked: spf=pass", "mailguard let it pass", "it has the queue id Q1",
		"Postfix took it into its queue: 1000 bytes", "Dovecot put it into the mailbox INBOX/Work",
		"handed over for bob@x to dovecot, which answered: stored",
		"the delivery to carol@x was put off, Postfix tries again by itself: no route",
		"a notice about the delivery was queued as Q2",
		"delivered on this host to Alice@Example.org: delivered to maildir",
		"Postfix is finished with it and removed it from the queue", NULL };
	static const char *const refused[] = {
		"198.51.100.9 connected; it has no name in DNS that leads back to this address",
		"the sender is spam@bad.example", "recipient bob@x was refused for good (5.7.1): no relaying",
		"mailguard refused it for good with \"554 5.7.1 no relaying\" (rule relay)", NULL
	};
	static const char *const observed[] = { "the sender is empty, as in bounces and other notices",
		"mailguard only observes and let it pass; the answer would have been tempfail (rule rate)", NULL };
	static const struct {
		const char *what;
		const char *const *story;
	} stories[] = { { "Q1", delivered }, { "198.51.100.9", refused }, { "dave@x", observed } };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		json_t *got = kit_trace(&kit, stories[i].what);

		expect_story(json_object_get(got, "events"), stories[i].story);
		json_decref(got);
	}
}

static void whole_seconds_do_not_turn_the_story_round(void **state)
{
	static const char *const wanted[] = { "mailguard let it pass", "Postfix took it into its queue: 5 bytes",
		"delivered on this host to z@x: ok", NULL };
	json_t *got;

	(void)state;
	kit_run(&kit,
		"record q=Q9 t=50.2 end=50.9 pid=7 ip=192.0.2.3 from=z@x rcpt=z@x\nclient q=Q9 t=50 pid=7 ip=192.0.2.3\n"
		"queued q=Q9 t=50 from=z@x size=5\ndelivery q=Q9 t=50 to=z@x relay=local status=sent reply=ok\n",
		false);
	got = kit_trace(&kit, "Q9");
	expect_story(json_object_get(got, "events"), wanted);
	json_decref(got);
}

static void many_of_a_kind_are_folded(void **state)
{
	static const char *const wanted[] = { "30 recipients were accepted, r0@y the first of them",
		"handed over for 30 recipients", NULL };
	struct mg_buf text;
	json_t *got;

	(void)state;
	mg_buf_init(&text, 10000);
	mg_buf_addz(&text, "record q=Q8 t=60 end=61 pid=7 ip=192.0.2.3 from=z@x");
	for (int i = 0; i < 30; i++)
		mg_buf_addf(&text, " rcpt=r%d@y", i);
	for (int i = 0; i < 30; i++)
		mg_buf_addf(&text, "\ndelivery q=Q8 t=62 to=r%d@y relay=mx status=sent", i);
	kit_run(&kit, mg_buf_z(&text), false);
	got = kit_trace(&kit, "Q8");
	expect_story(json_object_get(got, "events"), wanted);
	assert_true(json_array_size(json_object_get(got, "events")) < 12);
	json_decref(got);
	mg_buf_fini(&text);
}

static void coverage_counts_what_no_door_saw(void **state)
{
	struct mg_query *query = NULL;
	json_t *got = NULL;

	(void)state;
	kit_run(&kit,
		"client q=U1 t=70 pid=3 ip=192.0.2.8\nqueued q=U1 t=70 from=a@x size=1\n"
		"client q=U2 t=71 pid=3 ip=192.0.2.8 service=postfix/submission/smtpd\nqueued q=U2 t=71 from=a@x size=1\n"
		"client q=L1 t=72 pid=3 ip=127.0.0.1\nqueued q=L1 t=72 from=a@x size=1\n"
		"client q=L2 t=72 pid=3 ip=::1\nqueued q=L2 t=72 from=a@x size=1\n"
		"pickup q=P1 t=73 uid=0\nqueued q=P1 t=73 from=a@x size=1\nwait 31\n",
		false);
	assert_int_equal(mg_query_open(kit.path, &query, NULL), MG_OK);
	assert_int_equal(mg_query_coverage(query, KIT_EPOCH, mg_mono_us() + 10 * MG_S_US, &got, NULL), MG_OK);
	kit_expect("coverage", got,
		"[{'service':'postfix/smtpd','messages':2,'unseen':1,'last_unseen_queue_id':'U1'},"
		"{'service':'postfix/submission/smtpd','messages':1,'unseen':1,'last_unseen_queue_id':'U2'}]");
	json_decref(got);
	mg_query_close(&query);
}

static void take_sent(void *context, const struct mg_sent *sent)
{
	mg_buf_addf(context, "%.*s/%d=%llu-%llu ", MG_STR_ARGS(sent->domain), (int)sent->provider,
		(unsigned long long)sent->messages, (unsigned long long)sent->misaligned);
}

/* Only what went out to others counts: not what came in, was stored here, waits, or is older. */
static void what_was_sent_is_counted_by_domain_and_provider(void **state)
{
	struct mg_query *query = NULL;
	struct mg_buf seen;

	(void)state;
	kit_run(&kit,
		"record q=S1 t=80 pid=31 ip=192.0.2.7 user=ann from=ann@Own.example domain=own.example class=authenticated"
		" rcpt=a@gmail.com rcpt=b@hosted.example rcpt=c@yahoo.co.uk rcpt=d@hotmail.com rcpt=e@x\n"
		"client q=S1 t=80 pid=31 ip=192.0.2.7\nqueued q=S1 t=80 from=ann@Own.example\n"
		"delivery q=S1 t=81 to=a@gmail.com relay=mx.example[203.0.113.1]:25 status=sent\n"
		"delivery q=S1 t=81 to=b@hosted.example relay=aspmx.l.google.com[203.0.113.2]:25 status=sent\n"
		"delivery q=S1 t=81 to=c@yahoo.co.uk relay=mx.example[203.0.113.1]:25 status=sent\n"
		"delivery q=S1 t=81 to=d@hotmail.com relay=mx.example[203.0.113.1]:25 status=deferred\n"
		"delivery q=S1 t=81 to=e@x relay=local status=sent\n"
		"record q=S2 t=82 pid=32 ip=127.0.0.1 from=bounce@other.example domain=own.example class=local rcpt=f@gmail.com\n"
		"client q=S2 t=82 pid=32 ip=127.0.0.1\nqueued q=S2 t=82 from=bounce@other.example\n"
		"delivery q=S2 t=83 to=f@gmail.com relay=mx.example[203.0.113.1]:25 status=sent\n"
		"record q=S3 t=84 pid=33 ip=198.51.100.3 from=g@in.example domain=in.example class=inbound rcpt=h@gmail.com\n"
		"client q=S3 t=84 pid=33 ip=198.51.100.3\nqueued q=S3 t=84 from=g@in.example\n"
		"delivery q=S3 t=85 to=h@gmail.com relay=mx.example[203.0.113.1]:25 status=sent\nwait 31\n",
		false);
	mg_buf_init(&seen, 4096);
	assert_int_equal(mg_query_open(kit.path, &query, NULL), MG_OK);
	assert_int_equal(mg_query_sent(query, KIT_EPOCH, mg_mono_us() + 10 * MG_S_US, take_sent, &seen, NULL), MG_OK);
	assert_string_equal(mg_buf_z(&seen), "own.example/1=3-1 own.example/2=1-0 ");
	mg_buf_reset(&seen);
	assert_int_equal(
		mg_query_sent(query, KIT_EPOCH + 81 * MG_S_US, mg_mono_us() + 10 * MG_S_US, take_sent, &seen, NULL),
		MG_OK);
	assert_string_equal(mg_buf_z(&seen), "own.example/1=1-1 ");
	mg_query_close(&query);
	mg_buf_fini(&seen);
}

static void a_replaced_file_is_noticed(void **state)
{
	struct mg_recent_filter filter = { 0, "", "", "", "", 10 };
	struct mg_query *query = NULL;
	struct mg_err err = { "" };
	json_t *got = NULL;

	(void)state;
	assert_int_equal(mg_query_open(kit.path, &query, NULL), MG_OK);
	kit_close(&kit, 1000);
	assert_int_equal(unlink(kit.path), 0);
	assert_int_equal(mg_query_recent(query, &filter, mg_mono_us() + 10 * MG_S_US, &got, &err), MG_ENOENT);
	kit_open(&kit);
	assert_int_equal(mg_query_recent(query, &filter, mg_mono_us() + 10 * MG_S_US, &got, &err), MG_OK);
	assert_int_equal(json_array_size(got), 0);
	json_decref(got);
	mg_query_close(&query);
}

int main(void)
{
	enum {
		RECENT = sizeof recent_cases / sizeof recent_cases[0],
		TRACE = sizeof trace_cases / sizeof trace_cases[0]
	};
	const struct CMUnitTest others[] = {
		cmocka_unit_test(coverage_counts_what_no_door_saw),
		cmocka_unit_test(what_was_sent_is_counted_by_domain_and_provider),
		cmocka_unit_test(every_key_of_the_contract_is_there),
		cmocka_unit_test(wrong_filters_are_named),
		cmocka_unit_test(a_passed_deadline_is_told),
		cmocka_unit_test(without_a_file_there_is_no_answer),
		cmocka_unit_test(the_story_is_told),
		cmocka_unit_test(whole_seconds_do_not_turn_the_story_round),
		cmocka_unit_test(many_of_a_kind_are_folded),
		cmocka_unit_test(a_long_scan_ends_at_its_deadline),
		cmocka_unit_test(a_replaced_file_is_noticed),
	};
	enum { OTHERS = sizeof others / sizeof others[0] };
	struct CMUnitTest tests[RECENT + TRACE + OTHERS];

	for (size_t i = 0; i < RECENT; i++)
		tests[i] = (struct CMUnitTest){ recent_cases[i].name, recent_filters, NULL, NULL,
			(void *)(uintptr_t)&recent_cases[i] };
	for (size_t i = 0; i < TRACE; i++)
		tests[RECENT + i] = (struct CMUnitTest){ trace_cases[i].what, messages_are_found, NULL, NULL,
			(void *)(uintptr_t)&trace_cases[i] };
	memcpy(tests + RECENT + TRACE, others, sizeof others);
	return cmocka_run_group_tests_name("query", tests, set_up, tear_down);
}
