#include "daemon/doors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 1024, FIRST_PASSED_FD = 3, MOST_PASSED_FDS = 16 };

const char *mg_doors_name(enum mg_door door)
{
	static const char *const names[MG_DOORS] = { "milter", "policy", "control" };

	return names[door];
}

enum mg_rc mg_make_directory_of(const char *path, mode_t mode, uid_t uid, gid_t gid, bool may_chown, struct mg_err *err)
{
	char directory[256];
	size_t slash = mg_str_rfind(mg_str_z(path), '/');

	if (slash == SIZE_MAX || slash == 0)
		return MG_OK;
	if (!mg_str_copy(directory, sizeof directory, mg_str_first(mg_str_z(path), slash)))
		return mg_err_set(err, MG_ERANGE, "the directory of %s has too long a name", path);
	if (mkdir(directory, mode) != 0) {
		if (errno == EEXIST)
			return MG_OK;
		return mg_err_sys(err, MG_EIO, errno, "can't make the directory %s", directory);
	}
	if (chmod(directory, mode) != 0 || (may_chown && chown(directory, uid, gid) != 0))
		return mg_err_sys(err, MG_EIO, errno, "can't give the directory %s its owner and mode", directory);
	return MG_OK;
}

/* A socket file that nobody answers on is a left-over of a crash. */
static enum mg_rc clear_stale(const struct mg_endpoint *endpoint, const char *path, struct mg_err *err)
{
	struct stat info;
	int fd;

	if (lstat(path, &info) != 0)
		return MG_OK;
	if (!S_ISSOCK(info.st_mode))
		return mg_err_set(err, MG_EBUSY, "%s exists and is no socket: remove it, or change `listen`", path);
	fd = mg_endpoint_connect(endpoint, 1000);
	if (fd >= 0) {
		mg_fd_close(&fd);
		return mg_err_set(err, MG_EBUSY,
			"somebody already listens on %s: is mailguardd running? "
			"(systemctl status mailguard)",
			path);
	}
	if (unlink(path) != 0)
		return mg_err_sys(err, MG_EIO, errno, "can't remove the stale socket %s", path);
	return MG_OK;
}

static enum mg_rc prepare_path(
	enum mg_door door, const struct mg_endpoint *endpoint, const struct mg_owner *owner, struct mg_err *err)
{
	const char *path = ((const struct sockaddr_un *)&endpoint->address)->sun_path;
	bool is_control = door == MG_DOOR_CONTROL;
	enum mg_rc rc = mg_make_directory_of(path, is_control ? 0755 : 0710, owner->uid,
		is_control ? owner->gid : owner->door_gid, owner->may_chown, err);

	return rc != MG_OK ? rc : clear_stale(endpoint, path, err);
}

static enum mg_rc dress_path(enum mg_door door, const char *path, const struct mg_owner *owner, struct mg_err *err)
{
	gid_t gid = door == MG_DOOR_CONTROL ? owner->control_gid : owner->door_gid;

	if (chmod(path, 0660) != 0)
		return mg_err_sys(err, MG_EIO, errno, "can't set the mode of %s", path);
	if (owner->may_chown && chown(path, owner->uid, gid) != 0)
		return mg_err_sys(err, MG_EIO, errno, "can't set the owner of %s", path);
	return MG_OK;
}

static enum mg_rc open_door(enum mg_door door, const struct mg_owner *owner, struct mg_doors *doors, struct mg_err *err)
{
	const struct mg_endpoint *endpoint = &doors->endpoint[door];
	bool is_unix = endpoint->address.ss_family == AF_UNIX;
	const char *path = ((const struct sockaddr_un *)&endpoint->address)->sun_path;
	enum mg_rc rc = is_unix ? prepare_path(door, endpoint, owner, err) : MG_OK;
	int on = 1, fd;

	if (rc != MG_OK)
		return rc;
	fd = socket(endpoint->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return mg_err_sys(err, MG_EIO, errno, "no socket for %s", endpoint->text);
	if (!is_unix)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (const void *)&endpoint->address, endpoint->length) != 0 || listen(fd, BACKLOG) != 0) {
		rc = mg_err_sys(
			err, MG_EIO, errno, "can't listen on %s (%s.listen)", endpoint->text, mg_doors_name(door));
		mg_fd_close(&fd);
		return rc;
	}
	doors->fd[door] = fd;
	doors->is_ours[door] = true;
	return is_unix ? dress_path(door, path, owner, err) : MG_OK;
}

