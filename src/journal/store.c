/* Rows out of records and lines. A row that only the log knows is made by way of a record too, so that there is one
 * way into the table. */
#include "journal/store.h"

#include <inttypes.h>
#include <stdio.h>

#include "journal/cache.h"
#include "journal/join.h"

/* In the order of FACTS in schema.c. What the record does not know keeps what the log said. */
static void bind_facts(struct mg_bind *b, const struct mg_record *record, const struct mg_head *head)
{
	mg_bind_int(b, record->time_us);
	mg_bind_int(b, record->end_us);
	mg_bind_int(b, head->left_out);
	mg_bind_int(b, record->action);
	mg_bind_int(b, record->smtpd_pid);
	mg_bind_int(b, record->client_port);
	mg_bind_int(b, head->sender_key);
	mg_bind_int(b, head->message_key);
	mg_bind_int(b, (int64_t)head->size_bytes);
	mg_bind_ip(b, &record->client_ip);
	mg_bind_z(b, record->id);
	mg_bind_int(b, record->connect_us);
	mg_bind_int(b, record->by_milter);
	mg_bind_int(b, record->by_policy);
	mg_bind_z(b, record->server_port);
	mg_bind_z(b, record->client_name);
	mg_bind_z(b, record->helo);
	mg_bind_z(b, record->user);
	mg_bind_z(b, record->sender);
	mg_bind_z(b, record->from_domain);
	mg_bind_text(b, mg_str_z(record->message_id));
	mg_bind_z(b, record->tls);
	for (int i = 0; i < MG_METHODS; i++)
		mg_bind_z(b, record->auth[i]);
	mg_bind_int(b, record->relay);
	mg_bind_int(b, record->would);
	mg_bind_z(b, record->code);
	mg_bind_z(b, record->text);
	mg_bind_z(b, record->rule);
	mg_bind_int(b, record->latency_us);
	mg_bind_int(b, record->is_degraded);
	mg_bind_z(b, record->auth_report);
	mg_bind_z(b, record->auth_facts);
	mg_bind_z(b, record->asked);
}

static void take_facts(struct mg_store *store, const struct mg_record *record, struct mg_head *head)
{
	head->time_us = record->time_us;
	head->end_us = record->end_us;
	head->left_out = (unsigned)record->recipients_left_out;
	head->action = record->action;
	head->by_milter = record->by_milter;
	head->is_unfinished = mg_str_starts(mg_str_z(record->rule), MG_STR("client:"));
	head->smtpd_pid = record->smtpd_pid;
	head->client_port = record->client_port;
	head->client_ip = record->client_ip;
	head->sender_key = mg_veil_address_key(&store->veil, mg_str_z(record->sender));
	if (record->message_id[0] != '\0')
		head->message_key = mg_veil_text_key(&store->veil, mg_str_z(record->message_id));
	if (record->size_bytes != 0)
		head->size_bytes = record->size_bytes;
}

void mg_store_insert(
	struct mg_store *store, const struct mg_record *record, struct mg_str service, struct mg_head *head)
{
	struct mg_bind b = mg_bind(store, MG_STMT_INSERT);

	take_facts(store, record, head);
	if (record->queue_id[0] != '\0') {
		head->life |= MG_LIFE_NAMED;
		mg_cache_name(store, mg_str_z(record->queue_id), NULL); /* there is a younger life now */
	}
	bind_facts(&b, record, head);
	mg_bind_int(&b, head->life);
	mg_bind_int(&b, head->first_line_us);
	mg_bind_int(&b, head->last_line_us);
	mg_bind_int(&b, head->waits_us);
	mg_bind_int(&b, head->is_shown);
	mg_bind_int(&b, head->lines);
	mg_bind_int(&b, head->recipient_count);
	mg_bind_int(&b, head->parent);
	mg_bind_int(&b, head->is_refusal);
	mg_bind_z(&b, record->queue_id);
	mg_bind_z(&b, "");
	if (service.n > 0)
		sqlite3_bind_text(b.stmt, b.at - 1, service.p, (int)service.n, SQLITE_STATIC);
	mg_store_run(store, &b);
	head->seq = sqlite3_last_insert_rowid(store->db);
}

void mg_store_overlay(struct mg_store *store, const struct mg_record *record, struct mg_head *head)
{
	struct mg_bind b = mg_bind(store, MG_STMT_OVERLAY);

	take_facts(store, record, head);
	head->life |= MG_LIFE_DOOR;
	head->life &= ~(unsigned)MG_LIFE_PROBE;
	head->waits_us = 0;
	head->is_shown = true;
	head->recipient_count = 0;
	bind_facts(&b, record, head);
	mg_bind_int(&b, head->life);
	mg_bind_int(&b, head->seq);
	mg_store_run(store, &b);
}

