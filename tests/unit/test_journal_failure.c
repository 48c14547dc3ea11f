/* When writing fails: nothing is lost that can be kept, nothing hangs, and it goes on by itself afterwards. */
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "journal_kit.h"

static void put(struct kit *kit, int i)
{
	char text[300];

	snprintf(text, sizeof text,
		"record q=Q%d t=%d ip=192.0.2.1 from=s@x rcpt=a@x "
		"text=some_text_that_takes_its_place_on_the_disk_so_that_it_is_full_before_long",
		i, i);
	mg_journal_put(kit->journal, kit_record(text));
}

/* A record and two lines of its message. */
static void put_with_lines(struct kit *kit, int i)
{
	struct mg_log_position position = { .source = "file:/test" };
	struct mg_log_line line;

	put(kit, i);
	for (int n = 0; n < 2; n++) {
		char text[96];

		snprintf(text, sizeof text, "%s q=Q%d t=%d",
			n == 0 ? "queued from=s@x size=1" : "delivery to=a@x status=sent", i, i);
		kit_line(text, &line);
		position.offset++;
		assert_true(mg_journal_take_line(kit->journal, &line, &position));
	}
}

static void expect_all_sent(struct kit *kit, size_t count)
{
	struct mg_recent_filter filter = { 0, "", "", "", "", 10000 };
	struct mg_query *query = NULL;
	json_t *got = NULL;
	size_t i;
	json_t *txn;

	assert_int_equal(mg_query_open(kit->path, &query, NULL), MG_OK);
	assert_int_equal(mg_query_recent(query, &filter, mg_mono_us() + 30 * MG_S_US, &got, NULL), MG_OK);
	mg_query_close(&query);
	assert_int_equal(json_array_size(got), count < 10000 ? count : 10000);
	json_array_foreach(got, i, txn)
	{
		kit_expect("sent", txn, "{'recipients':[{'address':'a@x','delivery':'sent'}],'size':1}");
	}
	json_decref(got);
}

static size_t transactions(struct kit *kit)
{
	json_t *got = kit_transactions(kit);
	size_t n = json_array_size(got);

	json_decref(got);
	return n;
}

