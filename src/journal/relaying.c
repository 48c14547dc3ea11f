/* Who brings mail that is not for us: what the relay checks ask of the record. */
#include "journal/query.h"

#include "journal/reader.h"

enum { ROWS = 16 };

/* Runs `sql` with ?1 = since_us; `row` makes an object of each row, or NULL to leave it out. */
static enum mg_rc each(struct mg_query *query, const char *sql, int64_t since_us, int64_t deadline_us,
	json_t *(*row)(sqlite3_stmt *), json_t **out, struct mg_err *err)
{
	sqlite3_stmt *stmt = NULL;
	json_t *array = json_array();
	enum mg_rc rc = mg_query_begin(query, deadline_us, err);
	bool is_ok;

	if (rc != MG_OK) {
		json_decref(array);
		return rc;
	}
	is_ok = mg_query_prepare(query, sql, &stmt);
	if (is_ok)
		sqlite3_bind_int64(stmt, 1, since_us);
	while (is_ok && json_array_size(array) < ROWS && mg_query_row(query, stmt)) {
		json_t *object = row(stmt);

		if (object != NULL)
			json_array_append_new(array, object);
	}
	sqlite3_finalize(stmt);
	rc = mg_query_end(query, is_ok, err);
	if (rc == MG_OK)
		*out = array;
	else
		json_decref(array);
	return rc;
}

static const char *client_of(sqlite3_stmt *stmt, struct mg_ip *ip, char text[MG_IP_TEXT])
{
	mg_ip_from_blob(sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0), ip);
	return mg_ip_text(ip, text, MG_IP_TEXT);
}

static json_t *gateway(sqlite3_stmt *stmt)
{
	char text[MG_IP_TEXT];
	struct mg_ip ip;
	const char *client = client_of(stmt, &ip, text);

	if (!mg_ip_is_private(&ip) && !mg_ip_is_loopback(&ip))
		return NULL;
	return json_pack("{s:s, s:I, s:I, s:I}", "client", client, "names", (json_int_t)sqlite3_column_int64(stmt, 1),
		"messages", (json_int_t)sqlite3_column_int64(stmt, 2), "relayed",
		(json_int_t)sqlite3_column_int64(stmt, 3));
}

/* "relay" of a delivery is NAME[ADDRESS]:PORT where it went to another server by SMTP. */
enum mg_rc mg_query_gateways(
	struct mg_query *query, int64_t since_us, int64_t deadline_us, json_t **out, struct mg_err *err)
{
	static const char sql[] =
		"SELECT t.client_ip, count(DISTINCT lower(t.helo)), count(*), sum(EXISTS(SELECT 1 FROM recipient r"
		" WHERE r.slot BETWEEN t.seq<<14 AND (t.seq<<14)+16383 AND r.relay LIKE '%]:25')) FROM txn t"
		" WHERE t.time_us>=?1 AND t.is_shown=1 AND t.user='' AND t.helo<>'' AND t.client_port<>0"
		" AND t.client_ip<>x'' GROUP BY t.client_ip HAVING count(DISTINCT lower(t.helo))>1 ORDER BY 2 DESC";

	return each(query, sql, since_us, deadline_us, gateway, out, err);
}

static json_t *attempt(sqlite3_stmt *stmt)
{
	char text[MG_IP_TEXT];
	struct mg_ip ip;
	const char *client = client_of(stmt, &ip, text);

	return json_pack("{s:s, s:I}", "client", client, "refused", (json_int_t)sqlite3_column_int64(stmt, 1));
}

enum mg_rc mg_query_relay_attempts(
	struct mg_query *query, int64_t since_us, int64_t deadline_us, json_t **out, struct mg_err *err)
{
	static const char sql[] =
		"SELECT client_ip, count(*) FROM txn WHERE time_us>=?1 AND is_shown=1 AND action IN (2,3)"
		" AND client_ip<>x'' AND text LIKE '%Relay access denied%'"
		" GROUP BY client_ip ORDER BY 2 DESC";

	return each(query, sql, since_us, deadline_us, attempt, out, err);
}
