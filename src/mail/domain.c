#include "mail/domain.h"

#include <idn2.h>
#include <stdlib.h>

enum { LABEL_MAX = 63, U_LABELS_MAX = 1000 };

static bool is_host_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static bool is_sound(struct mg_str domain)
{
	while (domain.n > 0) {
		size_t dot = mg_str_find(domain, '.');
		struct mg_str label = mg_str_first(domain, dot);

		if (label.n == 0 || label.n > LABEL_MAX || label.p[0] == '-' || label.p[label.n - 1] == '-')
			return false;
		for (size_t i = 0; i < label.n; i++)
			if (!is_host_byte(label.p[i]))
				return false;
		if (dot == SIZE_MAX)
			return true;
		domain = mg_str_from(domain, dot + 1);
	}
	return false;
}

static bool has_high_bytes(struct mg_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] > 0x7f)
			return true;
	return false;
}

/* libidn2 wants a C string; what it gives is its own. */
static bool convert(struct mg_str domain, char place[MG_DOMAIN_TEXT])
{
	char *text = domain.n <= U_LABELS_MAX ? mg_str_dup(domain) : NULL, *ascii = NULL;
	bool is_done = text != NULL && strlen(text) == domain.n &&
		       idn2_to_ascii_8z(text, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) == IDN2_OK &&
		       mg_str_copy(place, MG_DOMAIN_TEXT, mg_str_z(ascii));

	free(text);
	idn2_free(ascii);
	return is_done;
}

bool mg_domain_ascii(struct mg_str domain, char place[MG_DOMAIN_TEXT])
{
	if (domain.n > 1 && domain.p[domain.n - 1] == '.')
		domain.n--;
	if (has_high_bytes(domain) ? convert(domain, place) : mg_str_copy(place, MG_DOMAIN_TEXT, domain)) {
		mg_lower(place);
		if (strlen(place) >= (has_high_bytes(domain) ? 1 : domain.n) && is_sound(mg_str_z(place)))
			return true;
	}
	place[0] = '\0';
	return false;
}

bool mg_domain_is_within(struct mg_str domain, struct mg_str parent)
{
	if (parent.n == 0 || domain.n < parent.n || !mg_str_ends(domain, parent))
		return false;
	return domain.n == parent.n || domain.p[domain.n - parent.n - 1] == '.';
}

struct mg_str mg_domain_parent(struct mg_str domain)
{
	size_t dot = mg_str_find(domain, '.');

	return dot == SIZE_MAX ? mg_str_of(domain.p, 0) : mg_str_from(domain, dot + 1);
}

size_t mg_domain_labels(struct mg_str domain)
{
	size_t labels = domain.n > 0;

	for (size_t i = 0; i < domain.n; i++)
		labels += domain.p[i] == '.';
	return labels;
}
