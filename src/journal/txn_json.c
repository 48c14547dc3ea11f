/* A row in the shape that the contract calls TXN. Every key is always there. */
#include "journal/reader.h"

enum column {
	SEQ,
	ID,
	TIME,
	QUEUE_ID,
	CLIENT_IP,
	CLIENT_NAME,
	HELO,
	USER,
	SENDER,
	FROM_DOMAIN,
	SIZE,
	IPREV, /* and the other methods behind it */
	RELAY = IPREV + MG_METHODS,
	ACTION,
	WOULD,
	CODE,
	TEXT,
	RULE,
	LATENCY,
	CONNECT,
	END,
	MESSAGE_ID,
	SERVICE,
	BY_MILTER,
	BY_POLICY,
	DEGRADED,
	LEFT_OUT,
	LIFE,
	TLS,
	SERVER_PORT,
	LOG_SEEN,
	PARENT,
	AUTH_REPORT,
};

static json_t *text(sqlite3_stmt *stmt, int column)
{
	return mg_json_text(mg_column_text(stmt, column));
}

static json_t *seconds(sqlite3_stmt *stmt, int column)
{
	return json_real((double)sqlite3_column_int64(stmt, column) / 1e6);
}

static json_t *number(sqlite3_stmt *stmt, int column)
{
	return json_integer(sqlite3_column_int64(stmt, column));
}

/* Enums from a file that somebody else may have written are not indexes before they are checked. */
static json_t *action_name(int64_t value)
{
	return json_string(value >= 0 && value < MG_ACTIONS ? mg_action_name((enum mg_action)value) : "");
}

static json_t *relay_name(int64_t value)
{
	return json_string(
		value >= 0 && value < MG_RELAY_CLASSES ? mg_relay_class_name((enum mg_relay_class)value) : "");
}

static json_t *client_json(sqlite3_stmt *stmt)
{
	char ip_text[MG_IP_TEXT];
	struct mg_ip ip;

	mg_ip_from_blob(sqlite3_column_blob(stmt, CLIENT_IP), (size_t)sqlite3_column_bytes(stmt, CLIENT_IP), &ip);
	return json_pack("{s:s, s:o, s:o, s:o}", "ip", mg_ip_text(&ip, ip_text, sizeof ip_text), "name",
		text(stmt, CLIENT_NAME), "helo", text(stmt, HELO), "user", text(stmt, USER));
}

static json_t *auth_json(sqlite3_stmt *stmt)
{
	json_t *auth = json_object();

	for (int i = 0; i < MG_METHODS; i++)
		json_object_set_new(auth, mg_method_name((enum mg_method)i), text(stmt, IPREV + i));
	return auth;
}

static json_t *verdict_json(sqlite3_stmt *stmt)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "action", action_name(sqlite3_column_int64(stmt, ACTION)),
		"would", action_name(sqlite3_column_int64(stmt, WOULD)), "code", text(stmt, CODE), "text",
		text(stmt, TEXT), "rule", text(stmt, RULE));
}

/* What is refused was never delivered; what is held is told by the transaction. */
static const char *delivery_word(int64_t delivery, int64_t verdict, bool is_held)
{
	if (verdict == MG_ACTION_REJECT || verdict == MG_ACTION_TEMPFAIL || delivery < 0 || delivery >= MG_DELIVERIES)
		return mg_delivery_name(MG_DELIVERY_UNKNOWN);
	if (is_held && (delivery == MG_DELIVERY_UNKNOWN || delivery == MG_DELIVERY_DEFERRED))
		return mg_delivery_name(MG_DELIVERY_HELD);
	return mg_delivery_name((enum mg_delivery)delivery);
}

