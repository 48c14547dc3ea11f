/* The order of life: told to GO, the roles come up (journal, health, log reader, control), then the doors open. On the
 * way out the doors close first; a stop keeps the roles to the end, an upgrade gives them up at once and hands later
 * records to the next worker. */
#include "daemon/worker_state.h"

#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/thread.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/channel.h"
#include "milter/milter.h"

enum { TICK_MS = 1000, SHORT_TICK_MS = 20, DRAIN_LIMIT_S = 20, SESSIONS_GRACE_S = 2, DOORS_WAIT_MS = 1000 };

const struct mg_conf *mg_worker_pin_conf(void *context)
{
	struct worker *w = context;
	const struct mg_conf *conf;

	pthread_mutex_lock(&w->conf_lock);
	conf = mg_conf_ref(w->conf);
	pthread_mutex_unlock(&w->conf_lock);
	return conf;
}

/* ---- doors ---- */

static enum mg_rc open_control(struct worker *w, struct mg_err *err)
{
	struct mg_control_options options = { .base = w->base,
		.listen_fd = w->o.doors->fd[MG_DOOR_CONTROL],
		.jobs = w->jobs,
		.health = w->health,
		.counters = &w->o.hot->counters,
		.guards = mg_worker_guards_all(w->guards),
		.admins = mg_control_group_id(w->conf->control.admin_group),
		.context = w,
		.pin_conf = mg_worker_pin_conf,
		.figures = mg_worker_figures,
		.reload = mg_worker_reload };

	return options.listen_fd < 0 ? MG_OK : mg_control_start(&options, &w->control, err);
}

static enum mg_rc open_doors(struct worker *w, struct mg_err *err)
{
	struct mg_milter_options milter = { w->o.doors->fd[MG_DOOR_MILTER], (unsigned)w->conf->milter.max_sessions,
		w->engine, &w->o.hot->counters };
	struct mg_policy *policy = NULL;
	enum mg_rc rc = MG_OK;

	if (milter.listen_fd >= 0)
		rc = mg_milter_start(&milter, err);
	if (rc == MG_OK && w->o.doors->fd[MG_DOOR_POLICY] >= 0)
		rc = mg_policy_start(
			w->base, w->o.doors->fd[MG_DOOR_POLICY], w->engine, &w->o.hot->counters, &policy, err);
	w->policy = policy;
	return rc;
}

/* The doors wait a moment for the journal and for Postfix's configuration, so that the first message is recorded and judged
 * like every other; a disk or a postconf that takes longer must not keep mail waiting. */
static void on_door_tick(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	struct mg_err err = { "" };

	(void)fd;
	(void)what;
	if (!(w->knows_postfix && w->has_tried_journal) && mg_mono_us() < w->doors_due_us)
		return;
	event_del(w->door_tick);
	if (w->phase != PHASE_WAITING)
		return;
	if (open_doors(w, &err) != MG_OK) {
		mg_log(MG_LOG_ERROR, "worker-not-ready: %s", err.text);
		event_base_loopbreak(w->base);
		return;
	}
	w->phase = PHASE_SERVING;
	mg_channel_send(w->o.channel, MG_WORD_READY, "", -1);
}

static enum mg_rc serve(struct worker *w, struct mg_err *err)
{
	static const struct timeval often = { .tv_usec = SHORT_TICK_MS * 1000 };
	struct mg_health_options health = { w->conf, w, mg_worker_figures };
	struct mg_follower_options follower = { w->conf, w, mg_worker_postfix_read, mg_worker_is_stale };
	enum mg_rc rc;

	w->doors_due_us = mg_mono_us() + DOORS_WAIT_MS * MG_MS_US;
	if ((rc = mg_jobs_start(w->base, &w->jobs, err)) != MG_OK ||
		(rc = mg_follower_start(&follower, &w->follower, err)) != MG_OK ||
		(rc = mg_health_start(&health, false, &w->health, err)) != MG_OK ||
		(rc = open_control(w, err)) != MG_OK)
		return rc;
	mg_worker_start_recording(w);
	w->door_tick = event_new(w->base, -1, EV_PERSIST, on_door_tick, w);
	if (w->door_tick == NULL)
		return mg_err_set(err, MG_ENOMEM, "no memory for the main loop");
	event_add(w->door_tick, &often);
	return MG_OK;
}

/* ---- the way out ---- */

/* What only one worker may do. Checks and questions under way only read; they end with the process, so that nobody
 * waits for a slow postconf here. */
