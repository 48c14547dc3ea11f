/* ARC over whatever message: nothing breaks, and it comes to an end with a result. */
#include "auth/arc.h"
#include "signed_message.h"

static void check(const struct mg_arc *arc)
{
	const struct mg_arc_output *output = mg_arc_output(arc);

	if (output->instance > MG_ARC_SETS || output->oldest_pass > output->instance ||
		output->result == MG_RESULT_UNSET || output->result >= MG_RESULTS)
		abort();
	for (unsigned i = 0; i < MG_ARC_SETS; i++)
		if (strlen(output->sealer[i]) > 253)
			abort();
}

static void verify(struct mg_str rest, size_t step, struct mg_lookup *lookup)
{
	struct mg_arena arena;
	struct mg_fields fields;
	struct mg_body_hashes *hashes = mg_body_hashes_new();
	struct mg_str name, value;
	struct mg_arc *arc;

	mg_arena_init(&arena, 16 << 20);
	mg_fields_init(&fields, &arena);
	arc = mg_arc_new(&arena, &fields, 1700000000);
	if (hashes == NULL || arc == NULL)
		abort();
	while (next_field(&rest, &name, &value))
		if (mg_fields_add(&fields, name, value))
			mg_arc_field(arc, lookup);
	mg_arc_header_end(arc, hashes);
	add_body(hashes, mg_str_from(rest, 1), step); /* behind the blank line */
	mg_arc_body_end(arc, hashes);
	if (mg_arc_step(arc, lookup) != MG_STEP_DONE)
		abort();
	check(arc);
	mg_body_hashes_free(&hashes);
	mg_arena_fini(&arena);
}
