#include "base/say.h"

#include "base/escape.h"
#include "base/i18n.h"

enum { TEXT_MAX = 16 * 1024 };

void mg_say_fill(struct mg_buf *out, const char *template, const char *const args[MG_SAY_ARGS])
{
	for (const char *p = template; p != NULL && *p != '\0'; p++) {
		if (p[0] == '%' && p[1] >= '1' && p[1] < '1' + MG_SAY_ARGS) {
			mg_buf_addz(out, args[p[1] - '1'] == NULL ? "" : args[p[1] - '1']);
			p++;
		} else {
			if (p[0] == '%' && p[1] == '%')
				p++;
			mg_buf_addc(out, *p);
		}
	}
}

/* gettext("") answers with the catalogue's header: an empty template must not reach it. */
static bool is_silent(const struct mg_say *say)
{
	return say->template == NULL || say->template[0] == '\0';
}

void mg_say_english(struct mg_buf *out, const struct mg_say *say)
{
	if (!is_silent(say))
		mg_say_fill(out, say->template, say->arg);
}

void mg_say_local(struct mg_buf *out, const struct mg_say *say)
{
	if (!is_silent(say))
		mg_say_fill(out, _(say->template), say->arg);
}

json_t *mg_json_text(struct mg_str text)
{
	struct mg_buf clean;
	json_t *json;

	mg_buf_init(&clean, 3 * TEXT_MAX);
	mg_utf8_clean(&clean, text, TEXT_MAX);
	json = json_stringn(mg_buf_z(&clean), clean.n);
	mg_buf_fini(&clean);
	return json;
}

json_t *mg_say_json(const struct mg_say *say)
{
	json_t *array = json_array();

	if (is_silent(say))
		return array;
	json_array_append_new(array, json_string(say->template));
	for (size_t i = 0; i < MG_SAY_ARGS && say->arg[i] != NULL; i++)
		json_array_append_new(array, mg_json_text(mg_str_z(say->arg[i])));
	return array;
}

void mg_say_local_json(struct mg_buf *out, const json_t *array)
{
	struct mg_say say = { .template = json_string_value(json_array_get(array, 0)) };

	for (size_t i = 0; i < MG_SAY_ARGS; i++)
		say.arg[i] = json_string_value(json_array_get(array, i + 1));
	mg_say_local(out, &say);
}
