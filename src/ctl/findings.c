#include "ctl/findings.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "base/say.h"

enum { INDENT = 10, ID_WIDTH = 22, LIST_BYTES = 4096 };

/* In the order they are shown. */
static const struct {
	const char *state;
	const char *word; /* N_() */
	enum mg_ink ink;
	int status;
} states[] = {
	{ "crit", N_("WRONG"), MG_INK_BAD, MG_EXIT_CRIT },
	{ "warn", N_("warning"), MG_INK_WARN, MG_EXIT_WARN },
	{ "unknown", N_("unknown"), MG_INK_FAINT, MG_EXIT_UNKNOWN },
	{ "ok", N_("ok"), MG_INK_GOOD, MG_EXIT_OK },
	{ "muted", N_("muted"), MG_INK_FAINT, MG_EXIT_OK },
};
enum { STATES = sizeof states / sizeof states[0], STATES_TO_MEND = 3 };

static void print_sentence(const struct mg_ctl *ctl, const json_t *check, const char *key, const char *label)
{
	struct mg_buf text;

	mg_buf_init(&text, 4 * MG_SAY_TEXT);
	mg_say_local_json(&text, json_object_get(json_object_get(check, "say"), key));
	if (text.n > 0)
		mg_ctl_paragraph(ctl, INDENT, label, mg_buf_z(&text));
	mg_buf_fini(&text);
}

static void print_since(const struct mg_ctl *ctl, const json_t *check)
{
	char age[32], text[64];
	int64_t since = mg_ctl_number(check, "since");

	if (since <= 0 || mg_wall_us() / MG_S_US <= since + 1) /* seen for the first time just now */
		return;
	snprintf(text, sizeof text, _("  (for %s)"), mg_ctl_duration(age, sizeof age, mg_wall_us() / MG_S_US - since));
	mg_ctl_print(ctl, MG_INK_FAINT, 0, text);
}

static bool has_text(const json_t *check, const char *key, const char *text)
{
	return strcmp(mg_ctl_text(check, key), text) == 0;
}

static void add_word(struct mg_buf *list, const char *word)
{
	mg_buf_addf(list, "%s%s", list->n > 0 ? ", " : "", word);
}

static void print_consequences(const struct mg_ctl *ctl, const json_t *checks, const char *root)
{
	struct mg_buf ids;
	size_t i;
	json_t *check;

	mg_buf_init(&ids, LIST_BYTES);
	json_array_foreach((json_t *)checks, i, check) if (has_text(check, "root", root))
		add_word(&ids, mg_ctl_text(check, "id"));
	if (ids.n > 0)
		mg_ctl_paragraph(ctl, INDENT, _("    hence"), mg_buf_z(&ids));
	mg_buf_fini(&ids);
}

static void print_fine(const struct mg_ctl *ctl, const json_t *check)
{
	struct mg_buf text;

	mg_buf_init(&text, 4 * MG_SAY_TEXT);
	mg_say_local_json(&text, json_object_get(json_object_get(check, "say"), "summary"));
	mg_ctl_print(ctl, MG_INK_PLAIN, 0, mg_buf_z(&text));
	mg_buf_fini(&text);
	putchar('\n');
}

static bool is_alike(const json_t *check, const json_t *other)
{
	return json_object_get(other, "root") == NULL && has_text(other, "state", mg_ctl_text(check, "state")) &&
	       has_text(other, "cause", mg_ctl_text(check, "cause"));
}

/* What could not be looked at for one and the same reason is one finding for people: the ids behind the first. False: an earlier one has
 * shown this. */
static bool gather_alike(const json_t *checks, const json_t *check, struct mg_buf *ids)
{
	size_t i;
	json_t *other;
	bool is_behind = false;

	json_array_foreach((json_t *)checks, i, other)
	{
		if (!is_alike(check, other))
			continue;
		if (other == check)
			is_behind = true;
		else if (!is_behind)
			return false;
		add_word(ids, mg_ctl_text(other, "id"));
	}
	return true;
}

static bool print_finding(const struct mg_ctl *ctl, const json_t *checks, const json_t *check, size_t state)
{
	bool is_fine = state >= STATES_TO_MEND, is_single;
	const char *id = mg_ctl_text(check, "id");
	struct mg_buf ids;

	mg_buf_init(&ids, LIST_BYTES);
	if (has_text(check, "state", "unknown") && !gather_alike(checks, check, &ids)) {
		mg_buf_fini(&ids);
		return false;
	}
	is_single = ids.n == 0 || strcmp(mg_buf_z(&ids), id) == 0;
	mg_ctl_print(ctl, states[state].ink, INDENT, _(states[state].word));
	mg_ctl_print(ctl, MG_INK_STRONG, is_fine ? ID_WIDTH : 0, is_single ? id : mg_buf_z(&ids));
	mg_buf_fini(&ids);
	if (is_fine) {
		print_fine(ctl, check);
		return true;
	}
	print_since(ctl, check);
	putchar('\n');
	if (is_single)
		print_sentence(ctl, check, "summary", "");
	print_sentence(ctl, check, "cause", _("    why"));
	print_sentence(ctl, check, "fix", _("    type"));
	if (mg_ctl_text(check, "manual")[0] != '\0')
		mg_ctl_paragraph(ctl, INDENT, _("    see"), mg_ctl_text(check, "manual"));
	print_consequences(ctl, checks, id);
	return true;
}

size_t mg_ctl_print_findings(const struct mg_ctl *ctl, const json_t *checks, bool all)
{
	size_t to_mend = 0, i;
	json_t *check;

	for (size_t state = 0; state < (all ? STATES : STATES_TO_MEND); state++) {
		json_array_foreach((json_t *)checks, i, check)
		{
			if (!has_text(check, "state", states[state].state) || json_object_get(check, "root") != NULL)
				continue;
			if (print_finding(ctl, checks, check, state))
				to_mend += state < STATES_TO_MEND;
		}
	}
	return to_mend;
}

int mg_ctl_findings_status(const json_t *checks)
{
	size_t worst = STATES - 1, i;
	json_t *check;

	json_array_foreach(
		(json_t *)checks, i, check) for (size_t state = 0; state < worst;
						 state++) if (mg_str_eq(mg_str_z(mg_ctl_text(check, "state")),
								      mg_str_z(states[state].state))) worst = state;
	return states[worst].status;
}
