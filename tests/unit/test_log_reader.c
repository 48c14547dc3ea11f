/* The log reader against what happens to log files: each row is a script of what the writer, logrotate and we do.
 * Lines are numbered by their queue ids; unless a step says otherwise each number comes exactly once, in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "postfix/log_reader.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

enum { DEADLINE_S = 10, STEPS = 16, PATH_SIZE = 128, MEBIBYTE = 1024 * 1024 };

enum op {
	END,
	WRITE,  /* lines from..to to `name` */
	NOISE,  /* `to` lines that say nothing to mail.log */
	TEXT,   /* the text `other` as it is to `name` */
	LONG,   /* `to` bytes without a newline to mail.log */
	HOLE,   /* makes mail.log `to` MiB long */
	CREATE, /* `name`, empty */
	DIRECTORY,
	RENAME,   /* `name` to `other` */
	COPY,     /* `name` to `other` */
	TRUNCATE, /* `name` */
	REMOVE,
	START, /* from the position that the sink last heard */
	STOP,
	FORGET,  /* that position */
	SEE,     /* all lines up to `to` */
	NEXT,    /* the next line to come is `to` */
	TROUBLE, /* the reader tells this errno */
	WELL,
	OVERSIZE, /* it has skipped `to` lines */
	HEARD,    /* a position came without a line */
	REFUSE,   /* the sink says stop at line `to` */
	SILENT,   /* no line has come since, and the reader is at the end of the file */
};

struct step {
	enum op op;
	unsigned from, to;
	const char *name, *other;
};

struct script {
	const char *name;
	struct step steps[STEPS];
};

#define LOG "mail.log"

