/* The files that rotation left beside a log. */
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "postfix/log_follow.h"

/* BASE.1, BASE.0, BASE-20261121, BASE-20261121-1795291198, but not BASE.1.gz or BASE.offset. */
static bool is_rotated_name(struct mg_str name, struct mg_str base)
{
	struct mg_str suffix = mg_str_from(name, base.n);

	if (!mg_str_starts(name, base) || suffix.n < 2 || (suffix.p[0] != '.' && suffix.p[0] != '-'))
		return false;
	for (size_t i = 1; i < suffix.n; i++)
		if ((suffix.p[i] < '0' || suffix.p[i] > '9') && suffix.p[i] != '-' && suffix.p[i] != '.')
			return false;
	return true;
}

static bool is_older(const struct stat *a, const struct stat *b)
{
	return a->st_mtim.tv_sec != b->st_mtim.tv_sec ? a->st_mtim.tv_sec < b->st_mtim.tv_sec
						      : a->st_mtim.tv_nsec < b->st_mtim.tv_nsec;
}

static int open_regular(int dir_fd, const char *name, struct stat *st_out)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd >= 0 && (fstat(fd, st_out) != 0 || !S_ISREG(st_out->st_mode)))
		mg_fd_close(&fd);
	return fd;
}

static DIR *open_directory_of(const char *path)
{
	struct mg_str whole = mg_str_z(path);
	size_t slash = mg_str_rfind(whole, '/');
	char directory[256];

	if (slash == SIZE_MAX)
		return opendir(".");
	if (!mg_str_copy(directory, sizeof directory, mg_str_first(whole, slash == 0 ? 1 : slash)))
		return NULL;
	return opendir(directory);
}

int mg_log_sibling_open(const char *path, bool (*fits)(void *context, int fd, const struct stat *st), void *context,
	struct stat *st_out)
{
	struct mg_str whole = mg_str_z(path);
	size_t slash = mg_str_rfind(whole, '/');
	struct mg_str base = mg_str_from(whole, slash == SIZE_MAX ? 0 : slash + 1);
	DIR *directory = open_directory_of(path);
	const struct dirent *entry;
	int best = -1;

	if (directory == NULL)
		return -1;
	while ((entry = readdir(directory)) != NULL) {
		struct stat st;
		int fd = is_rotated_name(mg_str_z(entry->d_name), base)
				 ? open_regular(dirfd(directory), entry->d_name, &st)
				 : -1;

		if (fd < 0)
			continue;
		if (fits(context, fd, &st) && (best < 0 || is_older(&st, st_out))) {
			mg_fd_close(&best);
			best = fd;
			*st_out = st;
		} else {
			mg_fd_close(&fd);
		}
	}
	closedir(directory);
	return best;
}

uint64_t mg_log_fingerprint(const char *head, uint32_t bytes)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (uint32_t i = 0; i < bytes; i++)
		hash = (hash ^ (unsigned char)head[i]) * 0x100000001b3;
	return hash;
}

uint64_t mg_log_fingerprint_of(int fd, uint32_t bytes)
{
	char head[MG_LOG_FINGERPRINT_MAX];

	if (bytes > sizeof head || pread(fd, head, bytes, 0) != (ssize_t)bytes)
		return 0;
	return mg_log_fingerprint(head, bytes);
}
