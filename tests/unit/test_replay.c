/* A recorded transaction and settings: what it would have got. And the walk over the journal that brings it. */
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "conf/conf_with.h"
#include "engine/replay.h"
#include "journal_kit.h"

struct replay_row {
	const char *name, *record;
	const char *facts, *words; /* auth_facts; "iprev spf dkim arc dmarc" result words */
	const char *asked;         /* of the message */
	const char *current[3], *next[4];
	const char *verdict; /* "ACTION RULE", "would ACTION RULE", or "? GAP" */
};

#define INBOUND  "record by=milter port=4 ip=192.0.2.1 from=a@s.example domain=s.example relay=2 "
#define OBSERVED INBOUND "action=observe rcpt=b@x "
#define PASSES   "pass pass pass none pass"
#define FAILS    "fail fail none none fail"
static const struct replay_row replay_rows[] = {
	{ "nothing is asked for", OBSERVED, "v1 dis=none", PASSES, "", { NULL }, { "mode=enforce" }, "accept " },
	{ "DMARC rejects", OBSERVED, "v1 dis=reject", FAILS, "", { NULL }, { "mode=enforce" }, "reject auth:dmarc" },
	{ "DMARC rejects, observed still", OBSERVED, "v1 dis=reject", FAILS, "", { NULL }, { "mode=observe" },
		"would reject auth:dmarc" },
	{ "DMARC holds", OBSERVED, "v1 dis=quarantine", FAILS, "", { NULL }, { "mode=enforce" },
		"quarantine auth:dmarc" },
	{ "DMARC recorded only", OBSERVED, "v1 dis=reject", FAILS, "", { NULL }, { "auth.dmarc=record" }, "accept " },
	{ "DMARC excused by ARC", OBSERVED, "v1 dis=none arc=override", "fail fail none pass fail", "", { NULL },
		{ "mode=enforce" }, "accept " },
	{ "other sealers", OBSERVED, "v1 dis=none arc=override", "fail fail none pass fail", "", { NULL },
		{ "auth.trusted_sealers=x.example" }, "? trusted_sealers" },
	{ "other sealers, no chain", OBSERVED, "v1 dis=reject", FAILS, "", { NULL },
		{ "auth.trusted_sealers=x.example" }, "reject auth:dmarc" },
	{ "SPF enforced", OBSERVED, "v1 dis=none", "pass fail none none pass", "", { NULL }, { "auth.spf=enforce" },
		"reject auth:spf" },
	{ "HELO enforced", OBSERVED, "v1 helo=fail dis=none", "pass none none none pass", "", { NULL },
		{ "auth.spf=enforce" }, "reject auth:spf" },
	{ "HELO denies, MAIL FROM passes", OBSERVED, "v1 helo=fail dis=none", PASSES, "", { NULL },
		{ "auth.spf=enforce" }, "accept " },
	{ "temperror", OBSERVED, "v1 dis=none", "pass temperror none none temperror", "", { NULL },
		{ "auth.spf=enforce", "auth.on_temperror=tempfail" }, "tempfail auth:spf" },
	{ "a method that was off", OBSERVED, "v1 dis=none", "pass pass  none pass", "", { NULL },
		{ "auth.dkim=enforce" }, "? dkim" },
	{ "a method that was off, another rejects", OBSERVED, "v1 dis=reject", "fail fail  none fail", "", { NULL },
		{ "auth.dkim=enforce" }, "reject auth:dmarc" },
	{ "nothing was checked", OBSERVED, "v1", "", "", { NULL }, { "mode=enforce" }, "? dmarc" },
	{ "who logged in is exempt", "record by=milter port=4 ip=192.0.2.1 user=ann relay=3 action=observe rcpt=b@x",
		"v1", "", "", { NULL }, { "auth.spf=enforce", "rate.limits=( )" }, "accept " },
	{ "who is trusted is exempt", "record by=milter port=4 ip=192.0.2.1 relay=4 action=observe rcpt=b@x",
		"v1 dis=reject", FAILS, "", { NULL }, { "mode=enforce" }, "accept " },
	{ "newly trusted", OBSERVED, "v1 dis=reject", FAILS, "", { NULL }, { "relay.trusted=192.0.2.0/24" },
		"accept " },
	{ "no longer trusted", "record by=milter port=4 ip=192.0.2.1 relay=4 action=observe rcpt=b@x", "v1 dis=none",
		PASSES, "", { "relay.trusted=192.0.2.0/24" }, { "relay.trusted=" }, "? relay.trusted" },

	{ "listed", OBSERVED, "v1 dis=none dnsbl=+bl.example,-wl.example", PASSES, "", { NULL },
		{ "auth.dnsbl=bl.example", "auth.dnsbl_action=enforce" }, "reject auth:dnsbl" },
	{ "listed, too light", OBSERVED, "v1 dis=none dnsbl=+bl.example,-wl.example", PASSES, "", { NULL },
		{ "auth.dnsbl=bl.example", "auth.dnsbl_action=enforce", "auth.dnsbl_threshold=2" }, "accept " },
	{ "listed, another weight", OBSERVED, "v1 dis=none dnsbl=+bl.example,-wl.example", PASSES, "", { NULL },
		{ "auth.dnsbl=( { zone = \"bl.example\"; weight = 2; } )", "auth.dnsbl_action=enforce",
			"auth.dnsbl_threshold=2" },
		"reject auth:dnsbl" },
	{ "a list never asked", OBSERVED, "v1 dis=none dnsbl=+bl.example", PASSES, "", { NULL },
		{ "auth.dnsbl=( \"bl.example\", \"other.example\" )", "auth.dnsbl_action=enforce" }, "? dnsbl" },
	{ "no lists then", OBSERVED, "v1 dis=none", PASSES, "", { NULL },
		{ "auth.dnsbl=bl.example", "auth.dnsbl_action=enforce" }, "? dnsbl" },
	{ "a list with a key", OBSERVED, "v1 dis=none dnsbl=+KEY.bl.example", PASSES, "", { NULL },
		{ "auth.dnsbl=abcdefgh12345678.bl.example", "auth.dnsbl_action=enforce" }, "reject auth:dnsbl" },
	{ "facts that make no sense", OBSERVED, "v1 dis=x helo= dnsbl=,,+,- \\ = ==", "x y z", "", { NULL },
		{ "auth.dnsbl=bl.example", "auth.dnsbl_action=enforce" }, "? dnsbl" },

	{ "relaying", OBSERVED, "v1 dis=none", PASSES, "reject relay:stranger", { NULL }, { "mode=enforce" },
		"reject relay:stranger" },
	{ "relaying, observed", OBSERVED, "v1 dis=none", PASSES, "reject relay:stranger", { NULL },
		{ "relay.action=observe" }, "accept " },
	{ "relaying was not watched", "record by=milter port=4 ip=192.0.2.1 relay=5 action=accept rcpt=b@x",
		"v1 dis=none", PASSES, "", { "relay.action=off" }, { "relay.action=reject" }, "? relay" },
	{ "an account", OBSERVED, "v1 dis=none", PASSES, "tempfail abuse:account", { NULL }, { "abuse.action=hold" },
		"quarantine abuse:account" },
	{ "an account, off", OBSERVED, "v1 dis=none", PASSES, "tempfail abuse:account", { NULL },
		{ "abuse.action=off" }, "accept " },
	{ "greylisted", OBSERVED, "v1 dis=none", PASSES, "tempfail greylist", { NULL }, { "greylist.enabled=true" },
		"tempfail greylist" },
	{ "no recipient was kept", "record by=milter port=4 ip=192.0.2.1 relay=2 action=observe", "v1 dis=reject",
		FAILS, "", { NULL }, { "mode=enforce" }, "reject auth:dmarc" },
	{ "no longer greylisted", OBSERVED, "v1 dis=none", PASSES, "tempfail greylist", { NULL }, { "mode=enforce" },
		"accept " },
	{ "banned", OBSERVED, "v1 dis=none", PASSES, "reject ban:client", { NULL }, { "mode=enforce" },
		"reject ban:client" },
	{ "the gravest speaks", OBSERVED, "v1 dis=quarantine", FAILS, "tempfail abuse:account", { NULL },
		{ "mode=enforce" }, "tempfail abuse:account" },

	{ "Postfix refused", INBOUND "action=reject rule=postfix:5.1.1 rcpt=b@x=reject=550=5.1.1=no", "v1", "", "",
		{ NULL }, { "mode=observe" }, "reject postfix:5.1.1" },
	{ "Postfix refused what we let through", INBOUND "action=reject would=tempfail rule=auth:spf rcpt=b@x",
		"v1 dis=none", PASSES, "", { NULL }, { "mode=enforce" }, "reject auth:spf" },
	{ "the client went away", INBOUND "action=tempfail rule=client:gone rcpt=b@x", "v1", "", "", { NULL },
		{ "auth.spf=enforce" }, "tempfail client:gone" },
	{ "refused at the end by us", INBOUND "action=reject rule=auth:dmarc rcpt=b@x", "v1 dis=reject", FAILS, "",
		{ NULL }, { "auth.dmarc=record" }, "accept " },
	{ "known from the log alone", "record doors= ip=192.0.2.1 port=4 rule=log-only rcpt=b@x", "", "", "", { NULL },
		{ "mode=enforce" }, "? log-only" },
	{ "our own bounce", "record doors= rule=log-only rcpt=b@x", "", "", "", { NULL }, { "mode=enforce" },
		"accept log-only" },
	{ "sendmail", "record by=milter ip=127.0.0.1 relay=1 rcpt=b@x", "v1", "", "", { NULL }, { "auth.spf=enforce" },
		"accept " },
	{ "policy alone knows no DMARC", "record port=4 ip=192.0.2.1 relay=2 rcpt=b@x", "v1", "pass pass", "", { NULL },
		{ "auth.spf=enforce" }, "accept " },
	{ "policy alone refuses by SPF", "record port=4 ip=192.0.2.1 relay=2 rcpt=b@x", "v1", "pass fail", "", { NULL },
		{ "auth.spf=enforce" }, "reject auth:spf" },

	{ "an old record's DMARC", OBSERVED, "report:mailguard\ndmarc=fail (p=reject dis=reject) header.from=x", FAILS,
		"", { NULL }, { "mode=enforce" }, "reject auth:dmarc" },
	{ "an old record's report was cut", OBSERVED, "report:mailguard\niprev=fail", FAILS, "", { NULL },
		{ "mode=enforce" }, "? dmarc" },
	{ "an old record's HELO", OBSERVED,
		"report:mailguard\nspf=fail smtp.helo=x;\nspf=neutral smtp.mailfrom=y;\ndmarc=none header.from=x",
		"pass neutral none none none", "", { NULL }, { "auth.spf=enforce" }, "reject auth:spf" },
	{ "an old record's relaying", OBSERVED "would=reject rule=relay:stranger", "report:mailguard\ndmarc=none",
		"pass pass none none none", "", { NULL }, { "mode=enforce" }, "reject relay:stranger" },
};

