/* What each kind of line does to the life it belongs to. */
#include "journal/cache.h"
#include "journal/join.h"

#include <stdlib.h>

static void run_on_recipients(struct mg_store *store, const struct mg_head *head, enum mg_stmt which)
{
	struct mg_bind b = mg_bind(store, which);

	if (head->recipient_count == 0)
		return;
	mg_bind_int(&b, mg_slot(head->seq, 0));
	mg_bind_int(&b, mg_slot(head->seq + 1, 0) - 1);
	mg_store_run(store, &b);
}

/* Binds text, seq to a statement of two values. */
static void set_text(struct mg_store *store, const struct mg_head *head, enum mg_stmt which, struct mg_str text)
{
	struct mg_bind b = mg_bind(store, which);

	mg_bind_text(&b, text);
	mg_bind_int(&b, head->seq);
	mg_store_run(store, &b);
}

static void on_start(struct mg_store *store, struct mg_head *head, const struct mg_log_line *line)
{
	head->life |= MG_LIFE_STARTED;
	mg_life_link_parent(store, head, line, line->orig_queue_id);
}

/* What client= and uid= say to a row that another line or a door has made. A door knows more than the log. */
static void add_client(struct mg_store *store, struct mg_head *head, const struct mg_log_line *line)
{
	struct mg_bind b = mg_bind(store, MG_STMT_CLIENT);

	if (line->kind == MG_LINE_PICKUP || (head->life & MG_LIFE_DOOR)) {
		set_text(store, head, MG_STMT_SERVICE, line->service);
		return;
	}
	head->smtpd_pid = line->pid;
	head->client_ip = line->client_ip;
	head->client_port = line->client_port;
	mg_bind_text(&b, line->service);
	mg_bind_int(&b, line->pid);
	mg_bind_ip(&b, &line->client_ip);
	mg_bind_int(&b, line->client_port);
	mg_bind_text(&b, line->client_name);
	mg_bind_text(&b, line->user);
	mg_bind_int(&b, head->seq);
	mg_store_run(store, &b);
}

static void on_message_id(struct mg_store *store, struct mg_head *head, const struct mg_log_line *line)
{
	struct mg_bind b = mg_bind(store, MG_STMT_MESSAGE_ID);

	if (head->message_key != 0 || line->message_id.n == 0)
		return;
	head->message_key = mg_veil_text_key(&store->veil, line->message_id);
	mg_bind_text(&b, line->message_id);
	mg_bind_int(&b, head->message_key);
	mg_bind_int(&b, head->seq);
	mg_store_run(store, &b);
}

/* Address verification probes come from double-bounce@, and so do Postfix's own notices, which have a parent: the
 * former are shown only when a delivery proves them to be messages. */
static bool may_be_probe(const struct mg_head *head, const struct mg_log_line *line)
{
	return !(head->life & MG_LIFE_STARTED) && head->parent == 0 &&
	       mg_str_starts(line->sender, MG_STR("double-bounce@"));
}

static void set_facts(struct mg_store *store, const struct mg_head *head, struct mg_str sender)
{
	struct mg_bind b = mg_bind(store, MG_STMT_FACTS);

	sqlite3_bind_text(b.stmt, b.at++, sender.n == 0 ? "" : sender.p, (int)sender.n, SQLITE_STATIC);
	mg_bind_int(&b, head->sender_key);
	mg_bind_int(&b, (int64_t)head->size_bytes);
	mg_bind_int(&b, head->end_us);
	mg_bind_int(&b, head->waits_us);
	mg_bind_int(&b, head->seq);
	mg_store_run(store, &b);
}

static void on_queued(struct mg_store *store, struct mg_head *head, const struct mg_log_line *line)
{
	struct mg_bind b;

	if (head->life & MG_LIFE_QUEUED)
		return; /* a later attempt of a message that was put off */
	head->life |= MG_LIFE_QUEUED;
	if (!(head->life & MG_LIFE_DOOR)) {
		head->sender_key = mg_veil_address_key(&store->veil, line->sender);
		head->size_bytes = line->size_bytes;
		head->end_us = line->time_us;
		if (!(head->life & (MG_LIFE_SHOWABLE | MG_LIFE_PROBE)) && !may_be_probe(head, line)) {
			head->life |= MG_LIFE_SHOWABLE;
			head->waits_us = head->is_shown ? 0 : store->now_us;
		}
		set_facts(store, head, line->sender);
		if (mg_is_refusal(head->action))
			mg_verdict_accept(store, head);
		return;
	}
	head->life |= MG_LIFE_SHOWABLE;
	if (head->size_bytes == 0 && line->size_bytes != 0) {
		head->size_bytes = line->size_bytes;
		b = mg_bind(store, MG_STMT_SIZE);
		mg_bind_int(&b, (int64_t)line->size_bytes);
		mg_bind_int(&b, head->seq);
		mg_store_run(store, &b);
	}
}

