/* reader.h - the inside of a mg_query: a read-only connection with a deadline, and rows becoming JSON.
 *
 * txn_json.c makes the TXN of the contract out of a row, trace.c tells its story.
 *
 * Threads: one owner. */
#ifndef MG_JOURNAL_READER_H
#define MG_JOURNAL_READER_H

#include "base/say.h"
#include "journal/query.h"
#include "journal/store.h"

struct mg_query {
	char *path;
	sqlite3 *db;
	uint64_t inode; /* of the file that `db` has open */
	struct mg_veil veil;
	sqlite3_stmt *txn, *recipients, *events;
	int64_t deadline_us; /* monotonic, of the running call */
	int failure;         /* the first SQLite error of the running call */
};

/* query.c: one call's read transaction. mg_query_end() turns `ok`, or the failure, into what the caller returns. */
MG_MUSTCHECK
enum mg_rc mg_query_begin(struct mg_query *query, int64_t deadline_us, struct mg_err *err);
MG_MUSTCHECK
enum mg_rc mg_query_end(struct mg_query *query, bool ok, struct mg_err *err);
bool mg_query_prepare(struct mg_query *query, const char *sql, sqlite3_stmt **stmt_out);
bool mg_query_row(struct mg_query *query, sqlite3_stmt *stmt); /* steps; false at the end, and keeps a failure */

/* A whole call: one statement, numbers bound to ?1 and so on, `take` for each row. */
MG_MUSTCHECK
enum mg_rc mg_query_each(struct mg_query *query, const char *sql, const int64_t *numbers, size_t count,
	int64_t deadline_us, void (*take)(void *context, sqlite3_stmt *stmt), void *context, struct mg_err *err);

/* The columns that mg_txn_json() reads, of `txn t`. */
#define MG_TXN_COLUMNS                                                                                                 \
	"t.seq,t.id,t.time_us,t.queue_id,t.client_ip,t.client_name,t.helo,t.user,t.sender,t.from_domain,"              \
	"t.size_bytes,t.iprev,t.spf,t.dkim,t.arc,t.dmarc,t.relay,t.action,t.would,t.code,t.text,t.rule,"               \
	"t.latency_us,t.connect_us,t.end_us,t.message_id,t.service,t.by_milter,t.by_policy,t.is_degraded,"             \
	"t.left_out,t.life,t.tls,t.server_port,t.log_seen,(SELECT p.id FROM txn p WHERE p.seq=t.parent),"              \
	"t.auth_report"

/* A new reference, NULL when reading failed. `stmt` stands on a row of those columns. */
json_t *mg_txn_json(struct mg_query *query, sqlite3_stmt *stmt);

/* Appends the story of transaction `seq`, whose TXN is `txn`, to `events`. False: reading failed. */
bool mg_trace_story(struct mg_query *query, int64_t seq, const json_t *txn, json_t *events);

/* One event of a story. */
void mg_trace_add(json_t *events, double time, const char *stage, const struct mg_say *say, const char *id);

/* The same for those that the log told; see trace_log.c. `last_time` is the time of the story's last event. */
bool mg_trace_log(struct mg_query *query, int64_t seq, const json_t *txn, double last_time, json_t *events);

/* How many of a kind are told one by one. */
enum { MG_TRACE_FOLD = 20 };

#endif
