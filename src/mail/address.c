#include "mail/address.h"

struct mg_str mg_address_bare(struct mg_str path)
{
	path = mg_str_trim(path);
	if (path.n >= 2 && path.p[0] == '<' && path.p[path.n - 1] == '>')
		return mg_str_of(path.p + 1, path.n - 2);
	return path;
}

struct mg_str mg_address_domain(struct mg_str address)
{
	size_t at = mg_str_rfind(address, '@');
	struct mg_str domain;

	if (at == SIZE_MAX)
		return mg_str_of(address.p, 0);
	domain = mg_str_from(address, at + 1);
	if (domain.n > 0 && domain.p[domain.n - 1] == '.')
		domain.n--;
	return domain;
}

/* The offset behind the quoted string or (nested) comment that begins at `at`; the field's end when it is open. */
static size_t skip_quoted(struct mg_str field, size_t at)
{
	for (at++; at < field.n && field.p[at] != '"'; at++)
		if (field.p[at] == '\\')
			at++;
	return at + 1;
}

static size_t skip_comment(struct mg_str field, size_t at)
{
	size_t depth = 0;

	for (; at < field.n; at++) {
		if (field.p[at] == '\\') {
			at++;
		} else if (field.p[at] == '(') {
			depth++;
		} else if (field.p[at] == ')' && --depth == 0) {
			return at + 1;
		}
	}
	return at;
}

static bool ends_domain(char c)
{
	return strchr(" \t\r\n>,;()<\"", c) != NULL;
}

struct mg_str mg_from_field_domain(struct mg_str field)
{
	struct mg_str found = mg_str_of(field.p, 0);
	size_t at = 0;

	while (at < field.n) {
		size_t start;

		if (field.p[at] == '"') {
			at = skip_quoted(field, at);
			continue;
		}
		if (field.p[at] == '(') {
			at = skip_comment(field, at);
			continue;
		}
		if (field.p[at++] != '@')
			continue;
		for (start = at; at < field.n && !ends_domain(field.p[at]); at++)
			;
		if (found.n > 0 && !mg_str_eq_nocase(found, mg_str_of(field.p + start, at - start)))
			return mg_str_of(field.p, 0);
		found = mg_str_of(field.p + start, at - start);
	}
	return found;
}
