#include "health/sasl_answer.h"

#include <stdio.h>

static bool is_name(struct mg_str text)
{
	for (size_t i = 0; i < text.n; i++)
		if (!((text.p[i] >= 'A' && text.p[i] <= 'Z') || (text.p[i] >= '0' && text.p[i] <= '9') ||
			    text.p[i] == '-' || text.p[i] == '_'))
			return false;
	return text.n > 0 && text.n <= 20; /* RFC 4422 section 3.1 */
}

static void add(struct mg_sasl_answer *answer, struct mg_str name)
{
	size_t held = strlen(answer->mechanisms);

	if (held + name.n + 2 > sizeof answer->mechanisms)
		return;
	snprintf(answer->mechanisms + held, sizeof answer->mechanisms - held, "%s%.*s", held == 0 ? "" : " ",
		MG_STR_ARGS(name));
	answer->has_anonymous = answer->has_anonymous || mg_str_eq(name, MG_STR("ANONYMOUS"));
}

void mg_sasl_answer_read(struct mg_str line, struct mg_sasl_answer *answer)
{
	struct mg_str word = mg_str_cut(&line, '\t');

	if (answer->is_nonsense || answer->is_done)
		return;
	if (mg_str_eq(word, MG_STR("VERSION"))) {
		answer->has_version = mg_str_eq(mg_str_cut(&line, '\t'), MG_STR("1"));
		answer->is_nonsense = !answer->has_version;
	} else if (!answer->has_version) {
		answer->is_nonsense = true;
	} else if (mg_str_eq(word, MG_STR("MECH"))) {
		word = mg_str_cut(&line, '\t');
		if (is_name(word))
			add(answer, word);
	} else if (mg_str_eq(word, MG_STR("DONE"))) {
		answer->is_done = true;
	}
}
