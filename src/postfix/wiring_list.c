#include "postfix/wiring_list.h"

#include "postfix/restrictions.h"
#include "postfix/wiring_door.h"

static bool is_off(const char *listen)
{
	return listen == NULL || listen[0] == '\0';
}

/* One of our policy checks: the check or the tap, by its context. */
static void see_policy(const struct mg_restriction *restriction, enum mg_door_match match, struct mg_list_view *view)
{
	struct mg_str context = mg_door_attribute(restriction->argument, MG_STR("policy_context"));
	struct mg_str action = mg_door_attribute(restriction->argument, MG_STR("default_action"));

	if (mg_str_eq(context, MG_STR(MG_TAP_CONTEXT))) {
		view->has_tap = true;
		view->is_tap_reachable = match == MG_DOOR_OURS;
	} else if (!view->is_there) {
		view->is_there = true;
		view->is_reachable = match == MG_DOOR_OURS;
		view->is_explicit = mg_str_eq_nocase(action, MG_STR("DUNNO"));
	}
}

void mg_list_view_restrictions(struct mg_str expanded, const struct mg_wiring_doors *doors, const char *queue_directory,
	bool is_chroot, struct mg_list_view *view_out)
{
	struct mg_restriction restriction;

	*view_out = (struct mg_list_view){ 0 };
	while (mg_restriction_next(&expanded, &restriction)) {
		enum mg_door_match match = MG_DOOR_OTHER;
		bool is_sure = mg_restriction_ends(&restriction) || restriction.kind == MG_RESTRICTION_PERMIT_IF;

		if (restriction.kind == MG_RESTRICTION_POLICY && !is_off(doors->policy))
			match = mg_door_match(
				mg_door_server(restriction.argument), doors->policy, queue_directory, is_chroot);
		if (match != MG_DOOR_OTHER) {
			see_policy(&restriction, match, view_out);
			continue;
		}
		if (!view_out->is_there && is_sure && view_out->blocker.n == 0)
			view_out->blocker = restriction.name;
		if (!view_out->is_there && !is_sure && mg_restriction_may_permit(&restriction) &&
			view_out->doubt.n == 0)
			view_out->doubt = restriction.name;
		if (!view_out->has_tap && view_out->tap_blocker.n == 0 &&
			(mg_restriction_ends(&restriction) || mg_restriction_may_permit(&restriction)) &&
			!mg_str_eq_nocase(restriction.name, MG_STR("permit_auth_destination")))
			view_out->tap_blocker = restriction.name;
	}
}

void mg_list_view_milters(struct mg_str expanded, const struct mg_wiring_doors *doors, const char *queue_directory,
	bool is_chroot, struct mg_list_view *view_out)
{
	struct mg_str word;

	*view_out = (struct mg_list_view){ 0 };
	while (!is_off(doors->milter) && mg_postfix_word(&expanded, &word)) {
		enum mg_door_match match =
			mg_door_match(mg_door_server(word), doors->milter, queue_directory, is_chroot);

		if (match == MG_DOOR_OTHER)
			continue;
		view_out->is_there = true;
		view_out->is_reachable = match == MG_DOOR_OURS;
		view_out->is_explicit =
			mg_str_eq_nocase(mg_door_attribute(word, MG_STR("default_action")), MG_STR("accept"));
		return;
	}
}

/* $macro, ${macro}, $(macro) */
static bool is_macro(struct mg_str word, const char *macro)
{
	struct mg_str name = mg_str_z(macro);

	if (!mg_read_token(&word, MG_STR("$")))
		return false;
	if (word.n == name.n + 2 && (word.p[0] == '{' || word.p[0] == '('))
		word = mg_str_of(word.p + 1, word.n - 2);
	return mg_str_eq(word, name);
}

bool mg_list_has(struct mg_str raw, const char *macro, bool *is_last_out)
{
	struct mg_str word;
	bool has = false, is_last = false;

	while (mg_postfix_word(&raw, &word)) {
		is_last = is_macro(word, macro);
		has = has || is_last;
	}
	if (is_last_out != NULL)
		*is_last_out = is_last;
	return has;
}

/* What separates goes with the word: what follows it at the beginning of the list, else what stands before it. */
void mg_list_remove(struct mg_str raw, const char *macro, struct mg_buf *out)
{
	struct mg_str rest = raw, word;
	const char *kept_to = raw.p; /* everything before this is dealt with */
	bool is_first = true;

	while (mg_postfix_word(&rest, &word)) {
		const char *end = word.p + word.n;

		if (!is_macro(word, macro)) {
			if (is_first)
				kept_to = word.p;
			mg_buf_add(out, mg_str_of(kept_to, (size_t)(end - kept_to)));
			is_first = false;
		}
		kept_to = end;
	}
}

void mg_list_add(struct mg_str raw, const char *macro, bool in_front, bool is_spaced, struct mg_buf *out)
{
	const char *separator = is_spaced ? ", " : ",";

	raw = mg_str_trim(raw);
	if (in_front) {
		mg_buf_addf(out, "$%s%s", macro, raw.n > 0 ? separator : "");
		mg_buf_add(out, raw);
	} else {
		mg_buf_add(out, raw);
		mg_buf_addf(out, "%s$%s", raw.n > 0 ? separator : "", macro);
	}
}
