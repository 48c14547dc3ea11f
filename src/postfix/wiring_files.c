#include "postfix/wiring_files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/i18n.h"
#include "postfix/wiring.h"

enum { FILE_MAX = 4 * 1024 * 1024, PATH_BYTES = 1024, NOTE_MODE = 0644, TRIES = 20 };

const char *const mg_wired_files[MG_WIRED_FILES] = { "main.cf", "master.cf" };

static enum mg_rc failed(struct mg_err *err, const char *path, const char *what)
{
	enum mg_rc rc = errno == EACCES || errno == EPERM || errno == EROFS ? MG_EPERM
			: errno == ENOENT                                   ? MG_ENOENT
									    : MG_EIO;

	return mg_err_sys(err, rc, errno, "%s: %s", path, what);
}

static bool path_of(const char *directory, const char *name, const char *suffix, char place[PATH_BYTES])
{
	int n = snprintf(place, PATH_BYTES, "%s/%s%s", directory, name, suffix);

	return n > 0 && n < PATH_BYTES;
}

static enum mg_rc too_long(struct mg_err *err, const char *directory)
{
	return mg_err_set(err, MG_ERANGE, _("the path %s is too long"), directory);
}

static bool read_all(int fd, struct mg_buf *content)
{
	char block[16384];

	for (;;) {
		ssize_t n = read(fd, block, sizeof block);

		if (n == 0)
			return true;
		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0)
			mg_buf_add(content, mg_str_of(block, (size_t)n));
		if (!mg_buf_ok(content)) {
			errno = EFBIG;
			return false;
		}
	}
}

enum mg_rc mg_wired_file_read(
	const char *directory, const char *name, struct mg_wired_file *file_out, struct mg_err *err)
{
	char path[PATH_BYTES];
	enum mg_rc rc = MG_OK;
	int fd;

	*file_out = (struct mg_wired_file){ 0 };
	mg_buf_init(&file_out->content, FILE_MAX);
	if (!path_of(directory, name, "", path))
		return too_long(err, directory);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
	if (fd < 0 && errno == ELOOP)
		return mg_err_set(err, MG_EPERM,
			_("%s is a symbolic link, which postconf would replace by a file; edit what it points to by hand"),
			path);
	if (fd < 0)
		return failed(err, path, _("it can't be opened"));
	if (fstat(fd, &file_out->stat) != 0 || !read_all(fd, &file_out->content))
		rc = failed(err, path, _("it can't be read"));
	mg_fd_close(&fd);
	return rc;
}

void mg_wired_file_fini(struct mg_wired_file *file)
{
	mg_buf_fini(&file->content);
}

/* A new file with the old one's content, owner and mode. */
static bool create(const char *path, const struct mg_wired_file *file)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool is_well = fd >= 0 && mg_fd_write_all(fd, mg_buf_str(&file->content), INT64_MAX);
	struct stat now;
	int kept;

	is_well = is_well && fstat(fd, &now) == 0;
	if (is_well && (now.st_uid != file->stat.st_uid || now.st_gid != file->stat.st_gid))
		is_well = fchown(fd, file->stat.st_uid, file->stat.st_gid) == 0;
	is_well = is_well && fchmod(fd, file->stat.st_mode & 07777) == 0 && fsync(fd) == 0;
	kept = errno;
	if (fd >= 0 && !is_well)
		unlink(path);
	mg_fd_close(&fd);
	errno = kept;
	return is_well;
}

enum mg_rc mg_wired_file_write(
	const char *directory, const char *name, const struct mg_wired_file *file, struct mg_err *err)
{
	char path[PATH_BYTES], fresh[PATH_BYTES];

	if (!path_of(directory, name, "", path) || !path_of(directory, name, ".mailguard-new", fresh))
		return too_long(err, directory);
	unlink(fresh); /* of an earlier run that was cut off */
	if (!create(fresh, file))
		return failed(err, fresh, _("it can't be written"));
	if (rename(fresh, path) != 0) {
		enum mg_rc rc = failed(err, path, _("it can't be replaced"));

		unlink(fresh);
		return rc;
	}
	return MG_OK;
}

/* "main.cf.mailguard-20261121-193637", and "-1" and so on behind it where that is taken. */
enum mg_rc mg_wired_file_backup(const char *directory, const char *name, const struct mg_wired_file *file,
	int64_t wall_us, char place[MG_WIRED_NAME], struct mg_err *err)
{
	char clock[24], stamp[24], path[PATH_BYTES];
	size_t n = 0;

	mg_wall_text(clock, sizeof clock, wall_us);
	for (const char *p = clock; *p != '\0' && n + 1 < sizeof stamp; p++)
		if (*p == ' ')
			stamp[n++] = '-';
		else if (*p >= '0' && *p <= '9')
			stamp[n++] = *p;
	stamp[n] = '\0';
	for (int i = 0; i < TRIES; i++) {
		if (i == 0)
			snprintf(place, MG_WIRED_NAME, "%s.mailguard-%s", name, stamp);
		else
			snprintf(place, MG_WIRED_NAME, "%s.mailguard-%s-%d", name, stamp, i);
		if (!path_of(directory, place, "", path))
			return too_long(err, directory);
		if (create(path, file))
			return MG_OK;
		if (errno != EEXIST)
			break;
	}
	return failed(err, path, _("the copy can't be written"));
}

