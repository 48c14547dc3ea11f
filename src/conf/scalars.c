/* One value after the other: its type, its range, its words, its check. */
#include <stdlib.h>

#include "base/i18n.h"
#include "conf/check.h"
#include "conf/reader.h"
#include "conf/value.h"

enum { TEXT_MAX = 1024 };

const char *mg_scalar_kind(const config_setting_t *setting)
{
	switch (config_setting_type(setting)) {
	case CONFIG_TYPE_GROUP:
		return _("a group { }");
	case CONFIG_TYPE_STRING:
		return _("a text");
	case CONFIG_TYPE_BOOL:
		return _("true or false");
	case CONFIG_TYPE_FLOAT:
		return _("a number with a fraction");
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		return _("a number");
	default:
		return _("a list");
	}
}

/* How a value of this row is written. */
const char *mg_scalar_example(const struct mg_setting *row)
{
	static const char *const examples[] = {
		[MG_SETTING_TEXT] = "\"...\"",
		[MG_SETTING_UINT] = "100",
		[MG_SETTING_INT] = "1",
		[MG_SETTING_NUMBER] = "100",
		[MG_SETTING_SECONDS] = "\"1h\"",
		[MG_SETTING_TEXTS] = "( \"...\", \"...\" )",
		[MG_SETTING_TABLE] = "( { ... }, { ... } )",
	};

	if (row->type == MG_SETTING_TABLE && row->table->shape == MG_TABLE_KEYED)
		return "{ \"...\" = { ... }; }";
	if (row->preset != NULL && row->type != MG_SETTING_TABLE && row->type != MG_SETTING_TEXTS &&
		row->preset[0] != '\0' && strcmp(row->preset, "\"\"") != 0)
		return row->preset;
	return row->type == MG_SETTING_WORD ? "\"...\"" : examples[row->type];
}

enum mg_rc mg_scalar_wrong_type(struct mg_reader *reader, const struct mg_setting *row, const config_setting_t *setting)
{
	return mg_read_fail(reader, MG_ESYNTAX, setting, _("%s can't be %s; write it like %.*s = %s;"), row->path,
		mg_scalar_kind(setting), MG_STR_ARGS(mg_setting_key(row)), mg_scalar_example(row));
}

/* The text of `setting` when it is one and passes the row's check. */
static enum mg_rc text_of(struct mg_reader *reader, const struct mg_setting *row, const config_setting_t *setting,
	struct mg_str *text_out)
{
	struct mg_err why = { 0 };
	enum mg_rc rc = MG_OK;

	if (config_setting_type(setting) != CONFIG_TYPE_STRING)
		return mg_scalar_wrong_type(reader, row, setting);
	*text_out = mg_str_z(config_setting_get_string(setting));
	if (text_out->n > TEXT_MAX)
		return mg_read_fail(
			reader, MG_ERANGE, setting, _("%s is too long; write at most %d bytes"), row->path, TEXT_MAX);
	if (row->check != NULL)
		rc = row->check(*text_out, &why);
	return rc == MG_OK ? MG_OK : mg_read_fail(reader, rc, setting, "%s: %s", row->path, why.text);
}

static enum mg_rc set_text(
	struct mg_reader *reader, const struct mg_setting *row, char **place, const config_setting_t *setting)
{
	struct mg_str text;
	enum mg_rc rc = text_of(reader, row, setting, &text);

	if (rc != MG_OK)
		return rc;
	free(*place);
	*place = mg_str_dup(text);
	return *place == NULL ? mg_read_no_memory(reader) : MG_OK;
}

/* The whole number or the number of `setting`, in the row's range. */
static enum mg_rc set_number(
	struct mg_reader *reader, const struct mg_setting *row, void *place, const config_setting_t *setting)
{
	int type = config_setting_type(setting);
	long long value;
	double number;

	if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64 &&
		!(type == CONFIG_TYPE_FLOAT && row->type == MG_SETTING_NUMBER))
		return mg_scalar_wrong_type(reader, row, setting);
	value = type == CONFIG_TYPE_FLOAT ? 0 : config_setting_get_int64(setting);
	number = type == CONFIG_TYPE_FLOAT ? config_setting_get_float(setting) : (double)value;
	if (reader->source != NULL && !(number >= (double)row->min && number <= (double)row->max))
		return mg_read_fail(reader, MG_ERANGE, setting,
			_("%s is %g, which is out of range; write a number from %lld to %lld"), row->path, number,
			(long long)row->min, (long long)row->max);
	if (row->type == MG_SETTING_NUMBER)
		*(double *)place = number;
	else if (row->type == MG_SETTING_INT)
		*(int *)place = (int)value;
	else
		*(uint64_t *)place = (uint64_t)value;
	return MG_OK;
}

/* "90s", "5m" ... in the largest unit that needs no fraction. */
static void add_duration(struct mg_buf *out, int64_t seconds)
{
	if (seconds % 86400 == 0)
		mg_buf_addf(out, "%lldd", (long long)seconds / 86400);
	else if (seconds % 3600 == 0)
		mg_buf_addf(out, "%lldh", (long long)seconds / 3600);
	else if (seconds % 60 == 0)
		mg_buf_addf(out, "%lldm", (long long)seconds / 60);
	else
		mg_buf_addf(out, "%llds", (long long)seconds);
}