static const struct script scripts[] = {
	{ "what is there is read, then what comes",
		{ { WRITE, 1, 3, LOG, NULL }, { .op = START }, { .op = SEE, .to = 3 }, { WRITE, 4, 5, LOG, NULL },
			{ .op = SEE, .to = 5 } } },
	{ "an incomplete line waits for its end",
		{ { .op = START }, { WRITE, 1, 1, LOG, NULL }, { .op = SEE, .to = 1 },
			{ TEXT, 0, 0, LOG, "Nov 21 19:36:37 mx postfix/qmgr[1]: 000000" }, { .op = SILENT },
			{ TEXT, 0, 0, LOG, "02: removed\n" }, { .op = SEE, .to = 2 } } },
	{ "a file that comes later is read from its start",
		{ { .op = START }, { .op = TROUBLE, .to = ENOENT }, { WRITE, 1, 2, LOG, NULL }, { .op = SEE, .to = 2 },
			{ .op = WELL } } },
	{ "a directory is no log",
		{ { .op = DIRECTORY, .name = LOG }, { .op = START }, { .op = TROUBLE, .to = 0 },
			{ .op = REMOVE, .name = LOG }, { WRITE, 1, 1, LOG, NULL }, { .op = SEE, .to = 1 } } },
	{ "rotation: the old file is finished first",
		{ { WRITE, 1, 2, LOG, NULL }, { .op = START }, { .op = SEE, .to = 2 }, { WRITE, 3, 3, LOG, NULL },
			{ .op = RENAME, .name = LOG, .other = LOG ".1" }, { WRITE, 4, 5, LOG, NULL },
			{ .op = SEE, .to = 5 } } },
	{ "rotation: the writer keeps the old file for a while",
		{ { WRITE, 1, 1, LOG, NULL }, { .op = START }, { .op = SEE, .to = 1 },
			{ .op = RENAME, .name = LOG, .other = LOG ".1" }, { .op = CREATE, .name = LOG },
			{ WRITE, 2, 3, LOG ".1", NULL }, { .op = SEE, .to = 3 }, { WRITE, 4, 4, LOG, NULL },
			{ .op = SEE, .to = 4 } } },
	{ "rotation: a last line without its end is taken",
		{ { WRITE, 1, 1, LOG, NULL }, { .op = START }, { .op = SEE, .to = 1 },
			{ TEXT, 0, 0, LOG, "Nov 21 19:36:37 mx postfix/qmgr[1]: 00000002: removed" },
			{ .op = RENAME, .name = LOG, .other = LOG ".1" }, { WRITE, 3, 3, LOG, NULL },
			{ .op = SEE, .to = 3 } } },
	{ "rotation, and the old file is compressed and gone",
		{ { WRITE, 1, 2, LOG, NULL }, { .op = START }, { .op = SEE, .to = 2 }, { .op = REMOVE, .name = LOG },
			{ WRITE, 3, 3, LOG, NULL }, { .op = SEE, .to = 3 } } },
	{ "truncation in place",
		{ { WRITE, 1, 3, LOG, NULL }, { .op = START }, { .op = SEE, .to = 3 }, { .op = TRUNCATE, .name = LOG },
			{ WRITE, 4, 4, LOG, NULL }, { .op = SEE, .to = 4 } } },
	{ "truncation, grown to the same size meanwhile",
		{ { WRITE, 1, 2, LOG, NULL }, { .op = START }, { .op = SEE, .to = 2 }, { .op = TRUNCATE, .name = LOG },
			{ WRITE, 3, 4, LOG, NULL }, { .op = SEE, .to = 4 } } },
	{ "truncation, grown beyond meanwhile",
		{ { WRITE, 1, 2, LOG, NULL }, { .op = START }, { .op = SEE, .to = 2 }, { .op = TRUNCATE, .name = LOG },
			{ WRITE, 3, 9, LOG, NULL }, { .op = SEE, .to = 9 } } },
	{ "copytruncate", { { WRITE, 1, 2, LOG, NULL }, { .op = START }, { .op = SEE, .to = 2 },
				  { .op = COPY, .name = LOG, .other = LOG ".1" }, { .op = TRUNCATE, .name = LOG },
				  { WRITE, 3, 9, LOG, NULL }, { .op = SEE, .to = 9 } } },
	{ "a line of 1 MiB is skipped",
		{ { WRITE, 1, 1, LOG, NULL }, { .op = LONG, .to = MEBIBYTE }, { .op = START },
			{ .op = OVERSIZE, .to = 1 }, { TEXT, 0, 0, LOG, "\n" }, { WRITE, 2, 2, LOG, NULL },
			{ .op = SEE, .to = 2 }, { .op = OVERSIZE, .to = 1 } } },
	{ "NULs before a line are passed over",
		{ { .op = HOLE, .to = 0 }, { TEXT, 0, 1000, LOG, NULL }, { WRITE, 1, 1, LOG, NULL }, { .op = START },
			{ .op = SEE, .to = 1 } } },
	{ "without a position only the last 64 MiB are read",
		{ { WRITE, 1, 1, LOG, NULL }, { .op = HOLE, .to = 70 }, { TEXT, 0, 0, LOG, "\n" },
			{ WRITE, 2, 3, LOG, NULL }, { .op = NEXT, .to = 2 }, { .op = START },
			{ .op = SEE, .to = 3 } } },
	{ "noise moves the position", { { .op = START }, { .op = NOISE, .to = 3 }, { .op = HEARD }, { .op = STOP },
					      { WRITE, 1, 1, LOG, NULL }, { .op = START }, { .op = SEE, .to = 1 } } },
	{ "resume: the same file",
		{ { WRITE, 1, 2, LOG, NULL }, { .op = START }, { .op = SEE, .to = 2 }, { .op = STOP },
			{ WRITE, 3, 20, LOG, NULL }, { .op = START }, { .op = SEE, .to = 20 } } },
	{ "resume: rotated once", { { WRITE, 1, 2, LOG, NULL }, { .op = START }, { .op = SEE, .to = 2 }, { .op = STOP },
					  { WRITE, 3, 4, LOG, NULL }, { .op = RENAME, .name = LOG, .other = LOG ".1" },
					  { WRITE, 5, 6, LOG, NULL }, { .op = START }, { .op = SEE, .to = 6 } } },
	{ "resume: rotated twice",
		{ { WRITE, 1, 2, LOG, NULL }, { .op = START }, { .op = SEE, .to = 2 }, { .op = STOP },
			{ WRITE, 3, 4, LOG, NULL }, { .op = RENAME, .name = LOG, .other = LOG ".2" },
			{ WRITE, 5, 6, LOG ".1", NULL }, { WRITE, 7, 8, LOG, NULL }, { .op = START },
			{ .op = SEE, .to = 8 } } },
	{ "resume: rotated by date, older and compressed siblings beside",
		{ { WRITE, 90, 95, LOG "-20261119", NULL }, { WRITE, 1, 2, LOG, NULL }, { .op = START },
			{ .op = SEE, .to = 2 }, { .op = STOP }, { WRITE, 3, 3, LOG, NULL },
			{ .op = RENAME, .name = LOG, .other = LOG "-20261120" }, { WRITE, 80, 81, LOG ".1.gz", NULL },
			{ WRITE, 4, 5, LOG "-20261121", NULL }, { WRITE, 82, 83, LOG ".offset", NULL },
			{ WRITE, 6, 6, LOG, NULL }, { .op = START }, { .op = SEE, .to = 6 } } },
	{ "resume: copied and truncated",
		{ { WRITE, 1, 2, LOG, NULL }, { .op = START }, { .op = SEE, .to = 2 }, { .op = STOP },
			{ WRITE, 3, 4, LOG, NULL }, { .op = COPY, .name = LOG, .other = LOG ".1" },
			{ .op = TRUNCATE, .name = LOG }, { WRITE, 5, 9, LOG, NULL }, { .op = START },
			{ .op = SEE, .to = 9 } } },
	{ "resume: replaced by a copy of itself",
		{ { WRITE, 1, 2, LOG, NULL }, { .op = START }, { .op = SEE, .to = 2 }, { .op = STOP },
			{ .op = COPY, .name = LOG, .other = "new" }, { .op = RENAME, .name = "new", .other = LOG },
			{ WRITE, 3, 3, LOG, NULL }, { .op = START }, { .op = SEE, .to = 3 } } },
	{ "resume: rotated away and compressed, the new file from its start",
		{ { WRITE, 1, 2, LOG, NULL }, { .op = START }, { .op = SEE, .to = 2 }, { .op = STOP },
			{ WRITE, 3, 4, LOG, NULL }, { .op = RENAME, .name = LOG, .other = LOG ".1.gz" },
			{ WRITE, 5, 6, LOG, NULL }, { .op = NEXT, .to = 5 }, { .op = START },
			{ .op = SEE, .to = 6 } } },
	{ "resume: truncated and grown beyond",
		{ { WRITE, 1, 2, LOG, NULL }, { .op = START }, { .op = SEE, .to = 2 }, { .op = STOP },
			{ .op = TRUNCATE, .name = LOG }, { WRITE, 3, 9, LOG, NULL }, { .op = START },
			{ .op = SEE, .to = 9 } } },
	{ "resume: nothing known, all is read again",
		{ { WRITE, 1, 2, LOG, NULL }, { .op = START }, { .op = SEE, .to = 2 }, { .op = STOP }, { .op = FORGET },
			{ .op = NEXT, .to = 1 }, { .op = START }, { .op = SEE, .to = 2 } } },
	{ "the sink says stop; what it did not keep comes again",
		{ { WRITE, 1, 5, LOG, NULL }, { .op = REFUSE, .to = 3 }, { .op = START }, { .op = SEE, .to = 2 },
			{ .op = STOP }, { .op = REFUSE, .to = 0 }, { .op = START }, { .op = SEE, .to = 5 } } },
	{ "many lines, more than a block",
		{ { WRITE, 1, 5000, LOG, NULL }, { .op = START }, { .op = SEE, .to = 5000 } } },
};