static void on_probe(struct mg_store *store, struct mg_head *head)
{
	struct mg_bind b = mg_bind(store, MG_STMT_SHOW);

	if (head->life & MG_LIFE_DOOR)
		return;
	head->life |= MG_LIFE_PROBE;
	head->is_shown = false;
	head->waits_us = 0;
	mg_bind_int(&b, 0);
	mg_bind_int(&b, head->seq);
	mg_store_run(store, &b);
}

/* The next hop is this host: another mailer on loopback, a socket, or Postfix itself. */
static bool is_own_relay(struct mg_str relay)
{
	size_t open = mg_str_find(relay, '['), end = mg_str_find(relay, ']');
	struct mg_ip ip;

	if (open == SIZE_MAX || end == SIZE_MAX || end < open)
		return true;
	return mg_ip_parse(mg_str_of(relay.p + open + 1, end - open - 1), &ip) && mg_ip_is_loopback(&ip);
}

static void on_delivery(struct mg_store *store, struct mg_head *head, const struct mg_log_line *line)
{
	struct mg_str rest = line->reply, child = line->queued_as;

	if (mg_str_eq(line->status, MG_STR("undeliverable")) || mg_str_eq(line->status, MG_STR("deliverable"))) {
		on_probe(store, head);
		return;
	}
	head->life &= ~(unsigned)MG_LIFE_HELD;
	mg_outcome_deliver(store, head, line);
	mg_life_showable(store, head);
	if (child.n == 0 && mg_read_token(&rest, MG_STR("forwarded as ")) && !mg_read_word(&rest, " ),;", &child))
		return;
	if (is_own_relay(line->relay))
		mg_life_link_child(store, head, line, child, true);
}

static void on_expired(struct mg_store *store, struct mg_head *head, const struct mg_log_line *line)
{
	(void)line;
	run_on_recipients(store, head, MG_STMT_EXPIRE_ALL);
	mg_life_showable(store, head);
}

static void hold(struct mg_store *store, struct mg_head *head)
{
	head->life |= MG_LIFE_HELD;
	run_on_recipients(store, head, MG_STMT_HOLD_ALL);
}

static void on_hold(struct mg_store *store, struct mg_head *head, const struct mg_log_line *line)
{
	(void)line;
	hold(store, head);
	mg_life_showable(store, head);
}

static void on_release(struct mg_store *store, struct mg_head *head, const struct mg_log_line *line)
{
	(void)store;
	(void)line;
	head->life &= ~(unsigned)MG_LIFE_HELD;
}

static void on_removed(struct mg_store *store, struct mg_head *head, const struct mg_log_line *line)
{
	(void)store;
	(void)line;
	head->life |= MG_LIFE_CLOSED;
}

static void on_notice(struct mg_store *store, struct mg_head *head, const struct mg_log_line *line)
{
	mg_life_link_child(store, head, line, line->child_queue_id, true);
}

static void on_verdict(struct mg_store *store, struct mg_head *head, const struct mg_log_line *line)
{
	enum mg_action action = mg_verdict_of(line);

	mg_verdict_line(store, head, line);
	if (action == MG_ACTION_QUARANTINE)
		hold(store, head);
	if (action != MG_ACTION_NONE)
		mg_life_showable(store, head);
}

/* What a line does, and whether it may begin a life. */
static const struct {
	void (*act)(struct mg_store *store, struct mg_head *head, const struct mg_log_line *line);
	bool begins;
} kinds[MG_LINE_KINDS] = {
	[MG_LINE_CLIENT] = { on_start, true },
	[MG_LINE_PICKUP] = { on_start, true },
	[MG_LINE_MESSAGE_ID] = { on_message_id, true },
	[MG_LINE_QUEUED] = { on_queued, true },
	[MG_LINE_DELIVERY] = { on_delivery, true },
	[MG_LINE_EXPIRED] = { on_expired, true },
	[MG_LINE_REMOVED] = { on_removed, false },
	[MG_LINE_NOTICE] = { on_notice, true },
	[MG_LINE_REJECT] = { on_verdict, true },
	[MG_LINE_MILTER] = { on_verdict, true },
	[MG_LINE_HOLD] = { on_hold, true },
	[MG_LINE_RELEASE] = { on_release, false },
	[MG_LINE_DISCARD] = { on_verdict, true },
};

