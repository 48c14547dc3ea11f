/* mailguardctl check: runs checks now. What only the daemon knows is asked of it; the rest is looked at here, with the rights of whoever
 * asks. */
#include <stdio.h>

#include "base/i18n.h"
#include "ctl/checks.h"
#include "ctl/findings.h"
#include "health/fold.h"

static int list_checks(const struct mg_ctl *ctl)
{
	size_t count;
	const struct mg_check *checks = mg_checks(&count);
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++) {
		if (ctl->json) {
			json_array_append_new(
				array, json_pack("{s:s, s:s}", "id", checks[i].id, "title", checks[i].title));
		} else {
			mg_ctl_print(ctl, MG_INK_STRONG, 24, checks[i].id);
			puts(_(checks[i].title));
		}
	}
	if (ctl->json)
		mg_ctl_print_json(json_pack("{s:o}", "checks", array));
	else
		json_decref(array);
	return MG_EXIT_OK;
}

static int run_here(struct mg_ctl *ctl, const struct mg_checks_asked *asked, json_t *checks_out)
{
	const struct mg_conf *conf = mg_ctl_conf(ctl);
	struct mg_health_options options = { .conf = conf };
	struct mg_health *health;
	struct mg_err err = { "" };
	json_t *found;

	if (conf == NULL)
		return MG_EXIT_DATA;
	if (mg_health_start(&options, true, &health, &err) != MG_OK)
		return mg_ctl_fail(MG_EXIT_UNKNOWN, "%s", err.text);
	found = mg_health_check(health, asked);
	json_array_extend(checks_out, found);
	json_decref(found);
	mg_health_stop(&health);
	return MG_EXIT_GO_ON;
}

/* False: no daemon is reached. */
static bool ask_daemon(struct mg_ctl *ctl, const struct mg_checks_asked *asked, json_t *checks_out)
{
	json_t *ids = json_array(), *result = NULL;

	for (size_t i = 0; i < asked->count; i++)
		json_array_append_new(ids, json_string(asked->checks[i]->id));
	if (mg_ctl_call_quietly(ctl, "check", json_pack("{s:o, s:b}", "ids", ids, "general", asked->is_general),
		    &result) != MG_EXIT_GO_ON)
		return false;
	json_array_extend(checks_out, json_object_get(result, "checks"));
	json_decref(result);
	return true;
}

/* In the order of the asked. */
static json_t *in_order(json_t *checks_take, const struct mg_checks_asked *asked)
{
	json_t *ordered = json_array(), *check;
	size_t i;

	for (size_t at = 0; at < asked->count; at++)
		json_array_foreach(checks_take, i,
			check) if (mg_str_eq(mg_str_z(mg_ctl_text(check, "id")), mg_str_z(asked->checks[at]->id)))
			json_array_append(ordered, check);
	json_decref(checks_take);
	return ordered;
}

int mg_ctl_run_checks(struct mg_ctl *ctl, const struct mg_checks_asked *asked, json_t **checks_out)
{
	const struct mg_check *of_daemon[MG_CHECKS_MAX], *of_ours[MG_CHECKS_MAX];
	struct mg_checks_asked there = { of_daemon, 0, asked->is_general }, here = { of_ours, 0, asked->is_general };
	json_t *checks = json_array();
	int status = MG_EXIT_GO_ON;

	for (size_t i = 0; i < asked->count; i++)
		if (asked->checks[i]->is_daemons)
			of_daemon[there.count++] = asked->checks[i];
		else
			of_ours[here.count++] = asked->checks[i];
	if (there.count > 0 && !ask_daemon(ctl, &there, checks))
		status = run_here(ctl, asked, checks);
	else if (here.count > 0)
		status = run_here(ctl, &here, checks);
	*checks_out = in_order(checks, asked);
	if (asked->is_general)
		mg_health_fold(*checks_out);
	return status;
}

static int read_ids(int argc, char **argv, const struct mg_check **wanted, size_t *count_out)
{
	for (int i = optind; i < argc; i++) {
		const struct mg_check *check = mg_check_find(argv[i]);

		if (check == NULL)
			return mg_ctl_fail(
				MG_EXIT_USAGE, _("there is no check \"%s\"; see: mailguardctl check --list"), argv[i]);
		if (*count_out < MG_CHECKS_MAX)
			wanted[(*count_out)++] = check;
	}
	return MG_EXIT_GO_ON;
}

static const char *state_of(int status)
{
	return status == MG_EXIT_CRIT      ? "crit"
	       : status == MG_EXIT_WARN    ? "warn"
	       : status == MG_EXIT_UNKNOWN ? "unknown"
					   : "ok";
}

int mg_ctl_check(struct mg_ctl *ctl, int argc, char **argv)
{
	bool is_list = false, all = false;
	const char *format = "text";
	const struct mg_ctl_option options[] = { { "list", NULL, &is_list }, { "all", NULL, &all },
		{ "format", &format, NULL }, { NULL, NULL, NULL } };
	const struct mg_check *wanted[MG_CHECKS_MAX];
	struct mg_checks_asked asked = { wanted, 0, false };
	json_t *checks = NULL;
	int status = mg_ctl_options(ctl, argc, argv, options);

	if (status == MG_EXIT_GO_ON && mg_str_eq(mg_str_z(format), MG_STR("json")))
		ctl->json = true;
	else if (status == MG_EXIT_GO_ON && !mg_str_eq(mg_str_z(format), MG_STR("text")))
		return mg_ctl_fail(MG_EXIT_USAGE, _("--format is text or json"));
	if (status == MG_EXIT_GO_ON && is_list)
		return list_checks(ctl);
	if (status == MG_EXIT_GO_ON)
		status = read_ids(argc, argv, wanted, &asked.count);
	if (status == MG_EXIT_GO_ON && asked.count == 0)
		mg_checks_ask_all(&asked, wanted);
	if (status == MG_EXIT_GO_ON)
		status = mg_ctl_run_checks(ctl, &asked, &checks);
	if (status != MG_EXIT_GO_ON)
		return status;
	status = mg_ctl_findings_status(checks);
	if (ctl->json) {
		mg_ctl_print_json(json_pack("{s:s, s:o}", "state", state_of(status), "checks", checks));
		return status;
	}
	mg_ctl_print_findings(ctl, checks, true);
	json_decref(checks);
	return status;
}
