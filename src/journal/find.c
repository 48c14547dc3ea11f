/* From what a person knows (a queue id, a Message-ID, an address, an IP) to transactions and their relatives; and what
 * the log saw that no door did. */
#include <stdlib.h>

#include "base/clock.h"
#include "journal/journal.h"
#include "journal/query.h"
#include "journal/reader.h"

enum { FAMILY_EXTRA = 100 }; /* relatives told beside `limit` */

struct found {
	int64_t *seq;
	size_t count, max;
};

static bool holds(const struct found *found, int64_t seq)
{
	for (size_t i = 0; i < found->count; i++)
		if (found->seq[i] == seq)
			return true;
	return false;
}

static void add(struct found *found, int64_t seq)
{
	if (seq != 0 && found->count < found->max && !holds(found, seq))
		found->seq[found->count++] = seq;
}

/* Adds the seq of each row; `stmt` is finished. */
static void add_rows(struct mg_query *query, sqlite3_stmt *stmt, struct found *found)
{
	while (found->count < found->max && mg_query_row(query, stmt))
		add(found, sqlite3_column_int64(stmt, 0));
	sqlite3_finalize(stmt);
}

static void by_text(struct mg_query *query, struct mg_str text, const char *sql, struct found *found)
{
	sqlite3_stmt *stmt = NULL;

	if (!mg_query_prepare(query, sql, &stmt))
		return;
	sqlite3_bind_text(stmt, 1, text.p, (int)text.n, SQLITE_STATIC);
	add_rows(query, stmt, found);
}

static void by_number(struct mg_query *query, int64_t number, const char *sql, struct found *found)
{
	sqlite3_stmt *stmt = NULL;

	if (!mg_query_prepare(query, sql, &stmt))
		return;
	sqlite3_bind_int64(stmt, 1, number);
	sqlite3_bind_int64(stmt, 2, (int64_t)(found->max - found->count) * 4 + 100);
	add_rows(query, stmt, found);
}

static void by_ip(struct mg_query *query, const struct mg_ip *ip, struct found *found)
{
	unsigned char blob[MG_IP_BLOB];
	sqlite3_stmt *stmt = NULL;

	if (!mg_query_prepare(query,
		    "SELECT seq FROM txn WHERE client_ip=? AND client_ip<>x'' AND is_shown=1"
		    " ORDER BY time_us DESC",
		    &stmt))
		return;
	sqlite3_bind_blob(stmt, 1, blob, (int)mg_ip_to_blob(ip, blob), SQLITE_STATIC);
	add_rows(query, stmt, found);
}

static void find(struct mg_query *query, struct mg_str what, struct found *found)
{
	struct mg_str bare = what;
	struct mg_ip ip;

	if (mg_ip_parse(what, &ip)) {
		by_ip(query, &ip, found);
		return;
	}
	if (bare.n >= 2 && bare.p[0] == '<' && bare.p[bare.n - 1] == '>')
		bare = mg_str_of(bare.p + 1, bare.n - 2);
	if (bare.n == 0)
		return;
	by_text(query, bare,
		"SELECT seq FROM txn WHERE queue_id=? AND queue_id<>'' AND is_shown=1 ORDER BY time_us DESC", found);
	if (found->count == 0)
		by_number(query, mg_veil_text_key(&query->veil, bare),
			"SELECT seq FROM txn WHERE message_key=?1 AND message_key<>0 AND is_shown=1"
			" ORDER BY time_us DESC LIMIT ?2",
			found);
	if (found->count == 0)
		by_number(query, mg_veil_address_key(&query->veil, bare),
			"SELECT seq FROM txn WHERE is_shown=1 AND seq IN (SELECT * FROM (SELECT seq FROM txn"
			" WHERE sender_key=?1 AND sender_key<>0 ORDER BY seq DESC LIMIT ?2)"
			" UNION SELECT * FROM (SELECT slot>>14 FROM recipient WHERE key=?1"
			" ORDER BY slot DESC LIMIT ?2)) ORDER BY time_us DESC",
			found);
}

/* Adds parents and children of everything found, theirs too, as long as there is room. */
static void add_family(struct mg_query *query, struct found *found)
{
	for (size_t i = 0; i < found->count && query->failure == SQLITE_OK; i++) {
		by_number(query, found->seq[i],
			"SELECT p.seq FROM txn t JOIN txn p ON p.seq=t.parent WHERE t.seq=?1 AND p.is_shown=1 LIMIT ?2",
			found);
		by_number(query, found->seq[i],
			"SELECT seq FROM txn WHERE parent=?1 AND parent<>0 AND is_shown=1 ORDER BY seq DESC LIMIT ?2",
			found);
	}
}

struct told {
	json_t *txn;
	double time;
	size_t at;
};

static double time_of(const json_t *object)
{
	return json_number_value(json_object_get(object, "time"));
}

