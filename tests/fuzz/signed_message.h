/* signed_message.h - what the fuzz targets of DKIM and ARC share: a message of header fields, a blank line, and the body in odd
 * pieces. The first line of the input is what DNS says of every key, the first byte behind it how the body is cut.
 *
 * Each target includes this once and defines verify(). */
#ifndef MG_FUZZ_SIGNED_MESSAGE_H
#define MG_FUZZ_SIGNED_MESSAGE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/body_hash.h"
#include "base/clock.h"
#include "dns/lookup.h"

/* Feeds the message, steps to the end, and aborts where the result makes no sense. */
static void verify(struct mg_str rest, size_t step, struct mg_lookup *lookup);

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

#endif
