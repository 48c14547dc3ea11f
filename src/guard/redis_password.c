#include "guard/redis_password.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

static enum mg_rc why_not_open(const char *path, int errnum, struct mg_err *err)
{
	if (errnum == ENOENT || errnum == ENOTDIR)
		return mg_err_set(err, MG_ENOENT,
			"state.password_file: there is no %s; make it with the password as its first line, chmod 0640, and the group of mailguard's user",
			path);
	return mg_err_sys(err, MG_EPERM, errnum,
		"state.password_file: %s can't be opened; give it the group of mailguard's user and chmod 0640", path);
}

/* What others may write is no secret of ours either. */
static enum mg_rc look_at(int fd, const char *path, struct mg_err *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return mg_err_sys(err, MG_EIO, errno, "state.password_file: %s", path);
	if (!S_ISREG(st.st_mode))
		return mg_err_set(err, MG_ESYNTAX, "state.password_file: %s is no plain file; name one", path);
	if ((st.st_mode & (S_IROTH | S_IWOTH)) != 0)
		return mg_err_set(err, MG_EPERM,
			"state.password_file: everybody may read or write %s; type: chmod o= %s, and choose another password",
			path, path);
	return MG_OK;
}

static enum mg_rc read_line(int fd, const char *path, char *place, size_t size, struct mg_err *err)
{
	ssize_t n = pread(fd, place, size - 1, 0);
	size_t length;

	if (n < 0)
		return mg_err_sys(err, MG_EIO, errno, "state.password_file: %s can't be read", path);
	place[n] = '\0';
	length = strcspn(place, "\r\n");
	if (length == size - 1)
		return mg_err_set(err, MG_ESYNTAX, "state.password_file: the first line of %s is longer than %zu bytes",
			path, size - 2);
	place[length] = '\0';
	if (length == 0)
		return mg_err_set(err, MG_ESYNTAX,
			"state.password_file: %s is empty; write the password as its first line", path);
	return MG_OK;
}

enum mg_rc mg_redis_password_read(const char *path, char *place, size_t size, struct mg_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	enum mg_rc rc;

	place[0] = '\0';
	if (fd < 0)
		return why_not_open(path, errno, err);
	rc = look_at(fd, path, err);
	if (rc == MG_OK)
		rc = read_line(fd, path, place, size, err);
	if (rc != MG_OK)
		explicit_bzero(place, size);
	mg_fd_close(&fd);
	return rc;
}
