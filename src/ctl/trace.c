/* mailguardctl trace: the story of a message. */
#include <stdio.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "base/say.h"
#include "ctl/explanations.h"
#include "ctl/verdicts.h"

enum { INDENT = 12, DATE_BYTES = 10, EXPLAINED = 20 };

static void print_event(const struct mg_ctl *ctl, const json_t *event)
{
	char when[32], label[48];
	struct mg_buf text;

	mg_wall_text(when, sizeof when, (int64_t)(json_number_value(json_object_get(event, "time")) * 1e6));
	snprintf(label, sizeof label, "  %s", when + DATE_BYTES + 1);
	mg_buf_init(&text, 8 * MG_SAY_TEXT);
	mg_say_local_json(&text, json_object_get(event, "say"));
	mg_ctl_paragraph(ctl, INDENT, label, mg_buf_z(&text));
	mg_buf_fini(&text);
}

static bool is_same(const struct mg_explanation *a, const struct mg_explanation *b)
{
	return a->cause.template == b->cause.template && mg_str_eq(mg_str_z(a->code), mg_str_z(b->code)) &&
	       mg_str_eq(mg_str_z(a->enhanced), mg_str_z(b->enhanced));
}

/* Why recipients were not reached, who has to act and how: each cause once. */
static void print_explanations(const struct mg_ctl *ctl, const json_t *recipients)
{
	struct mg_explanation found, told[EXPLAINED];
	size_t i, count = 0, seen;
	json_t *recipient;

	json_array_foreach((json_t *)recipients, i, recipient)
	{
		if (count == EXPLAINED || !mg_ctl_explain_recipient(recipient, &found))
			continue;
		for (seen = 0; seen < count && !is_same(&told[seen], &found); seen++)
			;
		if (seen < count)
			continue;
		told[count++] = found; /* only compared */
		mg_ctl_print_say(ctl, INDENT, _("  cause"), &found.cause);
		mg_ctl_print_say(ctl, INDENT, _("  who acts"), &MG_SAY(mg_ctl_actor_text(found.actor)));
		mg_ctl_print_say(ctl, INDENT, _("  do"), &found.fix);
	}
}

/* The same for --json: recipients[].explanation. */
static void add_explanations(json_t *transactions)
{
	size_t i, n;
	json_t *txn, *recipient;
	struct mg_explanation found;

	json_array_foreach(transactions, i, txn) json_array_foreach(json_object_get(txn, "recipients"), n, recipient)
	{
		if (mg_ctl_explain_recipient(recipient, &found))
			json_object_set_new(recipient, "explanation", mg_ctl_explanation_json(&found));
	}
}

static void print_story(const struct mg_ctl *ctl, const json_t *txn, const json_t *events)
{
	const char *queue_id = mg_ctl_text(txn, "queue_id");
	size_t i;
	json_t *event;
	char when[32], title[160];

	mg_wall_text(when, sizeof when, (int64_t)(json_number_value(json_object_get(txn, "time")) * 1e6));
	snprintf(title, sizeof title, "%s  ", queue_id[0] != '\0' ? queue_id : _("(no queue id)"));
	mg_ctl_print(ctl, MG_INK_STRONG, 0, title);
	mg_ctl_print(
		ctl, MG_INK_FAINT, DATE_BYTES + 2, mg_str_copy(title, DATE_BYTES + 1, mg_str_z(when)) ? when : title);
	mg_ctl_print_verdict(ctl, json_object_get(txn, "verdict"), 0);
	mg_ctl_print_delivery(ctl, json_object_get(txn, "recipients"));
	putchar('\n');
	json_array_foreach((json_t *)events, i,
		event) if (mg_str_eq(mg_str_z(mg_ctl_text(event, "id")), mg_str_z(mg_ctl_text(txn, "id"))))
		print_event(ctl, event);
	print_explanations(ctl, json_object_get(txn, "recipients"));
	putchar('\n');
}

int mg_ctl_trace(struct mg_ctl *ctl, int argc, char **argv)
{
	int status = mg_ctl_options(ctl, argc, argv, NULL);
	json_t *result = NULL, *transactions, *txn;
	size_t i;

	if (status != MG_EXIT_GO_ON)
		return status;
	if (optind != argc - 1)
		return mg_ctl_fail(MG_EXIT_USAGE, _("trace what? Give a queue id, a Message-ID, an address or an IP"));
	status = mg_ctl_call(ctl, "trace", json_pack("{s:o}", "what", mg_json_text(mg_str_z(argv[optind]))), &result);
	if (status != MG_EXIT_GO_ON)
		return status;
	transactions = json_object_get(result, "transactions");
	status = json_array_size(transactions) == 0 ? MG_EXIT_NEGATIVE : MG_EXIT_OK;
	if (status == MG_EXIT_NEGATIVE)
		mg_ctl_fail(0,
			_("nothing is known of %s: it did not reach this server, or is older than journal.keep_days"),
			argv[optind]);
	if (ctl->json) {
		add_explanations(transactions);
		mg_ctl_print_json(result);
		return status;
	}
	json_array_foreach(transactions, i, txn) print_story(ctl, txn, json_object_get(result, "events"));
	json_decref(result);
	return status;
}
