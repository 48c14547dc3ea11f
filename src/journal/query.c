/* Reading. Every call is one read transaction: what it tells belongs together, and the writer goes on meanwhile. */
#include "journal/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "journal/journal.h"
#include "journal/reader.h"

static int is_over(void *context)
{
	return mg_mono_us() > ((const struct mg_query *)context)->deadline_us;
}

static void close_db(struct mg_query *query)
{
	sqlite3_finalize(query->txn);
	sqlite3_finalize(query->recipients);
	sqlite3_finalize(query->events);
	query->txn = query->recipients = query->events = NULL;
	sqlite3_close(query->db);
	query->db = NULL;
}

static enum mg_rc sql_err(struct mg_query *query, struct mg_err *err)
{
	int rc = query->failure != SQLITE_OK ? query->failure : sqlite3_errcode(query->db);

	if ((rc & 0xff) == SQLITE_INTERRUPT)
		return mg_err_set(err, MG_ETIME, "the journal did not answer in time");
	mg_err_set(err, MG_EIO, "can't read the journal %s: %s", query->path, sqlite3_errstr(rc));
	return (rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_LOCKED ? MG_EBUSY : MG_EIO;
}

static void keep_failure(struct mg_query *query, int rc)
{
	if (query->failure == SQLITE_OK)
		query->failure = rc;
}

bool mg_query_prepare(struct mg_query *query, const char *sql, sqlite3_stmt **stmt_out)
{
	int rc = sqlite3_prepare_v2(query->db, sql, -1, stmt_out, NULL);

	keep_failure(query, rc);
	return rc == SQLITE_OK;
}

bool mg_query_row(struct mg_query *query, sqlite3_stmt *stmt)
{
	int rc = sqlite3_step(stmt);

	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		keep_failure(query, rc);
	return rc == SQLITE_ROW;
}

enum mg_rc mg_query_each(struct mg_query *query, const char *sql, const int64_t *numbers, size_t count,
	int64_t deadline_us, void (*take)(void *context, sqlite3_stmt *stmt), void *context, struct mg_err *err)
{
	sqlite3_stmt *stmt = NULL;
	enum mg_rc rc = mg_query_begin(query, deadline_us, err);
	bool is_ok;

	if (rc != MG_OK)
		return rc;
	is_ok = mg_query_prepare(query, sql, &stmt);
	for (size_t i = 0; is_ok && i < count; i++)
		sqlite3_bind_int64(stmt, (int)i + 1, numbers[i]);
	while (is_ok && mg_query_row(query, stmt))
		take(context, stmt);
	sqlite3_finalize(stmt);
	return mg_query_end(query, is_ok, err);
}

static enum mg_rc check_version(struct mg_query *query, struct mg_err *err)
{
	sqlite3_stmt *stmt = NULL;
	int64_t version = -1;

	if (mg_query_prepare(query, "PRAGMA user_version", &stmt) && mg_query_row(query, stmt))
		version = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	if (version < 0)
		return sql_err(query, err);
	if (version != MG_SCHEMA_VERSION)
		return mg_err_set(err, MG_ERANGE, "the journal %s is of another version of mailguard (schema %lld)",
			query->path, (long long)version);
	return MG_OK;
}

static enum mg_rc open_db(struct mg_query *query, struct mg_err *err)
{
	struct stat st;
	enum mg_rc rc;

