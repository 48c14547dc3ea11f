/* The lists first, then the macros: only a macro that some list names in the end is written, so that postconf never
 * warns of an unused parameter and a second plan finds nothing to do. */
#include <stdio.h>

#include "base/i18n.h"
#include "postfix/expand.h"
#include "postfix/wiring_door.h"
#include "postfix/wiring_list.h"
#include "postfix/wiring_planning.h"

enum { MACRO_MAX = 1024, DOOR_MAX = 512, NAME_SHOWN = 80 };

#define RECIPIENTS "smtpd_recipient_restrictions"
#define ORDER      "smtpd_relay_before_recipient_restrictions"

static bool is_on(const char *listen)
{
	return listen != NULL && listen[0] != '\0';
}

/* In an override without white space none is brought in; elsewhere ", " reads better. */
static bool is_spaced(const struct mg_postfix_service *service, struct mg_str raw)
{
	return service == NULL || mg_str_find(raw, ' ') != SIZE_MAX || mg_str_find(raw, '\t') != SIZE_MAX;
}

static void put_in(struct mg_buf *list, const char *macro, bool in_front, const struct mg_postfix_service *service)
{
	struct mg_buf next;

	mg_buf_init(&next, MG_EXPAND_MAX);
	mg_list_add(mg_buf_str(list), macro, in_front, is_spaced(service, mg_buf_str(list)), &next);
	mg_buf_fini(list);
	*list = next;
}

/* Looks at the list as `service` would run it, without our own macros, whose text may be about to change. */
static enum mg_rc view(struct mg_planning *planning, const struct mg_postfix_service *service,
	const struct mg_buf *list, bool is_milter, struct mg_buf *expanded, struct mg_list_view *view_out)
{
	const struct mg_postfix *postfix = planning->postfix;
	bool is_chroot = service != NULL && service->is_chroot;
	struct mg_buf bare;
	enum mg_rc rc;

	mg_buf_init(&bare, MG_EXPAND_MAX);
	mg_buf_add(&bare, mg_buf_str(list));
	mg_planning_take_out(&bare, MG_MACRO_CHECK);
	mg_planning_take_out(&bare, MG_MACRO_TAP);
	mg_planning_take_out(&bare, MG_MACRO_MILTER);
	mg_buf_reset(expanded);
	rc = mg_postfix_expand(postfix, service, mg_buf_str(&bare), expanded, planning->err);
	if (is_milter)
		mg_list_view_milters(
			mg_buf_str(expanded), planning->doors, postfix->queue_directory, is_chroot, view_out);
	else
		mg_list_view_restrictions(
			mg_buf_str(expanded), planning->doors, postfix->queue_directory, is_chroot, view_out);
	mg_buf_fini(&bare);
	return rc;
}

/* Whether the tap would be exact for one service (NULL: main.cf alone). */
static enum mg_rc tap_fits(struct mg_planning *planning, const struct mg_postfix_service *service,
	const struct mg_buf *list, bool *fits, bool *is_written)
{
	struct mg_list_view seen;
	struct mg_buf expanded;
	enum mg_rc rc;

	mg_buf_init(&expanded, MG_EXPAND_MAX);
	rc = view(planning, service, list, false, &expanded, &seen);
	*is_written = *is_written || seen.has_tap;
	if (!mg_postfix_is_yes(planning->postfix, service, ORDER)) {
		*fits = false;
		mg_planning_warn(planning,
			_("%s: the relay tap is left out, because %s is not yes; the domain classes decide instead"),
			mg_planning_where(service), ORDER);
	} else if (seen.tap_blocker.n > 0) {
		*fits = false;
		mg_planning_warn(planning,
			_("%s: the relay tap is left out, because %.*s in %s may permit or ends the list; the domain classes decide instead"),
			mg_planning_where(service), MG_STR_ARGS(mg_str_first(seen.tap_blocker, NAME_SHOWN)),
			RECIPIENTS);
	}
	mg_buf_fini(&expanded);
	return rc;
}

/* ... for all services that the list is for: an override's own, main.cf's all others that can be reached from outside. */
static enum mg_rc tap_fits_all(struct mg_planning *planning, const struct mg_postfix_service *service,
	const struct mg_buf *list, bool *fits, bool *is_written)
{
	const struct mg_postfix_service *each = NULL;
	enum mg_rc rc = MG_OK;
	bool is_used = false;

	*fits = true;
	*is_written = false;
	while (service == NULL && rc == MG_OK && (each = mg_postfix_next_smtpd(planning->postfix, each)) != NULL) {
		if (mg_postfix_override(each, MG_STR(RECIPIENTS)) != NULL ||
			mg_postfix_is_loopback(planning->postfix, each))
			continue;
		is_used = true;
		rc = tap_fits(planning, each, list, fits, is_written);
	}
	return is_used || rc != MG_OK ? rc : tap_fits(planning, service, list, fits, is_written);
}