static const struct mg_conf *conf_of(const char *const *texts, size_t most)
{
	struct mg_conf_set sets[4];
	const struct mg_conf *conf = NULL;
	struct mg_err err = { "" };
	size_t n = 0;

	for (; n < most && texts[n] != NULL; n++)
		assert_true(mg_conf_set_cut(mg_str_z(texts[n]), &sets[n]));
	if (mg_conf_load_with(NULL, sets, n, &conf, &err) != MG_OK)
		fail_msg("%s", err.text);
	return conf;
}

/* What the kit's words don't say: by=milter, port, relay as its number. */
static void add_doors(struct mg_record *record, const char *text)
{
	const char *relay = strstr(text, "relay=");

	record->by_milter = strstr(text, "by=milter") != NULL;
	record->by_policy = strstr(text, "doors=") == NULL;
	record->client_port = strstr(text, "port=4") != NULL ? 4 : 0;
	if (relay != NULL)
		record->relay = (enum mg_relay_class)(relay[6] - '0');
}

static void add_facts(struct mg_record *record, const char *facts, const char *words)
{
	struct mg_str rest = mg_str_z(words);

	if (strncmp(facts, "report:", 7) == 0)
		record->auth_report = facts + 7;
	else
		record->auth_facts = facts;
	for (int i = 0; i < MG_METHODS; i++)
		record->auth[i] = mg_record_text(record, mg_str_cut(&rest, ' '));
}

