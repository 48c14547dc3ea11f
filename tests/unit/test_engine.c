/* Scripts of what both doors say about one connection, and the records that must come of it. */
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engine/engine.h"

enum { STEPS = 14, RECORDS = 3 };

struct step {
	enum {
		NONE,
		CONNECT,
		HELO,
		MAIL,
		RCPT,
		REFUSED,
		HEADER,
		EOM,
		ABORT,
		CLOSE,
		ASK,           /* policy at RCPT: a = sender, b = recipient, instance = c */
		ASK_END,       /* policy at END-OF-MESSAGE */
		ASK_OTHER,     /* policy at CONNECT */
		ASK_ELSEWHERE, /* policy at RCPT from another port */
		ASK_NO_PORT,   /* policy at RCPT with an unknown port */
		STALE_GOODBYE, /* the same, with no time passing */
		SILENCE,       /* some seconds without a word */
		GOODBYE,       /* the log's disconnect of pid a (hex of instance) */
	} what;
	const char *a, *b, *c;
};

struct expected {
	const char *action, *sender, *recipients, *rule; /* recipients: "address=verdict ..." */
	bool by_milter, by_policy;
	const char *queue_id;
};

struct script {
	const char *name;
	struct step step[STEPS];
	struct expected record[RECORDS];
};

