/* crypto.h - the little cryptography that verification needs. OpenSSL is seen only in crypto.c.
 *
 * Public keys once parsed are kept (MG_CRYPTO_KEYS, the longest unused go first): parsing one costs more than using it.
 *
 * Threads: every call is safe from any; a digest has one owner. */
#ifndef MG_AUTH_CRYPTO_H
#define MG_AUTH_CRYPTO_H

#include "base/str.h"

enum { MG_SHA256_BYTES = 32, MG_CRYPTO_KEYS = 1024, MG_RSA_BITS_MIN = 1024, MG_RSA_BITS_MAX = 4096 };

/* ---- SHA-256 (FIPS 180-4), as it streams ---- */

struct mg_sha256;                      /* heap */
struct mg_sha256 *mg_sha256_new(void); /* NULL: no memory */
void mg_sha256_add(struct mg_sha256 *hash, struct mg_str bytes);
void mg_sha256_end(struct mg_sha256 *hash, unsigned char digest_out[MG_SHA256_BYTES]); /* may be begun anew by add */
/* `hash` goes on from where `from` is. False: no memory. */
MG_MUSTCHECK
bool mg_sha256_copy(struct mg_sha256 *hash, const struct mg_sha256 *from);
void mg_sha256_free(struct mg_sha256 **hash); /* NULL in it is fine */

/* ---- signatures ---- */

enum mg_key_kind { MG_KEY_RSA, MG_KEY_ED25519 };

enum mg_verified {
	MG_VERIFIED,      /* the signature is right */
	MG_NOT_VERIFIED,  /* it is not */
	MG_KEY_MALFORMED, /* no key of this kind, or one no sane signer has (an even or huge exponent) */
	MG_KEY_TOO_SHORT, /* RSA under 1024 bits (RFC 8301 section 3.2) */
	MG_KEY_TOO_LONG,  /* RSA over 4096 bits: bounds our work */
	MG_CRYPTO_FAILED, /* we could not: no memory */
};

/* Verifies `signature` over the SHA-256 `digest`: RSASSA-PKCS1-v1_5 (RFC 8017; `key` a SubjectPublicKeyInfo or, as RFC
 * 6376's ABNF has it, a bare RSAPublicKey, DER), or Ed25519 over the digest's bytes (RFC 8463 section 3; `key` 32 bytes).
 * *bits_out: the key's size, 0 unknown. */
enum mg_verified mg_verify(enum mg_key_kind kind, struct mg_str key, const unsigned char digest[MG_SHA256_BYTES],
	struct mg_str signature, unsigned *bits_out);

/* ---- our own keys and certificates, as files hold them (PEM); for checks, not for the mail path ---- */

enum { MG_PUBLIC_KEY_BYTES = 2048, MG_PEM_CERTIFICATES = 8, MG_CERTIFICATE_BYTES = 16 * 1024 };

struct mg_public_key {
	enum mg_key_kind kind;
	unsigned bits;
	unsigned char
		bytes[MG_PUBLIC_KEY_BYTES]; /* as p= publishes it: a SubjectPublicKeyInfo, or Ed25519's 32 bytes */
	size_t n;
};

/* The public half of a private key. False: no such key (or one with a passphrase). */
bool mg_public_key_of(struct mg_str pem, struct mg_public_key *key_out);
/* A published key of this kind; what mg_verify() would say of it: MG_VERIFIED for one that may be used. */
enum mg_verified mg_public_key_read(enum mg_key_kind kind, struct mg_str bytes, unsigned *bits_out);
/* Whether published bytes are this key, in either form. */
bool mg_public_key_is(const struct mg_public_key *key, enum mg_key_kind kind, struct mg_str bytes);

/* What TLSA matches (RFC 6698 section 2.1) of certificate `at` (0: the first) in a file: selector 0 the certificate, 1 its key;
 * matching 0 all of it, 1 SHA-256, 2 SHA-512. At most MG_PEM_CERTIFICATES are looked at. False: there is none, or another
 * selector or matching. `place` has MG_CERTIFICATE_BYTES. */
bool mg_certificate_match(
	struct mg_str pem, size_t at, unsigned selector, unsigned matching, unsigned char *place, size_t *bytes_out);

/* Lets go of the keys kept. At exit, when no other thread verifies. */
void mg_crypto_fini(void);

/* Whether two digests are the same, in a time that does not tell where they differ. */
bool mg_digest_eq(const unsigned char *a, const unsigned char *b, size_t bytes);

#endif
