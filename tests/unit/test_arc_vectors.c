/* The ValiMail suite of chains to be validated, each with DNS at once and late. */
#include "message_kit.h"
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

enum { VECTORS_MAX = 256, DOCUMENTS_MAX = 64 };

struct vector {
	char name[128], cv[8];
	char *text;
	struct zone *zone;
};

static struct vector vectors[VECTORS_MAX];
static size_t vector_count;
static struct zone zones[DOCUMENTS_MAX];
static size_t zone_count;

static const char *scalar(const yaml_node_t *node)
{
	return (const char *)node->data.scalar.value;
}

static yaml_node_t *member(yaml_document_t *document, const yaml_node_t *map, const char *key)
{
	if (map == NULL || map->type != YAML_MAPPING_NODE)
		return NULL;
	for (yaml_node_pair_t *pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top; pair++)
		if (strcmp(scalar(yaml_document_get_node(document, pair->key)), key) == 0)
			return yaml_document_get_node(document, pair->value);
	return NULL;
}

static void add_zone(yaml_document_t *document, const yaml_node_t *records, struct zone *zone)
{
	zone_begin(zone, "");
	if (records == NULL || records->type != YAML_MAPPING_NODE)
		return;
	for (yaml_node_pair_t *pair = records->data.mapping.pairs.start; pair < records->data.mapping.pairs.top;
		pair++) {
		const char *text = scalar(yaml_document_get_node(document, pair->value));

		zone_add(zone, scalar(yaml_document_get_node(document, pair->key)), "TXT", text, strlen(text));
	}
}

static void add_test(yaml_document_t *document, const char *name, const yaml_node_t *test, struct zone *zone)
{
	struct vector *vector = &vectors[vector_count++];
	const yaml_node_t *message = member(document, test, "message"), *cv = member(document, test, "cv");

	assert_true(vector_count < VECTORS_MAX && message != NULL && cv != NULL);
	mg_str_copy(vector->name, sizeof vector->name, mg_str_z(name));
	mg_str_copy(vector->cv, sizeof vector->cv, mg_str_z(scalar(cv)));
	mg_lower(vector->cv);
	vector->text = mg_str_dup(mg_str_z(scalar(message)));
	vector->zone = zone;
}

static void add_document(yaml_document_t *document)
{
	const yaml_node_t *root = yaml_document_get_root_node(document), *tests = member(document, root, "tests");
	struct zone *zone = &zones[zone_count++];

	assert_true(zone_count < DOCUMENTS_MAX && tests != NULL);
	add_zone(document, member(document, root, "txt-records"), zone);
	for (yaml_node_pair_t *pair = tests->data.mapping.pairs.start; pair < tests->data.mapping.pairs.top; pair++)
		add_test(document, scalar(yaml_document_get_node(document, pair->key)),
			yaml_document_get_node(document, pair->value), zone);
}

static void read_suite(void)
{
	char path[1024];
	yaml_parser_t parser;
	yaml_document_t document;
	FILE *file;
	bool is_more = true;

	snprintf(path, sizeof path, "%s/arc/valimail-dev.yml", getenv("MG_TEST_DATA"));
	assert_non_null(file = fopen(path, "rb"));
	yaml_parser_initialize(&parser);
	yaml_parser_set_input_file(&parser, file);
	while (is_more) {
		assert_true(yaml_parser_load(&parser, &document));
		is_more = yaml_document_get_root_node(&document) != NULL;
		if (is_more)
			add_document(&document);
		yaml_document_delete(&document);
	}
	yaml_parser_delete(&parser);
	fclose(file);
}

static void the_chain_is_judged(void **state)
{
	const struct vector *vector = *state;

	for (int is_slow = 0; is_slow < 2; is_slow++) {
		struct message message;
		const struct mg_arc_output *output;

		vector->zone->is_slow = is_slow;
		message_verify(&message, vector->zone, vector->text, strlen(vector->text), NULL, 5);
		output = mg_arc_output(message.arc);
		if (strcmp(mg_result_name(output->result), vector->cv[0] == '\0' ? "none" : vector->cv) != 0)
			fail_msg("%s, not %s: %s", mg_result_name(output->result), vector->cv, output->reason);
		message_end(&message);
	}
}

int main(void)
{
	static struct CMUnitTest tests[VECTORS_MAX];
	int failed;

	read_suite();
	for (size_t i = 0; i < vector_count; i++)
		tests[i] = (struct CMUnitTest){ vectors[i].name, the_chain_is_judged, NULL, NULL, &vectors[i] };
	failed = _cmocka_run_group_tests("arc vectors", tests, vector_count, NULL, NULL);
	for (size_t i = 0; i < vector_count; i++)
		free(vectors[i].text);
	for (size_t i = 0; i < zone_count; i++)
		zone_end(&zones[i]);
	mg_crypto_fini();
	return failed;
}
