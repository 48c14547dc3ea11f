/* DKIM over whatever message: header fields, a blank line, the body in odd pieces. The first line of the input is what DNS
 * says of every key, the first byte behind it how the body is cut. Nothing breaks, and it comes to an end with a result. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/dkim.h"
#include "base/clock.h"

struct world {
	struct mg_str record; /* of every name */
};

static const struct mg_dns_answer *ask(void *context, const struct mg_dns_question *question, int64_t deadline_us,
	struct mg_lookup *lookup, unsigned slot, void **token_out)
{
	const struct world *world = context;
	char *text;
	struct mg_dns_answer *answer = mg_dns_answer_new(MG_DNS_FOUND, 2, 2 * world->record.n, &text);

	(void)question, (void)deadline_us, (void)lookup, (void)slot, (void)token_out;
	if (answer == NULL)
		abort();
	for (size_t i = 0; i < 2; i++) {
		if (world->record.n > 0)
			memcpy(text + i * world->record.n, world->record.p, world->record.n);
		answer->records[i].text = mg_str_of(text + i * world->record.n, world->record.n);
	}
	return answer;
}

static void cancel(void *context, void *token)
{
	(void)context, (void)token;
}

/* The next field: a line "name:value"; a line that begins with a blank belongs to the one before. */
static bool next_field(struct mg_str *rest, struct mg_str *name, struct mg_str *value)
{
	size_t end = 0, colon;

	if (rest->n == 0 || rest->p[0] == '\n')
		return false;
	do {
		size_t line = mg_str_find(mg_str_from(*rest, end), '\n');

		end = line == SIZE_MAX ? rest->n : end + line + 1;
	} while (end < rest->n && (rest->p[end] == ' ' || rest->p[end] == '\t'));
	colon = mg_str_find(mg_str_first(*rest, end), ':');
	*name = mg_str_first(*rest, colon < end ? colon : end);
	*value = colon < end ? mg_str_of(rest->p + colon + 1, end - colon - 1) : MG_STR("");
	if (mg_str_ends(*value, MG_STR("\n")))
		value->n--;
	*rest = mg_str_from(*rest, end);
	return true;
}

static void add_body(struct mg_body_hashes *hashes, struct mg_str body, size_t step)
{
	for (step = step == 0 ? 1 : step; body.n > 0; body = mg_str_from(body, step))
		mg_body_hashes_add(hashes, mg_str_first(body, step));
	mg_body_hashes_end(hashes);
}

static void check(const struct mg_dkim *dkim)
{
	size_t count;
	const struct mg_dkim_signature *told = mg_dkim_signatures(dkim, &count);

	if (count > 64)
		abort();
	for (size_t i = 0; i < count; i++)
		if (told[i].result == MG_RESULT_UNSET || told[i].result >= MG_RESULTS ||
			strlen(told[i].domain) + strlen(told[i].selector) + strlen(told[i].identity) > 4096 ||
			(told[i].result == MG_RESULT_PASS) != (told[i].reason[0] == '\0'))
			abort();
}

static void verify(struct mg_str rest, size_t step, struct mg_lookup *lookup)
{
	const struct mg_dkim_options options = { .max_signatures = 64, .now_s = 1700000000 };
	struct mg_arena arena;
	struct mg_fields fields;
	struct mg_body_hashes *hashes = mg_body_hashes_new();
	struct mg_str name, value;
	struct mg_dkim *dkim;

	mg_arena_init(&arena, 16 << 20);
	mg_fields_init(&fields, &arena);
	dkim = mg_dkim_new(&arena, &fields, &options);
	if (hashes == NULL || dkim == NULL)
		abort();
	while (next_field(&rest, &name, &value))
		if (mg_fields_add(&fields, name, value))
			mg_dkim_field(dkim, lookup);
	mg_dkim_header_end(dkim, hashes);
	add_body(hashes, mg_str_from(rest, 1), step); /* behind the blank line */
	mg_dkim_body_end(dkim, hashes);
	if (mg_dkim_step(dkim, lookup) != MG_STEP_DONE)
		abort();
	check(dkim);
	mg_body_hashes_free(&hashes);
	mg_arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world world;
	const struct mg_lookup_source source = { &world, ask, cancel };
	const struct mg_lookup_options options = {
		.source = &source, .questions_max = MG_LOOKUP_QUESTIONS, .deadline_us = mg_mono_us() + 3600 * MG_S_US
	};
	char *copy = malloc(size == 0 ? 1 : size); /* its own block, so that the sanitizer sees its ends */
	struct mg_lookup *lookup = mg_lookup_new(&options);
	struct mg_str rest;

	if (copy == NULL || lookup == NULL)
		abort();
	if (size > 0)
		memcpy(copy, data, size);
	rest = mg_str_of(copy, size);
	world.record = mg_str_cut(&rest, '\n');
	verify(mg_str_from(rest, 1), rest.n == 0 ? 1 : (unsigned char)rest.p[0] % 80, lookup);
	mg_lookup_free(&lookup);
	free(copy);
	return 0;
}
