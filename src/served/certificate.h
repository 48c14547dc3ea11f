/* certificate.h - certificates as facts: of a PEM file, or as a server presented them.
 *
 * A chain holds its certificates in the order they stand; the first is the server's own. Files are read to FILE_MAX bytes and
 * MG_CHAIN_MAX certificates; text of a certificate is cut and made printable. OpenSSL is seen only in tls_*.c.
 *
 * Threads: a chain never changes; one owner. */
#ifndef MG_SERVED_CERTIFICATE_H
#define MG_SERVED_CERTIFICATE_H

#include <stdint.h>

#include "base/str.h"

enum {
	MG_CHAIN_MAX = 32,
	MG_CERT_TEXT = 256,
	MG_CERT_NAMES = 512,
	MG_CERT_DIGEST = 32, /* bytes of SHA-256 */
};

struct mg_cert_facts {
	char subject[MG_CERT_TEXT], issuer[MG_CERT_TEXT]; /* "CN = mail.example.com, O = Example" */
	char common_name[MG_CERT_TEXT];                   /* the last CN of the subject, "" */
	char names[MG_CERT_NAMES];         /* subjectAltName: DNS names and addresses, by ", "; may be cut */
	int64_t not_before_s, not_after_s; /* epoch */
	bool is_self_signed, is_ca;
	unsigned char sha256[MG_CERT_DIGEST];      /* of the certificate */
	unsigned char spki_sha256[MG_CERT_DIGEST]; /* of its SubjectPublicKeyInfo: DANE 3 1 1, 2 1 1 (RFC 6698) */
	char key_kind[16];                         /* "RSA", "EC", "ED25519" */
	unsigned key_bits;
};

struct mg_chain;

/* The certificates of a PEM file, other blocks skipped. MG_ENOENT, MG_EPERM (no right to read it), MG_ERANGE, MG_ESYNTAX (none in it;
 * DER; garbage): `err` says it with the file's name. */
MG_MUSTCHECK
enum mg_rc mg_chain_load(const char *path, struct mg_chain **chain_out, struct mg_err *err);
/* The same of text; `name` stands in sentences. */
MG_MUSTCHECK
enum mg_rc mg_chain_parse(struct mg_str pem, const char *name, struct mg_chain **chain_out, struct mg_err *err);
void mg_chain_free(struct mg_chain **chain); /* sets *chain to NULL; NULL in it is fine */

size_t mg_chain_count(const struct mg_chain *chain); /* at least 1 */
const struct mg_cert_facts *mg_chain_at(const struct mg_chain *chain, size_t i);
/* Whether one of them has this SHA-256. */
bool mg_chain_holds(const struct mg_chain *chain, const unsigned char sha256[MG_CERT_DIGEST]);

/* Whether the first certificate covers a host name or address (RFC 9525; without any DNS name in subjectAltName, its CN). */
bool mg_chain_covers(const struct mg_chain *chain, const char *host);

enum mg_chain_state {
	MG_CHAIN_TRUSTED,
	MG_CHAIN_SELF_SIGNED, /* the server's own certificate is its own issuer */
	MG_CHAIN_INCOMPLETE,  /* an issuer is neither sent nor in the trust store */
	MG_CHAIN_PRIVATE_CA,  /* the chain ends at a root that is not in the trust store */
	MG_CHAIN_EXPIRED,     /* a certificate above the server's own has expired, or is not valid yet */
	MG_CHAIN_BROKEN,      /* anything else: `why` says it */
};

/* The first certificate's way to the system's trust store (SSL_CERT_FILE, SSL_CERT_DIR count), with the others as help. The time of
 * the first certificate itself is not looked at: it has its own check. `why`: OpenSSL's words, in `place`. */
enum mg_chain_state mg_chain_trust(const struct mg_chain *chain, char *place, size_t size);

enum mg_key_fit {
	MG_KEY_FITS,
	MG_KEY_FITS_NOT,  /* keys, but none of this chain's certificates */
	MG_KEY_NONE,      /* no private key in the file */
	MG_KEY_LOCKED,    /* behind a passphrase that a server does not have */
	MG_KEY_UNREADABLE /* `err` says why; *rc_out as mg_chain_load() */
};

/* Whether a file holds the private key of one of the chain's certificates that are no CA's (or of the first). */
enum mg_key_fit mg_chain_fit(
	const struct mg_chain *chain, const char *key_path, enum mg_rc *rc_out, struct mg_err *err);

#endif
