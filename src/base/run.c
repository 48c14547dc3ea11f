/* posix_spawn starts the program; a loop over its two pipes and its pidfd waits for what comes first: the end of all
 * three or the deadline. Input goes through a memfd, so that nothing has to be fed and no SIGPIPE can come. */
#include "base/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

enum { PATH_BYTES = 4096, ENVIRONMENT_MAX = 32, FIRST_FREE = 3, NAP_MS = 10, AFTER_EXIT_MS = 200 };

struct child {
	pid_t pid;
	int pidfd;            /* -1: the kernel has none; then we look every NAP_MS */
	int in, out, err;     /* our ends; `in` is a memfd */
	int out_far, err_far; /* its ends, until it runs */
	bool has_ended;
	int wait_status;
};

/* Standard descriptors may be closed in a daemon; a pipe must not land on one of them. */
static int above_standard(int fd)
{
	int moved;

	if (fd < 0 || fd >= FIRST_FREE)
		return fd;
	moved = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE);
	mg_fd_close(&fd);
	return moved;
}

static bool make_pipe(int *near, int *far)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return false;
	*near = above_standard(ends[0]);
	*far = above_standard(ends[1]);
	return *near >= 0 && *far >= 0 && mg_fd_nonblocking(*near, true);
}

/* The same by a pseudo-terminal, for programs that speak only to people. */
static bool make_terminal(int *near, int *far)
{
	struct termios raw;
	char name[64];

	*near = above_standard(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
	if (*near < 0 || grantpt(*near) != 0 || unlockpt(*near) != 0 || ptsname_r(*near, name, sizeof name) != 0)
		return false;
	*far = above_standard(open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
	if (*far < 0 || tcgetattr(*far, &raw) != 0)
		return false;
	cfmakeraw(&raw);
	return tcsetattr(*far, TCSANOW, &raw) == 0 && mg_fd_nonblocking(*near, true);
}

static int make_input(struct mg_str input)
{
	int fd;

	if (input.n == 0)
		return above_standard(open("/dev/null", O_RDONLY | O_CLOEXEC));
	fd = above_standard(memfd_create("input", MFD_CLOEXEC));
	if (fd >= 0 && (!mg_fd_write_all(fd, input, INT64_MAX) || lseek(fd, 0, SEEK_SET) != 0))
		mg_fd_close(&fd);
	return fd;
}

/* argv[0] as a path, in `place`. */
static bool find_program(const char *name, char *place, size_t size)
{
	struct mg_str rest = MG_STR(MG_RUN_PATH);

	if (strchr(name, '/') != NULL)
		return mg_str_copy(place, size, mg_str_z(name)) && access(place, X_OK) == 0;
	while (rest.n > 0) {
		struct mg_str directory = mg_str_cut(&rest, ':');
		int n = snprintf(place, size, "%.*s/%s", MG_STR_ARGS(directory), name);

		if (n > 0 && (size_t)n < size && access(place, X_OK) == 0)
			return true;
	}
	return false;
}

static bool fill_environment(char *list[ENVIRONMENT_MAX], char *zone, size_t size, const char *const *more)
{
	static char path[] = "PATH=" MG_RUN_PATH, locale[] = "LC_ALL=C";
	const char *tz = getenv("TZ");
	size_t n = 0;
	int length;

	list[n++] = path;
	list[n++] = locale;
	length = tz == NULL ? 0 : snprintf(zone, size, "TZ=%s", tz);
	if (length > 0 && (size_t)length < size)
		list[n++] = zone;
	for (; more != NULL && *more != NULL; more++) {
		if (n + 1 == ENVIRONMENT_MAX)
			return false;
		list[n++] = (char *)*more;
	}
	list[n] = NULL;
	return true;
}

static int add_actions(posix_spawn_file_actions_t *actions, const struct child *child)
{
	int rc = posix_spawn_file_actions_adddup2(actions, child->in, STDIN_FILENO);

	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(actions, child->out_far, STDOUT_FILENO);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(actions, child->err_far, STDERR_FILENO);
	return rc == 0 ? posix_spawn_file_actions_addclosefrom_np(actions, FIRST_FREE) : rc;
}

static int set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none, all;
	int rc;

	sigemptyset(&none);
	sigfillset(&all);
	sigdelset(&all, SIGKILL);
	sigdelset(&all, SIGSTOP);
	rc = posix_spawnattr_setflags(
		attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	if (rc == 0)
		rc = posix_spawnattr_setsigmask(attributes, &none);
	return rc == 0 ? posix_spawnattr_setsigdefault(attributes, &all) : rc;
}

/* Returns 0 or the error's number. */
static int start(const struct mg_run *run, const char *path, struct child *child)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	char *environment[ENVIRONMENT_MAX], zone[256];
	int rc;

	if (!fill_environment(environment, zone, sizeof zone, run->environment))
		return E2BIG;
	if ((rc = posix_spawn_file_actions_init(&actions)) != 0)
		return rc;
	if ((rc = posix_spawnattr_init(&attributes)) != 0) {
		posix_spawn_file_actions_destroy(&actions);
		return rc;
	}
	rc = add_actions(&actions, child);
	if (rc == 0)
		rc = set_attributes(&attributes);
	if (rc == 0)
		rc = posix_spawn(&child->pid, path, &actions, &attributes, (char *const *)run->argv, environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return rc;
}

/* Reads what there is; closes *fd at its end. */
static void drain(int *fd, struct mg_buf *out)
{
	char block[8192];

	while (*fd >= 0) {
		ssize_t n = read(*fd, block, sizeof block);

		if (n > 0)
			mg_buf_add(out, mg_str_of(block, (size_t)n));
		else if (n < 0 && errno == EINTR)
			continue;
		else if (n < 0 && errno == EAGAIN)
			return;
		else
			mg_fd_close(fd);
	}
}

static void look_for_end(struct child *child)
{
	pid_t pid;

	if (child->has_ended)
		return;
	do
		pid = waitpid(child->pid, &child->wait_status, WNOHANG);
	while (pid < 0 && errno == EINTR);
	if (pid == 0)
		return;
	child->has_ended = true;
	if (pid < 0)
		child->wait_status = -1;
	mg_fd_close(&child->pidfd);
}

/* Until it has ended and both pipes are at their end. A grandchild may keep a pipe open: after the end of the program
 * itself we wait for that only a moment. False at the deadline. */
static bool follow(struct child *child, int64_t deadline_us, struct mg_run_result *result)
{
	for (;;) {
		struct pollfd fds[] = { { child->out, POLLIN, 0 }, { child->err, POLLIN, 0 },
			{ child->pidfd, POLLIN, 0 } };
		bool was_running = !child->has_ended;
		int64_t left_ms;

		drain(&child->out, &result->out);
		drain(&child->err, &result->err);
		look_for_end(child);
		if (child->has_ended && was_running) {
			int64_t soon_us = mg_mono_us() + AFTER_EXIT_MS * MG_MS_US;

			deadline_us = soon_us < deadline_us ? soon_us : deadline_us;
			continue;
		}
		if (child->has_ended && child->out < 0 && child->err < 0)
			return true;
		left_ms = (deadline_us - mg_mono_us() + MG_MS_US - 1) / MG_MS_US;
		if (left_ms <= 0)
			return child->has_ended;
		if (!child->has_ended && child->pidfd < 0 && left_ms > NAP_MS)
			left_ms = NAP_MS;
		fds[0].fd = child->out; /* drain() may have closed them */
		fds[1].fd = child->err;
		poll(fds, 3, left_ms > INT16_MAX ? INT16_MAX : (int)left_ms);
	}
}

static void kill_group(struct child *child)
{
	kill(-child->pid, SIGKILL);
	while (!child->has_ended && waitpid(child->pid, &child->wait_status, 0) < 0 && errno == EINTR)
		;
	child->has_ended = true;
}

static enum mg_rc run_child(const struct mg_run *run, const char *path, struct child *child,
	struct mg_run_result *result, struct mg_err *err)
{
	int64_t deadline_us = mg_mono_us() + run->timeout_ms * MG_MS_US;
	int rc = start(run, path, child);

	if (rc != 0)
		return mg_err_sys(err, MG_EIO, rc, "%s can't be run", path);
	child->pidfd = (int)syscall(SYS_pidfd_open, child->pid, 0);
	mg_fd_close(&child->in);
	mg_fd_close(&child->out_far);
	mg_fd_close(&child->err_far);
	if (!follow(child, deadline_us, result)) {
		kill_group(child);
		drain(&child->out, &result->out);
		drain(&child->err, &result->err);
		return mg_err_set(err, MG_ETIME, "%s was stopped: it had not ended after %d ms", path, run->timeout_ms);
	}
	if (child->wait_status == -1)
		return mg_err_set(err, MG_EIO, "how %s ended is unknown: its status was taken by somebody else", path);
	result->status =
		WIFSIGNALED(child->wait_status) ? 128 + WTERMSIG(child->wait_status) : WEXITSTATUS(child->wait_status);
	return MG_OK;
}

enum mg_rc mg_run(const struct mg_run *run, struct mg_run_result *result_out, struct mg_err *err)
{
	struct child child = { .pidfd = -1, .in = -1, .out = -1, .err = -1, .out_far = -1, .err_far = -1 };
	char path[PATH_BYTES];
	enum mg_rc rc;

	*result_out = (struct mg_run_result){ .status = -1 };
	mg_buf_init(&result_out->out, run->out_max);
	mg_buf_init(&result_out->err, run->err_max);
	if (!find_program(run->argv[0], path, sizeof path))
		return mg_err_set(err, MG_ENOENT, "there is no program %s", run->argv[0]);
	child.in = make_input(run->input);
	if (child.in < 0 || !make_pipe(&child.out, &child.out_far) ||
		!(run->err_is_terminal ? make_terminal : make_pipe)(&child.err, &child.err_far))
		rc = mg_err_sys(err, MG_EIO, errno, "no pipes for %s", path);
	else
		rc = run_child(run, path, &child, result_out, err);
	mg_fd_close(&child.in);
	mg_fd_close(&child.out);
	mg_fd_close(&child.err);
	mg_fd_close(&child.out_far);
	mg_fd_close(&child.err_far);
	mg_fd_close(&child.pidfd);
	return rc;
}

void mg_run_fini(struct mg_run_result *result)
{
	mg_buf_fini(&result->out);
	mg_buf_fini(&result->err);
}

const char *mg_run_said(const struct mg_run_result *result, char *place, size_t size)
{
	struct mg_str rest = mg_str_trim(mg_buf_str(result->err.n > 0 ? &result->err : &result->out));

	mg_str_copy(place, size, mg_str_trim(mg_str_cut(&rest, '\n')));
	return place;
}
