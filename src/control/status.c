/* `status`: from memory alone, so that it answers at once whatever the disk and the network do. */
#include "base/clock.h"
#include "control/control.h"

static json_t *transactions(const struct mg_counters *counters)
{
	static const struct {
		const char *name;
		enum mg_action action;
	} rows[] = {
		{ "accepted", MG_ACTION_ACCEPT },
		{ "rejected", MG_ACTION_REJECT },
		{ "tempfailed", MG_ACTION_TEMPFAIL },
		{ "quarantined", MG_ACTION_QUARANTINE },
		{ "discarded", MG_ACTION_DISCARD },
	};
	json_t *json = json_object();
	uint64_t total = 0;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint64_t count = counters->by_action[rows[i].action];

		if (rows[i].action == MG_ACTION_ACCEPT)
			count += counters->by_action[MG_ACTION_OBSERVE];
		total += count;
		json_object_set_new(json, rows[i].name, json_integer((json_int_t)count));
	}
	json_object_set_new(json, "total", json_integer((json_int_t)total));
	return json;
}

static json_t *figures_json(const struct mg_figures *figures)
{
	const struct mg_counters *counters = figures->counters;

	return json_pack("{s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:I}", "milter_sessions",
		(int)figures->milter_sessions, "milter_capped", (int)figures->milter_capped, "policy_connections",
		(int)figures->policy_connections, "policy_requests", (json_int_t)counters->policy_requests,
		"latency_p50_us", (json_int_t)mg_counters_latency_us(counters, 0.5), "latency_p99_us",
		(json_int_t)mg_counters_latency_us(counters, 0.99), "journal_bytes", (json_int_t)figures->journal.bytes,
		"journal_dropped", (json_int_t)figures->journal.dropped, "rss_bytes", (json_int_t)figures->rss_bytes,
		"log_source", figures->log.source, "worker_crashes", (json_int_t)counters->worker_crashes);
}

json_t *mg_control_status(const struct mg_control_options *options)
{
	const struct mg_conf *conf = options->pin_conf(options->context);
	struct mg_figures figures;
	struct mg_wiring_state wiring;
	enum mg_state worst;
	json_t *checks = mg_health_results(options->health, &worst), *json;

	options->figures(options->context, &figures);
	mg_health_wiring(options->health, &wiring);
	json = json_pack("{s:s, s:s, s:s, s:I, s:{s:b, s:b}, s:o, s:o, s:o, s:I, s:I}", "state", mg_state_name(worst),
		"version", PACKAGE_VERSION, "mode", conf->mode == MG_MODE_OBSERVE ? "observe" : "enforce", "uptime_s",
		(json_int_t)((mg_wall_us() - options->counters->started_us) / MG_S_US), "wiring", "milter",
		wiring.milter, "policy", wiring.policy, "transactions", transactions(options->counters), "checks",
		checks, "figures", figures_json(&figures), "last_crash",
		(json_int_t)(options->counters->last_crash_us / MG_S_US), "last_reload",
		(json_int_t)(options->counters->last_reload_us / MG_S_US));
	mg_conf_unref(&conf);
	return json;
}
