/* What of our own mail really went out to others: for the rules that big receivers have for who sends much. */
#include "journal/query.h"

#include "journal/reader.h"

struct taker {
	void (*see)(void *context, const struct mg_sent *sent);
	void *context;
};

static void take_row(void *context, sqlite3_stmt *stmt)
{
	const struct taker *taker = context;
	struct mg_sent sent = { .domain = mg_column_text(stmt, 0),
		.provider = (enum mg_provider)sqlite3_column_int(stmt, 1),
		.messages = (uint64_t)sqlite3_column_int64(stmt, 2),
		.misaligned = (uint64_t)sqlite3_column_int64(stmt, 3) };

	taker->see(taker->context, &sent);
}

/* Relay classes 1, 3, 4 are local, authenticated and trusted, delivery 1 is sent (record.h). A relay of another server is
 * NAME[ADDRESS]:PORT. Domains stay readable in a pseudonymous record. */
#define DOMAIN_OF(address) "lower(substr(" address ",instr(" address ",'@')+1))"
#define PROVIDER                                                                                                       \
	"CASE WHEN d IN ('gmail.com','googlemail.com') OR relay LIKE '%.google.com[%' OR"                              \
	" relay LIKE '%.googlemail.com[%' THEN 1"                                                                      \
	" WHEN d LIKE 'yahoo.%' OR d LIKE 'ymail.%' OR d IN ('aol.com','rocketmail.com') OR"                           \
	" relay LIKE '%.yahoodns.net[%' THEN 2"                                                                        \
	" WHEN d LIKE 'outlook.%' OR d LIKE 'hotmail.%' OR d LIKE 'live.%' OR d='msn.com' OR"                          \
	" relay LIKE '%.outlook.com[%' THEN 3 ELSE 0 END"

enum mg_rc mg_query_sent(struct mg_query *query, int64_t since_us, int64_t deadline_us,
	void (*see)(void *context, const struct mg_sent *sent), void *context, struct mg_err *err)
{
	static const char sql[] =
		"SELECT f, " PROVIDER
		" AS p, count(*), sum(e<>'' AND e<>f AND e NOT LIKE '%.'||f AND f NOT LIKE '%.'||e)"
		" FROM (SELECT CASE t.from_domain WHEN '' THEN " DOMAIN_OF(
			"t.sender") " ELSE lower(t.from_domain) END AS f,"
				    " CASE t.sender WHEN '' THEN '' ELSE " DOMAIN_OF("t.sender") " END AS e, " DOMAIN_OF(
					    "r.address") " AS d,"
							 " r.relay AS relay FROM txn t JOIN recipient r ON r.slot BETWEEN t.seq<<14 AND (t.seq<<14)+16383"
							 " WHERE t.time_us>=?1 AND t.is_shown=1 AND t.relay IN (1,3,4) AND r.delivery=1 AND r.relay LIKE '%]:%')"
							 " GROUP BY f, p ORDER BY 3 DESC LIMIT 1000";
	const int64_t numbers[] = { since_us };
	struct taker taker = { see, context };

	return mg_query_each(
		query, sql, numbers, sizeof numbers / sizeof numbers[0], deadline_us, take_row, &taker, err);
}
