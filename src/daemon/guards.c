#include "daemon/guards.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "guard/account.h"
#include "guard/chosen_store.h"
#include "journal/query.h"

enum { SNAPSHOT_S = 10, RECORD_S = 60, RECORD_MS = 3000 };

struct mg_worker_guards {
	struct mg_guards all;
	struct mg_state *state;
	struct mg_seen seen;
	struct mg_chosen_store *store;

	pthread_mutex_t choosing; /* the store */
	pthread_mutex_t saving;   /* one snapshot at a time; the path */
	char *snapshot;           /* "" none */
	int64_t snapshot_due_us, record_due_us;
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

/* A store that can't be begun is no reason not to serve: the limits are this machine's own, and state.store says so. */
static void set_store(struct mg_worker_guards *guards, const struct mg_conf *conf)
{
	struct mg_err err = { "" };

	pthread_mutex_lock(&guards->choosing);
	if (mg_chosen_store_set(guards->store, conf, &err) != MG_OK)
		mg_log(MG_LOG_ERROR, "store-not-begun: %s; limits are this machine's own", err.text);
	pthread_mutex_unlock(&guards->choosing);
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
	pthread_mutex_init(&guards->choosing, NULL);
	guards->snapshot_due_us = mg_mono_us() + SNAPSHOT_S * MG_S_US;
	guards->record_due_us = mg_mono_us() + RECORD_S * MG_S_US;
	set_snapshot(guards, conf->state.snapshot);
	if ((rc = mg_hot_state(hot, &guards->state, err)) != MG_OK)
		return rc;
	guards->seen.state = guards->state;
	guards->all.state = guards->state;
	guards->all.seen = &guards->seen;
	guards->store = mg_chosen_store_new(guards->state);
	if (guards->store == NULL)
		return mg_err_set(err, MG_ENOMEM, "no memory for the limits");
	guards->all.limits = mg_chosen_store(guards->store);
	set_store(guards, conf);
	return MG_OK;
}

const struct mg_guards *mg_worker_guards_all(const struct mg_worker_guards *guards)
{
	return &guards->all;
}

void mg_worker_guards_set_conf(struct mg_worker_guards *guards, const struct mg_conf *conf)
{
	set_snapshot(guards, conf->state.snapshot);
	set_store(guards, conf);
}

bool mg_worker_guards_store(struct mg_worker_guards *guards, struct mg_redis_stats *stats_out)
{
	bool is_shared;

	pthread_mutex_lock(&guards->choosing);
	is_shared = mg_chosen_store_stats(guards->store, stats_out);
	pthread_mutex_unlock(&guards->choosing);
	return is_shared;
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

/* ---- what is done now and then, beside the loop ---- */

struct chore {
	struct mg_job job; /* first */
	struct mg_worker_guards *guards;
	const struct mg_conf *conf;
};

static void stop_retired(struct mg_worker_guards *guards)
{
	struct mg_redis_store *retired;

	pthread_mutex_lock(&guards->choosing);
	retired = mg_chosen_store_take_retired(guards->store, mg_mono_us());
	pthread_mutex_unlock(&guards->choosing);
	mg_redis_store_stop(&retired);
}

static void save(struct mg_job *job)
{
	struct mg_worker_guards *guards = ((struct chore *)job)->guards;

	stop_retired(guards);
	mg_worker_guards_save(guards);
}

static void take_outcomes(void *context, const struct mg_login_outcomes *outcomes)
{
	struct mg_account_outcomes told = { outcomes->recipients, outcomes->undelivered, outcomes->invalid };

	mg_account_outcomes(context, outcomes->login, &told);
}

static void ask_record(struct mg_job *job)
{
	const struct chore *chore = (struct chore *)job;
	struct mg_query *query = NULL;

	if (chore->conf->abuse.action == MG_ABUSE_OFF ||
		mg_query_open(chore->conf->journal.path, &query, NULL) != MG_OK)
		return;
	if (mg_query_logins(query, mg_wall_us() - MG_DAY_US, mg_mono_us() + RECORD_MS * MG_MS_US, take_outcomes,
		    chore->guards->state, NULL) != MG_OK)
		mg_log(MG_LOG_INFO, "accounts: the record did not answer in time");
	mg_query_close(&query);
}

static void done(struct mg_job *job)
{
	mg_conf_unref(&((struct chore *)job)->conf);
	free(job);
}

static void begin(struct mg_worker_guards *guards, const struct mg_conf *conf, struct mg_jobs *jobs,
	void (*work)(struct mg_job *))
{
	struct chore *chore = calloc(1, sizeof *chore);

	if (chore == NULL)
		return;
	*chore = (struct chore){ .job = { work, done, NULL }, .guards = guards, .conf = mg_conf_ref(conf) };
	if (!mg_jobs_add(jobs, &chore->job))
		done(&chore->job);
}

void mg_worker_guards_tick(struct mg_worker_guards *guards, const struct mg_conf *conf, struct mg_jobs *jobs)
{
	int64_t now_us = mg_mono_us();

	if (now_us >= guards->snapshot_due_us) {
		guards->snapshot_due_us = now_us + SNAPSHOT_S * MG_S_US;
		begin(guards, conf, jobs, save);
	}
	if (now_us >= guards->record_due_us) {
		guards->record_due_us = now_us + RECORD_S * MG_S_US;
		begin(guards, conf, jobs, ask_record);
	}
}
