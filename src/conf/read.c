/* The tree that libconfig built is walked section by section; every setting found is looked up among the rows, and its
 * row says how to read it. The defaults take the same way: their texts are parsed once, before the file's. */
#include "conf/read.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/i18n.h"
#include "conf/check.h"
#include "conf/reader.h"
#include "conf/value.h"

enum { PATH_MAX_BYTES = 200, PRESETS_MAX = 16 * 1024 };

enum mg_rc mg_read_fail(struct mg_reader *reader, enum mg_rc rc, const config_setting_t *setting, const char *fmt, ...)
{
	char sentence[sizeof reader->err->text];
	const char *file = "defaults";
	unsigned line = 0;
	va_list args;

	va_start(args, fmt);
	vsnprintf(sentence, sizeof sentence, fmt, args);
	va_end(args);
	if (reader->source != NULL)
		file = mg_source_place(reader->source, config_setting_source_line(setting), &line);
	return mg_source_fail(reader->err, rc, file, line, "%s", sentence);
}

enum mg_rc mg_read_no_memory(struct mg_reader *reader)
{
	return mg_err_set(reader->err, MG_ENOMEM, _("no memory for the configuration"));
}

/* The part of `row`'s path that lies directly in `section`; false when the row lies elsewhere. */
static bool part_in(const struct mg_setting *row, struct mg_str section, struct mg_str *part_out)
{
	struct mg_str rest = mg_str_z(row->path);

	if (section.n > 0 && (!mg_read_token(&rest, section) || !mg_read_token(&rest, MG_STR("."))))
		return false;
	*part_out = mg_str_cut(&rest, '.');
	return true;
}

/* "; did you mean ...", where it belongs, or all names of the section. */
static void add_remedy(struct mg_buf *out, struct mg_str section, struct mg_str name)
{
	struct mg_nearest nearest;
	struct mg_str part, last = { 0 };

	mg_nearest_init(&nearest, name);
	for (const struct mg_setting *row = mg_settings; row->path != NULL; row++)
		if (part_in(row, section, &part))
			mg_nearest_see(&nearest, part);
	if (mg_nearest_is_near(&nearest)) {
		mg_buf_addf(out, _("; did you mean \"%.*s\"?"), MG_STR_ARGS(nearest.best));
		return;
	}
	for (const struct mg_setting *row = mg_settings; row->path != NULL; row++) {
		struct mg_str path = mg_str_z(row->path);

		if (mg_str_eq(mg_setting_key(row), name) && mg_str_find(path, '.') != SIZE_MAX) {
			mg_buf_addf(out, _("; write it inside the section \"%.*s\""),
				MG_STR_ARGS(mg_str_first(path, mg_str_rfind(path, '.'))));
			return;
		}
	}
	mg_buf_addz(out, _("; known here are"));
	for (const struct mg_setting *row = mg_settings; row->path != NULL; row++) {
		if (!part_in(row, section, &part) || mg_str_eq(part, last))
			continue;
		mg_buf_addf(out, "%s %.*s", last.n > 0 ? "," : "", MG_STR_ARGS(part));
		last = part;
	}
}

enum mg_rc mg_read_unknown(
	struct mg_reader *reader, const config_setting_t *setting, struct mg_str section, struct mg_str name)
{
	const struct mg_setting *row = mg_setting_find(name);
	struct mg_buf remedy;
	char quoted[MG_QUOTED];
	enum mg_rc rc;

	mg_buf_init(&remedy, MG_READ_NAMES);
	if (row != NULL && section.n == 0)
		mg_buf_addf(&remedy, _("; write %.*s = { %.*s = ...; }"), (int)mg_str_find(name, '.'), name.p,
			MG_STR_ARGS(mg_setting_key(row)));
	else
		add_remedy(&remedy, section, name);
	mg_quoted(quoted, name);
	if (section.n == 0)
		rc = mg_read_fail(reader, MG_ESYNTAX, setting, _("unknown setting %s%s"), quoted, mg_buf_z(&remedy));
	else
		rc = mg_read_fail(reader, MG_ESYNTAX, setting, _("unknown setting %s in \"%.*s\"%s"), quoted,
			MG_STR_ARGS(section), mg_buf_z(&remedy));
	mg_buf_fini(&remedy);
	return rc;
}

