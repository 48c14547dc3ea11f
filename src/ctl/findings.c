#include "ctl/findings.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "base/say.h"

enum { INDENT = 10 };

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

	if (since <= 0)
		return;
	snprintf(text, sizeof text, _("  (for %s)"), mg_ctl_duration(age, sizeof age, mg_wall_us() / MG_S_US - since));
	mg_ctl_print(ctl, MG_INK_FAINT, 0, text);
}

static void print_consequences(const struct mg_ctl *ctl, const json_t *checks, const char *root)
{
	size_t i;
	json_t *check;

	json_array_foreach(
		(json_t *)checks, i, check) if (mg_str_eq(mg_str_z(mg_ctl_text(check, "root")), mg_str_z(root)))
		mg_ctl_paragraph(ctl, INDENT, _("    hence"), mg_ctl_text(check, "id"));
}

static void print_finding(const struct mg_ctl *ctl, const json_t *checks, const json_t *check, size_t state)
{
	bool is_fine = state >= STATES_TO_MEND;

	mg_ctl_print(ctl, states[state].ink, INDENT, _(states[state].word));
	mg_ctl_print(ctl, MG_INK_STRONG, is_fine ? 20 : 0, mg_ctl_text(check, "id"));
	if (is_fine) {
		struct mg_buf text;

		mg_buf_init(&text, 4 * MG_SAY_TEXT);
		mg_say_local_json(&text, json_object_get(json_object_get(check, "say"), "summary"));
		mg_ctl_print(ctl, MG_INK_PLAIN, 0, mg_buf_z(&text));
		mg_buf_fini(&text);
		putchar('\n');
		return;
	}
	print_since(ctl, check);
	putchar('\n');
	print_sentence(ctl, check, "summary", "");
	print_sentence(ctl, check, "cause", _("    why"));
	print_sentence(ctl, check, "fix", _("    type"));
	print_consequences(ctl, checks, mg_ctl_text(check, "id"));
}

size_t mg_ctl_print_findings(const struct mg_ctl *ctl, const json_t *checks, bool all)
{
	size_t to_mend = 0, i;
	json_t *check;

	for (size_t state = 0; state < (all ? STATES : STATES_TO_MEND); state++) {
		json_array_foreach((json_t *)checks, i, check)
		{
			if (!mg_str_eq(mg_str_z(mg_ctl_text(check, "state")), mg_str_z(states[state].state)) ||
				json_object_get(check, "root") != NULL)
				continue;
			print_finding(ctl, checks, check, state);
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
