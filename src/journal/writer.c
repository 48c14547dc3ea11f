/* The writer takes what is queued, in order, writes it in one transaction, and tells those who wait. What fails is
 * tried again every second with the same entries; nothing of a batch counts before its commit. */
#include "journal/writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "journal/cache.h"
#include "journal/join.h"

enum { CHECK_MS = 1000, RETRY_MS = 1000, CARE_MS = 1000, CARE_ENTRIES = 1000, RETENTION_MS = 10000, SLICE_MS = 50 };

void mg_writer_drop(struct mg_writer_entry *entry)
{
	mg_record_free(&entry->record);
	free(entry->line);
	entry->line = NULL;
}

static void rename_part(const char *path, const char *aside, const char *suffix)
{
	char from[4096], to[4096];

	snprintf(from, sizeof from, "%s%s", path, suffix);
	snprintf(to, sizeof to, "%s%s", aside, suffix);
	if (rename(from, to) != 0 && errno != ENOENT)
		mg_log(MG_LOG_ERROR, "journal-trouble: what=\"can't set aside\", file=\"%s\"", from);
}

/* The damaged file keeps its WAL beside it, for whoever wants to save something. */
static void set_aside(struct mg_journal *journal)
{
	char aside[sizeof journal->stats.set_aside];

	snprintf(aside, sizeof aside, "%s.corrupt-%lld", journal->path, (long long)(mg_wall_us() / MG_S_US));
	rename_part(journal->path, aside, "");
	rename_part(journal->path, aside, "-wal");
	rename_part(journal->path, aside, "-shm");
	pthread_mutex_lock(&journal->lock);
	mg_str_copy(journal->stats.set_aside, sizeof journal->stats.set_aside, mg_str_z(aside));
	pthread_mutex_unlock(&journal->lock);
	mg_log(MG_LOG_ERROR, "journal-corrupt: set_aside=\"%s\"", aside);
}

enum mg_rc mg_writer_open_store(struct mg_journal *journal, struct mg_err *err)
{
	bool is_corrupt;
	enum mg_rc rc = mg_store_open(&journal->store, journal->path, CHECK_MS, &is_corrupt, err);

	if (rc == MG_OK || !is_corrupt)
		return rc;
	set_aside(journal);
	return mg_store_open(&journal->store, journal->path, 0, &is_corrupt, err);
}

/* Keeps the trouble for stats; the first time it is logged. */
static void tell_failure(struct mg_journal *journal, const char *text)
{
	bool is_first;

	pthread_mutex_lock(&journal->lock);
	journal->stats.failures++;
	is_first = journal->stats.failing_since_us == 0;
	if (is_first)
		journal->stats.failing_since_us = journal->wall_us();
	mg_str_copy(journal->stats.trouble, sizeof journal->stats.trouble, mg_str_z(text));
	pthread_mutex_unlock(&journal->lock);
	if (is_first)
		mg_log(MG_LOG_ERROR, "journal-failing: why=\"%s\"", text);
}

static void tell_success(struct mg_journal *journal)
{
	bool was_failing;

	pthread_mutex_lock(&journal->lock);
	was_failing = journal->stats.failing_since_us != 0;
	journal->stats.failing_since_us = 0;
	journal->stats.trouble[0] = '\0';
	pthread_mutex_unlock(&journal->lock);
	if (was_failing)
		mg_log(MG_LOG_NOTICE, "journal-writing-again: path=\"%s\"", journal->path);
}

/* After a failure: back to before the batch; what is wrong with the file or the connection is mended here. */
static void recover(struct mg_journal *journal)
{
	struct mg_store *store = &journal->store;
	int class = store->rc & 0xff;
	char text[256];

	snprintf(text, sizeof text, "%s: %s", sqlite3_errstr(store->rc), sqlite3_errmsg(store->db));
	tell_failure(journal, text);
	store->correction_count = 0;
	mg_cache_clear(store);
	if (!sqlite3_get_autocommit(store->db))
		sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	store->rc = SQLITE_OK;
	if (class == SQLITE_BUSY || class == SQLITE_LOCKED || class == SQLITE_FULL)
		return;
	mg_store_close(store); /* opened again by the next attempt */
	if (class == SQLITE_CORRUPT || class == SQLITE_NOTADB)
		set_aside(journal);
}

static bool is_open(struct mg_journal *journal)
{
	struct mg_err err = { "" };

	if (journal->store.db != NULL)
		return true;
	if (mg_writer_open_store(journal, &err) == MG_OK)
		return true;
	tell_failure(journal, err.text);
	return false;
}

static void run_plain(struct mg_store *store, enum mg_stmt which)
{
	struct mg_bind b = mg_bind(store, which);

	mg_store_run(store, &b);
}

static void write_line(struct mg_store *store, struct mg_line_copy *copy)
{
	struct mg_log_line line = copy->line;
	struct mg_arena arena;

	mg_arena_init(&arena, MG_RECORD_ARENA);
	mg_veil_line(&store->veil, &line, &arena);
	mg_outcome_line(store, &line);
	mg_arena_fini(&arena);
}