static const struct script scripts[] = {
	{ "milter alone: accepted",
		{ { CONNECT, 0, 0, 0 }, { HELO, "h", 0, 0 }, { MAIL, "a@x", 0, 0 }, { RCPT, "r@y", "Q1", 0 },
			{ EOM, "Q1", 0, 0 }, { ABORT, 0, 0, 0 }, { CLOSE, 0, 0, 0 } },
		{ { "accept", "a@x", "r@y=accept", "", true, false, "Q1" } } },
	{ "milter alone: every recipient refused for good",
		{ { CONNECT, 0, 0, 0 }, { MAIL, "a@x", 0, 0 }, { REFUSED, "r@y", "5.7.1", "Relay access denied" },
			{ ABORT, 0, 0, 0 }, { CLOSE, 0, 0, 0 } },
		{ { "reject", "a@x", "r@y=reject", "postfix:5.7.1", true, false, "" } } },
	{ "milter alone: every recipient refused for now",
		{ { CONNECT, 0, 0, 0 }, { MAIL, "a@x", 0, 0 }, { REFUSED, "r@y", "4.2.0", "Greylisted" },
			{ CLOSE, 0, 0, 0 } },
		{ { "tempfail", "a@x", "r@y=tempfail", "postfix:4.2.0", true, false, "" } } },
	{ "one refused for good among those for now: reject",
		{ { CONNECT, 0, 0, 0 }, { MAIL, "a@x", 0, 0 }, { REFUSED, "r@y", "5.1.1", "no" },
			{ REFUSED, "s@y", "4.2.0", "later" }, { CLOSE, 0, 0, 0 } },
		{ { "reject", "a@x", "r@y=reject s@y=tempfail", "postfix:5.1.1", true, false, "" } } },
	{ "one accepted among refused: accepted",
		{ { CONNECT, 0, 0, 0 }, { MAIL, "a@x", 0, 0 }, { REFUSED, "r@y", "5.1.1", "no" },
			{ RCPT, "s@y", "Q1", 0 }, { EOM, "Q1", 0, 0 }, { CLOSE, 0, 0, 0 } },
		{ { "accept", "a@x", "r@y=reject s@y=accept", "", true, false, "Q1" } } },
	{ "an accepted virtual alias domain is no refusal",
		{ { CONNECT, 0, 0, 0 }, { MAIL, "a@x", 0, 0 },
			{ REFUSED, "r@y", "5.1.1 User unknown in virtual alias table", "r@y" }, { EOM, "Q1", 0, 0 },
			{ CLOSE, 0, 0, 0 } },
		{ { "accept", "a@x", "r@y=accept", "", true, false, "Q1" } } },
	{ "no RCPT at all is none",
		{ { CONNECT, 0, 0, 0 }, { MAIL, "a@x", 0, 0 }, { ABORT, 0, 0, 0 }, { MAIL, "b@x", 0, 0 },
			{ CLOSE, 0, 0, 0 } },
		{ { 0 } } },
	{ "gone before the end",
		{ { CONNECT, 0, 0, 0 }, { MAIL, "a@x", 0, 0 }, { RCPT, "r@y", "Q1", 0 }, { CLOSE, 0, 0, 0 } },
		{ { "tempfail", "a@x", "r@y=accept", "client:gone", true, false, "Q1" } } },
	{ "reset before the end",
		{ { CONNECT, 0, 0, 0 }, { MAIL, "a@x", 0, 0 }, { RCPT, "r@y", "Q1", 0 }, { ABORT, 0, 0, 0 },
			{ CLOSE, 0, 0, 0 } },
		{ { "tempfail", "a@x", "r@y=accept", "client:reset", true, false, "Q1" } } },
	{ "two messages, two records",
		{ { CONNECT, 0, 0, 0 }, { MAIL, "a@x", 0, 0 }, { RCPT, "r@y", "Q1", 0 }, { EOM, "Q1", 0, 0 },
			{ ABORT, 0, 0, 0 }, { MAIL, "b@x", 0, 0 }, { RCPT, "s@y", "Q2", 0 }, { EOM, "Q2", 0, 0 },
			{ CLOSE, 0, 0, 0 } },
		{ { "accept", "a@x", "r@y=accept", "", true, false, "Q1" },
			{ "accept", "b@x", "s@y=accept", "", true, false, "Q2" } } },
	{ "both doors, the policy request after MAIL: one record",
		{ { CONNECT, 0, 0, 0 }, { MAIL, "a@x", 0, 0 }, { ASK, "a@x", "r@y", "1f.1" }, { RCPT, "r@y", "Q1", 0 },
			{ ASK_END, "a@x", "r@y", "1f.1" }, { EOM, "Q1", 0, 0 }, { CLOSE, 0, 0, 0 } },
		{ { "accept", "a@x", "r@y=accept", "", true, true, "Q1" } } },
	{ "both doors, the policy request before connect is seen: adopted",
		{ { ASK, "a@x", "r@y", "1f.1" }, { CONNECT, 0, 0, 0 }, { MAIL, "a@x", 0, 0 }, { RCPT, "r@y", "Q1", 0 },
			{ EOM, "Q1", 0, 0 }, { CLOSE, 0, 0, 0 } },
		{ { "accept", "a@x", "r@y=accept", "", true, true, "Q1" } } },
	{ "the second message's request before its MAIL: adopted by it",
		{ { CONNECT, 0, 0, 0 }, { MAIL, "a@x", 0, 0 }, { ASK, "a@x", "r@y", "1f.1" }, { RCPT, "r@y", "Q1", 0 },
			{ ASK, "a@x", "s@y", "1f.2" }, { EOM, "Q1", 0, 0 }, { MAIL, "a@x", 0, 0 },
			{ RCPT, "s@y", "Q2", 0 }, { EOM, "Q2", 0, 0 }, { CLOSE, 0, 0, 0 } },
		{ { "accept", "a@x", "r@y=accept", "", true, true, "Q1" },
			{ "accept", "a@x", "s@y=accept", "", true, true, "Q2" } } },
	{ "another sender's request is not adopted",
		{ { CONNECT, 0, 0, 0 }, { ASK, "other@x", "r@y", "1f.1" }, { MAIL, "a@x", 0, 0 },
			{ RCPT, "r@y", "Q1", 0 }, { EOM, "Q1", 0, 0 }, { CLOSE, 0, 0, 0 } },
		{ { "accept", "other@x", "r@y=accept", "", false, true, "" },
			{ "accept", "a@x", "r@y=accept", "", true, false, "Q1" } } },
	{ "another port is another connection",
		{ { CONNECT, 0, 0, 0 }, { MAIL, "a@x", 0, 0 }, { ASK_ELSEWHERE, "a@x", "r@y", "1f.1" },
			{ RCPT, "r@y", "Q1", 0 }, { EOM, "Q1", 0, 0 }, { CLOSE, 0, 0, 0 }, { GOODBYE, "1f", 0, 0 } },
		{ { "accept", "a@x", "r@y=accept", "", true, false, "Q1" },
			{ "accept", "a@x", "r@y=accept", "", false, true, "" } } },
	{ "an unknown port is not joined",
		{ { CONNECT, 0, 0, 0 }, { MAIL, "a@x", 0, 0 }, { ASK_NO_PORT, "a@x", "r@y", "1f.1" },
			{ RCPT, "r@y", "Q1", 0 }, { EOM, "Q1", 0, 0 }, { CLOSE, 0, 0, 0 } },
		{ { "accept", "a@x", "r@y=accept", "", true, false, "Q1" },
			{ "accept", "a@x", "r@y=accept", "", false, true, "" } } },
	{ "policy alone ends with END-OF-MESSAGE",
		{ { ASK, "a@x", "r@y", "1f.1" }, { ASK, "a@x", "s@y", "1f.1" }, { ASK_END, "a@x", "", "1f.1" } },
		{ { "accept", "a@x", "r@y=accept s@y=accept", "", false, true, "" } } },
	{ "policy alone ends with another instance", { { ASK, "a@x", "r@y", "1f.1" }, { ASK, "a@x", "s@y", "1f.2" } },
		{ { "accept", "a@x", "r@y=accept", "", false, true, "" },
			{ "accept", "a@x", "s@y=accept", "", false, true, "" } } },
	{ "policy alone ends with the log's disconnect",
		{ { ASK, "a@x", "r@y", "1f.1" }, { GOODBYE, "20", 0, 0 }, { ASK, "a@x", "s@y", "1f.1" },
			{ GOODBYE, "1f", 0, 0 }, { ASK, "a@x", "t@y", "1f.1" } },
		{ { "accept", "a@x", "r@y=accept s@y=accept", "", false, true, "" },
			{ "accept", "a@x", "t@y=accept", "", false, true, "" } } },
	{ "a goodbye of the process's last client does not end its next: one record",
		{ { ASK, "a@x", "r@y", "1f.1" }, { STALE_GOODBYE, "1f", 0, 0 }, { CONNECT, 0, 0, 0 },
			{ MAIL, "a@x", 0, 0 }, { RCPT, "r@y", "Q1", 0 }, { EOM, "Q1", 0, 0 }, { CLOSE, 0, 0, 0 } },
		{ { "accept", "a@x", "r@y=accept", "", true, true, "Q1" } } },
	{ "a process that serves another client has left the one before",
		{ { ASK, "a@x", "r@y", "1f.1" }, { ASK_ELSEWHERE, "b@x", "s@y", "1f.2" }, { SILENCE, 0, 0, 0 },
			{ ASK_ELSEWHERE, "b@x", "t@y", "1f.2" }, { ASK, "a@x", "u@y", "1f.1" } },
		{ { "accept", "a@x", "r@y=accept", "", false, true, "" },
			{ "accept", "b@x", "s@y=accept t@y=accept", "", false, true, "" },
			{ "accept", "a@x", "u@y=accept", "", false, true, "" } } },
	{ "asked in several places, one recipient",
		{ { ASK, "a@x", "r@y", "1f.1" }, { ASK, "a@x", "r@y", "1f.1" }, { ASK, "a@x", "r@y", "1f.1" },
			{ ASK_END, "a@x", "r@y", "1f.1" } },
		{ { "accept", "a@x", "r@y=accept", "", false, true, "" } } },
	{ "a request without a message is none",
		{ { ASK_OTHER, "", "", "1f.0" }, { CONNECT, 0, 0, 0 }, { CLOSE, 0, 0, 0 } }, { { 0 } } },
	{ "a recipient the milter never saw was refused by Postfix",
		{ { CONNECT, 0, 0, 0 }, { MAIL, "a@x", 0, 0 }, { ASK, "a@x", "r@y", "1f.1" },
			{ ASK, "a@x", "s@y", "1f.1" }, { RCPT, "s@y", "Q1", 0 }, { EOM, "Q1", 0, 0 },
			{ CLOSE, 0, 0, 0 } },
		{ { "accept", "a@x", "r@y=reject s@y=accept", "", true, true, "Q1" } } },
	{ "events without a MAIL do no harm",
		{ { CONNECT, 0, 0, 0 }, { RCPT, "r@y", "Q1", 0 }, { HEADER, "From", "a@x", 0 }, { EOM, "Q1", 0, 0 },
			{ ABORT, 0, 0, 0 }, { CLOSE, 0, 0, 0 } },
		{ { 0 } } },
};

