#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

enum { CHUNK = 16384 };

static enum mg_rc fail(const char *path, struct mg_err *err)
{
	enum mg_rc rc = errno == ENOENT || errno == ENOTDIR ? MG_ENOENT
			: errno == EACCES || errno == EPERM ? MG_EPERM
							    : MG_EIO;

	return mg_err_sys(err, rc, errno, "%s", path);
}

static enum mg_rc read_from(int fd, const char *path, struct mg_buf *out, struct mg_err *err)
{
	char chunk[CHUNK];

	while (out->n < out->max) {
		size_t room = out->max - out->n < sizeof chunk ? out->max - out->n : sizeof chunk;
		ssize_t got = read(fd, chunk, room);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fail(path, err);
		if (got == 0)
			return MG_OK;
		mg_buf_add(out, mg_str_of(chunk, (size_t)got));
		if (!mg_buf_ok(out))
			return mg_err_set(err, MG_ENOMEM, "no memory to read %s", path);
	}
	return MG_OK;
}

static enum mg_rc open_file(const char *path, int *fd_out, struct stat *info_out, struct mg_err *err)
{
	*fd_out = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (*fd_out < 0 || fstat(*fd_out, info_out) != 0)
		return fail(path, err);
	if (!S_ISREG(info_out->st_mode))
		return mg_err_set(err, MG_EIO, "%s is no file", path);
	return MG_OK;
}

enum mg_rc mg_file_read(const char *path, size_t max_bytes, struct mg_buf *out, struct mg_err *err)
{
	int fd;
	struct stat info;
	enum mg_rc rc = open_file(path, &fd, &info, err);

	mg_buf_init(out, max_bytes);
	if (rc == MG_OK)
		rc = read_from(fd, path, out, err);
	mg_fd_close(&fd);
	return rc;
}

enum mg_rc mg_file_tail(const char *path, size_t max_bytes, struct mg_buf *out, struct mg_err *err)
{
	int fd;
	struct stat info;
	enum mg_rc rc = open_file(path, &fd, &info, err);
	bool is_cut = rc == MG_OK && (uint64_t)info.st_size > max_bytes;

	mg_buf_init(out, max_bytes);
	if (is_cut && lseek(fd, (off_t)(info.st_size - (off_t)max_bytes), SEEK_SET) < 0)
		rc = fail(path, err);
	if (rc == MG_OK)
		rc = read_from(fd, path, out, err);
	if (rc == MG_OK && is_cut) {
		size_t line = mg_str_find(mg_buf_str(out), '\n');

		mg_buf_drop(out, line == SIZE_MAX ? out->n : line + 1);
	}
	mg_fd_close(&fd);
	return rc;
}
