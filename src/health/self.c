/* self.* - is mailguard itself well? Its doors are tried end to end, through their sockets. */
#include <poll.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "health/check.h"
#include "health/probe.h"

static enum mg_probe_state try_door(const char *listen, bool is_milter, int64_t deadline_us, int64_t *took_us)
{
	struct mg_endpoint endpoint;
	struct mg_probe probe;
	int64_t start_us = mg_mono_us();

	if (mg_endpoint_parse(mg_str_z(listen), &endpoint, NULL) != MG_OK)
		return MG_PROBE_IDLE;
	mg_probe_begin(&probe, &endpoint, is_milter);
	while (probe.state == MG_PROBE_WAITING && mg_mono_us() < deadline_us)
		mg_probe_step(&probe, mg_fd_wait(probe.fd, mg_probe_events(&probe), deadline_us));
	*took_us = mg_mono_us() - start_us;
	mg_fd_close(&probe.fd);
	return probe.state;
}

static void judge_door(
	const struct mg_check_env *env, struct mg_finding *finding, const char *id, const char *listen, bool is_milter)
{
	double warn_s = 1, crit_s = 10, p99_s = 0;
	int64_t took_us = 0;
	enum mg_probe_state state = try_door(listen, is_milter, env->deadline_us, &took_us);

	if (state == MG_PROBE_IDLE) {
		mg_finding_not_applicable(finding, N_("not applicable: this door is off"));
		return;
	}
	mg_check_threshold(env->conf, id, &warn_s, &crit_s);
	mg_finding_evidence(finding, "%s answered after %.1f ms", listen, (double)took_us / 1000);
	if (state != MG_PROBE_ALIVE) {
		mg_finding_is(finding, MG_STATE_CRIT, N_("mailguard does not answer on %1"), listen, NULL);
		mg_finding_cause(finding,
			env->figures == NULL ? N_("mailguardd is not running, or this user may not reach its socket")
					     : N_("the worker is stuck; it is restarted by itself"),
			NULL);
		mg_finding_fix(finding,
			env->figures == NULL ? N_("systemctl start mailguard; journalctl -u mailguard")
					     : N_("journalctl -u mailguard"),
			NULL);
	}
	if (env->figures != NULL)
		p99_s = (double)mg_counters_latency_us(env->figures->counters, 0.99) / 1e6;
	mg_finding_value(finding, p99_s, "s");
	if (p99_s > warn_s) {
		mg_finding_is(finding, p99_s > crit_s ? MG_STATE_CRIT : MG_STATE_WARN,
			N_("mail waits up to %1 for mailguard"), mg_finding_number(finding, p99_s, "s"), NULL);
		mg_finding_cause(finding, N_("the machine is overloaded, or its resolver is slow"), NULL);
		mg_finding_fix(finding, N_("look at the load: uptime; mailguardctl check self.load"), NULL);
	}
	mg_finding_is(finding, MG_STATE_OK, N_("answers on %1"), listen, NULL);
}

static void check_milter(const struct mg_check_env *env, struct mg_finding *finding)
{
	judge_door(env, finding, "self.milter", env->conf->milter.listen, true);
}

static void check_policy(const struct mg_check_env *env, struct mg_finding *finding)
{
	judge_door(env, finding, "self.policy", env->conf->policy.listen, false);
}

static bool has_figures(const struct mg_check_env *env, struct mg_finding *finding)
{
	if (env->figures == NULL)
		mg_finding_is(
			finding, MG_STATE_UNKNOWN, N_("mailguardd does not answer, so nothing is known of it"), NULL);
	return env->figures != NULL;
}

