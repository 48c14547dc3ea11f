/* worker.h - the process that does the work: both doors, the engine, and the roles (journal, log reader, health,
 * control). Started by the supervisor's fork, in a session of its own, and told everything over the channel.
 *
 * Threads: the caller's becomes the main loop. */
#ifndef MG_DAEMON_WORKER_H
#define MG_DAEMON_WORKER_H

#include "conf/conf.h"
#include "daemon/doors.h"
#include "daemon/hot.h"

struct mg_worker_options {
	const struct mg_conf *conf;
	const struct mg_doors *doors;
	struct mg_hot *hot;
	int channel;   /* ours */
	int others[2]; /* the supervisor's ends of other channels, to be closed; -1 none */
};

/* Runs to the end of a drain, and ends the process. */
_Noreturn void mg_worker_run(const struct mg_worker_options *options);

#endif
