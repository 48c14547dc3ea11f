/* relay.*, config.smtpd.* - what the relay prover says of Postfix's configuration.
 *
 * Proving takes a while, and its answer can't change while main.cf, master.cf and the tables stay the same: the last report
 * is kept, and made anew when Postfix's configuration was read again or a table is another. One check runs at a time, so
 * what is kept needs no lock. */
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "health/check.h"
#include "postfix/relay_prover.h"

enum { AGAIN_S = 600 /* what is no file, a database for one, changes unseen */, DIRECTORY_BYTES = 512, FILES = 2 };

struct look { /* a file as it was */
	struct timespec changed;
	off_t size;
	ino_t inode;
};

static struct kept {
	struct mg_relay_report *report;
	char directory[DIRECTORY_BYTES];
	struct look files[MG_RELAY_FILES], own[FILES]; /* own: main.cf, master.cf */
	int64_t proved_us;
} kept;

static struct look look_at(const char *path)
{
	struct stat info;

	return stat(path, &info) == 0 ? (struct look){ info.st_mtim, info.st_size, info.st_ino } : (struct look){ 0 };
}

static bool is_same(const struct look *a, const struct look *b)
{
	return a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec &&
	       a->size == b->size && a->inode == b->inode;
}

static void look_at_own(const char *directory, struct look looks_out[FILES])
{
	static const char *const names[FILES] = { "main.cf", "master.cf" };
	struct mg_buf path;

	for (size_t i = 0; i < FILES; i++) {
		mg_buf_init(&path, 2 * DIRECTORY_BYTES);
		mg_buf_addf(&path, "%s/%s", directory, names[i]);
		looks_out[i] = look_at(mg_buf_z(&path));
		mg_buf_fini(&path);
	}
}

static bool is_fresh(const char *directory)
{
	struct look now[FILES];

	if (kept.report == NULL || strcmp(kept.directory, directory) != 0 ||
		mg_mono_us() - kept.proved_us > AGAIN_S * MG_S_US)
		return false;
	look_at_own(directory, now);
	for (size_t i = 0; i < FILES; i++)
		if (!is_same(&now[i], &kept.own[i]))
			return false;
	for (size_t i = 0; i < kept.report->file_count; i++) {
		struct look file = look_at(kept.report->files[i]);

		if (!is_same(&file, &kept.files[i]))
			return false;
	}
	return true;
}

static const struct mg_relay_report *prove(const struct mg_check_env *env, struct mg_err *err)
{
	if (is_fresh(env->postfix->directory))
		return kept.report;
	mg_relay_report_free(&kept.report);
	look_at_own(env->postfix->directory, kept.own);
	if (mg_relay_prove(env->postfix, env->conf->policy.listen, &kept.report, err) != MG_OK)
		return NULL;
	if (!mg_str_copy(kept.directory, sizeof kept.directory, mg_str_z(env->postfix->directory)))
		kept.directory[0] = '\0';
	for (size_t i = 0; i < kept.report->file_count; i++)
		kept.files[i] = look_at(kept.report->files[i]);
	kept.proved_us = mg_mono_us();
	return kept.report;
}

/* NULL: said why. */
static const struct mg_relay_report *report_of(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct mg_err err = { "" };
	const struct mg_relay_report *report;

	finding->manual = "mailguardctl relay-check";
	if (env->postfix == NULL) {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("Postfix's configuration can't be read"), NULL);
		mg_finding_cause(finding, "%1", env->postfix_trouble, NULL);
		mg_finding_fix(
			finding, N_("set postfix.config_directory in mailguard.conf to Postfix's directory"), NULL);
		return NULL;
	}
	if ((report = prove(env, &err)) != NULL)
		return report;
	mg_finding_is(finding, MG_STATE_UNKNOWN, N_("whether strangers can relay can't be told"), NULL);
	mg_finding_cause(finding, "%1", err.text, NULL);
	return NULL;
}

static enum mg_check_state state_of(enum mg_relay_path_kind kind)
{
	return kind == MG_RELAY_PATH_OPEN ? MG_STATE_CRIT : kind == MG_RELAY_PATH_NOTE ? MG_STATE_OK : MG_STATE_WARN;
}

static void say_fix(struct mg_finding *finding, const struct mg_say *fix)
{
	mg_finding_fix(finding, fix->template == NULL ? "" : fix->template, fix->arg[0] == NULL ? "" : fix->arg[0],
		fix->arg[1] == NULL ? "" : fix->arg[1], NULL);
}

static void say_evidence(struct mg_finding *finding, const struct mg_relay_path *path)
{
	struct mg_buf why;

	mg_buf_init(&why, MG_SAY_TEXT);
	mg_say_english(&why, &path->why);
	mg_finding_evidence(finding, "%s: %s%s%s: %s", mg_relay_path_kind_name(path->kind), path->service,
		path->service[0] == '\0' ? "" : ", ", path->restriction, mg_buf_z(&why));
	mg_buf_fini(&why);
}

