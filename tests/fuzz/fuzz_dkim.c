/* DKIM over whatever message: nothing breaks, and it comes to an end with a result. */
#include "auth/dkim.h"
#include "signed_message.h"

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