static bool begins_with(const struct mg_buf *list, const char *macro)
{
	struct mg_str text = mg_str_trim(mg_buf_str(list));
	struct mg_str word = mg_str_first(text, strlen(macro) + 1);

	return mg_list_has(word, macro, NULL) && (word.n == text.n || strchr(", \t", text.p[word.n]) != NULL);
}

static enum mg_rc place_check(
	struct mg_planning *planning, const struct mg_postfix_service *service, struct mg_buf *list)
{
	struct mg_list_view seen;
	struct mg_buf expanded;
	enum mg_rc rc;

	if (is_on(planning->doors->policy) && begins_with(list, MG_MACRO_CHECK))
		return MG_OK;
	mg_buf_init(&expanded, MG_EXPAND_MAX);
	rc = view(planning, service, list, false, &expanded, &seen);
	if (mg_list_has(mg_buf_str(list), MG_MACRO_CHECK, NULL))
		mg_planning_take_out(list, MG_MACRO_CHECK);
	if (is_on(planning->doors->policy) && !(seen.is_there && seen.blocker.n == 0))
		put_in(list, MG_MACRO_CHECK, true, service);
	else if (is_on(planning->doors->policy) && !seen.is_explicit)
		mg_planning_warn(planning,
			_("%s: our policy service stands in %s without default_action=DUNNO; mail is deferred whenever mailguard is down"),
			mg_planning_where(service), RECIPIENTS);
	mg_buf_fini(&expanded);
	return rc;
}

static enum mg_rc place_tap(struct mg_planning *planning, const struct mg_postfix_service *service, struct mg_buf *list)
{
	bool fits = false, is_written = false, is_last = false;
	enum mg_rc rc = MG_OK;

	if (is_on(planning->doors->policy))
		rc = tap_fits_all(planning, service, list, &fits, &is_written);
	if (mg_list_has(mg_buf_str(list), MG_MACRO_TAP, &is_last) && !(fits && is_last))
		mg_planning_take_out(list, MG_MACRO_TAP);
	if (fits && !is_written && !mg_list_has(mg_buf_str(list), MG_MACRO_TAP, NULL))
		put_in(list, MG_MACRO_TAP, false, service);
	return rc;
}

static enum mg_rc place_milter(struct mg_planning *planning, const struct mg_postfix_service *service,
	const char *parameter, struct mg_buf *list)
{
	struct mg_list_view seen;
	struct mg_buf expanded;
	bool has = mg_list_has(mg_buf_str(list), MG_MACRO_MILTER, NULL);
	enum mg_rc rc;

	if (!is_on(planning->doors->milter)) {
		if (has)
			mg_planning_take_out(list, MG_MACRO_MILTER);
		return MG_OK;
	}
	mg_buf_init(&expanded, MG_EXPAND_MAX);
	rc = view(planning, service, list, true, &expanded, &seen);
	if (!has && !seen.is_there)
		put_in(list, MG_MACRO_MILTER, false, service);
	else if (!has && !seen.is_explicit)
		mg_planning_warn(planning,
			_("%s: our milter stands in %s without default_action=accept; mail is deferred whenever mailguard is down"),
			mg_planning_where(service), parameter);
	mg_buf_fini(&expanded);
	return rc;
}

/* One list, of main.cf (`service` NULL) or an override. What a re-injection listener on loopback empties stays empty. */
static enum mg_rc plan_list(
	struct mg_planning *planning, const struct mg_postfix_service *service, const char *parameter)
{
	const char *raw = mg_postfix_raw(planning->postfix, service, mg_str_z(parameter));
	bool was_set = service != NULL || mg_postfix_is_set(planning->postfix, parameter);
	struct mg_buf list;
	struct mg_str after;
	enum mg_rc rc;

	if (raw == NULL || (service != NULL && raw[0] == '\0' && mg_postfix_is_loopback(planning->postfix, service)))
		return MG_OK;
	mg_buf_init(&list, MG_EXPAND_MAX);
	mg_buf_addz(&list, raw);
	if (strcmp(parameter, RECIPIENTS) == 0) {
		rc = place_check(planning, service, &list);
		if (rc == MG_OK)
			rc = place_tap(planning, service, &list);
	} else {
		rc = place_milter(planning, service, parameter, &list);
	}
	after = mg_str_of(mg_buf_z(&list), list.n);
	planning->uses_check = planning->uses_check || mg_list_has(after, MG_MACRO_CHECK, NULL);
	planning->uses_tap = planning->uses_tap || mg_list_has(after, MG_MACRO_TAP, NULL);
	planning->uses_milter = planning->uses_milter || mg_list_has(after, MG_MACRO_MILTER, NULL);
	if (rc == MG_OK && !mg_buf_ok(&list))
		rc = mg_planning_full(planning);
	if (rc == MG_OK && !mg_str_eq(after, mg_str_z(raw)))
		rc = mg_planning_edit(planning, service, parameter, was_set ? raw : NULL,
			after.n > 0 || service != NULL ? &after : NULL);
	mg_buf_fini(&list);
	return rc;
}

