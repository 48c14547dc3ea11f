/* Each smtpd is looked at as it will run: its own overrides, else main.cf, with all $macros expanded in its scope. */
#include "postfix/wiring.h"

#include <stdlib.h>

#include "base/i18n.h"
#include "postfix/expand.h"
#include "postfix/restrictions.h"
#include "postfix/wiring_list.h"

enum { ARENA_MAX = 8 * 1024 * 1024, NAME_SHOWN = 80, ID_MAX = 400 };

static const struct mg_str nothing; /* no argument */

struct inspection {
	const struct mg_postfix *postfix;
	const struct mg_wiring_doors *doors;
	struct mg_wiring *wiring;
	const struct mg_postfix_service *service; /* the one being looked at */
	struct mg_err *err;
};

/* A sentence whose arguments (up to a NULL text) live as long as the inspection. */
static struct mg_say reason(
	struct inspection *inspection, const char *template, struct mg_str first, struct mg_str second)
{
	struct mg_arena *arena = &inspection->wiring->arena;

	return (struct mg_say){ template,
		{ first.p == NULL ? NULL : mg_arena_text(arena, mg_str_first(first, NAME_SHOWN), NAME_SHOWN),
			second.p == NULL ? NULL : mg_arena_text(arena, second, NAME_SHOWN) } };
}

static struct mg_say plain(const char *template)
{
	return (struct mg_say){ .template = template };
}

static bool has_word(const struct mg_postfix *postfix, const struct mg_postfix_service *service, const char *name,
	struct mg_str wanted)
{
	struct mg_buf value;
	struct mg_str rest, word;
	bool has = false;

	mg_buf_init(&value, MG_EXPAND_MAX);
	if (mg_postfix_value(postfix, service, name, &value, NULL) == MG_OK) {
		rest = mg_buf_str(&value);
		while (!has && mg_postfix_word(&rest, &word))
			has = mg_str_eq_nocase(word, wanted);
	}
	mg_buf_fini(&value);
	return has;
}

static bool is_default_accept(const struct inspection *inspection)
{
	return has_word(inspection->postfix, inspection->service, "milter_default_action", MG_STR("accept"));
}

static void judge_milter(struct inspection *inspection, const struct mg_list_view *view, struct mg_wiring_service *out)
{
	bool is_switched_off =
		has_word(inspection->postfix, inspection->service, "receive_override_options", MG_STR("no_milters"));
	const char *maps = mg_postfix_raw(inspection->postfix, inspection->service, MG_STR("smtpd_milter_maps"));

	out->has_milter = view->is_there && view->is_reachable && !is_switched_off;
	out->milter_default_is_explicit = view->is_explicit;
	if (!view->is_there)
		out->milter_reason = plain(N_("smtpd_milters does not name our milter"));
	else if (!view->is_reachable)
		out->milter_reason = reason(inspection,
			N_("this service runs chrooted in %1 and can't reach the milter's socket by that name"),
			mg_str_z(inspection->postfix->queue_directory), nothing);
	else if (is_switched_off)
		out->milter_reason = plain(N_("receive_override_options switches milters off (no_milters)"));
	else if (!view->is_explicit && !is_default_accept(inspection))
		out->milter_reason =
			plain(N_("without default_action=accept mail is deferred whenever mailguard is down"));
	else if (maps != NULL && maps[0] != '\0')
		out->milter_reason = plain(N_("smtpd_milter_maps may switch it off for some clients"));
}

static void judge_check(
	struct inspection *inspection, const struct mg_list_view *view, const char *list, struct mg_wiring_service *out)
{
	out->has_check = view->is_there && view->is_reachable && view->blocker.n == 0;
	out->check_default_is_explicit = view->is_explicit;
	if (!view->is_there)
		out->check_reason = plain(N_("smtpd_recipient_restrictions does not ask our policy service"));
	else if (!view->is_reachable)
		out->check_reason = reason(inspection,
			N_("this service runs chrooted in %1 and can't reach the policy socket by that name"),
			mg_str_z(inspection->postfix->queue_directory), nothing);
	else if (view->blocker.n > 0)
		out->check_reason = reason(inspection, N_("%1 stands before it in %2, so it is not always asked"),
			view->blocker, mg_str_z(list));
	else if (!view->is_explicit)
		out->check_reason =
			plain(N_("without default_action=DUNNO mail is deferred whenever mailguard is down"));
	else if (view->doubt.n > 0)
		out->check_reason =
			reason(inspection, N_("it is not asked where %1, which stands before it in %2, permits"),
				view->doubt, mg_str_z(list));
}

static void judge_tap(struct inspection *inspection, const struct mg_list_view *view, struct mg_wiring_service *out)
{
	bool is_ordered = mg_postfix_is_yes(
		inspection->postfix, inspection->service, "smtpd_relay_before_recipient_restrictions");

	out->has_tap = view->has_tap && view->is_tap_reachable && view->tap_blocker.n == 0 && is_ordered;
	if (!is_ordered)
		out->tap_reason = plain(
			N_("smtpd_relay_before_recipient_restrictions is not yes, so being asked proves nothing"));
	else if (view->tap_blocker.n > 0)
		out->tap_reason = reason(inspection, N_("%1 may permit, or ends the list, before it would be asked"),
			view->tap_blocker, nothing);
	else if (!view->has_tap)
		out->tap_reason = plain(N_("the relay tap is not in smtpd_recipient_restrictions"));
	else if (!view->is_tap_reachable)
		out->tap_reason = reason(inspection,
			N_("this service runs chrooted in %1 and can't reach the policy socket by that name"),
			mg_str_z(inspection->postfix->queue_directory), nothing);
}

