/* Everything that happens is an event of one poll loop; what must happen later is a moment in `due`. */
#include "daemon/supervisor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/channel.h"
#include "daemon/notify.h"
#include "daemon/worker.h"
#include "health/probe.h"

#define KEPT "MAILGUARD_KEPT"

enum {
	PROBE_EVERY_MS = 5000,
	PROBES_TO_FAIL = 2,
	FIRST_PAUSE_MS = 50,
	LONGEST_PAUSE_MS = 5000,
	LIVED_WELL_S = 30,
	NEVER = 0,
};

struct worker {
	pid_t pid;   /* 0: none */
	int channel; /* -1: none */
	bool is_ready;
	int64_t started_us;
};

struct supervisor {
	struct mg_supervisor_options o;
	int signals;
	struct worker now, old; /* `old` is on its way out */
	bool is_going;          /* GO was said to `now` */
	bool is_stopping;
	pid_t checker;      /* the new binary's configuration test, 0 none */
	bool wants_upgrade; /* asked for while the last one was still under way */
	unsigned deaths;    /* in a row */
	int64_t pause_ms;
	int64_t deaf_since_us; /* since when no worker is ready; NEVER: one is */
	struct mg_probe probes[2];
	unsigned failed_probes;
	struct {
		int64_t spawn, probe, go, kill_now, kill_old, watchdog; /* monotonic; NEVER: not due */
	} due;
};

/* ---- workers ---- */

static void spawn(struct supervisor *s)
{
	int pair[2];
	struct mg_err err = { "" };
	pid_t pid;

	s->due.spawn = NEVER;
	if (mg_channel_pair(pair, &err) != MG_OK || (pid = fork()) < 0) {
		mg_log(MG_LOG_ERROR, "worker-not-started: reason=\"%s\"", err.text[0] ? err.text : "fork failed");
		s->due.spawn = mg_mono_us() + MG_S_US;
		return;
	}
	if (pid == 0) {
		struct mg_worker_options options = { s->o.conf, s->o.doors, s->o.hot, pair[1],
			{ s->now.channel, s->old.channel } };

		mg_fd_close(&pair[0]);
		mg_fd_close(&s->signals);
		mg_worker_run(&options);
	}
	mg_fd_close(&pair[1]);
	s->now = (struct worker){ .pid = pid, .channel = pair[0], .started_us = mg_mono_us() };
	s->is_going = false;
	atomic_fetch_add(&s->o.hot->counters.worker_starts, 1);
	if (s->old.pid == 0)
		s->due.go = mg_mono_us();
	mg_log(MG_LOG_INFO, "worker-started: pid=%d", (int)pid);
}

static void go(struct supervisor *s)
{
	s->due.go = NEVER;
	if (s->now.pid != 0 && !s->is_going)
		s->is_going = mg_channel_send(s->now.channel, MG_WORD_GO, "", -1);
}

static void become_deaf(struct supervisor *s)
{
	if (s->deaf_since_us == NEVER)
		s->deaf_since_us = mg_mono_us();
}

static void worker_died(struct supervisor *s, int status)
{
	bool lived_well = mg_mono_us() - s->now.started_us > LIVED_WELL_S * MG_S_US;

	mg_fd_close(&s->now.channel);
	mg_probe_cancel(&s->probes[0]);
	mg_probe_cancel(&s->probes[1]);
	s->now = (struct worker){ .channel = -1 };
	s->failed_probes = 0;
	s->due.kill_now = NEVER;
	if (s->is_stopping)
		return;
	become_deaf(s);
	atomic_fetch_add(&s->o.hot->counters.worker_crashes, 1);
	s->o.hot->counters.last_crash_us = mg_wall_us();
	s->pause_ms = lived_well || s->deaths == 0 ? 0 : s->pause_ms == 0 ? FIRST_PAUSE_MS : 2 * s->pause_ms;
	if (s->pause_ms > LONGEST_PAUSE_MS)
		s->pause_ms = LONGEST_PAUSE_MS;
	s->deaths = lived_well ? 1 : s->deaths + 1;
	s->due.spawn = mg_mono_us() + s->pause_ms * MG_MS_US;
	mg_log(MG_LOG_ERROR, "worker-died: %s=%d, deaths=%u, next_in_ms=%lld",
		WIFSIGNALED(status) ? "signal" : "status", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
		s->deaths, (long long)s->pause_ms);
}

