/* The journal as its owner sees it: options, files, positions, the queue, closing, pseudonyms, and what many threads do
 * to it at once. */
#include <pthread.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "journal/line_copy.h"
#include "journal/veil.h"
#include "journal_kit.h"

static void options_are_checked(void **state)
{
	struct mg_journal_options options = { .path = "/nowhere/journal.db", .keep_days = 30, .max_mb = 64 };
	struct mg_journal *journal = NULL;
	struct mg_err err = { "" };

	(void)state;
	assert_int_equal(mg_journal_open(&options, &journal, &err), MG_EIO);
	assert_non_null(strstr(err.text, "/nowhere/journal.db"));
	options.max_mb = 15;
	assert_int_equal(mg_journal_open(&options, &journal, &err), MG_ERANGE);
	options.max_mb = 16;
	options.keep_days = 0;
	assert_int_equal(mg_journal_open(&options, &journal, &err), MG_ERANGE);
	assert_null(journal);
	assert_int_equal(mg_journal_close(&journal, 0), 0);
}

static void the_file_is_private(void **state)
{
	static const char *const suffixes[] = { "", "-wal" };
	struct kit kit;
	struct stat st;
	char name[160];

	(void)state;
	kit_begin(&kit);
	kit_open(&kit);
	kit_run(&kit, "record t=1 rcpt=a@x\n", false);
	for (size_t i = 0; i < 2; i++) {
		snprintf(name, sizeof name, "%s%s", kit.path, suffixes[i]);
		assert_int_equal(stat(name, &st), 0);
		assert_int_equal(st.st_mode & 0027, 0);
	}
	kit_end(&kit);
}

static void positions_come_back(void **state)
{
	struct mg_log_position first = { "file:/var/log/mail.log", 7, 1234, UINT64_MAX, 256, "" }, got;
	struct mg_log_position second = { "journald", 0, 0, 0, 0, "s=abc;i=1" };
	struct kit kit;

	(void)state;
	kit_begin(&kit);
	kit_open(&kit);
	assert_false(mg_journal_position(kit.journal, "journald", &got));
	assert_true(mg_journal_take_line(kit.journal, NULL, &first));
	assert_true(mg_journal_take_line(kit.journal, NULL, &second));
	assert_true(mg_journal_flush(kit.journal, 5000));
	kit_close(&kit, 1000);
	kit_open(&kit);
	assert_true(mg_journal_position(kit.journal, first.source, &got));
	assert_int_equal(got.offset, 1234);
	assert_int_equal(got.inode, 7);
	assert_true(got.fingerprint == UINT64_MAX);
	assert_int_equal(got.fingerprint_bytes, 256);
	assert_true(mg_journal_position(kit.journal, "journald", &got));
	assert_string_equal(got.cursor, "s=abc;i=1");
	assert_false(mg_journal_position(kit.journal, "file:/other", &got));
	kit_end(&kit);
}

static void a_copied_line_needs_nothing_of_the_first(void **state)
{
	char text[] = "delivery q=Q1 t=12 to=a@x orig_to=b@x relay=mx dsn=2.0.0 status=sent reply=ok mailbox=m user=u "
		      "child=c as=d orig=o verb=v stage=s code=250 name=n helo=h msgid=i from=f";
	struct mg_log_line line;
	struct mg_line_copy *copy;

	(void)state;
	kit_line(text, &line);
	copy = mg_line_copy_new(&line, NULL);
	memset(text, 'X', sizeof text - 1);
	assert_true(mg_str_eq(copy->line.queue_id, MG_STR("Q1")));
	assert_true(mg_str_eq(copy->line.sender, MG_STR("f")));
	assert_true(mg_str_eq(copy->line.mailbox, MG_STR("m")));
	assert_true(mg_str_eq(copy->line.child_queue_id, MG_STR("c")));
	free(copy);
}

static void closing_counts_what_is_lost(void **state)
{
	struct kit kit;
	json_t *got;

	(void)state;
	kit_begin(&kit);
	kit_open(&kit);
	for (int i = 0; i < 10; i++) {
		char text[] = "record t=1 rcpt=a@x";

		assert_true(mg_journal_put(kit.journal, kit_record(text)));
	}
	assert_int_equal(mg_journal_close(&kit.journal, 5000), 0);
	kit_open(&kit);
	got = kit_transactions(&kit);
	assert_int_equal(json_array_size(got), 10);
	json_decref(got);
	kit_end(&kit);
}

