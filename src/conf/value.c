#include "conf/value.h"

#include <stdlib.h>

const struct mg_setting *mg_value_next(const struct mg_setting *row)
{
	const struct mg_setting *next = row + 1;

	while (row->type == MG_SETTING_TABLE && mg_setting_is_field(next, row))
		next++;
	return next;
}

void mg_strings_fini(struct mg_strings *strings)
{
	for (size_t i = 0; i < strings->count; i++)
		free(strings->item[i]);
	free(strings->item);
	*strings = (struct mg_strings){ 0 };
}

static void fini_text(char *base, size_t offset)
{
	char **text = (void *)(base + offset);

	free(*text);
	*text = NULL;
}

void mg_value_fini_item(const struct mg_setting *table_row, void *item)
{
	for (const struct mg_setting *row = table_row + 1; mg_setting_is_field(row, table_row); row++) {
		if (row->type == MG_SETTING_TEXT)
			fini_text(item, row->offset);
		else if (row->type == MG_SETTING_TEXTS)
			mg_strings_fini((void *)((char *)item + row->offset));
	}
	if (table_row->table->shape == MG_TABLE_KEYED)
		fini_text(item, table_row->table->name_offset);
}

static void fini_table(const struct mg_setting *row, char *base)
{
	char **items = (void *)(base + row->offset);
	size_t *count = (void *)(base + row->table->count_offset);

	for (size_t i = 0; i < *count; i++)
		mg_value_fini_item(row, *items + i * row->table->item_size);
	free(*items);
	*items = NULL;
	*count = 0;
}

void mg_value_fini(const struct mg_setting *row, void *base)
{
	if (row->type == MG_SETTING_TEXT)
		fini_text(base, row->offset);
	else if (row->type == MG_SETTING_TEXTS)
		mg_strings_fini((void *)((char *)base + row->offset));
	else if (row->type == MG_SETTING_TABLE)
		fini_table(row, base);
}
