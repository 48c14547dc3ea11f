/* DMARC over a zone made of the input: its first line is the value of From, its second the identifiers' domains, each with a
 * digit in front that says what it is; the rest are records, of which the name asked for chooses one by its hash. It ends,
 * asks at most what one message may, and says the same whether answers come at once or one by one, and whatever the order of
 * the identifiers. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/dmarc.h"
#include "base/clock.h"
#include "base/hash.h"

enum { LINES = 16, IDENTIFIERS = 8, MEMORY = 1 << 18 };

struct world {
	struct mg_str lines[LINES];
	size_t count;
	unsigned asked;
	bool is_slow;
	struct waiting {
		const struct mg_dns_answer *answer;
		unsigned slot;
	} waiting[MG_LOOKUP_QUESTIONS];
	size_t waits;
};

static const struct mg_dns_answer *answer_to(const struct world *world, const struct mg_dns_question *question)
{
	uint64_t choice = mg_hash_keyed(mg_str_of(question->name, question->length));
	struct mg_str line = world->count == 0 ? MG_STR("") : world->lines[choice / 64 % world->count];
	struct mg_dns_answer *answer;
	char *text;

	if (choice % 8 == 0)
		return mg_dns_answer_new(choice % 16 == 0 ? MG_DNS_NODATA : MG_DNS_NXDOMAIN, 0, 0, NULL);
	if (choice % 32 == 1)
		return mg_dns_answer_trouble(MG_DNS_SERVFAIL);
	answer = mg_dns_answer_new(MG_DNS_FOUND, 1, line.n + 1, &text);
	if (answer == NULL)
		return mg_dns_answer_trouble(MG_DNS_TIMEOUT);
	if (line.n > 0)
		memcpy(text, line.p, line.n);
	answer->records[0].text = mg_str_of(text, line.n);
	return answer;
}

static const struct mg_dns_answer *ask(void *context, const struct mg_dns_question *question, int64_t deadline_us,
	struct mg_lookup *lookup, unsigned slot, void **token_out)
{
	struct world *world = context;
	const struct mg_dns_answer *answer = answer_to(world, question);

	(void)deadline_us, (void)lookup;
	world->asked++;
	if (!world->is_slow)
		return answer;
	*token_out = world;
	world->waiting[world->waits++] = (struct waiting){ answer, slot };
	return NULL;
}

static void cancel(void *context, void *token)
{
	(void)context, (void)token;
}

static bool deliver(struct world *world, struct mg_lookup *lookup)
{
	if (world->waits == 0)
		return false;
	world->waits--;
	mg_lookup_answer(lookup, world->waiting[world->waits].slot, world->waiting[world->waits].answer);
	return true;
}

struct outcome {
	struct mg_dmarc_output output;
	char domain[MG_DOMAIN_TEXT], policy_domain[MG_DOMAIN_TEXT];
};

static void run(struct world *world, const struct mg_author *author, const struct mg_dmarc_identifier *identifiers,
	size_t count, struct outcome *out)
{
	const struct mg_lookup_source source = { world, ask, cancel };
	const struct mg_lookup_options options = {
		.source = &source, .questions_max = MG_LOOKUP_QUESTIONS, .deadline_us = mg_mono_us() + 3600 * MG_S_US
	};
	struct mg_lookup *lookup = mg_lookup_new(&options);
	struct mg_dmarc *dmarc;
	struct mg_arena arena;

	mg_arena_init(&arena, MEMORY);
	dmarc = mg_dmarc_new(&arena, author);
	if (lookup == NULL || dmarc == NULL)
		abort();
	world->asked = 0;
	mg_dmarc_prefetch(dmarc, lookup);
	while (mg_dmarc_step(dmarc, lookup, identifiers, count) == MG_STEP_WAIT)
		if (!deliver(world, lookup))
			abort();
	while (deliver(world, lookup))
		;
	out->output = *mg_dmarc_output(dmarc);
	mg_str_copy(out->domain, sizeof out->domain, mg_str_z(out->output.domain));
	mg_str_copy(out->policy_domain, sizeof out->policy_domain, mg_str_z(out->output.policy_domain));
	if (world->asked > MG_LOOKUP_QUESTIONS || out->output.result == MG_RESULT_UNSET ||
		out->output.reason[0] == '\0' ||
		(author->state != MG_AUTHOR_SOUND && out->output.result != MG_RESULT_PERMERROR) ||
		(out->output.result == MG_RESULT_PASS &&
			(out->output.disposition != MG_DISPOSITION_NONE ||
				!(out->output.aligned_spf || out->output.aligned_dkim))) ||
		(out->output.result == MG_RESULT_TEMPERROR && out->output.disposition != MG_DISPOSITION_NONE))
		abort();
	mg_lookup_free(&lookup);
	mg_arena_fini(&arena);
}

static bool is_same(const struct outcome *a, const struct outcome *b)
{
	return a->output.result == b->output.result && a->output.disposition == b->output.disposition &&
	       a->output.policy == b->output.policy && a->output.aligned_spf == b->output.aligned_spf &&
	       a->output.aligned_dkim == b->output.aligned_dkim && strcmp(a->domain, b->domain) == 0 &&
	       strcmp(a->policy_domain, b->policy_domain) == 0;
}

static size_t read_identifiers(struct mg_str line, char names[IDENTIFIERS][MG_DOMAIN_TEXT],
	struct mg_dmarc_identifier identifiers[IDENTIFIERS])
{
	size_t count = 0;
	struct mg_str word;

	while (count < IDENTIFIERS && mg_read_word(&line, " ", &word)) {
		unsigned what = (unsigned char)word.p[0];

		if (!mg_domain_ascii(mg_str_from(word, 1), names[count]))
			continue;
		identifiers[count] = (struct mg_dmarc_identifier){ names[count], what % 2 == 0,
			what / 2 % 4 == 3   ? MG_RESULT_FAIL
			: what / 2 % 4 == 2 ? MG_RESULT_TEMPERROR
					    : MG_RESULT_PASS };
		count++;
	}
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mg_dmarc_identifier identifiers[IDENTIFIERS], turned[IDENTIFIERS];
	struct mg_str rest = mg_str_of(data, size), from = mg_str_cut(&rest, '\n'), ids = mg_str_cut(&rest, '\n');
	char names[IDENTIFIERS][MG_DOMAIN_TEXT];
	size_t count = read_identifiers(ids, names, identifiers);
	struct outcome fast, slow, other;
	struct mg_author author = { 0 };
	struct world world = { 0 };

	mg_author_field(&author, from);
	while (rest.n > 0 && world.count < LINES)
		world.lines[world.count++] = mg_str_cut(&rest, '\n');
	for (size_t i = 0; i < count; i++)
		turned[i] = identifiers[count - 1 - i];
	run(&world, &author, identifiers, count, &fast);
	run(&world, &author, turned, count, &other);
	world.is_slow = true;
	run(&world, &author, identifiers, count, &slow);
	/* where the questions are used up, the order may make a difference */
	if (world.asked < MG_LOOKUP_QUESTIONS && (!is_same(&fast, &slow) || !is_same(&fast, &other)))
		abort();
	return 0;
}
