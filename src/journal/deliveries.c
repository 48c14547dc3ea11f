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

enum mg_rc mg_query_deliveries(struct mg_query *query, int64_t since_us, int64_t deadline_us,
	void (*see)(void *context, const struct mg_delivery_attempt *attempt), void *context, struct mg_err *err)
{
	static const char sql[] =
		"SELECT e.time_us,e.recipient,e.relay,e.status,e.code,e.dsn,e.reply,e.delays FROM txn t JOIN event e"
		" ON e.slot BETWEEN t.seq<<11 AND (t.seq<<11)+2047"
		" WHERE t.time_us>=?2 AND t.last_line_us>=?1 AND e.kind=?3 AND e.time_us>=?1 LIMIT ?4";
	sqlite3_stmt *stmt = NULL;
	enum mg_rc rc = mg_query_begin(query, deadline_us, err);
	bool is_ok;

	if (rc != MG_OK)
		return rc;
	is_ok = mg_query_prepare(query, sql, &stmt);
	if (is_ok) {
		sqlite3_bind_int64(stmt, 1, since_us);
		sqlite3_bind_int64(stmt, 2, since_us - LIFETIME_DAYS * MG_DAY_US);
		sqlite3_bind_int(stmt, 3, MG_EVENT_DELIVERY);
		sqlite3_bind_int(stmt, 4, MG_QUERY_DELIVERIES);
	}
	while (is_ok && mg_query_row(query, stmt)) {
		struct mg_delivery_attempt attempt = { .time_us = sqlite3_column_int64(stmt, 0),
			.recipient = mg_column_text(stmt, 1),
			.relay = mg_column_text(stmt, 2),
			.status = mg_column_text(stmt, 3),
			.code = mg_column_text(stmt, 4),
			.dsn = mg_column_text(stmt, 5),
			.reply = mg_column_text(stmt, 6) };

		read_delays(mg_column_text(stmt, 7), attempt.delays_s);
		see(context, &attempt);
	}
	sqlite3_finalize(stmt);
	return mg_query_end(query, is_ok, err);
}
