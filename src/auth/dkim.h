/* dkim.h - DomainKeys Identified Mail (RFC 6376, 8301, 8463, 8616): which domains answer for this message?
 *
 * rsa-sha256 and ed25519-sha256 can pass; rsa-sha1 and RSA keys under 1024 bits never do. Bounds: `max_signatures` are looked
 * at, the rest is permerror by count; h= of 100 names; a field of 64 KiB; a key record of 4 KiB, four of one name; all
 * signatures together hash 16 MiB of header and 16 different bodies.
 *
 * Where the RFCs leave room:
 *   a field that is no valid signature, no key, a revoked one   permerror (RFC 6376 section 6.1: PERMFAIL)
 *   expired (x= before now)                                     fail (section 3.5 lets verifiers judge it)
 *   t= more than 300 s ahead                                    permerror
 *   l= beyond the body                                          permerror (section 3.4.5)
 *   l= below it, or a key of under 1024 or over 4096 bits       policy: it does not count, unless the options say so of l=
 *   the body's hash is wrong                                    fail at once, whatever the key would have been
 *   DNS gave no answer                                          temperror
 *   the message's questions are used up (dns/lookup.h)          permerror: its sender could have done with less
 *
 * Life: new, field by field as the header comes (keys are asked for at once), header_end, the body into the shared
 * mg_body_hashes, body_end, then step until done.
 *
 * Threads: one owner. Does no I/O. */
#ifndef MG_AUTH_DKIM_H
#define MG_AUTH_DKIM_H

#include "auth/body_hash.h"
#include "auth/result.h"
#include "dns/lookup.h"

struct mg_dkim_options {
	unsigned max_signatures; /* 1..64 */
	int64_t now_s;           /* for t= and x= */
	bool accepts_short_body; /* l= below the body's length may pass */
};

struct mg_dkim; /* lives in the arena */

/* `fields` outlives it and holds every field given to it. NULL: no memory. */
struct mg_dkim *mg_dkim_new(
	struct mg_arena *arena, const struct mg_fields *fields, const struct mg_dkim_options *options);

/* The field just appended to `fields`: looked at when it is a DKIM-Signature. Asks for its key. */
void mg_dkim_field(struct mg_dkim *dkim, struct mg_lookup *lookup);
/* The header is complete: asks for the body hashes it needs. */
void mg_dkim_header_end(struct mg_dkim *dkim, struct mg_body_hashes *hashes);
/* After mg_body_hashes_end(). */
void mg_dkim_body_end(struct mg_dkim *dkim, const struct mg_body_hashes *hashes);
enum mg_step mg_dkim_step(struct mg_dkim *dkim, struct mg_lookup *lookup);

struct mg_dkim_signature {
	enum mg_result result;
	const char *domain;    /* d=, A-labels, lower case; "" when the field can't be parsed */
	const char *selector;  /* s=; "" likewise */
	const char *algorithm; /* a=, printable; "" likewise */
	const char *identity;  /* i=, or "@" and d= */
	const char *reason;    /* plain English, one line; "" on pass */
	const char *b_start;   /* the first 8 characters of b=, for header.b (RFC 6008); "" none */
	unsigned key_bits;     /* 0 unknown */
	bool is_testing;       /* the key says t=y */
	bool is_strict;        /* t=s: i= must equal d= */
	bool covers_part_only; /* l= leaves bytes unsigned */
	bool covers_from_once; /* h= does not name From once more than it occurs: another could be added */
	bool is_authentic_key; /* the key came validated by DNSSEC */
};
/* Once done: one per DKIM-Signature field in their order, at most 64 (more are not told). */
const struct mg_dkim_signature *mg_dkim_signatures(const struct mg_dkim *dkim, size_t *count_out);

/* The one word for the message: pass if any passes, else the first's; none without signatures. */
enum mg_result mg_dkim_result(const struct mg_dkim *dkim);

#endif
