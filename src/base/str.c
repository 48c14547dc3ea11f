/* Plain loops over pointer and length; the locale is never asked. */
#include "base/str.h"

#include <stdlib.h>

static unsigned char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : (unsigned char)c;
}

static bool same_nocase(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (lower(a[i]) != lower(b[i]))
			return false;
	return true;
}

bool mg_str_eq(struct mg_str a, struct mg_str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool mg_str_eq_nocase(struct mg_str a, struct mg_str b)
{
	return a.n == b.n && same_nocase(a.p, b.p, a.n);
}

bool mg_str_starts(struct mg_str s, struct mg_str prefix)
{
	return s.n >= prefix.n && mg_str_eq(mg_str_first(s, prefix.n), prefix);
}

bool mg_str_starts_nocase(struct mg_str s, struct mg_str prefix)
{
	return s.n >= prefix.n && mg_str_eq_nocase(mg_str_first(s, prefix.n), prefix);
}

bool mg_str_ends(struct mg_str s, struct mg_str suffix)
{
	return s.n >= suffix.n && mg_str_eq(mg_str_from(s, s.n - suffix.n), suffix);
}

bool mg_str_ends_nocase(struct mg_str s, struct mg_str suffix)
{
	return s.n >= suffix.n && mg_str_eq_nocase(mg_str_from(s, s.n - suffix.n), suffix);
}

size_t mg_str_find(struct mg_str s, char c)
{
	const char *at = s.n == 0 ? NULL : memchr(s.p, c, s.n);

	return at == NULL ? SIZE_MAX : (size_t)(at - s.p);
}

size_t mg_str_rfind(struct mg_str s, char c)
{
	for (size_t i = s.n; i > 0; i--)
		if (s.p[i - 1] == c)
			return i - 1;
	return SIZE_MAX;
}

size_t mg_str_find_str(struct mg_str s, struct mg_str needle)
{
	const char *at = s.n == 0 || needle.n == 0 ? s.p : memmem(s.p, s.n, needle.p, needle.n);

	if (needle.n == 0)
		return 0;
	if (s.n == 0)
		return SIZE_MAX;
	return at == NULL ? SIZE_MAX : (size_t)(at - s.p);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool mg_str_holds_nocase(struct mg_str s, struct mg_str needle)
{
	for (; s.n >= needle.n; s = mg_str_from(s, 1)) {
		if (mg_str_starts_nocase(s, needle))
			return true;
		if (s.n == 0)
			break;
	}
	return false;
}

struct mg_str mg_str_trim(struct mg_str s)
{
	while (s.n > 0 && is_blank(s.p[0]))
		s = mg_str_from(s, 1);
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

struct mg_str mg_str_cut(struct mg_str *rest, char sep)
{
	size_t at = mg_str_find(*rest, sep);
	struct mg_str head = mg_str_first(*rest, at);

	*rest = at == SIZE_MAX ? mg_str_from(*rest, rest->n) : mg_str_from(*rest, at + 1);
	return head;
}

bool mg_read_word(struct mg_str *rest, const char *separators, struct mg_str *word_out)
{
	size_t start = 0, end;

	while (start < rest->n && strchr(separators, rest->p[start]) != NULL && rest->p[start] != '\0')
		start++;
	if (start == rest->n)
		return false;
	for (end = start; end < rest->n; end++)
		if (rest->p[end] != '\0' && strchr(separators, rest->p[end]) != NULL)
			break;
	*word_out = mg_str_of(rest->p + start, end - start);
	*rest = mg_str_from(*rest, end);
	return true;
}

bool mg_read_token(struct mg_str *rest, struct mg_str token)
{
	if (!mg_str_starts(*rest, token))
		return false;
	*rest = mg_str_from(*rest, token.n);
	return true;
}

bool mg_read_u64(struct mg_str *rest, uint64_t max, uint64_t *value_out)
{
	uint64_t value = 0;
	size_t at = 0;

	for (; at < rest->n && rest->p[at] >= '0' && rest->p[at] <= '9'; at++) {
		uint64_t digit = (uint64_t)(rest->p[at] - '0');

		if (value > (max - digit) / 10 || digit > max)
			return false;
		value = value * 10 + digit;
	}
	if (at == 0)
		return false;
	*value_out = value;
	*rest = mg_str_from(*rest, at);
	return true;
}

bool mg_str_to_u64(struct mg_str s, uint64_t max, uint64_t *value_out)
{
	uint64_t value;

	if (!mg_read_u64(&s, max, &value) || s.n != 0)
		return false;
	*value_out = value;
	return true;
}

bool mg_str_to_seconds(struct mg_str s, uint64_t max_s, uint64_t *seconds_out)
{
	static const struct {
		char unit;
		uint64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	uint64_t value;

	if (!mg_read_u64(&s, max_s, &value) || s.n != 1)
		return false;
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (s.p[0] != units[i].unit)
			continue;
		if (value > max_s / units[i].seconds)
			return false;
		*seconds_out = value * units[i].seconds;
		return true;
	}
	return false;
}

char *mg_str_dup(struct mg_str s)
{
	size_t end = mg_str_find(s, '\0');
	struct mg_str text = mg_str_first(s, end);
	char *copy = malloc(text.n + 1);

	if (copy == NULL)
		return NULL;
	if (text.n > 0)
		memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	return copy;
}

bool mg_str_copy(char *place, size_t size, struct mg_str s)
{
	size_t n = s.n < size ? s.n : size - 1;

	if (n > 0)
		memcpy(place, s.p, n);
	place[n] = '\0';
	return n == s.n;
}

void mg_lower(char *text)
{
	for (; *text != '\0'; text++)
		*text = (char)lower(*text);
}

unsigned mg_str_distance(struct mg_str a, struct mg_str b)
{
	enum { LONGEST = 63 };
	unsigned row[LONGEST + 1];

	if (a.n > LONGEST || b.n > LONGEST)
		return LONGEST + 1;
	for (size_t j = 0; j <= b.n; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= a.n; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b.n; j++) {
			unsigned change = diagonal + (lower(a.p[i - 1]) != lower(b.p[j - 1]));
			unsigned least = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;

			diagonal = row[j];
			row[j] = change < least ? change : least;
		}
	}
	return row[b.n];
}
