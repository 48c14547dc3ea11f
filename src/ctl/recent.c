/* mailguardctl recent: the record, filtered, newest first. */
#include <stdio.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "base/ip.h"
#include "base/say.h"
#include "ctl/ctl.h"
#include "ctl/verdicts.h"
#include "journal/record.h"

enum { YEAR_S = 366 * 86400, LIMIT_MAX = 10000 };

static int add_text(json_t *params, const char *key, const char *value)
{
	if (value != NULL)
		json_object_set_new(params, key, mg_json_text(mg_str_z(value)));
	return MG_EXIT_GO_ON;
}

static int add_since(json_t *params, const char *since)
{
	uint64_t seconds;

	if (since == NULL)
		return MG_EXIT_GO_ON;
	if (!mg_str_to_seconds(mg_str_z(since), (uint64_t)10 * YEAR_S, &seconds))
		return mg_ctl_fail(MG_EXIT_USAGE, _("--since %s: write a number and s, m, h or d, such as 2h"), since);
	json_object_set_new(params, "since_us", json_integer((json_int_t)(mg_wall_us() - (int64_t)seconds * MG_S_US)));
	return MG_EXIT_GO_ON;
}

static int add_limit(json_t *params, const char *limit)
{
	uint64_t number;

	if (limit == NULL)
		return MG_EXIT_GO_ON;
	if (!mg_str_to_u64(mg_str_z(limit), LIMIT_MAX, &number) || number == 0)
		return mg_ctl_fail(MG_EXIT_USAGE, _("--limit %s: write a number from 1 to %d"), limit, LIMIT_MAX);
	json_object_set_new(params, "limit", json_integer((json_int_t)number));
	return MG_EXIT_GO_ON;
}

static int add_verdict(json_t *params, const char *verdict)
{
	if (verdict != NULL && (verdict[0] == '\0' || mg_action_of(mg_str_z(verdict)) == MG_ACTIONS))
		return mg_ctl_fail(MG_EXIT_USAGE,
			_("--verdict %s: the verdicts are accept, reject, tempfail, quarantine, discard and observe"),
			verdict);
	return add_text(params, "verdict", verdict);
}

static int add_client(json_t *params, const char *client)
{
	struct mg_net net;

	if (client != NULL && !mg_net_parse(mg_str_z(client), &net))
		return mg_ctl_fail(
			MG_EXIT_USAGE, _("--client %s: write an address, or a network such as 192.0.2.0/24"), client);
	return add_text(params, "client", client);
}

/* What the sender's checks found, where they were made. */
static void print_checks(const struct mg_ctl *ctl, const json_t *auth)
{
	static const char *const methods[] = { "spf", "dkim", "dmarc" };

	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
		const char *result = mg_ctl_text(auth, methods[i]);
		char text[48];

		if (result[0] == '\0')
			continue;
		snprintf(text, sizeof text, "  %s=%s", methods[i], result);
		mg_ctl_print(ctl, MG_INK_FAINT, 0, text);
	}
}

static void print_one(const struct mg_ctl *ctl, const json_t *txn)
{
	const json_t *client = json_object_get(txn, "client"), *recipients = json_object_get(txn, "recipients");
	char when[32], to[320], from[320];
	size_t count = json_array_size(recipients);
	const char *first = mg_ctl_text(json_array_get(recipients, 0), "address");

	mg_wall_text(when, sizeof when, (int64_t)(json_number_value(json_object_get(txn, "time")) * 1e6));
	mg_ctl_print(ctl, MG_INK_FAINT, 21, when);
	mg_ctl_print_verdict(ctl, json_object_get(txn, "verdict"), 12);
	mg_ctl_print(
		ctl, MG_INK_PLAIN, 18, mg_ctl_text(txn, "queue_id")[0] == '\0' ? "-" : mg_ctl_text(txn, "queue_id"));
	mg_ctl_print(ctl, MG_INK_PLAIN, 17, mg_ctl_text(client, "ip"));
	snprintf(from, sizeof from, " <%s>", mg_ctl_text(txn, "sender"));
	mg_ctl_print(ctl, MG_INK_PLAIN, 0, from);
	if (count > 1)
		snprintf(to, sizeof to, _(" to <%s> and %zu more"), first, count - 1);
	else
		snprintf(to, sizeof to, _(" to <%s>"), first);
	mg_ctl_print(ctl, MG_INK_PLAIN, 0, to);
	mg_ctl_print_delivery(ctl, recipients);
	print_checks(ctl, json_object_get(txn, "auth"));
	putchar('\n');
}

int mg_ctl_recent(struct mg_ctl *ctl, int argc, char **argv)
{
	const char *since = NULL, *verdict = NULL, *client = NULL, *sender = NULL, *user = NULL, *limit = NULL;
	const struct mg_ctl_option options[] = { { "since", &since, NULL }, { "verdict", &verdict, NULL },
		{ "client", &client, NULL }, { "sender", &sender, NULL }, { "user", &user, NULL },
		{ "limit", &limit, NULL }, { NULL, NULL, NULL } };
	int status = mg_ctl_options(ctl, argc, argv, options);
	json_t *params, *result = NULL, *txn;
	size_t i;

	if (status != MG_EXIT_GO_ON)
		return status;
	if (optind < argc)
		return mg_ctl_fail(MG_EXIT_USAGE, _("recent takes options only; see: mailguardctl recent --help"));
	params = json_object();
	if ((status = add_since(params, since)) != MG_EXIT_GO_ON ||
		(status = add_verdict(params, verdict)) != MG_EXIT_GO_ON ||
		(status = add_client(params, client)) != MG_EXIT_GO_ON ||
		(status = add_limit(params, limit)) != MG_EXIT_GO_ON) {
		json_decref(params);
		return status;
	}
	add_text(params, "sender", sender);
	add_text(params, "user", user);
	status = mg_ctl_call(ctl, "recent", params, &result);
	if (status != MG_EXIT_GO_ON)
		return status;
	if (ctl->json) {
		mg_ctl_print_json(result);
		return MG_EXIT_OK;
	}
	json_array_foreach(json_object_get(result, "transactions"), i, txn) print_one(ctl, txn);
	if (i == 0)
		puts(_("No transaction matches."));
	json_decref(result);
	return MG_EXIT_OK;
}
