/* Header fields as strangers write them: the author's domain lies within the field, and no claim is read beyond it. */
#include <stdint.h>
#include <stdlib.h>

#include "mail/address.h"
#include "mail/auth_results.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *exact = malloc(size == 0 ? 1 : size); /* so that a read behind it is seen */
	struct mg_str field = mg_str_of(exact, size), domain;

	if (exact == NULL)
		return 0;
	memcpy(exact, data, size);
	domain = mg_from_field_domain(field);
	if (domain.n > 0 && (domain.p < exact || domain.p + domain.n > exact + size))
		abort();
	domain = mg_address_domain(mg_address_bare(field));
	if (domain.n > 0 && (domain.p < exact || domain.p + domain.n > exact + size))
		abort();
	mg_auth_results_claims(field, MG_STR("mail.example"));
	free(exact);
	return 0;
}