config_setting_t *mg_read_preset(struct mg_reader *reader, const struct mg_setting *row)
{
	char name[24];

	snprintf(name, sizeof name, "p%d", (int)(row - mg_settings));
	return config_lookup(&reader->presets, name);
}

static enum mg_rc set_value(struct mg_reader *reader, const struct mg_setting *row, const config_setting_t *setting)
{
	char *base = (char *)reader->conf;

	return row->type == MG_SETTING_TABLE ? mg_table_set(reader, row, base, setting)
					     : mg_scalar_set(reader, row, base, setting);
}

/* One setting directly in `section` ("": the top). */
static enum mg_rc read_member(
	struct mg_reader *reader, struct mg_str section, const config_setting_t *setting, bool *is_section_out)
{
	char name[MG_SOURCE_KEY + 1], path[PATH_MAX_BYTES];
	const struct mg_setting *row;

	*is_section_out = false;
	mg_source_name(config_setting_name(setting), name, sizeof name);
	if (name[0] == '\0' || mg_str_find(mg_str_z(name), '.') != SIZE_MAX)
		return mg_read_unknown(reader, setting, section, mg_str_z(name));
	snprintf(path, sizeof path, "%.*s%s%s", MG_STR_ARGS(section), section.n > 0 ? "." : "", name);
	if ((row = mg_setting_find(mg_str_z(path))) != NULL)
		return set_value(reader, row, setting);
	if (mg_str_find(section, '.') != SIZE_MAX || !mg_setting_is_section(mg_str_z(path)))
		return mg_read_unknown(reader, setting, section, mg_str_z(name));
	if (config_setting_type(setting) != CONFIG_TYPE_GROUP)
		return mg_read_fail(reader, MG_ESYNTAX, setting,
			_("\"%s\" is a section and can't be %s; write %s = { ... };"), name, mg_scalar_kind(setting),
			name);
	*is_section_out = true;
	return MG_OK;
}

/* A section inside a section, such as health.backup: none lies deeper. */
static enum mg_rc read_inner(struct mg_reader *reader, const char *section, const config_setting_t *group)
{
	char path[PATH_MAX_BYTES];
	enum mg_rc rc = MG_OK;
	bool is_section;

	snprintf(path, sizeof path, "%s.%s", section, config_setting_name(group));
	for (int i = 0; rc == MG_OK && i < config_setting_length(group); i++)
		rc = read_member(reader, mg_str_z(path), config_setting_get_elem(group, (unsigned)i), &is_section);
	return rc;
}

static enum mg_rc read_section(struct mg_reader *reader, const config_setting_t *group)
{
	const char *section = config_setting_name(group);
	enum mg_rc rc = MG_OK;
	bool is_inner;

	for (int i = 0; rc == MG_OK && i < config_setting_length(group); i++) {
		const config_setting_t *member = config_setting_get_elem(group, (unsigned)i);

		rc = read_member(reader, mg_str_z(section), member, &is_inner);
		if (rc == MG_OK && is_inner)
			rc = read_inner(reader, section, member);
	}
	return rc;
}

static enum mg_rc read_tree(struct mg_reader *reader, const config_setting_t *root)
{
	enum mg_rc rc = MG_OK;

	for (int i = 0; rc == MG_OK && i < config_setting_length(root); i++) {
		const config_setting_t *top = config_setting_get_elem(root, (unsigned)i);
		bool is_section;

		rc = read_member(reader, MG_STR(""), top, &is_section);
		if (rc == MG_OK && is_section)
			rc = read_section(reader, top);
	}
	return rc;
}

/* The defaults of all rows as one text of ours; the names are the rows' numbers. */
static enum mg_rc parse_presets(struct mg_reader *reader)
{
	struct mg_buf text;
	enum mg_rc rc = MG_OK;

	mg_buf_init(&text, PRESETS_MAX);
	for (const struct mg_setting *row = mg_settings; row->path != NULL; row++)
		if (row->preset != NULL && row->preset[0] != '\0')
			mg_buf_addf(&text, "p%d = %s;\n", (int)(row - mg_settings), row->preset);
	if (!mg_buf_ok(&text) || config_read_string(&reader->presets, mg_buf_z(&text)) == CONFIG_FALSE)
		rc = mg_read_no_memory(reader);
	mg_buf_fini(&text);
	return rc;
}