struct world {
	struct mg_engine *engine;
	struct mg_counters counters;
	struct mg_record *record[RECORDS + 1];
	size_t count;
};

static bool keep(void *context, struct mg_record *record)
{
	struct world *world = context;

	if (world->count < RECORDS + 1)
		world->record[world->count++] = record;
	else
		mg_record_free(&record);
	return true;
}

static void open_world(struct world *world)
{
	const struct mg_conf *conf = NULL;
	struct mg_engine_options options = { .counters = &world->counters, .put = keep, .context = world };

	memset(world, 0, sizeof *world);
	assert_int_equal(mg_conf_defaults(&conf, NULL), MG_OK);
	options.conf = conf;
	assert_int_equal(mg_engine_new(&options, &world->engine, NULL), MG_OK);
	mg_conf_unref(&conf);
}

static void close_world(struct world *world)
{
	mg_engine_free(&world->engine);
	for (size_t i = 0; i < world->count; i++)
		mg_record_free(&world->record[i]);
}

static struct mg_client client_of(unsigned port)
{
	struct mg_client client = { .port = port, .name = MG_STR("client.example"), .server_port = MG_STR("25") };

	assert_true(mg_ip_parse(MG_STR("203.0.113.66"), &client.ip));
	return client;
}

static void ask(struct world *world, const struct step *step, enum mg_policy_stage stage, unsigned port)
{
	struct mg_policy_request request = { .stage = stage,
		.client = client_of(port),
		.sender = mg_str_z(step->a),
		.recipient = mg_str_z(step->b),
		.instance = mg_str_z(step->c) };

	assert_int_equal(mg_engine_policy(world->engine, &request, NULL).action, MG_ACTION_ACCEPT);
}

