/* Refusals that have no queue id. They find the door's record of their transaction by the smtpd process, or where the
 * record does not know that, by client, sender and recipient; else they make a row of their own, one per connection
 * and sender, from which a record that comes later takes what is its own. */
#include "journal/join.h"

enum { NEAR_US = 5000000, CANDIDATES = 64 };

enum knowledge { UNKNOWN, ACCEPTED, REFUSED };

/* What the row says of the line's recipient; a refusal among several of that address wins. */
static enum knowledge of_recipient(struct mg_store *store, const struct mg_head *head, const struct mg_log_line *line)
{
	enum { SAME = 8 };
	struct mg_recipient_row rows[SAME];
	size_t n = line->recipient.n == 0 ? 0 : mg_recipient_find(store, head, line->recipient, -1, rows, SAME);

	for (size_t i = 0; i < n; i++)
		if (mg_is_refusal(rows[i].verdict))
			return REFUSED;
	return n > 0 ? ACCEPTED : UNKNOWN;
}

/* Postfix refused this recipient, and the milter saw it accepted, or not at all: the line is of another session. */
static bool is_contradicted(const struct mg_head *head, const struct mg_log_line *line, enum knowledge knowledge)
{
	return head->by_milter && head->left_out == 0 && line->kind == MG_LINE_REJECT &&
	       mg_str_eq_nocase(line->stage, MG_STR("RCPT")) && knowledge != REFUSED;
}

/* How well a refusal fits a door's transaction; 0 not at all. Between MAIL and the end it is sure; a little outside
 * (the log's seconds have no fraction, clocks are read one after the other) the recipient must be known. */
static int fit(struct mg_store *store, const struct mg_head *head, const struct mg_log_line *line)
{
	int64_t t = line->time_us;
	bool is_known, is_whole = t % 1000000 == 0;
	enum knowledge knowledge;

	if (!mg_ip_eq(&head->client_ip, &line->client_ip))
		return 0;
	if (line->has_sender && mg_veil_address_key(&store->veil, line->sender) != head->sender_key)
		return 0;
	if (t < head->time_us - NEAR_US || t > head->end_us + NEAR_US)
		return 0;
	knowledge = of_recipient(store, head, line);
	if (is_contradicted(head, line, knowledge))
		return 0;
	is_known = knowledge != UNKNOWN;
	if (head->smtpd_pid == 0)
		return is_known ? 1 : 0;
	if (head->smtpd_pid != line->pid)
		return 0;
	if (t >= head->time_us && t <= head->end_us)
		return is_known ? 5 : 4;
	if (t < head->time_us - MG_JOIN_SLACK_US || t > head->end_us + MG_JOIN_SLACK_US)
		return 0;
	if (is_known)
		return 3;
	return is_whole && t < head->time_us && t > head->time_us - 1000000 ? 2 : 0;
}

static void take_best(
	struct mg_store *store, struct mg_bind *b, const struct mg_log_line *line, int *best_fit, struct mg_head *best)
{
	struct mg_head heads[CANDIDATES];
	size_t n = mg_head_read(store, b, heads, CANDIDATES);

	for (size_t i = 0; i < n; i++) {
		int value = (heads[i].life & MG_LIFE_DOOR) ? fit(store, &heads[i], line) : 0;

		if (value > *best_fit) {
			*best_fit = value;
			*best = heads[i];
		}
	}
}

static bool find_door_row(struct mg_store *store, const struct mg_log_line *line, struct mg_head *head_out)
{
	struct mg_bind b;
	int best = 0;

	if (line->kind == MG_LINE_POSTSCREEN)
		return false; /* no smtpd, so no door has seen it */
	if (line->pid != 0) {
		b = mg_bind(store, MG_STMT_BY_PID);
		mg_bind_int(&b, line->pid);
		mg_bind_int(&b, line->time_us - MG_JOIN_SESSION_US);
		mg_bind_int(&b, line->time_us + MG_JOIN_SLACK_US);
		take_best(store, &b, line, &best, head_out);
	}
	if (best > 0)
		return true;
	b = mg_bind(store, MG_STMT_BY_CLIENT);
	mg_bind_ip(&b, &line->client_ip);
	mg_bind_int(&b, line->time_us - MG_JOIN_SESSION_US);
	mg_bind_int(&b, line->time_us + NEAR_US);
	take_best(store, &b, line, &best, head_out);
	return best > 0;
}

/* Rows of refusals from this client that began between the two times, newest first. */
static size_t refusal_rows(struct mg_store *store, const struct mg_ip *client, int64_t from_us, int64_t to_us,
	struct mg_head *heads_out, size_t max)
{
	struct mg_bind b = mg_bind(store, MG_STMT_REFUSALS);