static void upgrade(struct supervisor *s);
static void check_binary(struct supervisor *s);

static void reap(struct supervisor *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == s->now.pid) {
			worker_died(s, status);
		} else if (pid == s->old.pid) {
			mg_fd_close(&s->old.channel);
			s->old = (struct worker){ .channel = -1 };
			s->due.kill_old = NEVER;
			go(s);
			if (s->wants_upgrade)
				check_binary(s);
		} else if (pid == s->checker) {
			s->checker = 0;
			if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
				upgrade(s);
			else
				mg_log(MG_LOG_ERROR, "upgrade-refused: %s -t does not pass", s->o.binary);
		}
	}
}

/* ---- words from workers ---- */

static void adopt_conf(struct supervisor *s)
{
	const struct mg_conf *conf;
	struct mg_err err = { "" };

	if (mg_conf_load(s->o.conf->path, &conf, &err) != MG_OK)
		return; /* edited once more since the worker read it: the next reload brings it */
	mg_conf_unref(&s->o.conf);
	s->o.conf = conf;
}

static void hear(struct supervisor *s, struct worker *worker)
{
	struct mg_message message;
	int got;

	while (worker->channel >= 0 && (got = mg_channel_receive(worker->channel, &message)) != 0) {
		if (got < 0) {
			mg_fd_close(&worker->channel);
			return;
		}
		switch (message.word) {
		case MG_WORD_READY:
			worker->is_ready = true;
			s->deaf_since_us = NEVER;
			s->due.probe = mg_mono_us() + PROBE_EVERY_MS * MG_MS_US;
			mg_notify("READY=1\nSTATUS=Checking mail");
			mg_log(MG_LOG_NOTICE, "ready: worker=%d", (int)worker->pid);
			break;
		case MG_WORD_RELOADED:
			adopt_conf(s);
			mg_notify("READY=1");
			mg_log(MG_LOG_NOTICE, "reloaded: file=%s", s->o.conf->path);
			break;
		case MG_WORD_REFUSED:
			mg_notify("READY=1");
			mg_log(MG_LOG_ERROR, "reload-refused: %s", message.text);
			break;
		case MG_WORD_YIELDED:
			go(s);
			break;
		case MG_WORD_RECORD:
			if (s->now.channel >= 0 && message.fd >= 0)
				mg_channel_send(s->now.channel, MG_WORD_RECORD, "", message.fd);
			break;
		default:
			break;
		}
		mg_fd_close(&message.fd);
	}
}

/* ---- signals ---- */

static void stop(struct supervisor *s)
{
	mg_notify("STOPPING=1\nSTATUS=Finishing messages in flight");
	s->is_stopping = true;
	s->due.spawn = s->due.probe = NEVER;
	if (s->now.pid != 0) {
		mg_channel_send(s->now.channel, MG_WORD_DRAIN, "", -1);
		s->due.kill_now = mg_mono_us() + (MG_DRAIN_S + 3) * MG_S_US;
	}
	if (s->old.pid != 0)
		s->due.kill_old = mg_mono_us() + MG_DRAIN_S * MG_S_US;
}

static void reload(struct supervisor *s)
{
	mg_notify("RELOADING=1");
	if (s->now.is_ready && mg_channel_send(s->now.channel, MG_WORD_RELOAD, "", -1))
		return;
	adopt_conf(s); /* no worker to ask: the next one starts with it */
	mg_notify("READY=1");
}

static void check_binary(struct supervisor *s)
{
	s->wants_upgrade = s->checker != 0 || s->old.pid != 0;
	if (s->wants_upgrade || s->is_stopping)
		return;
	s->checker = fork();
	if (s->checker == 0) {
		execl(s->o.binary, s->o.binary, "-t", "-c", s->o.conf->path, (char *)NULL);
		_exit(127);
	}
	if (s->checker < 0)
		s->checker = 0;
}

