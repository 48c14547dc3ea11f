/* Header fields as strangers write them: the author's domains are sound, and no claim is read beyond it. */
#include <stdint.h>
#include <stdlib.h>

#include "mail/address.h"
#include "mail/auth_results.h"
#include "mail/author.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *exact = malloc(size == 0 ? 1 : size); /* so that a read behind it is seen */
	struct mg_str field = mg_str_of(exact, size), domain;
	struct mg_author author = { 0 };
	char ascii[MG_DOMAIN_TEXT];

	if (exact == NULL)
		return 0;
	memcpy(exact, data, size);
	mg_author_field(&author, field);
	for (size_t i = 0; i < author.count; i++)
		if (!mg_domain_ascii(mg_str_z(author.domain[i]), ascii) || strcmp(ascii, author.domain[i]) != 0)
			abort();
	if (author.state == MG_AUTHOR_SOUND && author.count != 1)
		abort();
	domain = mg_address_domain(mg_address_bare(field));
	if (domain.n > 0 && (domain.p < exact || domain.p + domain.n > exact + size))
		abort();
	mg_auth_results_claims(field, MG_STR("mail.example"));
	free(exact);
	return 0;
}
