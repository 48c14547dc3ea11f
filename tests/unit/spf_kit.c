#include "spf_kit.h"

enum { MEMORY = 256 * 1024, TERMS = 10, VOIDS = 2 };

static bool is_line(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return true;
}

static bool run_once(struct spf_run *run, struct zone *zone, const struct mg_spf_input *input)
{
	struct mg_lookup *lookup = zone_lookup(zone);
	struct mg_spf *spf;

	zone->asked = 0;
	mg_arena_init(&run->arena, MEMORY);
	spf = mg_spf_new(&run->arena, input);
	if (spf == NULL)
		return false;
	while (mg_spf_step(spf, lookup) == MG_STEP_WAIT)
		if (!zone_deliver(zone))
			return false;
	run->output = *mg_spf_output(spf);
	run->asked = zone->asked;
	mg_lookup_free(&lookup);
	return true;
}

static const char *broken_promise(const struct spf_run *run)
{
	const struct mg_spf_output *output = &run->output;

	if (output->lookups > TERMS)
		return "more than 10 terms";
	if (output->voids > VOIDS + 1 || (output->voids > VOIDS && output->result != MG_RESULT_PERMERROR))
		return "more than 2 voids";
	if (run->asked > MG_LOOKUP_QUESTIONS)
		return "more than 60 questions";
	if (!is_line(output->domain) || !is_line(output->mechanism) || !is_line(output->explanation))
		return "odd bytes in the output";
	if (output->reason[0] == '\0' || !is_line(output->reason) || strlen(output->reason) >= MG_REASON)
		return "no decent reason";
	if (strlen(output->explanation) >= MG_SPF_EXPLANATION)
		return "a long explanation";
	if (output->explanation[0] != '\0' && output->result != MG_RESULT_FAIL)
		return "an explanation without fail";
	if (output->result == MG_RESULT_UNSET || output->result == MG_RESULT_POLICY)
		return "no result of SPF";
	return NULL;
}

static bool is_same(const struct mg_spf_output *a, const struct mg_spf_output *b)
{
	return a->result == b->result && a->scope == b->scope && a->lookups == b->lookups && a->voids == b->voids &&
	       strcmp(a->domain, b->domain) == 0 && strcmp(a->mechanism, b->mechanism) == 0 &&
	       strcmp(a->explanation, b->explanation) == 0 && strcmp(a->reason, b->reason) == 0;
}

const char *spf_run_begin(struct spf_run *run, struct zone *zone, const struct mg_spf_input *input)
{
	struct spf_run slow;
	const char *broken;

	zone->is_slow = false;
	if (!run_once(run, zone, input))
		return "it waits for nothing";
	broken = broken_promise(run);
	zone->is_slow = true;
	if (!run_once(&slow, zone, input))
		broken = "slowly, it waits for nothing";
	else if (broken == NULL && !is_same(&run->output, &slow.output))
		broken = "slowly, it comes to something else";
	spf_run_end(&slow);
	zone->is_slow = false;
	return broken;
}

void spf_run_end(struct spf_run *run)
{
	mg_arena_fini(&run->arena);
}