/* Becomes the installed binary. The sockets, the memory and the worker's channel stay open over exec. */
static void upgrade(struct supervisor *s)
{
	char kept[160];
	int fds[] = { s->o.doors->fd[0], s->o.doors->fd[1], s->o.doors->fd[2], s->o.hot_fd, s->now.channel };

	if (s->now.pid == 0)
		return;
	snprintf(kept, sizeof kept, "%d %d %d %d %d %d %d %d %d", fds[0] + 1, s->o.doors->is_ours[0], fds[1] + 1,
		s->o.doors->is_ours[1], fds[2] + 1, s->o.doors->is_ours[2], fds[3] + 1, (int)s->now.pid, fds[4] + 1);
	setenv(KEPT, kept, 1);
	for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
		mg_fd_cloexec(fds[i], false);
	mg_log(MG_LOG_NOTICE, "upgrade: binary=%s", s->o.binary);
	execv(s->o.binary, s->o.argv);
	mg_log(MG_LOG_ERROR, "upgrade-failed: binary=%s, errno=%d; going on as before", s->o.binary, errno);
	unsetenv(KEPT);
	for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
		mg_fd_cloexec(fds[i], true);
}

bool mg_supervisor_kept(struct mg_doors *doors_out, int *hot_fd_out, pid_t *worker_out, int *channel_out)
{
	struct mg_str rest = mg_str_z(getenv(KEPT)), word;
	uint64_t value[9];

	*doors_out = (struct mg_doors){ .fd = { -1, -1, -1 } };
	*hot_fd_out = *channel_out = -1;
	*worker_out = 0;
	for (size_t i = 0; i < 9; i++)
		if (!mg_read_word(&rest, " ", &word) || !mg_str_to_u64(word, INT32_MAX, &value[i]))
			return false;
	unsetenv(KEPT);
	for (int door = 0; door < MG_DOORS; door++) {
		doors_out->fd[door] = (int)value[2 * door] - 1;
		doors_out->is_ours[door] = value[2 * door + 1] != 0;
	}
	*hot_fd_out = (int)value[6] - 1;
	*worker_out = (pid_t)value[7];
	*channel_out = (int)value[8] - 1;
	mg_fd_cloexec(*hot_fd_out, true);
	mg_fd_cloexec(*channel_out, true);
	return true;
}

static void take_signals(struct supervisor *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info) {
		switch (info.ssi_signo) {
		case SIGTERM:
		case SIGINT:
			if (!s->is_stopping)
				stop(s);
			break;
		case SIGHUP:
			reload(s);
			break;
		case SIGUSR2:
			check_binary(s);
			break;
		default:
			break; /* SIGCHLD: reap() looks itself */
		}
	}
	reap(s);
}

/* ---- health ---- */

static void begin_probes(struct supervisor *s)
{
	s->due.probe = mg_mono_us() + PROBE_EVERY_MS * MG_MS_US;
	for (int door = MG_DOOR_MILTER; door <= MG_DOOR_POLICY; door++)
		if (s->o.doors->fd[door] >= 0 && s->now.is_ready && s->probes[door].state != MG_PROBE_WAITING)
			mg_probe_begin(&s->probes[door], &s->o.doors->endpoint[door], door == MG_DOOR_MILTER);
}

static void judge_probe(struct supervisor *s, struct mg_probe *probe)
{
	const char *door = mg_doors_name(probe->is_milter ? MG_DOOR_MILTER : MG_DOOR_POLICY);

	if (probe->state == MG_PROBE_ALIVE) {
		s->failed_probes = 0;
	} else if (probe->state == MG_PROBE_DEAD && s->now.pid != 0) {
		mg_log(MG_LOG_WARNING, "self-probe-failed: door=%s, in_a_row=%u", door, s->failed_probes + 1);
		if (++s->failed_probes >= PROBES_TO_FAIL) {
			mg_log(MG_LOG_ERROR, "worker-deaf: door=%s, killing pid=%d", door, (int)s->now.pid);
			kill(s->now.pid, SIGKILL);
		}
	}
	probe->state = MG_PROBE_IDLE;
}

/* Nobody serves: what knocks is let in and out at once, so that Postfix need not wait for a time-out. */
static bool is_deaf(const struct supervisor *s)
{
	return s->deaf_since_us != NEVER && mg_mono_us() - s->deaf_since_us > MG_DEAF_S * MG_S_US && !s->is_stopping;
}

static void turn_away(int listening)
{
	for (int i = 0; i < 64; i++) {
		int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			return;
		close(fd);
	}
}

