/* The openspf test suite (tests/data/spf, its own licence), each vector a test of its name. */
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

#include "base/buf.h"
#include "spf_kit.h"

enum { VECTORS = 400, SCENARIOS = 32, NAME = 200 };

struct vector {
	char name[NAME];
	yaml_document_t *document;
	yaml_node_t *fields; /* of the test */
	yaml_node_t *zonedata;
};
static struct vector vectors[VECTORS];
static size_t vector_count;
static yaml_document_t documents[SCENARIOS];
static size_t document_count;

static struct mg_str text_of(const yaml_node_t *node)
{
	if (node == NULL || node->type != YAML_SCALAR_NODE)
		return MG_STR("");
	return mg_str_of(node->data.scalar.value, node->data.scalar.length);
}

static yaml_node_t *field(yaml_document_t *document, const yaml_node_t *map, const char *key)
{
	if (map == NULL || map->type != YAML_MAPPING_NODE)
		return NULL;
	for (yaml_node_pair_t *pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top; pair++)
		if (mg_str_eq(text_of(yaml_document_get_node(document, pair->key)), mg_str_z(key)))
			return yaml_document_get_node(document, pair->value);
	return NULL;
}

/* ---- zones ---- */

/* A scalar, or the items of a list joined: with nothing (TXT) or a space (MX). */
static void write_value(yaml_document_t *document, const yaml_node_t *value, const char *between, struct mg_buf *out)
{
	mg_buf_reset(out);
	if (value->type == YAML_SCALAR_NODE) {
		mg_buf_add(out, text_of(value));
		return;
	}
	for (yaml_node_item_t *item = value->data.sequence.items.start; item < value->data.sequence.items.top; item++) {
		if (item > value->data.sequence.items.start)
			mg_buf_addz(out, between);
		mg_buf_add(out, text_of(yaml_document_get_node(document, *item)));
	}
}

static bool has_type(yaml_document_t *document, const yaml_node_t *records, const char *type)
{
	for (yaml_node_item_t *item = records->data.sequence.items.start; item < records->data.sequence.items.top;
		item++)
		if (field(document, yaml_document_get_node(document, *item), type) != NULL)
			return true;
	return false;
}

/* SPF records stand for TXT, unless the name has TXT as well; "TXT: NONE" is none at all. */
static void add_record(struct zone *zone, yaml_document_t *document, const char *name, const yaml_node_t *record,
	bool has_txt, struct mg_buf *value)
{
	yaml_node_pair_t *pair;
	char type[12];

	if (record->type == YAML_SCALAR_NODE) {
		zone_add(zone, name, "TIMEOUT", "", 0);
		return;
	}
	pair = record->data.mapping.pairs.start;
	mg_str_copy(type, sizeof type, text_of(yaml_document_get_node(document, pair->key)));
	write_value(document, yaml_document_get_node(document, pair->value), type[0] == 'M' ? " " : "", value);
	if (strcmp(type, "SPF") == 0)
		mg_str_copy(type, sizeof type, has_txt ? MG_STR("-") : MG_STR("TXT"));
	if (strcmp(type, "TXT") == 0 && mg_str_eq(mg_buf_str(value), MG_STR("NONE")))
		mg_str_copy(type, sizeof type, MG_STR("-"));
	zone_add(zone, name, type, mg_buf_z(value), value->n);
}

static void add_name(struct zone *zone, yaml_document_t *document, yaml_node_pair_t *pair, struct mg_buf *value)
{
	yaml_node_t *records = yaml_document_get_node(document, pair->value);
	char name[256];
	bool has_txt = has_type(document, records, "TXT");

	mg_str_copy(name, sizeof name, text_of(yaml_document_get_node(document, pair->key)));
	for (yaml_node_item_t *item = records->data.sequence.items.start; item < records->data.sequence.items.top;
		item++)
		add_record(zone, document, name, yaml_document_get_node(document, *item), has_txt, value);
}

static void build_zone(struct zone *zone, const struct vector *vector)
{
	const yaml_node_t *names = vector->zonedata;
	struct mg_buf value;

	zone_begin(zone, "");
	mg_buf_init(&value, 64 * 1024);
	for (yaml_node_pair_t *pair = names->data.mapping.pairs.start; pair < names->data.mapping.pairs.top; pair++)
		add_name(zone, vector->document, pair, &value);
	mg_buf_fini(&value);
}

