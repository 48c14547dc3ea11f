/* What became of the mail of each login: for the guard of accounts, which knows only what it lets in. */
#include "journal/query.h"

#include "journal/reader.h"

struct taker {
	void (*see)(void *context, const struct mg_login_outcomes *outcomes);
	void *context;
};

static void take_row(void *context, sqlite3_stmt *stmt)
{
	const struct taker *taker = context;
	struct mg_login_outcomes outcomes = { .login = mg_column_text(stmt, 0),
		.recipients = (uint32_t)sqlite3_column_int64(stmt, 1),
		.undelivered = (uint32_t)sqlite3_column_int64(stmt, 2),
		.invalid = (uint32_t)sqlite3_column_int64(stmt, 3) };

	taker->see(taker->context, &outcomes);
}

/* delivery 2 is deferred, 3 bounced, 4 expired (record.h); verdict 1 is accept. */
enum mg_rc mg_query_logins(struct mg_query *query, int64_t since_us, int64_t deadline_us,
	void (*see)(void *context, const struct mg_login_outcomes *outcomes), void *context, struct mg_err *err)
{
	static const char sql[] =
		"SELECT t.user, count(*), sum(r.delivery IN (2,3,4)), sum(r.delivery=3 AND r.dsn LIKE '5.1.1%') FROM txn t"
		" JOIN recipient r ON r.slot BETWEEN t.seq<<14 AND (t.seq<<14)+16383 WHERE t.user<>'' AND t.time_us>=?1"
		" AND t.is_shown=1 AND r.owner IS NULL AND r.verdict=1 GROUP BY t.user";
	const int64_t numbers[] = { since_us };
	struct taker taker = { see, context };

	return mg_query_each(
		query, sql, numbers, sizeof numbers / sizeof numbers[0], deadline_us, take_row, &taker, err);
}
