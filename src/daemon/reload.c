/* The new configuration is read on the jobs' thread and put in force on the loop. */
#include "daemon/worker_state.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/channel.h"
#include "milter/milter.h"

struct reload {
	struct mg_job job; /* first */
	struct worker *worker;
	const struct mg_conf *next; /* NULL: refused */
	gid_t admins;
	struct mg_err err;
	mg_reload_told told;
	void *cookie;
};

static void read_conf(struct mg_job *job)
{
	struct reload *reload = (struct reload *)job;
	const struct mg_conf *now = mg_worker_pin_conf(reload->worker);

	if (mg_conf_load(now->path, &reload->next, &reload->err) == MG_OK &&
		mg_conf_may_replace(now, reload->next, &reload->err) != MG_OK)
		mg_conf_unref(&reload->next);
	if (reload->next != NULL)
		reload->admins = mg_control_group_id(reload->next->control.admin_group);
	mg_conf_unref(&now);
}

static void put_in_force(struct worker *w, const struct mg_conf *next, gid_t admins)
{
	const struct mg_conf *before;
	struct mg_resolver_options resolver;
	struct mg_err err = { "" };
	bool is_other_log, is_other_journal;

	pthread_mutex_lock(&w->conf_lock);
	before = w->conf;
	w->conf = mg_conf_ref(next);
	pthread_mutex_unlock(&w->conf_lock);
	is_other_log = !mg_str_eq(mg_str_z(before->postfix.log), mg_str_z(next->postfix.log)) ||
		       !mg_str_eq(mg_str_z(before->postfix.config_directory), mg_str_z(next->postfix.config_directory));
	is_other_journal = !mg_str_eq(mg_str_z(before->journal.path), mg_str_z(next->journal.path)) ||
			   before->journal.pseudonymize != next->journal.pseudonymize;
	resolver = mg_worker_resolver_options(next);
	if (mg_resolver_set_options(w->resolver, &resolver, &err) != MG_OK)
		mg_log(MG_LOG_ERROR, "dns-servers-kept: %s", err.text);
	mg_engine_set_conf(w->engine, next);
	mg_worker_guards_set_conf(w->guards, next);
	mg_follower_set_conf(w->follower, next);
	mg_health_set_conf(w->health, next);
	mg_milter_set_max_sessions((unsigned)next->milter.max_sessions);
	if (w->control != NULL)
		mg_control_set_admins(w->control, admins);
	if (is_other_log || is_other_journal)
		mg_worker_stop_reader(w);
	if (is_other_journal)
		mg_worker_close_journal(w);
	if (mg_worker_has_journal(w))
		mg_journal_set_retention(w->journal, (unsigned)next->journal.keep_days, (unsigned)next->journal.max_mb);
	mg_worker_start_recording(w);
	mg_conf_unref(&before);
	w->o.hot->counters.last_reload_us = mg_wall_us();
}

static void conf_read(struct mg_job *job)
{
	struct reload *reload = (struct reload *)job;
	struct worker *w = reload->worker;
	bool is_ok = reload->next != NULL;

	if (is_ok)
		put_in_force(w, reload->next, reload->admins);
	mg_channel_send(w->o.channel, is_ok ? MG_WORD_RELOADED : MG_WORD_REFUSED, reload->err.text, -1);
	if (reload->told != NULL)
		reload->told(reload->cookie, is_ok ? NULL : reload->err.text);
	mg_conf_unref(&reload->next);
	free(reload);
}

static void refuse_reload(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	conf_read(arg);
}

void mg_worker_reload(void *context, mg_reload_told told, void *cookie)
{
	static const struct timeval at_once = { 0 };
	struct worker *w = context;
	struct reload *reload = calloc(1, sizeof *reload);

	mg_assert(reload != NULL); /* nothing was taken yet: the supervisor begins anew */
	*reload = (struct reload){ .job = { read_conf, conf_read, NULL }, .worker = w, .told = told, .cookie = cookie };
	if (mg_jobs_add(w->jobs, &reload->job))
		return;
	mg_err_set(&reload->err, MG_EBUSY, "too many questions wait for an answer; try again");
	event_base_once(w->base, -1, EV_TIMEOUT, refuse_reload, reload, &at_once);
}
