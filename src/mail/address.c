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
