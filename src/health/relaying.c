/* relay.* at run time - does this server relay for strangers, who tries, and can clients be told apart at all? What the configuration
 * allows is relay.static's. */
#include "base/clock.h"
#include "base/i18n.h"
#include "health/check.h"

enum { DAY_S = 86400, HOUR_S = 3600, READ_MS = 3000 };

static bool is_recent(const struct mg_evidence *evidence)
{
	int64_t last_us = evidence->last_us;

	return last_us != 0 && mg_wall_us() - last_us < DAY_S * MG_S_US;
}

static void show_evidence(const struct mg_evidence *evidence, struct mg_finding *finding)
{
	char text[MG_EVIDENCE_TEXT], when[20];

	for (unsigned back = 0; back < MG_EVIDENCE_LINES; back++) {
		int64_t time_us = mg_evidence_get(evidence, back, text);

		if (time_us != 0)
			mg_finding_evidence(finding, "%s %s", mg_wall_text(when, sizeof when, time_us), text);
	}
}

static void check_runtime(const struct mg_check_env *env, struct mg_finding *finding)
{
	const struct mg_counters *counters;

	if (env->figures == NULL) {
		mg_finding_is(finding, MG_STATE_UNKNOWN,
			N_("mailguardd does not answer, so nothing is known of what it let through"), NULL);
		return;
	}
	counters = env->figures->counters;
	mg_finding_value(finding, (double)counters->relay_proofs.count, "recipients");
	if (is_recent(&counters->relay_proofs)) {
		bool acts = env->conf->relay.action == MG_RELAY_ACTION_REJECT && env->conf->mode == MG_MODE_ENFORCE;

		mg_finding_is(finding, MG_STATE_CRIT,
			acts ? N_("Postfix would relay for strangers; mailguard refuses it")
			     : N_("Postfix relays for strangers, and mailguard only watches"),
			NULL);
		mg_finding_cause(finding,
			N_("a client that nobody vouches for was about to have mail to a foreign domain accepted"),
			NULL);
		mg_finding_fix(finding, N_("see what lets them through: mailguardctl relay-check"), NULL);
		show_evidence(&counters->relay_proofs, finding);
	} else if (is_recent(&counters->relay_listed)) {
		mg_finding_is(finding, MG_STATE_WARN,
			N_("hosts of a public network relay through this server without a login"), NULL);
		mg_finding_cause(finding, N_("mynetworks, relay.trusted or an access table names their network"), NULL);
		mg_finding_fix(finding,
			N_("if they are not all yours, take the network out: %1 -e 'mynetworks=127.0.0.0/8 [::1]/128'"),
			mg_check_program(env, finding, "postconf"), NULL);
		show_evidence(&counters->relay_listed, finding);
	}
	mg_finding_is(finding, MG_STATE_OK, N_("no stranger was about to relay in the last 24 hours"), NULL);
}

static void not_readable(struct mg_finding *finding, const struct mg_err *err)
{
	mg_finding_is(finding, MG_STATE_UNKNOWN, N_("the record can't be read"), NULL);
	if (err->text[0] != '\0')
		mg_finding_cause(finding, "%1", err->text, NULL);
}

/* Strangers that all seem to come from one inner address: a proxy or NAT in front hides them, and what is trusted for its
 * address is trusted for all of them. */
static void check_gateway(const struct mg_check_env *env, struct mg_finding *finding)
{
	double warn = 5, crit = 20;
	json_t *gateways = NULL, *gateway;
	struct mg_err err = { "" };
	size_t i;

	mg_check_threshold(env->conf, "relay.gateway", &warn, &crit);
	if (env->query == NULL || mg_query_gateways(env->query, mg_wall_us() - HOUR_S * MG_S_US,
					  mg_mono_us() + READ_MS * MG_MS_US, &gateways, &err) != MG_OK) {
		not_readable(finding, &err);
		return;
	}
	json_array_foreach(gateways, i, gateway)
	{
		const char *client = json_string_value(json_object_get(gateway, "client"));
		double names = json_number_value(json_object_get(gateway, "names"));
		long long relayed = json_integer_value(json_object_get(gateway, "relayed"));

		if (names < warn)
			continue;
		mg_finding_is(finding, names >= crit && relayed > 0 ? MG_STATE_CRIT : MG_STATE_WARN,
			N_("%1 strangers arrive as one client: %2"), mg_finding_number(finding, names, ""), client,
			NULL);
		mg_finding_cause(finding,
			N_("a proxy, NAT or container network in front of Postfix hides who they are, so what is trusted for %1 is trusted for all of them"),
			client, NULL);
		mg_finding_fix(finding,
			N_("let Postfix see the clients (host networking, or the PROXY protocol), and take that address out of mynetworks"),
			NULL);
		mg_finding_evidence(finding, "client=%s, helo-names=%.0f, messages=%lld, relayed=%lld", client, names,
			(long long)json_integer_value(json_object_get(gateway, "messages")), relayed);
	}
	json_decref(gateways);
	mg_finding_is(finding, MG_STATE_OK, N_("clients can be told apart by their addresses"), NULL);
}

static void check_attempts(const struct mg_check_env *env, struct mg_finding *finding)
{
	double warn = 20, crit = 200;
	json_t *attempts = NULL, *attempt;
	struct mg_err err = { "" };
	size_t i;

	mg_check_threshold(env->conf, "relay.attempts", &warn, &crit);
	if (env->query == NULL || mg_query_relay_attempts(env->query, mg_wall_us() - HOUR_S * MG_S_US,
					  mg_mono_us() + READ_MS * MG_MS_US, &attempts, &err) != MG_OK) {
		not_readable(finding, &err);
		return;
	}
	json_array_foreach(attempts, i, attempt)
	{
		const char *client = json_string_value(json_object_get(attempt, "client"));
		double refused = json_number_value(json_object_get(attempt, "refused"));

		if (i == 0)
			mg_finding_value(finding, refused, "refusals/h");
		if (refused < warn)
			continue;
		mg_finding_is(finding, refused >= crit ? MG_STATE_CRIT : MG_STATE_WARN,
			N_("%1 tries to relay through this server"), client, NULL);
		mg_finding_cause(finding, N_("a scanner looks for open relays; Postfix refused it %1 times in an hour"),
			mg_finding_number(finding, refused, ""), NULL);
		mg_finding_fix(finding, N_("shut it out: mailguardctl ban add %1 --for 1d"), client, NULL);
		mg_finding_evidence(finding, "client=%s, refused=%.0f", client, refused);
	}
	json_decref(attempts);
	mg_finding_is(finding, MG_STATE_OK, N_("nobody tries in earnest to relay through this server"), NULL);
}

const struct mg_check mg_checks_relaying[] = {
	{ "relay.runtime", N_("no stranger relays through this server"), 0, 1000, .run = check_runtime,
		.is_daemons = true, .follows = { "self.milter" } },
	{ "relay.gateway", N_("clients can be told apart by their addresses"), 0, READ_MS, .run = check_gateway,
		.follows = { "journal.write" }, .needs = "journal.write" },
	{ "relay.attempts", N_("who tries to relay"), 0, READ_MS, .run = check_attempts, .follows = { "journal.write" },
		.needs = "journal.write" },
};
const size_t mg_checks_relaying_count = sizeof mg_checks_relaying / sizeof mg_checks_relaying[0];
