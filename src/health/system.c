/* system.* - the machine: memory, load, clock. */
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/i18n.h"
#include "health/check.h"
#include "health/clock_offset.h"
#include "health/process.h"

enum { MEMINFO_MAX = 64 * 1024 };

/* The number behind `name` in /proc/meminfo, KiB. */
static bool read_kib(struct mg_str text, struct mg_str name, double *kib_out)
{
	uint64_t kib;

	while (text.n > 0) {
		struct mg_str line = mg_str_cut(&text, '\n');

		if (!mg_read_token(&line, name))
			continue;
		line = mg_str_trim(line);
		if (!mg_read_u64(&line, UINT64_MAX, &kib))
			return false;
		*kib_out = (double)kib;
		return true;
	}
	return false;
}

static void check_memory(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct mg_buf text;
	double total = 0, available = 0, percent;
	enum mg_check_state state;
	bool is_known = mg_file_read("/proc/meminfo", MEMINFO_MAX, &text, NULL) == MG_OK &&
			read_kib(mg_buf_str(&text), MG_STR("MemTotal:"), &total) &&
			read_kib(mg_buf_str(&text), MG_STR("MemAvailable:"), &available) && total > 0;

	mg_buf_fini(&text);
	finding->manual = "free -m";
	if (!is_known) {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("how much memory is free can't be told"), NULL);
		mg_finding_cause(finding, N_("/proc/meminfo can't be read"), NULL);
		return;
	}
	percent = 100 * available / total;
	mg_finding_value(finding, percent, "%");
	mg_finding_evidence(finding, "%.0f of %.0f MiB are available", available / 1024, total / 1024);
	state = mg_check_grade(env, "system.memory", percent, 20, 10);
	if (state != MG_STATE_OK) {
		mg_finding_is(finding, state, N_("only %1 of the memory is available"),
			mg_finding_number(finding, percent, "%"), NULL);
		mg_finding_cause(finding,
			N_("too many processes at once: content filters, or Postfix's process limit is too high for this machine"),
			NULL);
		mg_finding_fix(finding,
			N_("see who takes it: ps aux --sort=-rss | head; then lower the limit: %1 -e default_process_limit=50 && %2 reload"),
			mg_check_program(env, finding, "postconf"), mg_check_program(env, finding, "postfix"), NULL);
	}
	mg_finding_is(finding, MG_STATE_OK, N_("the machine has memory: %1 available"),
		mg_finding_number(finding, percent, "%"), NULL);
}

static void check_load(const struct mg_check_env *env, struct mg_finding *finding)
{
	double loads[3], per_core;
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	enum mg_check_state state;

	finding->manual = "uptime";
	if (getloadavg(loads, 3) != 3 || cores < 1) {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("the machine's load can't be told"), NULL);
		return;
	}
	per_core = loads[1] / (double)cores;
	mg_finding_value(finding, per_core, "per core");
	mg_finding_evidence(finding, "load %.2f %.2f %.2f on %ld cores", loads[0], loads[1], loads[2], cores);
	state = mg_check_grade(env, "system.load", per_core, 2, 8);
	if (state != MG_STATE_OK) {
		mg_finding_is(finding, state, N_("the load is %1 for each core"),
			mg_finding_number(finding, per_core, ""), NULL);
		mg_finding_cause(finding,
			N_("more work than the processors or the disk can do: content filters, a flood of mail, or a slow disk"),
			NULL);
		mg_finding_fix(finding,
			N_("see who works: top -b -n 1 | head -20; a flood: mailguardctl recent; then: %1 -e default_process_limit=50 && %2 reload"),
			mg_check_program(env, finding, "postconf"), mg_check_program(env, finding, "postfix"), NULL);
	}
	mg_finding_is(finding, MG_STATE_OK, N_("the load is %1 for each core"),
		mg_finding_number(finding, per_core, ""), NULL);
}

static void check_time(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct mg_clock_offset offset;
	double away;
	enum mg_check_state state;

	finding->manual = "timedatectl";
	offset = mg_clock_offset_look(env->deadline_us);
	mg_finding_evidence(finding, "%s", offset.source);
	if (!offset.is_known && !mg_process_has_systemd()) { /* a container: whoever runs it keeps its clock */
		mg_finding_not_applicable(finding, N_("not applicable: there is no time service on this machine"));
		return;
	}
	if (!offset.is_known) {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("how right the clock is can't be told"), NULL);
		mg_finding_cause(finding, N_("no time service keeps it (chrony, systemd-timesyncd, ntpd)"), NULL);
		mg_finding_fix(finding, "timedatectl set-ntp true", NULL);
		return;
	}
	away = offset.seconds < 0 ? -offset.seconds : offset.seconds;
	mg_finding_value(finding, away, "s");
	state = mg_check_grade(env, "system.time", away, 5, 60);
	if (state != MG_STATE_OK) {
		mg_finding_is(finding, state, N_("the clock is %1 wrong"), mg_finding_number(finding, away, "s"), NULL);
		mg_finding_cause(finding,
			N_("the time service does not reach its servers, or has just begun; signatures, certificates and one-time passwords depend on the time"),
			NULL);
		mg_finding_fix(finding, "timedatectl set-ntp true", NULL);
	}
	mg_finding_is(finding, MG_STATE_OK, N_("the clock is right"), NULL);
}

const struct mg_check mg_checks_system[] = {
	{ "system.memory", N_("memory of the machine"), 0, 1000, .run = check_memory, .steady = 3 },
	{ "system.load", N_("load of the machine"), 0, 1000, .run = check_load, .steady = 3 },
	{ "system.time", N_("the clock is right"), 300, 5000, .run = check_time },
};
const size_t mg_checks_system_count = sizeof mg_checks_system / sizeof mg_checks_system[0];
