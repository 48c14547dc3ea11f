/* One decoder of UTF-8 serves all sinks; they differ only in what they do with a character. */
#include "base/escape.h"

#include <stdbool.h>

void mg_escape_in_place(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p != '\0'; p++)
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
}

size_t mg_utf8_next(struct mg_str text, unsigned *code_out)
{
	static const unsigned least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)text.p;
	unsigned code;
	size_t length;

	if (text.n == 0)
		return 0;
	if (p[0] < 0x80) {
		length = 1;
		code = p[0];
	} else if ((p[0] & 0xe0) == 0xc0) {
		length = 2;
		code = p[0] & 0x1f;
	} else if ((p[0] & 0xf0) == 0xe0) {
		length = 3;
		code = p[0] & 0x0f;
	} else if ((p[0] & 0xf8) == 0xf0) {
		length = 4;
		code = p[0] & 0x07;
	} else {
		return 0;
	}
	if (length > text.n)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	if (code_out != NULL)
		*code_out = code;
	return length;
}

static bool is_control(unsigned code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

/* Characters that reorder or hide what stands around them on a terminal. */
static bool is_deceptive(unsigned code)
{
	return (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || code == 0x200e ||
	       code == 0x200f || code == 0x2028 || code == 0x2029 || code == 0xfeff;
}

static void add_hex(struct mg_buf *out, struct mg_str bytes)
{
	for (size_t i = 0; i < bytes.n; i++)
		mg_buf_addf(out, "\\x%02x", (unsigned char)bytes.p[i]);
}

void mg_escape_quoted(struct mg_buf *out, struct mg_str text, size_t max)
{
	size_t at = 0, start = out->n;

	while (at < text.n) {
		struct mg_str rest = mg_str_from(text, at);
		unsigned code = 0;
		size_t length = mg_utf8_next(rest, &code);
		struct mg_str one = mg_str_first(rest, length == 0 ? 1 : length);

		if (out->n - start + 4 * one.n > max) {
			mg_buf_addz(out, "...");
			return;
		}
		if (length == 0 || is_control(code) || is_deceptive(code)) {
			add_hex(out, one);
		} else {
			if (code == '"' || code == '\\')
				mg_buf_addc(out, '\\');
			mg_buf_add(out, one);
		}
		at += one.n;
	}
}

void mg_escape_terminal(struct mg_buf *out, struct mg_str text, size_t max)
{
	size_t at = 0;

	while (at < text.n) {
		struct mg_str rest = mg_str_from(text, at);
		unsigned code = 0;
		size_t length = mg_utf8_next(rest, &code);

		if (at + (length == 0 ? 1 : length) > max) {
			mg_buf_addz(out, "…");
			return;
		}
		if (length == 0)
			mg_buf_addz(out, "\xef\xbf\xbd");
		else if (is_control(code) || is_deceptive(code))
			mg_buf_addc(out, '?');
		else
			mg_buf_add(out, mg_str_first(rest, length));
		at += length == 0 ? 1 : length;
	}
}

void mg_utf8_clean(struct mg_buf *out, struct mg_str text, size_t max)
{
	size_t at = 0;

	while (at < text.n) {
		struct mg_str rest = mg_str_from(text, at);
		unsigned code = 0;
		size_t length = mg_utf8_next(rest, &code);

		if (at + (length == 0 ? 1 : length) > max)
			return;
		if (length == 0 || code == 0)
			mg_buf_addz(out, "\xef\xbf\xbd");
		else
			mg_buf_add(out, mg_str_first(rest, length));
		at += length == 0 ? 1 : length;
	}
}
