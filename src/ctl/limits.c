/* mailguardctl limits: who has spent how much of which limit, when it frees up, and emptying it. */
#include <stdio.h>

#include "base/i18n.h"
#include "base/say.h"
#include "ctl/ctl.h"

static void print_wait(const json_t *limit)
{
	double wait_s = json_number_value(json_object_get(limit, "frees_in_s")),
	       empty_s = json_number_value(json_object_get(limit, "empty_in_s"));
	char text[32];

	if (json_is_true(json_object_get(limit, "over"))) {
		if (wait_s < 0)
			fputs(_("over the limit"), stdout);
		else
			printf(_("over the limit; one more fits in %s"),
				mg_ctl_duration(text, sizeof text, (int64_t)wait_s + 1));
	} else {
		printf(_("all free again in %s"), mg_ctl_duration(text, sizeof text, (int64_t)empty_s + 1));
	}
	putchar('\n');
}

static void print_limit(const struct mg_ctl *ctl, const json_t *limit)
{
	bool is_over = json_is_true(json_object_get(limit, "over"));
	char text[200], per[32];

	mg_ctl_print(ctl, is_over ? MG_INK_BAD : MG_INK_PLAIN, 34, mg_ctl_text(limit, "key"));
	putchar(' ');
	mg_ctl_print(ctl, MG_INK_STRONG, 16, mg_ctl_text(limit, "limit"));
	snprintf(text, sizeof text, _(" %lld of %lld %s in %s  "), (long long)mg_ctl_number(limit, "used"),
		(long long)mg_ctl_number(limit, "burst"), mg_ctl_text(limit, "count"),
		mg_ctl_duration(per, sizeof per, mg_ctl_number(limit, "per_s")));
	fputs(text, stdout);
	print_wait(limit);
}

static void print_sign(const struct mg_ctl *ctl, const json_t *sign)
{
	char since[32], left[32];
	struct mg_buf text;

	mg_buf_init(&text, MG_SAY_TEXT);
	mg_say_local_json(&text, json_object_get(sign, "say"));
	mg_ctl_print(ctl, MG_INK_WARN, 0, "  - ");
	mg_ctl_print(ctl, MG_INK_PLAIN, 0, mg_buf_z(&text));
	printf(_(" (%s ago; forgotten in %s)\n"), mg_ctl_duration(since, sizeof since, mg_ctl_number(sign, "since_s")),
		mg_ctl_duration(left, sizeof left, mg_ctl_number(sign, "expires_s")));
	mg_buf_fini(&text);
}

/* What speaks against the account, what is done about it, and what mends it. */
static void print_account(const struct mg_ctl *ctl, const json_t *account)
{
	struct mg_str action = mg_str_z(mg_ctl_text(account, "action"));
	const char *login = mg_ctl_text(account, "login");
	json_t *sign;
	char left[32];
	size_t i;

	mg_ctl_print(ctl, MG_INK_STRONG, 0, login);
	printf(_(": %lld messages to %lld recipients from %lld networks in the last hour\n"),
		(long long)mg_ctl_number(account, "messages"), (long long)mg_ctl_number(account, "recipients"),
		(long long)mg_ctl_number(account, "networks"));
	json_array_foreach(json_object_get(account, "signs"), i, sign) print_sign(ctl, sign);
	if (mg_ctl_number(account, "failures_own") > 0)
		printf(_("  %lld failed logins from its own networks: most likely an old password on some device\n"),
			(long long)mg_ctl_number(account, "failures_own"));
	if (mg_str_eq(action, MG_STR("fine"))) {
		puts(_("  nothing is done about it"));
		return;
	}
	mg_ctl_duration(left, sizeof left, mg_ctl_number(account, "ends_s"));
	if (mg_str_eq(action, MG_STR("notify")))
		printf(_("  you are told, and nothing else is done; ends in %s\n"), left);
	else if (mg_str_eq(action, MG_STR("hold")))
		printf(_("  its mail is held; ends in %s\n"), left);
	else
		printf(_("  its mail is not taken for now; ends in %s\n"), left);
	printf(_("  change its password if it was not the owner; then: mailguardctl limits reset user:%s\n"), login);
}

static int print_limits(const struct mg_ctl *ctl, json_t *result, int status, const char *nothing)
{
	json_t *limit;
	size_t i;

	if (ctl->json) {
		mg_ctl_print_json(result);
		return status;
	}
	json_array_foreach(json_object_get(result, "limits"), i, limit) print_limit(ctl, limit);
	if (json_object_get(result, "account") != NULL)
		print_account(ctl, json_object_get(result, "account"));
	else if (i == 0)
		puts(nothing);
	json_decref(result);
	return status;
}

static int list(struct mg_ctl *ctl)
{
	json_t *result = NULL;
	int status = mg_ctl_call(ctl, "limits.list", NULL, &result);

	return status != MG_EXIT_GO_ON ? status
				       : print_limits(ctl, result, MG_EXIT_OK, _("Nobody has spent anything."));
}

static bool is_empty(const json_t *result)
{
	return json_array_size(json_object_get(result, "limits")) == 0 && json_object_get(result, "account") == NULL;
}

static int show(struct mg_ctl *ctl, const char *key)
{
	json_t *result = NULL;
	int status = mg_ctl_call(ctl, "limits.show", json_pack("{s:s}", "key", key), &result);

	if (status != MG_EXIT_GO_ON)
		return status;
	return print_limits(
		ctl, result, is_empty(result) ? MG_EXIT_NEGATIVE : MG_EXIT_OK, _("Nothing is known of it."));
}

static int reset(struct mg_ctl *ctl, const char *key)
{
	json_t *result = NULL;
	int status = mg_ctl_call(ctl, "limits.reset", json_pack("{s:s}", "key", key), &result);

	if (status != MG_EXIT_GO_ON)
		return status;
	status = is_empty(result) ? MG_EXIT_NEGATIVE : MG_EXIT_OK;
	if (ctl->json) {
		mg_ctl_print_json(result);
		return status;
	}
	puts(status == MG_EXIT_OK ? _("It begins anew.") : _("Nothing is known of it."));
	json_decref(result);
	return status;
}

int mg_ctl_limits(struct mg_ctl *ctl, int argc, char **argv)
{
	const struct mg_ctl_option options[] = { { NULL, NULL, NULL } };
	int status = mg_ctl_options(ctl, argc, argv, options);
	struct mg_str word = mg_str_z(argc > optind ? argv[optind] : "list");
	int operands = argc - optind;

	if (status != MG_EXIT_GO_ON)
		return status;
	if (mg_str_eq(word, MG_STR("list")) && operands <= 1)
		return list(ctl);
	if (mg_str_eq(word, MG_STR("show")) && operands == 2)
		return show(ctl, argv[optind + 1]);
	if (mg_str_eq(word, MG_STR("reset")) && operands == 2)
		return reset(ctl, argv[optind + 1]);
	return mg_ctl_fail(
		MG_EXIT_USAGE, _("limits takes list, show KEY or reset KEY; see: mailguardctl limits --help"));
}