struct world {
	char directory[64];
	struct mg_log_reader *reader;
	struct mg_log_position position; /* as the sink last heard */
	unsigned next;                   /* the line that must come */
	unsigned refuse;
	unsigned heard; /* positions without a line */
	unsigned wrong; /* a line that came out of turn */
	int64_t clock_s;
	pthread_mutex_t lock;
	pthread_cond_t changed;
};

static bool take(void *context, const struct mg_log_line *line, const struct mg_log_position *position)
{
	struct world *w = context;
	bool is_wanted = true;
	char text[32] = "";

	pthread_mutex_lock(&w->lock);
	if (line == NULL) {
		w->heard++;
	} else {
		unsigned number;

		(void)mg_str_copy(text, sizeof text, line->queue_id);
		number = (unsigned)strtoul(text, NULL, 16);
		is_wanted = w->refuse == 0 || number != w->refuse;
		if (is_wanted && number != w->next && w->wrong == 0)
			w->wrong = number;
		if (is_wanted)
			w->next = number + 1;
	}
	if (is_wanted)
		w->position = *position;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
	return is_wanted;
}

static const char *path_of(const struct world *w, const char *name, char place[PATH_SIZE])
{
	int n = snprintf(place, PATH_SIZE, "%s/%s", w->directory, name);

	assert_true(n > 0 && n < PATH_SIZE);
	return place;
}

