/* `status`: from memory alone, so that it answers at once whatever the disk and the network do. */
#include "base/clock.h"
#include "control/control.h"
#include "health/fold.h"
#include "health/queue_reasons.h"

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

/* {"spf": {"pass": 3, ...}, ...}: every word is there from the start. */
static json_t *auth_json(const struct mg_counters *counters)
{
	json_t *auth = json_object();

	for (int method = 0; method < MG_METHODS; method++) {
		json_t *words = json_object();

		for (int result = MG_RESULT_NONE; result < MG_RESULTS; result++)
			json_object_set_new(words, mg_result_name((enum mg_result)result),
				json_integer((json_int_t)counters->auth[method][result]));
		json_object_set_new(auth, mg_method_name((enum mg_method)method), words);
	}
	json_object_set_new(auth, "dmarc_rfc7489", json_integer((json_int_t)counters->dmarc_rfc7489));
	json_object_set_new(auth, "arc_overrides", json_integer((json_int_t)counters->arc_overrides));
	return auth;
}

static json_t *servers_json(const struct mg_resolver_stats *dns)
{
	json_t *servers = json_array();

	for (size_t i = 0; i < dns->server_count; i++) {
		const struct mg_server_stats *server = &dns->servers[i];

		json_array_append_new(servers,
			json_pack("{s:s, s:b, s:I, s:I, s:I, s:I}", "address", server->address, "down", server->is_down,
				"asked", (json_int_t)server->asked, "answered", (json_int_t)server->answered,
				"timeouts", (json_int_t)server->timeouts, "mean_us", (json_int_t)server->mean_us));
	}
	return servers;
}

static json_t *dns_json(const struct mg_resolver_stats *dns)
{
	static const char *const types[] = { "A", "AAAA", "PTR", "MX", "TXT", "other" };
	static const char *const statuses[] = { "found", "nodata", "nxdomain", "trouble" };
	json_t *by_type = json_object(), *by_status = json_object(), *by_trouble = json_object();

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		json_object_set_new(by_type, types[i], json_integer((json_int_t)dns->by_type[i]));
	for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
		json_object_set_new(by_status, statuses[i], json_integer((json_int_t)dns->by_status[i]));
	for (int i = MG_DNS_TIMEOUT; i < MG_DNS_TROUBLES; i++)
		json_object_set_new(by_trouble, mg_dns_trouble_name((enum mg_dns_trouble)i),
			json_integer((json_int_t)dns->by_trouble[i]));
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:i, s:o, s:o, s:o, s:o}", "questions",
		(json_int_t)dns->questions, "joined", (json_int_t)dns->joined, "cache_hits",
		(json_int_t)dns->cache.hits, "cache_entries", (json_int_t)dns->cache.entries, "truncated",
		(json_int_t)dns->truncated, "over_tcp", (json_int_t)dns->over_tcp, "inflight", (int)dns->inflight,
		"by_type", by_type, "by_status", by_status, "by_trouble", by_trouble, "servers", servers_json(dns));
}

static json_t *zones_json(const struct mg_figures *figures)
{
	json_t *zones = json_array();

	for (size_t i = 0; i < figures->zone_count; i++)
		json_array_append_new(
			zones, json_pack("{s:o, s:s, s:b}", "zone", mg_json_text(mg_str_z(figures->zones[i].shown)),
				       "state", mg_dnsbl_health_name(figures->zones[i].health), "counts",
				       figures->zones[i].is_believed));
	return zones;
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

static json_t *guards_json(const struct mg_figures *figures)
{
	const struct mg_counters *counters = figures->counters;
	struct mg_table_stats keys = { 0 };

	if (figures->guards != NULL && figures->guards->state != NULL)
		mg_table_stats(mg_state_table(figures->guards->state, MG_STATE_LIMITS), &keys);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:b}", "relay_proofs",
		(json_int_t)counters->relay_proofs.count, "over_limit", (json_int_t)counters->limit_hits, "suspicious",
		(json_int_t)counters->accounts.count, "banned", (json_int_t)counters->ban_hits, "greylisted",
		(json_int_t)counters->greylisted, "keys", (json_int_t)keys.rows, "keys_forgotten",
		(json_int_t)keys.forgotten, "store", figures->has_store ? figures->store.server : "memory",
		"store_answers", !figures->has_store || figures->store.is_open);
}

/* What the queue checks found the last time; null where they have not looked yet, or could not. */
static json_t *queue_json(const json_t *checks)
{
	static const struct {
		const char *name, *check;
	} rows[] = { { "deferred", "queue.deferred" }, { "active", "queue.active" }, { "hold", "queue.hold" },
		{ "corrupt", "queue.corrupt" }, { "oldest_s", "queue.age" } };
	json_t *queue = json_object(), *check;
	size_t i;

	for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++) {
		json_t *value = NULL;

		json_array_foreach((json_t *)checks, i,
			check) if (mg_str_eq(mg_str_z(json_string_value(json_object_get(check, "id"))),
					   mg_str_z(rows[row].check))) value = json_object_get(check, "value");
		json_object_set_new(queue, rows[row].name,
			json_is_number(value) ? json_integer((json_int_t)json_number_value(value)) : json_null());
	}
	json_object_set_new(queue, "reasons", mg_reasons_last());
	return queue;
}

json_t *mg_control_status(const struct mg_control_options *options)
{
	const struct mg_conf *conf = options->pin_conf(options->context);
	struct mg_figures figures;
	struct mg_wiring_state wiring;
	json_t *checks = mg_health_results(options->health), *json;

	options->figures(options->context, &figures);
	mg_health_wiring(options->health, &wiring);
	json = json_pack("{s:s, s:s, s:s, s:I, s:{s:b, s:b}, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I}", "state",
		mg_check_state_name(mg_health_worst(checks)), "version", PACKAGE_VERSION, "mode",
		conf->mode == MG_MODE_OBSERVE ? "observe" : "enforce", "uptime_s",
		(json_int_t)((mg_wall_us() - options->counters->started_us) / MG_S_US), "wiring", "milter",
		wiring.milter, "policy", wiring.policy, "transactions", transactions(options->counters), "checks",
		checks, "auth", auth_json(options->counters), "dns", dns_json(&figures.dns), "dnsbl",
		zones_json(&figures), "guards", guards_json(&figures), "figures", figures_json(&figures), "last_crash",
		(json_int_t)(options->counters->last_crash_us / MG_S_US), "last_reload",
		(json_int_t)(options->counters->last_reload_us / MG_S_US));
	json_object_set_new(json, "queue", queue_json(checks));
	mg_conf_unref(&conf);
	return json;
}