/* A door's record without a queue id, of the same smtpd and client: client= gives it its id. Strictly within its time
 * before only with slack, then the oldest. */
static bool name_door_row(struct mg_store *store, const struct mg_log_line *line, struct mg_head *head_out)
{
	enum { CANDIDATES = 32 };
	struct mg_head heads[CANDIDATES], *best = NULL;
	struct mg_bind b = mg_bind(store, MG_STMT_UNNAMED);
	int64_t t = line->time_us;
	bool is_best_within = false;
	size_t n;

	mg_bind_int(&b, line->pid);
	mg_bind_int(&b, t - MG_JOIN_SESSION_US);
	mg_bind_int(&b, t + MG_JOIN_SLACK_US);
	n = mg_head_read(store, &b, heads, CANDIDATES);
	for (size_t i = 0; i < n; i++) {
		bool is_within = t >= heads[i].time_us && t <= heads[i].end_us;

		if ((heads[i].life & (MG_LIFE_DOOR | MG_LIFE_NAMED)) != MG_LIFE_DOOR ||
			t > heads[i].end_us + MG_JOIN_SLACK_US || !mg_ip_eq(&heads[i].client_ip, &line->client_ip) ||
			(is_best_within && !is_within))
			continue;
		b = mg_bind(store, MG_STMT_ANY_ACCEPTED);
		mg_bind_int(&b, mg_slot(heads[i].seq, 0));
		mg_bind_int(&b, mg_slot(heads[i].seq + 1, 0) - 1);
		if (mg_store_step(store, &b)) {
			best = &heads[i];
			is_best_within = is_within;
		}
		mg_store_end(&b);
	}
	if (best == NULL)
		return false;
	best->life |= MG_LIFE_NAMED;
	set_text(store, best, MG_STMT_QUEUE_ID, line->queue_id);
	mg_cache_name(store, line->queue_id, NULL);
	*head_out = *best;
	return true;
}

static void on_queue_id(struct mg_store *store, const struct mg_log_line *line)
{
	bool is_start = line->kind == MG_LINE_CLIENT || line->kind == MG_LINE_PICKUP;
	struct mg_head head;

	if (mg_life_find(store, line, &head) || (line->kind == MG_LINE_CLIENT && name_door_row(store, line, &head))) {
		if (is_start)
			add_client(store, &head, line);
	} else if (!kinds[line->kind].begins || !mg_life_begin(store, line, &head)) {
		return;
	}
	kinds[line->kind].act(store, &head, line);
	mg_event_add(store, &head, line);
	if (head.first_line_us == 0 || line->time_us < head.first_line_us)
		head.first_line_us = line->time_us;
	if (line->time_us > head.last_line_us)
		head.last_line_us = line->time_us;
	mg_head_save(store, &head);
}

/* Dovecot knows a message by its Message-ID alone: the youngest transaction with it that was busy lately. */
static void on_mailbox(struct mg_store *store, const struct mg_log_line *line)
{
	enum { CANDIDATES = 8 };
	struct mg_head heads[CANDIDATES], *best = NULL;
	struct mg_bind b = mg_bind(store, MG_STMT_BY_MESSAGE);
	size_t n;

	mg_bind_int(&b, mg_veil_text_key(&store->veil, line->message_id));
	n = mg_head_read(store, &b, heads, CANDIDATES);
	for (size_t i = 0; i < n; i++) {
		int64_t seen = heads[i].last_line_us != 0 ? heads[i].last_line_us : heads[i].end_us;

		if (llabs(line->time_us - seen) <= MG_JOIN_MAILBOX_US && !mg_is_refusal(heads[i].action) &&
			(best == NULL || heads[i].time_us > best->time_us))
			best = &heads[i];
	}
	if (best == NULL)
		return;
	mg_event_add(store, best, line);
	mg_head_save(store, best);
}

void mg_outcome_line(struct mg_store *store, const struct mg_log_line *line)
{
	switch (line->kind) {
	case MG_LINE_CONNECT:
	case MG_LINE_DISCONNECT:
		mg_refusal_end(store, line);
		break;
	case MG_LINE_DOVECOT:
		on_mailbox(store, line);
		break;
	case MG_LINE_POSTSCREEN:
		mg_refusal_line(store, line);
		break;
	case MG_LINE_REJECT:
	case MG_LINE_MILTER:
	case MG_LINE_DISCARD:
		if (line->queue_id.n == 0) {
			mg_refusal_line(store, line);
			break;
		}
		/* fall through */
	default:
		if (line->kind < MG_LINE_KINDS && kinds[line->kind].act != NULL && line->queue_id.n > 0)
			on_queue_id(store, line);
	}
}
