/* local_socket.h - a unix socket that one program of this machine opens for another: is it there, may the other use it, does somebody
 * listen?
 *
 * Threads: safe from any; blocks up to the deadline. */
#ifndef MG_HEALTH_LOCAL_SOCKET_H
#define MG_HEALTH_LOCAL_SOCKET_H

#include "health/dovecot_conf.h"

enum mg_local_socket_state {
	MG_LOCAL_SOCKET_FINE,
	MG_LOCAL_SOCKET_MISSING,
	MG_LOCAL_SOCKET_NO_SOCKET, /* something else has its name */
	MG_LOCAL_SOCKET_FORBIDDEN, /* the account may not connect */
	MG_LOCAL_SOCKET_DEAD,      /* nobody listens */
	MG_LOCAL_SOCKET_UNSEEN,    /* not for our eyes: needs root */
};

struct mg_local_socket {
	enum mg_local_socket_state state;
	char path[1024];   /* absolute */
	char seen[160];    /* "mode 0660, owner postfix:postfix", "" when it is not there */
	char trouble[160]; /* the system's word, "" */
};

/* `path`: relative to Postfix's queue directory, or absolute. `account`: who must be able to connect. *fd_out: the connection, -1 unless
 * FINE; the caller's. */
void mg_local_socket_look(const struct mg_postfix *postfix, const char *path, const char *account, int64_t deadline_us,
	struct mg_local_socket *socket_out, int *fd_out);

/* Says what is wrong with it (crit, or unknown), why, and Dovecot's lines that mend it; nothing when it is fine. `setting`: what names it in
 * main.cf; `service`: "auth" or "lmtp". */
void mg_local_socket_judge(const struct mg_check_env *env, struct mg_finding *finding,
	const struct mg_local_socket *socket, const struct mg_dovecot *dovecot, const char *setting,
	const char *service);

#endif
