#include "ctl/doctor_walk.h"

#include <stdio.h>

#include "base/i18n.h"
#include "base/say.h"
#include "ctl/findings.h"

enum { INDENT = 10 };

void mg_walk_init(struct mg_walk *walk, struct mg_ctl *ctl)
{
	*walk = (struct mg_walk){ .ctl = ctl, .steps = json_array() };
}

void mg_walk_fini(struct mg_walk *walk)
{
	json_decref(walk->steps);
	json_decref(walk->finding);
}

/* ---- which checks ---- */

static bool belongs(const struct mg_walk_step *step, const char *id)
{
	for (size_t i = 0; i < MG_WALK_PREFIXES && step->checks[i] != NULL; i++) {
		struct mg_str prefix = mg_str_z(step->checks[i]);

		if (mg_str_eq(mg_str_z(id), prefix) ||
			(mg_str_ends(prefix, MG_STR(".")) && mg_str_starts(mg_str_z(id), prefix)))
			return true;
	}
	return false;
}

static bool is_chosen(const bool *chosen, const struct mg_check *all, size_t count, const char *id)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(all[i].id, id) == 0)
			return chosen[i];
	return true; /* no such check: nothing to add */
}

static void choose(bool *chosen, const struct mg_check *all, size_t count, const char *id)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(all[i].id, id) == 0)
			chosen[i] = true;
}

/* What could explain a chosen check is chosen too. */
static void choose_roots(bool *chosen, const struct mg_check *all, size_t count)
{
	bool has_more = true;

	while (has_more) {
		has_more = false;
		for (size_t i = 0; i < count; i++) {
			for (size_t r = 0; chosen[i] && r < MG_CHECK_ROOTS && all[i].follows[r] != NULL; r++)
				if (!is_chosen(chosen, all, count, all[i].follows[r])) {
					choose(chosen, all, count, all[i].follows[r]);
					has_more = true;
				}
			if (chosen[i] && all[i].needs != NULL && !is_chosen(chosen, all, count, all[i].needs)) {
				choose(chosen, all, count, all[i].needs);
				has_more = true;
			}
		}
	}
}

static size_t gather(struct mg_walk *walk, const struct mg_walk_step *step, const struct mg_check **wanted)
{
	bool chosen[MG_CHECKS_MAX] = { false };
	size_t count, n = 0;
	const struct mg_check *all = mg_checks(&count);

	for (size_t i = 0; i < count; i++)
		chosen[i] = !walk->was_looked_at[i] && belongs(step, all[i].id);
	choose_roots(chosen, all, count);
	for (size_t i = 0; i < count; i++) {
		if (!chosen[i])
			continue;
		wanted[n++] = &all[i];
		walk->was_looked_at[i] = true;
	}
	return n;
}

/* ---- what they say ---- */

static bool has_state(const json_t *check, const char *state)
{
	return strcmp(mg_ctl_text(check, "state"), state) == 0;
}

static json_t *find(json_t *checks, const char *id)
{
	size_t i;
	json_t *check;

	json_array_foreach(checks, i, check) if (strcmp(mg_ctl_text(check, "id"), id) == 0) return check;
	return NULL;
}

/* The first of that state, or what it follows from. */
static json_t *first(json_t *checks, const char *state)
{
	size_t i;
	json_t *check, *root;

	json_array_foreach(checks, i, check)
	{
		if (!has_state(check, state))
			continue;
		root = find(checks, mg_ctl_text(check, "root"));
		return root == NULL ? check : root;
	}
	return NULL;
}

static void remember(struct mg_walk *walk, json_t *finding)
{
	if (finding == NULL ||
		(walk->finding != NULL && (!has_state(finding, "crit") || has_state(walk->finding, "crit"))))
		return;
	json_decref(walk->finding);
	walk->finding = json_incref(finding);
}

static const char *word_of(const char *state)
{
	return strcmp(state, "crit") == 0      ? _("WRONG")
	       : strcmp(state, "warn") == 0    ? _("warning")
	       : strcmp(state, "unknown") == 0 ? _("unknown")
					       : _("ok");
}

static enum mg_ink ink_of(const char *state)
{
	return strcmp(state, "crit") == 0      ? MG_INK_BAD
	       : strcmp(state, "warn") == 0    ? MG_INK_WARN
	       : strcmp(state, "unknown") == 0 ? MG_INK_FAINT
					       : MG_INK_GOOD;
}

static void print_question(struct mg_walk *walk, const char *question)
{
	char number[16];

	walk->number++;
	if (walk->ctl->json)
		return;
	snprintf(number, sizeof number, "%d. ", walk->number);
	mg_ctl_print(walk->ctl, MG_INK_STRONG, 4, number);
	mg_ctl_print(walk->ctl, MG_INK_STRONG, 0, _(question));
	fflush(stdout); /* what comes may take a while */
}

static void print_state(const struct mg_walk *walk, const char *state)
{
	if (walk->ctl->json)
		return;
	fputs("  ", stdout);
	mg_ctl_print(walk->ctl, ink_of(state), 0, word_of(state));
	putchar('\n');
}

static const char *state_of(int status)
{
	return status == MG_EXIT_CRIT      ? "crit"
	       : status == MG_EXIT_WARN    ? "warn"
	       : status == MG_EXIT_UNKNOWN ? "unknown"
					   : "ok";
}

