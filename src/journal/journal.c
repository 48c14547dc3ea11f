/* The outside of the journal: the queue's ends that other threads use. */
#include "journal/journal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "journal/cache.h"
#include "journal/writer.h"

static enum mg_rc check_options(const struct mg_journal_options *options, struct mg_err *err)
{
	if (options->keep_days < 1 || options->keep_days > 3650)
		return mg_err_set(err, MG_ERANGE, "journal.keep_days must lie between 1 and 3650");
	if (options->max_mb < 16 || options->max_mb > 1048576)
		return mg_err_set(err, MG_ERANGE, "journal.max_mb must lie between 16 and 1048576");
	return MG_OK;
}

static bool init_lock(struct mg_journal *journal)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	journal->has_lock = pthread_mutex_init(&journal->lock, NULL) == 0;
	if (journal->has_lock &&
		(pthread_cond_init(&journal->work, &attr) != 0 || pthread_cond_init(&journal->room, &attr) != 0 ||
			pthread_cond_init(&journal->done, &attr) != 0))
		mg_bug("condition variables", __FILE__, __LINE__);
	pthread_condattr_destroy(&attr);
	return journal->has_lock;
}

static enum mg_rc start_writer(struct mg_journal *journal, struct mg_err *err)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the main thread */
	rc = pthread_create(&journal->thread, NULL, mg_writer_main, journal);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0)
		return mg_err_sys(err, MG_ENOMEM, rc, "can't start the journal's writer");
	journal->has_thread = true;
	return MG_OK;
}

enum mg_rc mg_journal_open(
	const struct mg_journal_options *options, struct mg_journal **journal_out, struct mg_err *err)
{
	struct mg_journal *journal;
	enum mg_rc rc = check_options(options, err);

	if (rc != MG_OK)
		return rc;
	journal = calloc(1, sizeof *journal);
	if (journal == NULL || (journal->path = mg_str_dup(mg_str_z(options->path))) == NULL ||
		(journal->store.cache = calloc(1, sizeof *journal->store.cache)) == NULL || !init_lock(journal)) {
		mg_journal_close(&journal, 0);
		return mg_err_set(err, MG_ENOMEM, "no memory for the journal");
	}
	journal->corrected = options->corrected;
	journal->context = options->context;
	journal->wall_us = options->wall_us != NULL ? options->wall_us : mg_wall_us;
	journal->retention = (struct mg_retention){ options->keep_days, options->max_mb };
	journal->store.veil.is_on = options->pseudonymize;
	if ((rc = mg_writer_open_store(journal, err)) != MG_OK || (rc = start_writer(journal, err)) != MG_OK) {
		mg_journal_close(&journal, 0);
		return rc;
	}
	*journal_out = journal;
	return MG_OK;
}

static void stop_writer(struct mg_journal *journal, int timeout_ms)
{
	pthread_mutex_lock(&journal->lock);
	journal->is_closing = true;
	journal->close_us = mg_mono_us() + timeout_ms * MG_MS_US;
	pthread_cond_broadcast(&journal->work);
	pthread_cond_broadcast(&journal->room);
	while (journal->waiting_lines > 0)
		pthread_cond_wait(&journal->done, &journal->lock);
	pthread_mutex_unlock(&journal->lock);
	if (journal->has_thread)
		pthread_join(journal->thread, NULL);
}

size_t mg_journal_close(struct mg_journal **journal_at, int timeout_ms)
{
	struct mg_journal *journal = *journal_at;
	size_t lost = 0;

	*journal_at = NULL;
	if (journal == NULL)
		return 0;
	if (journal->has_lock)
		stop_writer(journal, timeout_ms);
	for (size_t i = 0; i < journal->batch_count; i++) {
		lost += journal->batch[i].record != NULL;
		mg_writer_drop(&journal->batch[i]);
	}
	for (; journal->count > 0; journal->count--) {
		lost += journal->queue[journal->first].record != NULL;
		mg_writer_drop(&journal->queue[journal->first]);
		journal->first = (journal->first + 1) % MG_JOURNAL_QUEUE;
	}
	mg_store_close(&journal->store);
	free(journal->store.corrections);
	free(journal->store.cache);
	if (journal->has_lock) {
		pthread_cond_destroy(&journal->work);
		pthread_cond_destroy(&journal->room);
		pthread_cond_destroy(&journal->done);
		pthread_mutex_destroy(&journal->lock);
	}
	free(journal->path);
	free(journal);
	return lost;
}

/* Appends to the ring; the lock is held and there is room. The writer sleeps until a batch's time: it is woken for the
 * first entry and for a full batch. */
static void push(struct mg_journal *journal, struct mg_record *record, struct mg_line_copy *line)
{
	size_t at = (journal->first + journal->count) % MG_JOURNAL_QUEUE;

	journal->queue[at] = (struct mg_writer_entry){ mg_mono_us(), record, line };
	journal->count++;
	journal->line_count += line != NULL;
	journal->put++;
	if (journal->count == 1 || journal->count == MG_WRITER_BATCH)
		pthread_cond_signal(&journal->work);
}

