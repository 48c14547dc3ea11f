/* Following a file by polling it.
 *
 * A file is left only when its successor has something in it (until then the writer may still hold the old one) and
 * reading it once more gives nothing. A file is known by its inode and a hash of its first bytes; where either no
 * longer fits the position (truncated, replaced, rotated while nobody read), locate() finds out where to go on. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "postfix/log_follow.h"

enum { BLOCK = 64 * 1024 };

struct follow {
	struct mg_log_reader *reader;
	const char *path;
	int fd;
	struct stat st;    /* of fd, when it was last proved to continue what was read */
	uint64_t offset;   /* of the first byte held */
	size_t held;       /* bytes in block that are no whole line yet */
	bool is_skipping;  /* within a line too long to hold */
	bool is_cut_start; /* ... or within the line that reading began in */
	bool is_at_end;    /* the last read gave nothing */
	bool is_leaving;   /* the successor is there; one more read of this file */
	size_t head_n;     /* the file's first bytes, as they were when they were read */
	char head[MG_LOG_FINGERPRINT_MAX];
	char block[BLOCK];
};

static void close_file(struct follow *f)
{
	mg_fd_close(&f->fd);
	f->held = f->head_n = 0;
	f->is_skipping = f->is_cut_start = f->is_at_end = f->is_leaving = false;
}

static void take_file(struct follow *f, int fd, const struct stat *st, uint64_t offset)
{
	struct mg_log_position *position = &f->reader->position;

	close_file(f);
	f->fd = fd;
	f->st = *st;
	f->offset = offset;
	if (position->inode != st->st_ino || position->offset != offset || offset == 0) {
		position->fingerprint = 0;
		position->fingerprint_bytes = 0;
	}
	position->inode = st->st_ino;
	position->offset = offset;
	if (offset > 0) {
		ssize_t n = pread(fd, f->head, sizeof f->head, 0);

		f->head_n = n > 0 ? (size_t)n : 0;
	}
	mg_log_reader_well(f->reader);
}

static bool has_fingerprint(const struct mg_log_position *position, int fd)
{
	return mg_log_fingerprint_of(fd, position->fingerprint_bytes) == position->fingerprint;
}

/* This file holds what was read, up to the position. */
static bool is_read_up_to(void *context, int fd, const struct stat *st)
{
	const struct mg_log_position *position = context;

	if (st->st_size < 0 || (uint64_t)st->st_size < position->offset)
		return false;
	return position->fingerprint_bytes == 0 ? st->st_ino == position->inode : has_fingerprint(position, fd);
}

static bool is_same_file(void *context, int fd, const struct stat *st)
{
	const struct mg_log_position *position = context;

	return st->st_ino == position->inode && is_read_up_to(context, fd, st);
}

/* Opens PATH itself; -1 with the trouble told. */
static int open_path(struct follow *f, struct stat *st_out)
{
	int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 || fstat(fd, st_out) != 0) {
		mg_log_reader_trouble(f->reader, errno, "can't read ", f->path);
		mg_fd_close(&fd);
	} else if (!S_ISREG(st_out->st_mode)) {
		mg_log_reader_trouble(f->reader, 0, "not a regular file: ", f->path);
		mg_fd_close(&fd);
	}
	return fd;
}

/* Nothing is known of where we were: the last part of the file, from the next whole line on. */
static void begin_near_end(struct follow *f, int fd, const struct stat *st)
{
	uint64_t offset = st->st_size > MG_LOG_READER_HISTORY ? (uint64_t)st->st_size - MG_LOG_READER_HISTORY : 0;

	take_file(f, fd, st, offset);
	f->is_cut_start = offset > 0;
}

