#include "health/local_socket.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/i18n.h"
#include "health/process.h"

enum { GROUPS_MAX = 64, CONNECT_MS = 2000, NAMES_BYTES = 4096 };

/* ---- may it connect? ---- */

struct account {
	uid_t uid;
	gid_t groups[GROUPS_MAX];
	int count;
};

static bool look_up(const char *name, struct account *account_out)
{
	char space[NAMES_BYTES];
	struct passwd entry, *found = NULL;

	if (getpwnam_r(name, &entry, space, sizeof space, &found) != 0 || found == NULL)
		return false;
	account_out->uid = found->pw_uid;
	account_out->count = GROUPS_MAX;
	if (getgrouplist(name, found->pw_gid, account_out->groups, &account_out->count) < 0)
		account_out->count = GROUPS_MAX;
	return true;
}

/* Connecting wants the right to write. */
static bool may_write(const struct account *account, const struct stat *info)
{
	if (account->uid == 0)
		return true;
	if (account->uid == info->st_uid)
		return (info->st_mode & S_IWUSR) != 0;
	for (int i = 0; i < account->count; i++)
		if (account->groups[i] == info->st_gid)
			return (info->st_mode & S_IWGRP) != 0;
	return (info->st_mode & S_IWOTH) != 0;
}

static void describe(const struct stat *info, char *place, size_t size)
{
	char space[NAMES_BYTES], group_space[NAMES_BYTES];
	struct passwd user, *found_user = NULL;
	struct group group, *found_group = NULL;

	if (getpwuid_r(info->st_uid, &user, space, sizeof space, &found_user) != 0)
		found_user = NULL;
	if (getgrgid_r(info->st_gid, &group, group_space, sizeof group_space, &found_group) != 0)
		found_group = NULL;
	snprintf(place, size, "mode %04o, owner %.60s:%.60s", (unsigned)(info->st_mode & 07777),
		found_user == NULL ? "?" : found_user->pw_name, found_group == NULL ? "?" : found_group->gr_name);
}

/* ---- the look ---- */

static int connect_to(const char *path, int timeout_ms)
{
	struct mg_endpoint endpoint = { .length = sizeof(struct sockaddr_un) };
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (!mg_str_copy(address.sun_path, sizeof address.sun_path, mg_str_z(path))) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(&endpoint.address, &address, sizeof address);
	return mg_endpoint_connect(&endpoint, timeout_ms);
}

static enum mg_local_socket_state state_of(int errnum)
{
	return errnum == EACCES || errnum == EPERM     ? MG_LOCAL_SOCKET_UNSEEN
	       : errnum == ENOENT || errnum == ENOTDIR ? MG_LOCAL_SOCKET_MISSING
						       : MG_LOCAL_SOCKET_DEAD;
}

static void set_path(struct mg_local_socket *socket, const char *queue, const char *path)
{
	if (path[0] == '/')
		snprintf(socket->path, sizeof socket->path, "%s", path);
	else
		snprintf(socket->path, sizeof socket->path, "%s/%s", queue, path);
}

void mg_local_socket_look(const struct mg_postfix *postfix, const char *path, const char *account, int64_t deadline_us,
	struct mg_local_socket *socket_out, int *fd_out)
{
	int64_t left_ms = (deadline_us - mg_mono_us()) / MG_MS_US;
	struct account who;
	struct stat info;

	*fd_out = -1;
	*socket_out = (struct mg_local_socket){ .state = MG_LOCAL_SOCKET_FINE };
	set_path(socket_out, postfix->queue_directory, path);
	if (stat(socket_out->path, &info) != 0) {
		socket_out->state = state_of(errno);
		snprintf(socket_out->trouble, sizeof socket_out->trouble, "%s", strerrordesc_np(errno));
		return;
	}
	describe(&info, socket_out->seen, sizeof socket_out->seen);
	if (!S_ISSOCK(info.st_mode)) {
		socket_out->state = MG_LOCAL_SOCKET_NO_SOCKET;
		return;
	}
	*fd_out = connect_to(socket_out->path, left_ms < 1 ? 1 : left_ms > CONNECT_MS ? CONNECT_MS : (int)left_ms);
	if (*fd_out < 0) {
		socket_out->state = state_of(errno);
		snprintf(socket_out->trouble, sizeof socket_out->trouble, "%s", strerrordesc_np(errno));
	}
	if (socket_out->state != MG_LOCAL_SOCKET_DEAD && look_up(account, &who) && !may_write(&who, &info)) {
		socket_out->state = MG_LOCAL_SOCKET_FORBIDDEN;
		mg_fd_close(fd_out);
	}
}

