/* Whatever stands in a table's file, a pattern or a list: no crash, no byte read beyond it, an end. The first byte chooses. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "postfix/relay_list.h"
#include "postfix/relay_rules.h"

static void read_rules(struct mg_str text, enum mg_table_kind kind, bool is_pcre)
{
	static const char *const keys[] = { "192.0.2.1", "2001:db8::1", "a@example.com", "example.com" };
	struct mg_str groups[MG_PATTERN_GROUPS];
	struct mg_table table = { .kind = kind };
	struct mg_arena arena;
	struct mg_buf filled;
	uint64_t steps = 1000;

	mg_arena_init(&arena, 16 * 1024 * 1024);
	mg_buf_init(&filled, 64 * 1024);
	if (mg_table_rules_read(&table, &arena, text, is_pcre) == MG_OK)
		for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
			const struct mg_table_rule *rule =
				mg_table_rules_find(&table, mg_str_z(keys[i]), groups, &steps);

			if (rule != NULL && rule->pattern != NULL)
				mg_table_rule_fill(rule->value, groups, &filled);
			if (rule != NULL)
				(void)mg_relay_answer_of(rule->value);
		}
	mg_buf_fini(&filled);
	mg_table_rules_free(&table);
	mg_arena_fini(&arena);
}

static void read_literals(struct mg_str text)
{
	struct mg_buf out;

	mg_buf_init(&out, MG_PATTERN_MAX);
	for (size_t i = 0; i < 4 && mg_relay_pattern_sample(text, i, &out); i++)
		mg_buf_reset(&out);
	mg_buf_reset(&out);
	mg_relay_pattern_end(text, &out);
	mg_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy;
	struct mg_str text;

	if (size < 1 || size > 4096 || (copy = malloc(size)) == NULL)
		return 0;
	memcpy(copy, data + 1, size - 1);
	text = mg_str_of(copy, size - 1);
	switch (data[0] % 3) {
	case 0:
		read_rules(text, MG_TABLE_RULES_IP, false);
		break;
	case 1:
		read_rules(text, MG_TABLE_PATTERNED, true);
		break;
	default:
		read_literals(text);
	}
	free(copy);
	return 0;
}