static enum mg_rc set_presets(struct mg_reader *reader)
{
	enum mg_rc rc = MG_OK;

	for (const struct mg_setting *row = mg_settings; rc == MG_OK && row->path != NULL; row = mg_value_next(row))
		rc = set_value(reader, row, mg_read_preset(reader, row));
	return rc;
}

static enum mg_rc parse_failure(struct mg_reader *reader, const config_t *tree)
{
	const char *text = config_error_text(tree), *file;
	unsigned line;

	file = mg_source_place(reader->source, (unsigned)config_error_line(tree), &line);
	if (text != NULL && strcmp(text, "duplicate setting name") == 0)
		return mg_source_fail(reader->err, MG_ESYNTAX, file, line,
			_("a setting is given twice here; take one of the two out"));
	return mg_source_fail(reader->err, MG_ESYNTAX, file, line,
		_("syntax error; look for a missing \";\", \"=\", quote or bracket on this line or before it"));
}

enum mg_rc mg_read_conf(const struct mg_source *source, struct mg_conf *conf, struct mg_err *err)
{
	struct mg_reader reader = { .conf = conf, .err = err };
	config_t tree;
	enum mg_rc rc;

	config_init(&reader.presets);
	config_init(&tree);
	if ((rc = parse_presets(&reader)) == MG_OK)
		rc = set_presets(&reader);
	reader.source = source;
	if (rc == MG_OK && source != NULL) {
		rc = config_read_string(&tree, mg_buf_z(&source->text)) == CONFIG_TRUE
			     ? read_tree(&reader, config_root_setting(&tree))
			     : parse_failure(&reader, &tree);
	}
	config_destroy(&tree);
	config_destroy(&reader.presets);
	return rc;
}

/* ---- one value ---- */

/* The table whose entries have this field; NULL: it is none. */
static const struct mg_setting *table_of(const struct mg_setting *field)
{
	for (const struct mg_setting *row = mg_settings; row < field; row++)
		if (row->type == MG_SETTING_TABLE && mg_setting_is_field(field, row))
			return row;
	return NULL;
}

static const struct mg_setting *first_in(struct mg_str section)
{
	const struct mg_setting *row = mg_settings;

	while (!mg_str_starts(mg_str_z(row->path), section) || row->path[section.n] != '.')
		row++;
	return row;
}

static enum mg_rc no_such_path(struct mg_reader *reader, struct mg_str path, const config_setting_t *setting)
{
	struct mg_str section = mg_str_first(path, mg_str_find(path, '.'));

	if (mg_setting_is_section(path))
		return mg_read_fail(reader, MG_ESYNTAX, setting,
			_("this is a section; name a setting in it, such as %s"), first_in(path)->path);
	if (section.n < path.n && mg_setting_is_section(section))
		return mg_read_unknown(reader, setting, section, mg_str_from(path, section.n + 1));
	return mg_read_unknown(reader, setting, MG_STR(""), section);
}

static enum mg_rc set_path(struct mg_reader *reader, struct mg_str path, const config_setting_t *root)
{
	const config_setting_t *setting = config_setting_get_elem(root, 0);
	const struct mg_setting *row = mg_setting_find(path), *table = row == NULL ? NULL : table_of(row);

	if (config_setting_length(root) != 1)
		return mg_read_fail(reader, MG_ESYNTAX, root, _("one value only; give every setting by itself"));
	if (row == NULL)
		return no_such_path(reader, path, setting);
	if (table != NULL)
		return mg_read_fail(reader, MG_ESYNTAX, setting,
			_("every entry of %s has this; give the whole list: %s=( { ... } )"), table->path, table->path);
	return set_value(reader, row, setting);
}

enum mg_rc mg_read_value(const struct mg_source *source, struct mg_str path, struct mg_conf *conf, struct mg_err *err)
{
	struct mg_reader reader = { .source = source, .conf = conf, .err = err };
	config_t tree;
	enum mg_rc rc;

	config_init(&reader.presets);
	config_init(&tree);
	if ((rc = parse_presets(&reader)) == MG_OK)
		rc = config_read_string(&tree, mg_buf_z(&source->text)) == CONFIG_TRUE
			     ? set_path(&reader, path, config_root_setting(&tree))
			     : parse_failure(&reader, &tree);
	config_destroy(&tree);
	config_destroy(&reader.presets);
	return rc;
}