void mg_wired_file_remove(const char *directory, const char *name)
{
	char path[PATH_BYTES];

	if (name[0] != '\0' && path_of(directory, name, "", path))
		unlink(path);
}

/* FNV-1a */
uint64_t mg_wired_file_hash(const struct mg_wired_file *file)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < file->content.n; i++)
		hash = (hash ^ (unsigned char)file->content.p[i]) * 0x100000001b3u;
	return hash;
}

static bool read_hash(struct mg_str word, uint64_t *hash_out)
{
	uint64_t hash = 0;

	if (word.n != 16)
		return false;
	for (size_t i = 0; i < word.n; i++) {
		size_t digit = mg_str_find(MG_STR("0123456789abcdef"), word.p[i]);

		if (digit == SIZE_MAX)
			return false;
		hash = hash << 4 | digit;
	}
	*hash_out = hash;
	return true;
}

/* A line's two words, one for each file. */
static bool read_line(struct mg_wired *wired, struct mg_str line)
{
	struct mg_str key, word;

	if (!mg_read_word(&line, " ", &key))
		return true;
	if (mg_str_eq(key, MG_STR("empty")) && mg_read_word(&line, " ", &word)) {
		mg_buf_addf(&wired->empty, "%.*s ", MG_STR_ARGS(word));
		return true;
	}
	for (size_t i = 0; i < MG_WIRED_FILES; i++) {
		if (!mg_read_word(&line, " ", &word))
			return false;
		if (mg_str_eq(key, MG_STR("copy"))) {
			if (!mg_str_starts(word, mg_str_z(mg_wired_files[i])) || mg_str_find(word, '/') != SIZE_MAX ||
				!mg_str_copy(wired->backup[i], MG_WIRED_NAME, word))
				return false;
		} else if (mg_str_eq(key, MG_STR("after")) && !mg_str_eq(word, MG_STR("-"))) {
			if (!read_hash(word, &wired->hash[i]))
				return false;
			wired->is_exact = true;
		}
	}
	return true;
}

enum mg_rc mg_wired_load(const char *directory, struct mg_wired *wired_out, struct mg_err *err)
{
	struct mg_wired_file file;
	struct mg_str rest;
	enum mg_rc rc = mg_wired_file_read(directory, MG_WIRING_STATE, &file, err);

	*wired_out = (struct mg_wired){ 0 };
	mg_buf_init(&wired_out->empty, FILE_MAX);
	rest = mg_buf_str(&file.content);
	if (rc == MG_OK) {
		wired_out->is_there = true;
		while (rc == MG_OK && rest.n > 0)
			if (!read_line(wired_out, mg_str_cut(&rest, '\n')))
				rc = mg_err_set(err, MG_ESYNTAX,
					_("%s/%s can't be understood; remove it to go on without it"), directory,
					MG_WIRING_STATE);
		if (wired_out->backup[0][0] == '\0' || wired_out->backup[1][0] == '\0')
			wired_out->is_exact = false;
	} else if (rc == MG_ENOENT) {
		rc = MG_OK;
	}
	mg_wired_file_fini(&file);
	return rc;
}

enum mg_rc mg_wired_save(const char *directory, const struct mg_wired *wired, struct mg_err *err)
{
	struct mg_wired_file file = { .stat = { .st_mode = NOTE_MODE, .st_uid = geteuid(), .st_gid = getegid() } };
	struct mg_str rest = mg_buf_str(&wired->empty), word;
	enum mg_rc rc;

	mg_buf_init(&file.content, FILE_MAX);
	mg_buf_addf(&file.content, "copy %s %s\n", wired->backup[0], wired->backup[1]);
	if (wired->is_exact)
		mg_buf_addf(&file.content, "after %016" PRIx64 " %016" PRIx64 "\n", wired->hash[0], wired->hash[1]);
	else
		mg_buf_addz(&file.content, "after - -\n");
	while (mg_read_word(&rest, " ", &word))
		mg_buf_addf(&file.content, "empty %.*s\n", MG_STR_ARGS(word));
	rc = mg_wired_file_write(directory, MG_WIRING_STATE, &file, err);
	mg_wired_file_fini(&file);
	return rc;
}

void mg_wired_fini(struct mg_wired *wired)
{
	mg_buf_fini(&wired->empty);
	*wired = (struct mg_wired){ 0 };
}
