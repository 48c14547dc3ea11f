/* supervisor.h - the main process: owns the listening sockets, the signals, the watchdog and the memory that outlives a
 * worker; starts one worker and keeps it honest.
 *
 *   SIGTERM, SIGINT   drain: the worker finishes what is in flight, at most MG_DRAIN_S
 *   SIGHUP            reload
 *   SIGUSR2           upgrade: check the installed binary, then become it, sockets and memory kept
 *   worker's death    a fresh worker at once; from the second death in a row a growing pause
 *   no worker ready for MG_DEAF_S, or two failed self-probes: accept and close, so that Postfix's default action applies
 *
 * Threads: one; it never blocks on anything but poll. */
#ifndef MG_DAEMON_SUPERVISOR_H
#define MG_DAEMON_SUPERVISOR_H

#include "conf/conf.h"
#include "daemon/doors.h"
#include "daemon/hot.h"

enum { MG_DRAIN_S = 20, MG_DEAF_S = 5, MG_YIELD_S = 3 };

struct mg_supervisor_options {
	const struct mg_conf *conf; /* one reference is taken over */
	struct mg_doors *doors;
	struct mg_hot *hot;
	int hot_fd;
	char **argv;        /* for the upgrade */
	const char *binary; /* the installed path of ourselves */
	pid_t old_worker;   /* of the process we were before an upgrade; 0 none */
	int old_channel;    /* its channel, -1 none */
};

/* Runs until stopped; returns the process's exit status. */
int mg_supervisor_run(const struct mg_supervisor_options *options);

/* What an upgrade left to us in the environment; false: nothing. Everything in *doors_out etc. may be -1. */
bool mg_supervisor_kept(struct mg_doors *doors_out, int *hot_fd_out, pid_t *worker_out, int *channel_out);

#endif
