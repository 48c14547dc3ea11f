/* Both files are held in memory from before the first edit: whatever fails, they are written back. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "base/run.h"
#include "postfix/expand.h"
#include "postfix/wiring.h"
#include "postfix/wiring_entry.h"
#include "postfix/wiring_files.h"

enum { ARGUMENTS_MAX = MG_WIRING_EDITS + 8, OUT_MAX = 64 * 1024, SAID = 200 };

struct work {
	const char *directory;
	const struct mg_wiring_doors *doors;
	struct mg_postfix *postfix;
	struct mg_wiring_plan *plan;
	struct mg_wired_file before[MG_WIRED_FILES];
	struct mg_wired wired; /* the note found, then the note to leave */
	struct mg_err *err;
};

static enum mg_rc run_postconf(struct work *work, const char *const *argv)
{
	const struct mg_run run = {
		.argv = argv, .timeout_ms = MG_WIRING_TIMEOUT_MS, .out_max = OUT_MAX, .err_max = OUT_MAX
	};
	struct mg_run_result result;
	char said[SAID];
	enum mg_rc rc = mg_run(&run, &result, work->err);

	if (rc == MG_OK && result.status != 0)
		rc = mg_err_set(work->err, MG_EIO, _("postconf could not change %s: %s"), work->directory,
			mg_run_said(&result, said, sizeof said));
	mg_run_fini(&result);
	return rc;
}

/* postconf -e NAME=VALUE ..., or -X NAME ..., for all edits of main.cf of that kind. */
static enum mg_rc edit_main(struct work *work, bool is_removal)
{
	const struct mg_wiring_plan *plan = work->plan;
	const char *argv[ARGUMENTS_MAX] = { "postconf", "-c", work->directory, is_removal ? "-X" : "-e" };
	char *text[MG_WIRING_EDITS] = { NULL };
	size_t n = 4, texts = 0;
	enum mg_rc rc = MG_OK;

	for (size_t i = 0; rc == MG_OK && i < plan->edit_count; i++) {
		const struct mg_wiring_edit *edit = &plan->edits[i];
		struct mg_buf pair;

		if (edit->service != NULL || (edit->after == NULL) != is_removal)
			continue;
		mg_buf_init(&pair, 2 * MG_EXPAND_MAX);
		mg_buf_addz(&pair, edit->parameter);
		if (!is_removal)
			mg_buf_addf(&pair, "=%s", edit->after);
		text[texts] = mg_str_dup(mg_buf_str(&pair));
		if (text[texts] == NULL || !mg_buf_ok(&pair))
			rc = mg_err_set(work->err, MG_ENOMEM, _("no memory to edit"));
		argv[n++] = text[texts++];
		mg_buf_fini(&pair);
	}
	if (rc == MG_OK && texts > 0)
		rc = run_postconf(work, argv);
	for (size_t i = 0; i < texts; i++)
		free(text[i]);
	return rc;
}

/* postconf -Me SERVICE=ENTRY: unlike -P it takes values with white space. */
static enum mg_rc edit_service(struct work *work, const struct mg_postfix_service *service)
{
	struct mg_buf entry;
	bool is_touched = false;
	enum mg_rc rc = MG_OK;

	mg_buf_init(&entry, 2 * MG_EXPAND_MAX);
	mg_buf_addz(&entry, service->entry);
	for (size_t i = 0; rc == MG_OK && i < work->plan->edit_count; i++) {
		const struct mg_wiring_edit *edit = &work->plan->edits[i];

		if (edit->service != service)
			continue;
		is_touched = true;
		if (!mg_entry_set(&entry, edit->parameter, edit->after))
			rc = mg_err_set(work->err, MG_ESYNTAX,
				_("the entry %s in master.cf has no option for %s that could be changed"), service->id,
				edit->parameter);
	}
	if (rc == MG_OK && is_touched) {
		struct mg_buf line;

		mg_buf_init(&line, 2 * MG_EXPAND_MAX);
		mg_buf_addf(&line, "%s=%s", service->id, mg_buf_z(&entry));
		const char *const argv[] = { "postconf", "-c", work->directory, "-Me", mg_buf_z(&line), NULL };

		rc = mg_buf_ok(&line) ? run_postconf(work, argv)
				      : mg_err_set(work->err, MG_EFULL, _("the entry %s is too large"), service->id);
		mg_buf_fini(&line);
	}
	mg_buf_fini(&entry);
	return rc;
}

static enum mg_rc edit_all(struct work *work)
{
	enum mg_rc rc = edit_main(work, false);