enum { THREADS = 4, EACH = 2000 };

static void *put_records(void *context)
{
	struct kit *kit = context;
	unsigned dropped = 0;

	for (int i = 0; i < EACH; i++) {
		char text[] = "record t=1 pid=9 ip=192.0.2.1 from=s@x rcpt=a@x";

		dropped += !mg_journal_put(kit->journal, kit_record(text));
	}
	return (void *)(uintptr_t)dropped;
}

static void *put_lines(void *context)
{
	struct kit *kit = context;
	struct mg_log_position position = { .source = "file:/test" };

	for (int i = 0; i < EACH; i++) {
		char text[96];
		struct mg_log_line line;

		snprintf(text, sizeof text, "queued q=N%d t=%d from=s@x size=1", i, i / 100);
		kit_line(text, &line);
		mg_journal_take_line(kit->journal, &line, &position);
	}
	return NULL;
}

static void many_threads(void **state)
{
	pthread_t threads[THREADS];
	struct mg_journal_stats stats;
	struct kit kit;
	uint64_t dropped = 0;

	(void)state;
	kit_begin(&kit);
	kit_open(&kit);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, i == 0 ? put_lines : put_records, &kit), 0);
	for (int i = 0; i < 200; i++)
		mg_journal_stats(kit.journal, &stats);
	for (int i = 0; i < THREADS; i++) {
		void *lost;

		pthread_join(threads[i], &lost);
		dropped += (uintptr_t)lost;
	}
	assert_true(mg_journal_flush(kit.journal, 60000));
	mg_journal_stats(kit.journal, &stats);
	assert_int_equal(stats.records + dropped, (THREADS - 1) * EACH);
	assert_int_equal(stats.dropped, dropped);
	assert_int_equal(stats.lines, EACH);
	assert_int_equal(stats.queued, 0);
	assert_int_equal(stats.lag_ms, 0);
	assert_true(stats.bytes > 0);
	assert_int_equal(stats.failures, 0);
	kit_end(&kit);
}

/* True when `word` stands in any byte of the database. */
static bool is_in_file(const struct kit *kit, const char *word)
{
	static const char *const suffixes[] = { "", "-wal" };
	bool found = false;

	for (size_t i = 0; i < 2; i++) {
		char name[160], *content = malloc(20000000);
		size_t n = 0;
		FILE *file;

		snprintf(name, sizeof name, "%s%s", kit->path, suffixes[i]);
		file = fopen(name, "rb");
		if (file != NULL)
			n = fread(content, 1, 20000000, file);
		if (file != NULL)
			fclose(file);
		found |= memmem(content, n, word, strlen(word)) != NULL;
		free(content);
	}
	return found;
}

static const char secrets[] =
	"record q=Q1 t=10 end=11 pid=7 ip=192.0.2.1 from=Sender.Name@example user=login.name domain=example "
	"rcpt=first.rcpt@x rcpt=second.rcpt@x=reject=554=5.7.1=<second.rcpt@x>_is_unknown text=for_<first.rcpt@x>\n"
	"client q=Q1 t=10.5 pid=7 ip=192.0.2.1 user=login.name\n"
	"queued q=Q1 t=11 from=Sender.Name@example size=3\n"
	"delivery q=Q1 t=12 to=alias.name@x orig_to=first.rcpt@X dsn=5.1.1 status=bounced "
	"reply=unknown_user:_\"alias.name\"_<other.name@y>\n"
	"reject t=20 pid=8 ip=192.0.2.1 stage=RCPT code=554 dsn=5.7.1 reply=<third.rcpt@x>_no from=Sender.Name@example "
	"to=third.rcpt@x\nwait 31\n";