static struct mg_record *record_of(const char *text)
{
	char *copy = mg_str_dup(mg_str_z(text));
	struct mg_record *record = kit_record(copy);

	free(copy);
	add_doors(record, text);
	return record;
}

static void it_would_get(void **state)
{
	const struct replay_row *row = *state;
	const struct mg_conf *current = conf_of(row->current, 3), *next = conf_of(row->next, 4);
	struct mg_walked walked = { record_of(row->record), 0 };
	struct mg_replay *replay = NULL;
	struct mg_replayed out;
	char verdict[200];

	add_facts(walked.record, row->facts, row->words);
	walked.record->asked = row->asked;
	assert_int_equal(mg_replay_new(next, current, &replay, NULL), MG_OK);
	mg_replay_take(replay, &walked, &out);
	if (out.gap != MG_GAP_NONE)
		snprintf(verdict, sizeof verdict, "? %s", mg_replay_gap_name(out.gap));
	else if (out.would != MG_ACTION_NONE)
		snprintf(verdict, sizeof verdict, "would %s %s", mg_action_name(out.would), out.rule);
	else
		snprintf(verdict, sizeof verdict, "%s %s", mg_action_name(out.action), out.rule);
	assert_string_equal(verdict, row->verdict);
	mg_replay_free(&replay);
	assert_null(replay);
	mg_record_free(&walked.record);
	mg_conf_unref(&current);
	mg_conf_unref(&next);
}

