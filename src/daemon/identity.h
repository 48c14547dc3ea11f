/* identity.h - who the daemon is: users, groups, and giving up root.
 *
 * Threads: the supervisor's start. */
#ifndef MG_DAEMON_IDENTITY_H
#define MG_DAEMON_IDENTITY_H

#include "conf/conf.h"
#include "daemon/doors.h"

struct mg_identity {
	char user[64]; /* "" stays what it was started as */
	bool is_root;  /* at the start */
	struct mg_owner owner;
};

/* Looks users and groups up. A missing one is an error that names it and how to make it. Where Postfix's mail_owner can't
 * be told (no Postfix here) the doors get our own group. */
MG_MUSTCHECK
enum mg_rc mg_identity_find(const struct mg_conf *conf, struct mg_identity *identity_out, struct mg_err *err);

/* Becomes that user, with the supplementary groups adm, systemd-journal and postdrop where they exist. Nothing to do when
 * not started as root or `user` is "". */
MG_MUSTCHECK
enum mg_rc mg_identity_assume(const struct mg_identity *identity, struct mg_err *err);

#endif