static enum mg_rc plan_macro(struct mg_planning *planning, const char *macro, bool is_used, const char *before_door,
	const char *listen, const char *behind_door)
{
	const char *now = mg_postfix_raw(planning->postfix, NULL, mg_str_z(macro));
	char door[DOOR_MAX], text[MACRO_MAX];
	struct mg_str after;

	if (!is_used)
		return now == NULL ? MG_OK : mg_planning_edit(planning, NULL, macro, now, NULL);
	(void)mg_door_name(listen, planning->postfix->queue_directory, false, door, sizeof door);
	snprintf(text, sizeof text, "%s%s%s", before_door, door, behind_door);
	after = mg_str_z(text);
	return now != NULL && strcmp(now, text) == 0 ? MG_OK : mg_planning_edit(planning, NULL, macro, now, &after);
}

/* The macros come first in what people read. */
static enum mg_rc plan_macros(struct mg_planning *planning)
{
	const struct mg_wiring_doors *doors = planning->doors;
	struct mg_wiring_plan *plan = planning->plan;
	size_t lists = plan->edit_count, macros;
	struct mg_wiring_edit front[3];
	enum mg_rc rc;

	rc = plan_macro(planning, MG_MACRO_CHECK, planning->uses_check, "check_policy_service { ", doors->policy,
		", policy_context=rcpt, default_action=DUNNO, timeout=10s, try_limit=1 }");
	if (rc == MG_OK)
		rc = plan_macro(planning, MG_MACRO_TAP, planning->uses_tap,
			"permit_auth_destination, check_policy_service { ", doors->policy,
			", policy_context=" MG_TAP_CONTEXT ", default_action=DUNNO, timeout=10s, try_limit=1 }");
	if (rc == MG_OK)
		rc = plan_macro(planning, MG_MACRO_MILTER, planning->uses_milter, "{ ", doors->milter,
			", default_action=accept, connect_timeout=5s, command_timeout=10s, content_timeout=30s }");
	macros = plan->edit_count - lists;
	memcpy(front, plan->edits + lists, macros * sizeof front[0]);
	memmove(plan->edits + macros, plan->edits, lists * sizeof front[0]);
	memcpy(plan->edits, front, macros * sizeof front[0]);
	return rc;
}

static void warn_about(struct mg_planning *planning, const struct mg_postfix_service *service, const char *listen)
{
	char door[DOOR_MAX];

	if (is_on(listen) &&
		!mg_door_name(listen, planning->postfix->queue_directory, service->is_chroot, door, sizeof door))
		mg_planning_warn(planning,
			_("%s runs chrooted in %s and can't reach %s; put the socket below that directory, or listen on inet:127.0.0.1:PORT"),
			service->id, planning->postfix->queue_directory, listen);
}

static enum mg_rc plan_service(struct mg_planning *planning, const struct mg_postfix_service *service)
{
	enum mg_rc rc = MG_OK;

	warn_about(planning, service, planning->doors->milter);
	warn_about(planning, service, planning->doors->policy);
	if (is_on(planning->doors->milter) && !mg_postfix_is_loopback(planning->postfix, service)) {
		struct mg_buf options;

		mg_buf_init(&options, MG_EXPAND_MAX);
		rc = mg_postfix_value(planning->postfix, service, "receive_override_options", &options, planning->err);
		if (mg_str_find_str(mg_buf_str(&options), MG_STR("no_milters")) != SIZE_MAX)
			mg_planning_warn(planning,
				_("%s: receive_override_options switches all milters off; take no_milters out of it"),
				service->id);
		mg_buf_fini(&options);
	}
	if (rc == MG_OK && mg_postfix_override(service, MG_STR(RECIPIENTS)) != NULL)
		rc = plan_list(planning, service, RECIPIENTS);
	if (rc == MG_OK && mg_postfix_override(service, MG_STR("smtpd_milters")) != NULL)
		rc = plan_list(planning, service, "smtpd_milters");
	return rc;
}

enum mg_rc mg_wiring_plan(const struct mg_postfix *postfix, const struct mg_wiring_doors *doors,
	struct mg_wiring_plan **plan_out, struct mg_err *err)
{
	struct mg_planning planning = { .postfix = postfix, .doors = doors, .err = err };
	const struct mg_postfix_service *service = NULL;
	enum mg_rc rc = mg_planning_begin(&planning, plan_out);

	if (rc != MG_OK)
		return rc;
	rc = plan_list(&planning, NULL, RECIPIENTS);
	if (rc == MG_OK)
		rc = plan_list(&planning, NULL, "smtpd_milters");
	if (rc == MG_OK)
		rc = plan_list(&planning, NULL, "non_smtpd_milters");
	while (rc == MG_OK && (service = mg_postfix_next_smtpd(postfix, service)) != NULL)
		rc = plan_service(&planning, service);
	if (rc == MG_OK)
		rc = plan_macros(&planning);
	return mg_planning_finish(&planning, rc, plan_out);
}
