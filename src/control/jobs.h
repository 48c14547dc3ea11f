/* jobs.h - work that may block, done beside the main loop, with its end told on the loop.
 *
 * One thread, a bounded queue, as long as the process lives. A job's `run` is called on that thread, then its `done` on
 * the loop; both exactly once.
 *
 * Threads: the loop's. */
#ifndef MG_CONTROL_JOBS_H
#define MG_CONTROL_JOBS_H

#include <event2/event.h>

#include "base/rc.h"
#include "base/str.h"

enum { MG_JOBS_MAX = 64 };

struct mg_jobs;
struct mg_job {
	void (*run)(struct mg_job *job);
	void (*done)(struct mg_job *job); /* frees the job */
	struct mg_job *next;
};

MG_MUSTCHECK
enum mg_rc mg_jobs_start(struct event_base *base, struct mg_jobs **jobs_out, struct mg_err *err);
/* False: too many wait; the job stays the caller's. */
bool mg_jobs_add(struct mg_jobs *jobs, struct mg_job *job);

#endif
