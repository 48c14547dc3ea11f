#include "mail/auth_results.h"

#include "mail/cfws.h"

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

	mg_skip_cfws(&value);
	if (value.n > 0 && value.p[0] == '"')
		return quoted_is(value, authserv_id);
	while (end < value.n && strchr(" \t\r\n;(", value.p[end]) == NULL)
		end++;
	value = mg_str_first(value, end);
	if (value.n > 1 && value.p[value.n - 1] == '.')
		value.n--;
	return authserv_id.n > 0 && mg_str_eq_nocase(value, authserv_id);
}
