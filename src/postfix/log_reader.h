/* log_reader.h - follows the mail log: a file over rotation, truncation and copytruncate, or journald.
 *
 * One thread of its own. Lines come out parsed, in order, each exactly once over restarts as long as the sink keeps
 * the position it was given together with what it made of the line. After downtime it goes on where it stopped, also
 * when the file was rotated meanwhile (the rotated sibling is recognised by inode, uncompressed ones only). Without a
 * position it begins at most `MG_LOG_READER_HISTORY` bytes before the end (journald: one day back).
 *
 * Threads: start/stop/stats from the owner's; the sink is called on the reader's thread and may block. */
#ifndef MG_POSTFIX_LOG_READER_H
#define MG_POSTFIX_LOG_READER_H

#include "postfix/logline.h"

enum { MG_LOG_READER_HISTORY = 64 * 1024 * 1024, MG_LOG_READER_CURSOR = 256 };

/* Where reading stands. All zero: nowhere yet. */
struct mg_log_position {
	char source[160];       /* "file:/var/log/mail.log" or "journald" */
	uint64_t inode, offset; /* file: the offset behind the last line taken */
	uint64_t fingerprint;   /* file: hash of its first bytes (at most 256, whole lines), to tell a reused inode */
	uint32_t fingerprint_bytes;        /* how many bytes that hash covers */
	char cursor[MG_LOG_READER_CURSOR]; /* journald */
};

struct mg_log_sink {
	void *context;
	/* Takes a line with its position. Blocks while it can't; false: stop reading (shutting down). Lines of kind
	 * FOREIGN, NOISE and UNKNOWN are not passed on, but their positions are, with line NULL, at least once a
	 * second while there are such lines. */
	bool (*take)(void *context, const struct mg_log_line *line, const struct mg_log_position *position);
	/* Sees every line of Postfix and Dovecot before that, whatever its kind. May be NULL; must not block. */
	void (*see)(void *context, const struct mg_log_line *line);
};

struct mg_log_reader_stats {
	char source[160]; /* what is read; "" nothing found */
	uint64_t lines, understood, noise, foreign, unknown, oversize;
	bool has_caught_up;    /* it has reached the end once, or there is nothing to read */
	uint64_t behind_bytes; /* file: not yet read */
	int64_t behind_s;      /* age of the last line taken while there is more to read, else 0 */
	int64_t last_line_us;  /* wall time of the last line of Postfix; 0 none yet */
	char trouble[256];     /* "" or why nothing can be read, in English */
	int trouble_errno;     /* EACCES and so on, 0 without */
};

struct mg_log_reader;

/* Starts following. `source`: "file:PATH" or "journald" (already chosen, see mg_log_source_find()). `from` may be NULL.
 * A file that does not exist (yet) or can't be read is no error: it is tried again every second and told in stats. */
MG_MUSTCHECK
enum mg_rc mg_log_reader_start(const char *source, const struct mg_log_position *from, const struct mg_log_sink *sink,
	struct mg_log_reader **reader_out, struct mg_err *err);

/* Stops, waits for the thread (the sink must not block for ever), frees. Sets *reader to NULL; NULL is fine. */
void mg_log_reader_stop(struct mg_log_reader **reader);

void mg_log_reader_stats(struct mg_log_reader *reader, struct mg_log_reader_stats *stats_out);

/* Chooses the source for postfix.log = "auto": `maillog_file` (Postfix's setting, "" when empty) if set; else the newer
 * of /var/log/mail.log and /var/log/maillog written in the last 24 h; else "journald". `root` is put before the two
 * paths ("" in life, a directory in tests). */
void mg_log_source_find(const char *maillog_file, const char *root, char *source_out, size_t size);

#endif
