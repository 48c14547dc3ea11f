/* mailguardctl relay-check: can a stranger relay? Proved here, with the caller's rights; neither daemon nor Postfix need
 * run. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/i18n.h"
#include "base/say.h"
#include "ctl/ctl.h"
#include "postfix/relay_prover.h"

enum { POSTCONF_MS = 20000, INDENT = 12, PATH_BYTES = 4096 };

static const struct {
	int status;
	enum mg_ink ink;
	const char *title; /* N_() */
} verdicts[] = {
	[MG_RELAY_CLOSED] = { MG_EXIT_OK, MG_INK_GOOD,
		N_("CLOSED: no stranger can send mail to strangers through this server.") },
	[MG_RELAY_UNKNOWN] = { MG_EXIT_UNKNOWN, MG_INK_WARN,
		N_("UNKNOWN: that no stranger can relay can't be proved from the configuration.") },
	[MG_RELAY_OPEN] = { MG_EXIT_CRIT, MG_INK_BAD,
		N_("OPEN: strangers can send mail to strangers through this server.") },
};

static const struct {
	enum mg_ink ink;
	const char *label; /* N_() */
} kinds[] = {
	[MG_RELAY_PATH_NOTE] = { MG_INK_FAINT, N_("note") },
	[MG_RELAY_PATH_ADVICE] = { MG_INK_WARN, N_("advice") },
	[MG_RELAY_PATH_UNKNOWN] = { MG_INK_WARN, N_("unknown") },
	[MG_RELAY_PATH_OPEN] = { MG_INK_BAD, N_("OPEN") },
};

/* ---- JSON ---- */

static json_t *english(const struct mg_say *say)
{
	struct mg_buf text;
	json_t *json;

	mg_buf_init(&text, 4 * MG_SAY_TEXT);
	mg_say_english(&text, say);
	json = mg_json_text(mg_buf_str(&text));
	mg_buf_fini(&text);
	return json;
}

static json_t *path_json(const struct mg_relay_path *path)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:{s:o, s:o}}", "kind", mg_relay_path_kind_name(path->kind),
		"service", mg_json_text(mg_str_z(path->service)), "restriction",
		mg_json_text(mg_str_z(path->restriction)), "why", english(&path->why), "fix", english(&path->fix),
		"say", "why", mg_say_json(&path->why), "fix", mg_say_json(&path->fix));
}

static json_t *report_json(const struct mg_relay_report *report, const char *directory)
{
	json_t *paths = json_array();

	for (size_t i = 0; i < report->path_count; i++)
		json_array_append_new(paths, path_json(&report->paths[i]));
	return json_pack("{s:s, s:o, s:o}", "verdict", mg_relay_verdict_name(report->verdict), "directory",
		mg_json_text(mg_str_z(directory)), "paths", paths);
}

/* ---- for people ---- */

static void print_sentence(const struct mg_ctl *ctl, const char *label, const struct mg_say *say)
{
	struct mg_buf text;

	mg_buf_init(&text, 4 * MG_SAY_TEXT);
	mg_say_local(&text, say);
	if (text.n > 0)
		mg_ctl_paragraph(ctl, INDENT, label, mg_buf_z(&text));
	mg_buf_fini(&text);
}

static void print_path(const struct mg_ctl *ctl, const struct mg_relay_path *path)
{
	putchar('\n');
	mg_ctl_print(ctl, kinds[path->kind].ink, INDENT, _(kinds[path->kind].label));
	mg_ctl_print(ctl, MG_INK_STRONG, 0, path->service[0] == '\0' ? _("all services") : path->service);
	putchar('\n');
	mg_ctl_paragraph(ctl, INDENT, _("    by"), path->restriction);
	print_sentence(ctl, _("    why"), &path->why);
	print_sentence(ctl, _("    type"), &path->fix);
}

static void print_report(const struct mg_ctl *ctl, const struct mg_relay_report *report, const char *directory)
{
	mg_ctl_print(ctl, verdicts[report->verdict].ink, 0, _(verdicts[report->verdict].title));
	putchar('\n');
	printf(_("%s; services that strangers can reach: %zu\n"), directory, report->service_count);
	for (size_t i = 0; i < report->path_count; i++)
		print_path(ctl, &report->paths[i]);
	if (report->verdict != MG_RELAY_CLOSED)
		printf("\n%s\n", _("After a change: postfix reload, then mailguardctl relay-check again."));
}

/* ---- the command ---- */

static bool has_main_cf(const char *directory)
{
	char path[PATH_BYTES];
	struct stat info;

	return snprintf(path, sizeof path, "%s/main.cf", directory) < (int)sizeof path && stat(path, &info) == 0 &&
	       S_ISREG(info.st_mode);
}

/* What can't be read can't be proved. */
static int fail(const struct mg_ctl *ctl, const char *directory, const char *trouble)
{
	struct mg_relay_path path = { .kind = MG_RELAY_PATH_UNKNOWN,
		.service = "",
		.restriction = "",
		.why = MG_SAY(N_("Postfix's configuration can't be read: %1"), trouble) };

	if (!ctl->json)
		return mg_ctl_fail(MG_EXIT_UNKNOWN, "%s", trouble);
	mg_ctl_print_json(json_pack("{s:s, s:o, s:[o]}", "verdict", mg_relay_verdict_name(MG_RELAY_UNKNOWN),
		"directory", mg_json_text(mg_str_z(directory)), "paths", path_json(&path)));
	return MG_EXIT_UNKNOWN;
}

static int prove(struct mg_ctl *ctl, const struct mg_conf *conf, const char *directory)
{
	struct mg_postfix *postfix = NULL;
	struct mg_relay_report *report = NULL;
	struct mg_err err = { "" };
	int status;

	if (mg_postfix_load(directory, POSTCONF_MS, &postfix, &err) != MG_OK ||
		mg_relay_prove(postfix, conf->policy.listen, &report, &err) != MG_OK) {
		mg_postfix_free(&postfix);
		return fail(ctl, directory, err.text);
	}
	if (ctl->json)
		mg_ctl_print_json(report_json(report, directory));
	else
		print_report(ctl, report, directory);
	status = verdicts[report->verdict].status;
	mg_relay_report_free(&report);
	mg_postfix_free(&postfix);
	return status;
}

int mg_ctl_relay_check(struct mg_ctl *ctl, int argc, char **argv)
{
	const char *directory = NULL;
	const struct mg_ctl_option options[] = { { "config-dir", &directory, NULL }, { NULL, NULL, NULL } };
	int status = mg_ctl_options(ctl, argc, argv, options);
	const struct mg_conf *conf;
	char *whole;

	if (status != MG_EXIT_GO_ON)
		return status;
	if (optind < argc)
		return mg_ctl_fail(MG_EXIT_USAGE, _("relay-check takes no argument but --config-dir DIR"));
	if ((conf = mg_ctl_conf(ctl)) == NULL)
		return MG_EXIT_DATA;
	whole = realpath(directory == NULL ? conf->postfix.config_directory : directory, NULL);
	if (whole == NULL || !has_main_cf(whole)) {
		free(whole);
		return mg_ctl_fail(MG_EXIT_DATA, _("there is no Postfix configuration in %s: it has no main.cf"),
			directory == NULL ? conf->postfix.config_directory : directory);
	}
	status = prove(ctl, conf, whole);
	free(whole);
	return status;
}
