#include "auth/dmarc_rfc7489.h"

#include <libpsl.h>

#include "base/i18n.h"

/* The registrable domain by the public suffix list; the domain itself when it is a suffix or the list is absent. */
static struct mg_str registrable(struct mg_str domain)
{
	const psl_ctx_t *list = psl_builtin();
	char text[MG_DOMAIN_TEXT];
	const char *found;

	if (list == NULL || !mg_str_copy(text, sizeof text, domain))
		return domain;
	found = psl_registrable_domain(list, text);
	return found == NULL ? domain : mg_str_from(domain, (size_t)(found - text));
}

static bool is_aligned(struct mg_str author, struct mg_str domain, bool is_strict)
{
	return mg_str_eq(author, domain) || (!is_strict && mg_str_eq(registrable(author), registrable(domain)));
}

static bool would_pass(struct mg_str author, const struct mg_dmarc_record *record,
	const struct mg_dmarc_identifier *identifiers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (identifiers[i].result == MG_RESULT_PASS &&
			is_aligned(author, mg_str_z(identifiers[i].domain),
				identifiers[i].is_spf ? record->strict_spf : record->strict_dkim))
			return true;
	return false;
}

const char *mg_dmarc_rfc7489_differs(struct mg_str author, const struct mg_dmarc_record *record,
	struct mg_str policy_domain, const struct mg_dmarc_identifier *identifiers, size_t count, bool has_passed)
{
	if (!mg_str_eq(policy_domain, author) && !mg_str_eq(policy_domain, registrable(author)))
		return N_("RFC 7489 would have looked for the policy elsewhere");
	if (would_pass(author, record, identifiers, count) != has_passed)
		return has_passed ? N_("RFC 7489 would not have seen it aligned")
				  : N_("RFC 7489 would have seen it aligned");
	if (has_passed)
		return "";
	if (record->pct < 100 && record->p > MG_DMARC_NONE)
		return N_("RFC 7489 would have applied the policy to a part of such mail only (pct)");
	if (record->is_testing || record->np >= MG_DMARC_NONE)
		return N_("RFC 7489 did not know t= and np=");
	return "";
}