static void check_load(const struct mg_check_env *env, struct mg_finding *finding)
{
	const struct mg_counters *counters;
	uint64_t degraded = 0, total = 0;
	double lag_s, share;

	if (!has_figures(env, finding))
		return;
	counters = env->figures->counters;
	for (int i = 0; i < MG_DEGRADED_KINDS; i++) {
		degraded += counters->degraded[i];
		if (counters->degraded[i] > 0)
			mg_finding_evidence(finding, "%llu because of %s", (unsigned long long)counters->degraded[i],
				mg_degraded_name((enum mg_degraded)i));
	}
	for (int i = 0; i < MG_ACTIONS; i++)
		total += counters->by_action[i];
	share = total + degraded == 0 ? 0 : (double)degraded / (double)(total + degraded);
	lag_s = (double)env->figures->loop_lag_us / 1e6;
	mg_finding_value(finding, lag_s, "s");
	if (degraded > 0) {
		mg_finding_is(finding, share > 0.01 ? MG_STATE_CRIT : MG_STATE_WARN,
			N_("%1 messages passed without the full work since the start"),
			mg_finding_number(finding, (double)degraded, ""), NULL);
		mg_finding_cause(finding,
			N_("more sessions than milter.max_sessions, too little memory, or a DNS too slow for the checks"),
			NULL);
		mg_finding_fix(
			finding, N_("raise milter.max_sessions, or look who connects: mailguardctl recent"), NULL);
	}
	if (lag_s > 1)
		mg_finding_is(finding, lag_s > 5 ? MG_STATE_CRIT : MG_STATE_WARN,
			N_("mailguard's main loop was %1 late"), mg_finding_number(finding, lag_s, "s"), NULL);
	mg_finding_is(finding, MG_STATE_OK, N_("no overload"), NULL);
}

static void check_sessions(const struct mg_check_env *env, struct mg_finding *finding)
{
	double warn = 70, crit = 90, used;

	if (!has_figures(env, finding))
		return;
	mg_check_threshold(env->conf, "self.sessions", &warn, &crit);
	used = 100.0 * env->figures->milter_sessions / (double)env->conf->milter.max_sessions;
	mg_finding_value(finding, env->figures->milter_sessions, "sessions");
	if (used > warn) {
		mg_finding_is(finding, used > crit ? MG_STATE_CRIT : MG_STATE_WARN, N_("%1 of %2 sessions are in use"),
			mg_finding_number(finding, env->figures->milter_sessions, ""),
			mg_finding_number(finding, (double)env->conf->milter.max_sessions, ""), NULL);
		mg_finding_cause(finding,
			N_("many clients at once: an attack, or a limit that is too low for this server"), NULL);
		mg_finding_fix(finding,
			N_("raise milter.max_sessions in mailguard.conf and restart, or look who connects: mailguardctl recent"),
			NULL);
	}
	mg_finding_is(finding, MG_STATE_OK, N_("%1 of %2 sessions are in use"),
		mg_finding_number(finding, env->figures->milter_sessions, ""),
		mg_finding_number(finding, (double)env->conf->milter.max_sessions, ""), NULL);
}

static void check_memory(const struct mg_check_env *env, struct mg_finding *finding)
{
	double warn = 256, crit = 512, rss_mb;

	if (!has_figures(env, finding))
		return;
	mg_check_threshold(env->conf, "self.memory", &warn, &crit);
	rss_mb = (double)env->figures->rss_bytes / (1024 * 1024);
	mg_finding_value(finding, rss_mb, "MiB");
	finding->manual = "ps -C mailguardd -o pid,rss,cmd";
	if (rss_mb > warn) {
		mg_finding_is(finding, rss_mb > crit ? MG_STATE_CRIT : MG_STATE_WARN, N_("mailguard uses %1 of memory"),
			mg_finding_number(finding, rss_mb, "MiB"), NULL);
		mg_finding_cause(
			finding, N_("very many sessions or large messages at once, or a defect of mailguard"), NULL);
		mg_finding_fix(finding, N_("systemctl restart mailguard, and report it if it comes back"), NULL);
	}
	mg_finding_is(finding, MG_STATE_OK, N_("mailguard uses %1 of memory"),
		mg_finding_number(finding, rss_mb, "MiB"), NULL);
}

const struct mg_check mg_checks_self[] = {
	{ "self.milter", N_("the milter door answers"), 0, 5000, .run = check_milter },
	{ "self.policy", N_("the policy door answers"), 0, 5000, .run = check_policy },
	{ "self.load", N_("mailguard is not overloaded"), 0, 1000, .run = check_load, .is_daemons = true },
	{ "self.sessions", N_("sessions against their limit"), 0, 1000, .run = check_sessions, .is_daemons = true },
	{ "self.memory", N_("mailguard's memory"), 0, 1000, .run = check_memory, .is_daemons = true },
};
const size_t mg_checks_self_count = sizeof mg_checks_self / sizeof mg_checks_self[0];
