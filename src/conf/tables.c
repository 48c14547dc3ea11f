/* A table's entries are counted before they are filled, so that whatever fails, mg_value_fini() finds all of it. */
#include <math.h>
#include <stdlib.h>

#include "base/i18n.h"
#include "conf/reader.h"
#include "conf/value.h"

/* Gives every field of a new item its default. */
static enum mg_rc preset_item(struct mg_reader *reader, const struct mg_setting *table_row, char *item)
{
	const struct mg_source *source = reader->source;
	enum mg_rc rc = MG_OK;

	reader->source = NULL;
	for (const struct mg_setting *row = table_row + 1; rc == MG_OK && mg_setting_is_field(row, table_row); row++) {
		config_setting_t *preset = mg_read_preset(reader, row);

		if (preset != NULL)
			rc = mg_scalar_set(reader, row, item, preset);
		else if (row->type == MG_SETTING_NUMBER)
			*(double *)(void *)(item + row->offset) = NAN;
	}
	reader->source = source;
	return rc;
}

static const struct mg_setting *field_named(const struct mg_setting *table_row, const config_setting_t *setting)
{
	char name[MG_SOURCE_KEY + 1];

	mg_source_name(config_setting_name(setting), name, sizeof name);
	for (const struct mg_setting *row = table_row + 1; mg_setting_is_field(row, table_row); row++)
		if (mg_str_eq(mg_setting_key(row), mg_str_z(name)))
			return row;
	return NULL;
}

static bool has_field(const config_setting_t *group, const struct mg_setting *table_row, const struct mg_setting *row)
{
	for (int i = 0; i < config_setting_length(group); i++)
		if (field_named(table_row, config_setting_get_elem(group, (unsigned)i)) == row)
			return true;
	return false;
}

static enum mg_rc read_group(
	struct mg_reader *reader, const struct mg_setting *table_row, char *item, const config_setting_t *group)
{
	enum mg_rc rc = MG_OK;

	for (int i = 0; rc == MG_OK && i < config_setting_length(group); i++) {
		const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
		const struct mg_setting *row = field_named(table_row, setting);
		char name[MG_SOURCE_KEY + 1];

		mg_source_name(config_setting_name(setting), name, sizeof name);
		rc = row == NULL ? mg_read_unknown(reader, setting, mg_str_z(table_row->path), mg_str_z(name))
				 : mg_scalar_set(reader, row, item, setting);
	}
	for (const struct mg_setting *row = table_row + 1; rc == MG_OK && mg_setting_is_field(row, table_row); row++)
		if (row->preset == NULL && !has_field(group, table_row, row))
			rc = mg_read_fail(reader, MG_ESYNTAX, group, _("this entry of %s has no %.*s; add %.*s = %s;"),
				table_row->path, MG_STR_ARGS(mg_setting_key(row)), MG_STR_ARGS(mg_setting_key(row)),
				mg_scalar_example(row));
	return rc;
}

/* Reads entry `at`; the item is counted before it is filled, so that a failure leaves nothing behind. */
static enum mg_rc read_item(struct mg_reader *reader, const struct mg_setting *row, char *items, size_t at,
	size_t *count, const config_setting_t *setting)
{
	const struct mg_setting_table *table = row->table;
	char *item = items + at * table->item_size;
	struct mg_err why = { 0 };
	enum mg_rc rc;

	*count = at + 1;
	if ((rc = preset_item(reader, row, item)) != MG_OK)
		return rc;
	if (table->shape == MG_TABLE_KEYED) {
		char **name_place = (void *)(item + table->name_offset), name[MG_SOURCE_KEY + 1];

		mg_source_name(config_setting_name(setting), name, sizeof name);
		if (table->name_check(mg_str_z(name), &why) != MG_OK)
			return mg_read_fail(reader, MG_ESYNTAX, setting, "%s: %s", row->path, why.text);
		if ((*name_place = mg_str_dup(mg_str_z(name))) == NULL)
			return mg_read_no_memory(reader);
	}
	if (table->shape == MG_TABLE_NAME_GROUPS && config_setting_type(setting) == CONFIG_TYPE_STRING)
		rc = mg_scalar_set(reader, row + 1, item, setting);
	else if (config_setting_type(setting) == CONFIG_TYPE_GROUP)
		rc = read_group(reader, row, item, setting);
	else
		rc = mg_scalar_wrong_type(reader, row, setting);
	if (rc == MG_OK && table->finish != NULL && (rc = table->finish(items, at, &why)) != MG_OK)
		rc = mg_read_fail(reader, rc, setting, "%s: %s", row->path, why.text);
	return rc;
}

enum mg_rc mg_table_set(
	struct mg_reader *reader, const struct mg_setting *row, char *base, const config_setting_t *setting)
{
	const struct mg_setting_table *table = row->table;
	size_t count = (size_t)config_setting_length(setting);
	char **items = (void *)(base + row->offset);
	bool is_right = table->shape == MG_TABLE_KEYED ? config_setting_type(setting) == CONFIG_TYPE_GROUP
						       : mg_scalar_is_list(setting);
	enum mg_rc rc = MG_OK;

	if (!is_right)
		return mg_scalar_wrong_type(reader, row, setting);
	if (count > table->items_max)
		return mg_scalar_too_many(reader, row, setting, table->items_max);
	mg_value_fini(row, base);
	if (count == 0)
		return MG_OK;
	if ((*items = calloc(count, table->item_size)) == NULL)
		return mg_read_no_memory(reader);
	for (size_t i = 0; rc == MG_OK && i < count; i++)
		rc = read_item(reader, row, *items, i, (void *)(base + table->count_offset),
			config_setting_get_elem(setting, (unsigned)i));
	return rc;
}
