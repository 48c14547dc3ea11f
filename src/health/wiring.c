/* wiring.* - is mailguard really consulted, on every smtpd service, before any permit? What the configuration says is
 * compared with what the log shows: a message that no door saw is proof against any configuration. */
#include <math.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "health/check.h"
#include "postfix/wiring.h"

enum { LOOK_BACK_S = 900, UNSEEN_SHARE_CRIT = 10 /* percent */ };

/* Which of a service's answers a check is about. */
struct aspect {
	bool (*is_wired)(const struct mg_wiring_service *service);
	bool (*is_explicit)(const struct mg_wiring_service *service);
	const struct mg_say *(*reason)(const struct mg_wiring_service *service);
};

static bool milter_is_wired(const struct mg_wiring_service *service)
{
	return service->has_milter;
}

static bool milter_is_explicit(const struct mg_wiring_service *service)
{
	return service->milter_default_is_explicit;
}

static const struct mg_say *milter_reason(const struct mg_wiring_service *service)
{
	return &service->milter_reason;
}

static bool check_is_wired(const struct mg_wiring_service *service)
{
	return service->has_check;
}

static bool check_is_explicit(const struct mg_wiring_service *service)
{
	return service->check_default_is_explicit;
}

static const struct mg_say *check_reason(const struct mg_wiring_service *service)
{
	return &service->check_reason;
}

static bool tap_is_wired(const struct mg_wiring_service *service)
{
	return service->has_tap || service->has_check;
}

static const struct mg_say *tap_reason(const struct mg_wiring_service *service)
{
	return &service->tap_reason;
}

static bool is_always(const struct mg_wiring_service *service)
{
	(void)service;
	return true;
}

static bool inspect(const struct mg_check_env *env, struct mg_finding *finding, struct mg_wiring **wiring_out)
{
	struct mg_wiring_doors doors = { env->conf->milter.listen, env->conf->policy.listen };
	struct mg_err err = { "" };

	finding->manual = "postconf -n smtpd_milters smtpd_recipient_restrictions; postconf -P";
	if (env->postfix == NULL) {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("Postfix's configuration can't be read"), NULL);
		mg_finding_cause(finding, "%1", env->postfix_trouble, NULL);
		mg_finding_fix(
			finding, N_("set postfix.config_directory in mailguard.conf to Postfix's directory"), NULL);
		return false;
	}
	if (mg_wiring_inspect(env->postfix, &doors, wiring_out, &err) == MG_OK)
		return true;
	mg_finding_is(finding, MG_STATE_UNKNOWN, N_("how mailguard is wired can't be told"), NULL);
	mg_finding_cause(finding, "%1", err.text, NULL);
	return false;
}

/* Services that strangers reach; where there are none, all. */
static bool counts(const struct mg_wiring *wiring, const struct mg_wiring_service *service)
{
	if (!service->is_loopback)
		return true;
	for (size_t i = 0; i < wiring->service_count; i++)
		if (!wiring->services[i].is_loopback)
			return false;
	return true;
}

/* How many services lack it; the value that status reads: 0 is wired. */
static size_t judge(const struct mg_check_env *env, const struct mg_wiring *wiring, const struct aspect *aspect,
	struct mg_finding *finding, const char *missing, const char *implicit)
{
	size_t lacking = 0, counted = 0;

	for (size_t i = 0; i < wiring->service_count; i++) {
		const struct mg_wiring_service *service = &wiring->services[i];

		if (!counts(wiring, service))
			continue;
		counted++;
		if (!aspect->is_wired(service)) {
			lacking++;
			mg_finding_evidence(finding, "%s lacks it", service->id);
			mg_finding_is(finding, MG_STATE_WARN, missing, service->id, NULL);
			mg_finding_because(finding, aspect->reason(service));
			mg_finding_fix(finding,
				N_("mailguardctl wire --dry-run, then: mailguardctl wire --apply && %1 reload"),
				mg_check_program(env, finding, "postfix"), NULL);
		} else if (!aspect->is_explicit(service)) {
			mg_finding_evidence(finding, "%s: default_action is not explicit", service->id);
			mg_finding_is(finding, MG_STATE_WARN, implicit, service->id, NULL);
			mg_finding_cause(finding,
				N_("no default_action is written with mailguard's entry, so Postfix's own decides"),
				NULL);
			mg_finding_fix(finding,
				N_("mailguardctl wire --dry-run, then: mailguardctl wire --apply && %1 reload"),
				mg_check_program(env, finding, "postfix"), NULL);
		}
	}
	if (counted == 0) {
		mg_finding_is(finding, MG_STATE_WARN, N_("Postfix has no smtpd service"), NULL);
		lacking = 1;
	}
	mg_finding_value(finding, (double)lacking, "services");
	return lacking;
}