	if (rc == MG_OK)
		rc = edit_main(work, true);
	for (size_t i = 0; rc == MG_OK && i < work->postfix->service_count; i++)
		rc = edit_service(work, &work->postfix->services[i]);
	return rc;
}

/* Puts both files back; what can't be put back is said on top of the reason for it. */
static void put_back(struct work *work)
{
	for (size_t i = 0; i < MG_WIRED_FILES; i++) {
		struct mg_err again = { 0 }, first = { 0 };

		if (mg_wired_file_write(work->directory, mg_wired_files[i], &work->before[i], &again) == MG_OK)
			continue;
		if (work->err != NULL)
			first = *work->err;
		mg_err_set(work->err, MG_EIO, _("%s; and %s could not be put back: %s"), first.text, mg_wired_files[i],
			again.text);
	}
}

static enum mg_rc read_both(struct work *work)
{
	enum mg_rc rc = MG_OK;

	for (size_t i = 0; rc == MG_OK && i < MG_WIRED_FILES; i++)
		rc = mg_wired_file_read(work->directory, mg_wired_files[i], &work->before[i], work->err);
	return rc;
}

static enum mg_rc back_up_both(struct work *work, char names[MG_WIRED_FILES][MG_WIRED_NAME])
{
	int64_t now_us = mg_wall_us();
	enum mg_rc rc = MG_OK;

	for (size_t i = 0; rc == MG_OK && i < MG_WIRED_FILES; i++) {
		rc = mg_wired_file_backup(
			work->directory, mg_wired_files[i], &work->before[i], now_us, names[i], work->err);
		if (rc != MG_OK)
			names[i][0] = '\0';
		else
			work->plan->backup[i] = mg_arena_text(&work->plan->arena, mg_str_z(names[i]), MG_WIRED_NAME);
	}
	return rc;
}

static bool is_as_applied(const struct work *work)
{
	return work->wired.is_there && work->wired.is_exact &&
	       work->wired.hash[0] == mg_wired_file_hash(&work->before[0]) &&
	       work->wired.hash[1] == mg_wired_file_hash(&work->before[1]);
}

/* What undo will need. The copies that count are those from before the first wiring; once somebody else has edited the
 * files in between, no copy is right any more. */
static enum mg_rc note(struct work *work, char names[MG_WIRED_FILES][MG_WIRED_NAME])
{
	bool was_as_applied = is_as_applied(work);
	struct mg_wired_file after;
	enum mg_rc rc = MG_OK;

	if (!was_as_applied)
		memcpy(work->wired.backup, names, sizeof work->wired.backup);
	work->wired.is_exact = was_as_applied || !work->wired.is_there;
	for (size_t i = 0; rc == MG_OK && i < MG_WIRED_FILES; i++) {
		rc = mg_wired_file_read(work->directory, mg_wired_files[i], &after, work->err);
		work->wired.hash[i] = mg_wired_file_hash(&after);
		mg_wired_file_fini(&after);
	}
	for (size_t i = 0; i < work->plan->edit_count; i++) {
		const struct mg_wiring_edit *edit = &work->plan->edits[i];

		if (edit->service == NULL && edit->before != NULL && edit->before[0] == '\0')
			mg_buf_addf(&work->wired.empty, "%s ", edit->parameter);
	}
	return rc == MG_OK ? mg_wired_save(work->directory, &work->wired, work->err) : rc;
}

/* Reads the configuration again: nothing may be left to do. */
static enum mg_rc verify(struct work *work)
{
	struct mg_postfix *postfix = NULL;
	struct mg_wiring_plan *again = NULL;
	enum mg_rc rc = mg_postfix_load(work->directory, MG_WIRING_TIMEOUT_MS, &postfix, work->err);

	if (rc == MG_OK && work->doors != NULL)
		rc = mg_wiring_plan(postfix, work->doors, &again, work->err);
	else if (rc == MG_OK)
		rc = mg_wiring_plan_removal(postfix, &again, work->err);
	if (rc == MG_OK && again->edit_count > 0)
		rc = mg_err_set(work->err, MG_EIO,
			_("after the change %s in %s was not as planned, so the change was taken back"),
			again->edits[0].parameter, again->edits[0].where);
	mg_wiring_plan_free(&again);
	mg_postfix_free(&postfix);
	return rc;
}

static enum mg_rc begin(struct work *work)
{
	enum mg_rc rc = mg_postfix_load(work->directory, MG_WIRING_TIMEOUT_MS, &work->postfix, work->err);

