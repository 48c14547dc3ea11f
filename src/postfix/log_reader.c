/* The reader's thread and what it counts. */
#include "postfix/log_reader.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "postfix/log_follow.h"

enum { TELL_EVERY_US = 1000000 };

static const struct mg_str file_prefix = { "file:", 5 }, journald = { "journald", 8 },
			   journald_prefix = { "journald:", 9 };

static void count(struct mg_log_reader_stats *stats, const struct mg_log_line *line)
{
	stats->lines++;
	switch (line->kind) {
	case MG_LINE_FOREIGN:
		stats->foreign++;
		break;
	case MG_LINE_NOISE:
		stats->noise++;
		break;
	case MG_LINE_UNKNOWN:
		stats->unknown++;
		break;
	default:
		stats->understood++;
		break;
	}
	if (line->kind != MG_LINE_FOREIGN)
		stats->last_line_us = line->time_us;
}

static bool take(struct mg_log_reader *reader, const struct mg_log_line *line)
{
	reader->told_us = mg_mono_us();
	reader->is_untold = false;
	if (!reader->sink.take(reader->sink.context, line, &reader->position))
		atomic_store(&reader->is_done, true);
	return !atomic_load(&reader->is_done);
}

bool mg_log_reader_line(struct mg_log_reader *reader, const struct mg_log_line *line)
{
	pthread_mutex_lock(&reader->lock);
	count(&reader->stats, line);
	pthread_mutex_unlock(&reader->lock);
	if (reader->sink.see != NULL && line->kind != MG_LINE_FOREIGN)
		reader->sink.see(reader->sink.context, line);
	if (line->kind > MG_LINE_NOISE)
		return take(reader, line);
	reader->is_untold = true;
	return mg_log_reader_tell(reader);
}

bool mg_log_reader_tell(struct mg_log_reader *reader)
{
	if (reader->is_untold && (reader->told_us == 0 || mg_mono_us() - reader->told_us >= TELL_EVERY_US))
		return take(reader, NULL);
	return !atomic_load(&reader->is_done);
}

bool mg_log_reader_wait(struct mg_log_reader *reader, int fd, int timeout_ms)
{
	struct pollfd fds[2] = { { .fd = reader->stop_fd, .events = POLLIN }, { .fd = fd, .events = POLLIN } };

	pthread_mutex_lock(&reader->lock);
	reader->stats.has_caught_up = true; /* only who has nothing more to read waits */
	pthread_mutex_unlock(&reader->lock);
	(void)poll(fds, 2, timeout_ms);
	return !atomic_load(&reader->is_done);
}

void mg_log_reader_oversize(struct mg_log_reader *reader)
{
	pthread_mutex_lock(&reader->lock);
	reader->stats.oversize++;
	pthread_mutex_unlock(&reader->lock);
}

void mg_log_reader_behind(struct mg_log_reader *reader, uint64_t bytes)
{
	pthread_mutex_lock(&reader->lock);
	reader->stats.behind_bytes = bytes;
	pthread_mutex_unlock(&reader->lock);
}

void mg_log_reader_trouble(struct mg_log_reader *reader, int errnum, const char *what, const char *path)
{
	struct mg_err err = { { 0 } };

	if (errnum != 0)
		(void)mg_err_sys(&err, MG_EIO, errnum, "%s%s", what, path);
	else
		(void)mg_err_set(&err, MG_EIO, "%s%s", what, path);
	pthread_mutex_lock(&reader->lock);
	(void)mg_str_copy(reader->stats.trouble, sizeof reader->stats.trouble, mg_str_z(err.text));
	reader->stats.trouble_errno = errnum;
	pthread_mutex_unlock(&reader->lock);
}

void mg_log_reader_well(struct mg_log_reader *reader)
{
	pthread_mutex_lock(&reader->lock);
	reader->stats.trouble[0] = '\0';
	reader->stats.trouble_errno = 0;
	pthread_mutex_unlock(&reader->lock);
}

static void *follow(void *context)
{
	struct mg_log_reader *reader = context;
	const char *source = reader->stats.source; /* never changes once the thread runs */
	struct mg_str text = mg_str_z(source);

	pthread_setname_np(pthread_self(), "mg-log");
	if (mg_str_starts(text, file_prefix))
		mg_log_follow_file(reader, source + file_prefix.n);
	else
		mg_log_follow_journald(
			reader, mg_str_starts(text, journald_prefix) ? source + journald_prefix.n : NULL);
	return NULL;
}

/* Signals are for the threads that wait for them. */
static int start_thread(struct mg_log_reader *reader)
{
	sigset_t all, before;
	int errnum;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	errnum = pthread_create(&reader->thread, NULL, follow, reader);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return errnum;
}

static void destroy(struct mg_log_reader *reader)
{
	mg_fd_close(&reader->stop_fd);
	pthread_mutex_destroy(&reader->lock);
	free(reader);
}

static bool is_source(struct mg_str source)
{
	return mg_str_eq(source, journald) ||
	       (mg_str_starts(source, journald_prefix) && source.n > journald_prefix.n) ||
	       (mg_str_starts(source, file_prefix) && source.n > file_prefix.n);
}

enum mg_rc mg_log_reader_start(const char *source, const struct mg_log_position *from, const struct mg_log_sink *sink,
	struct mg_log_reader **reader_out, struct mg_err *err)
{
	struct mg_log_reader *reader;
	int errnum;

	if (!is_source(mg_str_z(source)) || strlen(source) >= sizeof reader->stats.source)
		return mg_err_set(err, MG_ESYNTAX, "\"%s\" is no source of log lines: file:PATH or journald", source);
	reader = calloc(1, sizeof *reader);
	if (reader == NULL)
		return mg_err_set(err, MG_ENOMEM, "no memory for the log reader");
	(void)mg_str_copy(reader->stats.source, sizeof reader->stats.source, mg_str_z(source));
	if (from != NULL && strncmp(from->source, source, sizeof from->source) == 0)
		reader->position = *from;
	(void)mg_str_copy(reader->position.source, sizeof reader->position.source, mg_str_z(source));
	reader->sink = *sink;
	pthread_mutex_init(&reader->lock, NULL);
	reader->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	errnum = reader->stop_fd < 0 ? errno : start_thread(reader);
	if (errnum != 0) {
		destroy(reader);
		return mg_err_sys(err, MG_EIO, errnum, "can't start the log reader");
	}
	*reader_out = reader;
	return MG_OK;
}

void mg_log_reader_stop(struct mg_log_reader **reader)
{
	uint64_t one = 1;

	if (*reader == NULL)
		return;
	atomic_store(&(*reader)->is_done, true);
	if (write((*reader)->stop_fd, &one, sizeof one) != (ssize_t)sizeof one)
		(void)0; /* the wait ends by itself soon */
	pthread_join((*reader)->thread, NULL);
	destroy(*reader);
	*reader = NULL;
}

void mg_log_reader_stats(struct mg_log_reader *reader, struct mg_log_reader_stats *stats_out)
{
	int64_t age_us;

	pthread_mutex_lock(&reader->lock);
	*stats_out = reader->stats;
	pthread_mutex_unlock(&reader->lock);
	age_us = mg_wall_us() - stats_out->last_line_us;
	stats_out->behind_s =
		stats_out->behind_bytes > 0 && stats_out->last_line_us > 0 && age_us > 0 ? age_us / MG_S_US : 0;
}
