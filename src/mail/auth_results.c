#include "mail/auth_results.h"

#include "mail/cfws.h"
#include "mail/domain.h"

enum { ID_MAX = 1000 };

/* The content of a quoted-string without its escapes; false when it does not fit. */
static bool unescape(struct mg_str content, char *place, size_t size)
{
	size_t n = 0;

	for (size_t at = 0; at < content.n; at++) {
		if (content.p[at] == '\\' && at + 1 < content.n)
			at++;
		if (n + 1 >= size)
			return false;
		place[n++] = content.p[at];
	}
	place[n] = '\0';
	return true;
}

/* Bytes, without case; and as domains, so that A-labels and U-labels are the same. */
static bool is_same_id(struct mg_str id, struct mg_str own)
{
	char a[MG_DOMAIN_TEXT], b[MG_DOMAIN_TEXT];

	return mg_str_eq_nocase(id, own) ||
	       (mg_domain_ascii(id, a) && mg_domain_ascii(own, b) && mg_str_eq(mg_str_z(a), mg_str_z(b)));
}

bool mg_auth_results_claims(struct mg_str value, struct mg_str authserv_id)
{
	struct mg_str content;
	char id[ID_MAX];
	size_t end = 0;

	if (authserv_id.n == 0)
		return false;
	mg_skip_cfws(&value);
	if (mg_read_quoted(&value, &content))
		return unescape(content, id, sizeof id) && is_same_id(mg_str_z(id), authserv_id);
	mg_read_token(&value, MG_STR("\"")); /* never closed: no reader agrees with another on what that says */
	/* What ends the word is no part of a token (RFC 2045 section 5.1): "id/1" is not well-formed, but claims to be us. */
	while (end < value.n && strchr(" \t\r\n()<>@,;:\\\"/[]?=", value.p[end]) == NULL)
		end++;
	return is_same_id(mg_str_first(value, end), authserv_id);
}
