#include "auth/base64.h"

/* The value of a character plus one; 0: none of the alphabet. From the space on. */
static const unsigned char values[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 63, 0, 0, 0, 64, 53, 54, 55, 56, 57, 58, 59,
	60, 61, 62, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22,
	23, 24, 25, 26, 0, 0, 0, 0, 0, 0, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45,
	46, 47, 48, 49, 50, 51, 52, 0, 0, 0, 0, 0 };

static int value_of(char c)
{
	unsigned at = (unsigned)(unsigned char)c - ' ';

	return at < sizeof values ? values[at] - 1 : -1;
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

/* Whole groups without blanks or '=' from text[*i_io] on, as many as there are and fit: three bytes for four characters. */
static void decode_groups(struct mg_str text, unsigned char *place, size_t room, size_t *i_io, size_t *n_io)
{
	size_t i = *i_io, n = *n_io;

	for (; text.n - i >= 4 && room - n >= 3; i += 4, n += 3) {
		int a = value_of(text.p[i]), b = value_of(text.p[i + 1]);
		int c = value_of(text.p[i + 2]), d = value_of(text.p[i + 3]);
		uint32_t group;

		if ((a | b | c | d) < 0)
			break;
		group = (uint32_t)a << 18 | (uint32_t)b << 12 | (uint32_t)c << 6 | (uint32_t)d;
		place[n] = (unsigned char)(group >> 16);
		place[n + 1] = (unsigned char)(group >> 8);
		place[n + 2] = (unsigned char)group;
	}
	*i_io = i;
	*n_io = n;
}

bool mg_base64_decode(struct mg_str text, unsigned char *place, size_t room, size_t *bytes_out)
{
	uint32_t group = 0;
	unsigned count = 0; /* characters of the group */
	size_t n = 0, i = 0;

	for (; i < text.n && text.p[i] != '='; i++) {
		int value;

		if (count == 0)
			decode_groups(text, place, room, &i, &n);
		if (i == text.n || text.p[i] == '=')
			break;
		value = value_of(text.p[i]);
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
	if (count == 1 || (count == 2 && group & 0xf) || (count == 3 && group & 0x3)) /* bits that stand for nothing */
		return false;
	if (!is_padding(mg_str_from(text, i), count))
		return false;
	*bytes_out = n;
	return true;
}

void mg_base64_encode(struct mg_buf *out, struct mg_str bytes)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < bytes.n; i += 3) {
		size_t n = bytes.n - i < 3 ? bytes.n - i : 3;
		uint32_t group = 0;

		for (size_t k = 0; k < 3; k++)
			group = group << 8 | (k < n ? (unsigned char)bytes.p[i + k] : 0);
		mg_buf_addc(out, alphabet[group >> 18]);
		mg_buf_addc(out, alphabet[group >> 12 & 63]);
		mg_buf_addc(out, n > 1 ? alphabet[group >> 6 & 63] : '=');
		mg_buf_addc(out, n > 2 ? alphabet[group & 63] : '=');
	}
}
