/* store.h - the journal's database as its writer sees it: the connection, the statements, and the head of a
 * transaction's row that the join works on.
 *
 * Failures stick: the first SQLite error of a batch stays in `rc`, everything after it does nothing, and whoever
 * commits looks at it once. What is wrong with a single entry (a value too big) only skips that statement.
 *
 * Rows are addressed so that no index is needed to find what belongs together: recipient n of transaction s has the
 * rowid s * 2^14 + n, its event n the rowid s * 2^11 + n.
 *
 * Threads: one owner (the writer). */
#ifndef MG_JOURNAL_STORE_H
#define MG_JOURNAL_STORE_H

#include <sqlite3.h>

#include "journal/line_copy.h"
#include "journal/record.h"
#include "journal/veil.h"

enum {
	MG_SCHEMA_VERSION = 3,
	MG_SLOT_BITS = 14,   /* recipients of a transaction, those added from the log included */
	MG_EVENT_BITS = 11,  /* events of a transaction */
	MG_EVENTS_MAX = 2000 /* kept per transaction */
};

/* txn.life: what the log has shown of a queue id's life. Stored: never renumber. */
enum {
	MG_LIFE_DOOR = 1,      /* a door's record is in the row */
	MG_LIFE_STARTED = 2,   /* client= or uid= seen */
	MG_LIFE_CLOSED = 4,    /* `removed` seen; a refusal's connection has ended */
	MG_LIFE_HELD = 8,      /* in the hold queue */
	MG_LIFE_PROBE = 16,    /* an address verification probe: never shown */
	MG_LIFE_QUEUED = 32,   /* qmgr took it: there is a message */
	MG_LIFE_SHOWABLE = 64, /* the log has shown something worth a row of its own */
	MG_LIFE_NAMED = 128    /* the row has a queue id */
};

/* event.kind. Stored: never renumber. */
enum mg_event {
	MG_EVENT_NONE,
	MG_EVENT_CLIENT,
	MG_EVENT_PICKUP,
	MG_EVENT_MESSAGE_ID,
	MG_EVENT_QUEUED,
	MG_EVENT_DELIVERY,
	MG_EVENT_EXPIRED,
	MG_EVENT_REMOVED,
	MG_EVENT_NOTICE,
	MG_EVENT_REJECT,
	MG_EVENT_MILTER,
	MG_EVENT_HOLD,
	MG_EVENT_RELEASE,
	MG_EVENT_DISCARD,
	MG_EVENT_POSTSCREEN,
	MG_EVENT_DOVECOT,
	MG_EVENTS,
};

enum mg_stmt {
	MG_STMT_BEGIN,
	MG_STMT_COMMIT,
	MG_STMT_ROLLBACK,
	MG_STMT_POSITION,
	MG_STMT_INSERT,
	MG_STMT_OVERLAY,
	MG_STMT_SAVE,
	MG_STMT_WAIT,
	MG_STMT_SHOW,
	MG_STMT_VERDICT,
	MG_STMT_QUEUE_ID,
	MG_STMT_SERVICE,
	MG_STMT_CLIENT,
	MG_STMT_SIZE,
	MG_STMT_FACTS,
	MG_STMT_MESSAGE_ID,
	MG_STMT_PARENT,
	MG_STMT_DROP,
	MG_STMT_BY_SEQ,
	MG_STMT_BY_QUEUE_ID,
	MG_STMT_BY_PID,
	MG_STMT_LOG_BY_PID, /* only rows that lines made and no record has come for */
	MG_STMT_UNNAMED,
	MG_STMT_BY_CLIENT,
	MG_STMT_BY_MESSAGE,
	MG_STMT_REFUSALS,
	MG_STMT_PROMOTE,
	MG_STMT_WAITING_COUNT,
	MG_STMT_ADD_RECIPIENT,
	MG_STMT_FIND_RECIPIENT,
	MG_STMT_READ_RECIPIENTS,
	MG_STMT_DROP_RECIPIENTS,
	MG_STMT_DROP_RECIPIENT,
	MG_STMT_REFUSE,
	MG_STMT_REFUSE_ALL,
	MG_STMT_ANY_ACCEPTED,
	MG_STMT_ANY_REJECTED,
	MG_STMT_DELIVER,
	MG_STMT_HOLD_ALL,
	MG_STMT_EXPIRE_ALL,
	MG_STMT_ADD_EVENT,
	MG_STMT_READ_EVENTS,
	MG_STMT_MOVE_EVENT,
	MG_STMT_DROP_EVENTS,
	MG_STMT_OLDEST,
	MG_STMT_SHOW_OLDEST,
	MG_STMT_PAGES,
	MG_STMTS,
};

/* The part of a row that the join decides on. */
struct mg_head {
	int64_t seq; /* 0: none */
	unsigned life;
	int64_t time_us, end_us;
	int64_t first_line_us, last_line_us; /* by the log's time; 0: no line yet */
	int64_t waits_us;                    /* wall: hidden since then, until the wait is over; 0: not waiting */
	bool is_shown;
	unsigned lines;           /* seen; at most MG_EVENTS_MAX of them are kept as events */
	unsigned recipient_count; /* rows */
	unsigned left_out;
	enum mg_action action;
	unsigned smtpd_pid, client_port;
	int64_t sender_key, message_key;
	uint64_t size_bytes;
	int64_t parent;
	bool is_refusal; /* made of NOQUEUE refusals */
	bool by_milter;  /* the milter has seen every RCPT and what Postfix answered */
	bool is_unfinished; /* the client went away before a final answer (rule "client:..."): any word of Postfix counts */
	struct mg_ip client_ip;
};