/* ""  is everything but what makes a service useless: those have checks of their own, and are no relaying. */
static bool belongs(const struct mg_relay_path *path, const char *topic)
{
	if (topic[0] != '\0')
		return strcmp(topic, path->topic) == 0;
	return strcmp(path->topic, MG_RELAY_TOPIC_DEAD) != 0 && strcmp(path->topic, MG_RELAY_TOPIC_TEMPORARY) != 0;
}

/* The paths of a topic, the worst first. */
static void say_paths(const struct mg_relay_report *report, const char *topic, struct mg_finding *finding)
{
	static const char *const summaries[] = {
		[MG_RELAY_PATH_NOTE] = "",
		[MG_RELAY_PATH_ADVICE] = N_("no stranger can relay as things stand, but %1 wants attention"),
		[MG_RELAY_PATH_UNKNOWN] = N_("that no stranger can relay can't be proved, because of %1"),
		[MG_RELAY_PATH_OPEN] = N_("OPEN RELAY: strangers can send mail to strangers, by %1"),
	};
	size_t worst = 0;

	for (size_t i = 0; i < report->path_count; i++) {
		const struct mg_relay_path *path = &report->paths[i];

		if (!belongs(path, topic))
			continue;
		say_evidence(finding, path);
		worst += path->kind == MG_RELAY_PATH_OPEN;
		if (path->kind == MG_RELAY_PATH_NOTE || finding->summary.template != NULL)
			continue;
		mg_finding_is(finding, state_of(path->kind), summaries[path->kind], path->restriction, NULL);
		mg_finding_because(finding, &path->why);
		say_fix(finding, &path->fix);
	}
	mg_finding_value(finding, (double)worst, "paths");
}

static void check_static(const struct mg_check_env *env, struct mg_finding *finding)
{
	const struct mg_relay_report *report = report_of(env, finding);

	if (report == NULL)
		return;
	say_paths(report, "", finding);
	mg_finding_is(finding, MG_STATE_OK, N_("no stranger can send mail to strangers through this server"), NULL);
}

static void check_networks(const struct mg_check_env *env, struct mg_finding *finding)
{
	const struct mg_relay_report *report = report_of(env, finding);

	if (report == NULL)
		return;
	say_paths(report, "mynetworks", finding);
	mg_finding_is(finding, MG_STATE_OK, N_("mynetworks trusts nobody but this host and narrow or private networks"),
		NULL);
}

static void check_spoof(const struct mg_check_env *env, struct mg_finding *finding)
{
	const struct mg_relay_report *report = report_of(env, finding);

	if (report == NULL)
		return;
	say_paths(report, "spoof", finding);
	mg_finding_is(finding, MG_STATE_OK, N_("no stranger can claim another client's address"), NULL);
}

/* A service that can't work, whatever the path's kind says of relaying. */
static void say_faults(const struct mg_check_env *env, const char *topic, const char *summary, const char *fine,
	struct mg_finding *finding)
{
	const struct mg_relay_report *report = report_of(env, finding);
	size_t count = 0;

	if (report == NULL)
		return;
	for (size_t i = 0; i < report->path_count; i++) {
		const struct mg_relay_path *path = &report->paths[i];

		if (!belongs(path, topic))
			continue;
		say_evidence(finding, path);
		if (count++ > 0)
			continue;
		mg_finding_is(finding, MG_STATE_CRIT, summary, path->service, NULL);
		mg_finding_because(finding, &path->why);
		say_fix(finding, &path->fix);
	}
	mg_finding_value(finding, (double)count, "faults");
	mg_finding_is(finding, MG_STATE_OK, fine, NULL);
}

static void check_dead(const struct mg_check_env *env, struct mg_finding *finding)
{
	say_faults(env, MG_RELAY_TOPIC_DEAD, N_("smtpd of %1 ends at every connection: no mail comes in there"),
		N_("every smtpd holds a refusal that Postfix insists on"), finding);
	finding->manual = "journalctl -u postfix -g fatal";
}

static void check_temporary(const struct mg_check_env *env, struct mg_finding *finding)
{
	say_faults(env, MG_RELAY_TOPIC_TEMPORARY, N_("%1 answers 451: its configuration holds what Postfix can't use"),
		N_("every word of smtpd's restrictions is one that Postfix can use"), finding);
	finding->manual = "journalctl -u postfix -g warning";
}

const struct mg_check mg_checks_relay[] = {
	{ "relay.static", N_("no stranger can relay, by the configuration"), 0, 30000, .run = check_static },
	{ "relay.mynetworks", N_("mynetworks is narrow"), 0, 30000, .run = check_networks,
		.follows = { "relay.static" } },
	{ "relay.spoof", N_("clients can't forge their address"), 0, 30000, .run = check_spoof,
		.follows = { "relay.static" } },
	{ "config.smtpd.dead", N_("every smtpd can start"), 0, 30000, .run = check_dead },
	{ "config.smtpd.451", N_("smtpd understands its restrictions"), 0, 30000, .run = check_temporary },
};
const size_t mg_checks_relay_count = sizeof mg_checks_relay / sizeof mg_checks_relay[0];