	if (rc == MG_OK)
		rc = work->doors != NULL ? mg_wiring_plan(work->postfix, work->doors, &work->plan, work->err)
					 : mg_wiring_plan_removal(work->postfix, &work->plan, work->err);
	if (rc == MG_OK)
		rc = read_both(work);
	if (rc == MG_OK)
		rc = mg_wired_load(work->directory, &work->wired, work->err);
	return rc;
}

static enum mg_rc end(struct work *work, enum mg_rc rc, struct mg_wiring_plan **plan_out)
{
	for (size_t i = 0; i < MG_WIRED_FILES; i++)
		mg_wired_file_fini(&work->before[i]);
	for (size_t i = 0; work->plan != NULL && i < work->plan->edit_count; i++)
		work->plan->edits[i].service = NULL;
	mg_wired_fini(&work->wired);
	mg_postfix_free(&work->postfix);
	if (rc == MG_OK)
		*plan_out = work->plan;
	else
		mg_wiring_plan_free(&work->plan);
	return rc;
}

enum mg_rc mg_wiring_apply(const char *directory, const struct mg_wiring_doors *doors, struct mg_wiring_plan **plan_out,
	struct mg_err *err)
{
	struct work work = { .directory = directory, .doors = doors, .err = err };
	char names[MG_WIRED_FILES][MG_WIRED_NAME] = { "", "" };
	enum mg_rc rc = begin(&work);

	*plan_out = NULL;
	if (rc != MG_OK || work.plan->edit_count == 0)
		return end(&work, rc, plan_out);
	rc = back_up_both(&work, names);
	if (rc == MG_OK) {
		if ((rc = edit_all(&work)) == MG_OK && (rc = verify(&work)) == MG_OK)
			rc = note(&work, names);
		if (rc != MG_OK)
			put_back(&work);
	}
	for (size_t i = 0; rc != MG_OK && i < MG_WIRED_FILES; i++)
		mg_wired_file_remove(directory, names[i]);
	return end(&work, rc, plan_out);
}

/* Byte for byte. False when a copy is gone: then our pieces are taken out instead. */
static enum mg_rc restore(struct work *work, bool *is_restored)
{
	struct mg_wired_file copies[MG_WIRED_FILES] = { 0 };
	enum mg_rc rc = MG_OK;
	bool have_all = true;

	for (size_t i = 0; i < MG_WIRED_FILES; i++)
		have_all = mg_wired_file_read(work->directory, work->wired.backup[i], &copies[i], NULL) == MG_OK &&
			   have_all;
	for (size_t i = 0; have_all && rc == MG_OK && i < MG_WIRED_FILES; i++)
		rc = mg_wired_file_write(work->directory, mg_wired_files[i], &copies[i], work->err);
	if (rc != MG_OK)
		put_back(work);
	*is_restored = have_all && rc == MG_OK;
	for (size_t i = 0; i < MG_WIRED_FILES; i++) {
		mg_wired_file_fini(&copies[i]);
		if (*is_restored)
			mg_wired_file_remove(work->directory, work->wired.backup[i]);
	}
	return rc;
}

/* What main.cf had set to nothing goes back to that instead of vanishing. */
static void keep_empty(struct work *work)
{
	for (size_t i = 0; i < work->plan->edit_count; i++) {
		struct mg_wiring_edit *edit = &work->plan->edits[i];
		struct mg_str rest = mg_buf_str(&work->wired.empty), word;

		while (edit->service == NULL && edit->after == NULL && mg_read_word(&rest, " ", &word))
			if (mg_str_eq(word, mg_str_z(edit->parameter)))
				edit->after = "";
	}
}

enum mg_rc mg_wiring_undo(const char *directory, struct mg_wiring_plan **plan_out, struct mg_err *err)
{
	struct work work = { .directory = directory, .err = err };
	bool is_restored = false;
	enum mg_rc rc = begin(&work);

	*plan_out = NULL;
	if (rc == MG_OK && is_as_applied(&work))
		rc = restore(&work, &is_restored);
	if (rc == MG_OK && is_restored) {
		work.plan->is_restored = true;
		work.plan->edit_count = 0;
	} else if (rc == MG_OK && work.plan->edit_count > 0) {
		keep_empty(&work);
		if ((rc = edit_all(&work)) == MG_OK)
			rc = verify(&work);
		if (rc != MG_OK)
			put_back(&work);
	}
	if (rc == MG_OK && work.wired.is_there)
		mg_wired_file_remove(directory, MG_WIRING_STATE);
	return end(&work, rc, plan_out);
}
