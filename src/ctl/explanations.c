/* Explanations as JSON and as lines, for explain and trace. */
#include "ctl/explanations.h"

#include "base/i18n.h"

static json_t *local_text(const struct mg_say *say)
{
	struct mg_buf text;
	json_t *json;

	mg_buf_init(&text, 4 * MG_SAY_TEXT);
	mg_say_local(&text, say);
	json = mg_json_text(mg_buf_str(&text));
	mg_buf_fini(&text);
	return json;
}

json_t *mg_ctl_explanation_json(const struct mg_explanation *explanation)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:s}", "code", explanation->code, "enhanced",
		explanation->enhanced, "permanence", mg_permanence_name(explanation->permanence), "actor",
		mg_actor_name(explanation->actor), "meaning", local_text(&explanation->meaning), "cause",
		local_text(&explanation->cause), "fix", local_text(&explanation->fix), "retry",
		local_text(&explanation->retry), "provider", explanation->provider, "check", explanation->check);
}

const char *mg_ctl_actor_text(enum mg_actor actor)
{
	static const char *const texts[MG_ACTORS] = { "", N_("we, the administrators of this server"),
		N_("the recipient's side"), N_("the provider"), N_("the person who writes"), N_("nobody") };

	return actor == MG_ACTOR_NONE ? "" : _(texts[actor]);
}

void mg_ctl_print_say(const struct mg_ctl *ctl, int indent, const char *label, const struct mg_say *say)
{
	struct mg_buf text;

	mg_buf_init(&text, 4 * MG_SAY_TEXT);
	mg_say_local(&text, say);
	if (text.n > 0)
		mg_ctl_paragraph(ctl, indent, label, mg_buf_z(&text));
	mg_buf_fini(&text);
}

static bool is_word(const char *text, struct mg_str word)
{
	return mg_str_eq(mg_str_z(text), word);
}

bool mg_ctl_explain_recipient(const json_t *recipient, struct mg_explanation *explanation_out)
{
	const char *delivery = mg_ctl_text(recipient, "delivery"), *verdict = mg_ctl_text(recipient, "verdict");
	const char *reply = mg_ctl_text(recipient, "reply"), *dsn = mg_ctl_text(recipient, "dsn");
	struct mg_buf text;
	bool is_explained;

	if (is_word(delivery, MG_STR("deferred")) || is_word(delivery, MG_STR("bounced")) ||
		is_word(delivery, MG_STR("expired")))
		return mg_explain_delivery(mg_str_z(reply), mg_str_z(dsn), mg_str_z(delivery),
			mg_str_z(mg_ctl_text(recipient, "relay")), explanation_out);
	if (!is_word(verdict, MG_STR("reject")) && !is_word(verdict, MG_STR("tempfail")))
		return false;
	mg_buf_init(&text, MG_EXPLAIN_TEXT);
	mg_buf_addf(&text, "reject: RCPT from client: %s %s %s", mg_ctl_text(recipient, "code"), dsn, reply);
	is_explained = mg_explain(mg_buf_str(&text), explanation_out);
	mg_buf_fini(&text);
	return is_explained;
}