/* ---- what is wrong with it ---- */

/* Whether Dovecot's configuration has it, by the same path. */
static bool is_configured(const struct mg_dovecot *dovecot, const char *path)
{
	char whole[MG_DOVECOT_TEXT * 2];

	for (size_t i = 0; i < dovecot->socket_count; i++) {
		const char *own = dovecot->socket[i].path;

		snprintf(whole, sizeof whole, "%s%s%s", own[0] == '/' ? "" : dovecot->base_dir,
			own[0] == '/' ? "" : "/", own);
		if (strcmp(whole, path) == 0)
			return true;
	}
	return false;
}

/* The listener, appended to Dovecot's configuration: what stands last there counts. */
static void fix_lines(const struct mg_check_env *env, struct mg_finding *finding, const struct mg_dovecot *dovecot,
	const char *path, const char *service)
{
	const char *file = dovecot->file[0] == '\0' ? "/etc/dovecot/dovecot.conf" : dovecot->file;

	mg_finding_fix(finding,
		"printf 'service %1 {\\n  unix_listener %2 {\\n    mode = 0660\\n    user = postfix\\n    group = postfix\\n  }\\n}\\n' >> %3 && %4 reload",
		service, path, file, mg_dovecot_program(env, finding, "doveadm"), NULL);
}

static void fix_start(const struct mg_check_env *env, struct mg_finding *finding)
{
	mg_finding_fix(finding, N_("%1 reload; if it does not run: %2"), mg_dovecot_program(env, finding, "doveadm"),
		mg_process_has_systemd() ? "systemctl start dovecot" : mg_dovecot_program(env, finding, "dovecot"),
		NULL);
}

void mg_local_socket_judge(const struct mg_check_env *env, struct mg_finding *finding,
	const struct mg_local_socket *socket, const struct mg_dovecot *dovecot, const char *setting,
	const char *service)
{
	if (socket->state == MG_LOCAL_SOCKET_FINE)
		return;
	if (socket->state == MG_LOCAL_SOCKET_UNSEEN) {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("the socket %1 can't be looked at"), socket->path, NULL);
		mg_finding_cause(finding, N_("needs root: %1"), socket->trouble, NULL);
	} else if (socket->state == MG_LOCAL_SOCKET_FORBIDDEN) {
		mg_finding_is(finding, MG_STATE_CRIT, N_("Postfix may not connect to %1, which %2 names"), socket->path,
			setting, NULL);
		mg_finding_cause(
			finding, N_("it has %1, and Postfix connects as the account postfix"), socket->seen, NULL);
		fix_lines(env, finding, dovecot, socket->path, service);
	} else if (socket->state == MG_LOCAL_SOCKET_DEAD || is_configured(dovecot, socket->path)) {
		mg_finding_is(finding, MG_STATE_CRIT, N_("nobody listens on %1, which %2 names"), socket->path, setting,
			NULL);
		mg_finding_cause(finding,
			N_("Dovecot does not run, or has not read its configuration since the socket was added"), NULL);
		fix_start(env, finding);
	} else {
		mg_finding_is(finding, MG_STATE_CRIT,
			socket->state == MG_LOCAL_SOCKET_MISSING ? N_("%1, which %2 names, is not there")
								 : N_("%1, which %2 names, is no socket"),
			socket->path, setting, NULL);
		mg_finding_cause(finding, N_("no service of Dovecot has a unix_listener with this path"), NULL);
		fix_lines(env, finding, dovecot, socket->path, service);
	}
}
