#include "postfix/relay_suffix.h"

#include <libpsl.h>

enum { NAME_BYTES = 256 };

/* Top-level names that are nobody's outside. ("example" is in every manual and stands for a real one.) */
static bool is_local(struct mg_str name)
{
	static const char *const names[] = { "localhost", "localdomain", "local", "lan", "home", "internal", "intranet",
		"corp", "private", "invalid", "onion", "test" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (mg_str_eq_nocase(name, mg_str_z(names[i])))
			return true;
	return false;
}

static bool is_label(struct mg_str name)
{
	bool has_letter = false;

	for (size_t i = 0; i < name.n; i++) {
		unsigned char c = (unsigned char)name.p[i];
		bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;

		if (!is_letter && (c < '0' || c > '9') && c != '-')
			return false;
		has_letter = has_letter || is_letter;
	}
	return has_letter;
}

bool mg_relay_is_suffix(struct mg_str domain)
{
	const psl_ctx_t *list = psl_builtin();
	char name[NAME_BYTES];

	if (domain.n == 0 || !mg_str_copy(name, sizeof name, domain))
		return false;
	if (mg_str_find(domain, '.') == SIZE_MAX)
		return is_label(domain) && !is_local(domain);
	return list != NULL && psl_is_public_suffix2(list, name, PSL_TYPE_ICANN | PSL_TYPE_NO_STAR_RULE) == 1;
}