/* systemd's protocol: descriptors from 3 on, for us if LISTEN_PID is ours. */
static enum mg_rc take_passed(struct mg_doors *doors, struct mg_err *err)
{
	const char *count_text = getenv("LISTEN_FDS"), *pid_text = getenv("LISTEN_PID");
	uint64_t count, pid;

	if (count_text == NULL || pid_text == NULL || !mg_str_to_u64(mg_str_z(pid_text), INT32_MAX, &pid) ||
		(pid_t)pid != getpid())
		return MG_OK;
	if (!mg_str_to_u64(mg_str_z(count_text), MOST_PASSED_FDS, &count))
		return mg_err_set(err, MG_ERANGE, "LISTEN_FDS=%s is no count of sockets", count_text);
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDNAMES");
	for (int fd = FIRST_PASSED_FD; fd < FIRST_PASSED_FD + (int)count; fd++) {
		int door = 0;

		while (door < MG_DOORS &&
			!(doors->endpoint[door].length > 0 && mg_endpoint_is(&doors->endpoint[door], fd)))
			door++;
		if (door == MG_DOORS)
			return mg_err_set(err, MG_EBUSY,
				"systemd passed a socket (descriptor %d) that no `listen` of the configuration names: "
				"make ListenStream= of the socket unit and `listen` agree",
				fd);
		doors->fd[door] = fd;
		mg_fd_cloexec(fd, true);
		mg_fd_nonblocking(fd, true);
	}
	return MG_OK;
}

static void take_kept(const struct mg_doors *kept, struct mg_doors *doors)
{
	for (int door = 0; door < MG_DOORS; door++) {
		if (kept->fd[door] < 0)
			continue;
		if (doors->fd[door] < 0 && doors->endpoint[door].length > 0 &&
			mg_endpoint_is(&doors->endpoint[door], kept->fd[door])) {
			doors->fd[door] = kept->fd[door];
			doors->is_ours[door] = kept->is_ours[door];
			mg_fd_cloexec(kept->fd[door], true);
		} else {
			close(kept->fd[door]);
		}
	}
}

static enum mg_rc parse_endpoints(const struct mg_conf *conf, struct mg_doors *doors, struct mg_err *err)
{
	const char *listen[MG_DOORS] = { conf->milter.listen, conf->policy.listen, conf->control.listen };

	for (int door = 0; door < MG_DOORS; door++) {
		enum mg_rc rc = mg_endpoint_parse(mg_str_z(listen[door]), &doors->endpoint[door], err);

		doors->fd[door] = -1;
		doors->is_ours[door] = false;
		if (rc != MG_OK && rc != MG_ENOENT)
			return rc;
	}
	return MG_OK;
}

enum mg_rc mg_doors_open(const struct mg_conf *conf, const struct mg_owner *owner, const struct mg_doors *kept,
	struct mg_doors *doors_out, struct mg_err *err)
{
	enum mg_rc rc = parse_endpoints(conf, doors_out, err);

	if (rc == MG_OK && kept != NULL)
		take_kept(kept, doors_out);
	if (rc == MG_OK)
		rc = take_passed(doors_out, err);
	for (int door = 0; rc == MG_OK && door < MG_DOORS; door++)
		if (doors_out->fd[door] < 0 && doors_out->endpoint[door].length > 0)
			rc = open_door((enum mg_door)door, owner, doors_out, err);
	if (rc != MG_OK)
		mg_doors_close(doors_out);
	return rc;
}

void mg_doors_close(struct mg_doors *doors)
{
	for (int door = 0; door < MG_DOORS; door++) {
		if (doors->fd[door] >= 0 && doors->is_ours[door] && doors->endpoint[door].address.ss_family == AF_UNIX)
			unlink(((const struct sockaddr_un *)&doors->endpoint[door].address)->sun_path);
		mg_fd_close(&doors->fd[door]);
	}
}