static void give_up_roles(struct worker *w)
{
	if (w->control != NULL)
		mg_control_stop_accepting(w->control);
	mg_worker_stop_reader(w);
	mg_engine_flush(w->engine);
	mg_worker_close_journal(w);
}

/* No message is in flight. Sessions between messages get a moment too: their next MAIL may be on its way. */
static bool is_quiet(const struct worker *w)
{
	struct mg_milter_stats milter;

	mg_milter_stats(&milter);
	if (milter.messages > 0 || (w->policy != NULL && mg_policy_connections(w->policy) > 0))
		return false;
	return milter.sessions == 0 || mg_mono_us() > w->drain_until_us - (DRAIN_LIMIT_S - SESSIONS_GRACE_S) * MG_S_US;
}

static void on_drain_tick(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	(void)fd;
	(void)what;
	if (is_quiet(w) || mg_mono_us() > w->drain_until_us)
		event_base_loopbreak(w->base);
}

static void drain(struct worker *w, bool is_yielding)
{
	static const struct timeval often = { .tv_usec = SHORT_TICK_MS * 1000 };
	struct mg_err err = { "" };

	if (w->phase == PHASE_DRAINING)
		return;
	if (w->phase == PHASE_WAITING) {
		event_base_loopbreak(w->base);
		return;
	}
	w->phase = PHASE_DRAINING;
	w->drain_until_us = mg_mono_us() + DRAIN_LIMIT_S * MG_S_US;
	if (w->o.doors->fd[MG_DOOR_MILTER] >= 0 && mg_milter_stop_accepting(&err) != MG_OK)
		mg_log(MG_LOG_ERROR, "drain: %s", err.text);
	if (w->policy != NULL)
		mg_policy_drain(w->policy);
	if (is_yielding) {
		w->is_yielding = true;
		give_up_roles(w);
		mg_channel_send(w->o.channel, MG_WORD_YIELDED, "", -1);
	}
	w->drain_tick = event_new(w->base, -1, EV_PERSIST, on_drain_tick, w);
	event_add(w->drain_tick, &often);
}

/* ---- the loop ---- */

static void take_word(struct worker *w, struct mg_message *message)
{
	struct mg_err err = { "" };

	switch (message->word) {
	case MG_WORD_GO:
		if (w->phase == PHASE_WAITING && serve(w, &err) != MG_OK) {
			mg_log(MG_LOG_ERROR, "worker-not-ready: %s", err.text);
			event_base_loopbreak(w->base);
		}
		break;
	case MG_WORD_RELOAD:
		if (w->phase == PHASE_SERVING)
			mg_worker_reload(w, NULL, NULL);
		break;
	case MG_WORD_YIELD:
	case MG_WORD_DRAIN:
		drain(w, message->word == MG_WORD_YIELD);
		break;
	case MG_WORD_RECORD:
		if (message->fd >= 0)
			mg_worker_take_record(w, message->fd);
		break;
	default:
		break;
	}
}

/* The supervisor is gone: finish what is in flight, and let a new daemon have the sockets at once. Those of systemd stay
 * as they are; ours are shut down, for libmilter's poll still holds its one for a while. */
static void go_alone(struct worker *w)
{
	int milter = w->o.doors->fd[MG_DOOR_MILTER] < 0 ? -1 : dup(w->o.doors->fd[MG_DOOR_MILTER]);

	event_del(w->channel);
	drain(w, false);
	if (w->control != NULL)
		mg_control_stop_accepting(w->control);
	for (int door = 0; door < MG_DOORS; door++) {
		int fd = door == MG_DOOR_MILTER ? milter : w->o.doors->fd[door];

		if (fd >= 0 && w->o.doors->is_ours[door])
			shutdown(fd, SHUT_RDWR);
		mg_fd_close(&fd);
	}
}

static void on_channel(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	struct mg_message message;
	int got;

	(void)what;
	while ((got = mg_channel_receive(fd, &message)) > 0) {
		take_word(w, &message);
		mg_fd_close(&message.fd);
	}
	if (got < 0)
		go_alone(w);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	int64_t now_us = mg_mono_us(), late_us = now_us - w->tick_due_us;

	(void)fd;
	(void)what;
	w->tick_due_us = now_us + TICK_MS * MG_MS_US;
	/* A minute's memory, fading. */
	w->loop_lag_us = late_us > w->loop_lag_us ? late_us : w->loop_lag_us - w->loop_lag_us / 60;
	if (w->engine != NULL) {
		mg_engine_pump(w->engine, now_us);
		mg_engine_sweep(w->engine, now_us);
	}
	if (w->phase == PHASE_SERVING) {
		mg_zone_tests_tick(w->zone_tests, w->conf);
		mg_worker_guards_tick(w->guards, w->conf, w->jobs);
	}
	if (w->phase == PHASE_SERVING && now_us > w->recording_retry_us && !mg_worker_has_journal(w))
		mg_worker_start_recording(w);
}

