/* master.h - Postfix's master: whether it runs, and since when with which configuration.
 *
 * Threads: safe from any; reads /proc and the queue directory. */
#ifndef MG_HEALTH_MASTER_H
#define MG_HEALTH_MASTER_H

#include "health/check.h"
#include "health/process.h"

enum mg_master_state { MG_MASTER_RUNS, MG_MASTER_DOWN, MG_MASTER_UNKNOWN };

struct mg_master {
	enum mg_master_state state;
	struct mg_process process; /* when it runs */
};

/* The master of the instance with this queue directory: who holds the lock on pid/master.pid. */
struct mg_master mg_master_of(const char *queue_directory);

/* When master last read its configuration, wall seconds: the queue manager is started anew at every reload. 0: not known. */
int64_t mg_master_read_s(const struct mg_master *master);

/* "postfix VERB", of another instance "postfix -c DIR VERB"; to start it and ask for its status "systemctl VERB postfix" where systemd
 * runs. In the finding's memory. */
const char *mg_master_command(const struct mg_check_env *env, struct mg_finding *finding, const char *verb);

#endif
