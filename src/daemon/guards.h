/* guards.h - the worker's guards: their state in the shared memory, the store of the limits as configured, the snapshot on disk.
 *
 * Threads: made, changed and ticked by the loop's; what they offer is safe from any. */
#ifndef MG_DAEMON_GUARDS_H
#define MG_DAEMON_GUARDS_H

#include "conf/conf.h"
#include "control/jobs.h"
#include "daemon/hot.h"
#include "guard/guards.h"
#include "guard/redis_store.h"

struct mg_worker_guards;

/* `hot` and `dns` outlive them. */
MG_MUSTCHECK
enum mg_rc mg_worker_guards_start(struct mg_hot *hot, const struct mg_conf *conf, const struct mg_lookup_source *dns,
	struct mg_worker_guards **guards_out, struct mg_err *err);

/* What the engine judges by; as long as the worker lives. */
const struct mg_guards *mg_worker_guards_all(const struct mg_worker_guards *guards);

/* A reload: another store of the limits, where it is another. */
void mg_worker_guards_set_conf(struct mg_worker_guards *guards, const struct mg_conf *conf);

/* How the shared store does; false: there is none. From any thread. */
bool mg_worker_guards_store(struct mg_worker_guards *guards, struct mg_redis_stats *stats_out);

/* Once a second: has the snapshot written, and the record asked what became of the mail of logins, where that is due. */
void mg_worker_guards_tick(struct mg_worker_guards *guards, const struct mg_conf *conf, struct mg_jobs *jobs);

/* The last snapshot of this worker, now. */
void mg_worker_guards_save(struct mg_worker_guards *guards);

#endif
