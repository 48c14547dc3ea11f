/* writer.h - the inside of a journal: the bounded queue, and the thread that empties it into the database.
 *
 * Threads: what the lock guards is said below; the lock is never held during SQLite work. */
#ifndef MG_JOURNAL_WRITER_H
#define MG_JOURNAL_WRITER_H

#include <pthread.h>

#include "journal/journal.h"
#include "journal/retention.h"

enum {
	MG_WRITER_BATCH = 1000,        /* entries in one SQLite transaction, a large record counting for several */
	MG_WRITER_LINES = 2500,        /* of the queue's places at most so many for lines: records must not suffer */
	MG_WRITER_PROVISIONAL = 20000, /* beyond, the oldest are shown at once */
};

struct mg_writer_entry {
	int64_t put_us;           /* monotonic */
	struct mg_record *record; /* one of the two */
	struct mg_line_copy *line;
};

struct mg_journal {
	char *path;
	void (*corrected)(void *context, enum mg_action was, enum mg_action is);
	void *context;
	int64_t (*wall_us)(void);
	pthread_t thread;
	bool has_thread, has_lock;

	pthread_mutex_t lock; /* guards all from here to `store` */
	pthread_cond_t work, room, done;
	struct mg_writer_entry queue[MG_JOURNAL_QUEUE]; /* a ring */
	size_t first, count, line_count, waiting_lines;
	size_t batch_count;       /* taken, not yet committed */
	int64_t batch_put_us;     /* of the oldest of them */
	uint64_t put, written;    /* entries ever */
	uint64_t hurry;           /* write without delay until `written` reaches this */
	unsigned asked, answered; /* flushes */
	bool is_closing, is_refusing_lines;
	int64_t close_us; /* monotonic: then the writer gives up */
	struct mg_retention retention;
	struct mg_journal_stats stats;

	struct mg_store store; /* from here on the writer's alone */
	struct mg_writer_entry batch[MG_WRITER_BATCH];
	int64_t next_care_us, next_retention_us; /* monotonic */
	size_t since_care;                       /* entries written since, and the time that took */
	int64_t since_care_us;
	bool has_more_to_delete;
	uint64_t provisional;
};

/* The thread. */
void *mg_writer_main(void *journal);

/* Opens the store; a corrupt file is set aside first. */
MG_MUSTCHECK
enum mg_rc mg_writer_open_store(struct mg_journal *journal, struct mg_err *err);

/* Frees what an entry holds. */
void mg_writer_drop(struct mg_writer_entry *entry);

#endif