/* Goes on where the position says: in PATH, in the sibling it has become, else with PATH from its start. */
static bool locate(struct follow *f)
{
	struct mg_log_position *position = &f->reader->position;
	struct stat st = { 0 }, sibling_st;
	int fd = open_path(f, &st), sibling = -1;

	if (position->inode == 0) {
		if (fd >= 0)
			begin_near_end(f, fd, &st);
		return fd >= 0;
	}
	if (fd >= 0 && is_same_file(position, fd, &st)) {
		take_file(f, fd, &st, position->offset);
		return true;
	}
	sibling = mg_log_sibling_open(f->path, is_same_file, position, &sibling_st);
	if (sibling < 0 && position->fingerprint_bytes > 0) {
		if (fd >= 0 && is_read_up_to(position, fd, &st)) { /* replaced by a copy, as an editor does */
			take_file(f, fd, &st, position->offset);
			return true;
		}
		sibling = mg_log_sibling_open(f->path, is_read_up_to, position, &sibling_st); /* copytruncate's copy */
	}
	if (sibling >= 0) {
		mg_fd_close(&fd);
		take_file(f, sibling, &sibling_st, position->offset);
		return true;
	}
	if (fd >= 0)
		take_file(f, fd, &st, 0);
	return fd >= 0;
}

/* A sibling written after the file we are in, and no copy of it. */
static bool is_successor(void *context, int fd, const struct stat *st)
{
	const struct follow *f = context;
	const struct timespec *theirs = &st->st_mtim, *ours = &f->st.st_mtim;

	if (st->st_ino == f->st.st_ino || st->st_size == 0 || theirs->tv_sec < ours->tv_sec ||
		(theirs->tv_sec == ours->tv_sec && theirs->tv_nsec <= ours->tv_nsec))
		return false;
	return f->reader->position.fingerprint_bytes == 0 || !has_fingerprint(&f->reader->position, fd);
}

/* The file to read after this one, when there is one with something in it; -1. */
static int open_successor(struct follow *f, struct stat *st_out)
{
	struct stat path_st;
	int fd;

	if (stat(f->path, &path_st) == 0 && path_st.st_ino == f->st.st_ino && path_st.st_dev == f->st.st_dev)
		return -1;
	fd = mg_log_sibling_open(f->path, is_successor, f, st_out);
	if (fd >= 0 || stat(f->path, &path_st) != 0 || path_st.st_size == 0)
		return fd;
	fd = open_path(f, st_out);
	if (fd >= 0 && (st_out->st_size == 0 || st_out->st_ino == f->st.st_ino))
		mg_fd_close(&fd);
	return fd;
}

/* Once there are more whole lines than it covers, the fingerprint grows, up to its full length. It is made of the
 * bytes that were read, not of what the file may have become meanwhile. */
static void widen_fingerprint(struct follow *f)
{
	struct mg_log_position *position = &f->reader->position;
	uint32_t bytes = (uint32_t)(position->offset < f->head_n ? position->offset : f->head_n);

	if (position->fingerprint_bytes >= bytes)
		return;
	position->fingerprint = mg_log_fingerprint(f->head, bytes);
	position->fingerprint_bytes = bytes;
}

/* The bytes just read, from the file's offset `from` on, may be among its first. */
static void keep_head(struct follow *f, uint64_t from, const char *bytes, size_t n)
{
	size_t skip = f->head_n - (size_t)(from < f->head_n ? from : f->head_n);

	if (from > f->head_n || skip >= n)
		return;
	n -= skip;
	if (n > sizeof f->head - f->head_n)
		n = sizeof f->head - f->head_n;
	memcpy(f->head + f->head_n, bytes + skip, n);
	f->head_n += n;
}

/* One line, which ends at the file's offset `end`. NULs come from a crash of the machine. */
static bool take_line(struct follow *f, struct mg_str text, uint64_t end)
{
	struct mg_log_line line;

	f->reader->position.offset = end;
	widen_fingerprint(f);
	while (text.n > 0 && text.p[0] == '\0')
		text = mg_str_from(text, 1);
	if (text.n > 0 && text.p[text.n - 1] == '\r')
		text.n--;
	mg_log_line_parse(text, mg_wall_us(), &line);
	return mg_log_reader_line(f->reader, &line);
}

/* Takes the whole lines out of the block. */
static bool take_lines(struct follow *f)
{
	struct mg_str rest = mg_str_of(f->block, f->held);
	bool is_going = true;

	for (size_t n = mg_str_find(rest, '\n'); n != SIZE_MAX && is_going; n = mg_str_find(rest, '\n')) {
		f->offset += n + 1;
		if (f->is_skipping || f->is_cut_start)
			f->is_skipping = f->is_cut_start = false;
		else
			is_going = take_line(f, mg_str_first(rest, n), f->offset);
		rest = mg_str_from(rest, n + 1);
	}
	if (rest.n == sizeof f->block || f->is_skipping || f->is_cut_start) {
		if (!f->is_skipping && !f->is_cut_start)
			mg_log_reader_oversize(f->reader);
		f->is_skipping = !f->is_cut_start;
		f->offset += rest.n;
		rest.n = 0;
	}
	memmove(f->block, rest.p, rest.n);
	f->held = rest.n;
	return is_going;
}

