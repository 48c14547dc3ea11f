#include "mail/cfws.h"

static bool skip_comment(struct mg_str *rest)
{
	size_t depth = 0, at = 0;

	for (; at < rest->n; at++) {
		if (rest->p[at] == '\\') {
			at++;
		} else if (rest->p[at] == '(') {
			depth++;
		} else if (rest->p[at] == ')' && --depth == 0) {
			*rest = mg_str_from(*rest, at + 1);
			return true;
		}
	}
	*rest = mg_str_from(*rest, at);
	return false;
}

bool mg_skip_cfws(struct mg_str *rest)
{
	bool is_closed = true;

	while (rest->n > 0) {
		if (rest->p[0] == '(')
			is_closed = skip_comment(rest);
		else if (rest->p[0] == ' ' || rest->p[0] == '\t' || rest->p[0] == '\r' || rest->p[0] == '\n')
			*rest = mg_str_from(*rest, 1);
		else
			break;
	}
	return is_closed;
}

bool mg_read_quoted(struct mg_str *rest, struct mg_str *content_out)
{
	if (rest->n == 0 || rest->p[0] != '"')
		return false;
	for (size_t at = 1; at < rest->n; at++) {
		if (rest->p[at] == '\\') {
			at++;
		} else if (rest->p[at] == '"') {
			*content_out = mg_str_of(rest->p + 1, at - 1);
			*rest = mg_str_from(*rest, at + 1);
			return true;
		}
	}
	return false;
}