/* Microseconds are unique enough with a counter; the "L" keeps these ids apart from those of the doors. */
static void name_log_row(struct mg_store *store, struct mg_record *record)
{
	snprintf(record->id, sizeof record->id, "L%012" PRIx64 "-%08x", (uint64_t)store->now_us & 0xffffffffffff,
		store->serial++);
}

void mg_store_log_row(struct mg_store *store, const struct mg_log_line *line, struct mg_head *head_out)
{
	struct mg_record *record = mg_record_new(line->time_us, 0);

	head_out->seq = 0;
	if (record == NULL)
		return;
	name_log_row(store, record);
	record->end_us = line->time_us;
	record->smtpd_pid = line->pid;
	record->queue_id = mg_record_text(record, line->queue_id);
	record->client_ip = line->client_ip;
	record->client_port = line->client_port;
	record->client_name = mg_record_text(record, line->client_name);
	record->helo = mg_record_text(record, line->helo);
	record->user = mg_record_text(record, line->user);
	record->sender = mg_record_text(record, line->sender);
	record->action = MG_ACTION_ACCEPT;
	record->rule = "log-only";
	head_out->first_line_us = head_out->last_line_us = line->time_us;
	mg_store_insert(store, record, line->service, head_out);
	mg_record_free(&record);
}

bool mg_recipient_insert(struct mg_store *store, struct mg_head *head, struct mg_recipient_row *row)
{
	struct mg_bind b = mg_bind(store, MG_STMT_ADD_RECIPIENT);

	if (head->recipient_count + 1 >= 1U << MG_SLOT_BITS) {
		head->left_out += row->owner < 0;
		return false;
	}
	row->n = head->recipient_count++;
	mg_bind_int(&b, mg_slot(head->seq, row->n));
	mg_bind_text(&b, row->address);
	mg_bind_int(&b, mg_veil_address_key(&store->veil, row->address));
	if (row->owner < 0)
		mg_bind_text(&b, (struct mg_str){ 0 });
	else
		mg_bind_int(&b, row->owner);
	mg_bind_int(&b, (int64_t)row->tally);
	mg_bind_int(&b, row->verdict);
	mg_bind_int(&b, row->delivery);
	mg_bind_text(&b, row->code);
	mg_bind_text(&b, row->dsn);
	mg_bind_text(&b, row->reply);
	mg_bind_text(&b, row->relay);
	mg_bind_int(&b, row->rcpt_us);
	mg_bind_int(&b, row->last_us);
	mg_bind_text(&b, row->rule);
	mg_bind_text(&b, row->asked);
	return mg_store_run(store, &b);
}

void mg_recipient_deliver(struct mg_store *store, const struct mg_head *head, const struct mg_recipient_row *row)
{
	struct mg_bind b = mg_bind(store, MG_STMT_DELIVER);

	mg_bind_int(&b, row->delivery);
	mg_bind_int(&b, (int64_t)row->tally);
	mg_bind_text(&b, row->dsn);
	mg_bind_text(&b, row->reply);
	mg_bind_text(&b, row->relay);
	mg_bind_int(&b, row->last_us);
	mg_bind_int(&b, mg_slot(head->seq, row->n));
	mg_store_run(store, &b);
}

static unsigned n_of(int64_t slot)
{
	return (unsigned)(slot & ((1 << MG_SLOT_BITS) - 1));
}

static int owner_of(sqlite3_stmt *stmt, int column)
{
	return sqlite3_column_type(stmt, column) == SQLITE_NULL ? -1 : sqlite3_column_int(stmt, column);
}

size_t mg_recipient_find(struct mg_store *store, const struct mg_head *head, struct mg_str address, int owner,
	struct mg_recipient_row *rows_out, size_t max)
{
	struct mg_bind b = mg_bind(store, MG_STMT_FIND_RECIPIENT);
	size_t n = 0;

	if (head->recipient_count == 0)
		return 0;
	mg_bind_int(&b, mg_veil_address_key(&store->veil, address));
	mg_bind_int(&b, mg_slot(head->seq, 0));
	mg_bind_int(&b, mg_slot(head->seq + 1, 0) - 1);
	while (n < max && mg_store_step(store, &b)) {
		if (owner_of(b.stmt, 2) != owner || !mg_address_eq(mg_column_text(b.stmt, 1), address))
			continue;
		rows_out[n] = (struct mg_recipient_row){ .n = n_of(sqlite3_column_int64(b.stmt, 0)),
			.address = address,
			.owner = owner,
			.tally = (uint64_t)sqlite3_column_int64(b.stmt, 3),
			.verdict = (enum mg_action)sqlite3_column_int(b.stmt, 4),
			.delivery = (enum mg_delivery)sqlite3_column_int(b.stmt, 5) };
		n++;
	}
	mg_store_end(&b);
	return n;
}

static struct mg_str kept(struct mg_arena *arena, sqlite3_stmt *stmt, int column)
{
	return mg_str_z(mg_arena_text(arena, mg_column_text(stmt, column), MG_RECORD_TEXT));
}

