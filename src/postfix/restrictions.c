#include "postfix/restrictions.h"

#define SEPARATORS ", \t\r\n"

struct row {
	const char *name; /* a trailing '*' stands for any more bytes */
	enum mg_restriction_kind kind;
	bool has_argument;
};

/* The first row that fits counts. Everything smtpd knows, by what it can do (smtpd_recipient_restrictions and its
 * kin in postconf(5)). */
static const struct row rows[] = {
	{ "permit", MG_RESTRICTION_PERMIT_ALL, false },
	{ "reject", MG_RESTRICTION_REJECT_ALL, false },
	{ "defer", MG_RESTRICTION_REJECT_ALL, false },
	{ "warn_if_reject", MG_RESTRICTION_MODIFIER, false },
	{ "sleep", MG_RESTRICTION_NEUTRAL, true },
	{ "defer_if_permit", MG_RESTRICTION_NEUTRAL, false },
	{ "defer_if_reject", MG_RESTRICTION_NEUTRAL, false },
	{ "check_policy_service", MG_RESTRICTION_POLICY, true },
	{ "check_address_map", MG_RESTRICTION_ACCESS, true },
	{ "check_relay_domains", MG_RESTRICTION_PERMIT_IF, false },
	{ "check_*_access", MG_RESTRICTION_ACCESS, true },
	{ "permit_dnswl_client", MG_RESTRICTION_PERMIT_IF, true },
	{ "permit_rhswl_client", MG_RESTRICTION_PERMIT_IF, true },
	{ "permit_*", MG_RESTRICTION_PERMIT_IF, false },
	{ "reject_rbl_client", MG_RESTRICTION_REJECT_IF, true },
	{ "reject_rhsbl_*", MG_RESTRICTION_REJECT_IF, true },
	{ "reject_maps_rbl", MG_RESTRICTION_REJECT_IF, false },
	{ "reject_*", MG_RESTRICTION_REJECT_IF, false },
	{ "defer_unauth_destination", MG_RESTRICTION_REJECT_IF, false },
};

bool mg_postfix_word(struct mg_str *rest, struct mg_str *word_out)
{
	size_t begin = 0, end, depth = 0;

	while (begin < rest->n && strchr(SEPARATORS, rest->p[begin]) != NULL && rest->p[begin] != '\0')
		begin++;
	for (end = begin; end < rest->n; end++) {
		char c = rest->p[end];

		if (c == '{')
			depth++;
		else if (c == '}' && depth > 0)
			depth--;
		else if (depth == 0 && c != '\0' && strchr(SEPARATORS, c) != NULL)
			break;
	}
	if (begin == end)
		return false;
	*word_out = mg_str_of(rest->p + begin, end - begin);
	*rest = mg_str_from(*rest, end);
	return true;
}

static bool fits(struct mg_str name, struct mg_str pattern)
{
	size_t star = mg_str_find(pattern, '*');
	struct mg_str tail = mg_str_from(pattern, star == SIZE_MAX ? pattern.n : star + 1);

	if (star == SIZE_MAX)
		return mg_str_eq_nocase(name, pattern);
	return name.n >= pattern.n - 1 && mg_str_starts_nocase(name, mg_str_first(pattern, star)) &&
	       mg_str_ends_nocase(name, tail);
}

bool mg_restriction_next(struct mg_str *rest, struct mg_restriction *out)
{
	const struct row *row = NULL;

	*out = (struct mg_restriction){ .kind = MG_RESTRICTION_OTHER };
	if (!mg_postfix_word(rest, &out->name))
		return false;
	for (size_t i = 0; row == NULL && i < sizeof rows / sizeof rows[0]; i++)
		if (fits(out->name, mg_str_z(rows[i].name)))
			row = &rows[i];
	if (row != NULL) {
		out->kind = row->kind;
		if (row->has_argument)
			(void)mg_postfix_word(rest, &out->argument);
	} else if (mg_str_find(out->name, ':') != SIZE_MAX) {
		out->kind = MG_RESTRICTION_ACCESS; /* hash:/path without check_..._access */
	}
	return true;
}

bool mg_restriction_may_permit(const struct mg_restriction *restriction)
{
	switch (restriction->kind) {
	case MG_RESTRICTION_PERMIT_ALL:
	case MG_RESTRICTION_PERMIT_IF:
	case MG_RESTRICTION_ACCESS:
	case MG_RESTRICTION_POLICY:
	case MG_RESTRICTION_OTHER:
		return true;
	default:
		return false;
	}
}

bool mg_restriction_ends(const struct mg_restriction *restriction)
{
	return restriction->kind == MG_RESTRICTION_PERMIT_ALL || restriction->kind == MG_RESTRICTION_REJECT_ALL;
}
