/* What the log says against a verdict. Our own refusals stand in the log too, as Postfix's: what the row already says
 * is left as it is. */
#include "journal/join.h"

#include <stdio.h>
#include <stdlib.h>

static bool is_verb(const struct mg_log_line *line, struct mg_str word)
{
	return mg_str_eq(line->verb, word) ||
	       (mg_str_starts(line->verb, MG_STR("milter-")) && mg_str_eq(mg_str_from(line->verb, 7), word));
}

enum mg_action mg_verdict_of(const struct mg_log_line *line)
{
	struct mg_str code = line->code.n > 0 ? line->code : line->dsn;

	if (line->kind == MG_LINE_DISCARD || (line->kind == MG_LINE_MILTER && is_verb(line, MG_STR("discard"))))
		return MG_ACTION_DISCARD;
	if (line->kind == MG_LINE_MILTER && is_verb(line, MG_STR("hold")))
		return MG_ACTION_QUARANTINE;
	if ((line->verb.n > 0 && !is_verb(line, MG_STR("reject"))) || code.n == 0)
		return MG_ACTION_NONE;
	if (code.p[0] == '4')
		return MG_ACTION_TEMPFAIL;
	return code.p[0] == '5' ? MG_ACTION_REJECT : MG_ACTION_NONE;
}

static void correct(struct mg_store *store, enum mg_action was, enum mg_action is)
{
	if (store->correction_count == store->correction_room) {
		size_t room = store->correction_room == 0 ? 16 : 2 * store->correction_room;
		struct mg_correction *grown = realloc(store->corrections, room * sizeof *grown);

		if (grown == NULL)
			return;
		store->corrections = grown;
		store->correction_room = room;
	}
	store->corrections[store->correction_count++] = (struct mg_correction){ was, is };
}

static void set_verdict(struct mg_store *store, struct mg_head *head, enum mg_action action, struct mg_str code,
	struct mg_str text, const char *rule)
{
	struct mg_bind b = mg_bind(store, MG_STMT_VERDICT);

	if (action == head->action && !head->is_unfinished)
		return;
	head->is_unfinished = false;
	if ((head->life & MG_LIFE_DOOR) && action != head->action)
		correct(store, head->action, action);
	head->action = action;
	mg_bind_int(&b, action);
	sqlite3_bind_text(b.stmt, b.at++, code.n == 0 ? "" : code.p, (int)code.n, SQLITE_STATIC);
	sqlite3_bind_text(b.stmt, b.at++, text.n == 0 ? "" : text.p, (int)text.n, SQLITE_STATIC);
	mg_bind_z(&b, rule);
	mg_bind_int(&b, 0);
	mg_bind_int(&b, head->seq);
	mg_store_run(store, &b);
}

/* "554 5.7.1" and "postfix:5.7.1"; cleanup's lines have no basic code. */
static void set_from_line(
	struct mg_store *store, struct mg_head *head, enum mg_action action, const struct mg_log_line *line)
{
	char code[48], rule[48];
	int n = snprintf(code, sizeof code, "%.*s%s%.*s", MG_STR_ARGS(mg_str_first(line->code, 8)),
		line->code.n > 0 && line->dsn.n > 0 ? " " : "", MG_STR_ARGS(mg_str_first(line->dsn, 16)));

	if (action == MG_ACTION_QUARANTINE || action == MG_ACTION_DISCARD)
		snprintf(rule, sizeof rule, "postfix:%s", action == MG_ACTION_DISCARD ? "discard" : "milter-hold");
	else
		snprintf(rule, sizeof rule, "postfix:%.*s",
			MG_STR_ARGS(mg_str_first(line->dsn.n > 0 ? line->dsn : line->code, 16)));
	set_verdict(store, head, action, mg_str_of(code, (size_t)n), line->reply, rule);
}

static bool has_recipient(struct mg_store *store, const struct mg_head *head, enum mg_stmt which)
{
	struct mg_bind b = mg_bind(store, which);
	bool found;

	mg_bind_int(&b, mg_slot(head->seq, 0));
	mg_bind_int(&b, mg_slot(head->seq + 1, 0) - 1);
	found = mg_store_step(store, &b);
	mg_store_end(&b);
	return found;
}

/* Binds verdict, code, dsn, reply and time of a refusal. */
static struct mg_bind bind_refusal(
	struct mg_store *store, enum mg_stmt which, enum mg_action action, const struct mg_log_line *line)
{
	struct mg_bind b = mg_bind(store, which);

