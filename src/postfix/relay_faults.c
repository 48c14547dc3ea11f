/* What makes an smtpd useless, open relay or not: it ends at every connection, or answers 451 to whoever comes to a word that it
 * can't use. `postfix check` sees nothing of this. */
#include "base/i18n.h"
#include "postfix/relay_report.h"

enum { NEAREST_MAX = 4 /* edits */, FIX_WORDS = 64, DEPTH_MAX = 16 };

/* ---- dead services ---- */

/* "-o name" without its "=value": smtpd ends. The name, or an empty slice. */
static struct mg_str broken_override(const struct mg_postfix_service *service)
{
	struct mg_str rest = mg_str_z(service->entry), word;

	for (size_t i = 0; i < 8; i++)
		if (!mg_read_word(&rest, " \t", &word))
			return MG_STR("");
	while (mg_read_word(&rest, " \t", &word)) {
		if (!mg_str_eq(word, MG_STR("-o")))
			continue;
		rest = mg_str_trim(rest);
		if (rest.n > 0 && rest.p[0] == '{') {
			(void)mg_str_cut(&rest, '}');
			continue;
		}
		if (mg_read_word(&rest, " \t", &word) && mg_str_find(word, '=') == SIZE_MAX)
			return word;
	}
	return MG_STR("");
}

/* 1 smtpd is content, 0 it ends, -1 that depends on its version: it compared with case once. */
static int insists(const struct mg_relay_model *model, bool *is_circle)
{
	const struct mg_relay_list *relay = model->stages[MG_STAGE_RELAY], *rcpt = model->stages[MG_STAGE_RECIPIENT];

	if (relay->is_doubtful || rcpt->is_doubtful || mg_relay_list_is_working(model->lists, rcpt, true, is_circle) ||
		mg_relay_list_is_working(model->lists, relay, true, is_circle))
		return 1;
	return mg_relay_list_is_working(model->lists, rcpt, false, is_circle) ||
			       mg_relay_list_is_working(model->lists, relay, false, is_circle)
		       ? -1
		       : 0;
}

static bool is_said(struct mg_relay_proof *proof, const struct mg_relay_model *model, const char *restriction,
	struct mg_say why, struct mg_say fix)
{
	mg_relay_report_add(proof, MG_RELAY_PATH_ADVICE, model->service, restriction, why, fix, MG_RELAY_TOPIC_DEAD);
	return true;
}

static bool is_dead(struct mg_relay_proof *proof, const struct mg_relay_model *model)
{
	struct mg_str broken = broken_override(model->service);
	const char *class = mg_relay_lists_undefined(model->lists), *name;
	bool is_circle = false;

	if (broken.n > 0) {
		name = mg_arena_text(&proof->scratch, broken, 200);
		return is_said(proof, model, name,
			MG_SAY(N_("\"-o %1\" in master.cf has no \"=value\" without spaces around: smtpd ends at every "
				  "connection"),
				name),
			MG_SAY(N_("in master.cf write -o %1=VALUE, with commas and without spaces"), name));
	}
	if (class != NULL)
		return is_said(proof, model, "smtpd_restriction_classes",
			MG_SAY(N_("the restriction class %1 has no definition: smtpd ends at every connection"), class),
			mg_relay_fix_parameter(proof, model->service, "smtpd_restriction_classes", NULL, 0));
	if (model->mynetworks.is_fatal)
		return is_said(proof, model, "mynetworks",
			MG_SAY(N_(
				"an IPv6 network in mynetworks stands without brackets: smtpd ends at every connection")),
			mg_relay_fix_networks(proof, model->service, &model->mynetworks));
	if (insists(model, &is_circle) != 0)
		return false;
	if (is_circle) {
		mg_relay_report_add(proof, MG_RELAY_PATH_UNKNOWN, model->service, "smtpd_restriction_classes",
			MG_SAY(N_("restriction classes name each other in a circle")),
			mg_relay_fix_parameter(proof, model->service, "smtpd_restriction_classes", NULL, 0), "");
		return true;
	}
	return is_said(proof, model, "smtpd_relay_restrictions",
		MG_SAY(N_("neither smtpd_relay_restrictions nor smtpd_recipient_restrictions holds a refusal that "
			  "counts: smtpd ends at every connection, and no mail comes in")),
		mg_relay_fix_list(proof, model->service));
}

/* ---- 451 ---- */

static void tell(struct mg_relay_proof *proof, const struct mg_relay_model *model, const char *restriction,
	struct mg_say why, struct mg_say fix)
{
	mg_relay_report_add(
		proof, MG_RELAY_PATH_ADVICE, model->service, restriction, why, fix, MG_RELAY_TOPIC_TEMPORARY);
}

