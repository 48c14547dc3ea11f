/* Whatever a record, the names behind it and a client say: an evaluation ends, within its bounds, and what it says is one
 * line of printable ASCII; whether answers come at once or late makes no difference. The input's lines are the client's
 * address, HELO, MAIL FROM, then records: question number N of a name not asked before is answered with one of them, chosen
 * by the name's hash, so that the same question always has the same answer. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/spf.h"
#include "base/clock.h"
#include "base/hash.h"

enum { LINES = 16, MEMORY = 1 << 20 };

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

static const struct mg_dns_answer *answer_with(struct mg_str line, enum mg_dns_type type, uint64_t choice)
{
	size_t count = type == MG_DNS_MX || type == MG_DNS_PTR ? choice % 13 + 1 : 1;
	struct mg_dns_answer *answer;
	char *text;

	answer = mg_dns_answer_new(MG_DNS_FOUND, count, line.n + 1, &text);
	if (answer == NULL)
		return mg_dns_answer_trouble(MG_DNS_TIMEOUT);
	if (line.n > 0)
		memcpy(text, line.p, line.n);
	for (size_t i = 0; i < count; i++) {
		answer->records[i].ip.family = type == MG_DNS_AAAA ? MG_IP_V6 : MG_IP_V4;
		if (line.n > 0)
			memcpy(answer->records[i].ip.bytes, line.p, line.n < 4 ? line.n : 4);
		answer->records[i].text = mg_str_of(text, line.n);
		if (type != MG_DNS_TXT && i < line.n)
			answer->records[i].text = mg_str_of(text + i, line.n - i < 253 ? line.n - i : 253);
	}
	return answer;
}

static const struct mg_dns_answer *answer_to(const struct world *world, const struct mg_dns_question *question)
{
	uint64_t choice = mg_hash_keyed(mg_str_of(question->name, question->length)) + question->type;

	if (world->count <= 3 || choice % 7 == 0)
		return mg_dns_answer_new(choice % 2 ? MG_DNS_NODATA : MG_DNS_NXDOMAIN, 0, 0, NULL);
	if (choice % 31 == 1)
		return mg_dns_answer_trouble(MG_DNS_SERVFAIL);
	return answer_with(world->lines[3 + choice / 64 % (world->count - 3)], question->type, choice / 4096);
}

static const struct mg_dns_answer *ask(void *context, const struct mg_dns_question *question, int64_t deadline_us,
	struct mg_lookup *lookup, unsigned slot, void **token_out)
{
	struct world *world = context;
	const struct mg_dns_answer *answer = answer_to(world, question);

	(void)deadline_us;
	(void)lookup;
	world->asked++;
	if (answer == NULL)
		answer = mg_dns_answer_trouble(MG_DNS_TIMEOUT);
	if (!world->is_slow)
		return answer;
	*token_out = world;
	world->waiting[world->waits++] = (struct waiting){ answer, slot };
	return NULL;
}

static void cancel(void *context, void *token)
{
	struct world *world = context;

	(void)token;
	while (world->waits > 0)
		mg_dns_answer_unref(&world->waiting[--world->waits].answer);
}

static void require(bool is_so)
{
	if (!is_so)
		abort();
}

static void is_line(const char *text, size_t max)
{
	require(strlen(text) < max);
	for (; *text != '\0'; text++)
		require(*text >= ' ' && *text <= '~');
}

static void check(const struct mg_spf_output *output, const struct world *world)
{
	require(output->result > MG_RESULT_UNSET && output->result < MG_RESULTS && output->result != MG_RESULT_POLICY);
	require(output->lookups <= 10 && world->asked <= MG_LOOKUP_QUESTIONS);
	require(output->voids <= 2 || (output->voids == 3 && output->result == MG_RESULT_PERMERROR));
	require(output->explanation[0] == '\0' || output->result == MG_RESULT_FAIL);
	is_line(output->domain, 254);
	is_line(output->mechanism, MG_SPF_MECHANISM);
	is_line(output->explanation, MG_SPF_EXPLANATION);
	is_line(output->reason, MG_REASON);
	require(output->reason[0] != '\0');
}

static struct mg_spf_output evaluate(struct world *world, const struct mg_spf_input *input, struct mg_arena *arena)
{
	struct mg_lookup_source source = { world, ask, cancel };
	struct mg_lookup_options options = {
		.source = &source, .questions_max = MG_LOOKUP_QUESTIONS, .deadline_us = mg_mono_us() + 3600 * MG_S_US
	};
	struct mg_lookup *lookup = mg_lookup_new(&options);
	struct mg_spf *spf = mg_spf_new(arena, input);
	struct mg_spf_output output;

	require(lookup != NULL && spf != NULL);
	world->asked = 0;
	while (mg_spf_step(spf, lookup) == MG_STEP_WAIT) {
		require(world->waits > 0);
		world->waits--;
		mg_lookup_answer(lookup, world->waiting[world->waits].slot, world->waiting[world->waits].answer);
	}
	output = *mg_spf_output(spf);
	mg_lookup_free(&lookup);
	check(&output, world);
	return output;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world world = { 0 };
	struct mg_str rest = mg_str_of(data, size < MG_DNS_TEXT_MAX ? size : MG_DNS_TEXT_MAX);
	struct mg_spf_input input = { .receiver = MG_STR("mx.example"), .now_s = 1, .wants_explanation = true };
	struct mg_spf_output fast, slow;
	struct mg_arena arena;

	while (rest.n > 0 && world.count < LINES)
		world.lines[world.count++] = mg_str_cut(&rest, '\n');
	if (!mg_ip_parse(world.lines[0], &input.ip))
		mg_ip_parse(MG_STR("192.0.2.1"), &input.ip);
	input.helo = world.lines[1];
	input.mail_from = world.lines[2];
	mg_arena_init(&arena, MEMORY);
	fast = evaluate(&world, &input, &arena);
	world.is_slow = true;
	slow = evaluate(&world, &input, &arena);
	require(fast.result == slow.result && fast.lookups == slow.lookups && fast.voids == slow.voids);
	require(strcmp(fast.reason, slow.reason) == 0 && strcmp(fast.explanation, slow.explanation) == 0);
	mg_arena_fini(&arena);
	return 0;
}
