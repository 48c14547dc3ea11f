#include "journal/walk.h"

#include "journal/reader.h"

enum { SLICE = 500 };

enum column {
	SEQ,
	TIME,
	END,
	CONNECT,
	BY_MILTER,
	BY_POLICY,
	CLIENT_IP,
	CLIENT_PORT,
	SIZE,
	RELAY,
	ACTION,
	WOULD,
	LEFT_OUT,
	ID,
	TEXTS, /* and those behind it, in the order of texts[] */
};
#define NUMBERS                                                                                                        \
	"seq,time_us,end_us,connect_us,by_milter,by_policy,client_ip,client_port,size_bytes,relay,action,would,left_out,id"
static const char walk_sql[] =
	"SELECT " NUMBERS ",queue_id,client_name,helo,user,sender,from_domain,iprev,spf,dkim,arc,"
	"dmarc,auth_report,auth_facts,code,text,rule,asked FROM txn"
	" WHERE (time_us,seq)>(?1,?2) AND is_shown=1 ORDER BY time_us,seq LIMIT ?3";
static const char recipients_sql[] = "SELECT address,verdict,delivery,code,dsn,reply,rcpt_us,rule,asked FROM recipient"
				     " WHERE slot BETWEEN ? AND ? AND owner IS NULL";

static const size_t texts[] = {
	offsetof(struct mg_record, queue_id),
	offsetof(struct mg_record, client_name),
	offsetof(struct mg_record, helo),
	offsetof(struct mg_record, user),
	offsetof(struct mg_record, sender),
	offsetof(struct mg_record, from_domain),
	offsetof(struct mg_record, auth[MG_METHOD_IPREV]),
	offsetof(struct mg_record, auth[MG_METHOD_SPF]),
	offsetof(struct mg_record, auth[MG_METHOD_DKIM]),
	offsetof(struct mg_record, auth[MG_METHOD_ARC]),
	offsetof(struct mg_record, auth[MG_METHOD_DMARC]),
	offsetof(struct mg_record, auth_report),
	offsetof(struct mg_record, auth_facts),
	offsetof(struct mg_record, code),
	offsetof(struct mg_record, text),
	offsetof(struct mg_record, rule),
	offsetof(struct mg_record, asked),
};

struct walk {
	struct mg_query *query;
	bool (*see)(void *context, const struct mg_walked *walked);
	void *context;
	int64_t time_us, seq; /* of the last one seen */
	bool is_over;
	sqlite3_stmt *rows, *recipients;
};

/* Enums from a file that somebody else may have written: 0 where they are none. */
static int64_t below(sqlite3_stmt *stmt, int column, int64_t end)
{
	int64_t value = sqlite3_column_int64(stmt, column);

	return value < 0 || value >= end ? 0 : value;
}

static const char *text_of(struct mg_record *record, sqlite3_stmt *stmt, int column)
{
	return mg_record_text(record, mg_column_text(stmt, column));
}

static void read_recipients(struct walk *walk, struct mg_walked *walked)
{
	sqlite3_stmt *stmt = walk->recipients;
	struct mg_record *record = walked->record;

	sqlite3_bind_int64(stmt, 1, mg_slot(walk->seq, 0));
	sqlite3_bind_int64(stmt, 2, mg_slot(walk->seq + 1, 0) - 1);
	while (mg_query_row(walk->query, stmt)) {
		struct mg_recipient *r = mg_record_add_recipient(record, mg_column_text(stmt, 0));

		walked->delivered += sqlite3_column_int64(stmt, 2) == MG_DELIVERY_SENT;
		if (r == NULL)
			continue;
		r->verdict = (enum mg_action)below(stmt, 1, MG_ACTIONS);
		r->code = text_of(record, stmt, 3);
		r->dsn = text_of(record, stmt, 4);
		r->reply = text_of(record, stmt, 5);
		r->time_us = sqlite3_column_int64(stmt, 6);
		r->rule = text_of(record, stmt, 7);
		r->asked = text_of(record, stmt, 8);
		if (r->rule[0] == '\0')
			r->rule = NULL;
	}
	sqlite3_reset(stmt);
}

static void read_row(sqlite3_stmt *stmt, struct mg_record *record)
{
	mg_str_copy(record->id, sizeof record->id, mg_column_text(stmt, ID));
	record->time_us = sqlite3_column_int64(stmt, TIME);
	record->end_us = sqlite3_column_int64(stmt, END);
	record->connect_us = sqlite3_column_int64(stmt, CONNECT);
	record->by_milter = sqlite3_column_int(stmt, BY_MILTER) != 0;
	record->by_policy = sqlite3_column_int(stmt, BY_POLICY) != 0;
	mg_ip_from_blob(sqlite3_column_blob(stmt, CLIENT_IP), (size_t)sqlite3_column_bytes(stmt, CLIENT_IP),
		&record->client_ip);
	record->client_port = (unsigned)below(stmt, CLIENT_PORT, 65536);
	record->size_bytes = (uint64_t)below(stmt, SIZE, INT64_MAX);
	record->relay = (enum mg_relay_class)below(stmt, RELAY, MG_RELAY_CLASSES);
	record->action = (enum mg_action)below(stmt, ACTION, MG_ACTIONS);
	record->would = (enum mg_action)below(stmt, WOULD, MG_ACTIONS);
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		*(const char **)(void *)((char *)record + texts[i]) = text_of(record, stmt, TEXTS + (int)i);
}

static void see_row(struct walk *walk)
{
	struct mg_walked walked = { mg_record_new(0, 0), 0 };

	walk->time_us = sqlite3_column_int64(walk->rows, TIME);
	walk->seq = sqlite3_column_int64(walk->rows, SEQ);
	if (walked.record == NULL)
		return;
	read_row(walk->rows, walked.record);
	read_recipients(walk, &walked);
	walked.record->recipients_left_out += (size_t)below(walk->rows, LEFT_OUT, INT32_MAX);
	if (walk->query->failure == SQLITE_OK)
		walk->is_over = !walk->see(walk->context, &walked);
	mg_record_free(&walked.record);
}

static enum mg_rc take_slice(struct walk *walk, int64_t deadline_us, struct mg_err *err)
{
	enum mg_rc rc = mg_query_begin(walk->query, deadline_us, err);
	unsigned count = 0;
	bool is_ok;

	if (rc != MG_OK)
		return rc;
	is_ok = mg_query_prepare(walk->query, walk_sql, &walk->rows) &&
		mg_query_prepare(walk->query, recipients_sql, &walk->recipients);
	if (is_ok) {
		sqlite3_bind_int64(walk->rows, 1, walk->time_us);
		sqlite3_bind_int64(walk->rows, 2, walk->seq);
		sqlite3_bind_int64(walk->rows, 3, SLICE);
	}
	while (is_ok && !walk->is_over && mg_query_row(walk->query, walk->rows)) {
		see_row(walk);
		count++;
	}
	sqlite3_finalize(walk->rows);
	sqlite3_finalize(walk->recipients);
	walk->rows = walk->recipients = NULL;
	walk->is_over = walk->is_over || count < SLICE;
	return mg_query_end(walk->query, is_ok, err);
}

enum mg_rc mg_query_walk(struct mg_query *query, int64_t since_us, int64_t deadline_us,
	bool (*see)(void *context, const struct mg_walked *walked), void *context, struct mg_err *err)
{
	struct walk walk = {
		.query = query, .see = see, .context = context, .time_us = since_us - 1, .seq = INT64_MAX
	};
	enum mg_rc rc = MG_OK;

	while (rc == MG_OK && !walk.is_over)
		rc = take_slice(&walk, deadline_us, err);
	return rc;
}