int mg_walk_take(struct mg_walk *walk, const struct mg_walk_step *step)
{
	const struct mg_check *wanted[MG_CHECKS_MAX];
	struct mg_checks_asked asked = { wanted, gather(walk, step, wanted), true };
	json_t *checks = NULL, *looked = json_array();
	const char *state;
	int status = MG_EXIT_GO_ON;

	print_question(walk, step->question);
	for (size_t i = 0; i < asked.count; i++)
		json_array_append_new(looked, json_string(wanted[i]->id));
	if (asked.count > 0)
		status = mg_ctl_run_checks(walk->ctl, &asked, &checks);
	if (status != MG_EXIT_GO_ON) {
		json_decref(looked);
		return status;
	}
	if (checks == NULL)
		checks = json_array();
	state = state_of(mg_ctl_findings_status(checks));
	print_state(walk, state);
	if (!walk->ctl->json)
		mg_ctl_print_findings(walk->ctl, checks, false);
	remember(walk, first(checks, "crit"));
	remember(walk, first(checks, "warn"));
	json_array_append_new(walk->steps, json_pack("{s:s, s:s, s:s, s:o, s:O}", "step", step->key, "question",
						   step->question, "state", state, "looked", looked, "checks", checks));
	json_decref(checks);
	return strcmp(state, "crit") == 0 ? MG_EXIT_CRIT : MG_EXIT_GO_ON;
}

static json_t *english(const struct mg_say *say)
{
	struct mg_buf text;
	json_t *json;

	mg_buf_init(&text, 8 * MG_SAY_TEXT);
	mg_say_english(&text, say);
	json = mg_json_text(mg_buf_str(&text));
	mg_buf_fini(&text);
	return json;
}

static void print_say(const struct mg_walk *walk, const char *label, const json_t *array)
{
	struct mg_buf text;

	mg_buf_init(&text, 8 * MG_SAY_TEXT);
	mg_say_local_json(&text, array);
	if (text.n > 0 && !walk->ctl->json)
		mg_ctl_paragraph(walk->ctl, INDENT, label, mg_buf_z(&text));
	mg_buf_fini(&text);
}

void mg_walk_tell(struct mg_walk *walk, const char *key, const char *question, const char *state,
	const struct mg_say *found, const struct mg_say *cause, const struct mg_say *fix)
{
	static const struct mg_say nothing = { .template = NULL };
	json_t *finding = json_pack("{s:s, s:s, s:o, s:o, s:o, s:{s:o, s:o, s:o}}", "id", key, "state", state,
		"summary", english(found), "cause", english(cause == NULL ? &nothing : cause), "fix",
		english(fix == NULL ? &nothing : fix), "say", "summary", mg_say_json(found), "cause",
		mg_say_json(cause == NULL ? &nothing : cause), "fix", mg_say_json(fix == NULL ? &nothing : fix));
	const json_t *say = json_object_get(finding, "say");

	print_question(walk, question);
	print_state(walk, state);
	print_say(walk, "", json_object_get(say, "summary"));
	print_say(walk, _("    why"), json_object_get(say, "cause"));
	print_say(walk, _("    type"), json_object_get(say, "fix"));
	json_array_append_new(walk->steps, json_pack("{s:s, s:s, s:s, s:[], s:[O]}", "step", key, "question", question,
						   "state", state, "looked", "checks", finding));
	if (strcmp(state, "ok") != 0)
		remember(walk, finding);
	json_decref(finding);
}

/* ---- the end ---- */

static void print_end(const struct mg_walk *walk)
{
	const json_t *say = json_object_get(walk->finding, "say");

	putchar('\n');
	if (walk->finding == NULL) {
		mg_ctl_print(walk->ctl, MG_INK_GOOD, 0, _("Nothing is wrong as far as can be seen from here."));
		putchar('\n');
		return;
	}
	mg_ctl_print(walk->ctl, ink_of(mg_ctl_text(walk->finding, "state")), 0, _("What it comes to"));
	fputs(": ", stdout);
	mg_ctl_print(walk->ctl, MG_INK_STRONG, 0, mg_ctl_text(walk->finding, "id"));
	putchar('\n');
	print_say(walk, "", json_object_get(say, "summary"));
	print_say(walk, _("    why"), json_object_get(say, "cause"));
	print_say(walk, _("    type"), json_object_get(say, "fix"));
}

static json_t *text_of(const struct mg_walk *walk, const char *key)
{
	return json_string(walk->finding == NULL ? "" : mg_ctl_text(walk->finding, key));
}

int mg_walk_end(struct mg_walk *walk)
{
	const char *state = walk->finding == NULL ? "ok" : mg_ctl_text(walk->finding, "state");

	if (walk->ctl->json)
		mg_ctl_print_json(json_pack("{s:s, s:o, s:o, s:o, s:o, s:O}", "state", state, "check",
			text_of(walk, "id"), "summary", text_of(walk, "summary"), "cause", text_of(walk, "cause"),
			"fix", text_of(walk, "fix"), "steps", walk->steps));
	else
		print_end(walk);
	return strcmp(state, "crit") == 0      ? MG_EXIT_CRIT
	       : strcmp(state, "warn") == 0    ? MG_EXIT_WARN
	       : strcmp(state, "unknown") == 0 ? MG_EXIT_UNKNOWN
					       : MG_EXIT_OK;
}
