#include "engine/replay_words.h"

/* What a recorded word of a guard comes to under these settings; false: nothing. Limits are spent anew. */
static bool word_of_guard(
	const struct mg_hearing *hearing, enum mg_action action, struct mg_str rule, enum mg_action *action_out)
{
	const struct mg_conf *conf = hearing->conf;

	*action_out = action;
	if (mg_str_eq(rule, MG_STR("relay:stranger")))
		return conf->relay.action == MG_RELAY_ACTION_REJECT && !hearing->is_newly_trusted;
	if (mg_str_eq(rule, MG_STR("abuse:account"))) {
		*action_out = conf->abuse.action == MG_ABUSE_HOLD ? MG_ACTION_QUARANTINE : MG_ACTION_TEMPFAIL;
		return conf->abuse.action == MG_ABUSE_HOLD || conf->abuse.action == MG_ABUSE_TEMPFAIL;
	}
	if (mg_str_eq(rule, MG_STR("greylist")))
		return conf->greylist.enabled;
	return mg_str_starts(rule, MG_STR("ban:"));
}

/* In the order in which the gate asks. */
static int place_of(struct mg_str rule)
{
	return mg_str_starts(rule, MG_STR("ban:"))    ? 0
	       : mg_str_starts(rule, MG_STR("relay")) ? 1
	       : mg_str_eq(rule, MG_STR("greylist"))  ? 2
						      : 3;
}

void mg_hear(const struct mg_hearing *hearing, struct mg_heard *words, enum mg_action said, struct mg_str rule,
	const char *code, const char *dsn, const char *text)
{
	enum mg_action action;
	struct mg_judgement judgement;

	if (!word_of_guard(hearing, said, rule, &action))
		return;
	judgement = (struct mg_judgement){ action, action == MG_ACTION_TEMPFAIL ? "451" : code, dsn, text,
		mg_record_text(hearing->record, rule) };
	if (mg_gravity(action) > mg_gravity(MG_ACTION_QUARANTINE) && !hearing->is_soft) {
		if (words->refusal.action == MG_ACTION_ACCEPT || place_of(rule) < words->place)
			words->refusal = judgement;
		words->place = place_of(mg_str_z(words->refusal.rule));
	} else if (mg_gravity(action) > mg_gravity(words->hold.action)) {
		words->hold = judgement;
	}
}

struct mg_heard mg_hear_list(const struct mg_hearing *hearing, const char *asked)
{
	static const struct mg_judgement nothing = { MG_ACTION_ACCEPT, "", "", "", "" };
	struct mg_heard words = { nothing, nothing, 9 };
	struct mg_str rest = mg_str_z(asked), rule;
	enum mg_action action;

	while (mg_read_asked(&rest, &action, &rule))
		mg_hear(hearing, &words, action, rule, "550", "5.7.1", "");
	return words;
}
