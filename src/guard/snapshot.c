/* A head, each table's rows, a checksum over all before it. A row is its length without the zeros at its end, and so many
 * bytes; length 0 ends a table. Numbers are this machine's: the file never travels.
 *
 * A file is read twice: once to know that all of it is right, once to take it. */
#include "guard/state_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/log.h"

enum { VERSION = 1, TABLES_MAX = 64, BLOCK = 65536, ROWS = 32768, SUM = sizeof(uint64_t) };
static const uint64_t MAGIC = 0x6d67736e61700a1a; /* "mgsnap", LF, SUB */
static const int64_t NOW_MAX = INT64_C(1) << 61, AWAY_MAX_US = INT64_C(100) * 366 * MG_DAY_US;

struct file_head {
	uint64_t magic;
	uint32_t version, tables;
	uint64_t key[2];
	int64_t now_ns, wall_us;
};

struct table_head {
	char name[16];
	uint32_t version, row_bytes;
};

/* ---- a file, block by block, with its checksum ---- */

struct stream {
	int fd, error; /* error: errno of what failed first */
	uint64_t left; /* reading: bytes of the body not in the block yet */
	uint64_t sum;
	size_t at, n; /* reading: what is used and what there is of the block; writing: n */
	char block[BLOCK];
	_Alignas(uint64_t) char rows[ROWS];
};

static void add_to_sum(struct stream *stream)
{
	const uint64_t key[2] = { stream->sum, stream->n };

	stream->sum = mg_hash_under(key, mg_str_of(stream->block, stream->n));
}

static void write_out(struct stream *stream, const char *p, size_t n)
{
	while (n > 0 && stream->error == 0) {
		ssize_t done = write(stream->fd, p, n);

		if (done < 0 && errno != EINTR)
			stream->error = errno;
		if (done > 0) {
			p += done;
			n -= (size_t)done;
		}
	}
}

static void flush(struct stream *stream)
{
	if (stream->n == 0)
		return;
	add_to_sum(stream);
	write_out(stream, stream->block, stream->n);
	stream->n = 0;
}

static void put(struct stream *stream, const void *p, size_t n)
{
	for (size_t done = 0; done < n;) {
		size_t room = BLOCK - stream->n, part = n - done < room ? n - done : room;

		memcpy(stream->block + stream->n, (const char *)p + done, part);
		stream->n += part;
		done += part;
		if (stream->n == BLOCK)
			flush(stream);
	}
}

/* Exactly `n` bytes, or fewer at the end of the file. */
static size_t read_in(struct stream *stream, char *p, size_t n)
{
	size_t have = 0;

	while (have < n && stream->error == 0) {
		ssize_t done = read(stream->fd, p + have, n - have);

		if (done == 0)
			break;
		if (done < 0 && errno != EINTR)
			stream->error = errno;
		if (done > 0)
			have += (size_t)done;
	}
	return have;
}

static bool next_block(struct stream *stream)
{
	size_t n = stream->left < BLOCK ? (size_t)stream->left : BLOCK;

	stream->at = 0;
	stream->n = n == 0 ? 0 : read_in(stream, stream->block, n);
	if (stream->n < n || n == 0)
		return false;
	stream->left -= n;
	add_to_sum(stream);
	return true;
}

/* False: there is less. */
static bool get(struct stream *stream, void *p, size_t n)
{
	for (size_t done = 0; done < n;) {
		size_t have = stream->n - stream->at, part = n - done < have ? n - done : have;

		memcpy((char *)p + done, stream->block + stream->at, part);
		stream->at += part;
		done += part;
		if (done < n && !next_block(stream))
			return false;
	}
	return true;
}

/* ---- saving ---- */

static void put_row(struct stream *stream, const char *row, uint16_t row_bytes)
{
	uint16_t n = row_bytes;

	while (n > 0 && row[n - 1] == 0)
		n--;
	put(stream, &n, sizeof n);
	put(stream, row, n);
}

static void put_table(struct stream *stream, struct mg_table *table, const struct mg_state_part *part, int64_t now_ns)
{
	struct table_head head = { .version = part->version, .row_bytes = part->row_bytes };
	uint64_t cursor = 0;
	uint16_t end = 0;
	size_t n;

	mg_assert(part->row_bytes <= UINT16_MAX && part->row_bytes <= ROWS);
	memcpy(head.name, part->name, sizeof head.name);
	put(stream, &head, sizeof head);
	while (stream->error == 0 && (n = mg_table_read(table, &cursor, stream->rows, ROWS / part->row_bytes)) > 0)
		for (const char *row = stream->rows; row < stream->rows + n * part->row_bytes; row += part->row_bytes)
			if (((const struct mg_row *)(const void *)row)->until_ns > now_ns)
				put_row(stream, row, (uint16_t)part->row_bytes);
	put(stream, &end, sizeof end);
}