static void stale_goodbye(struct world *world, const char *pid)
{
	struct mg_log_line line = { .kind = MG_LINE_DISCONNECT, .pid = (unsigned)strtoul(pid, NULL, 16) };

	mg_engine_log_line(world->engine, &line);
	mg_engine_sweep(world->engine, mg_mono_us());
}

static void silence(struct world *world)
{
	mg_engine_sweep(world->engine, mg_mono_us() + (MG_ENGINE_PARTING_S + 1) * MG_S_US);
}

static void play(struct world *world, struct mg_session **session, const struct step *step)
{
	struct mg_client client = client_of(4242);
	struct mg_verdict verdict;

	switch (step->what) {
	case NONE:
		break;
	case CONNECT:
		*session = mg_session_open(world->engine, &client);
		assert_non_null(*session);
		break;
	case HELO:
		mg_session_helo(*session, mg_str_z(step->a));
		break;
	case MAIL:
		mg_session_mail(*session, mg_str_z(step->a), MG_STR(""), MG_STR(""));
		break;
	case RCPT:
		mg_session_rcpt(*session, &(struct mg_rcpt_facts){ .address = mg_str_z(step->a),
						  .mailer = MG_STR("local"),
						  .host = MG_STR("h"),
						  .resolved = mg_str_z(step->a),
						  .queue_id = mg_str_z(step->b) });
		break;
	case REFUSED:
		mg_session_rcpt(*session, &(struct mg_rcpt_facts){ .address = mg_str_z(step->a),
						  .mailer = MG_STR("error"),
						  .host = mg_str_z(step->b),
						  .resolved = mg_str_z(step->c) });
		break;
	case HEADER:
		mg_session_header(*session, mg_str_z(step->a), mg_str_z(step->b));
		break;
	case EOM:
		mg_session_verdict(*session, mg_str_z(step->a), &verdict);
		assert_int_equal(verdict.action, MG_ACTION_ACCEPT);
		mg_session_end(*session);
		break;
	case ABORT:
		mg_session_abort(*session);
		break;
	case CLOSE:
		mg_session_close(session);
		break;
	case ASK:
		ask(world, step, MG_POLICY_RCPT, 4242);
		break;
	case ASK_END:
		ask(world, step, MG_POLICY_END, 4242);
		break;
	case ASK_OTHER:
		ask(world, step, MG_POLICY_OTHER, 4242);
		break;
	case ASK_ELSEWHERE:
		ask(world, step, MG_POLICY_RCPT, 5555);
		break;
	case ASK_NO_PORT:
		ask(world, step, MG_POLICY_RCPT, 0);
		break;
	case GOODBYE:
		stale_goodbye(world, step->a);
		silence(world);
		break;
	case STALE_GOODBYE:
		stale_goodbye(world, step->a);
		break;
	case SILENCE:
		silence(world);
		break;
	}
}

static void assert_record(const struct mg_record *record, const struct expected *expected)
{
	struct mg_buf recipients;

	mg_buf_init(&recipients, 1000);
	for (const struct mg_recipient *r = record->recipients; r != NULL; r = r->next)
		mg_buf_addf(
			&recipients, "%s%s=%s", recipients.n > 0 ? " " : "", r->address, mg_action_name(r->verdict));
	assert_string_equal(mg_action_name(record->action), expected->action);
	assert_string_equal(record->sender, expected->sender);
	assert_string_equal(mg_buf_z(&recipients), expected->recipients);
	assert_string_equal(record->rule, expected->rule);
	assert_int_equal(record->by_milter, expected->by_milter);
	assert_int_equal(record->by_policy, expected->by_policy);
	assert_string_equal(record->queue_id, expected->queue_id);
	mg_buf_fini(&recipients);
}

