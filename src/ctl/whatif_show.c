/* What would change, for people: the sum first, then group by group, then what nobody can know. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "base/say.h"
#include "ctl/whatif.h"

enum { NAMES_SHOWN = 5, MESSAGES_SHOWN = 10, INDENT = 4 };

static const char *word_of(const char *action)
{
	static const char *const words[][2] = { { "accept", N_("accepted") }, { "reject", N_("refused") },
		{ "tempfail", N_("put off") }, { "quarantine", N_("held") }, { "discard", N_("discarded") } };

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (mg_str_eq(mg_str_z(words[i][0]), mg_str_z(action)))
			return _(words[i][1]);
	return action;
}

static enum mg_ink ink_of(const char *action)
{
	if (mg_str_eq(mg_str_z(action), MG_STR("accept")))
		return MG_INK_GOOD;
	return mg_str_eq(mg_str_z(action), MG_STR("reject")) ? MG_INK_BAD : MG_INK_WARN;
}

static const char *gap_sentence(const char *reason)
{
	static const char *const sentences[][2] = {
		{ "log-only", N_("known from the log alone: no door saw them") },
		{ "refused-early", N_("refused before the message came, so its checks were not made") },
		{ "iprev", N_("the client's name was not checked then") },
		{ "spf", N_("SPF was not checked then, or not kept in full") },
		{ "dkim", N_("DKIM was not checked then") },
		{ "arc", N_("ARC was not checked then") },
		{ "dmarc", N_("DMARC was not checked then, or not kept in full") },
		{ "dnsbl", N_("not all of these DNS lists were asked then") },
		{ "trusted_sealers", N_("whose ARC seals they carry is not in the record") },
		{ "relay.trusted", N_("perhaps trusted by relay.trusted alone") },
		{ "relay", N_("nobody looked for relaying then") },
	};

	for (size_t i = 0; i < sizeof sentences / sizeof sentences[0]; i++)
		if (mg_str_eq(mg_str_z(sentences[i][0]), mg_str_z(reason)))
			return _(sentences[i][1]);
	return reason;
}

static void show_sum(const struct mg_ctl *ctl, const json_t *document)
{
	char text[200], when[32];
	int64_t changed = mg_ctl_number(document, "changed"), drifted = mg_ctl_number(document, "already_different");

	mg_wall_text(when, sizeof when, mg_ctl_number(document, "since") * MG_S_US);
	snprintf(text, sizeof text,
		_("%" PRId64 " transactions since %s: %" PRId64 " verdicts would change, %" PRId64 " can't be told."),
		mg_ctl_number(document, "transactions"), when, changed, mg_ctl_number(document, "unknown"));
	mg_ctl_print(ctl, MG_INK_STRONG, 0, text);
	putchar('\n');
	if (drifted == 0)
		return;
	snprintf(text, sizeof text, _("%" PRId64 " verdicts differ already under the settings now in force."), drifted);
	mg_ctl_print(ctl, MG_INK_PLAIN, 0, text);
	putchar('\n');
}

static void show_names(const struct mg_ctl *ctl, const char *label, const json_t *names)
{
	struct mg_buf text;

	mg_buf_init(&text, 4096);
	for (size_t i = 0; i < json_array_size(names) && i < NAMES_SHOWN; i++) {
		const json_t *one = json_array_get(names, i);
		const char *name = mg_ctl_text(one, "name");

		mg_buf_addf(&text, "%s%s (%" PRId64 ")", i == 0 ? "" : ", ", name[0] == '\0' ? _("others") : name,
			mg_ctl_number(one, "count"));
	}
	if (json_array_size(names) > NAMES_SHOWN)
		mg_buf_addz(&text, ", ...");
	printf("%*s", INDENT, "");
	mg_ctl_paragraph(ctl, 0, label, mg_buf_z(&text));
	mg_buf_fini(&text);
}

/* Mail that looks wanted: what an administrator wants to know before he dares. */
static void show_looks(const struct mg_ctl *ctl, const json_t *group)
{
	static const char *const looks[][2] = {
		{ "delivered", N_("%1 were delivered") },
		{ "authenticated", N_("%1 came from senders who had logged in") },
		{ "trusted", N_("%1 came from trusted clients") },
		{ "passed", N_("%1 passed SPF, DKIM or DMARC") },
		{ "already", N_("%1 would change under the present settings too") },
	};

	for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++) {
		struct mg_buf text;
		char number[24];
		struct mg_say say = MG_SAY(looks[i][1], number);

		if (mg_ctl_number(group, looks[i][0]) == 0)
			continue;
		snprintf(number, sizeof number, "%" PRId64, mg_ctl_number(group, looks[i][0]));
		mg_buf_init(&text, MG_SAY_TEXT);
		mg_say_local(&text, &say);
		printf("%*s", INDENT, "");
		mg_ctl_print(
			ctl, i + 1 < sizeof looks / sizeof looks[0] ? MG_INK_WARN : MG_INK_PLAIN, 0, mg_buf_z(&text));
		putchar('\n');
		mg_buf_fini(&text);
	}
}