static void put_state(struct stream *stream, struct mg_state *state)
{
	struct file_head head = { .magic = MAGIC, .version = VERSION, .now_ns = mg_state_now_ns(state) };

	head.wall_us = state->clock->wall_us();
	memcpy(head.key, state->memory->key, sizeof head.key);
	for (int i = 0; i < MG_STATE_TABLES; i++)
		head.tables += state->memory->part[i].at != 0;
	put(stream, &head, sizeof head);
	for (int i = 0; i < MG_STATE_TABLES; i++)
		if (state->memory->part[i].at != 0)
			put_table(stream, &state->table[i], &state->memory->part[i], head.now_ns);
	flush(stream);
	write_out(stream, (const char *)&stream->sum, SUM);
}

static bool path_with(char place[PATH_MAX], const char *path, const char *suffix)
{
	int n = snprintf(place, PATH_MAX, "%s%s", path, suffix);

	return n > 0 && n < PATH_MAX;
}

/* The renaming is on disk when the directory is. */
static bool sync_directory(const char *path)
{
	char place[PATH_MAX];
	struct mg_str whole = mg_str_z(path);
	size_t slash = mg_str_rfind(whole, '/');
	int fd, rc;

	if (!mg_str_copy(
		    place, sizeof place, slash == SIZE_MAX ? MG_STR(".") : mg_str_first(whole, slash == 0 ? 1 : slash)))
		return false;
	fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rc = fd < 0 ? -1 : fsync(fd);
	mg_fd_close(&fd);
	return rc == 0;
}

/* Writes the file `fresh`; 0 or errno. */
static int write_file(struct stream *stream, struct mg_state *state, const char *fresh)
{
	(void)unlink(fresh);
	stream->fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (stream->fd < 0)
		return errno;
	put_state(stream, state);
	if (stream->error == 0 && fsync(stream->fd) != 0)
		stream->error = errno;
	if (close(stream->fd) != 0 && stream->error == 0)
		stream->error = errno;
	return stream->error;
}

enum mg_rc mg_state_save(struct mg_state *state, const char *path, struct mg_err *err)
{
	char fresh[PATH_MAX];
	struct stream *stream;
	int error;

	if (!path_with(fresh, path, ".new"))
		return mg_err_set(err, MG_ERANGE, "the path of the snapshot is too long");
	if ((stream = calloc(1, sizeof *stream)) == NULL)
		return mg_err_set(err, MG_ENOMEM, "no memory to write a snapshot");
	error = write_file(stream, state, fresh);
	free(stream);
	if (error == 0 && (rename(fresh, path) != 0 || !sync_directory(path)))
		error = errno;
	if (error == 0)
		return MG_OK;
	(void)unlink(fresh);
	return mg_err_sys(err, MG_EIO, error, "can't write the snapshot %s", path);
}

/* ---- restoring ---- */

/* Whose rows these are; -1 nobody's: they are passed over. */
static int table_of(const struct mg_state *state, const struct table_head *head)
{
	for (int i = 0; i < MG_STATE_TABLES; i++) {
		const struct mg_state_part *part = &state->memory->part[i];

		if (part->at != 0 && memcmp(part->name, head->name, sizeof head->name) == 0)
			return part->version == head->version && part->row_bytes == head->row_bytes ? i : -1;
	}
	return -1;
}

static void take_row(struct mg_table *table, const struct mg_row *saved, int64_t now_ns)
{
	struct mg_table_hold hold;
	struct mg_row *row;

	if (saved->key == 0 || saved->until_ns <= now_ns)
		return;
	mg_table_lock(table, &saved->key, 1, &hold);
	row = mg_table_make(table, saved->key, now_ns);
	memcpy(row + 1, saved + 1, table->shape->row_bytes - sizeof *row);
	row->until_ns = saved->until_ns;
	mg_table_unlock(table, &hold);
}

/* `table` NULL: the rows are only read. */
static bool get_rows(struct stream *stream, uint32_t row_bytes, struct mg_table *table, int64_t now_ns)
{
	uint16_t n;

	while (get(stream, &n, sizeof n)) {
		if (n == 0)
			return true;
		if (n > row_bytes || !get(stream, stream->rows, n))
			return false;
		memset(stream->rows + n, 0, row_bytes - n);
		if (table != NULL)
			take_row(table, (const struct mg_row *)(const void *)stream->rows, now_ns);
	}
	return false;
}

