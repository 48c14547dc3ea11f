/* journal.h - the record of every transaction, kept in SQLite, and its join with the mail log.
 *
 * Writing: one writer thread behind a bounded queue. The doors hand over records and never wait: when the queue is
 * full the record is dropped and counted. The log reader hands over lines and does wait: the log can be read again.
 * A batch (records, lines, the log's position) is one SQLite transaction, so a line counts exactly once even over
 * kill -9. When SQLite fails (disk full, locked) the batch is kept and tried again every second; a corrupt file is
 * set aside as PATH.corrupt-EPOCH and a new one begun. Mail never notices.
 *
 * The join: a line with a queue id belongs to the transaction that holds that id *at that time* (short ids are
 * reused: an id's life begins with client=/uid= or our own record and ends with `removed`). A line without its record
 * makes a provisional one, hidden until MG_JOURNAL_WAIT_S have passed (MG_JOURNAL_ENDED_S once qmgr has it: the doors are done with it), then shown
 * with rule "log-only"; a record of the doors that comes for it meanwhile, or later, takes its place and keeps what
 * the log said. NOQUEUE refusals are matched to the refused recipients of the doors' records (by smtpd pid where
 * known, else client address, sender, recipient and time) or make a record with rule "postfix:<dsn>". Notifications
 * and re-injected mail point to their parent.
 *
 * Threads: open/close from the owner's; put/take from any; stats from any. Opened after fork, never before. */
#ifndef MG_JOURNAL_JOURNAL_H
#define MG_JOURNAL_JOURNAL_H

#include "journal/record.h"
#include "postfix/log_reader.h"

enum {
	MG_JOURNAL_QUEUE = 10000,  /* records and lines that may wait for the writer */
	MG_JOURNAL_WAIT_S = 30,    /* how long a line waits for its record */
	MG_JOURNAL_ENDED_S = 5,    /* the same once the log has shown the end of the message's reception */
	MG_JOURNAL_BATCH_MS = 100, /* a batch is written at least this often */
};

struct mg_journal_options {
	const char *path;   /* borrowed for the call */
	unsigned keep_days; /* 1..3650 */
	unsigned max_mb;    /* 16..1048576: database and WAL together stay below */
	bool pseudonymize;  /* local parts and logins are stored as keyed hashes */
	/* Called on the writer's thread when the log shows that the client got another answer than the record said
	 * (another milter or Postfix itself refused after us). May be NULL. */
	void (*corrected)(void *context, enum mg_action was, enum mg_action is);
	void *context;
	int64_t (*wall_us)(void); /* the wall clock; NULL: mg_wall_us (tests bring their own) */
};

struct mg_journal_stats {
	uint64_t records, lines;  /* written since open */
	uint64_t dropped;         /* records that found the queue full */
	uint64_t queued;          /* waiting now */
	int64_t lag_ms;           /* age of the oldest waiting */
	uint64_t bytes;           /* database and WAL on disk */
	uint64_t provisional;     /* lines' records still waiting for the doors' */
	uint64_t failures;        /* batches that failed since open */
	int64_t failing_since_us; /* wall; 0: writing works */
	char trouble[256];        /* the last failure, "" when writing works */
	char set_aside[256];      /* path of the corrupt file set aside by this process, or "" */
};

struct mg_journal;

/* Opens or makes the database (mode 0640, its directory must exist), checks it (quick_check), migrates the schema,
 * starts the writer. A database of a newer schema is refused with what to do. */
MG_MUSTCHECK
enum mg_rc mg_journal_open(
	const struct mg_journal_options *options, struct mg_journal **journal_out, struct mg_err *err);

/* Writes what is queued (at most `timeout_ms`), stops the writer, frees. NULL in *journal is fine. Returns how many
 * records could not be written. */
size_t mg_journal_close(struct mg_journal **journal, int timeout_ms);

/* Takes the record (freed by the journal in any case). False: the queue was full; counted. Never blocks. */
bool mg_journal_put(struct mg_journal *journal, struct mg_record *record_take);

/* A log line (NULL: only the position) with the position behind it; waits for room. False: closing. Fits mg_log_sink.take
 * with the journal as context. */
bool mg_journal_take_line(void *journal, const struct mg_log_line *line, const struct mg_log_position *position);

/* From now on mg_journal_take_line() returns false at once, also where it is waiting: the reader is about to stop. */
void mg_journal_refuse_lines(struct mg_journal *journal, bool on);

/* The stored position of `source`; false when there is none. */
bool mg_journal_position(struct mg_journal *journal, const char *source, struct mg_log_position *position_out);

/* Changes what a reload may change. */
void mg_journal_set_retention(struct mg_journal *journal, unsigned keep_days, unsigned max_mb);

/* Waits until everything put before the call is written, at most `timeout_ms`. For tests and the hand-over. */
bool mg_journal_flush(struct mg_journal *journal, int timeout_ms);

void mg_journal_stats(struct mg_journal *journal, struct mg_journal_stats *stats_out);

#endif
