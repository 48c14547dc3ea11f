/* mailguardctl check: runs checks now, in the daemon where it is reached (it knows itself best), else here. */
#include <stdio.h>

#include "base/i18n.h"
#include "ctl/findings.h"
#include "health/health.h"

enum { CHECKS_MAX = 160 };

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

static int run_here(struct mg_ctl *ctl, const struct mg_check *const *wanted, size_t count, json_t **checks_out)
{
	const struct mg_conf *conf = mg_ctl_conf(ctl);
	struct mg_health_options options = { .conf = conf };
	struct mg_health *health;
	struct mg_err err = { "" };

	if (conf == NULL)
		return MG_EXIT_DATA;
	if (mg_health_start(&options, true, &health, &err) != MG_OK)
		return mg_ctl_fail(MG_EXIT_UNKNOWN, "%s", err.text);
	*checks_out = mg_health_check(health, wanted, count);
	mg_health_stop(&health);
	return MG_EXIT_GO_ON;
}

static int run_checks(struct mg_ctl *ctl, const struct mg_check *const *wanted, size_t count, json_t **checks_out)
{
	json_t *ids = json_array(), *result = NULL;
	int status;

	for (size_t i = 0; i < count; i++)
		json_array_append_new(ids, json_string(wanted[i]->id));
	status = mg_ctl_call_quietly(ctl, "check", json_pack("{s:o}", "ids", ids), &result);
	if (status != MG_EXIT_GO_ON)
		return run_here(ctl, wanted, count, checks_out);
	*checks_out = json_incref(json_object_get(result, "checks"));
	json_decref(result);
	return MG_EXIT_GO_ON;
}

static int read_ids(int argc, char **argv, const struct mg_check **wanted, size_t *count_out)
{
	for (int i = optind; i < argc; i++) {
		const struct mg_check *check = mg_check_find(argv[i]);

		if (check == NULL)
			return mg_ctl_fail(
				MG_EXIT_USAGE, _("there is no check \"%s\"; see: mailguardctl check --list"), argv[i]);
		if (*count_out < CHECKS_MAX)
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
	const struct mg_check *wanted[CHECKS_MAX];
	size_t count = 0;
	json_t *checks = NULL;
	int status = mg_ctl_options(ctl, argc, argv, options);

	if (status == MG_EXIT_GO_ON && mg_str_eq(mg_str_z(format), MG_STR("json")))
		ctl->json = true;
	else if (status == MG_EXIT_GO_ON && !mg_str_eq(mg_str_z(format), MG_STR("text")))
		return mg_ctl_fail(MG_EXIT_USAGE, _("--format is text or json"));
	if (status == MG_EXIT_GO_ON && is_list)
		return list_checks(ctl);
	if (status == MG_EXIT_GO_ON)
		status = read_ids(argc, argv, wanted, &count);
	if (status == MG_EXIT_GO_ON)
		status = run_checks(ctl, wanted, count, &checks);
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