/* The other lists that are asked at RCPT; those of client, HELO and sender only when they are delayed to it. */
static enum mg_rc look_elsewhere(struct inspection *inspection, struct mg_wiring_service *out)
{
	static const char *const lists[] = { "smtpd_relay_restrictions", "smtpd_sender_restrictions",
		"smtpd_helo_restrictions", "smtpd_client_restrictions" };
	bool is_delayed = mg_postfix_is_yes(inspection->postfix, inspection->service, "smtpd_delay_reject");
	enum mg_rc rc = MG_OK;

	for (size_t i = 0; rc == MG_OK && !out->has_check && i < (is_delayed ? 4 : 1); i++) {
		struct mg_list_view view;
		struct mg_buf value;

		mg_buf_init(&value, MG_EXPAND_MAX);
		rc = mg_postfix_value(inspection->postfix, inspection->service, lists[i], &value, inspection->err);
		mg_list_view_restrictions(mg_buf_str(&value), inspection->doors, inspection->postfix->queue_directory,
			inspection->service->is_chroot, &view);
		if (rc == MG_OK && view.is_there) {
			out->check_reason = (struct mg_say){ 0 };
			judge_check(inspection, &view, lists[i], out);
		}
		mg_buf_fini(&value);
	}
	return rc;
}

static enum mg_rc inspect_service(struct inspection *inspection, struct mg_wiring_service *out)
{
	const struct mg_postfix *postfix = inspection->postfix;
	const struct mg_postfix_service *service = inspection->service;
	struct mg_list_view view;
	struct mg_buf value;
	enum mg_rc rc;

	*out = (struct mg_wiring_service){
		.is_loopback = mg_postfix_is_loopback(postfix, service),
		.is_chroot = service->is_chroot,
	};
	out->id = mg_arena_text(&inspection->wiring->arena, mg_str_z(service->id), ID_MAX);
	mg_buf_init(&value, MG_EXPAND_MAX);
	rc = mg_postfix_value(postfix, service, "smtpd_milters", &value, inspection->err);
	mg_list_view_milters(
		mg_buf_str(&value), inspection->doors, postfix->queue_directory, service->is_chroot, &view);
	judge_milter(inspection, &view, out);
	mg_buf_reset(&value);
	if (rc == MG_OK)
		rc = mg_postfix_value(postfix, service, "smtpd_recipient_restrictions", &value, inspection->err);
	mg_list_view_restrictions(
		mg_buf_str(&value), inspection->doors, postfix->queue_directory, service->is_chroot, &view);
	judge_check(inspection, &view, "smtpd_recipient_restrictions", out);
	judge_tap(inspection, &view, out);
	mg_buf_fini(&value);
	return rc == MG_OK && !out->has_check ? look_elsewhere(inspection, out) : rc;
}

static enum mg_rc inspect_non_smtpd(struct inspection *inspection)
{
	const struct mg_postfix *postfix = inspection->postfix;
	struct mg_list_view view;
	struct mg_buf value;
	enum mg_rc rc;

	mg_buf_init(&value, MG_EXPAND_MAX);
	rc = mg_postfix_value(postfix, NULL, "non_smtpd_milters", &value, inspection->err);
	mg_list_view_milters(mg_buf_str(&value), inspection->doors, postfix->queue_directory, false, &view);
	inspection->wiring->has_non_smtpd = view.is_there;
	mg_buf_fini(&value);
	return rc;
}

/* Every smtpd that others can reach counts; where there is none, every smtpd. */
static void sum_up(struct mg_wiring *wiring)
{
	size_t outer = 0;

	for (size_t i = 0; i < wiring->service_count; i++)
		outer += !wiring->services[i].is_loopback;
	wiring->has_milter = wiring->has_policy = wiring->has_tap = wiring->service_count > 0;
	for (size_t i = 0; i < wiring->service_count; i++) {
		const struct mg_wiring_service *service = &wiring->services[i];

		if (outer > 0 && service->is_loopback)
			continue;
		wiring->has_milter = wiring->has_milter && service->has_milter;
		wiring->has_policy = wiring->has_policy && service->has_check;
		wiring->has_tap = wiring->has_tap && service->has_tap;
	}
}

enum mg_rc mg_wiring_inspect(const struct mg_postfix *postfix, const struct mg_wiring_doors *doors,
	struct mg_wiring **wiring_out, struct mg_err *err)
{
	struct mg_wiring *wiring = calloc(1, sizeof *wiring);
	struct inspection inspection = { postfix, doors, wiring, NULL, err };
	enum mg_rc rc = MG_OK;

	*wiring_out = NULL;
	if (wiring == NULL)
		return mg_err_set(err, MG_ENOMEM, _("no memory to look at the wiring"));
	mg_arena_init(&wiring->arena, ARENA_MAX);
	wiring->services = mg_arena_take(&wiring->arena, (postfix->service_count + 1) * sizeof *wiring->services);
	if (wiring->services == NULL)
		rc = mg_err_set(err, MG_ENOMEM, _("no memory to look at the wiring"));
	while (rc == MG_OK && (inspection.service = mg_postfix_next_smtpd(postfix, inspection.service)) != NULL)
		rc = inspect_service(&inspection, &wiring->services[wiring->service_count++]);
	if (rc == MG_OK)
		rc = inspect_non_smtpd(&inspection);
	sum_up(wiring);
	if (rc == MG_OK)
		*wiring_out = wiring;
	else
		mg_wiring_free(&wiring);
	return rc;
}

void mg_wiring_free(struct mg_wiring **wiring)
{
	if (*wiring != NULL)
		mg_arena_fini(&(*wiring)->arena);
	free(*wiring);
	*wiring = NULL;
}