static void feed_watchdog(struct supervisor *s)
{
	int64_t every_us = mg_notify_watchdog_us();

	s->due.watchdog = every_us > 0 ? mg_mono_us() + every_us / 2 : NEVER;
	if (s->failed_probes == 0)
		mg_notify("WATCHDOG=1");
}

/* ---- the loop ---- */

static void do_what_is_due(struct supervisor *s)
{
	int64_t now_us = mg_mono_us();

#define IS_DUE(what) (s->due.what != NEVER && now_us >= s->due.what)
	if (IS_DUE(spawn))
		spawn(s);
	if (IS_DUE(go))
		go(s);
	if (IS_DUE(probe))
		begin_probes(s);
	if (IS_DUE(watchdog))
		feed_watchdog(s);
	if (IS_DUE(kill_now) && s->now.pid != 0) {
		s->due.kill_now = NEVER;
		kill(s->now.pid, SIGKILL);
	}
	if (IS_DUE(kill_old) && s->old.pid != 0) {
		s->due.kill_old = NEVER;
		kill(s->old.pid, SIGKILL);
	}
#undef IS_DUE
}

static int wait_ms(const struct supervisor *s)
{
	const int64_t moments[] = { s->due.spawn, s->due.go, s->due.probe, s->due.kill_now, s->due.kill_old,
		s->due.watchdog };
	int64_t least_us = MG_S_US, now_us = mg_mono_us();

	for (size_t i = 0; i < sizeof moments / sizeof moments[0]; i++)
		if (moments[i] != NEVER && moments[i] - now_us < least_us)
			least_us = moments[i] - now_us;
	return least_us <= 0 ? 0 : (int)((least_us + MG_MS_US - 1) / MG_MS_US);
}

static void turn(struct supervisor *s)
{
	bool deaf = is_deaf(s);
	struct pollfd fds[] = {
		{ .fd = s->signals, .events = POLLIN },
		{ .fd = s->now.channel, .events = POLLIN },
		{ .fd = s->old.channel, .events = POLLIN },
		{ .fd = s->probes[0].fd, .events = mg_probe_events(&s->probes[0]) },
		{ .fd = s->probes[1].fd, .events = mg_probe_events(&s->probes[1]) },
		{ .fd = deaf ? s->o.doors->fd[MG_DOOR_MILTER] : -1, .events = POLLIN },
		{ .fd = deaf ? s->o.doors->fd[MG_DOOR_POLICY] : -1, .events = POLLIN },
	};

	if (poll(fds, sizeof fds / sizeof fds[0], wait_ms(s)) < 0 && errno != EINTR)
		return;
	hear(s, &s->now);
	hear(s, &s->old);
	for (int i = 0; i < 2; i++)
		if (s->probes[i].state == MG_PROBE_WAITING &&
			mg_probe_step(&s->probes[i], fds[3 + i].revents) != MG_PROBE_WAITING)
			judge_probe(s, &s->probes[i]);
		else if (s->probes[i].state == MG_PROBE_DEAD)
			judge_probe(s, &s->probes[i]);
	for (int i = 5; i <= 6; i++)
		if (fds[i].fd >= 0 && (fds[i].revents & POLLIN))
			turn_away(fds[i].fd);
	take_signals(s);
	do_what_is_due(s);
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int mg_supervisor_run(const struct mg_supervisor_options *options)
{
	struct supervisor s = { .o = *options,
		.now = { .channel = -1 },
		.old = { .pid = options->old_worker, .channel = options->old_channel },
		.probes = { { .fd = -1 }, { .fd = -1 } } };

	s.signals = open_signals();
	if (s.signals < 0) {
		mg_log(MG_LOG_ERROR, "no-signals: errno=%d", errno);
		return EXIT_FAILURE;
	}
	s.deaf_since_us = mg_mono_us();
	feed_watchdog(&s);
	spawn(&s);
	if (s.old.pid != 0) {
		mg_channel_send(s.old.channel, MG_WORD_YIELD, "", -1);
		s.due.go = mg_mono_us() + MG_YIELD_S * MG_S_US;
		s.due.kill_old = mg_mono_us() + (MG_DRAIN_S + 3) * MG_S_US;
	}
	while (!(s.is_stopping && s.now.pid == 0 && s.old.pid == 0))
		turn(&s);
	mg_conf_unref(&s.o.conf);
	mg_log(MG_LOG_NOTICE, "stopped");
	return EXIT_SUCCESS;
}
