/* join.h - how log lines and the doors' records find each other, whichever comes first.
 *
 * outcome.c sees every line, life.c finds whose it is, delivery.c keeps what became of recipients; verdict.c knows what
 * a refusal, a hold or a discard in the log does to the verdict; refusal.c handles refusals that have no queue id;
 * merge.c puts a record over the row that its lines have made; event.c keeps the lines. The same functions work on a
 * line whether it comes from the log or is played back when its record arrives late: that is why the order makes no
 * difference.
 *
 * Threads: the writer's. */
#ifndef MG_JOURNAL_JOIN_H
#define MG_JOURNAL_JOIN_H

#include "journal/store.h"

enum {
	MG_JOIN_SLACK_US = 2000000,         /* stamps of whole seconds, and clocks read one after the other */
	MG_JOIN_BEFORE_US = 5000000,        /* a record's first line lies at most so far before MAIL */
	MG_JOIN_AFTER_US = 60000000,        /* or so far behind its end */
	MG_JOIN_SESSION_US = 2000000000,    /* no SMTP connection is followed for longer (about half an hour) */
	MG_JOIN_MAILBOX_US = 600 * 1000000, /* Dovecot's line comes that soon */
};

/* outcome.c; delivery.c: one delivery attempt */
void mg_outcome_line(struct mg_store *store, const struct mg_log_line *line);
void mg_outcome_deliver(struct mg_store *store, struct mg_head *head, const struct mg_log_line *line);

/* life.c: finds the life of line->queue_id at its time. */
bool mg_life_find(struct mg_store *store, const struct mg_log_line *line, struct mg_head *head_out);
/* A life begun by the log; hidden and not waiting. */
bool mg_life_begin(struct mg_store *store, const struct mg_log_line *line, struct mg_head *head_out);
/* There is something to show: a log's row begins to wait for its record. */
void mg_life_showable(struct mg_store *store, struct mg_head *head);
/* Makes the life of `child` at the line's time a child of `head`; when there is none yet and `is_sure`, begins it. */
void mg_life_link_child(struct mg_store *store, const struct mg_head *head, const struct mg_log_line *line,
	struct mg_str child, bool is_sure);
void mg_life_link_parent(
	struct mg_store *store, struct mg_head *head, const struct mg_log_line *line, struct mg_str parent);

/* event.c: the lines as they are kept, and back. */
void mg_event_add(struct mg_store *store, struct mg_head *head, const struct mg_log_line *line);
struct mg_event_line {
	struct mg_event_line *next;
	int64_t slot;
	struct mg_log_line line;
};
struct mg_event_line *mg_event_read_verdicts(
	struct mg_store *store, const struct mg_head *head, struct mg_arena *arena);

/* verdict.c: REJECT, POSTSCREEN, MILTER, DISCARD. */
void mg_verdict_line(struct mg_store *store, struct mg_head *head, const struct mg_log_line *line);
enum mg_action mg_verdict_of(const struct mg_log_line *line); /* what the line says; NONE: nothing */
/* A log's row that looked refused turns out to be a message. */
void mg_verdict_accept(struct mg_store *store, struct mg_head *head);

/* refusal.c: refusals without queue id. */
void mg_refusal_line(struct mg_store *store, const struct mg_log_line *line);
void mg_refusal_end(struct mg_store *store, const struct mg_log_line *line); /* the connection begins or ends */
/* Brings the refusals that wait for this door's record into it; true: there were some. */
bool mg_refusal_claim(struct mg_store *store, struct mg_head *head);

/* merge.c */
bool mg_join_find_log_row(struct mg_store *store, const struct mg_record *record, struct mg_head *head_out);
void mg_join_take_over(struct mg_store *store, struct mg_head *head, const struct mg_recipient_row *outcomes);

#endif