/* Each write is a second later than the one before, so that the order of files does not hang on the clock's grain. */
static void append(struct world *w, const char *name, const char *text, size_t n)
{
	char path[PATH_SIZE];
	int fd = open(path_of(w, name, path), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	struct timespec times[2] = { { .tv_sec = ++w->clock_s }, { .tv_sec = w->clock_s } };

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), n);
	assert_int_equal(futimens(fd, times), 0);
	close(fd);
}

static void write_lines(struct world *w, const struct step *step)
{
	enum { LINE = 80 };
	size_t room = (size_t)(step->to - step->from + 1) * LINE, n = 0;
	char *text = malloc(room);

	assert_non_null(text);
	for (unsigned i = step->from; i <= step->to; i++)
		n += (size_t)snprintf(text + n, room - n, "Nov 21 19:36:37 mx postfix/qmgr[1]: %08X: removed\n", i);
	append(w, step->name, text, n);
	free(text);
}

static void write_bytes(struct world *w, char byte, size_t n)
{
	char *text = malloc(n);

	assert_non_null(text);
	memset(text, byte, n);
	append(w, LOG, text, n);
	free(text);
}

static void write_noise(struct world *w, unsigned count)
{
	static const char text[] = "Nov 21 19:36:37 mx postfix/anvil[1]: statistics: max cache size 1\n"
				   "Nov 21 19:36:37 mx sshd[1]: hello\n";

	for (unsigned i = 0; i < count; i++)
		append(w, LOG, text, sizeof text - 1);
}

static void copy_file(struct world *w, const char *from, const char *to)
{
	char path[PATH_SIZE], text[4096];
	int fd = open(path_of(w, from, path), O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof text);

	assert_true(n >= 0 && n < (ssize_t)sizeof text);
	close(fd);
	append(w, to, text, (size_t)n);
}

/* Waits until `is_so`, asked under the lock at every change and every few milliseconds, or fails. */
static void wait_until(
	struct world *w, bool (*is_so)(struct world *w, const struct step *step), const struct step *step)
{
	int64_t deadline_us = mg_mono_us() + DEADLINE_S * MG_S_US;

	pthread_mutex_lock(&w->lock);
	while (!is_so(w, step)) {
		struct timespec until;

		if (mg_mono_us() > deadline_us) {
			pthread_mutex_unlock(&w->lock);
			fail_msg("waited in vain in step %d for %u; next line %u", (int)step->op, step->to, w->next);
		}
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 10 * 1000 * 1000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&w->changed, &w->lock, &until);
	}
	pthread_mutex_unlock(&w->lock);
}

static bool is_seen(struct world *w, const struct step *step)
{
	return w->next > step->to;
}

static bool is_heard(struct world *w, const struct step *step)
{
	(void)step;
	return w->heard > 0;
}

static bool is_as_told(struct world *w, const struct step *step)
{
	struct mg_log_reader_stats stats;

	mg_log_reader_stats(w->reader, &stats);
	switch (step->op) {
	case TROUBLE:
		return stats.trouble[0] != '\0' && stats.trouble_errno == (int)step->to;
	case WELL:
		return stats.trouble[0] == '\0' && stats.trouble_errno == 0;
	case OVERSIZE:
		return stats.oversize == step->to;
	default:
		return stats.behind_bytes > 0; /* SILENT: the incomplete line has been noticed */
	}
}

static void start(struct world *w)
{
	const struct mg_log_sink sink = { .context = w, .take = take };
	char source[PATH_SIZE + 8], path[PATH_SIZE];

	(void)snprintf(source, sizeof source, "file:%s", path_of(w, LOG, path));
	assert_int_equal(mg_log_reader_start(source, &w->position, &sink, &w->reader, NULL), MG_OK);
}

static void change_file(struct world *w, const struct step *step)
{
	char path[PATH_SIZE], other[PATH_SIZE];
	struct stat st;

	path_of(w, step->name == NULL ? LOG : step->name, path);
	switch (step->op) {
	case CREATE:
		append(w, step->name, "", 0);
		break;
	case DIRECTORY:
		assert_int_equal(mkdir(path, 0700), 0);
		break;
	case RENAME:
		assert_int_equal(rename(path, path_of(w, step->other, other)), 0);
		break;
	case COPY:
		copy_file(w, step->name, step->other);
		break;
	case TRUNCATE:
		assert_int_equal(truncate(path, 0), 0);
		break;
	case REMOVE:
		assert_int_equal(remove(path), 0);
		break;
	default: /* HOLE */
		append(w, LOG, "", 0);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(truncate(path, st.st_size + (off_t)step->to * MEBIBYTE), 0);
		break;
	}
}

