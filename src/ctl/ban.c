/* mailguardctl ban: who is shut out, why and for how long. */
#include <stdio.h>

#include "base/i18n.h"
#include "ctl/ctl.h"

enum { LONGEST_S = 10 * 365 * 86400 };

static void print_ban(const struct mg_ctl *ctl, const json_t *ban)
{
	const json_t *end = json_object_get(ban, "ends_in_s");
	char text[48], span[32];

	mg_ctl_print(ctl, MG_INK_FAINT, 8, mg_ctl_text(ban, "kind"));
	mg_ctl_print(ctl, MG_INK_STRONG, 40, mg_ctl_text(ban, "what"));
	if (json_is_integer(end))
		snprintf(text, sizeof text, _(" ends in %s"),
			mg_ctl_duration(span, sizeof span, json_integer_value(end)));
	else
		snprintf(text, sizeof text, "%s", _(" without end"));
	mg_ctl_print(ctl, MG_INK_PLAIN, 20, text);
	putchar(' ');
	mg_ctl_print(ctl, MG_INK_PLAIN, 0, mg_ctl_text(ban, "reason"));
	putchar('\n');
}

/* Shows what the method answered; `nothing` where it is empty. */
static int show(const struct mg_ctl *ctl, json_t *result, const char *nothing, int empty_status)
{
	json_t *ban;
	size_t i;
	int status;

	json_array_foreach(json_object_get(result, "bans"), i, ban)
	{
		if (!ctl->json)
			print_ban(ctl, ban);
	}
	status = i == 0 ? empty_status : MG_EXIT_OK;
	if (ctl->json) {
		mg_ctl_print_json(result);
		return status;
	}
	if (i == 0)
		puts(nothing);
	json_decref(result);
	return status;
}

static int list(struct mg_ctl *ctl)
{
	json_t *result = NULL;
	int status = mg_ctl_call(ctl, "ban.list", NULL, &result);

	return status != MG_EXIT_GO_ON ? status : show(ctl, result, _("Nobody is banned."), MG_EXIT_OK);
}

static int add(struct mg_ctl *ctl, const char *what, const char *lasts, const char *reason)
{
	json_t *result = NULL;
	uint64_t for_s = 0;
	int status;

	if (lasts != NULL && (!mg_str_to_seconds(mg_str_z(lasts), LONGEST_S, &for_s) || for_s == 0))
		return mg_ctl_fail(MG_EXIT_USAGE, _("--for %s: write a span such as 30m, 12h or 7d"), lasts);
	status = mg_ctl_call(ctl, "ban.add",
		json_pack("{s:s, s:s, s:I}", "what", what, "reason", reason == NULL ? "" : reason, "for_s",
			lasts == NULL ? (json_int_t)-1 : (json_int_t)for_s),
		&result);
	return status != MG_EXIT_GO_ON ? status : show(ctl, result, "", MG_EXIT_OK);
}

static int take_away(struct mg_ctl *ctl, const char *what)
{
	json_t *result = NULL;
	int status = mg_ctl_call(ctl, "ban.remove", json_pack("{s:s}", "what", what), &result);

	if (status != MG_EXIT_GO_ON)
		return status;
	if (!ctl->json && json_array_size(json_object_get(result, "bans")) > 0) {
		puts(_("The ban is gone."));
		json_decref(result);
		return MG_EXIT_OK;
	}
	return show(ctl, result, _("There is no such ban; see: mailguardctl ban list"), MG_EXIT_NEGATIVE);
}

int mg_ctl_ban(struct mg_ctl *ctl, int argc, char **argv)
{
	const char *lasts = NULL, *reason = NULL;
	const struct mg_ctl_option options[] = { { "for", &lasts, NULL }, { "reason", &reason, NULL },
		{ NULL, NULL, NULL } };
	int status = mg_ctl_options(ctl, argc, argv, options), operands = argc - optind;
	struct mg_str word = mg_str_z(operands > 0 ? argv[optind] : "list");
	bool is_plain = lasts == NULL && reason == NULL;

	if (status != MG_EXIT_GO_ON)
		return status;
	if (mg_str_eq(word, MG_STR("list")) && operands <= 1 && is_plain)
		return list(ctl);
	if (mg_str_eq(word, MG_STR("add")) && operands == 2)
		return add(ctl, argv[optind + 1], lasts, reason);
	if (mg_str_eq(word, MG_STR("remove")) && operands == 2 && is_plain)
		return take_away(ctl, argv[optind + 1]);
	return mg_ctl_fail(MG_EXIT_USAGE, _("ban takes list, add WHAT or remove WHAT; see: mailguardctl ban --help"));
}
