/* backup.age, system.updates - what an administrator has asked to be reminded of: old backups, pending security updates of mail packages. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/i18n.h"
#include "base/run.h"
#include "health/apt_plan.h"
#include "health/check.h"

enum { ENTRIES_MAX = 200000, DEPTH_MAX = 16, HOUR_S = 3600, APT_MS = 30000, APT_BYTES = 4 * 1024 * 1024 };

/* ---- backup.age ---- */

struct walk {
	int64_t deadline_us, newest_s;
	char newest[256]; /* its name */
	unsigned entries;
	bool is_cut, is_denied;
};

static void look_into(struct walk *walk, int fd, unsigned depth);

static void look_at(struct walk *walk, int directory, const char *name, unsigned depth)
{
	struct stat info;
	int fd;

	if (fstatat(directory, name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
		walk->is_denied = walk->is_denied || errno == EACCES;
	} else if (S_ISREG(info.st_mode)) {
		if (info.st_mtim.tv_sec > walk->newest_s) {
			walk->newest_s = info.st_mtim.tv_sec;
			(void)mg_str_copy(walk->newest, sizeof walk->newest, mg_str_z(name));
		}
	} else if (S_ISDIR(info.st_mode)) {
		if (depth == DEPTH_MAX) {
			walk->is_cut = true;
			return;
		}
		fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			walk->is_denied = walk->is_denied || errno == EACCES;
		else
			look_into(walk, fd, depth + 1);
	}
}

/* Takes the descriptor. Recursion is bounded by DEPTH_MAX. */
static void look_into(struct walk *walk, int fd, unsigned depth)
{
	DIR *entries = fdopendir(fd);
	const struct dirent *entry;

	if (entries == NULL) {
		mg_fd_close(&fd);
		return;
	}
	while (!walk->is_cut && (entry = readdir(entries)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (++walk->entries > ENTRIES_MAX || mg_mono_us() > walk->deadline_us)
			walk->is_cut = true;
		look_at(walk, fd, entry->d_name, depth);
	}
	closedir(entries);
}

static void say_old(const struct mg_check_env *env, struct mg_finding *finding, double age_s, double period_s)
{
	mg_finding_is(finding, MG_STATE_WARN, N_("the newest backup below %1 is %2 old; one is made every %3"),
		env->conf->health.backup_path, mg_finding_number(finding, floor(age_s / HOUR_S), "h"),
		mg_finding_number(finding, period_s / HOUR_S, "h"), NULL);
	mg_finding_cause(finding, N_("the job that makes backups fails, was switched off, or writes elsewhere"), NULL);
	mg_finding_fix(finding,
		N_("see what is there: ls -ltR %1 | head; find its job: systemctl list-timers; crontab -l; run it once and read what it says"),
		env->conf->health.backup_path, NULL);
}

static void judge_walk(const struct mg_check_env *env, struct mg_finding *finding, const struct walk *walk)
{
	double period_s = (double)env->conf->health.backup_period_s,
	       age_s = (double)(mg_wall_us() / MG_S_US - walk->newest_s), warn = 2, crit = INFINITY;

	if (walk->newest_s == 0 && (walk->is_cut || walk->is_denied)) {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("how old the newest backup is can't be told"), NULL);
		mg_finding_cause(finding,
			walk->is_denied ? N_("needs root: the backups can't be looked at")
					: N_("there is too much below that path"),
			NULL);
		mg_finding_fix(finding, "ls -ltR %1 | head", env->conf->health.backup_path, NULL);
		return;
	}
	if (walk->newest_s == 0) {
		mg_finding_is(
			finding, MG_STATE_WARN, N_("there is no backup below %1"), env->conf->health.backup_path, NULL);
		mg_finding_cause(finding, N_("the job that makes backups has never run, or writes elsewhere"), NULL);
		mg_finding_fix(finding,
			N_("run the job that makes backups, or set health.backup.path in mailguard.conf to where it writes"),
			NULL);
		return;
	}
	mg_finding_evidence(finding, "the newest file below %s: %s, %.1f h old", env->conf->health.backup_path,
		walk->newest, age_s / HOUR_S);
	mg_finding_value(finding, floor(age_s / HOUR_S), "h");
	mg_check_threshold(env->conf, "backup.age", &warn, &crit);
	if (age_s > warn * period_s)
		say_old(env, finding, age_s, period_s);
	else if (walk->is_cut)
		mg_finding_evidence(finding, "not all was looked at");
	mg_finding_is(finding, MG_STATE_OK, N_("the newest backup is %1 old"),
		mg_finding_number(finding, floor(age_s / HOUR_S), "h"), NULL);
}

static void check_backup(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct walk walk = { .deadline_us = env->deadline_us };
	const char *path = env->conf->health.backup_path;
	int fd;

	finding->manual = "ls -ltR /var/backups | head";
	if (path[0] == '\0') {
		mg_finding_not_applicable(finding, N_("not applicable: health.backup.path is not set"));
		return;
	}
	if ((fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0) {
		look_into(&walk, fd, 0);
		judge_walk(env, finding, &walk);
	} else if (errno == ENOTDIR) {
		look_at(&walk, AT_FDCWD, path, DEPTH_MAX);
		judge_walk(env, finding, &walk);
	} else if (errno == EACCES) {
		walk.is_denied = true;
		judge_walk(env, finding, &walk);
	} else {
		mg_finding_is(finding, MG_STATE_WARN, N_("%1, where backups should be, is not there"), path, NULL);
		mg_finding_cause(finding, N_("the disk for backups is not mounted, or the path is wrong: %1"),
			strerrordesc_np(errno), NULL);
		mg_finding_fix(
			finding, N_("mount -a; ls -ld %1; or set health.backup.path in mailguard.conf"), path, NULL);
	}
}

/* ---- system.updates ---- */

static void judge_plan(struct mg_finding *finding, const struct mg_apt_plan *plan)
{
	mg_finding_value(finding, (double)plan->count, "packages");
	if (plan->count > 0) {
		mg_finding_evidence(finding, "security updates: %s", plan->names);
		mg_finding_is(
			finding, MG_STATE_WARN, N_("security updates of mail packages wait: %1"), plan->names, NULL);
		mg_finding_cause(finding,
			N_("they are published, and not installed here: unattended-upgrades is off, or holds them back"),
			NULL);
		mg_finding_fix(finding, "apt-get update && apt-get install --only-upgrade %1", plan->names, NULL);
	}
	mg_finding_is(
		finding, MG_STATE_OK, N_("no security update of a mail package waits, as apt's lists have it"), NULL);
}

static void check_updates(const struct mg_check_env *env, struct mg_finding *finding)
{
	static const char *const argv[] = { "apt-get", "-s", "-o", "Debug::NoLocking=true", "dist-upgrade", NULL };
	int64_t left_ms = (env->deadline_us - mg_mono_us()) / MG_MS_US;
	const struct mg_run run = { .argv = argv,
		.timeout_ms = left_ms < 1        ? 1
			      : left_ms > APT_MS ? APT_MS
						 : (int)left_ms,
		.out_max = APT_BYTES,
		.err_max = 4096 };
	struct mg_apt_plan plan = { .count = 0 };
	struct mg_run_result result;
	struct mg_err err = { "" };
	char said[300];
	enum mg_rc rc;

	finding->manual = "apt-get -s dist-upgrade | grep -i security";
	if (!env->conf->health.updates) {
		mg_finding_not_applicable(finding, N_("not applicable: health.updates is false"));
		return;
	}
	rc = mg_run(&run, &result, &err);
	if (rc == MG_OK && result.status == 0) {
		mg_apt_plan_read(mg_buf_str(&result.out), &plan);
		judge_plan(finding, &plan);
	} else {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("which updates wait can't be told"), NULL);
		if (rc == MG_ENOENT)
			mg_finding_cause(finding, N_("only apt can be asked, and it is not installed here"), NULL);
		mg_finding_cause(finding, "%1", rc == MG_OK ? mg_run_said(&result, said, sizeof said) : err.text, NULL);
		mg_finding_fix(finding, "apt-get -s dist-upgrade", NULL);
	}
	mg_run_fini(&result);
}

const struct mg_check mg_checks_upkeep[] = {
	{ "backup.age", N_("the newest backup"), HOUR_S, 20000, .run = check_backup },
	{ "system.updates", N_("security updates of mail packages"), 6 * HOUR_S, 40000, .run = check_updates },
};
const size_t mg_checks_upkeep_count = sizeof mg_checks_upkeep / sizeof mg_checks_upkeep[0];