static void perform(struct world *w, const struct step *step)
{
	switch (step->op) {
	case WRITE:
		write_lines(w, step);
		break;
	case NOISE:
		write_noise(w, step->to);
		break;
	case TEXT:
		if (step->other == NULL)
			write_bytes(w, '\0', step->to);
		else
			append(w, step->name, step->other, strlen(step->other));
		break;
	case LONG:
		write_bytes(w, 'x', step->to);
		break;
	case START:
		start(w);
		break;
	case STOP:
		mg_log_reader_stop(&w->reader);
		break;
	case FORGET:
		w->position = (struct mg_log_position){ 0 };
		break;
	case NEXT:
		w->next = step->to;
		break;
	case REFUSE:
		w->refuse = step->to;
		break;
	case SEE:
		wait_until(w, is_seen, step);
		assert_int_equal(w->next, step->to + 1);
		break;
	case HEARD:
		wait_until(w, is_heard, step);
		break;
	case TROUBLE:
	case WELL:
	case OVERSIZE:
	case SILENT:
		wait_until(w, is_as_told, step);
		break;
	default:
		change_file(w, step);
		break;
	}
}

static void remove_directory(const struct world *w)
{
	DIR *directory = opendir(w->directory);
	const struct dirent *entry;
	char path[PATH_SIZE + 256];

	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		(void)snprintf(path, sizeof path, "%s/%s", w->directory, entry->d_name);
		if (entry->d_name[0] != '.')
			(void)remove(path);
	}
	if (directory != NULL)
		closedir(directory);
	(void)rmdir(w->directory);
}

static void open_world(struct world *w)
{
	*w = (struct world){ .directory = "/tmp/mg-log-reader-XXXXXX", .next = 1 };
	w->clock_s = mg_wall_us() / MG_S_US - 3600;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	assert_non_null(mkdtemp(w->directory));
}

static void close_world(struct world *w)
{
	mg_log_reader_stop(&w->reader);
	remove_directory(w);
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
}

static void a_script_is_followed(void **state)
{
	const struct script *script = *state;
	struct world w;

	open_world(&w);
	for (size_t i = 0; i < STEPS && script->steps[i].op != END; i++)
		perform(&w, &script->steps[i]);
	mg_log_reader_stop(&w.reader);
	assert_int_equal(w.wrong, 0);
	close_world(&w);
}

/* Whatever is read, stopping takes no longer than a glance. */
static void stopping_is_prompt(void **state)
{
	const char *source = *state;
	struct mg_log_reader_stats stats;
	struct world w;
	int64_t start_us;

	open_world(&w);
	assert_int_equal(mg_log_reader_start(
				 source, NULL, &(struct mg_log_sink){ .context = &w, .take = take }, &w.reader, NULL),
		MG_OK);
	mg_log_reader_stats(w.reader, &stats);
	assert_string_equal(stats.source, source);
	start_us = mg_mono_us();
	mg_log_reader_stop(&w.reader);
	assert_null(w.reader);
	assert_true(mg_mono_us() - start_us < 300 * MG_MS_US);
	close_world(&w);
}

static void what_is_no_source_is_refused(void **state)
{
	const char *source = *state;
	struct mg_log_reader *reader = NULL;
	struct mg_err err = { { 0 } };

	assert_int_equal(
		mg_log_reader_start(source, NULL, &(struct mg_log_sink){ .take = take }, &reader, &err), MG_ESYNTAX);
	assert_null(reader);
	assert_true(err.text[0] != '\0');
}

static void counters_tell_lines_apart(void **state)
{
	static const char text[] = "Nov 21 19:36:37 mx postfix/qmgr[1]: 00000001: removed\n"
				   "Nov 21 19:36:37 mx postfix/qmgr[1]: 00000001: pondered\n"
				   "Nov 21 19:36:37 mx sshd[1]: x\n"
				   "Nov 21 19:36:37 mx postfix/anvil[1]: statistics: x\n"
				   "Nov 21 19:36:37 mx postfix/qmgr[1]: 00000002: removed\n";
	struct mg_log_reader_stats stats;
	struct world w;

	(void)state;
	open_world(&w);
	append(&w, LOG, text, sizeof text - 1);
	start(&w);
	wait_until(&w, is_seen, &(struct step){ .op = SEE, .to = 2 });
	mg_log_reader_stats(w.reader, &stats);
	assert_int_equal(stats.lines, 5);
	assert_int_equal(stats.understood, 2);
	assert_int_equal(stats.unknown, 1);
	assert_int_equal(stats.foreign, 1);
	assert_int_equal(stats.noise, 1);
	assert_true(stats.last_line_us > 0);
	close_world(&w);
}

