/* state.* - is the shared store of limits there? */
#include "base/i18n.h"
#include "health/check.h"

static void check_store(const struct mg_check_env *env, struct mg_finding *finding)
{
	const struct mg_redis_stats *store;
	double warn = 50, crit = 1e9, ms;

	if (env->figures == NULL) {
		mg_finding_is(finding, MG_STATE_UNKNOWN,
			N_("mailguardd does not answer, so nothing is known of its shared store"), NULL);
		return;
	}
	if (!env->figures->has_store) {
		mg_finding_not_applicable(finding, N_("not applicable: state.store = \"memory\""));
		return;
	}
	store = &env->figures->store;
	mg_check_threshold(env->conf, "state.store", &warn, &crit);
	ms = (double)store->latency_us / 1000;
	mg_finding_value(finding, ms, "ms");
	mg_finding_evidence(finding, "server=%s, decisions=%llu, local=%llu, timeouts=%llu, reconnects=%llu",
		store->server, (unsigned long long)store->decisions, (unsigned long long)store->local_decisions,
		(unsigned long long)store->timeouts, (unsigned long long)store->reconnects);
	if (!store->is_open) {
		mg_finding_is(finding, MG_STATE_CRIT,
			N_("the shared store %1 does not answer; each machine keeps its limits alone meanwhile"),
			store->server, NULL);
		if (store->trouble[0] != '\0')
			mg_finding_cause(finding, "%1", store->trouble, NULL);
		mg_finding_fix(
			finding, N_("see whether it runs: redis-cli ping; mailguard comes back to it by itself"), NULL);
	} else if (ms > warn) {
		mg_finding_is(finding, ms > crit ? MG_STATE_CRIT : MG_STATE_WARN,
			N_("the shared store answers slowly: %1"), mg_finding_number(finding, ms, "ms"), NULL);
		mg_finding_cause(finding, N_("it is busy, or the way to it is long"), NULL);
		mg_finding_fix(finding, N_("look at it: redis-cli --latency"), NULL);
	}
	mg_finding_is(finding, MG_STATE_OK, N_("the shared store %1 answers"), store->server, NULL);
}

const struct mg_check mg_checks_state[] = {
	{ "state.store", N_("the shared store of limits answers"), 0, 1000, .run = check_store, .is_daemons = true,
		.follows = { "self.milter" } },
};
const size_t mg_checks_state_count = sizeof mg_checks_state / sizeof mg_checks_state[0];
