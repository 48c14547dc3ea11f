/* A door's record comes to lines that were read before it: it takes the place of the row they made. Facts are
 * replaced, what became of the recipients is carried over, and what the log said against the verdict is played
 * again. */
#include "journal/join.h"

#include <stdlib.h>

enum { CANDIDATES = 32 };

static bool is_log_row(const struct mg_head *head)
{
	return !(head->life & MG_LIFE_DOOR) && !head->is_refusal && head->first_line_us != 0;
}

/* A row of policy alone with this queue id: either the other half of the same message, whose doors met different workers
 * during an upgrade, or a wrong guess, since policy hears no queue id at RCPT and the log's lines were given to it by
 * process and second. What the milter knows settles both. */
static bool is_settled_by(const struct mg_head *head, const struct mg_record *record)
{
	return record->by_milter && (head->life & MG_LIFE_DOOR) && !head->by_milter && !head->is_refusal &&
	       head->first_line_us != 0;
}

static bool has_accepted(const struct mg_record *record)
{
	for (const struct mg_recipient *r = record->recipients; r != NULL; r = r->next)
		if (!mg_is_refusal(r->verdict))
			return true;
	return false;
}

static const struct mg_head *by_queue_id(struct mg_store *store, const struct mg_record *record, struct mg_head *heads)
{
	struct mg_bind b = mg_bind(store, MG_STMT_BY_QUEUE_ID);
	const struct mg_head *best = NULL;
	size_t n;

	mg_bind_z(&b, record->queue_id);
	n = mg_head_read(store, &b, heads, CANDIDATES);
	for (size_t i = 0; i < n; i++) {
		int64_t first = heads[i].first_line_us;

		if (!(is_log_row(&heads[i]) || is_settled_by(&heads[i], record)) ||
			first < record->time_us - MG_JOIN_BEFORE_US || first > record->end_us + MG_JOIN_AFTER_US)
			continue;
		if (best == NULL || llabs(first - record->time_us) < llabs(best->first_line_us - record->time_us))
			best = &heads[i];
	}
	return best;
}

/* A record without a queue id: the oldest client= line of its smtpd and client within its time, one that lies
 * strictly within before one that only does with slack. */
static const struct mg_head *by_pid(struct mg_store *store, const struct mg_record *record, struct mg_head *heads)
{
	struct mg_bind b = mg_bind(store, MG_STMT_LOG_BY_PID);
	const struct mg_head *best = NULL;
	bool is_best_within = false;
	size_t n;

	mg_bind_int(&b, record->smtpd_pid);
	mg_bind_int(&b, record->time_us - MG_JOIN_SLACK_US);
	mg_bind_int(&b, record->end_us + MG_JOIN_SLACK_US);
	n = mg_head_read(store, &b, heads, CANDIDATES);
	for (size_t i = 0; i < n; i++) { /* newest first */
		int64_t first = heads[i].first_line_us;
		bool is_within = first >= record->time_us && first <= record->end_us;

		if (!is_log_row(&heads[i]) || !(heads[i].life & MG_LIFE_STARTED) ||
			!mg_ip_eq(&heads[i].client_ip, &record->client_ip) || (is_best_within && !is_within))
			continue;
		best = &heads[i];
		is_best_within = is_within;
	}
	return best;
}

bool mg_join_find_log_row(struct mg_store *store, const struct mg_record *record, struct mg_head *head_out)
{
	struct mg_head heads[CANDIDATES];
	const struct mg_head *found = NULL;

	if (record->queue_id[0] != '\0')
		found = by_queue_id(store, record, heads);
	else if (record->smtpd_pid != 0 && has_accepted(record))
		found = by_pid(store, record, heads);
	if (found == NULL)
		return false;
	*head_out = *found;
	return true;
}

/* Gives one outcome to the recipients of that address, or adds it where there is none; `n_out` is where it went. */
static bool carry(struct mg_store *store, struct mg_head *head, const struct mg_recipient_row *outcome, unsigned *n_out)
{
	enum { SAME = 8 };
	struct mg_recipient_row rows[SAME], added = *outcome;
	size_t n = mg_recipient_find(store, head, outcome->address, -1, rows, SAME);
	size_t accepted = 0;

	for (size_t i = 0; i < n; i++)
		accepted += !mg_is_refusal(rows[i].verdict);
	for (size_t i = 0; i < n; i++) {
		if (accepted > 0 && mg_is_refusal(rows[i].verdict))
			continue;
		added.n = *n_out = rows[i].n;
		mg_recipient_deliver(store, head, &added);
	}
	if (n > 0)
		return true;
	if (!mg_recipient_insert(store, head, &added))
		return false;
	*n_out = added.n;
	return true;
}

/* Recipients first, then what they were expanded to, whose owners may have other numbers now. */
static void carry_outcomes(struct mg_store *store, struct mg_head *head, const struct mg_recipient_row *outcomes)
{
	unsigned *moved_to = outcomes == NULL ? NULL : calloc(1U << MG_SLOT_BITS, sizeof *moved_to);

	if (moved_to == NULL)
		return;
	for (const struct mg_recipient_row *r = outcomes; r != NULL; r = r->next) {
		unsigned n = 0;

		if (r->owner < 0 && (!mg_is_refusal(r->verdict) || r->delivery != MG_DELIVERY_UNKNOWN) &&
			carry(store, head, r, &n))
			moved_to[r->n] = n + 1;
	}
	for (const struct mg_recipient_row *r = outcomes; r != NULL; r = r->next) {
		struct mg_recipient_row row = *r;

		if (r->owner < 0 || moved_to[r->owner] == 0)
			continue;
		row.owner = (int)moved_to[r->owner] - 1;
		mg_recipient_insert(store, head, &row);
	}
	free(moved_to);
}

void mg_join_take_over(struct mg_store *store, struct mg_head *head, const struct mg_recipient_row *outcomes)
{
	struct mg_arena arena;

	carry_outcomes(store, head, outcomes);
	mg_arena_init(&arena, MG_RECORD_ARENA);
	for (struct mg_event_line *e = mg_event_read_verdicts(store, head, &arena); e != NULL; e = e->next)
		mg_verdict_line(store, head, &e->line);
	mg_arena_fini(&arena);
}