static void measure(struct follow *f)
{
	struct stat st;
	uint64_t bytes = 0;

	if (fstat(f->fd, &st) == 0 && (uint64_t)st.st_size > f->offset)
		bytes = (uint64_t)st.st_size - f->offset;
	if (stat(f->path, &st) == 0 && st.st_ino != f->st.st_ino)
		bytes += (uint64_t)st.st_size;
	mg_log_reader_behind(f->reader, bytes);
}

/* It still begins with the bytes it began with. */
static bool is_intact(const struct follow *f)
{
	return f->reader->position.fingerprint_bytes == 0 || has_fingerprint(&f->reader->position, f->fd);
}

/* False when the file no longer continues what was read. */
static bool look(struct follow *f)
{
	struct stat st;

	if (fstat(f->fd, &st) != 0)
		return false;
	if (st.st_size == f->st.st_size && st.st_mtim.tv_sec == f->st.st_mtim.tv_sec &&
		st.st_mtim.tv_nsec == f->st.st_mtim.tv_nsec)
		return true;
	f->st = st;
	return (uint64_t)st.st_size >= f->offset + f->held && is_intact(f);
}

/* At the end of the file: on to its successor, or wait. */
static bool at_end(struct follow *f)
{
	struct stat st;
	int next = open_successor(f, &st);
	bool is_going = true;

	if (next < 0) {
		f->is_leaving = false;
		measure(f);
		return mg_log_reader_tell(f->reader) && mg_log_reader_wait(f->reader, -1, MG_LOG_POLL_MS);
	}
	if (!f->is_leaving) {
		f->is_leaving = true;
		mg_fd_close(&next);
		return true;
	}
	if (f->held > 0 && !f->is_skipping) /* its newline will never come */
		is_going = take_line(f, mg_str_of(f->block, f->held), f->offset + f->held);
	take_file(f, next, &st, 0);
	return is_going;
}

static bool read_failed(struct follow *f)
{
	if (errno == EINTR)
		return true;
	mg_log_reader_trouble(f->reader, errno, "can't read ", f->path);
	close_file(f);
	return mg_log_reader_wait(f->reader, -1, MG_LOG_RETRY_MS);
}

/* The file may be truncated, and grow again, at any moment: what was read counts only if the file still begins as it
 * did afterwards. */
static bool read_more(struct follow *f)
{
	uint64_t from = f->offset + f->held;
	ssize_t got;

	if (f->is_at_end && !look(f)) {
		close_file(f); /* locate() begins anew */
		return true;
	}
	got = pread(f->fd, f->block + f->held, sizeof f->block - f->held, (off_t)from);
	if (got < 0)
		return read_failed(f);
	if (got == 0) {
		if (f->is_at_end)
			return at_end(f);
		f->is_at_end = true;
		return true;
	}
	if (!is_intact(f)) {
		close_file(f);
		return true;
	}
	f->is_at_end = f->is_leaving = false;
	keep_head(f, from, f->block + f->held, (size_t)got);
	f->held += (size_t)got;
	if (!take_lines(f))
		return false;
	measure(f);
	return mg_log_reader_tell(f->reader);
}

void mg_log_follow_file(struct mg_log_reader *reader, const char *path)
{
	struct follow *f = calloc(1, sizeof *f);
	bool is_going = true;

	if (f == NULL) {
		mg_log_reader_trouble(reader, ENOMEM, "can't read ", path);
		return;
	}
	f->reader = reader;
	f->path = path;
	f->fd = -1;
	while (is_going && !atomic_load(&reader->is_done)) {
		if (f->fd < 0 && !locate(f))
			is_going = mg_log_reader_wait(reader, -1, MG_LOG_RETRY_MS);
		else
			is_going = read_more(f);
	}
	mg_fd_close(&f->fd);
	free(f);
}
