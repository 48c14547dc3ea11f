/* Addresses are rewritten after the relay test. A pattern that makes the new domain out of the old address lets a stranger
 * choose it: victim=foreign.example@ours becomes victim@foreign.example, and no restriction ever sees that. */
#include "base/i18n.h"
#include "postfix/relay_report.h"
#include "postfix/relay_rules.h"
#include "postfix/relay_samples.h"

enum { FORMS_TEXT = 512, OWN_MAX = 32 };

#define FOREIGN MG_RELAY_PROBE ".com"

static const char *const parameters[] = { "virtual_alias_maps", "canonical_maps", "recipient_canonical_maps" };

/* How old encodings write an address within an address: what stands between user and domain. */
static const char *const joints[] = { "=", "#", "_", "-", "+", "%", "!", "/", "|", "~", "^", ".at.", "--", "_at_",
	"-at-", "=at=", ".", ":", "*", "&", "'" };

struct rewriting {
	struct mg_relay_proof *proof;
	const char *parameter;
	const char *table;
	struct mg_str own[OWN_MAX];
	size_t own_count;
	bool is_found;
};

static void find_own(struct rewriting *rewriting)
{
	const struct mg_relay_destination *destination = &rewriting->proof->destination;
	const struct mg_match_list *lists[] = { &destination->local, &destination->alias, &destination->mailbox,
		&destination->relay };

	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
		for (size_t j = 0; j < lists[i]->count && rewriting->own_count < OWN_MAX; j++)
			if (lists[i]->patterns[j].kind == MG_MATCH_NAME && !lists[i]->patterns[j].is_negated)
				rewriting->own[rewriting->own_count++] = lists[i]->patterns[j].text;
}

/* Whether one of the addresses lies in the domain that the stranger chose. */
static bool leads_away(struct mg_str addresses)
{
	struct mg_str one;

	while (mg_read_word(&addresses, ", \t", &one))
		if (mg_str_ends_nocase(one, MG_STR("@" FOREIGN)))
			return true;
	return false;
}

static void tell(struct rewriting *rewriting, enum mg_relay_path_kind kind, struct mg_say why)
{
	struct mg_buf restriction;

	mg_buf_init(&restriction, FORMS_TEXT * 2);
	mg_buf_addf(&restriction, "%s: %s", rewriting->parameter, rewriting->table);
	mg_relay_report_add(rewriting->proof, kind, NULL, mg_buf_z(&restriction), why,
		MG_SAY(N_("in %1 write the domain on the right side out, instead of taking it from the pattern"),
			rewriting->table),
		"");
	mg_buf_fini(&restriction);
	rewriting->is_found = true;
}

/* Asks the whole table for the forms; the first that leads away is told. */
static void try_forms(struct rewriting *rewriting, struct mg_table *table)
{
	struct mg_str value;
	struct mg_buf form;

	mg_buf_init(&form, FORMS_TEXT);
	for (size_t i = 0; i < rewriting->own_count && !rewriting->is_found; i++)
		for (size_t j = 0; j < sizeof joints / sizeof joints[0] && !rewriting->is_found; j++) {
			mg_buf_reset(&form);
			mg_buf_addf(&form, "victim%s" FOREIGN "@%.*s", joints[j], MG_STR_ARGS(rewriting->own[i]));
			if (mg_table_find(rewriting->proof->tables, table, mg_buf_str(&form), &value) ==
					MG_TABLE_FOUND &&
				leads_away(value))
				tell(rewriting, MG_RELAY_PATH_OPEN,
					MG_SAY(N_("%1 turns <%2>, which is accepted as ours, into an address in a domain "
						  "that the sender chose"),
						table->name, mg_buf_z(&form)));
		}
	mg_buf_fini(&form);
}

/* Whether the new domain ends in what a group caught: "$1@$2", not "$1@$2.example.com". */
static bool takes_domain(struct mg_str value)
{
	size_t at = mg_str_rfind(value, '@'), dollar = mg_str_rfind(value, '$');
	struct mg_str tail;

	if (at == SIZE_MAX || dollar == SIZE_MAX || dollar < at || !mg_table_rule_has_groups(mg_str_from(value, at)))
		return false;
	tail = mg_str_from(value, dollar);
	return mg_str_find(tail, '.') == SIZE_MAX;
}

struct sampling {
	struct rewriting *rewriting;
	struct mg_table *table;
	const struct mg_table_rule *rule;
	bool is_met, is_kept; /* a sample fits; it stays in the domain it was in */
};

static void take_sample(void *context, struct mg_str sample, bool is_doubtful)
{
	struct sampling *sampling = context;
	struct mg_str groups[MG_PATTERN_GROUPS], result, domain = mg_str_from(sample, mg_str_rfind(sample, '@'));
	struct mg_buf filled;

	(void)is_doubtful;
	if (!mg_relay_pattern_match(sampling->rule->pattern, sample, groups))
		return;
	mg_buf_init(&filled, FORMS_TEXT * 8);
	mg_table_rule_fill(sampling->rule->value, groups, &filled);
	result = mg_str_trim(mg_buf_str(&filled));
	sampling->is_met = true;
	sampling->is_kept = domain.n > 0 && mg_str_ends_nocase(result, domain);
	mg_buf_fini(&filled);
}

/* A rule that no form met: it can't be told what it makes. */
static void take_rule(void *context, const struct mg_table *table, const struct mg_table_rule *rule)
{
	struct sampling sampling = { .rewriting = context, .rule = rule };

	if (table->kind != MG_TABLE_PATTERNED || rule->is_if || rule->is_negated || sampling.rewriting->is_found ||
		!takes_domain(rule->value))
		return;
	mg_relay_samples(rule, MG_SAMPLE_MAIL, take_sample, &sampling);
	if (sampling.is_met && sampling.is_kept)
		return;
	tell(sampling.rewriting, MG_RELAY_PATH_UNKNOWN,
		MG_SAY(N_("into which domains the rule %1 of %2 rewrites can't be told"), rule->key.p, table->name));
}

static void prove_table(struct rewriting *rewriting, struct mg_table *table)
{
	struct mg_str value;
	bool is_socket = table->is_pattern && table->kind == MG_TABLE_ASKABLE;

	rewriting->table = table->name;
	rewriting->is_found = false;
	if (table->kind == MG_TABLE_KEYED || table->kind == MG_TABLE_BROKEN || table->kind == MG_TABLE_STATIC)
		return; /* what is on its right side is written out */
	if (table->kind == MG_TABLE_ASKABLE && !is_socket)
		return;
	if (is_socket && mg_table_find(rewriting->proof->tables, table, MG_STR("victim=" FOREIGN "@localhost"),
				 &value) == MG_TABLE_UNKNOWN) {
		tell(rewriting, MG_RELAY_PATH_UNKNOWN,
			MG_SAY(N_("into which domains %1 rewrites can't be told: it does not answer"), table->name));
		return;
	}
	try_forms(rewriting, table);
	mg_table_each_rule(table, take_rule, rewriting);
}

void mg_relay_prove_rewriting(struct mg_relay_proof *proof)
{
	struct rewriting rewriting = { .proof = proof };
	struct mg_relay_maps maps;

	find_own(&rewriting);
	for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++) {
		rewriting.parameter = parameters[i];
		mg_relay_maps_load(&maps, proof->tables, proof->postfix, NULL, parameters[i]);
		for (size_t j = 0; j < maps.count; j++)
			prove_table(&rewriting, maps.tables[j]);
	}
}
