/* limit.smtpd, dovecot.limits - ceilings that Postfix and Dovecot have met, by their own words in the log. */
#include "base/clock.h"
#include "base/i18n.h"
#include "health/dovecot_conf.h"

enum { TEN_MINUTES_S = 600, HOUR_S = 3600, READ_MS = 20000 };

static void check_smtpd(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct mg_log_tally *tally = mg_check_tally(env, finding);
	int64_t now_us = mg_wall_us();
	unsigned processes, rates;
	enum mg_check_state state;
	char line[MG_TALLY_LINE];

	finding->manual = mg_check_log_search(env, finding, "reached its process limit|limit exceeded");
	if (tally == NULL)
		return;
	processes = mg_log_tally_count(tally, MG_TALLY_PROCESS_LIMIT, now_us, TEN_MINUTES_S);
	rates = mg_log_tally_count(tally, MG_TALLY_RATE_LIMIT, now_us, TEN_MINUTES_S);
	mg_finding_value(finding, processes + rates, "times");
	state = mg_check_grade(env, "limit.smtpd", processes + rates, 1, 3);
	if (processes > 0) {
		mg_log_tally_last(tally, MG_TALLY_PROCESS_LIMIT, line);
		mg_finding_evidence(finding, "%u times in 10 minutes, the last: %s", processes, line);
		mg_finding_is(finding, state,
			N_("a service of Postfix has all its processes busy: clients wait or are turned away"), NULL);
		mg_finding_cause(finding,
			N_("a flood of connections, clients held up by something slow, or a process limit too low for this server"),
			NULL);
		mg_finding_fix(finding,
			N_("see who connects: mailguardctl recent; if they are welcome: %1 -e default_process_limit=200 && %2 reload"),
			mg_check_program(env, finding, "postconf"), mg_check_program(env, finding, "postfix"), NULL);
	}
	if (rates > 0) {
		mg_log_tally_last(tally, MG_TALLY_RATE_LIMIT, line);
		mg_finding_evidence(finding, "%u times in 10 minutes, the last: %s", rates, line);
		mg_finding_is(finding, state, N_("a client goes beyond Postfix's limits for one client"), NULL);
		mg_finding_cause(finding, "%1", line, NULL);
		mg_finding_fix(finding,
			N_("see what it does: mailguardctl recent --client IP; if it is unwelcome: mailguardctl ban add IP"),
			NULL);
	}
	mg_finding_is(finding, MG_STATE_OK, N_("no limit of Postfix was met in the last 10 minutes"), NULL);
}

static void check_dovecot(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct mg_log_tally *tally = mg_check_tally(env, finding);
	struct mg_dovecot dovecot;
	int64_t now_us = mg_wall_us();
	enum mg_check_state state;
	char line[MG_TALLY_LINE];
	unsigned count;

	finding->manual = "doveadm log errors";
	if (tally == NULL)
		return;
	count = mg_log_tally_count(tally, MG_TALLY_DOVECOT_LIMIT, now_us, HOUR_S);
	if (count == 0 && mg_dovecot_look(env, &dovecot, NULL) == MG_OK && !dovecot.is_used) {
		mg_finding_not_applicable(finding, N_("not applicable: Dovecot is not used here"));
		return;
	}
	mg_finding_value(finding, count, "times");
	state = mg_check_grade(env, "dovecot.limits", count, 1, 10);
	if (count > 0 && state != MG_STATE_OK) {
		mg_log_tally_last(tally, MG_TALLY_DOVECOT_LIMIT, line);
		mg_finding_evidence(finding, "%u times in an hour, the last: %s", count, line);
		mg_finding_is(finding, state,
			N_("Dovecot met one of its limits %1 times in an hour: clients can't log in"),
			mg_finding_number(finding, count, ""), NULL);
		mg_finding_cause(finding, "%1", line, NULL);
		mg_finding_fix(finding,
			N_("raise the limit that the line names (process_limit, client_limit, mail_max_userip_connections) in Dovecot's configuration, then: doveadm reload"),
			NULL);
	}
	mg_finding_is(finding, MG_STATE_OK, N_("Dovecot met none of its limits in the last hour"), NULL);
}

const struct mg_check mg_checks_limits[] = {
	{ "limit.smtpd", N_("Postfix's own limits"), 0, READ_MS, .run = check_smtpd },
	{ "dovecot.limits", N_("Dovecot's own limits"), 0, READ_MS, .run = check_dovecot },
};
const size_t mg_checks_limits_count = sizeof mg_checks_limits / sizeof mg_checks_limits[0];