	if (stat(query->path, &st) != 0)
		return mg_err_set(err, MG_ENOENT, "there is no journal at %s", query->path);
	query->inode = (uint64_t)st.st_ino;
	if (sqlite3_open_v2(query->path, &query->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return sql_err(query, err);
	sqlite3_busy_timeout(query->db, 1000);
	sqlite3_exec(query->db, "PRAGMA mmap_size=0; PRAGMA trusted_schema=OFF", NULL, NULL, NULL);
	if ((rc = check_version(query, err)) != MG_OK)
		return rc;
	if (!mg_store_read_key(query->db, &query->veil) ||
		!mg_query_prepare(
			query, "SELECT " MG_TXN_COLUMNS " FROM txn t WHERE t.seq=? AND t.is_shown=1", &query->txn) ||
		!mg_query_prepare(query,
			"SELECT address,verdict,delivery,code,dsn,reply,relay,rcpt_us,last_us FROM recipient"
			" WHERE slot BETWEEN ? AND ? AND owner IS NULL",
			&query->recipients) ||
		!mg_query_prepare(query,
			"SELECT kind,time_us,recipient,orig_to,relay,status,verb,reply,other_id,mailbox,number,"
			"sender,code,dsn FROM event WHERE slot BETWEEN ? AND ?",
			&query->events))
		return sql_err(query, err);
	sqlite3_progress_handler(query->db, 1000, is_over, query);
	return MG_OK;
}

enum mg_rc mg_query_open(const char *path, struct mg_query **query_out, struct mg_err *err)
{
	struct mg_query *query = calloc(1, sizeof *query);
	enum mg_rc rc;

	if (query == NULL || (query->path = mg_str_dup(mg_str_z(path))) == NULL) {
		free(query);
		return mg_err_set(err, MG_ENOMEM, "no memory to read the journal");
	}
	if ((rc = open_db(query, err)) != MG_OK) {
		mg_query_close(&query);
		return rc;
	}
	*query_out = query;
	return MG_OK;
}

void mg_query_close(struct mg_query **query)
{
	if (*query == NULL)
		return;
	close_db(*query);
	free((*query)->path);
	free(*query);
	*query = NULL;
}

/* Begins the read transaction; a journal that was set aside meanwhile is left for the new one. */
enum mg_rc mg_query_begin(struct mg_query *query, int64_t deadline_us, struct mg_err *err)
{
	struct stat st;
	enum mg_rc rc;

	query->deadline_us = deadline_us;
	query->failure = SQLITE_OK;
	if (mg_mono_us() > deadline_us)
		return mg_err_set(err, MG_ETIME, "the journal did not answer in time");
	if (query->db != NULL && (stat(query->path, &st) != 0 || (uint64_t)st.st_ino != query->inode))
		close_db(query);
	if (query->db == NULL && (rc = open_db(query, err)) != MG_OK) {
		close_db(query);
		return rc;
	}
	if (sqlite3_exec(query->db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
		return sql_err(query, err);
	return MG_OK;
}

/* Ends it: MG_OK, or what sqlite3 last complained of. */
enum mg_rc mg_query_end(struct mg_query *query, bool ok, struct mg_err *err)
{
	enum mg_rc rc = ok && query->failure == SQLITE_OK ? MG_OK : sql_err(query, err);

	sqlite3_progress_handler(query->db, 0, NULL, NULL);
	sqlite3_exec(query->db, "ROLLBACK", NULL, NULL, NULL);
	sqlite3_progress_handler(query->db, 1000, is_over, query);
	return rc;
}

/* Appends a TXN for each row. */
static bool collect(struct mg_query *query, sqlite3_stmt *stmt, json_t *array)
{
	while (mg_query_row(query, stmt)) {
		json_t *txn = mg_txn_json(query, stmt);

		if (txn == NULL)
			return false;
		json_array_append_new(array, txn);
	}
	return query->failure == SQLITE_OK;
}

/* What recent is asked for, understood. */
struct wanted {
	enum mg_action action;
	struct mg_net net;
	unsigned char low[MG_IP_BLOB], high[MG_IP_BLOB];
	size_t ip_size;
};

static enum mg_rc understand(const struct mg_recent_filter *filter, struct wanted *wanted, struct mg_err *err)
{
	struct mg_ip last;

	wanted->action = mg_action_of(mg_str_z(filter->verdict));
	if (wanted->action == MG_ACTIONS)
		return mg_err_set(err, MG_ESYNTAX,
			"\"%s\" is no verdict: accept, reject, tempfail, quarantine, discard or observe",
			filter->verdict);
	if (filter->client[0] == '\0')
		return MG_OK;
	if (!mg_net_parse(mg_str_z(filter->client), &wanted->net))
		return mg_err_set(err, MG_ESYNTAX, "\"%s\" is no address or network", filter->client);
	last = wanted->net.base;
	for (unsigned bit = wanted->net.bits; bit < (last.family == MG_IP_V4 ? 32U : 128U); bit++)
		last.bytes[bit / 8] |= (unsigned char)(0x80 >> bit % 8);
	wanted->ip_size = mg_ip_to_blob(&wanted->net.base, wanted->low);
	mg_ip_to_blob(&last, wanted->high);
	return MG_OK;
}

static const char *sender_condition(const char *sender)
{
	if (sender[0] == '\0')
		return "";
	if (sender[0] == '@')
		return " AND substr(t.sender,-length(?6))=?6 COLLATE NOCASE";
	return strcmp(sender, "<>") == 0 ? " AND t.sender=''" : " AND t.sender_key=?5 AND t.sender_key<>0";
}

static void recent_sql(struct mg_buf *sql, const struct mg_recent_filter *filter, const struct wanted *wanted)
{
	mg_buf_addz(sql, "SELECT " MG_TXN_COLUMNS " FROM txn t WHERE t.is_shown=1 AND t.time_us>=?1");
	if (wanted->action != MG_ACTION_NONE)
		mg_buf_addz(sql, " AND (t.action=?2 OR (t.action=6 AND t.would=?2))");
	if (wanted->ip_size > 0)
		mg_buf_addz(sql, memcmp(wanted->low, wanted->high, wanted->ip_size) == 0
					 ? " AND t.client_ip=?3 AND t.client_ip<>x''"
					 : " AND t.client_ip BETWEEN ?3 AND ?4 AND t.client_ip<>x''");
	mg_buf_addz(sql, sender_condition(filter->sender));
	if (filter->user[0] != '\0')
		mg_buf_addz(sql, " AND t.user IN (?7,?8) AND t.user<>''");
	mg_buf_addz(sql, " ORDER BY t.time_us DESC, t.seq DESC LIMIT ?9");
}

static bool run_recent(struct mg_query *query, const struct mg_recent_filter *filter, const struct wanted *wanted,
	const char *sql, json_t *out)
{
	sqlite3_stmt *stmt = NULL;
	struct mg_buf hidden;
	bool ok = mg_query_prepare(query, sql, &stmt);

	if (!ok)
		return false;
	mg_buf_init(&hidden, 4096);
	mg_veil_address(&query->veil, mg_str_z(filter->user), &hidden);
	sqlite3_bind_int64(stmt, 1, filter->since_us == 0 ? INT64_MIN : filter->since_us);
	sqlite3_bind_int64(stmt, 2, wanted->action); /* what the text does not use is ignored */
	sqlite3_bind_blob(stmt, 3, wanted->low, (int)wanted->ip_size, SQLITE_STATIC);
	sqlite3_bind_blob(stmt, 4, wanted->high, (int)wanted->ip_size, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 5, mg_veil_address_key(&query->veil, mg_str_z(filter->sender)));
	sqlite3_bind_text(stmt, 6, filter->sender, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 7, filter->user, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 8, mg_buf_z(&hidden), -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 9, filter->limit < 1 ? 1 : filter->limit > 10000 ? 10000 : filter->limit);
	ok = collect(query, stmt, out);
	sqlite3_finalize(stmt);
	mg_buf_fini(&hidden);
	return ok;
}

enum mg_rc mg_query_recent(struct mg_query *query, const struct mg_recent_filter *filter, int64_t deadline_us,
	json_t **out, struct mg_err *err)
{
	struct wanted wanted = { .ip_size = 0 };
	struct mg_buf sql;
	json_t *array;
	enum mg_rc rc;

	if ((rc = understand(filter, &wanted, err)) != MG_OK || (rc = mg_query_begin(query, deadline_us, err)) != MG_OK)
		return rc;
	array = json_array();
	mg_buf_init(&sql, 4096);
	recent_sql(&sql, filter, &wanted);
	rc = mg_query_end(query, run_recent(query, filter, &wanted, mg_buf_z(&sql), array), err);
	mg_buf_fini(&sql);
	if (rc == MG_OK)
		*out = array;
	else
		json_decref(array);
	return rc;
}