struct mg_recipient_row *mg_recipient_read_all(
	struct mg_store *store, const struct mg_head *head, struct mg_arena *arena)
{
	struct mg_bind b = mg_bind(store, MG_STMT_READ_RECIPIENTS);
	struct mg_recipient_row *first = NULL, **end = &first, *row;

	if (head->recipient_count == 0)
		return NULL;
	mg_bind_int(&b, mg_slot(head->seq, 0));
	mg_bind_int(&b, mg_slot(head->seq + 1, 0) - 1);
	while (mg_store_step(store, &b)) {
		if ((row = mg_arena_take(arena, sizeof *row)) == NULL)
			break;
		row->n = n_of(sqlite3_column_int64(b.stmt, 0));
		row->address = kept(arena, b.stmt, 1);
		row->owner = owner_of(b.stmt, 3);
		row->tally = (uint64_t)sqlite3_column_int64(b.stmt, 4);
		row->verdict = (enum mg_action)sqlite3_column_int(b.stmt, 5);
		row->delivery = (enum mg_delivery)sqlite3_column_int(b.stmt, 6);
		row->code = kept(arena, b.stmt, 7);
		row->dsn = kept(arena, b.stmt, 8);
		row->reply = kept(arena, b.stmt, 9);
		row->relay = kept(arena, b.stmt, 10);
		row->rcpt_us = sqlite3_column_int64(b.stmt, 11);
		row->last_us = sqlite3_column_int64(b.stmt, 12);
		row->rule = kept(arena, b.stmt, 13);
		row->asked = kept(arena, b.stmt, 14);
		*end = row;
		end = &row->next;
	}
	mg_store_end(&b);
	return first;
}

void mg_recipient_drop_all(struct mg_store *store, struct mg_head *head)
{
	struct mg_bind b = mg_bind(store, MG_STMT_DROP_RECIPIENTS);

	if (head->recipient_count == 0)
		return;
	mg_bind_int(&b, mg_slot(head->seq, 0));
	mg_bind_int(&b, mg_slot(head->seq + 1, 0) - 1);
	mg_store_run(store, &b);
	head->recipient_count = 0;
}

static void add_recipients(struct mg_store *store, const struct mg_record *record, struct mg_head *head)
{
	for (const struct mg_recipient *r = record->recipients; r != NULL; r = r->next) {
		struct mg_recipient_row row = { .address = mg_str_z(r->address),
			.owner = -1,
			.verdict = r->verdict,
			.code = mg_str_z(r->code),
			.dsn = mg_str_z(r->dsn),
			.reply = mg_str_z(r->reply),
			.rcpt_us = r->time_us,
			.rule = mg_str_z(r->rule),
			.asked = mg_str_z(r->asked) };

		mg_recipient_insert(store, head, &row);
	}
}

/* What we had put on hold is held, whatever words the log has for it: policy's "hold" comes before there is a queue id. */
static unsigned life_of(const struct mg_record *record)
{
	return record->action == MG_ACTION_QUARANTINE ? MG_LIFE_HELD : 0;
}

void mg_store_record(struct mg_store *store, struct mg_record *record)
{
	struct mg_head head = { 0 };
	struct mg_arena arena;
	struct mg_recipient_row *outcomes = NULL;

	mg_arena_init(&arena, 2 * (size_t)MG_RECORD_ARENA);
	if (record->end_us < record->time_us)
		record->end_us = record->time_us;
	mg_veil_record(&store->veil, record);
	if (mg_join_find_log_row(store, record, &head)) {
		outcomes = mg_recipient_read_all(store, &head, &arena);
		mg_recipient_drop_all(store, &head);
		if (!(head.life & (MG_LIFE_QUEUED | MG_LIFE_CLOSED)))
			head.life |= life_of(record);
		mg_store_overlay(store, record, &head);
		add_recipients(store, record, &head);
		mg_join_take_over(store, &head, outcomes);
		mg_refusal_claim(store, &head);
		mg_head_save(store, &head);
	} else {
		head = (struct mg_head){ .life = MG_LIFE_DOOR | life_of(record),
			.is_shown = true,
			.recipient_count = (unsigned)record->recipient_count };
		mg_store_insert(store, record, (struct mg_str){ 0 }, &head);
		head.recipient_count = 0;
		add_recipients(store, record, &head);
		if (mg_refusal_claim(store, &head))
			mg_head_save(store, &head);
	}
	mg_arena_fini(&arena);
}

void mg_store_position(struct mg_store *store, const struct mg_line_copy *copy)
{
	struct mg_bind b = mg_bind(store, MG_STMT_POSITION);

	mg_bind_z(&b, copy->source);
	mg_bind_int(&b, (int64_t)copy->inode);
	mg_bind_int(&b, (int64_t)copy->offset);
	mg_bind_int(&b, (int64_t)copy->fingerprint);
	mg_bind_int(&b, copy->fingerprint_bytes);
	mg_bind_z(&b, copy->cursor);
	mg_store_run(store, &b);
}