static void a_script_gives_its_records(void **state)
{
	const struct script *script = *state;
	struct world world;
	struct mg_session *session = NULL;
	struct mg_engine_stats stats;
	size_t expected = 0;

	open_world(&world);
	for (size_t i = 0; i < STEPS; i++)
		play(&world, &session, &script->step[i]);
	mg_session_close(&session);
	mg_engine_flush(world.engine);
	mg_engine_stats(world.engine, &stats);
	assert_int_equal(stats.sessions, 0);
	assert_int_equal(stats.transactions, 0);
	while (expected < RECORDS && script->record[expected].action != NULL)
		expected++;
	assert_int_equal(world.count, expected);
	for (size_t i = 0; i < expected; i++)
		assert_record(world.record[i], &script->record[i]);
	close_world(&world);
}

static void forged_results_are_deleted_from_the_last_down(void **state)
{
	static const char *const values[] = { "mail.example; spf=pass", "other.example; spf=pass",
		"MAIL.example; dkim=pass", "(x) mail.example; none" };
	struct world world;
	const struct mg_conf *conf = NULL;
	struct mg_client client = client_of(4242);
	struct mg_session *session;
	struct mg_verdict verdict;

	(void)state;
	open_world(&world);
	assert_int_equal(mg_conf_defaults(&conf, NULL), MG_OK);
	free(conf->authserv_id);
	((struct mg_conf *)conf)->authserv_id = mg_str_dup(MG_STR("mail.example"));
	mg_engine_set_conf(world.engine, conf);
	session = mg_session_open(world.engine, &client);
	mg_session_mail(session, MG_STR("a@x"), MG_STR(""), MG_STR(""));
	mg_session_rcpt(session, &(struct mg_rcpt_facts){ .address = MG_STR("r@y") });
	for (size_t i = 0; i < ROWS(values); i++)
		mg_session_header(session, MG_STR("authentication-results"), mg_str_z(values[i]));
	mg_session_verdict(session, MG_STR("Q"), &verdict);
	assert_int_equal(verdict.edit_count, 3);
	assert_int_equal(verdict.edits[0].index, 4);
	assert_int_equal(verdict.edits[1].index, 3);
	assert_int_equal(verdict.edits[2].index, 1);
	for (size_t i = 0; i < 3; i++)
		assert_null(verdict.edits[i].value);
	mg_session_end(session);
	mg_session_close(&session);
	mg_conf_unref(&conf);
	close_world(&world);
}

static void ten_thousand_recipients_are_kept_and_more_are_counted(void **state)
{
	struct world world;
	struct mg_client client = client_of(4242);
	struct mg_session *session;
	struct mg_verdict verdict;
	char address[64];

	(void)state;
	open_world(&world);
	session = mg_session_open(world.engine, &client);
	mg_session_mail(session, MG_STR("a@x"), MG_STR(""), MG_STR(""));
	for (int i = 0; i < MG_RECORD_RECIPIENTS + 5; i++) {
		snprintf(address, sizeof address, "user%d@y.example", i);
		mg_session_rcpt(session, &(struct mg_rcpt_facts){ .address = mg_str_z(address) });
	}
	mg_session_verdict(session, MG_STR("Q"), &verdict);
	mg_session_end(session);
	mg_session_close(&session);
	assert_int_equal(world.count, 1);
	assert_int_equal(world.record[0]->recipient_count, MG_RECORD_RECIPIENTS);
	assert_int_equal(world.record[0]->recipients_left_out, 5);
	close_world(&world);
}

static void counters_follow_the_records_and_corrections(void **state)
{
	struct mg_counters counters = { 0 };

	(void)state;
	mg_counters_add(&counters, MG_ACTION_ACCEPT, 100);
	mg_counters_add(&counters, MG_ACTION_ACCEPT, 100000);
	mg_counters_correct(&counters, MG_ACTION_ACCEPT, MG_ACTION_REJECT);
	mg_counters_correct(&counters, MG_ACTION_TEMPFAIL, MG_ACTION_REJECT); /* never counted here: no underflow */
	assert_int_equal(counters.by_action[MG_ACTION_ACCEPT], 1);
	assert_int_equal(counters.by_action[MG_ACTION_REJECT], 1);
	assert_int_equal(counters.by_action[MG_ACTION_TEMPFAIL], 0);
	assert_in_range(mg_counters_latency_us(&counters, 0.5), 100, 200);
	assert_in_range(mg_counters_latency_us(&counters, 0.99), 100000, 200000);
}

int main(void)
{
	static struct CMUnitTest tests[64];
	size_t n = 0;

	ADD_ROWS(tests, n, scripts, a_script_gives_its_records);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(forged_results_are_deleted_from_the_last_down);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(ten_thousand_recipients_are_kept_and_more_are_counted);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(counters_follow_the_records_and_corrections);
	return _cmocka_run_group_tests("engine", tests, n, NULL, NULL);
}