static void a_locked_database_is_waited_for(void **state)
{
	struct mg_journal_stats stats;
	struct kit kit;
	sqlite3 *db = NULL;

	(void)state;
	kit_begin(&kit);
	kit_open(&kit);
	assert_int_equal(sqlite3_open(kit.path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	put(&kit, 1);
	assert_false(mg_journal_flush(kit.journal, 800));
	mg_journal_stats(kit.journal, &stats);
	assert_true(stats.failures > 0);
	assert_true(stats.failing_since_us != 0);
	assert_true(stats.trouble[0] != '\0');
	assert_int_equal(stats.queued, 1);
	assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_true(mg_journal_flush(kit.journal, 10000));
	mg_journal_stats(kit.journal, &stats);
	assert_int_equal(stats.failing_since_us, 0);
	assert_string_equal(stats.trouble, "");
	assert_int_equal(stats.records, 1);
	assert_int_equal(transactions(&kit), 1);
	kit_end(&kit);
}

static void a_full_queue_drops_and_counts(void **state)
{
	enum { OVER = 500, IN_BATCH = 1000 };
	struct mg_journal_stats stats;
	struct kit kit;
	sqlite3 *db = NULL;
	size_t lost;

	(void)state;
	kit_begin(&kit);
	kit_open(&kit);
	assert_int_equal(sqlite3_open(kit.path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	for (int i = 0; i < MG_JOURNAL_QUEUE + IN_BATCH + OVER; i++)
		put(&kit, i);
	mg_journal_stats(kit.journal, &stats);
	assert_in_range(stats.dropped, OVER, OVER + IN_BATCH);
	assert_true(stats.lag_ms >= 0);
	lost = mg_journal_close(&kit.journal, 300);
	assert_int_equal(lost + stats.dropped, MG_JOURNAL_QUEUE + IN_BATCH + OVER);
	sqlite3_close(db);
	kit_end(&kit);
}

static void spoil(const char *path)
{
	FILE *file = fopen(path, "r+b");

	assert_non_null(file);
	for (int i = 0; i < 4000; i++)
		fputc('x', file);
	fclose(file);
}

static void a_corrupt_file_is_set_aside(void **state)
{
	struct mg_journal_stats stats;
	struct kit kit;

	(void)state;
	kit_begin(&kit);
	kit_open(&kit);
	put(&kit, 1);
	kit_close(&kit, 5000);
	spoil(kit.path);
	kit_open(&kit);
	put(&kit, 2);
	assert_true(mg_journal_flush(kit.journal, 10000));
	mg_journal_stats(kit.journal, &stats);
	assert_non_null(strstr(stats.set_aside, "journal.db.corrupt-"));
	assert_int_equal(access(stats.set_aside, F_OK), 0);
	assert_int_equal(transactions(&kit), 1);
	kit_end(&kit);
}

/* Damage inside, behind a header that is in order. */
static void damage_within_is_found(void **state)
{
	struct mg_journal_stats stats;
	struct kit kit;
	FILE *file;

	(void)state;
	kit_begin(&kit);
	kit_open(&kit);
	for (int i = 0; i < 3000; i++)
		put(&kit, i);
	kit_close(&kit, 20000);
	file = fopen(kit.path, "r+b");
	assert_non_null(file);
	for (long at = 8192; at < 400000; at += 4096) {
		fseek(file, at, SEEK_SET);
		for (int i = 0; i < 200; i++)
			fputc(0xa5, file);
	}
	fclose(file);
	kit_open(&kit);
	put(&kit, 2);
	assert_true(mg_journal_flush(kit.journal, 10000));
	mg_journal_stats(kit.journal, &stats);
	assert_true(stats.set_aside[0] != '\0');
	assert_int_equal(transactions(&kit), 1);
	kit_end(&kit);
}

static void a_deleted_file_is_begun_anew(void **state)
{
	struct kit kit;

	(void)state;
	kit_begin(&kit);
	kit_open(&kit);
	put(&kit, 1);
	assert_true(mg_journal_flush(kit.journal, 10000));
	assert_int_equal(unlink(kit.path), 0);
	assert_true(mg_journal_flush(kit.journal, 10000));
	put(&kit, 2);
	assert_true(mg_journal_flush(kit.journal, 10000));
	assert_int_equal(transactions(&kit), 1);
	kit_end(&kit);
}

static void a_newer_schema_is_refused(void **state)
{
	struct mg_journal_options options = { .keep_days = 30, .max_mb = 64 };
	struct mg_journal *journal = NULL;
	struct mg_query *query = NULL;
	struct mg_err err = { "" };
	struct kit kit;
	sqlite3 *db = NULL;

	(void)state;
	kit_begin(&kit);
	kit_open(&kit);
	kit_close(&kit, 1000);
	assert_int_equal(sqlite3_open(kit.path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version=99", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	options.path = kit.path;
	assert_int_equal(mg_journal_open(&options, &journal, &err), MG_ERANGE);
	assert_null(journal);
	assert_non_null(strstr(err.text, "newer"));
	assert_int_equal(mg_query_open(kit.path, &query, &err), MG_ERANGE);
	assert_int_equal(access(kit.path, F_OK), 0); /* and it is left alone */
	kit_end(&kit);
}

/* A journal of schema 2 goes on, with what it holds. */
static void an_older_schema_is_brought_up(void **state)
{
	static const char back[] = "ALTER TABLE txn DROP COLUMN auth_facts;ALTER TABLE txn DROP COLUMN asked;"
				   "ALTER TABLE recipient DROP COLUMN rule;ALTER TABLE recipient DROP COLUMN asked;"
				   "PRAGMA user_version=2";
	struct kit kit;
	sqlite3 *db = NULL;

	(void)state;
	kit_begin(&kit);
	kit_open(&kit);
	put(&kit, 1);
	kit_close(&kit, 1000);
	assert_int_equal(sqlite3_open(kit.path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, back, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	kit_open(&kit);
	put(&kit, 2);
	assert_true(mg_journal_flush(kit.journal, 10000));
	assert_int_equal(transactions(&kit), 2);
	kit_end(&kit);
}

/* Fills until writing fails, then makes room with `relieve`, and everything that was not dropped is there. */
static void fill_and_relieve(struct kit *kit, void (*relieve)(void *), void *context)
{
	struct mg_journal_stats stats = { .failures = 0 };
	int i = 0;

	for (; i < 200000 && stats.failing_since_us == 0; i++) {
		put_with_lines(kit, i);
		if (i % 500 == 499)
			mg_journal_flush(kit->journal, 2000);
		mg_journal_stats(kit->journal, &stats);
	}
	assert_true(stats.failing_since_us != 0);
	relieve(context);
	assert_true(mg_journal_flush(kit->journal, 20000));
	mg_journal_stats(kit->journal, &stats);
	assert_int_equal(stats.failing_since_us, 0);
	assert_int_equal(stats.records + stats.dropped, i);
	assert_int_equal(stats.dropped, 0);
	assert_string_equal(stats.set_aside, "");
	expect_all_sent(kit, (size_t)i);
}

static void remove_ballast(void *path)
{
	assert_int_equal(unlink(path), 0);
}

static bool on_small_disk(struct kit *kit)
{
	char ballast[160];
	FILE *file;

	if (geteuid() != 0 || mount("tmpfs", kit->directory, "tmpfs", 0, "size=8m") != 0)
		return false;
	snprintf(ballast, sizeof ballast, "%s/ballast", kit->directory);
	file = fopen(ballast, "w");
	assert_non_null(file);
	for (int i = 0; i < 3 * 1024 * 1024; i++)
		fputc('b', file);
	fclose(file);
	return true;
}

static void a_full_disk_is_survived(void **state)
{
	struct kit kit;
	char ballast[160];

	(void)state;
	kit_begin(&kit);
	if (!on_small_disk(&kit)) {
		kit_end(&kit);
		skip();
	}
	snprintf(ballast, sizeof ballast, "%s/ballast", kit.directory);
	kit_open(&kit);
	fill_and_relieve(&kit, remove_ballast, ballast);
	kit_close(&kit, 1000);
	umount(kit.directory);
	kit_end(&kit);
}

static void lift_limit(void *before)
{
	assert_int_equal(setrlimit(RLIMIT_FSIZE, before), 0);
}

/* The same without root: no file may grow beyond 2 MB. */
static void a_file_size_limit_is_survived(void **state)
{
	struct rlimit before, tight;
	struct kit kit;

	(void)state;
	kit_begin(&kit);
	kit_open(&kit);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	tight = before;
	tight.rlim_cur = 2 * 1024 * 1024;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	fill_and_relieve(&kit, lift_limit, &before);
	kit_end(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_locked_database_is_waited_for),
		cmocka_unit_test(a_full_queue_drops_and_counts),
		cmocka_unit_test(a_corrupt_file_is_set_aside),
		cmocka_unit_test(damage_within_is_found),
		cmocka_unit_test(a_deleted_file_is_begun_anew),
		cmocka_unit_test(a_newer_schema_is_refused),
		cmocka_unit_test(an_older_schema_is_brought_up),
		cmocka_unit_test(a_full_disk_is_survived),
		cmocka_unit_test(a_file_size_limit_is_survived),
	};

	return cmocka_run_group_tests_name("journal_failure", tests, NULL, NULL);
}
