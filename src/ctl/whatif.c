/* mailguardctl whatif: the record replayed under other settings, in the caller's process, with the caller's rights. */
#include "ctl/whatif.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "base/say.h"
#include "conf/conf_with.h"
#include "journal/query.h"

enum { YEAR_S = 366 * 86400, SINCE_S = 7 * 86400, PATIENCE_S = 600, PROGRESS_EVERY = 1000 };

struct question {
	struct mg_ctl *ctl;
	struct mg_conf_set sets[MG_CTL_REPEATS];
	size_t set_count;
	int64_t since_us, deadline_us;
	bool is_complete;
	const struct mg_conf *now, *next;
	struct mg_replay *replay_now, *replay_next;
	struct mg_whatif whatif;
	uint64_t seen;
	bool has_progress;
};

/* ---- settings ---- */

static int read_sets(struct question *question, const char *const *texts)
{
	for (; *texts != NULL; texts++)
		if (!mg_conf_set_cut(mg_str_z(*texts), &question->sets[question->set_count++]))
			return mg_ctl_fail(
				MG_EXIT_USAGE, _("--set %s: write KEY=VALUE, such as auth.dmarc=enforce"), *texts);
	if (question->set_count == 0)
		return mg_ctl_fail(MG_EXIT_USAGE,
			_("whatif wants to know what should be different: --set KEY=VALUE, once or more"));
	return MG_EXIT_GO_ON;
}

static int load_both(struct question *question)
{
	const char *path = question->ctl->conf_path != NULL ? question->ctl->conf_path : MG_CONF_PATH;
	struct mg_err err = { "" };
	enum mg_rc rc;

	if (question->ctl->conf_path == NULL && access(path, F_OK) != 0 && errno == ENOENT)
		path = NULL;
	rc = mg_conf_load_with(path, NULL, 0, &question->now, &err);
	if (rc == MG_OK)
		rc = mg_conf_load_with(path, question->sets, question->set_count, &question->next, &err);
	if (rc != MG_OK)
		return mg_ctl_fail(rc == MG_EPERM ? MG_EXIT_NOT_PERMITTED : MG_EXIT_DATA, "%s", err.text);
	return MG_EXIT_GO_ON;
}

static json_t *settings_json(const struct question *question)
{
	json_t *array = json_array();

	for (size_t i = 0; i < question->set_count; i++)
		json_array_append_new(array, json_pack("{s:o, s:o}", "key", mg_json_text(question->sets[i].key),
						     "value", mg_json_text(question->sets[i].value)));
	return array;
}

/* ---- what it can't know ---- */

static void add_note(json_t *notes, const char *id, const struct mg_say *say)
{
	struct mg_buf english;

	mg_buf_init(&english, MG_SAY_TEXT);
	mg_say_english(&english, say);
	json_array_append_new(notes, json_pack("{s:s, s:o, s:o}", "id", id, "text", mg_json_text(mg_buf_str(&english)),
					     "say", mg_say_json(say)));
	mg_buf_fini(&english);
}

static bool counts_failures(const struct mg_conf *conf)
{
	for (size_t i = 0; i < conf->rate.limit_count; i++)
		if (conf->rate.limits[i].count == MG_COUNT_FAILURES)
			return true;
	return false;
}

static bool is_set(const struct question *question, struct mg_str prefix)
{
	for (size_t i = 0; i < question->set_count; i++)
		if (mg_str_starts(question->sets[i].key, prefix))
			return true;
	return false;
}

static void add_idle(const struct question *question, json_t *notes)
{
	char key[80];

	for (size_t i = 0; i < question->set_count; i++) {
		if (mg_conf_bears_on_verdicts(question->sets[i].key))
			continue;
		(void)mg_str_copy(key, sizeof key, question->sets[i].key);
		add_note(notes, "no-effect", &MG_SAY(N_("%1 changes no verdict in the record."), key));
	}
}

