/* Whole messages: the samples of RFC 6376 and 8463, and our own on canonical forms, each in several chunkings, with DNS at
 * once and late. */
#include "message_kit.h"
#include "rows.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

struct vector {
	char name[128];
	char *text;
	size_t n;
	json_t *expected;
	struct zone *zone;
};

static char *read_file(const char *name, size_t *n_out)
{
	char path[1024];
	FILE *file;
	char *text = malloc(1024 * 1024);

	snprintf(path, sizeof path, "%s/dkim/%s", getenv("MG_TEST_DATA"), name);
	file = fopen(path, "rb");
	assert_non_null(file);
	*n_out = fread(text, 1, 1024 * 1024 - 1, file);
	text[*n_out] = '\0';
	fclose(file);
	return text;
}

/* "name:" and lines "- TXT: value". */
static void read_zone(struct zone *zone, const char *name)
{
	size_t n;
	char *text = read_file(name, &n), owner[256] = "";
	struct mg_str rest = mg_str_of(text, n);

	zone_begin(zone, "");
	while (rest.n > 0) {
		struct mg_str line = mg_str_trim(mg_str_cut(&rest, '\n'));
		char *value;

		if (mg_read_token(&line, MG_STR("- TXT: "))) {
			value = mg_str_dup(line);
			zone_add(zone, owner, "TXT", value, line.n);
			free(value);
		} else if (line.n > 0) {
			line.n--;
			mg_str_copy(owner, sizeof owner, line);
		}
	}
	free(text);
}

static bool is_accepted(const json_t *accept, const char *word)
{
	for (size_t i = 0; i < json_array_size(accept); i++)
		if (strcmp(json_string_value(json_array_get(accept, i)), word) == 0)
			return true;
	return false;
}

static const char *word_of(const json_t *row, const char *key)
{
	return json_string_value(json_object_get(row, key));
}

static void check(const struct vector *vector, const struct message *message)
{
	size_t count;
	const struct mg_dkim_signature *found = mg_dkim_signatures(message->dkim, &count);

	if (json_is_object(vector->expected)) {
		assert_int_equal(count, 1);
		if (!is_accepted(json_object_get(vector->expected, "accept"), mg_result_name(found[0].result)))
			fail_msg("%s: %s (%s)", vector->name, mg_result_name(found[0].result), found[0].reason);
		return;
	}
	assert_int_equal(count, json_array_size(vector->expected));
	for (size_t i = 0; i < count; i++) {
		const json_t *row = json_array_get(vector->expected, i);

		assert_string_equal(found[i].domain, word_of(row, "domain"));
		assert_string_equal(found[i].selector, word_of(row, "selector"));
		assert_string_equal(mg_result_name(found[i].result), word_of(row, "result"));
	}
}

static void the_signatures_are_judged(void **state)
{
	const struct vector *vector = *state;
	const json_t *time = json_object_get(vector->expected, "time");
	const struct mg_dkim_options options = { .max_signatures = 10,
		.now_s = time == NULL ? 1700000000 : json_integer_value(time) };
	static const size_t chunks[] = { 0, 1, 7, 64 };

	for (size_t i = 0; i < 2 * ROWS(chunks); i++) {
		struct message message;

		vector->zone->is_slow = i >= ROWS(chunks);
		message_verify(&message, vector->zone, vector->text, vector->n, &options, chunks[i % ROWS(chunks)]);
		check(vector, &message);
		message_end(&message);
	}
}

static size_t add_vectors(struct CMUnitTest *tests, json_t *all, struct zone *zone)
{
	const char *name;
	json_t *expected;
	size_t n = 0;

	json_object_foreach(all, name, expected)
	{
		struct vector *vector = calloc(1, sizeof *vector);

		mg_str_copy(vector->name, sizeof vector->name, mg_str_z(name));
		vector->text = read_file(name, &vector->n);
		vector->expected = expected;
		vector->zone = zone;
		tests[n++] = (struct CMUnitTest){ vector->name, the_signatures_are_judged, NULL, NULL, vector };
	}
	return n;
}

static json_t *read_json(const char *name)
{
	size_t n;
	char *text = read_file(name, &n);
	json_t *all = json_loadb(text, n, 0, NULL);

	free(text);
	assert_non_null(all);
	return all;
}

int main(void)
{
	static struct CMUnitTest tests[256];
	struct zone rfc, own;
	json_t *rfc_expected = read_json("rfc.expected.json"), *own_expected = read_json("own.expected.json");
	size_t n;
	int failed;

	read_zone(&rfc, "rfc.zone.yml");
	read_zone(&own, "own.zone.yml");
	n = add_vectors(tests, rfc_expected, &rfc);
	n += add_vectors(tests + n, own_expected, &own);
	failed = _cmocka_run_group_tests("dkim vectors", tests, n, NULL, NULL);
	for (size_t i = 0; i < n; i++) {
		struct vector *vector = tests[i].initial_state;

		free(vector->text);
		free(vector);
	}
	json_decref(rfc_expected);
	json_decref(own_expected);
	zone_end(&rfc);
	zone_end(&own);
	mg_crypto_fini();
	return failed;
}
