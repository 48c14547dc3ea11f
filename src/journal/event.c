/* Lines as rows of `event`, and the ones that bear on a verdict back again as lines. */
#include "journal/join.h"

#include <stdio.h>

static enum mg_event event_of(enum mg_line_kind kind)
{
	static const enum mg_event events[MG_LINE_KINDS] = {
		[MG_LINE_CLIENT] = MG_EVENT_CLIENT,
		[MG_LINE_PICKUP] = MG_EVENT_PICKUP,
		[MG_LINE_MESSAGE_ID] = MG_EVENT_MESSAGE_ID,
		[MG_LINE_QUEUED] = MG_EVENT_QUEUED,
		[MG_LINE_DELIVERY] = MG_EVENT_DELIVERY,
		[MG_LINE_EXPIRED] = MG_EVENT_EXPIRED,
		[MG_LINE_REMOVED] = MG_EVENT_REMOVED,
		[MG_LINE_NOTICE] = MG_EVENT_NOTICE,
		[MG_LINE_REJECT] = MG_EVENT_REJECT,
		[MG_LINE_MILTER] = MG_EVENT_MILTER,
		[MG_LINE_HOLD] = MG_EVENT_HOLD,
		[MG_LINE_RELEASE] = MG_EVENT_RELEASE,
		[MG_LINE_DISCARD] = MG_EVENT_DISCARD,
		[MG_LINE_POSTSCREEN] = MG_EVENT_POSTSCREEN,
		[MG_LINE_DOVECOT] = MG_EVENT_DOVECOT,
	};

	return events[kind];
}

static enum mg_line_kind line_of(enum mg_event event)
{
	for (int kind = 0; kind < MG_LINE_KINDS; kind++)
		if (event_of((enum mg_line_kind)kind) == event)
			return (enum mg_line_kind)kind;
	return MG_LINE_UNKNOWN;
}

/* What a line counts: bytes, the uid, else the process. */
static int64_t number_of(const struct mg_log_line *line)
{
	if (line->kind == MG_LINE_QUEUED)
		return (int64_t)line->size_bytes;
	return line->kind == MG_LINE_PICKUP ? (int64_t)line->uid : (int64_t)line->pid;
}

static struct mg_str other_id(const struct mg_log_line *line)
{
	if (line->child_queue_id.n > 0)
		return line->child_queue_id;
	return line->queued_as.n > 0 ? line->queued_as : line->orig_queue_id;
}

static void bind_delays(struct mg_bind *b, const struct mg_log_line *line, char *place, size_t size)
{
	const double *d = line->delays_s;

	if (line->kind != MG_LINE_DELIVERY || line->delay_s < 0) {
		mg_bind_text(b, (struct mg_str){ 0 });
		mg_bind_text(b, (struct mg_str){ 0 });
		return;
	}
	sqlite3_bind_double(b->stmt, b->at++, line->delay_s);
	place[0] = '\0';
	if (d[0] >= 0)
		snprintf(place, size, "%g/%g/%g/%g", d[0], d[1], d[2], d[3]);
	mg_bind_text(b, mg_str_z(place));
}

void mg_event_add(struct mg_store *store, struct mg_head *head, const struct mg_log_line *line)
{
	struct mg_bind b = mg_bind(store, MG_STMT_ADD_EVENT);
	char delays[96];

	if (head->lines++ >= MG_EVENTS_MAX)
		return;
	mg_bind_int(&b, mg_event_slot(head->seq, head->lines - 1));
	mg_bind_int(&b, event_of(line->kind));
	mg_bind_int(&b, line->time_us);
	mg_bind_text(&b, line->recipient);
	mg_bind_text(&b, line->orig_to);
	if (line->has_sender && line->kind != MG_LINE_QUEUED)
		sqlite3_bind_text(
			b.stmt, b.at++, line->sender.n == 0 ? "" : line->sender.p, (int)line->sender.n, SQLITE_STATIC);
	else
		mg_bind_text(&b, (struct mg_str){ 0 });
	mg_bind_text(&b, line->relay);
	mg_bind_text(&b, line->verb);
	mg_bind_text(&b, line->stage);
	mg_bind_text(&b, line->code);
	mg_bind_text(&b, line->dsn);
	mg_bind_text(&b, line->status);
	mg_bind_text(&b, line->reply);
	mg_bind_text(&b, other_id(line));
	mg_bind_text(&b, line->mailbox);
	mg_bind_text(&b, mg_str_first(line->service, line->kind == MG_LINE_CLIENT ? 0 : line->service.n));
	mg_bind_int(&b, number_of(line));
	bind_delays(&b, line, delays, sizeof delays);
	mg_store_run(store, &b);
}

static struct mg_str kept(struct mg_arena *arena, sqlite3_stmt *stmt, int column)
{
	return mg_str_z(mg_arena_text(arena, mg_column_text(stmt, column), MG_RECORD_TEXT));
}

static void read_line(struct mg_log_line *line, sqlite3_stmt *stmt, struct mg_arena *arena)
{
	line->kind = line_of((enum mg_event)sqlite3_column_int(stmt, 1));
	line->time_us = sqlite3_column_int64(stmt, 2);
	line->recipient = kept(arena, stmt, 3);
	line->orig_to = kept(arena, stmt, 4);
	line->has_sender = sqlite3_column_type(stmt, 5) != SQLITE_NULL;
	line->sender = kept(arena, stmt, 5);
	line->verb = kept(arena, stmt, 7);
	line->stage = kept(arena, stmt, 8);
	line->code = kept(arena, stmt, 9);
	line->dsn = kept(arena, stmt, 10);
	line->reply = kept(arena, stmt, 12);
	line->service = kept(arena, stmt, 15);
	line->pid = (unsigned)sqlite3_column_int64(stmt, 16);
}

struct mg_event_line *mg_event_read_verdicts(struct mg_store *store, const struct mg_head *head, struct mg_arena *arena)
{
	struct mg_bind b = mg_bind(store, MG_STMT_READ_EVENTS);
	struct mg_event_line *first = NULL, **end = &first, *event;

	mg_bind_int(&b, mg_event_slot(head->seq, 0));
	mg_bind_int(&b, mg_event_slot(head->seq + 1, 0) - 1);
	while (mg_store_step(store, &b)) {
		int kind = sqlite3_column_int(b.stmt, 1);

		if (kind != MG_EVENT_REJECT && kind != MG_EVENT_POSTSCREEN && kind != MG_EVENT_MILTER &&
			kind != MG_EVENT_DISCARD)
			continue;
		if ((event = mg_arena_take(arena, sizeof *event)) == NULL)
			break;
		event->slot = sqlite3_column_int64(b.stmt, 0);
		read_line(&event->line, b.stmt, arena);
		*end = event;
		end = &event->next;
	}
	mg_store_end(&b);
	return first;
}
