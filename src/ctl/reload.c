/* mailguardctl reload and version. */
#include <stdio.h>

#include "base/i18n.h"
#include "ctl/ctl.h"

int mg_ctl_reload(struct mg_ctl *ctl, int argc, char **argv)
{
	json_t *result = NULL;
	int status = mg_ctl_options(ctl, argc, argv, NULL);

	if (status != MG_EXIT_GO_ON)
		return status;
	if (optind < argc)
		return mg_ctl_fail(MG_EXIT_USAGE, _("reload takes no arguments"));
	status = mg_ctl_call(ctl, "reload", NULL, &result);
	if (ctl->json && (status == MG_EXIT_GO_ON || status == MG_EXIT_NEGATIVE))
		mg_ctl_print_json(json_pack("{s:b}", "reloaded", status == MG_EXIT_GO_ON));
	else if (status == MG_EXIT_GO_ON)
		puts(_("The new configuration is in force."));
	json_decref(result);
	return status == MG_EXIT_GO_ON ? MG_EXIT_OK : status;
}

int mg_ctl_version(struct mg_ctl *ctl, int argc, char **argv)
{
	json_t *result = NULL;
	const char *daemon = "";
	int status = mg_ctl_options(ctl, argc, argv, NULL);

	if (status != MG_EXIT_GO_ON)
		return status;
	if (optind < argc)
		return mg_ctl_fail(MG_EXIT_USAGE, _("version takes no arguments"));
	if (mg_ctl_call_quietly(ctl, "version", NULL, &result) == MG_EXIT_GO_ON)
		daemon = mg_ctl_text(result, "version");
	if (ctl->json) {
		mg_ctl_print_json(json_pack("{s:s, s:s}", "version", PACKAGE_VERSION, "daemon", daemon));
	} else {
		printf("mailguardctl %s\n", PACKAGE_VERSION);
		printf("mailguardd   %s\n", daemon[0] != '\0' ? daemon : _("(not running)"));
	}
	json_decref(result);
	return MG_EXIT_OK;
}
