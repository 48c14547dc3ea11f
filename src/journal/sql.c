/* Values into statements, values out of them; the first failure sticks. */
#include "journal/cache.h"
#include "journal/store.h"

struct mg_bind mg_bind(struct mg_store *store, enum mg_stmt which)
{
	return (struct mg_bind){ store->stmt[which], 1 };
}

void mg_bind_int(struct mg_bind *bind, int64_t value)
{
	sqlite3_bind_int64(bind->stmt, bind->at++, value);
}

void mg_bind_text(struct mg_bind *bind, struct mg_str text)
{
	if (text.n == 0)
		sqlite3_bind_null(bind->stmt, bind->at++);
	else
		sqlite3_bind_text(bind->stmt, bind->at++, text.p, (int)text.n, SQLITE_STATIC);
}

void mg_bind_z(struct mg_bind *bind, const char *text)
{
	sqlite3_bind_text(bind->stmt, bind->at++, text, -1, SQLITE_STATIC);
}

void mg_bind_ip(struct mg_bind *bind, const struct mg_ip *ip)
{
	unsigned char blob[MG_IP_BLOB];

	sqlite3_bind_blob(bind->stmt, bind->at++, blob, (int)mg_ip_to_blob(ip, blob), SQLITE_TRANSIENT);
}

/* A value that one statement can't take is that statement's loss, not the batch's. */
static void keep_failure(struct mg_store *store, int rc)
{
	int class = rc & 0xff;

	if (class != SQLITE_CONSTRAINT && class != SQLITE_TOOBIG && class != SQLITE_MISMATCH && store->rc == SQLITE_OK)
		store->rc = rc;
}

bool mg_store_step(struct mg_store *store, struct mg_bind *bind)
{
	int rc;

	if (store->rc != SQLITE_OK)
		return false;
	rc = sqlite3_step(bind->stmt);
	if (rc == SQLITE_ROW)
		return true;
	if (rc != SQLITE_DONE)
		keep_failure(store, rc);
	sqlite3_reset(bind->stmt);
	return false;
}

bool mg_store_run(struct mg_store *store, struct mg_bind *bind)
{
	while (mg_store_step(store, bind))
		;
	sqlite3_reset(bind->stmt);
	return store->rc == SQLITE_OK;
}

void mg_store_end(struct mg_bind *bind)
{
	sqlite3_reset(bind->stmt);
}

size_t mg_ip_to_blob(const struct mg_ip *ip, unsigned char blob[MG_IP_BLOB])
{
	size_t n = ip->family == MG_IP_V4 ? 4 : 16;

	blob[0] = (unsigned char)ip->family;
	memcpy(blob + 1, ip->bytes, n);
	return ip->family == MG_IP_NONE ? 0 : n + 1;
}

void mg_ip_from_blob(const void *blob, size_t size, struct mg_ip *ip_out)
{
	const unsigned char *p = blob;

	*ip_out = (struct mg_ip){ .family = MG_IP_NONE };
	if ((size != 5 && size != MG_IP_BLOB) || p[0] != (size == 5 ? MG_IP_V4 : MG_IP_V6))
		return;
	ip_out->family = size == 5 ? MG_IP_V4 : MG_IP_V6;
	memcpy(ip_out->bytes, p + 1, size - 1);
}

struct mg_str mg_column_text(sqlite3_stmt *stmt, int column)
{
	const unsigned char *text = sqlite3_column_text(stmt, column);

	return mg_str_of(text == NULL ? (const unsigned char *)"" : text, (size_t)sqlite3_column_bytes(stmt, column));
}