/* ---- DNS ---- */

struct mg_resolver_options mg_worker_resolver_options(const struct mg_conf *conf)
{
	return (struct mg_resolver_options){ .servers = (const char *const *)conf->dns.servers.item,
		.server_count = conf->dns.servers.count,
		.timeout_ms = (unsigned)conf->dns.timeout_ms,
		.tries = (unsigned)conf->dns.tries,
		.cache_entries = conf->dns.cache_entries };
}

static enum mg_rc start_dns(struct worker *w, struct mg_err *err)
{
	struct mg_resolver_options options = mg_worker_resolver_options(w->conf);
	enum mg_rc rc = mg_resolver_start(&options, &w->resolver, err);

	if (rc != MG_OK)
		return rc;
	w->zones = mg_dnsbl_zones_new();
	if (w->zones != NULL)
		w->zone_tests = mg_zone_tests_new(w->zones, mg_resolver_source(w->resolver));
	return w->zone_tests == NULL ? mg_err_set(err, MG_ENOMEM, "no memory for the DNS lists") : MG_OK;
}

static void on_pump(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	(void)fd;
	(void)what;
	mg_engine_pump(w->engine, mg_mono_us());
}

/* From the resolver's thread. */
static void wake_pump(void *context)
{
	struct worker *w = context;

	event_active(w->pump, EV_WRITE, 0);
}

/* ---- life ---- */

static enum mg_rc build(struct worker *w, struct mg_err *err)
{
	static const struct timeval second = { .tv_sec = 1 };
	struct mg_engine_options engine = { .conf = w->conf,
		.counters = &w->o.hot->counters,
		.wake = wake_pump,
		.put = mg_worker_put_record,
		.context = w };
	enum mg_rc rc;

	if (evthread_use_pthreads() != 0 || (w->base = event_base_new()) == NULL)
		return mg_err_set(err, MG_ENOMEM, "no memory for the main loop");
	w->channel = event_new(w->base, w->o.channel, EV_READ | EV_PERSIST, on_channel, w);
	w->tick = event_new(w->base, -1, EV_PERSIST, on_tick, w);
	w->pump = event_new(w->base, -1, 0, on_pump, w);
	if (w->channel == NULL || w->tick == NULL || w->pump == NULL)
		return mg_err_set(err, MG_ENOMEM, "no memory for the main loop");
	event_add(w->channel, NULL);
	event_add(w->tick, &second);
	w->tick_due_us = mg_mono_us() + TICK_MS * MG_MS_US;
	if ((rc = start_dns(w, err)) != MG_OK)
		return rc;
	engine.dns = mg_resolver_source(w->resolver);
	engine.zones = w->zones;
	if ((rc = mg_worker_guards_start(w->o.hot, w->conf, engine.dns, &w->guards, err)) != MG_OK)
		return rc;
	engine.guards = mg_worker_guards_all(w->guards);
	return mg_engine_new(&engine, &w->engine, err);
}

static void become_own_session(void)
{
	struct rlimit files;

	setsid();
	prctl(PR_SET_NAME, "mailguard-work");
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

void mg_worker_run(const struct mg_worker_options *options)
{
	struct worker w = { .o = *options, .started_us = mg_wall_us() };
	struct mg_err err = { "" };

	become_own_session();
	for (int i = 0; i < 2; i++)
		mg_fd_close(&w.o.others[i]);
	pthread_mutex_init(&w.conf_lock, NULL);
	pthread_mutex_init(&w.reader_lock, NULL);
	pthread_rwlock_init(&w.journal_lock, NULL);
	w.conf = mg_conf_ref(options->conf);
	if (build(&w, &err) != MG_OK) {
		mg_log(MG_LOG_ERROR, "worker-not-built: %s", err.text);
		_exit(EXIT_FAILURE);
	}
	event_base_dispatch(w.base);
	if (w.phase == PHASE_SERVING)
		_exit(EXIT_FAILURE);
	if (w.is_yielding)
		mg_engine_flush(w.engine);
	else
		give_up_roles(&w);
	if (!w.is_yielding)
		mg_worker_guards_save(w.guards);
	/* libmilter's threads may still hold sessions between messages, and other threads use `w`: it must stay whole to
	 * the very end, so there is no way back to the caller. */
	_exit(EXIT_SUCCESS);
}
