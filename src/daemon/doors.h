/* doors.h - the listening sockets: ours, systemd's (LISTEN_FDS) or kept over an upgrade.
 *
 * Threads: the supervisor's, before and after it has workers. */
#ifndef MG_DAEMON_DOORS_H
#define MG_DAEMON_DOORS_H

#include <sys/types.h>

#include "base/fd.h"
#include "conf/conf.h"

enum mg_door { MG_DOOR_MILTER, MG_DOOR_POLICY, MG_DOOR_CONTROL, MG_DOORS };
const char *mg_doors_name(enum mg_door door); /* "milter", ... */

struct mg_doors {
	struct mg_endpoint endpoint[MG_DOORS]; /* text "" when the door is off */
	int fd[MG_DOORS];                      /* -1: off */
	bool is_ours[MG_DOORS];                /* we made it, and remove its file at the end; else systemd did */
};

/* Who shall own what lies in the file system. */
struct mg_owner {
	uid_t uid;
	gid_t gid;      /* of directories and of the daemon */
	gid_t door_gid; /* of the milter and policy sockets: Postfix's mail_owner */
	gid_t control_gid;
	bool may_chown; /* started as root */
};

/* Opens what the configuration names. A socket passed by systemd is matched to a door by its own address; one that no
 * `listen` names is an error. `kept` (or NULL) holds descriptors of an upgrade; they are used where the address still
 * agrees. A stale socket file is replaced, a living one is an error. */
MG_MUSTCHECK
enum mg_rc mg_doors_open(const struct mg_conf *conf, const struct mg_owner *owner, const struct mg_doors *kept,
	struct mg_doors *doors_out, struct mg_err *err);

/* Closes and removes the socket files we made. */
void mg_doors_close(struct mg_doors *doors);

/* Makes the directory of `path` if it is absent. */
MG_MUSTCHECK
enum mg_rc mg_make_directory_of(
	const char *path, mode_t mode, uid_t uid, gid_t gid, bool may_chown, struct mg_err *err);

#endif
