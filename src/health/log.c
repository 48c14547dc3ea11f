/* log.* - is the mail log being read and understood? Without it nobody knows how a message was delivered. */
#include <errno.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "health/check.h"

enum { LINES_TO_JUDGE = 200 };

static void check_unread(const struct mg_log_reader_stats *log, struct mg_finding *finding)
{
	mg_finding_is(finding, MG_STATE_CRIT, N_("the mail log can't be read, so deliveries are not known"), NULL);
	mg_finding_cause(finding, "%1", log->trouble, NULL);
	if (log->trouble_errno == EACCES || log->trouble_errno == EPERM)
		mg_finding_fix(finding,
			N_("let mailguard read it: adduser mailguard adm && systemctl restart mailguard"), NULL);
	else
		mg_finding_fix(finding,
			N_("say where the log is: postfix.log = \"file:/path\" in mailguard.conf, then: mailguardctl reload"),
			NULL);
}

static void check_reader(const struct mg_check_env *env, struct mg_finding *finding)
{
	const struct mg_log_reader_stats *log;
	double warn = 60, crit = 600, known, share;

	if (env->figures == NULL) {
		mg_finding_is(finding, MG_STATE_UNKNOWN,
			N_("mailguardd does not answer, so nothing is known of its log reader"), NULL);
		return;
	}
	if (mg_str_eq(mg_str_z(env->conf->postfix.log), MG_STR("off"))) {
		mg_finding_not_applicable(finding, N_("not applicable: postfix.log = \"off\""));
		return;
	}
	if (!env->figures->has_log) {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("the mail log is not being read yet"), NULL);
		mg_finding_cause(finding, N_("mailguardd has just started, or its record can't be opened"), NULL);
		mg_finding_fix(
			finding, N_("look again in a moment: mailguardctl check log.reader journal.write"), NULL);
		return;
	}
	log = &env->figures->log;
	mg_check_threshold(env->conf, "log.reader", &warn, &crit);
	mg_finding_value(finding, (double)log->behind_s, "s");
	mg_finding_evidence(finding, "source %s, %llu lines read, %llu of unknown shape", log->source,
		(unsigned long long)log->lines, (unsigned long long)log->unknown);
	if (log->trouble[0] != '\0')
		check_unread(log, finding);
	if ((double)log->behind_s > warn) {
		mg_finding_is(finding, (double)log->behind_s > crit ? MG_STATE_CRIT : MG_STATE_WARN,
			N_("the log reader is %1 behind"), mg_finding_number(finding, (double)log->behind_s, "s"),
			NULL);
		mg_finding_cause(finding, N_("it is catching up after downtime, or the disk is slow"), NULL);
		mg_finding_fix(finding, N_("wait and look again: mailguardctl check log.reader"), NULL);
	}
	known = (double)(log->understood + log->noise);
	share = known + (double)log->unknown > 0 ? (double)log->unknown / (known + (double)log->unknown) : 0;
	if (share > 0.2 && log->lines > LINES_TO_JUDGE) {
		mg_finding_is(finding, MG_STATE_WARN, N_("%1 of Postfix's log lines are not understood"),
			mg_finding_number(finding, share * 100, "%"), NULL);
		mg_finding_cause(finding, N_("another log format, or a Postfix newer than this mailguard"), NULL);
		mg_finding_fix(finding, N_("update mailguard, or report a line it does not know"), NULL);
	}
	mg_finding_is(finding, MG_STATE_OK, N_("the mail log is read from %1"), log->source, NULL);
}

const struct mg_check mg_checks_log[] = {
	{ "log.reader", N_("the mail log is read"), 0, 1000, .run = check_reader, .is_daemons = true,
		.follows = { "self.milter" } },
};
const size_t mg_checks_log_count = sizeof mg_checks_log / sizeof mg_checks_log[0];
