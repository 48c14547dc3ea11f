#include "auth/arc_set.h"

#include "base/i18n.h"

/* ARC-Authentication-Results: "i=" instance ";" before all else (section 4.1.1). */
static bool read_results_instance(struct mg_str value, unsigned *instance_out)
{
	uint64_t instance;

	value = mg_str_trim(value);
	if (!mg_read_token(&value, MG_STR("i")))
		return false;
	value = mg_str_trim(value);
	if (!mg_read_token(&value, MG_STR("=")))
		return false;
	value = mg_str_trim(value);
	if (!mg_read_u64(&value, MG_ARC_INSTANCES, &instance) || instance == 0)
		return false;
	*instance_out = (unsigned)instance;
	return mg_str_starts(mg_str_trim(value), MG_STR(";"));
}

static const struct mg_signature *wrong(struct mg_arc_sets *sets, const char *what)
{
	if (sets->wrong == NULL)
		sets->wrong = what;
	return NULL;
}

static struct mg_arc_set *set_of(struct mg_arc_sets *sets, unsigned instance)
{
	if (instance > sets->count)
		sets->count = instance;
	return &sets->set[instance - 1];
}

static const struct mg_signature *add_results(struct mg_arc_sets *sets, struct mg_str value, size_t field)
{
	struct mg_arc_set *set;
	unsigned instance;

	if (!read_results_instance(value, &instance))
		return wrong(sets, N_("ARC-Authentication-Results without an instance from 1 to 50"));
	set = set_of(sets, instance);
	if (set->has_results)
		return wrong(sets, N_("two ARC-Authentication-Results of one instance"));
	set->has_results = true;
	set->results = value;
	set->results_field = field;
	return NULL;
}

static const struct mg_signature *add_signature(struct mg_arc_sets *sets, struct mg_arc_signature *signature)
{
	bool is_seal = signature->parsed.kind == MG_SIGNATURE_SEAL;
	struct mg_arc_set *set;
	struct mg_arc_signature **place;

	if (signature->parsed.instance == 0)
		return wrong(sets, signature->parsed.reason);
	set = set_of(sets, signature->parsed.instance);
	place = is_seal ? &set->seal : &set->message;
	if (*place != NULL)
		return wrong(sets, is_seal ? N_("two ARC-Seals of one instance")
					   : N_("two ARC-Message-Signatures of one instance"));
	*place = signature;
	return signature->parsed.result == MG_RESULT_UNSET ? &signature->parsed : NULL;
}

const struct mg_signature *mg_arc_sets_add(
	struct mg_arc_sets *sets, struct mg_arena *arena, const struct mg_fields *fields, size_t field, int64_t now_s)
{
	const struct mg_field *from = &fields->field[field];
	struct mg_str name = mg_str_trim(from->name);
	bool is_seal = mg_str_eq_nocase(name, MG_STR("ARC-Seal"));
	bool is_results = mg_str_eq_nocase(name, MG_STR("ARC-Authentication-Results"));
	struct mg_arc_signature *signature;

	if (!is_seal && !is_results && !mg_str_eq_nocase(name, MG_STR("ARC-Message-Signature")))
		return NULL;
	sets->has_any = true;
	if (sets->wrong != NULL)
		return NULL;
	if (is_results)
		return add_results(sets, from->value, field);
	if ((signature = mg_arena_take(arena, sizeof *signature)) == NULL) {
		sets->is_short = true;
		return NULL;
	}
	signature->field = field;
	mg_signature_parse(
		&signature->parsed, arena, is_seal ? MG_SIGNATURE_SEAL : MG_SIGNATURE_AMS, from->value, now_s);
	sets->is_short |= signature->parsed.result == MG_RESULT_TEMPERROR;
	return add_signature(sets, signature);
}

/* What is wrong with one set by itself. An expired or unreadable older message signature breaks nothing (step 5). */
static const char *fault_of(const struct mg_arc_sets *sets, unsigned instance)
{
	const struct mg_arc_set *set = &sets->set[instance - 1];

	if (!set->has_results)
		return N_("an ARC-Authentication-Results is missing");
	if (set->message == NULL)
		return N_("an ARC-Message-Signature is missing");
	if (set->seal == NULL)
		return N_("an ARC-Seal is missing");
	if (set->message->parsed.result == MG_RESULT_PERMERROR)
		return set->message->parsed.reason;
	if (set->seal->parsed.result != MG_RESULT_UNSET)
		return set->seal->parsed.reason;
	if (set->seal->parsed.cv == MG_CV_FAIL)
		return N_("a seal says that the chain was broken (cv=fail)");
	if ((set->seal->parsed.cv == MG_CV_NONE) != (instance == 1))
		return N_("cv= must be none in the first seal and pass in the others");
	return NULL;
}

bool mg_arc_sets_check(struct mg_arc_sets *sets)
{
	for (unsigned instance = sets->count; instance >= 1 && sets->wrong == NULL; instance--)
		sets->wrong = fault_of(sets, instance);
	return sets->wrong == NULL;
}
