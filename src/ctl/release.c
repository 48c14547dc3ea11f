/* mailguardctl release: lets a message go on that was put into Postfix's hold queue, by postsuper, with the caller's
 * rights. */
#include <stdio.h>
#include <unistd.h>

#include "base/i18n.h"
#include "base/run.h"
#include "base/say.h"
#include "ctl/ctl.h"

enum { QUEUE_ID_MIN = 6, QUEUE_ID_MAX = 32, POSTFIX_MS = 30000, OUTPUT_BYTES = 4096 };

/* Letters and digits alone: never "-" (ids from standard input), never an option; "ALL" is too short. */
static bool is_queue_id(struct mg_str id)
{
	for (size_t i = 0; i < id.n; i++)
		if (!((id.p[i] >= '0' && id.p[i] <= '9') || (id.p[i] >= 'A' && id.p[i] <= 'Z') ||
			    (id.p[i] >= 'a' && id.p[i] <= 'z')))
			return false;
	return id.n >= QUEUE_ID_MIN && id.n <= QUEUE_ID_MAX;
}

/* Runs `program -c DIRECTORY OPTION ID`; false: it failed, and `err` says why. */
static bool run_postfix(const struct mg_conf *conf, const char *program, const char *option, const char *id,
	struct mg_run_result *result, struct mg_err *err)
{
	const char *argv[] = { program, "-c", conf->postfix.config_directory, option, id, NULL };
	struct mg_run run = {
		.argv = argv, .timeout_ms = POSTFIX_MS, .out_max = OUTPUT_BYTES, .err_max = OUTPUT_BYTES
	};

	if (mg_run(&run, result, err) != MG_OK)
		return false;
	if (result->status == 0)
		return true;
	mg_run_said(result, err->text, sizeof err->text);
	return false;
}

/* "postsuper: Released from hold: 1 message"; 0 where there was nothing to release. */
static bool has_released(const struct mg_run_result *result)
{
	const struct mg_str says = MG_STR("Released from hold: "), said = mg_buf_str(&result->err);
	size_t at = mg_str_find_str(said, says);

	return at != SIZE_MAX && !mg_str_starts(mg_str_from(said, at + says.n), MG_STR("0 "));
}

/* Delivery now rather than at the next queue run; that Postfix is down is no failure of the release. */
static void hurry(const struct mg_conf *conf, const char *id)
{
	struct mg_run_result result;
	struct mg_err err = { "" };

	run_postfix(conf, "postqueue", "-i", id, &result, &err);
	mg_run_fini(&result);
}

static int release(const struct mg_conf *conf, const char *id, bool *is_released_out)
{
	struct mg_run_result result;
	struct mg_err err = { "" };
	bool is_run = run_postfix(conf, "postsuper", "-H", id, &result, &err);

	*is_released_out = is_run && has_released(&result);
	mg_run_fini(&result);
	if (!is_run && geteuid() != 0)
		return mg_ctl_fail(
			MG_EXIT_NOT_PERMITTED, _("only root may release held mail: sudo mailguardctl release %s"), id);
	if (!is_run)
		return mg_ctl_fail(MG_EXIT_NEGATIVE, _("Postfix could not release %s: %s"), id, err.text);
	if (*is_released_out)
		hurry(conf, id);
	return MG_EXIT_GO_ON;
}

int mg_ctl_release(struct mg_ctl *ctl, int argc, char **argv)
{
	const struct mg_conf *conf;
	bool is_released = false;
	const char *id;
	int status = mg_ctl_options(ctl, argc, argv, NULL);

	if (status != MG_EXIT_GO_ON)
		return status;
	if (optind != argc - 1)
		return mg_ctl_fail(MG_EXIT_USAGE, _("release what? Give the queue id of a held message"));
	id = argv[optind];
	if ((conf = mg_ctl_conf(ctl)) == NULL)
		return MG_EXIT_DATA;
	if (is_queue_id(mg_str_z(id)) && (status = release(conf, id, &is_released)) != MG_EXIT_GO_ON)
		return status;
	if (ctl->json)
		mg_ctl_print_json(is_released ? json_pack("{s:[s]}", "released", id) : json_pack("{s:[]}", "released"));
	else if (is_released)
		printf(_("%s is released and on its way\n"), id);
	if (!is_released)
		return mg_ctl_fail(MG_EXIT_NEGATIVE, _("no message %s is on hold; see: postqueue -p"), id);
	return MG_EXIT_OK;
}
