/* journal.* - is the record being kept? Mail never depends on it; people who look for a message do. */
#include "base/clock.h"
#include "base/i18n.h"
#include "health/check.h"

static bool has_journal(const struct mg_check_env *env, struct mg_finding *finding)
{
	if (env->figures == NULL) {
		mg_finding_is(finding, MG_STATE_UNKNOWN,
			N_("mailguardd does not answer, so nothing is known of the record"), NULL);
		return false;
	}
	if (env->figures->is_journal_opening) {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("the record is just being opened"), NULL);
		return false;
	}
	if (!env->figures->has_journal) {
		mg_finding_is(finding, MG_STATE_CRIT, N_("no record is being kept"), NULL);
		mg_finding_cause(finding, "%1", env->figures->journal_trouble, NULL);
		mg_finding_fix(finding, N_("make %1 writable for mailguard, then: mailguardctl reload"),
			env->conf->journal.path, NULL);
		return false;
	}
	return true;
}

static void check_write(const struct mg_check_env *env, struct mg_finding *finding)
{
	const struct mg_journal_stats *stats;
	double warn = 5, crit = 60, lag_s;

	if (!has_journal(env, finding))
		return;
	stats = &env->figures->journal;
	mg_check_threshold(env->conf, "journal.write", &warn, &crit);
	lag_s = (double)stats->lag_ms / 1000;
	mg_finding_value(finding, lag_s, "s");
	finding->manual = "df -h /var/lib/mailguard";
	if (stats->dropped > 0) {
		mg_finding_is(finding, MG_STATE_CRIT, N_("%1 transactions could not be recorded"),
			mg_finding_number(finding, (double)stats->dropped, ""), NULL);
		mg_finding_cause(finding,
			stats->trouble[0] != '\0' ? "%1" : N_("the disk of the record was too slow or full"),
			stats->trouble, NULL);
		mg_finding_fix(finding, N_("make room for %1 (df -h; journal.max_mb); mail was not affected"),
			env->conf->journal.path, NULL);
	}
	if (stats->failing_since_us != 0) {
		mg_finding_is(finding, MG_STATE_CRIT, N_("the record can't be written; %1 entries wait"),
			mg_finding_number(finding, (double)stats->queued, ""), NULL);
		mg_finding_cause(finding, "%1", stats->trouble, NULL);
		mg_finding_fix(finding, N_("make room for %1 (df -h; journal.max_mb); mail was not affected"),
			env->conf->journal.path, NULL);
	}
	if (lag_s > warn) {
		mg_finding_is(finding, lag_s > crit ? MG_STATE_CRIT : MG_STATE_WARN, N_("the record is %1 behind"),
			mg_finding_number(finding, lag_s, "s"), NULL);
		mg_finding_cause(finding, N_("the disk of the record is slow"), NULL);
		mg_finding_fix(finding, N_("look at the disk's load: iostat -x 1"), NULL);
	}
	mg_finding_is(finding, MG_STATE_OK, N_("every transaction is recorded"), NULL);
}

static void check_size(const struct mg_check_env *env, struct mg_finding *finding)
{
	double used_mb, warn = 1.05, crit = 1.5, share;

	if (!has_journal(env, finding))
		return;
	used_mb = (double)env->figures->journal.bytes / (1024 * 1024);
	share = used_mb / (double)env->conf->journal.max_mb;
	mg_check_threshold(env->conf, "journal.size", &warn, &crit);
	mg_finding_value(finding, used_mb, "MiB");
	if (share > warn) {
		mg_finding_is(finding, share > crit ? MG_STATE_CRIT : MG_STATE_WARN,
			N_("the record takes %1 and may take %2"), mg_finding_number(finding, used_mb, "MiB"),
			mg_finding_number(finding, (double)env->conf->journal.max_mb, "MiB"), NULL);
		mg_finding_cause(finding, N_("old entries can't be removed as fast as new ones come"), NULL);
		mg_finding_fix(finding, N_("lower journal.keep_days, then: mailguardctl reload"), NULL);
	}
	mg_finding_is(finding, MG_STATE_OK, N_("the record takes %1 of %2"), mg_finding_number(finding, used_mb, "MiB"),
		mg_finding_number(finding, (double)env->conf->journal.max_mb, "MiB"), NULL);
}

static void check_integrity(const struct mg_check_env *env, struct mg_finding *finding)
{
	if (!has_journal(env, finding))
		return;
	if (env->figures->journal.set_aside[0] != '\0') {
		mg_finding_is(finding, MG_STATE_CRIT, N_("the record was damaged and a new one was begun"), NULL);
		mg_finding_cause(finding,
			N_("SQLite found the file corrupt: a full or failing disk, or a crash of the machine"), NULL);
		mg_finding_fix(finding, N_("the old file is kept as %1; look at the disk with: dmesg | grep -i error"),
			env->figures->journal.set_aside, NULL);
	}
	mg_finding_is(finding, MG_STATE_OK, N_("the record is whole"), NULL);
}

const struct mg_check mg_checks_journal[] = {
	{ "journal.write", N_("the record is written"), 0, 1000, .run = check_write, .is_daemons = true,
		.follows = { "self.milter" } },
	{ "journal.size", N_("the record's size"), 0, 1000, .run = check_size, .is_daemons = true,
		.follows = { "self.milter", "journal.write" } },
	{ "journal.integrity", N_("the record is whole"), 0, 1000, .run = check_integrity, .is_daemons = true,
		.follows = { "self.milter" } },
};
const size_t mg_checks_journal_count = sizeof mg_checks_journal / sizeof mg_checks_journal[0];
