#include "daemon/hot.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

enum { LAYOUT = 1 };
static const uint64_t MAGIC = 0x6d61696c67756172; /* "mailguar" */

static struct mg_hot *map(int fd)
{
	struct mg_hot *hot = mmap(NULL, sizeof *hot, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return hot == MAP_FAILED ? NULL : hot;
}

static struct mg_hot *map_kept(int fd)
{
	struct stat info;
	struct mg_hot *hot;

	if (fd < 0 || fstat(fd, &info) != 0 || info.st_size != (off_t)sizeof *hot || (hot = map(fd)) == NULL)
		return NULL;
	if (hot->magic == MAGIC && hot->layout == LAYOUT && hot->bytes == sizeof *hot)
		return hot;
	munmap(hot, sizeof *hot);
	return NULL;
}

enum mg_rc mg_hot_open(int *fd, struct mg_hot **hot_out, bool *is_new_out, struct mg_err *err)
{
	struct mg_hot *hot = map_kept(*fd);

	*is_new_out = hot == NULL;
	if (hot != NULL) {
		*hot_out = hot;
		return MG_OK;
	}
	mg_fd_close(fd);
	*fd = memfd_create("mailguard", MFD_CLOEXEC);
	if (*fd < 0 || ftruncate(*fd, sizeof *hot) != 0 || (hot = map(*fd)) == NULL)
		return mg_err_sys(err, MG_EIO, errno, "no shared memory for the state that outlives a worker");
	hot->magic = MAGIC;
	hot->layout = LAYOUT;
	hot->bytes = sizeof *hot;
	hot->counters.started_us = mg_wall_us();
	*hot_out = hot;
	return MG_OK;
}
