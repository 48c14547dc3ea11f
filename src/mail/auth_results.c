#include "mail/auth_results.h"

/* Skips comments and folding white space (RFC 5322 section 3.2.2). */
static struct mg_str skip_cfws(struct mg_str s)
{
	size_t depth = 0;

	while (s.n > 0) {
		char c = s.p[0];

		if (c == '(') {
			depth++;
		} else if (c == ')' && depth > 0) {
			depth--;
		} else if (c == '\\' && depth > 0) {
			s = mg_str_from(s, 1);
		} else if (depth == 0 && strchr(" \t\r\n", c) == NULL) {
			break;
		}
		s = mg_str_from(s, 1);
	}
	return s;
}

/* Compares a quoted-string's content with `id`, unescaping as it goes. */
static bool quoted_is(struct mg_str s, struct mg_str id)
{
	size_t matched = 0;

	for (size_t at = 1; at < s.n; at++) {
		if (s.p[at] == '"')
			return matched == id.n;
		if (s.p[at] == '\\' && at + 1 < s.n)
			at++;
		if (matched == id.n || !mg_str_eq_nocase(mg_str_of(s.p + at, 1), mg_str_of(id.p + matched, 1)))
			return false;
		matched++;
	}
	return false;
}

bool mg_auth_results_claims(struct mg_str value, struct mg_str authserv_id)
{
	size_t end = 0;

	value = skip_cfws(value);
	if (value.n > 0 && value.p[0] == '"')
		return quoted_is(value, authserv_id);
	while (end < value.n && strchr(" \t\r\n;(", value.p[end]) == NULL)
		end++;
	value = mg_str_first(value, end);
	if (value.n > 1 && value.p[value.n - 1] == '.')
		value.n--;
	return authserv_id.n > 0 && mg_str_eq_nocase(value, authserv_id);
}