/* The list as it should be: the word replaced by the one that was surely meant. */
static struct mg_say fix_word(struct mg_relay_proof *proof, const struct mg_relay_model *model,
	const struct mg_relay_list *list, const struct mg_relay_item *bad, const char *meant)
{
	const char *words[FIX_WORDS];
	size_t count = 0;

	for (size_t i = 0; i < list->count && count + 1 < FIX_WORDS; i++) {
		const struct mg_relay_item *item = &list->items[i];
		struct mg_buf word;

		mg_buf_init(&word, 1024);
		if (item == bad)
			mg_buf_addz(&word, meant);
		else
			mg_buf_add(&word, item->name);
		if (item->argument.n > 0)
			mg_buf_addf(&word, " %.*s", MG_STR_ARGS(item->argument));
		words[count++] = mg_arena_text(&proof->scratch, mg_buf_str(&word), 1024);
		mg_buf_fini(&word);
	}
	return mg_relay_fix_parameter(proof, model->service, list->name, words, count);
}

static void tell_word(struct mg_relay_proof *proof, const struct mg_relay_model *model,
	const struct mg_relay_list *list, const struct mg_relay_item *item)
{
	const char *name = mg_arena_text(&proof->scratch, item->name, 200);
	const char *where = mg_relay_report_restriction(proof, list, item), *meant;

	if (mg_relay_list_knows(item->name)) {
		tell(proof, model, where,
			MG_SAY(N_("%1 in %2 wants a table behind it: whoever comes to it is answered 451"), name,
				list->name),
			MG_SAY(N_("write the table behind %1: postconf %2"), name, list->name));
		return;
	}
	meant = mg_relay_list_nearest(item->name, NEAREST_MAX);
	tell(proof, model, where,
		MG_SAY(N_("%1 in %2 is no restriction of Postfix and no declared class: whoever comes to it is "
			  "answered 451"),
			name, list->name),
		meant == NULL ? MG_SAY(N_("correct the word %1; what stands there now: postconf %2"), name, list->name)
			      : fix_word(proof, model, list, item, meant));
}

static void tell_table(struct mg_relay_proof *proof, const struct mg_relay_model *model, const char *where,
	const struct mg_table *table)
{
	struct mg_str type = mg_str_z(table->name);
	bool is_indexed = mg_str_starts(type, MG_STR("hash:")) || mg_str_starts(type, MG_STR("btree:")) ||
			  mg_str_starts(type, MG_STR("lmdb:")) || mg_str_starts(type, MG_STR("cdb:"));

	tell(proof, model, where,
		MG_SAY(N_("Postfix can't open the table %1: whoever comes to it is answered 451"), table->name),
		is_indexed ? MG_SAY("postmap %1", table->name)
			   : MG_SAY(N_("make the table %1, or take it out of the list"), table->name));
}

static void look_at_list(
	struct mg_relay_proof *proof, const struct mg_relay_model *model, const struct mg_relay_list *list, int depth)
{
	for (size_t i = 0; list != NULL && depth < DEPTH_MAX && i < list->count; i++) {
		const struct mg_relay_item *item = &list->items[i];

		if (item->op == MG_RELAY_BAD)
			tell_word(proof, model, list, item);
		else if (item->table != NULL && item->table->kind == MG_TABLE_BROKEN)
			tell_table(proof, model, mg_relay_report_restriction(proof, list, item), item->table);
		else if (item->op == MG_RELAY_CLASS && item->class != list)
			look_at_list(proof, model, item->class, depth + 1);
	}
}

static void look_at_networks(struct mg_relay_proof *proof, const struct mg_relay_model *model)
{
	for (size_t i = 0; i < model->mynetworks.count; i++) {
		const struct mg_match_pattern *pattern = &model->mynetworks.patterns[i];
		const char *text = mg_arena_text(&proof->scratch, pattern->text, 200);

		if (pattern->kind == MG_MATCH_BAD)
			tell(proof, model, "mynetworks",
				MG_SAY(N_("Postfix can't read %1 in mynetworks: whoever comes to it is answered 451"),
					text),
				mg_relay_fix_networks(proof, model->service, &model->mynetworks));
		else if (pattern->kind == MG_MATCH_TABLE && pattern->table->kind == MG_TABLE_BROKEN)
			tell_table(proof, model, "mynetworks", pattern->table);
	}
}

bool mg_relay_tell_faults(struct mg_relay_proof *proof, const struct mg_relay_model *model)
{
	if (is_dead(proof, model))
		return true;
	for (size_t stage = 0; stage < MG_STAGES; stage++)
		look_at_list(proof, model, model->stages[stage], 0);
	look_at_networks(proof, model);
	return false;
}
