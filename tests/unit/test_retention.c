/* What is old or too much goes, nothing else, and the files stay below their limit all the time. */
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/clock.h"
#include "journal_kit.h"

/* How many rows `table` has. */
static int64_t rows_of(const struct kit *kit, const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	sqlite3 *db = NULL;
	int64_t rows;

	assert_int_equal(sqlite3_open_v2(kit->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	sqlite3_busy_timeout(db, 2000);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	rows = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return rows;
}

static void old_transactions_go(void **state)
{
	struct kit kit;
	json_t *got;

	(void)state;
	kit_begin(&kit);
	kit_open(&kit);
	kit_run(&kit,
		"record q=Q1 t=10 end=11 pid=7 ip=192.0.2.1 from=s@x rcpt=a@x rcpt=b@x\nclient q=Q1 t=10 pid=7 ip=192.0.2.1\n"
		"record q=Q2 t=100000 from=s@x rcpt=a@x\nclient q=H1 t=20 pid=8 ip=192.0.2.1\n",
		false);
	mg_journal_set_retention(kit.journal, 2, 64);
	kit_run(&kit, "wait 172000\nwait 900\n", false);
	got = kit_transactions(&kit);
	kit_expect("one left", got, "[{'queue_id':'Q2','recipients':[{'address':'a@x'}]}]");
	assert_int_equal(rows_of(&kit, "SELECT count(*) FROM txn"), 1);
	assert_int_equal(rows_of(&kit, "SELECT count(*) FROM recipient"), 1);
	assert_int_equal(rows_of(&kit, "SELECT count(*) FROM event"), 0);
	json_decref(got);
	kit_end(&kit);
}

enum { FILL = 60000 };

static void put_one(struct kit *kit, int i)
{
	char text[400];

	snprintf(text, sizeof text,
		"record q=Q%d t=%d from=s%d@example.org rcpt=a%d@example.net rcpt=b%d@example.net helo=some.host.name.%d "
		"msgid=%d.and.some.more.text.to.make.it.longer@example text=text_of_the_verdict_that_fills_the_row",
		i, i, i, i, i, i, i);
	while (!mg_journal_put(kit->journal, kit_record(text)))
		assert_true(mg_journal_flush(kit->journal, 30000));
}

static uint64_t bytes_of(const struct kit *kit)
{
	static const char *const suffixes[] = { "", "-wal" };
	uint64_t bytes = 0;

	for (size_t i = 0; i < 2; i++) {
		char name[160];
		struct stat st;

		snprintf(name, sizeof name, "%s%s", kit->path, suffixes[i]);
		if (stat(name, &st) == 0)
			bytes += (uint64_t)st.st_size;
	}
	return bytes;
}

static void the_files_stay_below_the_limit(void **state)
{
	struct kit kit;
	struct mg_journal_stats stats;
	uint64_t most = 0;

	(void)state;
	kit_begin(&kit);
	kit.max_mb = 16;
	kit_open(&kit);
	for (int i = 0; i < FILL; i++) { /* looked at in the midst of the writer's work */
		put_one(&kit, i);
		if (i % 50 == 0 && bytes_of(&kit) > most)
			most = bytes_of(&kit);
	}
	assert_true(mg_journal_flush(kit.journal, 60000));
	mg_journal_stats(kit.journal, &stats);
	assert_in_range(most, 5 * 1024 * 1024, 16 * 1024 * 1024);
	assert_in_range(stats.bytes, 2 * 1024 * 1024, 16 * 1024 * 1024);
	assert_int_equal(stats.failures, 0);
	assert_true(rows_of(&kit, "SELECT count(*) FROM txn") > 2000);
	assert_int_equal(rows_of(&kit, "SELECT max(time_us)-1700000000000000 FROM txn"), (FILL - 1) * MG_S_US);
	assert_true(rows_of(&kit, "SELECT min(time_us)-1700000000000000 FROM txn") > 0); /* the oldest went */
	assert_int_equal(
		rows_of(&kit, "SELECT count(*) FROM recipient WHERE slot>>14 NOT IN (SELECT seq FROM txn)"), 0);
	kit_end(&kit);
}

static void a_lower_limit_shrinks_the_file(void **state)
{
	struct kit kit;
	struct mg_journal_stats stats;

	(void)state;
	kit_begin(&kit);
	kit.max_mb = 64;
	kit_open(&kit);
	for (int i = 0; i < FILL; i++)
		put_one(&kit, i);
	assert_true(mg_journal_flush(kit.journal, 30000));
	mg_journal_stats(kit.journal, &stats);
	assert_true(stats.bytes > 18 * 1024 * 1024);
	mg_journal_set_retention(kit.journal, 3650, 16);
	for (int i = 0; i < 100 && stats.bytes > 16 * 1024 * 1024; i++) {
		assert_true(mg_journal_flush(kit.journal, 30000));
		mg_journal_stats(kit.journal, &stats);
	}
	assert_true(stats.bytes <= 16 * 1024 * 1024);
	assert_true(rows_of(&kit, "SELECT count(*) FROM txn") > 2000);
	kit_end(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(old_transactions_go),
		cmocka_unit_test(the_files_stay_below_the_limit),
		cmocka_unit_test(a_lower_limit_shrinks_the_file),
	};

	return cmocka_run_group_tests_name("retention", tests, NULL, NULL);
}