static bool is_same_source(const struct mg_line_copy *a, const struct mg_line_copy *b)
{
	return a == NULL || strcmp(a->source, b->source) == 0;
}

static void write_lines(struct mg_journal *journal, size_t count)
{
	struct mg_store *store = &journal->store;
	const struct mg_line_copy *position = NULL;

	for (size_t i = 0; i < count && store->rc == SQLITE_OK; i++) {
		struct mg_line_copy *line = journal->batch[i].line;

		if (line == NULL)
			continue;
		if (line->has_line)
			write_line(store, line);
		if (line->has_position && !is_same_source(position, line))
			mg_store_position(store, position);
		if (line->has_position)
			position = line;
	}
	if (position != NULL)
		mg_store_position(store, position);
}

/* The order of records and lines makes no difference to the result, but records first is less work. */
static bool write_batch(struct mg_journal *journal, size_t count)
{
	struct mg_store *store = &journal->store;
	int64_t begun_us = mg_mono_us();

	store->now_us = journal->wall_us();
	run_plain(store, MG_STMT_BEGIN);
	for (size_t i = 0; i < count && store->rc == SQLITE_OK; i++)
		if (journal->batch[i].record != NULL)
			mg_store_record(store, journal->batch[i].record);
	write_lines(journal, count);
	mg_cache_flush(store);
	run_plain(store, MG_STMT_COMMIT);
	journal->since_care_us += mg_mono_us() - begun_us;
	if (store->rc != SQLITE_OK) {
		recover(journal);
		return false;
	}
	return true;
}

/* Tells the corrections, frees the batch, counts it. */
static void finish_batch(struct mg_journal *journal, size_t count)
{
	uint64_t records = 0, lines = 0;

	for (size_t i = 0; i < journal->store.correction_count; i++)
		if (journal->corrected != NULL)
			journal->corrected(
				journal->context, journal->store.corrections[i].was, journal->store.corrections[i].is);
	journal->store.correction_count = 0;
	for (size_t i = 0; i < count; i++) {
		records += journal->batch[i].record != NULL;
		lines += journal->batch[i].line != NULL && journal->batch[i].line->has_line;
		mg_writer_drop(&journal->batch[i]);
	}
	pthread_mutex_lock(&journal->lock);
	journal->stats.records += records;
	journal->stats.lines += lines;
	journal->written += count;
	journal->batch_count = 0;
	pthread_mutex_unlock(&journal->lock);
}

/* Waits on `work` until the monotonic time; the lock is held. False: the time has come. */
static bool wait_until(struct mg_journal *journal, int64_t until_us)
{
	struct timespec until = { until_us / MG_S_US, until_us % MG_S_US * 1000 };

	return pthread_cond_timedwait(&journal->work, &journal->lock, &until) != ETIMEDOUT;
}

static bool is_hurried(const struct mg_journal *journal)
{
	return journal->is_closing || journal->asked != journal->answered || journal->written < journal->hurry;
}

static size_t weight_of(const struct mg_writer_entry *entry)
{
	return entry->record == NULL ? 1 : 1 + entry->record->recipient_count / 8;
}

/* Moves entries from the queue into the batch; the lock is held. */
static size_t take_entries(struct mg_journal *journal)
{
	size_t n = 0, weight = 0;

	while (journal->count > 0 && n < MG_WRITER_BATCH && weight < MG_WRITER_BATCH) {
		struct mg_writer_entry *entry = &journal->queue[journal->first];

		weight += weight_of(entry);
		journal->line_count -= entry->line != NULL;
		journal->batch[n++] = *entry;
		journal->first = (journal->first + 1) % MG_JOURNAL_QUEUE;
		journal->count--;
	}
	journal->batch_count = n;
	if (n > 0)
		journal->batch_put_us = journal->batch[0].put_us;
	if (journal->waiting_lines > 0)
		pthread_cond_broadcast(&journal->room);
	return n;
}

/* Waits for a batch to fill, or its time, or something else to do. */
static size_t wait_for_batch(struct mg_journal *journal, unsigned *asked_out)
{
	size_t n;

	pthread_mutex_lock(&journal->lock);
	while (!is_hurried(journal) && !journal->has_more_to_delete) {
		int64_t until_us = journal->count > 0
					   ? journal->queue[journal->first].put_us + MG_JOURNAL_BATCH_MS * MG_MS_US
					   : journal->next_care_us;

		if (journal->count >= MG_WRITER_BATCH || mg_mono_us() >= until_us || !wait_until(journal, until_us))
			break;
	}
	*asked_out = journal->asked;
	n = take_entries(journal);
	pthread_mutex_unlock(&journal->lock);
	return n;
}

/* Before another attempt; false: the journal closes and its time is over. */
static bool wait_for_retry(struct mg_journal *journal)
{
	int64_t until_us = mg_mono_us() + RETRY_MS * MG_MS_US;
	bool goes_on;

	pthread_mutex_lock(&journal->lock);
	while (mg_mono_us() < until_us && !(journal->is_closing && mg_mono_us() >= journal->close_us))
		wait_until(journal, journal->is_closing && journal->close_us < until_us ? journal->close_us : until_us);
	goes_on = !(journal->is_closing && mg_mono_us() >= journal->close_us);
	pthread_mutex_unlock(&journal->lock);
	return goes_on;
}