struct mg_correction {
	enum mg_action was, is;
};

struct mg_store {
	sqlite3 *db;
	sqlite3_stmt *stmt[MG_STMTS];
	struct mg_veil veil;
	int rc;         /* SQLITE_OK, or the batch's first failure */
	int64_t now_us; /* wall, of the batch */
	unsigned serial;
	uint64_t inode;                    /* of the file behind `db` */
	struct mg_cache *cache;            /* see cache.h */
	struct mg_correction *corrections; /* of the batch, told after its commit */
	size_t correction_count, correction_room;
};

/* schema.c: opens or makes the file, checks it for at most `check_ms`, brings the schema up to date, prepares. On
 * failure *is_corrupt_out says whether the file itself is the trouble. */
MG_MUSTCHECK
enum mg_rc mg_store_open(
	struct mg_store *store, const char *path, int check_ms, bool *is_corrupt_out, struct mg_err *err);
void mg_store_close(struct mg_store *store);

/* The key of the veil from the database. */
bool mg_store_read_key(sqlite3 *db, struct mg_veil *veil);

/* A statement being given its values, in the order of its ?. */
struct mg_bind {
	sqlite3_stmt *stmt;
	int at;
};
struct mg_bind mg_bind(struct mg_store *store, enum mg_stmt which);
void mg_bind_int(struct mg_bind *bind, int64_t value);
void mg_bind_text(struct mg_bind *bind, struct mg_str text); /* borrowed until the statement has run; NULL for "" */
void mg_bind_z(struct mg_bind *bind, const char *text);      /* the same, but "" stays "" */
void mg_bind_ip(struct mg_bind *bind, const struct mg_ip *ip);

/* Runs to the end; false: failed. mg_store_step() stops at a row (true); the statement must be ended then. */
bool mg_store_run(struct mg_store *store, struct mg_bind *bind);
bool mg_store_step(struct mg_store *store, struct mg_bind *bind);
void mg_store_end(struct mg_bind *bind);

/* Addresses in the database: family byte and address bytes, so that they sort by network. */
enum { MG_IP_BLOB = 17 };
size_t mg_ip_to_blob(const struct mg_ip *ip, unsigned char blob[MG_IP_BLOB]);
void mg_ip_from_blob(const void *blob, size_t size, struct mg_ip *ip_out);

struct mg_str mg_column_text(sqlite3_stmt *stmt, int column); /* until the statement moves on */

/* store.c: a record or a log line becomes a row. */
void mg_store_record(struct mg_store *store, struct mg_record *record);
void mg_store_position(struct mg_store *store, const struct mg_line_copy *copy);
/* Inserts the row; `head` tells life, lines, waiting, and gets seq and what the record says. */
void mg_store_insert(
	struct mg_store *store, const struct mg_record *record, struct mg_str service, struct mg_head *head);
/* Puts the record's facts over the row of the log. */
void mg_store_overlay(struct mg_store *store, const struct mg_record *record, struct mg_head *head);
/* A row of what a line tells; seq 0 when memory is out. */
void mg_store_log_row(struct mg_store *store, const struct mg_log_line *line, struct mg_head *head_out);

/* One row of recipients. */
struct mg_recipient_row {
	struct mg_recipient_row *next;
	unsigned n;
	struct mg_str address;
	int owner;      /* n of the recipient that this one was expanded from; -1: none */
	uint64_t tally; /* of an owner: how many of its expansions are deferred, expired, bounced, sent; 16 bits each */
	enum mg_action verdict;
	enum mg_delivery delivery;
	struct mg_str code, dsn, reply, relay;
	int64_t rcpt_us, last_us;
	struct mg_str rule, asked; /* the record's */
};
/* Gives it the next n; false: the transaction is full. */
bool mg_recipient_insert(struct mg_store *store, struct mg_head *head, struct mg_recipient_row *row);
void mg_recipient_deliver(struct mg_store *store, const struct mg_head *head, const struct mg_recipient_row *row);
/* Those with this address, at most `max`; `owner` as above. Texts other than the address are left empty. */
size_t mg_recipient_find(struct mg_store *store, const struct mg_head *head, struct mg_str address, int owner,
	struct mg_recipient_row *rows_out, size_t max);
/* All, in order, in the arena. */
struct mg_recipient_row *mg_recipient_read_all(
	struct mg_store *store, const struct mg_head *head, struct mg_arena *arena);
void mg_recipient_drop_all(struct mg_store *store, struct mg_head *head);

static inline bool mg_is_refusal(enum mg_action action)
{
	return action == MG_ACTION_REJECT || action == MG_ACTION_TEMPFAIL;
}

/* Heads. mg_head_next() is for the statements that select heads. */
size_t mg_head_read(struct mg_store *store, struct mg_bind *bind, struct mg_head *heads_out, size_t max);
bool mg_head_next(struct mg_store *store, struct mg_bind *bind, struct mg_head *head_out);
void mg_head_save(struct mg_store *store, const struct mg_head *head);  /* with the batch */
void mg_head_write(struct mg_store *store, const struct mg_head *head); /* now */
void mg_head_wait(struct mg_store *store, struct mg_head *head, int64_t waits_us);
void mg_head_drop(struct mg_store *store, const struct mg_head *head); /* the row and all that hangs on it */

static inline int64_t mg_slot(int64_t seq, unsigned n)
{
	return (int64_t)((uint64_t)seq << MG_SLOT_BITS) + n;
}

static inline int64_t mg_event_slot(int64_t seq, unsigned n)
{
	return (int64_t)((uint64_t)seq << MG_EVENT_BITS) + n;
}

#endif