static enum mg_rc set_seconds(
	struct mg_reader *reader, const struct mg_setting *row, uint64_t *place, const config_setting_t *setting)
{
	struct mg_str text;
	struct mg_buf range;
	char quoted[MG_QUOTED];
	enum mg_rc rc = text_of(reader, row, setting, &text);

	if (rc != MG_OK)
		return rc;
	if (!mg_str_to_seconds(text, INT64_MAX / 2, place))
		return mg_read_fail(reader, MG_ESYNTAX, setting,
			_("%s: %s is no duration; write a whole number and s, m, h or d, such as \"90s\""), row->path,
			mg_quoted(quoted, text));
	if (*place >= (uint64_t)row->min && *place <= (uint64_t)row->max)
		return MG_OK;
	mg_buf_init(&range, 64);
	add_duration(&range, row->min);
	mg_buf_addz(&range, " - ");
	add_duration(&range, row->max);
	rc = mg_read_fail(reader, MG_ERANGE, setting, _("%s: %s is out of range; write a duration within %s"),
		row->path, mg_quoted(quoted, text), mg_buf_z(&range));
	mg_buf_fini(&range);
	return rc;
}

static enum mg_rc unknown_word(
	struct mg_reader *reader, const struct mg_setting *row, const config_setting_t *setting, struct mg_str text)
{
	struct mg_nearest nearest;
	struct mg_buf names;
	char quoted[MG_QUOTED];
	enum mg_rc rc;

	mg_nearest_init(&nearest, text);
	mg_buf_init(&names, MG_READ_NAMES);
	for (const struct mg_setting_word *word = row->words; word->name != NULL; word++) {
		mg_nearest_see(&nearest, mg_str_z(word->name));
		mg_buf_addf(&names, "%s%s", word == row->words ? "" : ", ", word->name);
	}
	mg_quoted(quoted, text);
	if (mg_nearest_is_near(&nearest))
		rc = mg_read_fail(reader, MG_ESYNTAX, setting, _("%s: unknown value %s; did you mean \"%.*s\"?"),
			row->path, quoted, MG_STR_ARGS(nearest.best));
	else
		rc = mg_read_fail(reader, MG_ESYNTAX, setting, _("%s: unknown value %s; write one of: %s"), row->path,
			quoted, mg_buf_z(&names));
	mg_buf_fini(&names);
	return rc;
}

static enum mg_rc set_word(
	struct mg_reader *reader, const struct mg_setting *row, void *place, const config_setting_t *setting)
{
	struct mg_str text;
	enum mg_rc rc = text_of(reader, row, setting, &text);

	if (rc != MG_OK)
		return rc;
	for (const struct mg_setting_word *word = row->words; word->name != NULL; word++) {
		unsigned value = (unsigned)word->value; /* what an enum without negative members is stored as */

		if (!mg_str_eq(text, mg_str_z(word->name)))
			continue;
		if (row->type == MG_SETTING_SWITCH)
			*(bool *)place = value != 0;
		else
			memcpy(place, &value, sizeof value);
		return MG_OK;
	}
	return unknown_word(reader, row, setting, text);
}

bool mg_scalar_is_list(const config_setting_t *setting)
{
	return config_setting_type(setting) == CONFIG_TYPE_LIST || config_setting_type(setting) == CONFIG_TYPE_ARRAY;
}

enum mg_rc mg_scalar_too_many(
	struct mg_reader *reader, const struct mg_setting *row, const config_setting_t *setting, size_t max)
{
	return mg_read_fail(
		reader, MG_ERANGE, setting, _("%s has too many entries; write at most %zu"), row->path, max);
}

static enum mg_rc set_texts(struct mg_reader *reader, const struct mg_setting *row, struct mg_strings *place,
	const config_setting_t *setting)
{
	size_t count = (size_t)config_setting_length(setting);
	enum mg_rc rc;

	if (!mg_scalar_is_list(setting))
		return mg_scalar_wrong_type(reader, row, setting);
	if (count > (size_t)row->max)
		return mg_scalar_too_many(reader, row, setting, (size_t)row->max);
	mg_strings_fini(place);
	if (count == 0)
		return MG_OK;
	if ((place->item = calloc(count, sizeof *place->item)) == NULL)
		return mg_read_no_memory(reader);
	for (size_t i = 0; i < count; i++) {
		struct mg_str text;

		if ((rc = text_of(reader, row, config_setting_get_elem(setting, (unsigned)i), &text)) != MG_OK)
			return rc;
		if ((place->item[i] = mg_str_dup(text)) == NULL)
			return mg_read_no_memory(reader);
		place->count++;
	}
	return MG_OK;
}

enum mg_rc mg_scalar_set(
	struct mg_reader *reader, const struct mg_setting *row, char *base, const config_setting_t *setting)
{
	void *place = base + row->offset;

	switch (row->type) {
	case MG_SETTING_TEXT:
		return set_text(reader, row, place, setting);
	case MG_SETTING_BOOL:
		if (config_setting_type(setting) != CONFIG_TYPE_BOOL)
			return mg_scalar_wrong_type(reader, row, setting);
		*(bool *)place = config_setting_get_bool(setting) != 0;
		return MG_OK;
	case MG_SETTING_SECONDS:
		return set_seconds(reader, row, place, setting);
	case MG_SETTING_WORD:
	case MG_SETTING_SWITCH:
		return set_word(reader, row, place, setting);
	case MG_SETTING_TEXTS:
		return set_texts(reader, row, place, setting);
	default:
		return set_number(reader, row, place, setting);
	}
}