/* ---- limits ---- */

struct limit_row {
	const char *name, *limit;
	const char *mail[6];  /* "[SECONDS] words of a record"; up to a NULL */
	const char *verdicts; /* a letter each: a r t q, and p for Postfix's */
};
#define M INBOUND "action=accept "
static const struct limit_row limit_rows[] = {
	{ "so many recipients", "key = \"sender\"; count = \"recipients\"; limit = 2; per = \"1h\";",
		{ M "rcpt=a@x rcpt=b@x", M "rcpt=a@x",
			"record by=milter port=4 ip=192.0.2.1 relay=2 from=z@other.example rcpt=a@x" },
		"ata" },
	{ "time gives them back", "key = \"sender\"; count = \"recipients\"; limit = 2; per = \"1h\";",
		{ M "t=1 rcpt=a@x rcpt=b@x", M "t=2 rcpt=a@x", M "t=3602 rcpt=a@x" }, "ata" },
	{ "what comes to nothing is given back", "key = \"sender\"; count = \"recipients\"; limit = 1; per = \"1h\";",
		{ INBOUND "action=tempfail rule=client:gone rcpt=a@x",
			INBOUND "action=reject rule=postfix:5.7.1 rcpt=a@x", M "rcpt=a@x", M "rcpt=a@x" },
		"tpat" },
	{ "one of two recipients is over", "key = \"sender\"; count = \"recipients\"; limit = 1; per = \"1h\";",
		{ M "rcpt=a@x rcpt=b@x", M "rcpt=a@x" }, "at" },
	{ "messages, refused", "key = \"client\"; count = \"messages\"; limit = 1; per = \"1h\"; action = \"reject\";",
		{ M "rcpt=a@x rcpt=b@x", M "rcpt=a@x" }, "ar" },
	{ "bytes, held", "key = \"client\"; count = \"bytes\"; limit = 100; per = \"1h\"; action = \"hold\";",
		{ M "size=80 rcpt=a@x", M "size=80 rcpt=a@x", M "size=10 rcpt=a@x" }, "aqa" },
	{ "observed only", "key = \"client\"; count = \"messages\"; limit = 1; per = \"1h\"; action = \"observe\";",
		{ M "rcpt=a@x", M "rcpt=a@x" }, "aa" },
	{ "new recipients", "key = \"sender\"; count = \"new_recipients\"; limit = 1; per = \"1h\";",
		{ M "rcpt=a@x", M "rcpt=a@x", M "rcpt=b@x" }, "aat" },
	{ "refused recipients", "key = \"client\"; count = \"failures\"; limit = 1; per = \"1h\";",
		{ M "rcpt=a@x", INBOUND "action=reject rule=postfix:5.1.1 rcpt=n@x=reject=550=5.1.1", M "rcpt=a@x" },
		"apt" },
	{ "connections", "key = \"client\"; count = \"connections\"; limit = 1; per = \"1h\";",
		{ M "rcpt=a@x", M "rcpt=a@x" }, "aa" },
	{ "sendmail is not counted", "key = \"client\"; count = \"messages\"; limit = 1; per = \"1h\";",
		{ "record by=milter ip=127.0.0.1 relay=1 rcpt=b@x", "record by=milter ip=127.0.0.1 relay=1 rcpt=b@x" },
		"aa" },
};

static char letter_of(const struct mg_replayed *out)
{
	if (out->gap != MG_GAP_NONE)
		return '?';
	if (mg_str_starts(mg_str_z(out->rule), MG_STR("postfix:")))
		return 'p';
	return mg_action_name(out->action)[0];
}