static json_t *notes_json(const struct question *question)
{
	const struct mg_conf *next = question->next;
	json_t *notes = json_array();

	add_idle(question, notes);
	if (next->mode == MG_MODE_OBSERVE)
		add_note(notes, "observe",
			&MG_SAY(N_(
				"The mode is \"observe\", so nothing would be refused; add --set mode=enforce to see what would be.")));
	if (next->greylist.enabled && is_set(question, MG_STR("greylist.")))
		add_note(notes, "greylist",
			&MG_SAY(N_(
				"Greylisting is not replayed: whether a client would have come again is not in the record.")));
	if (next->abuse.action != MG_ABUSE_OFF && is_set(question, MG_STR("abuse.")))
		add_note(notes, "abuse",
			&MG_SAY(N_(
				"What accounts were suspected of counts as it was noted then; it is not judged again.")));
	if (counts_failures(next))
		add_note(notes, "failures",
			&MG_SAY(N_(
				"Failed logins are not in the record: limits of failures count refused recipients only.")));
	if (next->rate.limit_count > 0 && !mg_str_eq(mg_str_z(next->state.store), MG_STR("memory")))
		add_note(notes, "shared-limits",
			&MG_SAY(N_("The limits are shared with other servers, whose mail is not in this record.")));
	if (next->rate.limit_count > 0 && next->journal.pseudonymize)
		add_note(notes, "pseudonyms",
			&MG_SAY(N_(
				"The record holds pseudonyms, so exceptions of limits that name addresses or logins have no effect here.")));
	if (!question->is_complete)
		add_note(notes, "incomplete",
			&MG_SAY(N_(
				"The time was over before the end of the record; ask with a shorter --since or a longer --timeout.")));
	return notes;
}

/* ---- the replay ---- */

static void show_progress(struct question *question, const struct mg_record *record)
{
	char when[32];

	if (!question->has_progress || ++question->seen % PROGRESS_EVERY != 0)
		return;
	fputc('\r', stderr);
	fprintf(stderr, _("%" PRIu64 " transactions, up to %s "), question->seen,
		mg_wall_text(when, sizeof when, record->time_us));
	fflush(stderr);
}

static bool see(void *context, const struct mg_walked *walked)
{
	struct question *question = context;
	struct mg_replayed now, next;

	show_progress(question, walked->record);
	mg_replay_take(question->replay_now, walked, &now);
	mg_replay_take(question->replay_next, walked, &next);
	if (walked->record->time_us >= question->since_us)
		mg_whatif_add(&question->whatif, walked, &next, &now);
	return true;
}

/* Limits hold what was spent before the time that is asked about. */
static int64_t begin_us(const struct question *question)
{
	uint64_t now_s = mg_replay_lead_s(question->now), next_s = mg_replay_lead_s(question->next);
	int64_t lead_us = (int64_t)(now_s > next_s ? now_s : next_s) * MG_S_US;

	return question->since_us > lead_us ? question->since_us - lead_us : 0;
}

static int fail_journal(const char *path, enum mg_rc rc, const struct mg_err *err)
{
	if (rc == MG_EPERM || (access(path, R_OK) != 0 && errno == EACCES))
		return mg_ctl_fail(MG_EXIT_NOT_PERMITTED, _("not permitted to read the journal %s: be root"), path);
	return mg_ctl_fail(MG_EXIT_DATA, "%s", err->text);
}

static int walk(struct question *question)
{
	const char *path = question->now->journal.path;
	struct mg_query *query = NULL;
	struct mg_err err = { "" };
	enum mg_rc rc = mg_replay_new(question->now, question->now, &question->replay_now, &err);

	if (rc == MG_OK)
		rc = mg_replay_new(question->next, question->now, &question->replay_next, &err);
	if (rc != MG_OK)
		return mg_ctl_fail(MG_EXIT_DATA, "%s", err.text);
	rc = mg_query_open(path, &query, &err);
	if (rc == MG_OK)
		rc = mg_query_walk(query, begin_us(question), question->deadline_us, see, question, &err);
	mg_query_close(&query);
	if (question->has_progress)
		fprintf(stderr, "\r%*s\r", question->ctl->columns - 1, "");
	question->is_complete = rc == MG_OK;
	return rc == MG_OK || rc == MG_ETIME ? MG_EXIT_GO_ON : fail_journal(path, rc, &err);
}