bool mg_journal_put(struct mg_journal *journal, struct mg_record *record_take)
{
	bool has_room;

	pthread_mutex_lock(&journal->lock);
	has_room = journal->count < MG_JOURNAL_QUEUE && !journal->is_closing;
	if (has_room)
		push(journal, record_take, NULL);
	else
		journal->stats.dropped++;
	pthread_mutex_unlock(&journal->lock);
	if (!has_room)
		mg_record_free(&record_take);
	return has_room;
}

static bool has_room_for_line(const struct mg_journal *journal)
{
	return journal->count < MG_JOURNAL_QUEUE && journal->line_count < MG_WRITER_LINES;
}

bool mg_journal_take_line(void *context, const struct mg_log_line *line, const struct mg_log_position *position)
{
	struct mg_journal *journal = context;
	struct mg_line_copy *copy = mg_line_copy_new(line, position);
	bool is_taken;

	if (copy == NULL)
		return false; /* reading begins again from the stored position */
	pthread_mutex_lock(&journal->lock);
	journal->waiting_lines++;
	while (!journal->is_closing && !journal->is_refusing_lines && !has_room_for_line(journal))
		pthread_cond_wait(&journal->room, &journal->lock);
	journal->waiting_lines--;
	is_taken = !journal->is_closing && !journal->is_refusing_lines;
	if (is_taken)
		push(journal, NULL, copy);
	else
		pthread_cond_broadcast(&journal->done);
	pthread_mutex_unlock(&journal->lock);
	if (!is_taken)
		free(copy);
	return is_taken;
}

void mg_journal_refuse_lines(struct mg_journal *journal, bool on)
{
	pthread_mutex_lock(&journal->lock);
	journal->is_refusing_lines = on;
	pthread_cond_broadcast(&journal->room);
	pthread_mutex_unlock(&journal->lock);
}

static bool read_position(sqlite3 *db, const char *source, struct mg_log_position *position)
{
	sqlite3_stmt *stmt = NULL;
	bool found = sqlite3_prepare_v2(db,
			     "SELECT inode,offset,fingerprint,fingerprint_bytes,cursor FROM position WHERE source=?",
			     -1, &stmt, NULL) == SQLITE_OK &&
		     sqlite3_bind_text(stmt, 1, source, -1, SQLITE_STATIC) == SQLITE_OK &&
		     sqlite3_step(stmt) == SQLITE_ROW;

	if (found) {
		mg_str_copy(position->source, sizeof position->source, mg_str_z(source));
		position->inode = (uint64_t)sqlite3_column_int64(stmt, 0);
		position->offset = (uint64_t)sqlite3_column_int64(stmt, 1);
		position->fingerprint = (uint64_t)sqlite3_column_int64(stmt, 2);
		position->fingerprint_bytes = (uint32_t)sqlite3_column_int64(stmt, 3);
		mg_str_copy(position->cursor, sizeof position->cursor, mg_column_text(stmt, 4));
	}
	sqlite3_finalize(stmt);
	return found;
}

bool mg_journal_position(struct mg_journal *journal, const char *source, struct mg_log_position *position_out)
{
	sqlite3 *db = NULL;
	bool found;

	memset(position_out, 0, sizeof *position_out);
	found = sqlite3_open_v2(journal->path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK &&
		sqlite3_busy_timeout(db, 1000) == SQLITE_OK && read_position(db, source, position_out);
	sqlite3_close(db);
	return found;
}

void mg_journal_set_retention(struct mg_journal *journal, unsigned keep_days, unsigned max_mb)
{
	pthread_mutex_lock(&journal->lock);
	journal->retention = (struct mg_retention){ keep_days, max_mb };
	pthread_mutex_unlock(&journal->lock);
}

bool mg_journal_flush(struct mg_journal *journal, int timeout_ms)
{
	int64_t until_us = mg_mono_us() + timeout_ms * MG_MS_US;
	struct timespec until = { until_us / MG_S_US, until_us % MG_S_US * 1000 };
	uint64_t target;
	unsigned mine;
	bool is_done;

	pthread_mutex_lock(&journal->lock);
	target = journal->put;
	if (journal->hurry < target)
		journal->hurry = target;
	mine = ++journal->asked;
	pthread_cond_signal(&journal->work);
	do
		is_done = journal->written >= target && (int)(journal->answered - mine) >= 0;
	while (!is_done && pthread_cond_timedwait(&journal->done, &journal->lock, &until) != ETIMEDOUT);
	pthread_mutex_unlock(&journal->lock);
	return is_done;
}

void mg_journal_stats(struct mg_journal *journal, struct mg_journal_stats *stats_out)
{
	int64_t oldest_us = 0;

	pthread_mutex_lock(&journal->lock);
	*stats_out = journal->stats;
	stats_out->queued = journal->count + journal->batch_count;
	if (journal->batch_count > 0)
		oldest_us = journal->batch_put_us;
	else if (journal->count > 0)
		oldest_us = journal->queue[journal->first].put_us;
	pthread_mutex_unlock(&journal->lock);
	stats_out->lag_ms = oldest_us == 0 ? 0 : (mg_mono_us() - oldest_us) / MG_MS_US;
}
