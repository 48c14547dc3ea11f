/* mailguardctl wire: shows what has to change in main.cf and master.cf, changes it, or takes it out again. It runs with
 * the caller's rights; the daemon need not run. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/i18n.h"
#include "base/run.h"
#include "base/say.h"
#include "ctl/ctl.h"
#include "postfix/wiring.h"

enum { POSTCONF_MS = 10000 };

enum what { DRY_RUN, APPLY, UNDO };

static json_t *text_or_null(const char *text)
{
	return text == NULL ? json_null() : mg_json_text(mg_str_z(text));
}

static json_t *plan_json(const struct mg_wiring_plan *plan, bool is_applied)
{
	json_t *edits = json_array(), *warnings = json_array(), *backups = json_array();

	for (size_t i = 0; i < plan->edit_count; i++) {
		const struct mg_wiring_edit *edit = &plan->edits[i];

		json_array_append_new(
			edits, json_pack("{s:s, s:s, s:o, s:o}", "where", edit->where, "parameter", edit->parameter,
				       "before", text_or_null(edit->before), "after", text_or_null(edit->after)));
	}
	for (size_t i = 0; i < plan->warning_count; i++)
		json_array_append_new(warnings, mg_json_text(mg_str_z(plan->warnings[i])));
	for (size_t i = 0; i < 2; i++)
		if (plan->backup[i] != NULL)
			json_array_append_new(backups, mg_json_text(mg_str_z(plan->backup[i])));
	return json_pack("{s:b, s:b, s:o, s:o, s:o}", "applied", is_applied, "restored", plan->is_restored, "edits",
		edits, "warnings", warnings, "backups", backups);
}

static void print_plan(const struct mg_ctl *ctl, const struct mg_wiring_plan *plan)
{
	const char *where = "";

	for (size_t i = 0; i < plan->edit_count; i++) {
		const struct mg_wiring_edit *edit = &plan->edits[i];

		if (strcmp(where, edit->where) != 0) {
			if (strcmp(edit->where, "main.cf") != 0)
				printf("master.cf, ");
			mg_ctl_print(ctl, MG_INK_STRONG, 0, edit->where);
			putchar('\n');
		}
		where = edit->where;
		if (edit->before != NULL) {
			printf("  - %s = ", edit->parameter);
			mg_ctl_print(ctl, MG_INK_BAD, 0, edit->before);
			putchar('\n');
		}
		if (edit->after != NULL) {
			printf("  + %s = ", edit->parameter);
			mg_ctl_print(ctl, MG_INK_GOOD, 0, edit->after);
			putchar('\n');
		}
	}
	for (size_t i = 0; i < plan->warning_count; i++)
		mg_ctl_paragraph(ctl, 10, _("warning"), plan->warnings[i]);
}

static void print_end(enum what what, const struct mg_wiring_plan *plan)
{
	if (what == UNDO && plan->is_restored)
		puts(_("main.cf and master.cf are again what they were before. Now type: postfix reload"));
	else if (plan->edit_count == 0)
		puts(what == UNDO ? _("mailguard is not wired in: nothing to undo.")
				  : _("mailguard is wired in: nothing to change."));
	else if (what == DRY_RUN)
		puts(_("Nothing was changed. To change it: mailguardctl wire --apply"));
	else
		puts(what == APPLY ? _("Done. Now type: postfix reload") : _("Taken out. Now type: postfix reload"));
	if (plan->backup[0] != NULL && plan->backup[1] != NULL && what == APPLY)
		printf(_("The files as they were: %s, %s\n"), plan->backup[0], plan->backup[1]);
}

static bool is_confirmed(const struct mg_wiring_plan *plan, enum what what)
{
	char answer[16];

	if (what == DRY_RUN || plan->edit_count == 0 || !isatty(STDIN_FILENO))
		return true;
	printf(_("Change this? [y/N] "));
	fflush(stdout);
	return fgets(answer, sizeof answer, stdin) != NULL && strchr(_("yY"), answer[0]) != NULL && answer[0] != '\n';
}

static enum mg_rc make_plan(const char *directory, const struct mg_wiring_doors *doors, enum what what,
	struct mg_postfix **postfix_out, struct mg_wiring_plan **plan_out, struct mg_err *err)
{
	enum mg_rc rc = mg_postfix_load(directory, POSTCONF_MS, postfix_out, err);

	if (rc != MG_OK)
		return rc;
	return what == UNDO ? mg_wiring_plan_removal(*postfix_out, plan_out, err)
			    : mg_wiring_plan(*postfix_out, doors, plan_out, err);
}

static int do_it(struct mg_ctl *ctl, const struct mg_conf *conf, enum what what)
{
	const char *directory = conf->postfix.config_directory;
	struct mg_wiring_doors doors = { conf->milter.listen, conf->policy.listen };
	struct mg_postfix *postfix = NULL;
	struct mg_wiring_plan *plan = NULL, *done = NULL;
	struct mg_err err = { "" };
	enum mg_rc rc = make_plan(directory, &doors, what, &postfix, &plan, &err);
	int status = MG_EXIT_OK;

	if (rc == MG_OK && !ctl->json)
		print_plan(ctl, plan);
	if (rc == MG_OK && !ctl->json && !is_confirmed(plan, what)) {
		puts(_("Nothing was changed."));
		status = MG_EXIT_NEGATIVE;
	} else if (rc == MG_OK) {
		if (what == APPLY)
			rc = mg_wiring_apply(directory, &doors, &done, &err);
		else if (what == UNDO)
			rc = mg_wiring_undo(directory, &done, &err);
		if (rc == MG_OK && ctl->json)
			mg_ctl_print_json(plan_json(done != NULL ? done : plan, what != DRY_RUN));
		else if (rc == MG_OK)
			print_end(what, done != NULL ? done : plan);
	}
	if (rc != MG_OK)
		status = mg_ctl_fail(rc == MG_EPERM ? MG_EXIT_NOT_PERMITTED : MG_EXIT_NEGATIVE, "%s", err.text);
	mg_wiring_plan_free(&plan);
	mg_wiring_plan_free(&done);
	mg_postfix_free(&postfix);
	return status;
}

int mg_ctl_wire(struct mg_ctl *ctl, int argc, char **argv)
{
	bool is_dry_run = false, is_apply = false, is_undo = false;
	const struct mg_ctl_option options[] = { { "dry-run", NULL, &is_dry_run }, { "apply", NULL, &is_apply },
		{ "undo", NULL, &is_undo }, { NULL, NULL, NULL } };
	int status = mg_ctl_options(ctl, argc, argv, options);
	const struct mg_conf *conf;

	if (status != MG_EXIT_GO_ON)
		return status;
	if (optind < argc || is_dry_run + is_apply + is_undo > 1)
		return mg_ctl_fail(MG_EXIT_USAGE, _("wire takes one of --dry-run, --apply and --undo"));
	conf = mg_ctl_conf(ctl);
	return conf == NULL ? MG_EXIT_DATA : do_it(ctl, conf, is_apply ? APPLY : is_undo ? UNDO : DRY_RUN);
}