/* postfix.log = "auto" */
struct source_case {
	const char *name, *maillog_file;
	int mail_log_age_s, maillog_age_s; /* -1: not there */
	const char *wanted;                /* a path under the root after '~' */
};

static const struct source_case source_cases[] = {
	{ "Postfix's own setting wins", "/var/log/postfix.log", 10, 5, "file:/var/log/postfix.log" },
	{ "Postfix logs to stdout, so look further", "/dev/stdout", 10, -1, "file:~/var/log/mail.log" },
	{ "mail.log is newer", "", 5, 10, "file:~/var/log/mail.log" },
	{ "maillog is newer", "", 10, 5, "file:~/var/log/maillog" },
	{ "only maillog", "", -1, 5, "file:~/var/log/maillog" },
	{ "both are stale", "", 90000, 90001, "journald" },
	{ "neither", "", -1, -1, "journald" },
	{ "no setting at all", NULL, -1, -1, "journald" },
};

static void put_log(struct world *w, const char *name, int age_s)
{
	w->clock_s = mg_wall_us() / MG_S_US - age_s - 1;
	if (age_s >= 0)
		append(w, name, "x\n", 2);
}

static void the_source_is_found(void **state)
{
	const struct source_case *c = *state;
	char path[PATH_SIZE], source[160], wanted[PATH_SIZE * 2];
	const char *tilde = strchr(c->wanted, '~');
	struct world w;

	open_world(&w);
	assert_int_equal(mkdir(path_of(&w, "var", path), 0700), 0);
	assert_int_equal(mkdir(path_of(&w, "var/log", path), 0700), 0);
	put_log(&w, "var/log/mail.log", c->mail_log_age_s);
	put_log(&w, "var/log/maillog", c->maillog_age_s);
	mg_log_source_find(c->maillog_file, w.directory, source, sizeof source);
	(void)snprintf(wanted, sizeof wanted, "%.*s%s%s", tilde == NULL ? 0 : (int)(tilde - c->wanted), c->wanted,
		tilde == NULL ? "" : w.directory, tilde == NULL ? c->wanted : tilde + 1);
	assert_string_equal(source, wanted);
	(void)remove(path_of(&w, "var/log/mail.log", path));
	(void)remove(path_of(&w, "var/log/maillog", path));
	(void)remove(path_of(&w, "var/log", path));
	close_world(&w);
}

static const char *const stop_sources[] = { "journald", "journald:/nonexistent", "file:/nonexistent/mail.log" };
static const char *const no_sources[] = { "", "file:", "syslog", "journald:", "/var/log/mail.log" };

enum { TESTS = COUNT(scripts) + COUNT(source_cases) + COUNT(stop_sources) + COUNT(no_sources) + 1 };

int main(void)
{
	static struct CMUnitTest tests[TESTS];
	size_t n = 0;

	for (size_t i = 0; i < COUNT(scripts); i++)
		tests[n++] = (struct CMUnitTest){ scripts[i].name, a_script_is_followed, NULL, NULL,
			(void *)(uintptr_t)&scripts[i] };
	for (size_t i = 0; i < COUNT(source_cases); i++)
		tests[n++] = (struct CMUnitTest){ source_cases[i].name, the_source_is_found, NULL, NULL,
			(void *)(uintptr_t)&source_cases[i] };
	for (size_t i = 0; i < COUNT(stop_sources); i++)
		tests[n++] = (struct CMUnitTest){ stop_sources[i], stopping_is_prompt, NULL, NULL,
			(void *)(uintptr_t)stop_sources[i] };
	for (size_t i = 0; i < COUNT(no_sources); i++)
		tests[n++] = (struct CMUnitTest){ no_sources[i][0] == '\0' ? "(empty)" : no_sources[i],
			what_is_no_source_is_refused, NULL, NULL, (void *)(uintptr_t)no_sources[i] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(counters_tell_lines_apart);
	return _cmocka_run_group_tests("log_reader", tests, n, NULL, NULL);
}