static void promote(struct mg_journal *journal)
{
	struct mg_store *store = &journal->store;
	struct mg_bind b = mg_bind(store, MG_STMT_PROMOTE);

	mg_bind_int(&b, store->now_us - MG_JOURNAL_WAIT_S * MG_S_US);
	mg_bind_int(&b, store->now_us - MG_JOURNAL_ENDED_S * MG_S_US);
	mg_store_run(store, &b);
	b = mg_bind(store, MG_STMT_WAITING_COUNT);
	if (mg_store_step(store, &b))
		journal->provisional = (uint64_t)sqlite3_column_int64(b.stmt, 0);
	mg_store_end(&b);
	if (journal->provisional <= MG_WRITER_PROVISIONAL)
		return;
	b = mg_bind(store, MG_STMT_SHOW_OLDEST);
	mg_bind_int(&b, (int64_t)journal->provisional - MG_WRITER_PROVISIONAL);
	mg_store_run(store, &b);
	journal->provisional = MG_WRITER_PROVISIONAL;
}

/* A file that was moved or deleted under us would swallow everything silently. */
static bool is_file_ours(const struct mg_journal *journal)
{
	struct stat st;

	return stat(journal->path, &st) == 0 && (uint64_t)st.st_ino == journal->store.inode;
}

/* What is done between batches: waiting rows, retention, figures. */
static void take_care(struct mg_journal *journal, bool is_now)
{
	struct mg_store *store = &journal->store;
	struct mg_retention retention;
	int64_t now_us = mg_mono_us(), budget_us;

	if (!is_now && now_us < journal->next_care_us && journal->since_care < CARE_ENTRIES &&
		!journal->has_more_to_delete)
		return;
	/* Deleting costs about what writing did: whatever the machine's pace, it must keep up. */
	budget_us = (is_now ? 10 : 1) * SLICE_MS * MG_MS_US + 4 * journal->since_care_us;
	journal->since_care = 0;
	journal->since_care_us = 0;
	journal->next_care_us = now_us + CARE_MS * MG_MS_US;
	if (store->db != NULL && !is_file_ours(journal)) {
		mg_log(MG_LOG_ERROR, "journal-gone: path=\"%s\"", journal->path);
		mg_store_close(store);
	}
	if (!is_open(journal))
		return;
	store->now_us = journal->wall_us();
	promote(journal);
	pthread_mutex_lock(&journal->lock);
	retention = journal->retention;
	pthread_mutex_unlock(&journal->lock);
	if (is_now || journal->has_more_to_delete || now_us >= journal->next_retention_us ||
		mg_retention_bytes(journal->path) > retention.max_mb * (uint64_t)(256 * 1024)) {
		journal->has_more_to_delete = mg_retention_run(store, journal->path, &retention, budget_us);
		journal->next_retention_us = now_us + RETENTION_MS * MG_MS_US;
	}
	if (store->rc != SQLITE_OK) {
		journal->has_more_to_delete = false;
		recover(journal);
	} else {
		tell_success(journal);
	}
	pthread_mutex_lock(&journal->lock);
	journal->stats.provisional = journal->provisional;
	journal->stats.bytes = mg_retention_bytes(journal->path);
	pthread_mutex_unlock(&journal->lock);
}

static void answer(struct mg_journal *journal, unsigned asked)
{
	pthread_mutex_lock(&journal->lock);
	journal->answered = asked;
	pthread_cond_broadcast(&journal->done);
	pthread_mutex_unlock(&journal->lock);
}

/* Whether somebody waits for a flush of which all is written now. */
static bool is_asked(struct mg_journal *journal, unsigned asked)
{
	bool yes;

	pthread_mutex_lock(&journal->lock);
	yes = asked != journal->answered && journal->written >= journal->hurry;
	pthread_mutex_unlock(&journal->lock);
	return yes;
}

/* True while there is, or may come, something to write. */
static bool goes_on(struct mg_journal *journal)
{
	bool yes;

	pthread_mutex_lock(&journal->lock);
	yes = !journal->is_closing || (journal->count > 0 && mg_mono_us() < journal->close_us);
	pthread_mutex_unlock(&journal->lock);
	return yes;
}

void *mg_writer_main(void *context)
{
	struct mg_journal *journal = context;

	pthread_setname_np(pthread_self(), "mg-journal");
	while (goes_on(journal)) {
		bool must_answer;
		unsigned asked;
		size_t n = wait_for_batch(journal, &asked);

		while (n > 0 && !(is_open(journal) && write_batch(journal, n)))
			if (!wait_for_retry(journal))
				return NULL; /* the batch is counted by who closes */
		if (n > 0) {
			finish_batch(journal, n);
			tell_success(journal);
		}
		journal->since_care += n;
		must_answer = is_asked(journal, asked);
		take_care(journal, must_answer);
		if (must_answer)
			answer(journal, asked);
	}
	return NULL;
}