static void read_head(sqlite3_stmt *stmt, struct mg_head *head)
{
	int at = 0;

	head->seq = sqlite3_column_int64(stmt, at++);
	head->life = (unsigned)sqlite3_column_int64(stmt, at++);
	head->time_us = sqlite3_column_int64(stmt, at++);
	head->end_us = sqlite3_column_int64(stmt, at++);
	head->first_line_us = sqlite3_column_int64(stmt, at++);
	head->last_line_us = sqlite3_column_int64(stmt, at++);
	head->waits_us = sqlite3_column_int64(stmt, at++);
	head->is_shown = sqlite3_column_int64(stmt, at++) != 0;
	head->lines = (unsigned)sqlite3_column_int64(stmt, at++);
	head->recipient_count = (unsigned)sqlite3_column_int64(stmt, at++);
	head->left_out = (unsigned)sqlite3_column_int64(stmt, at++);
	head->action = (enum mg_action)sqlite3_column_int64(stmt, at++);
	head->smtpd_pid = (unsigned)sqlite3_column_int64(stmt, at++);
	head->client_port = (unsigned)sqlite3_column_int64(stmt, at++);
	head->sender_key = sqlite3_column_int64(stmt, at++);
	head->message_key = sqlite3_column_int64(stmt, at++);
	head->size_bytes = (uint64_t)sqlite3_column_int64(stmt, at++);
	head->parent = sqlite3_column_int64(stmt, at++);
	head->is_refusal = sqlite3_column_int64(stmt, at++) != 0;
	head->is_unfinished = sqlite3_column_int64(stmt, at++) != 0;
	head->by_milter = sqlite3_column_int64(stmt, at++) != 0;
	mg_ip_from_blob(sqlite3_column_blob(stmt, at), (size_t)sqlite3_column_bytes(stmt, at), &head->client_ip);
}

bool mg_head_next(struct mg_store *store, struct mg_bind *bind, struct mg_head *head_out)
{
	if (!mg_store_step(store, bind))
		return false;
	read_head(bind->stmt, head_out);
	mg_cache_refresh(store, head_out);
	return true;
}

size_t mg_head_read(struct mg_store *store, struct mg_bind *bind, struct mg_head *heads_out, size_t max)
{
	size_t n = 0;

	while (n < max && mg_head_next(store, bind, &heads_out[n]))
		n++;
	mg_store_end(bind);
	return n;
}

void mg_head_save(struct mg_store *store, const struct mg_head *head)
{
	mg_cache_put(store, head);
}

void mg_head_write(struct mg_store *store, const struct mg_head *head)
{
	struct mg_bind b = mg_bind(store, MG_STMT_SAVE);

	mg_bind_int(&b, head->life);
	mg_bind_int(&b, head->first_line_us);
	mg_bind_int(&b, head->last_line_us);
	mg_bind_int(&b, head->lines);
	mg_bind_int(&b, head->recipient_count);
	mg_bind_int(&b, head->left_out);
	mg_bind_int(&b, head->seq);
	mg_store_run(store, &b);
}

void mg_head_wait(struct mg_store *store, struct mg_head *head, int64_t waits_us)
{
	struct mg_bind b = mg_bind(store, MG_STMT_WAIT);

	head->waits_us = waits_us;
	mg_bind_int(&b, waits_us);
	mg_bind_int(&b, head->seq);
	mg_store_run(store, &b);
}

void mg_head_drop(struct mg_store *store, const struct mg_head *head)
{
	struct mg_bind b = mg_bind(store, MG_STMT_DROP_RECIPIENTS);

	mg_bind_int(&b, mg_slot(head->seq, 0));
	mg_bind_int(&b, mg_slot(head->seq + 1, 0) - 1);
	mg_store_run(store, &b);
	b = mg_bind(store, MG_STMT_DROP_EVENTS);
	mg_bind_int(&b, mg_event_slot(head->seq, 0));
	mg_bind_int(&b, mg_event_slot(head->seq + 1, 0) - 1);
	mg_store_run(store, &b);
	b = mg_bind(store, MG_STMT_DROP);
	mg_bind_int(&b, head->seq);
	mg_store_run(store, &b);
	mg_cache_forget(store, head->seq);
}