static bool is_head_sane(const struct file_head *head)
{
	return head->magic == MAGIC && head->version == VERSION && head->tables <= TABLES_MAX && head->now_ns > 0 &&
	       head->now_ns < NOW_MAX && head->wall_us >= 0;
}

/* State's time goes on where it was, later by what the wall clock says we were away. */
static int64_t go_on(struct mg_state *state, const struct file_head *head)
{
	int64_t away_us = state->clock->wall_us() - head->wall_us;

	away_us = away_us < 0 ? 0 : away_us > AWAY_MAX_US ? AWAY_MAX_US : away_us;
	memcpy(state->memory->key, head->key, sizeof head->key);
	atomic_store(&state->memory->lead_ns, head->now_ns + away_us * 1000 - state->clock->mono_us() * 1000);
	return mg_state_now_ns(state);
}

/* One pass over the body. */
static bool get_state(struct stream *stream, struct mg_state *state, bool is_taken)
{
	struct file_head head;
	struct table_head part;
	int64_t now_ns = 0;

	if (!get(stream, &head, sizeof head) || !is_head_sane(&head))
		return false;
	if (is_taken)
		now_ns = go_on(state, &head);
	for (uint32_t i = 0; i < head.tables; i++) {
		int at;

		if (!get(stream, &part, sizeof part) || part.row_bytes < sizeof(struct mg_row) || part.row_bytes > ROWS)
			return false;
		at = table_of(state, &part);
		if (!get_rows(stream, part.row_bytes, is_taken && at >= 0 ? &state->table[at] : NULL, now_ns))
			return false;
	}
	return stream->at == stream->n && stream->left == 0;
}

static bool pass(struct stream *stream, struct mg_state *state, uint64_t body, bool is_taken)
{
	uint64_t sum;

	stream->left = body;
	stream->sum = stream->at = stream->n = 0;
	return lseek(stream->fd, 0, SEEK_SET) == 0 && get_state(stream, state, is_taken) &&
	       read_in(stream, (char *)&sum, SUM) == SUM && sum == stream->sum;
}

static enum mg_rc read_state(struct stream *stream, struct mg_state *state, struct mg_err *err)
{
	struct stat info;

	if (fstat(stream->fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size < SUM)
		return mg_err_set(err, MG_ESYNTAX, "it is no snapshot");
	if (!pass(stream, state, (uint64_t)info.st_size - SUM, false))
		return stream->error != 0 ? mg_err_sys(err, MG_ESYNTAX, stream->error, "it can't be read")
					  : mg_err_set(err, MG_ESYNTAX, "it is damaged or of another version");
	if (!pass(stream, state, (uint64_t)info.st_size - SUM, true))
		return mg_err_set(err, MG_ESYNTAX, "it changed while it was read");
	return MG_OK;
}

enum mg_rc mg_snapshot_read(struct mg_state *state, int fd, struct mg_err *err)
{
	struct stream *stream = calloc(1, sizeof *stream);
	enum mg_rc rc;

	if (stream == NULL)
		return mg_err_set(err, MG_ENOMEM, "no memory to read a snapshot");
	stream->fd = fd;
	rc = read_state(stream, state, err);
	free(stream);
	return rc;
}

static enum mg_rc set_aside(const char *path, const struct mg_err *why, struct mg_err *err)
{
	char aside[PATH_MAX];
	bool is_aside = path_with(aside, path, ".bad") && rename(path, aside) == 0;

	mg_log(MG_LOG_ERROR, "state-snapshot-bad: file=\"%s\", aside=%s, what=\"%s\"", path, is_aside ? "yes" : "no",
		why->text);
	return mg_err_set(err, MG_ESYNTAX, "the snapshot %s: %s", path, why->text);
}

enum mg_rc mg_state_restore(struct mg_state *state, const char *path, struct mg_err *err)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	struct mg_err why = { "" };
	enum mg_rc rc;

	if (fd < 0 && errno == ENOENT)
		return mg_err_set(err, MG_ENOENT, "there is no snapshot %s", path);
	if (fd < 0)
		return mg_err_sys(err, errno == EACCES ? MG_EPERM : MG_EIO, errno, "can't open the snapshot %s", path);
	rc = mg_snapshot_read(state, fd, &why);
	mg_fd_close(&fd);
	if (rc == MG_ESYNTAX)
		return set_aside(path, &why, err);
	return rc == MG_OK ? rc : mg_err_set(err, rc, "%s", why.text);
}
