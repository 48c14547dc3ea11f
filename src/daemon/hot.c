#include "daemon/hot.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "guard/plan.h"

enum { LAYOUT = 2, PAGE = 4096 };
static const uint64_t MAGIC = 0x6d61696c67756172; /* "mailguar" */

static const size_t HEADER = (sizeof(struct mg_hot) + PAGE - 1) / PAGE * PAGE;

static struct mg_hot *map(int fd, size_t bytes)
{
	struct mg_hot *hot = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return hot == MAP_FAILED ? NULL : hot;
}

static enum mg_rc open_state(struct mg_hot *hot, bool is_new, struct mg_state **state_out, struct mg_err *err)
{
	struct mg_state_plan plan = mg_guard_plan(hot->max_keys);

	return mg_state_open(&plan, (char *)hot + HEADER, hot->bytes - HEADER, is_new, state_out, err);
}

enum mg_rc mg_hot_state(struct mg_hot *hot, struct mg_state **state_out, struct mg_err *err)
{
	return open_state(hot, false, state_out, err);
}

static bool is_usable(struct mg_hot *hot, size_t bytes)
{
	struct mg_state *state = NULL;
	bool is_ours = hot->magic == MAGIC && hot->layout == LAYOUT && hot->header_bytes == sizeof *hot &&
		       hot->bytes == bytes && mg_hot_state(hot, &state, NULL) == MG_OK;

	mg_state_close(&state);
	return is_ours;
}

static struct mg_hot *map_kept(int fd, size_t bytes)
{
	struct stat info;
	struct mg_hot *hot;

	if (fd < 0 || fstat(fd, &info) != 0 || info.st_size != (off_t)bytes || (hot = map(fd, bytes)) == NULL)
		return NULL;
	if (is_usable(hot, bytes))
		return hot;
	munmap(hot, bytes);
	return NULL;
}

/* Limits and bans of before the restart; without them mail flows all the same. */
static enum mg_rc begin_state(struct mg_hot *hot, const char *path, struct mg_err *err)
{
	struct mg_state *state;
	struct mg_err trouble = { "" };
	enum mg_rc rc = open_state(hot, true, &state, err);

	if (rc != MG_OK)
		return rc;
	if (path[0] != '\0' && (rc = mg_state_restore(state, path, &trouble)) != MG_OK && rc != MG_ENOENT)
		mg_log(MG_LOG_ERROR, "state-not-restored: %s; limits and bans begin anew", trouble.text);
	mg_state_close(&state);
	return MG_OK;
}

enum mg_rc mg_hot_open(int *fd, size_t max_keys, const char *path, struct mg_hot **hot_out, struct mg_err *err)
{
	struct mg_state_plan plan = mg_guard_plan(max_keys);
	size_t bytes = HEADER + mg_state_bytes(&plan);
	struct mg_hot *hot = map_kept(*fd, bytes);

	*hot_out = hot;
	if (hot != NULL)
		return MG_OK;
	mg_fd_close(fd);
	*fd = memfd_create("mailguard", MFD_CLOEXEC);
	if (*fd < 0 || ftruncate(*fd, (off_t)bytes) != 0 || (hot = map(*fd, bytes)) == NULL)
		return mg_err_sys(err, MG_EIO, errno, "no shared memory for the state that outlives a worker");
	hot->magic = MAGIC;
	hot->layout = LAYOUT;
	hot->header_bytes = sizeof *hot;
	hot->bytes = bytes;
	hot->max_keys = max_keys;
	hot->counters.started_us = mg_wall_us();
	*hot_out = hot;
	return begin_state(hot, path, err);
}
