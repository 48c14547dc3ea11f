#include "health/tlsa.h"

#include "auth/crypto.h"

enum { DANE_TA = 2, DANE_EE = 3 };

bool mg_tlsa_parse(struct mg_str record, struct mg_tlsa *tlsa_out)
{
	if (record.n < 4)
		return false;
	*tlsa_out = (struct mg_tlsa){ (unsigned char)record.p[0], (unsigned char)record.p[1],
		(unsigned char)record.p[2], mg_str_from(record, 3) };
	return (tlsa_out->matching != 1 || tlsa_out->data.n == 32) &&
	       (tlsa_out->matching != 2 || tlsa_out->data.n == 64);
}

bool mg_tlsa_is_usable(const struct mg_tlsa *tlsa)
{
	return (tlsa->usage == DANE_TA || tlsa->usage == DANE_EE) && tlsa->selector <= 1 && tlsa->matching <= 2;
}

bool mg_tlsa_matches(const struct mg_tlsa *tlsa, struct mg_str pem)
{
	unsigned char bytes[MG_CERTIFICATE_BYTES];
	size_t first = tlsa->usage == DANE_TA ? 1 : 0, last = tlsa->usage == DANE_TA ? MG_PEM_CERTIFICATES : 1, n;

	for (size_t at = first; at < last; at++) {
		if (!mg_certificate_match(pem, at, tlsa->selector, tlsa->matching, bytes, &n))
			return false;
		if (mg_str_eq(mg_str_of(bytes, n), tlsa->data))
			return true;
	}
	return false;
}

bool mg_tlsa_write(struct mg_str pem, struct mg_buf *out)
{
	unsigned char bytes[MG_CERTIFICATE_BYTES];
	size_t n;

	if (!mg_certificate_match(pem, 0, 1, 1, bytes, &n))
		return false;
	mg_buf_addz(out, "3 1 1 ");
	for (size_t i = 0; i < n; i++)
		mg_buf_addf(out, "%02x", bytes[i]);
	return true;
}
