/* log_follow.h - what the two ways of following a log share with the reader that owns them.
 *
 * Threads: everything here is called on the reader's thread; `lock` guards the statistics. */
#ifndef MG_POSTFIX_LOG_FOLLOW_H
#define MG_POSTFIX_LOG_FOLLOW_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "postfix/log_reader.h"

enum { MG_LOG_POLL_MS = 200, MG_LOG_RETRY_MS = 1000 };

struct mg_log_reader {
	struct mg_log_position position; /* behind the last line read */
	struct mg_log_sink sink;
	int64_t told_us;     /* monotonic: when the sink last heard a position */
	bool is_untold;      /* the position has moved since */
	int stop_fd;         /* eventfd: readable when it is time to stop */
	atomic_bool is_done; /* told to stop, or the sink said so */
	pthread_t thread;
	pthread_mutex_t lock;
	struct mg_log_reader_stats stats;
};

/* The thread's work; they return when it is time to stop. */
void mg_log_follow_file(struct mg_log_reader *reader, const char *path);
void mg_log_follow_journald(struct mg_log_reader *reader, const char *directory); /* NULL: the machine's own */

/* Counts and passes on a line that ends at reader->position. False: stop. */
bool mg_log_reader_line(struct mg_log_reader *reader, const struct mg_log_line *line);

/* Tells the sink the position of lines not passed on, once a second. False: stop. */
bool mg_log_reader_tell(struct mg_log_reader *reader);

/* Waits at most `timeout_ms`, or until `fd` (-1: none) is readable. False: stop. */
bool mg_log_reader_wait(struct mg_log_reader *reader, int fd, int timeout_ms);

void mg_log_reader_oversize(struct mg_log_reader *reader);
void mg_log_reader_behind(struct mg_log_reader *reader, uint64_t bytes);

/* Why nothing can be read; `errnum` 0 where the system has no word for it. */
void mg_log_reader_trouble(struct mg_log_reader *reader, int errnum, const char *what, const char *path);
void mg_log_reader_well(struct mg_log_reader *reader);

/* Among the rotated, uncompressed siblings of `path` (PATH.1, PATH-20261121, ...) that `fits` likes, opens the one
 * written longest ago. Returns its descriptor, -1 when there is none. */
int mg_log_sibling_open(const char *path, bool (*fits)(void *context, int fd, const struct stat *st), void *context,
	struct stat *st_out);

enum { MG_LOG_FINGERPRINT_MAX = 256 };

/* FNV-1a: the same after a restart, unlike mg_hash_keyed(). */
uint64_t mg_log_fingerprint(const char *head, uint32_t bytes);

/* The same of the first `bytes` (at most MG_LOG_FINGERPRINT_MAX) of the file; 0 when it has fewer. */
uint64_t mg_log_fingerprint_of(int fd, uint32_t bytes);

#endif