static int newest_first(const void *a, const void *b)
{
	const struct told *x = a, *y = b;

	if (x->time != y->time)
		return x->time < y->time ? 1 : -1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static int oldest_first(const void *a, const void *b)
{
	const struct told *x = a, *y = b;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* The array in another order, as a new one; the old one is given up. */
static json_t *sorted(json_t *array, int (*order)(const void *, const void *))
{
	size_t n = json_array_size(array);
	struct told *told = calloc(n + 1, sizeof *told);
	json_t *result = json_array();

	for (size_t i = 0; told != NULL && i < n; i++)
		told[i] = (struct told){ json_array_get(array, i), time_of(json_array_get(array, i)), i };
	if (told != NULL)
		qsort(told, n, sizeof *told, order);
	for (size_t i = 0; told != NULL && i < n; i++)
		json_array_append(result, told[i].txn);
	free(told);
	json_decref(array);
	return result;
}

static bool tell(struct mg_query *query, int64_t seq, json_t *transactions, json_t *events)
{
	json_t *txn = NULL;
	bool ok = true;

	sqlite3_bind_int64(query->txn, 1, seq);
	if (mg_query_row(query, query->txn))
		ok = (txn = mg_txn_json(query, query->txn)) != NULL;
	sqlite3_reset(query->txn);
	if (txn == NULL)
		return ok && query->failure == SQLITE_OK;
	json_array_append_new(transactions, txn);
	return mg_trace_story(query, seq, txn, events);
}

enum mg_rc mg_query_trace(
	struct mg_query *query, const char *what, unsigned limit, int64_t deadline_us, json_t **out, struct mg_err *err)
{
	struct found found = { .max = limit < 1 ? 1 : limit > 10000 ? 10000 : limit };
	json_t *transactions, *events;
	bool ok = true;
	enum mg_rc rc = mg_query_begin(query, deadline_us, err);

	if (rc != MG_OK)
		return rc;
	transactions = json_array();
	events = json_array();
	found.seq = calloc(found.max + FAMILY_EXTRA, sizeof *found.seq);
	if (found.seq != NULL) {
		find(query, mg_str_trim(mg_str_z(what)), &found);
		found.max += FAMILY_EXTRA;
		add_family(query, &found);
	}
	for (size_t i = 0; i < found.count && ok; i++)
		ok = tell(query, found.seq[i], transactions, events);
	free(found.seq);
	rc = mg_query_end(query, ok, err);
	transactions = sorted(transactions, newest_first);
	events = sorted(events, oldest_first);
	if (rc == MG_OK)
		*out = json_pack("{s:O, s:O}", "transactions", transactions, "events", events);
	json_decref(transactions);
	json_decref(events);
	return rc;
}

/* Loopback addresses in the database's form: 127.0.0.0/8 and ::1. */
#define IS_LOOPBACK                                                                                                    \
	"((client_ip>=x'047F000000' AND client_ip<=x'047FFFFFFF') OR"                                                  \
	" client_ip=x'0600000000000000000000000000000001')"

enum mg_rc mg_query_coverage(
	struct mg_query *query, int64_t since_us, int64_t deadline_us, json_t **out, struct mg_err *err)
{
	static const char sql[] =
		"SELECT service, count(*), sum(by_milter=0 AND by_policy=0),"
		" max(CASE WHEN by_milter=0 AND by_policy=0 THEN seq END) FROM txn"
		" WHERE time_us>=?1 AND time_us<?2 AND life & 32 AND is_shown=1 AND service<>''"
		" AND substr(service,-7)<>'/pickup' AND client_ip<>x'' AND NOT " IS_LOOPBACK " GROUP BY service";
	sqlite3_stmt *stmt = NULL;
	json_t *array;
	enum mg_rc rc = mg_query_begin(query, deadline_us, err);

	if (rc != MG_OK)
		return rc;
	array = json_array();
	if (mg_query_prepare(query, sql, &stmt)) {
		sqlite3_bind_int64(stmt, 1, since_us);
		sqlite3_bind_int64(stmt, 2, mg_wall_us() - MG_JOURNAL_WAIT_S * MG_S_US);
	}
	while (stmt != NULL && mg_query_row(query, stmt)) {
		json_t *queue_id = NULL;

		sqlite3_bind_int64(query->txn, 1, sqlite3_column_int64(stmt, 3));
		if (mg_query_row(query, query->txn))
			queue_id = mg_json_text(mg_column_text(query->txn, 3));
		sqlite3_reset(query->txn);
		json_array_append_new(
			array, json_pack("{s:o, s:I, s:I, s:o}", "service", mg_json_text(mg_column_text(stmt, 0)),
				       "messages", (json_int_t)sqlite3_column_int64(stmt, 1), "unseen",
				       (json_int_t)sqlite3_column_int64(stmt, 2), "last_unseen_queue_id",
				       queue_id != NULL ? queue_id : json_string("")));
	}
	sqlite3_finalize(stmt);
	rc = mg_query_end(query, true, err);
	if (rc == MG_OK)
		*out = array;
	else
		json_decref(array);
	return rc;
}
