#include "daemon/guards.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "guard/memory_store.h"

enum { SNAPSHOT_S = 10 };

struct mg_worker_guards {
	struct mg_guards all;
	struct mg_state *state;
	struct mg_seen seen;
	struct mg_limit_store memory;

	pthread_mutex_t saving; /* one snapshot at a time; the path */
	char *snapshot;         /* "" none */
	int64_t due_us;
	bool is_failing; /* said once */
};

static void set_snapshot(struct mg_worker_guards *guards, const char *path)
{
	char *copy = mg_str_dup(mg_str_z(path));

	if (copy == NULL)
		return;
	pthread_mutex_lock(&guards->saving);
	free(guards->snapshot);
	guards->snapshot = copy;
	pthread_mutex_unlock(&guards->saving);
}

enum mg_rc mg_worker_guards_start(struct mg_hot *hot, const struct mg_conf *conf, const struct mg_lookup_source *dns,
	struct mg_worker_guards **guards_out, struct mg_err *err)
{
	struct mg_worker_guards *guards = calloc(1, sizeof *guards);
	enum mg_rc rc;

	if (guards == NULL || (guards->all.inquiries = mg_inquiries_new(dns)) == NULL) {
		free(guards);
		return mg_err_set(err, MG_ENOMEM, "no memory for the guards");
	}
	*guards_out = guards; /* as long as the process lives */
	pthread_mutex_init(&guards->saving, NULL);
	guards->due_us = mg_mono_us() + SNAPSHOT_S * MG_S_US;
	set_snapshot(guards, conf->state.snapshot);
	if ((rc = mg_hot_state(hot, &guards->state, err)) != MG_OK)
		return rc;
	guards->seen.state = guards->state;
	guards->all.state = guards->state;
	guards->all.seen = &guards->seen;
	mg_memory_store(guards->state, &guards->memory);
	guards->all.limits = &guards->memory;
	return MG_OK;
}

const struct mg_guards *mg_worker_guards_all(const struct mg_worker_guards *guards)
{
	return &guards->all;
}

void mg_worker_guards_set_conf(struct mg_worker_guards *guards, const struct mg_conf *conf)
{
	set_snapshot(guards, conf->state.snapshot);
}

void mg_worker_guards_save(struct mg_worker_guards *guards)
{
	struct mg_err err = { "" };
	enum mg_rc rc = MG_OK;

	pthread_mutex_lock(&guards->saving);
	if (guards->snapshot != NULL && guards->snapshot[0] != '\0')
		rc = mg_state_save(guards->state, guards->snapshot, &err);
	if (rc != MG_OK && !guards->is_failing)
		mg_log(MG_LOG_ERROR, "snapshot-not-written: %s; limits and bans would not outlive a restart", err.text);
	guards->is_failing = rc != MG_OK;
	pthread_mutex_unlock(&guards->saving);
}

struct save_job {
	struct mg_job job; /* first */
	struct mg_worker_guards *guards;
};

static void save(struct mg_job *job)
{
	mg_worker_guards_save(((struct save_job *)job)->guards);
}

static void saved(struct mg_job *job)
{
	free(job);
}

void mg_worker_guards_tick(struct mg_worker_guards *guards, struct mg_jobs *jobs)
{
	struct save_job *job;

	if (mg_mono_us() < guards->due_us || jobs == NULL || (job = calloc(1, sizeof *job)) == NULL)
		return;
	guards->due_us = mg_mono_us() + SNAPSHOT_S * MG_S_US;
	*job = (struct save_job){ .job = { save, saved, NULL }, .guards = guards };
	if (!mg_jobs_add(jobs, &job->job))
		free(job);
}