/* Messages that the log shows and no door saw. */
static void compare_with_log(const struct mg_check_env *env, struct mg_finding *finding, size_t lacking)
{
	int64_t since_us = mg_wall_us() - LOOK_BACK_S * MG_S_US;
	json_t *services = NULL, *service;
	size_t i;

	if (env->query == NULL || env->figures == NULL)
		return;
	if (since_us < env->figures->worker_started_us)
		since_us = env->figures->worker_started_us;
	if (mg_query_coverage(env->query, since_us, env->deadline_us, &services, NULL) != MG_OK)
		return;
	json_array_foreach(services, i, service)
	{
		double messages = json_number_value(json_object_get(service, "messages"));
		double unseen = json_number_value(json_object_get(service, "unseen"));
		const char *name = json_string_value(json_object_get(service, "service"));
		bool is_crit = lacking > 0 || unseen * 100 > messages * UNSEEN_SHARE_CRIT;

		if (unseen < 1)
			continue;
		mg_finding_evidence(finding, "%s: %.0f of %.0f messages unseen, the last %s", name, unseen, messages,
			json_string_value(json_object_get(service, "last_unseen_queue_id")));
		mg_finding_is(finding, is_crit ? MG_STATE_CRIT : MG_STATE_WARN,
			N_("%1 messages of the last quarter of an hour passed %2 without mailguard"),
			mg_finding_number(finding, unseen, ""), name, NULL);
		mg_finding_cause(finding,
			lacking > 0
				? N_("this service does not ask mailguard")
				: N_("Postfix could not reach mailguard for a while, or has not read its new configuration"),
			NULL);
		mg_finding_fix(finding,
			lacking > 0 ? N_("mailguardctl wire --apply && %1 reload")
				    : N_("%1 reload; then look for: grep 'connect to Milter' in the mail log"),
			mg_check_program(env, finding, "postfix"), NULL);
	}
	json_decref(services);
}

static void check_milter(const struct mg_check_env *env, struct mg_finding *finding)
{
	static const struct aspect milter = { milter_is_wired, milter_is_explicit, milter_reason };
	struct mg_wiring *wiring = NULL;
	size_t lacking;

	if (env->conf->milter.listen[0] == '\0') {
		mg_finding_not_applicable(finding, N_("not applicable: the milter door is off"));
		return;
	}
	if (!inspect(env, finding, &wiring))
		return;
	lacking = judge(env, wiring, &milter, finding, N_("the service %1 does not ask mailguard's milter"),
		N_("what happens to mail of %1 when mailguard's milter fails is not written down"));
	if (!wiring->has_non_smtpd) {
		mg_finding_evidence(finding, "non_smtpd_milters: without mailguard");
		mg_finding_is(finding, MG_STATE_WARN,
			N_("mail sent by sendmail(1) on this machine does not pass mailguard"), NULL);
		mg_finding_cause(finding, N_("the milter is not in non_smtpd_milters"), NULL);
		mg_finding_fix(finding, N_("mailguardctl wire --apply && %1 reload"),
			mg_check_program(env, finding, "postfix"), NULL);
	}
	compare_with_log(env, finding, lacking);
	mg_finding_is(finding, MG_STATE_OK, N_("every smtpd service asks mailguard's milter"), NULL);
	mg_wiring_free(&wiring);
}

static void check_policy(const struct mg_check_env *env, struct mg_finding *finding)
{
	static const struct aspect policy = { check_is_wired, check_is_explicit, check_reason };
	struct mg_wiring *wiring = NULL;

	if (env->conf->policy.listen[0] == '\0') {
		mg_finding_not_applicable(finding, N_("not applicable: the policy door is off"));
		return;
	}
	if (!inspect(env, finding, &wiring))
		return;
	judge(env, wiring, &policy, finding,
		N_("the service %1 does not ask mailguard's policy check before it permits"),
		N_("what happens to mail of %1 when mailguard's policy check fails is not written down"));
	mg_finding_is(
		finding, MG_STATE_OK, N_("every smtpd service asks mailguard's policy check before it permits"), NULL);
	mg_wiring_free(&wiring);
}

static void check_relay_tap(const struct mg_check_env *env, struct mg_finding *finding)
{
	static const struct aspect tap = { tap_is_wired, is_always, tap_reason };
	struct mg_wiring *wiring = NULL;

	if (env->conf->policy.listen[0] == '\0') {
		mg_finding_not_applicable(finding, N_("not applicable: the policy door is off"));
		return;
	}
	if (!inspect(env, finding, &wiring))
		return;
	judge(env, wiring, &tap, finding, N_("on the service %1 an open relay would not be noticed at once"), "");
	mg_finding_is(finding, MG_STATE_OK, N_("an open relay would be noticed at the first recipient"), NULL);
	mg_wiring_free(&wiring);
}

const struct mg_check mg_checks_wiring[] = {
	{ "wiring.milter", N_("Postfix asks mailguard's milter"), 0, 12000, .run = check_milter, .is_daemons = true },
	{ "wiring.policy", N_("Postfix asks mailguard's policy check"), 0, 12000, .run = check_policy,
		.is_daemons = true },
	{ "wiring.relay_tap", N_("the exact test for relaying is in place"), 0, 12000, .run = check_relay_tap,
		.is_daemons = true, .follows = { "wiring.policy" } },
};
const size_t mg_checks_wiring_count = sizeof mg_checks_wiring / sizeof mg_checks_wiring[0];