	mg_bind_int(&b, action);
	mg_bind_text(&b, line->code);
	mg_bind_text(&b, line->dsn);
	mg_bind_text(&b, line->reply);
	mg_bind_int(&b, line->time_us);
	return b;
}

static void add_refused(
	struct mg_store *store, struct mg_head *head, enum mg_action action, const struct mg_log_line *line)
{
	struct mg_recipient_row row = { .address = line->recipient,
		.owner = -1,
		.verdict = action,
		.code = line->code,
		.dsn = line->dsn,
		.reply = line->reply,
		.rcpt_us = line->time_us,
		.last_us = line->time_us };

	if (line->recipient.n > 0)
		mg_recipient_insert(store, head, &row);
}

/* Refuses the last recipient of this address that is still accepted; one that we refused ourselves in the same way
 * stays as it is. */
static void refuse_recipient(
	struct mg_store *store, struct mg_head *head, enum mg_action action, const struct mg_log_line *line)
{
	enum { SAME = 8 };
	struct mg_recipient_row rows[SAME], *pick = NULL;
	size_t n = mg_recipient_find(store, head, line->recipient, -1, rows, SAME);
	struct mg_bind b;

	for (size_t i = 0; i < n; i++) {
		if (rows[i].verdict == action)
			return;
		if (pick == NULL || mg_is_refusal(pick->verdict) || !mg_is_refusal(rows[i].verdict))
			pick = &rows[i];
	}
	if (pick == NULL) {
		add_refused(store, head, action, line);
		return;
	}
	b = bind_refusal(store, MG_STMT_REFUSE, action, line);
	mg_bind_int(&b, mg_slot(head->seq, pick->n));
	mg_store_run(store, &b);
}

/* Somebody has refused it already, and the client was told. */
static bool is_settled(const struct mg_head *head)
{
	return mg_is_refusal(head->action) && !head->is_unfinished;
}

/* Once every recipient is refused the transaction is: for good when one of them is. A queue id without a door's
 * record has recipients that we don't know of, until qmgr takes it. */
static void settle(struct mg_store *store, struct mg_head *head, enum mg_action action, const struct mg_log_line *line)
{
	if (head->action == MG_ACTION_REJECT || head->left_out > 0 || (head->life & MG_LIFE_QUEUED))
		return;
	if (!is_settled(head) && has_recipient(store, head, MG_STMT_ANY_ACCEPTED))
		return;
	if (action != MG_ACTION_REJECT && has_recipient(store, head, MG_STMT_ANY_REJECTED))
		action = MG_ACTION_REJECT;
	set_from_line(store, head, action, line);
}

static void refuse_all(
	struct mg_store *store, struct mg_head *head, enum mg_action action, const struct mg_log_line *line)
{
	struct mg_bind b;

	if (is_settled(head))
		return;
	if (head->recipient_count == 0)
		add_refused(store, head, action, line);
	b = bind_refusal(store, MG_STMT_REFUSE_ALL, action, line);
	mg_bind_int(&b, mg_slot(head->seq, 0));
	mg_bind_int(&b, mg_slot(head->seq + 1, 0) - 1);
	mg_store_run(store, &b);
	set_from_line(store, head, action, line);
}

void mg_verdict_line(struct mg_store *store, struct mg_head *head, const struct mg_log_line *line)
{
	enum mg_action action = mg_verdict_of(line);

	if (action == MG_ACTION_NONE)
		return;
	if (mg_is_refusal(action)) {
		if (mg_str_eq_nocase(line->stage, MG_STR("RCPT")) && line->recipient.n > 0) {
			refuse_recipient(store, head, action, line);
			settle(store, head, action, line);
		} else {
			refuse_all(store, head, action, line);
		}
	} else if (!is_settled(head)) {
		set_from_line(store, head, action, line);
	}
}

void mg_verdict_accept(struct mg_store *store, struct mg_head *head)
{
	struct mg_bind b = mg_bind(store, MG_STMT_VERDICT);

	head->action = MG_ACTION_ACCEPT;
	mg_bind_int(&b, MG_ACTION_ACCEPT);
	mg_bind_z(&b, "");
	mg_bind_z(&b, "");
	mg_bind_z(&b, "log-only");
	mg_bind_int(&b, 1);
	mg_bind_int(&b, head->seq);
	mg_store_run(store, &b);
}