static void show_group(const struct mg_ctl *ctl, const json_t *group)
{
	const char *from = mg_ctl_text(group, "from"), *to = mg_ctl_text(group, "to");
	char text[48];

	snprintf(text, sizeof text, "%" PRId64 "  ", mg_ctl_number(group, "count"));
	putchar('\n');
	mg_ctl_print(ctl, MG_INK_STRONG, 0, text);
	mg_ctl_print(ctl, ink_of(from), 0, word_of(from));
	mg_ctl_print(ctl, MG_INK_PLAIN, 0, " -> ");
	mg_ctl_print(ctl, ink_of(to), 0, word_of(to));
	mg_ctl_print(ctl, MG_INK_PLAIN, 0, "  ");
	mg_ctl_print(ctl, MG_INK_PLAIN, 0, mg_ctl_text(group, "rule"));
	putchar('\n');
	if (mg_str_eq(mg_str_z(from), MG_STR("accept")))
		show_looks(ctl, group);
	show_names(ctl, _("senders: "), json_object_get(group, "domains"));
	show_names(ctl, _("clients: "), json_object_get(group, "clients"));
}

static void show_message(const struct mg_ctl *ctl, const json_t *message)
{
	char when[32];

	mg_wall_text(when, sizeof when, (int64_t)(json_number_value(json_object_get(message, "time")) * 1e6));
	mg_ctl_print(ctl, MG_INK_FAINT, 21, when);
	mg_ctl_print(ctl, ink_of(mg_ctl_text(message, "to")), 12, word_of(mg_ctl_text(message, "to")));
	mg_ctl_print(ctl, MG_INK_PLAIN, 18,
		mg_ctl_text(message, "queue_id")[0] == '\0' ? "-" : mg_ctl_text(message, "queue_id"));
	mg_ctl_print(ctl, MG_INK_PLAIN, 17, mg_ctl_text(message, "client"));
	mg_ctl_print(ctl, MG_INK_PLAIN, 0, " <");
	mg_ctl_print(ctl, MG_INK_PLAIN, 0, mg_ctl_text(message, "sender"));
	mg_ctl_print(ctl, MG_INK_PLAIN, 0, ">  ");
	mg_ctl_print(ctl, MG_INK_PLAIN, 0, mg_ctl_text(message, "rule"));
	putchar('\n');
}

static void show_messages(const struct mg_ctl *ctl, const json_t *document)
{
	const json_t *messages = json_object_get(document, "messages");
	size_t size = json_array_size(messages), from = size > MESSAGES_SHOWN ? size - MESSAGES_SHOWN : 0;

	if (size == 0)
		return;
	putchar('\n');
	mg_ctl_print(ctl, MG_INK_STRONG, 0, _("For example (all with --json):"));
	putchar('\n');
	for (size_t i = from; i < size; i++)
		show_message(ctl, json_array_get(messages, i));
}

static void show_unknown(const struct mg_ctl *ctl, const json_t *document)
{
	const json_t *reasons = json_object_get(document, "unknown_reasons");
	char number[32];

	if (json_array_size(reasons) == 0)
		return;
	putchar('\n');
	mg_ctl_print(ctl, MG_INK_STRONG, 0, _("What can't be told:"));
	putchar('\n');
	for (size_t i = 0; i < json_array_size(reasons); i++) {
		const json_t *reason = json_array_get(reasons, i);

		snprintf(number, sizeof number, "%*s%" PRId64 " ", INDENT, "", mg_ctl_number(reason, "count"));
		mg_ctl_paragraph(ctl, 12, number, gap_sentence(mg_ctl_text(reason, "reason")));
	}
}

static void show_notes(const struct mg_ctl *ctl, const json_t *document)
{
	const json_t *notes = json_object_get(document, "notes");
	struct mg_buf text;

	if (json_array_size(notes) > 0)
		putchar('\n');
	for (size_t i = 0; i < json_array_size(notes); i++) {
		mg_buf_init(&text, MG_SAY_TEXT);
		mg_say_local_json(&text, json_object_get(json_array_get(notes, i), "say"));
		mg_ctl_paragraph(ctl, 2, "- ", mg_buf_z(&text));
		mg_buf_fini(&text);
	}
}

void mg_whatif_show(const struct mg_ctl *ctl, const json_t *document)
{
	const json_t *changes = json_object_get(document, "changes");

	show_sum(ctl, document);
	for (size_t i = 0; i < json_array_size(changes); i++)
		show_group(ctl, json_array_get(changes, i));
	show_messages(ctl, document);
	show_unknown(ctl, document);
	show_notes(ctl, document);
}