static int answer(const struct question *question)
{
	json_t *document = mg_whatif_json(&question->whatif);

	json_object_set_new(document, "since", json_integer(question->since_us / MG_S_US));
	json_object_set_new(document, "until", json_real((double)question->whatif.last_us / 1e6));
	json_object_set_new(document, "complete", json_boolean(question->is_complete));
	json_object_set_new(
		document, "mode", json_string(question->next->mode == MG_MODE_OBSERVE ? "observe" : "enforce"));
	json_object_set_new(document, "settings", settings_json(question));
	json_object_set_new(document, "notes", notes_json(question));
	if (question->ctl->json) {
		mg_ctl_print_json(document);
		return MG_EXIT_OK;
	}
	mg_whatif_show(question->ctl, document);
	json_decref(document);
	return MG_EXIT_OK;
}

static int ask(struct question *question, const char *const *sets)
{
	int status = read_sets(question, sets);

	if (status == MG_EXIT_GO_ON)
		status = load_both(question);
	if (status == MG_EXIT_GO_ON)
		status = walk(question);
	return status == MG_EXIT_GO_ON ? answer(question) : status;
}

static int seconds_of(const char *option, const char *text, uint64_t otherwise, uint64_t *seconds_out)
{
	*seconds_out = otherwise;
	if (text != NULL &&
		(!mg_str_to_seconds(mg_str_z(text), (uint64_t)10 * YEAR_S, seconds_out) || *seconds_out == 0))
		return mg_ctl_fail(
			MG_EXIT_USAGE, _("--%s %s: write a number and s, m, h or d, such as 2h"), option, text);
	return MG_EXIT_GO_ON;
}

int mg_ctl_whatif(struct mg_ctl *ctl, int argc, char **argv)
{
	const char *since = NULL, *timeout = NULL, *sets[MG_CTL_REPEATS + 1] = { NULL };
	bool has_more = false;
	const struct mg_ctl_option options[] = { { "since", &since, NULL }, { "timeout", &timeout, NULL },
		{ "set", sets, &has_more }, { NULL, NULL, NULL } };
	struct question question = { .ctl = ctl, .has_progress = isatty(STDERR_FILENO) };
	uint64_t since_s, patience_s;
	int status = mg_ctl_options(ctl, argc, argv, options);

	if (status != MG_EXIT_GO_ON)
		return status;
	if (optind < argc)
		return mg_ctl_fail(MG_EXIT_USAGE, _("whatif takes options only; see: mailguardctl whatif --help"));
	if (has_more)
		return mg_ctl_fail(MG_EXIT_USAGE, _("--set may be given %d times at most"), MG_CTL_REPEATS);
	if ((status = seconds_of("since", since, SINCE_S, &since_s)) != MG_EXIT_GO_ON ||
		(status = seconds_of("timeout", timeout, PATIENCE_S, &patience_s)) != MG_EXIT_GO_ON)
		return status;
	question.since_us = mg_wall_us() - (int64_t)since_s * MG_S_US;
	question.deadline_us = mg_mono_us() + (int64_t)patience_s * MG_S_US;
	mg_whatif_init(&question.whatif);
	status = ask(&question, sets);
	mg_whatif_fini(&question.whatif);
	mg_replay_free(&question.replay_now);
	mg_replay_free(&question.replay_next);
	mg_conf_unref(&question.now);
	mg_conf_unref(&question.next);
	return status;
}
