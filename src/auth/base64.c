#include "auth/base64.h"

static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* What may follow a last group of `count` characters: as many '=' as fill it up, or none. */
static bool is_padding(struct mg_str text, unsigned count)
{
	unsigned signs = 0;

	for (size_t i = 0; i < text.n; i++) {
		if (!is_blank(text.p[i]) && text.p[i] != '=')
			return false;
		signs += text.p[i] == '=';
	}
	return signs == 0 || (count >= 2 && count + signs == 4);
}

bool mg_base64_decode(struct mg_str text, unsigned char *place, size_t room, size_t *bytes_out)
{
	uint32_t group = 0;
	unsigned count = 0; /* characters of the group */
	size_t n = 0, i = 0;

	for (; i < text.n && text.p[i] != '='; i++) {
		int value = value_of(text.p[i]);

		if (value < 0 && is_blank(text.p[i]))
			continue;
		if (value < 0)
			return false;
		group = group << 6 | (uint32_t)value;
		count = (count + 1) % 4;
		if (count == 1)
			continue;
		if (n == room)
			return false;
		place[n++] = (unsigned char)(group >> (count == 2 ? 4 : count == 3 ? 2 : 0));
	}
	if (count == 1 || !is_padding(mg_str_from(text, i), count))
		return false;
	*bytes_out = n;
	return true;
}
