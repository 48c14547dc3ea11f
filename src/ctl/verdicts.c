#include "ctl/verdicts.h"

#include <stdio.h>

#include "base/i18n.h"

void mg_ctl_print_verdict(const struct mg_ctl *ctl, const json_t *verdict, int width)
{
	static const struct {
		const char *action, *word;
		enum mg_ink ink;
	} words[] = {
		{ "accept", N_("accepted"), MG_INK_GOOD },
		{ "reject", N_("refused"), MG_INK_BAD },
		{ "tempfail", N_("put off"), MG_INK_WARN },
		{ "quarantine", N_("held"), MG_INK_WARN },
		{ "discard", N_("discarded"), MG_INK_WARN },
		{ "observe", N_("observed"), MG_INK_PLAIN },
	};
	const char *action = mg_ctl_text(verdict, "action");

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (mg_str_eq(mg_str_z(words[i].action), mg_str_z(action))) {
			mg_ctl_print(ctl, words[i].ink, width, _(words[i].word));
			return;
		}
	mg_ctl_print(ctl, MG_INK_PLAIN, width, action);
}

void mg_ctl_print_delivery(const struct mg_ctl *ctl, const json_t *recipients)
{
	static const struct {
		const char *delivery, *all, *some;
		enum mg_ink ink;
	} words[] = {
		{ "bounced", N_(", bounced"), N_(", %zu of %zu bounced"), MG_INK_BAD },
		{ "expired", N_(", expired"), N_(", %zu of %zu expired"), MG_INK_BAD },
		{ "deferred", N_(", deferred"), N_(", %zu of %zu deferred"), MG_INK_WARN },
		{ "held", N_(", on hold"), N_(", %zu of %zu on hold"), MG_INK_WARN },
		{ "sent", N_(", delivered"), N_(", %zu of %zu delivered"), MG_INK_GOOD },
	};
	size_t total = json_array_size(recipients), i;
	json_t *recipient;

	for (size_t word = 0; word < sizeof words / sizeof words[0]; word++) {
		size_t count = 0;
		char text[96];

		json_array_foreach((json_t *)recipients, i, recipient) count +=
			mg_str_eq(mg_str_z(mg_ctl_text(recipient, "delivery")), mg_str_z(words[word].delivery));
		if (count == 0)
			continue;
		if (count == total)
			snprintf(text, sizeof text, "%s", _(words[word].all));
		else
			snprintf(text, sizeof text, _(words[word].some), count, total);
		mg_ctl_print(ctl, words[word].ink, 0, text);
	}
}