/* ---- a vector ---- */

static bool is_accepted(const struct vector *vector, const char *key, const char *ours)
{
	yaml_node_t *wanted = field(vector->document, vector->fields, key);

	if (wanted == NULL)
		return true;
	if (wanted->type == YAML_SCALAR_NODE)
		return mg_str_eq(text_of(wanted), mg_str_z(ours)) ||
		       (ours[0] == '\0' && mg_str_eq(text_of(wanted), MG_STR("DEFAULT")));
	for (yaml_node_item_t *item = wanted->data.sequence.items.start; item < wanted->data.sequence.items.top; item++)
		if (mg_str_eq(text_of(yaml_document_get_node(vector->document, *item)), mg_str_z(ours)))
			return true;
	return false;
}

static void the_suite_agrees(void **state)
{
	const struct vector *vector = *state;
	struct mg_spf_input input = { .scope = MG_SPF_MFROM,
		.helo = text_of(field(vector->document, vector->fields, "helo")),
		.mail_from = text_of(field(vector->document, vector->fields, "mailfrom")),
		.receiver = MG_STR("receiver.example"),
		.now_s = 1795291200,
		.wants_explanation = true };
	struct spf_run run;
	struct zone zone;
	const char *broken;

	assert_true(mg_ip_parse(text_of(field(vector->document, vector->fields, "host")), &input.ip));
	build_zone(&zone, vector);
	broken = spf_run_begin(&run, &zone, &input);
	if (broken != NULL)
		fail_msg("%s", broken);
	if (!is_accepted(vector, "result", mg_result_name(run.output.result)) ||
		!is_accepted(vector, "explanation", run.output.explanation))
		fail_msg(
			"%s (%s) \"%s\"", mg_result_name(run.output.result), run.output.reason, run.output.explanation);
	spf_run_end(&run);
	zone_end(&zone);
}

/* ---- the file ---- */

static void add_scenario(yaml_document_t *document)
{
	yaml_node_t *root = yaml_document_get_root_node(document), *tests = field(document, root, "tests");

	for (yaml_node_pair_t *pair = tests->data.mapping.pairs.start;
		pair < tests->data.mapping.pairs.top && vector_count < VECTORS; pair++) {
		struct vector *vector = &vectors[vector_count++];
		struct mg_str id = text_of(yaml_document_get_node(document, pair->key));

		vector->document = document;
		vector->fields = yaml_document_get_node(document, pair->value);
		vector->zonedata = field(document, root, "zonedata");
		snprintf(vector->name, sizeof vector->name, "%.*s: %.*s",
			MG_STR_ARGS(text_of(field(document, root, "description"))), MG_STR_ARGS(id));
	}
}

static bool read_suite(const char *path)
{
	FILE *file = fopen(path, "r");
	yaml_parser_t parser;
	bool is_sound = file != NULL && yaml_parser_initialize(&parser) == 1;

	if (!is_sound)
		return false;
	yaml_parser_set_input_file(&parser, file);
	while (document_count < SCENARIOS && is_sound) {
		yaml_document_t *document = &documents[document_count];

		is_sound = yaml_parser_load(&parser, document) == 1;
		if (!is_sound)
			break;
		document_count++;
		if (yaml_document_get_root_node(document) == NULL)
			break;
		add_scenario(document);
	}
	yaml_parser_delete(&parser);
	fclose(file);
	return is_sound;
}

int main(void)
{
	static struct CMUnitTest tests[VECTORS];
	const char *data = getenv("MG_TEST_DATA");
	char path[4096];
	int failed;

	snprintf(path, sizeof path, "%s/spf/openspf-rfc7208-dev.yml", data == NULL ? "tests/data" : data);
	if (!read_suite(path)) {
		fprintf(stderr, "%s can't be read\n", path);
		return 1;
	}
	for (size_t i = 0; i < vector_count; i++)
		tests[i] = (struct CMUnitTest){ vectors[i].name, the_suite_agrees, NULL, NULL, &vectors[i] };
	failed = _cmocka_run_group_tests("spf vectors", tests, vector_count, NULL, NULL);
	for (size_t i = 0; i < document_count; i++)
		yaml_document_delete(&documents[i]);
	return failed;
}
