/* The directories of the queue. */
#include "postfix/queue.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

enum { DEPTH = 5, HEAD_BYTES = 512, LOOK_AT_CLOCK = 64 };

static const char *const names[MG_QUEUES] = { "active", "deferred", "incoming", "maildrop", "hold", "corrupt" };

const char *mg_queue_name(enum mg_queue queue)
{
	return names[queue];
}

struct scan {
	struct mg_queue_count *count;
	int64_t deadline_us;
	bool reads_files;
};

/* One record of a queue file: a type, a length in groups of seven bits, the text. */
static bool read_record(struct mg_str *rest, char *type, struct mg_str *text)
{
	size_t length = 0, at = 1;

	if (rest->n < 2)
		return false;
	for (unsigned shift = 0; shift <= 28; shift += 7, at++) {
		if (at >= rest->n)
			return false;
		length |= (size_t)((unsigned char)rest->p[at] & 0x7f) << shift;
		if (((unsigned char)rest->p[at] & 0x80) == 0)
			break;
	}
	if (at + 1 > rest->n || length > rest->n - at - 1)
		return false;
	*type = rest->p[0];
	*text = mg_str_of(rest->p + at + 1, length);
	*rest = mg_str_from(*rest, at + 1 + length);
	return true;
}

/* The arrival time in the file's first records ("T", "SECONDS MICROSECONDS"); 0 when it is not there. */
static int64_t arrival_in(int directory, const char *name)
{
	char head[HEAD_BYTES], type;
	int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, head, sizeof head);
	struct mg_str rest, text;
	uint64_t seconds;

	mg_fd_close(&fd);
	rest = mg_str_of(head, n > 0 ? (size_t)n : 0);
	while (read_record(&rest, &type, &text))
		if (type == 'T')
			return mg_read_u64(&text, UINT32_MAX * UINT64_C(4), &seconds) ? (int64_t)seconds * MG_S_US : 0;
	return 0;
}

static void count_file(struct scan *scan, int directory, const char *name, const struct stat *status)
{
	int64_t arrival_us = (int64_t)status->st_mtime * MG_S_US, written_us = 0;

	scan->count->messages++;
	if (scan->reads_files)
		written_us = arrival_in(directory, name);
	if (written_us > 0 && written_us < arrival_us)
		arrival_us = written_us;
	if (scan->count->oldest_us != 0 && arrival_us >= scan->count->oldest_us)
		return;
	scan->count->oldest_us = arrival_us;
	mg_str_copy(scan->count->oldest_id, sizeof scan->count->oldest_id, mg_str_z(name));
}

static bool is_over(struct scan *scan)
{
	if (scan->count->messages >= MG_QUEUE_FILES ||
		(scan->count->messages % LOOK_AT_CLOCK == 0 && mg_mono_us() > scan->deadline_us))
		scan->count->is_cut = true;
	return scan->count->is_cut;
}

/* Hashed directories lie in each other: those still to be read wait on a list of their own descriptors. */
static void scan_directory(struct scan *scan, DIR *directory, DIR **inner, size_t *inner_count, size_t inner_max)
{
	struct dirent *entry;
	struct stat status;

	while (!is_over(scan) && (entry = readdir(directory)) != NULL) {
		if (entry->d_name[0] == '.' ||
			fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0)
			continue; /* delivered meanwhile */
		if (S_ISREG(status.st_mode)) {
			count_file(scan, dirfd(directory), entry->d_name, &status);
		} else if (S_ISDIR(status.st_mode) && *inner_count < inner_max) {
			int fd = openat(
				dirfd(directory), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			DIR *opened = fd < 0 ? NULL : fdopendir(fd);

			if (opened != NULL)
				inner[(*inner_count)++] = opened;
			else
				mg_fd_close(&fd);
		}
	}
}

/* Depth first: of each directory all inner ones are open at most, of 16 or so (hash_queue_depth). */
static void scan_tree(struct scan *scan, DIR *top)
{
	DIR *open[DEPTH * 64];
	size_t count = 0;

	open[count++] = top;
	while (count > 0) {
		DIR *directory = open[--count];

		scan_directory(scan, directory, open, &count, sizeof open / sizeof open[0]);
		closedir(directory);
	}
}

enum mg_rc mg_queue_scan(const char *queue_directory, enum mg_queue queue, int64_t deadline_us,
	struct mg_queue_count *count_out, struct mg_err *err)
{
	struct scan scan = { .count = count_out, .deadline_us = deadline_us };
	char path[4096];
	DIR *top;

	*count_out = (struct mg_queue_count){ 0 };
	scan.reads_files = queue == MG_QUEUE_DEFERRED || queue == MG_QUEUE_HOLD;
	snprintf(path, sizeof path, "%s/%s", queue_directory, names[queue]);
	if ((top = opendir(path)) == NULL)
		return mg_err_sys(err,
			errno == EACCES || errno == EPERM ? MG_EPERM
			: errno == ENOENT                 ? MG_ENOENT
							  : MG_EIO,
			errno, "can't read %s", path);
	scan_tree(&scan, top);
	return MG_OK;
}
