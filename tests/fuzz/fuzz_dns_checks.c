/* What the checks of DNS read from strangers: a policy of MTA-STS and its announcement, a TLSA record, a name of an address. */
#include <stdint.h>
#include <stdlib.h>

#include "health/ptr_name.h"
#include "health/sts_policy.h"
#include "health/tlsa.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct mg_ip ip4 = { MG_IP_V4, { 192, 0, 2, 25 } };
	static const struct mg_ip ip6 = { MG_IP_V6, { 0x20, 0x01, 0x0d, 0xb8, 1, 2, 3, 4 } };
	struct mg_str text = mg_str_of(data, size), id;
	struct mg_sts_policy policy;
	struct mg_tlsa tlsa;

	if (mg_sts_policy_parse(text, &policy) != (policy.wrong == NULL) || policy.mx_count > MG_STS_MX)
		abort();
	if (policy.mx_count > 0 && policy.mx[0].n == 0)
		abort();
	mg_sts_policy_covers(&policy, mg_str_first(text, 60));
	if (mg_sts_record_parse(text, &id) && (id.n < 1 || id.n > 32))
		abort();
	if (mg_tlsa_parse(text, &tlsa) && mg_tlsa_is_usable(&tlsa) && tlsa.data.n + 3 != size)
		abort();
	mg_ptr_holds_address(mg_str_first(text, 253), &ip4);
	mg_ptr_holds_address(mg_str_first(text, 253), &ip6);
	mg_ptr_has_provider_word(mg_str_first(text, 253));
	return 0;
}
