/* A change is a file of one line, "x = VALUE;", that the reader of files reads. */
#include "conf/conf_with.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/escape.h"
#include "base/i18n.h"
#include "conf/read.h"
#include "conf/settings.h"

enum { NAME_SHOWN = 80 };

bool mg_conf_set_cut(struct mg_str text, struct mg_conf_set *set_out)
{
	size_t at = mg_str_find(text, '=');

	if (at == SIZE_MAX || at == 0)
		return false;
	set_out->key = mg_str_trim(mg_str_first(text, at));
	set_out->value = mg_str_trim(mg_str_from(text, at + 1));
	return set_out->key.n > 0;
}

static bool is_text(const struct mg_setting *row)
{
	return row->type == MG_SETTING_TEXT || row->type == MG_SETTING_SECONDS || row->type == MG_SETTING_WORD ||
	       row->type == MG_SETTING_SWITCH;
}

/* A list that a bare text may stand for. */
static bool is_texts(const struct mg_setting *row)
{
	return row->type == MG_SETTING_TEXTS ||
	       (row->type == MG_SETTING_TABLE && row->table->shape == MG_TABLE_NAME_GROUPS);
}

static bool begins_with(struct mg_str text, struct mg_str any)
{
	return text.n > 0 && mg_str_find(any, text.p[0]) != SIZE_MAX;
}

static void add_quoted(struct mg_buf *out, struct mg_str text)
{
	mg_buf_addc(out, '"');
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '"' || text.p[i] == '\\')
			mg_buf_addc(out, '\\');
		mg_buf_addc(out, text.p[i]);
	}
	mg_buf_addc(out, '"');
}

/* What begins with a quote or a bracket, or should be a number, is taken as it stands: the reader judges it. Where there is no
 * such setting, its value does not matter. */
static void add_value(struct mg_buf *out, const struct mg_setting *row, struct mg_str value)
{
	bool is_list = row != NULL && is_texts(row) && !begins_with(value, MG_STR("(["));

	if (row == NULL)
		value = MG_STR("0");
	mg_buf_addz(out, is_list ? "x = ( " : "x = ");
	if (row != NULL && (is_text(row) || (is_list && value.n > 0)) && !begins_with(value, MG_STR("\"")))
		add_quoted(out, value);
	else
		for (size_t i = 0; i < value.n; i++)
			mg_buf_addc(out, value.p[i] == '\n' ? ' ' : value.p[i]);
	mg_buf_addz(out, is_list ? " );" : ";");
}

/* "--set KEY", harmless and not too long. */
static void name_it(struct mg_buf *out, struct mg_str key)
{
	mg_buf_addz(out, "--set ");
	mg_escape_quoted(out, key, NAME_SHOWN);
}

enum mg_rc mg_conf_apply(const struct mg_conf_set *set, struct mg_conf *conf, struct mg_err *err)
{
	struct mg_source *source = malloc(sizeof *source);
	struct mg_buf text, name;
	enum mg_rc rc;

	if (source == NULL)
		return mg_err_set(err, MG_ENOMEM, _("no memory for the configuration"));
	mg_buf_init(&text, MG_CONF_SET_BYTES);
	mg_buf_init(&name, 512);
	name_it(&name, set->key);
	add_value(&text, mg_setting_find(set->key), set->value);
	if (mg_buf_ok(&text))
		rc = mg_source_text(mg_buf_z(&name), mg_buf_str(&text), source, err);
	else
		rc = mg_source_fail(err, MG_ERANGE, mg_buf_z(&name), 0, _("the value is too long"));
	if (rc == MG_OK) {
		rc = mg_read_value(source, set->key, conf, err);
		mg_source_fini(source);
	}
	free(source);
	mg_buf_fini(&text);
	mg_buf_fini(&name);
	return rc;
}

bool mg_conf_bears_on_verdicts(struct mg_str key)
{
	static const char *const sections[] = { "auth.", "relay.", "rate.", "abuse.", "greylist." };
	static const char *const idle[] = { "auth.add_header", "auth.add_received_spf" };

	for (size_t i = 0; i < sizeof idle / sizeof idle[0]; i++)
		if (mg_str_eq(key, mg_str_z(idle[i])))
			return false;
	for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++)
		if (mg_str_starts(key, mg_str_z(sections[i])))
			return true;
	return mg_str_eq(key, MG_STR("mode"));
}