static void the_limits_say(void **state)
{
	const struct limit_row *row = *state;
	char limits[300], verdicts[8] = "";
	const char *const none[3] = { NULL }, *const texts[4] = { limits, "auth.dmarc=off" };
	const struct mg_conf *current = conf_of(none, 3), *next;
	struct mg_replay *replay = NULL;
	struct mg_replayed out;
	static int64_t begin_us; /* the clock never goes back: each row begins later */

	begin_us += 10000 * MG_S_US;
	snprintf(limits, sizeof limits, "rate.limits=( { name = \"x\"; %s } )", row->limit);
	next = conf_of(texts, 4);
	assert_int_equal(mg_replay_new(next, current, &replay, NULL), MG_OK);
	for (size_t i = 0; i < 6 && row->mail[i] != NULL; i++) {
		struct mg_walked walked = { record_of(row->mail[i]), 0 };

		walked.record->auth_facts = "v1 dis=none";
		walked.record->time_us += begin_us;
		walked.record->end_us = walked.record->time_us;
		for (struct mg_recipient *r = walked.record->recipients; r != NULL; r = r->next)
			r->time_us = walked.record->time_us;
		mg_replay_take(replay, &walked, &out);
		verdicts[i] = letter_of(&out);
		mg_record_free(&walked.record);
	}
	assert_string_equal(verdicts, row->verdicts);
	mg_replay_free(&replay);
	mg_conf_unref(&current);
	mg_conf_unref(&next);
}

/* ---- the walk ---- */

struct seen {
	unsigned count, recipients, delivered;
	int64_t last_us;
	unsigned end_at;
	char first[40], facts[80], asked[80];
};

static bool note(void *context, const struct mg_walked *walked)
{
	struct seen *seen = context;

	assert_true(walked->record->time_us >= seen->last_us);
	if (seen->count++ == 0) {
		mg_str_copy(seen->first, sizeof seen->first, mg_str_z(walked->record->sender));
		mg_str_copy(seen->facts, sizeof seen->facts, mg_str_z(walked->record->auth_facts));
		mg_str_copy(seen->asked, sizeof seen->asked, mg_str_z(walked->record->recipients->asked));
	}
	seen->recipients += (unsigned)walked->record->recipient_count;
	seen->delivered += walked->delivered;
	seen->last_us = walked->record->time_us;
	return seen->count != seen->end_at;
}

static void the_walk_sees_each_once(void **state)
{
	enum { MANY = 1300 };
	struct kit kit;
	struct mg_query *query = NULL;
	struct mg_err err = { "" };
	struct seen seen = { 0 }, few = { .end_at = 3 }, late = { 0 }, none = { 0 };
	char text[100];

	(void)state;
	kit_begin(&kit);
	kit_open(&kit);
	for (int i = MANY; i > 0; i--) {
		struct mg_record *record;

		snprintf(text, sizeof text, "record t=%d from=s%d@x ip=192.0.2.1 rcpt=a@x rcpt=b@x", i / 3, i);
		record = kit_record(text);
		if (i == 1) {
			record->auth_facts = "v1 dis=reject";
			record->recipients->asked = "tempfail limit:x";
		}
		assert_true(mg_journal_put(kit.journal, record));
		if (i % 200 == 0)
			assert_true(mg_journal_flush(kit.journal, 10000));
	}
	assert_true(mg_journal_flush(kit.journal, 10000));
	assert_int_equal(mg_query_open(kit.path, &query, &err), MG_OK);
	assert_int_equal(mg_query_walk(query, 0, mg_mono_us() + 20 * MG_S_US, note, &seen, &err), MG_OK);
	assert_int_equal(seen.count, MANY);
	assert_int_equal(seen.recipients, 2 * MANY);
	assert_string_equal(seen.facts, seen.first[1] == '1' ? "v1 dis=reject" : "");
	assert_int_equal(mg_query_walk(query, 0, mg_mono_us() + 20 * MG_S_US, note, &few, &err), MG_OK);
	assert_int_equal(few.count, 3);
	assert_int_equal(
		mg_query_walk(query, KIT_EPOCH + 100 * MG_S_US, mg_mono_us() + 20 * MG_S_US, note, &late, &err), MG_OK);
	assert_int_equal(late.count, MANY - 299);
	assert_int_equal(mg_query_walk(query, 0, mg_mono_us() - 1, note, &none, &err), MG_ETIME);
	assert_int_equal(none.count, 0);
	mg_query_close(&query);
	kit_end(&kit);
}

int main(void)
{
	struct CMUnitTest tests[ROWS(replay_rows) + ROWS(limit_rows) + 4];
	size_t n = 0;

	ADD_ROWS(tests, n, replay_rows, it_would_get);
	ADD_ROWS(tests, n, limit_rows, the_limits_say);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(the_walk_sees_each_once);
	return _cmocka_run_group_tests("replay", tests, n, NULL, NULL);
}