static void pseudonyms_hide_people(void **state)
{
	static const char *const hidden[] = { "ender.", "login.name", "first.rcpt", "second.rcpt", "third.rcpt",
		"alias.name", "other.name" };
	static const char *const keys[] = { "sender.name@EXAMPLE", "first.rcpt@x", "second.rcpt@x", "third.rcpt@x" };
	struct kit kit;
	json_t *got, *txn;

	(void)state;
	kit_begin(&kit);
	kit.pseudonymize = true;
	kit_open(&kit);
	kit_run(&kit, secrets, true);
	got = kit_transactions(&kit);
	kit_expect("pseudonyms", got,
		"[{'queue_id':'Q1','recipients':[{'delivery':'bounced'},{'verdict':'reject','reply':'<*> is unknown'}],"
		"'verdict':{'text':'for <*>'}},{'recipients':[{'verdict':'reject','reply':'<*> no'}]}]");
	txn = json_array_get(got, 0);
	assert_memory_equal(json_string_value(json_object_get(txn, "sender")), "p-", 2);
	assert_int_equal(json_string_length(json_object_get(txn, "sender")), strlen("p-0123456789abcdef@example"));
	for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
		if (is_in_file(&kit, hidden[i]))
			fail_msg("%s is in the file", hidden[i]);
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		json_t *trace = kit_trace(&kit, keys[i]);

		assert_in_range(json_array_size(json_object_get(trace, "transactions")), 1, 2);
		json_decref(trace);
	}
	json_decref(got);
	kit_end(&kit);
}

static void pseudonyms_are_found_by_themselves(void **state)
{
	struct mg_veil veil = { { 1, 2 }, true };
	struct mg_buf once, twice;

	(void)state;
	mg_buf_init(&once, 200);
	mg_buf_init(&twice, 200);
	mg_veil_address(&veil, MG_STR("Some.One@Example"), &once);
	mg_veil_address(&veil, mg_buf_str(&once), &twice);
	assert_string_equal(mg_buf_z(&once), mg_buf_z(&twice));
	assert_true(mg_veil_address_key(&veil, mg_buf_str(&once)) ==
		    mg_veil_address_key(&veil, MG_STR("some.one@EXAMPLE")));
	assert_true(mg_veil_address_key(&veil, MG_STR("some.one@example")) !=
		    mg_veil_address_key(&veil, MG_STR("some.two@example")));
	assert_true(mg_veil_address_key(&veil, (struct mg_str){ 0 }) == 0);
	mg_buf_fini(&once);
	mg_buf_fini(&twice);
}

static void texts_lose_their_addresses(void **state)
{
	static const struct {
		const char *text, *local, *expected;
	} cases[] = { { "no address", "", "no address" }, { "<a.b+c@x.example>: no", "", "<*>: no" },
		{ "a@b and \"c d\"@e", "", "* and *" }, { "unknown user: \"joe\"", "joe", "unknown user: \"*\"" },
		{ "joe, joel, JOE", "joe", "*, joel, JOE" }, { "at @ sign", "", "at @ sign" }, { "@", "", "@" },
		{ "\"@x", "", "*" }, { "x@", "", "*" }, { "", "joe", "" }, { "a@b c@d", "", "* *" } };
	struct mg_buf out;

	(void)state;
	mg_buf_init(&out, 500);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		mg_buf_reset(&out);
		mg_veil_text(mg_str_z(cases[i].text), mg_str_z(cases[i].local), &out);
		assert_string_equal(mg_buf_z(&out), cases[i].expected);
	}
	mg_buf_fini(&out);
}

static void strange_bytes_travel(void **state)
{
	struct kit kit;
	json_t *got;

	(void)state;
	kit_begin(&kit);
	kit_open(&kit);
	kit_run(&kit, "record q=Q1 t=10 helo=\xff\x01\"'x from=\xc3\x28@x rcpt=\xf0\x9f\x98\x80@x\n", false);
	got = kit_transactions(&kit);
	assert_int_equal(json_array_size(got), 1);
	assert_string_equal(json_string_value(json_object_get(json_array_get(got, 0), "sender")), "\xef\xbf\xbd(@x");
	json_decref(got);
	got = kit_trace(&kit, "Q1");
	assert_int_equal(json_array_size(json_object_get(got, "transactions")), 1);
	json_decref(got);
	kit_end(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_are_checked),
		cmocka_unit_test(the_file_is_private),
		cmocka_unit_test(positions_come_back),
		cmocka_unit_test(a_copied_line_needs_nothing_of_the_first),
		cmocka_unit_test(closing_counts_what_is_lost),
		cmocka_unit_test(many_threads),
		cmocka_unit_test(pseudonyms_hide_people),
		cmocka_unit_test(pseudonyms_are_found_by_themselves),
		cmocka_unit_test(texts_lose_their_addresses),
		cmocka_unit_test(strange_bytes_travel),
	};

	return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