	mg_bind_ip(&b, client);
	mg_bind_int(&b, from_us);
	mg_bind_int(&b, to_us);
	return mg_head_read(store, &b, heads_out, max);
}

static bool is_same_connection(const struct mg_head *head, const struct mg_log_line *line)
{
	return !(head->life & MG_LIFE_CLOSED) && head->smtpd_pid == line->pid &&
	       (head->client_port == line->client_port || head->client_port == 0 || line->client_port == 0);
}

static void join_own_row(struct mg_store *store, const struct mg_log_line *line)
{
	struct mg_head heads[CANDIDATES], head = { .seq = 0 };
	int64_t sender = mg_veil_address_key(&store->veil, line->sender);
	size_t n = refusal_rows(store, &line->client_ip, line->time_us - MG_JOIN_SESSION_US,
		line->time_us + MG_JOIN_SLACK_US, heads, CANDIDATES);

	for (size_t i = 0; i < n && head.seq == 0; i++)
		if (is_same_connection(&heads[i], line) && heads[i].sender_key == sender)
			head = heads[i];
	if (head.seq == 0) {
		head = (struct mg_head){ .is_refusal = true, .life = MG_LIFE_SHOWABLE, .waits_us = store->now_us };
		mg_store_log_row(store, line, &head);
	}
	if (head.seq == 0)
		return;
	mg_verdict_line(store, &head, line);
	mg_event_add(store, &head, line);
	if (line->time_us > head.last_line_us)
		head.last_line_us = line->time_us;
	mg_head_save(store, &head);
}

void mg_refusal_line(struct mg_store *store, const struct mg_log_line *line)
{
	struct mg_head head;

	if (!mg_is_refusal(mg_verdict_of(line)) || mg_str_eq_nocase(line->stage, MG_STR("VRFY")) ||
		mg_str_eq_nocase(line->stage, MG_STR("ETRN")))
		return;
	if (!find_door_row(store, line, &head)) {
		join_own_row(store, line);
		return;
	}
	mg_verdict_line(store, &head, line);
	mg_event_add(store, &head, line);
	mg_head_save(store, &head);
}

void mg_refusal_end(struct mg_store *store, const struct mg_log_line *line)
{
	struct mg_head heads[CANDIDATES];
	size_t n = refusal_rows(store, &line->client_ip, line->time_us - MG_JOIN_SESSION_US,
		line->time_us + MG_JOIN_SLACK_US, heads, CANDIDATES);

	for (size_t i = 0; i < n; i++) {
		if (!is_same_connection(&heads[i], line))
			continue;
		heads[i].life |= MG_LIFE_CLOSED;
		mg_head_save(store, &heads[i]);
	}
}

static void move_event(
	struct mg_store *store, struct mg_head *head, struct mg_head *from, const struct mg_event_line *event)
{
	struct mg_bind b;
	struct mg_recipient_row row;

	if (head->lines++ < MG_EVENTS_MAX) {
		b = mg_bind(store, MG_STMT_MOVE_EVENT);
		mg_bind_int(&b, mg_event_slot(head->seq, head->lines - 1));
		mg_bind_int(&b, event->slot);
		mg_store_run(store, &b);
	}
	if (event->line.recipient.n > 0 && mg_recipient_find(store, from, event->line.recipient, -1, &row, 1) > 0) {
		b = mg_bind(store, MG_STMT_DROP_RECIPIENT);
		mg_bind_int(&b, mg_slot(from->seq, row.n));
		mg_store_run(store, &b);
	}
}

static bool claim_from(struct mg_store *store, struct mg_head *head, struct mg_head *from)
{
	struct mg_arena arena;
	size_t left = 0, taken = 0;

	mg_arena_init(&arena, MG_RECORD_ARENA);
	for (struct mg_event_line *e = mg_event_read_verdicts(store, from, &arena); e != NULL; e = e->next) {
		e->line.client_ip = from->client_ip;
		if (e->line.kind == MG_LINE_POSTSCREEN || fit(store, head, &e->line) == 0) {
			left++;
			continue;
		}
		taken++;
		mg_verdict_line(store, head, &e->line);
		move_event(store, head, from, e);
	}
	mg_arena_fini(&arena);
	if (taken > 0 && left == 0)
		mg_head_drop(store, from);
	return taken > 0;
}

bool mg_refusal_claim(struct mg_store *store, struct mg_head *head)
{
	struct mg_head heads[CANDIDATES];
	size_t n = refusal_rows(
		store, &head->client_ip, head->time_us - MG_JOIN_SESSION_US, head->end_us + NEAR_US, heads, CANDIDATES);
	bool has_taken = false;

	for (size_t i = n; i > 0; i--) /* the oldest first, as the log told them */
		if (heads[i - 1].last_line_us >= head->time_us - NEAR_US)
			has_taken |= claim_from(store, head, &heads[i - 1]);
	return has_taken;
}