/* address, verdict, delivery, code, dsn, reply, relay, rcpt_us, last_us */
static json_t *recipient_json(sqlite3_stmt *stmt, bool is_held)
{
	int64_t verdict = sqlite3_column_int64(stmt, 1);
	int64_t rcpt_us = sqlite3_column_int64(stmt, 7), last_us = sqlite3_column_int64(stmt, 8);

	return json_pack("{s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:f, s:f}", "address", text(stmt, 0), "verdict",
		action_name(verdict), "delivery", delivery_word(sqlite3_column_int64(stmt, 2), verdict, is_held),
		"code", text(stmt, 3), "dsn", text(stmt, 4), "reply", text(stmt, 5), "relay", text(stmt, 6), "time",
		(double)(last_us != 0 ? last_us : rcpt_us) / 1e6, "rcpt_time", (double)rcpt_us / 1e6);
}

static json_t *recipients_json(struct mg_query *query, int64_t seq, bool is_held)
{
	sqlite3_stmt *stmt = query->recipients;
	json_t *array = json_array();

	sqlite3_bind_int64(stmt, 1, mg_slot(seq, 0));
	sqlite3_bind_int64(stmt, 2, mg_slot(seq + 1, 0) - 1);
	while (mg_query_row(query, stmt))
		json_array_append_new(array, recipient_json(stmt, is_held));
	sqlite3_reset(stmt);
	if (query->failure == SQLITE_OK)
		return array;
	json_decref(array);
	return NULL;
}

static json_t *doors_json(sqlite3_stmt *stmt)
{
	json_t *doors = json_array();

	if (sqlite3_column_int(stmt, BY_MILTER))
		json_array_append_new(doors, json_string("milter"));
	if (sqlite3_column_int(stmt, BY_POLICY))
		json_array_append_new(doors, json_string("policy"));
	return doors;
}

/* "spf=pass smtp.mailfrom=example.com" ..., one for each method. */
static json_t *details_json(sqlite3_stmt *stmt)
{
	struct mg_str report = mg_column_text(stmt, AUTH_REPORT);
	json_t *array = json_array();

	mg_str_cut(&report, '\n');
	while (report.n > 0) {
		struct mg_str line = mg_str_cut(&report, '\n');

		if (line.n > 0 && line.p[line.n - 1] == ';')
			line.n--;
		json_array_append_new(array, mg_json_text(line));
	}
	return array;
}

json_t *mg_txn_json(struct mg_query *query, sqlite3_stmt *stmt)
{
	int64_t life = sqlite3_column_int64(stmt, LIFE);
	json_t *recipients = recipients_json(query, sqlite3_column_int64(stmt, SEQ), (life & MG_LIFE_HELD) != 0);
	json_t *txn;

	if (recipients == NULL)
		return NULL;
	txn = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", text(stmt, ID), "time",
		seconds(stmt, TIME), "queue_id", text(stmt, QUEUE_ID), "client", client_json(stmt), "sender",
		text(stmt, SENDER), "recipients", recipients, "from_domain", text(stmt, FROM_DOMAIN), "size",
		number(stmt, SIZE), "auth", auth_json(stmt), "relay", relay_name(sqlite3_column_int64(stmt, RELAY)),
		"verdict", verdict_json(stmt), "latency_us", number(stmt, LATENCY));
	if (txn == NULL)
		return NULL;
	json_object_set_new(txn, "parent", text(stmt, PARENT));
	json_object_set_new(txn, "auth_details", details_json(stmt));
	json_object_set_new(txn, "message_id", text(stmt, MESSAGE_ID));
	json_object_set_new(txn, "service", text(stmt, SERVICE));
	json_object_set_new(txn, "server_port", text(stmt, SERVER_PORT));
	json_object_set_new(txn, "tls", text(stmt, TLS));
	json_object_set_new(txn, "doors", doors_json(stmt));
	json_object_set_new(txn, "connect_time", seconds(stmt, CONNECT));
	json_object_set_new(txn, "end_time", seconds(stmt, END));
	json_object_set_new(txn, "degraded", json_boolean(sqlite3_column_int(stmt, DEGRADED)));
	json_object_set_new(txn, "log_seen", json_boolean(sqlite3_column_int(stmt, LOG_SEEN)));
	json_object_set_new(txn, "recipients_left_out", number(stmt, LEFT_OUT));
	return txn;
}
