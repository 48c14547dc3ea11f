/* The attempts to deliver of a time: what the delivery checks ask of the record. */
#include "journal/query.h"

#include <stdlib.h>

#include "base/clock.h"
#include "journal/reader.h"

enum { LIFETIME_DAYS = 5 };

/* "a/b/c/d" as the log has it. */
static void read_delays(struct mg_str text, double delays_s[4])
{
	for (int i = 0; i < 4; i++) {
		struct mg_str part = mg_str_cut(&text, '/');
		char number[32];

		delays_s[i] = -1;
		if (part.n > 0 && mg_str_copy(number, sizeof number, part))
			delays_s[i] = strtod(number, NULL);
	}
}

struct taker {
	void (*see)(void *context, const struct mg_delivery_attempt *attempt);
	void *context;
};

static void take_row(void *context, sqlite3_stmt *stmt)
{
	const struct taker *taker = context;
	struct mg_delivery_attempt attempt = { .time_us = sqlite3_column_int64(stmt, 0),
		.recipient = mg_column_text(stmt, 1),
		.relay = mg_column_text(stmt, 2),
		.status = mg_column_text(stmt, 3),
		.code = mg_column_text(stmt, 4),
		.dsn = mg_column_text(stmt, 5),
		.reply = mg_column_text(stmt, 6) };

	read_delays(mg_column_text(stmt, 7), attempt.delays_s);
	taker->see(taker->context, &attempt);
}

enum mg_rc mg_query_deliveries(struct mg_query *query, int64_t since_us, int64_t deadline_us,
	void (*see)(void *context, const struct mg_delivery_attempt *attempt), void *context, struct mg_err *err)
{
	static const char sql[] =
		"SELECT e.time_us,e.recipient,e.relay,e.status,e.code,e.dsn,e.reply,e.delays FROM txn t JOIN event e"
		" ON e.slot BETWEEN t.seq<<11 AND (t.seq<<11)+2047"
		" WHERE t.time_us>=?2 AND t.last_line_us>=?1 AND e.kind=?3 AND e.time_us>=?1 LIMIT ?4";
	const int64_t numbers[] = { since_us, since_us - LIFETIME_DAYS * MG_DAY_US, MG_EVENT_DELIVERY,
		MG_QUERY_DELIVERIES };
	struct taker taker = { see, context };

	return mg_query_each(
		query, sql, numbers, sizeof numbers / sizeof numbers[0], deadline_us, take_row, &taker, err);
}
