/* service.postfix - does Postfix run at all? */
#include <stdio.h>

#include "base/file.h"
#include "base/i18n.h"
#include "base/run.h"
#include "health/master.h"

enum { TAIL_BYTES = 256 * 1024, INSTANCES_MAX = 16, POSTCONF_MS = 5000, LINE_SHOWN = 300 };

/* The last line of the log on which Postfix gave up, and that says more than that it did; "" none. */
static const char *last_words(const struct mg_check_env *env, struct mg_finding *finding)
{
	const char *path = mg_check_log_path(env, finding), *words = "";
	struct mg_buf text;
	struct mg_str rest;

	if (path[0] == '\0')
		return "";
	if (mg_file_tail(path, TAIL_BYTES, &text, NULL) == MG_OK) {
		rest = mg_buf_str(&text);
		while (rest.n > 0) {
			struct mg_str line = mg_str_cut(&rest, '\n');
			size_t at = mg_str_find_str(line, MG_STR(": fatal: "));

			if (at == SIZE_MAX)
				at = mg_str_find_str(line, MG_STR(": panic: "));
			if (at != SIZE_MAX && mg_str_find_str(mg_str_first(line, at), MG_STR("postfix")) != SIZE_MAX &&
				!mg_str_ends(line, MG_STR("mail system startup failed")))
				words = mg_arena_text(&finding->arena, mg_str_from(line, at + 2), LINE_SHOWN);
		}
	}
	mg_buf_fini(&text);
	return words;
}

static void judge(const struct mg_check_env *env, struct mg_finding *finding, const char *directory, const char *queue)
{
	struct mg_master master = mg_master_of(queue);
	const char *words;

	if (master.state == MG_MASTER_RUNS) {
		mg_finding_evidence(finding, "%s: master runs, pid %d", directory, (int)master.process.pid);
		return;
	}
	if (master.state == MG_MASTER_UNKNOWN) {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("whether Postfix runs can't be told"), NULL);
		mg_finding_cause(finding, N_("needs root: %1/pid can't be looked into"), queue, NULL);
		return;
	}
	mg_finding_evidence(finding, "%s: nobody holds the lock on %s/pid/master.pid", directory, queue);
	mg_finding_is(finding, MG_STATE_CRIT, N_("Postfix does not run: no mail comes in or goes out"), NULL);
	words = last_words(env, finding);
	if (words[0] != '\0')
		mg_finding_cause(
			finding, N_("it was stopped or has died; its last complaint in the log: %1"), words, NULL);
	else
		mg_finding_cause(finding, N_("it was stopped or has died, and left no complaint in the log"), NULL);
	if (mg_str_find_str(mg_str_z(words), MG_STR("Address already in use")) != SIZE_MAX)
		mg_finding_fix(finding, N_("see who has the port: ss -tlnp 'sport = :25'; stop that program, then: %1"),
			mg_master_command(env, finding, "start"), NULL);
	mg_finding_fix(finding, "%1", mg_master_command(env, finding, "start"), NULL);
}

/* The others of multi_instance_directories. */
static void judge_others(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct mg_str rest = mg_str_z(mg_check_parameter(env, finding, NULL, "multi_instance_directories")), word;

	for (int i = 0; i < INSTANCES_MAX && mg_read_word(&rest, ", \t\n", &word); i++) {
		const char *directory = mg_arena_text(&finding->arena, word, word.n);
		const char *const argv[] = { "postconf", "-c", directory, "-hx", "queue_directory",
			"multi_instance_enable", NULL };
		const struct mg_run run = { .argv = argv, .timeout_ms = POSTCONF_MS, .out_max = 4096, .err_max = 1024 };
		struct mg_run_result result;
		struct mg_str answer, queue;

		if (mg_run(&run, &result, NULL) == MG_OK && result.status == 0) {
			answer = mg_buf_str(&result.out);
			queue = mg_str_cut(&answer, '\n');
			if (mg_str_eq_nocase(mg_str_trim(answer), MG_STR("yes")))
				judge(env, finding, directory, mg_arena_text(&finding->arena, queue, queue.n));
		}
		mg_run_fini(&result);
	}
}

static void check_postfix(const struct mg_check_env *env, struct mg_finding *finding)
{
	finding->manual = mg_master_command(env, finding, "status");
	if (!mg_check_has_postfix(env, finding))
		return;
	judge(env, finding, env->postfix->directory, env->postfix->queue_directory);
	judge_others(env, finding);
	mg_finding_is(finding, MG_STATE_OK, N_("Postfix runs"), NULL);
}

const struct mg_check mg_checks_services[] = {
	{ "service.postfix", N_("Postfix runs"), 5, 10000, .run = check_postfix, .steady = 2,
		.follows = { "disk.queue", "config.postfix.check" } },
};
const size_t mg_checks_services_count = sizeof mg_checks_services / sizeof mg_checks_services[0];
