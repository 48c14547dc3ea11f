#include "auth/field_value.h"

enum { VALUE_MAX = 256 };

static bool is_token_byte(char c)
{
	return c > ' ' && c < 0x7f && strchr("()<>@,;:\\\"/[]?=", c) == NULL;
}

static bool is_plain(struct mg_str value)
{
	if (value.n > 1 && value.p[0] == '@')
		value = mg_str_from(value, 1);
	for (size_t i = 0; i < value.n; i++)
		if (!is_token_byte(value.p[i]))
			return false;
	return value.n > 0;
}

void mg_field_value(struct mg_buf *out, const char *text)
{
	struct mg_str value = mg_str_first(mg_str_z(text), VALUE_MAX);

	if (is_plain(value)) {
		mg_buf_add(out, value);
		return;
	}
	mg_buf_addc(out, '"');
	for (size_t i = 0; i < value.n; i++) {
		char c = value.p[i];

		if (c == '"' || c == '\\')
			mg_buf_addc(out, '\\');
		mg_buf_addc(out, c < ' ' || c > '~' ? '?' : c);
	}
	mg_buf_addc(out, '"');
}
