/* dkim_key.h - a public key as published in DNS (RFC 6376 section 3.6), and whether a signature is right under it.
 *
 * Several TXT records under one name are undefined (section 3.6.2.2): at most MG_DKIM_RECORDS are tried in their order; a
 * key with which the signature is right wins, else the first record that is a key tells the result.
 *
 * Threads: pure. */
#ifndef MG_AUTH_DKIM_KEY_H
#define MG_AUTH_DKIM_KEY_H

#include "auth/dkim_signature.h"
#include "dns/answer.h"

enum { MG_DKIM_RECORDS = 4, MG_DKIM_RECORD_BYTES = 4096 };

struct mg_dkim_verdict {
	enum mg_result result; /* pass, fail, policy, permerror, temperror */
	const char *reason;
	unsigned key_bits; /* 0 unknown */
	bool is_testing, is_strict, is_authentic;
};

/* `digest` is that of the header. */
struct mg_dkim_verdict mg_dkim_verify(const struct mg_dns_answer *answer, const struct mg_signature *signature,
	const unsigned char digest[MG_SHA256_BYTES]);

#endif
