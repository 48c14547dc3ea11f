/* message_kit.h - DKIM and ARC over whole messages, and messages signed for it.
 *
 * A message is text with LF or CRLF line ends; they become CRLF. */
#ifndef MG_TEST_MESSAGE_KIT_H
#define MG_TEST_MESSAGE_KIT_H

#include <openssl/evp.h>

#include "auth/arc.h"
#include "auth/dkim.h"
#include "zone_kit.h"

/* ---- verifying ---- */

struct message {
	struct mg_arena arena, small;
	struct mg_fields fields;
	struct mg_body_hashes *hashes;
	struct mg_lookup *lookup;
	struct mg_dkim *dkim;
	struct mg_arc *arc;
};

/* Verifies `text` with bodies cut into pieces of `chunk` bytes (0: whole). A slow zone's answers are delivered one by one
 * after the body. `options` may be NULL: ten signatures. */
void message_verify(struct message *message, struct zone *zone, const char *text, size_t n,
	const struct mg_dkim_options *options, size_t chunk);
/* Only the chain, the evaluator in an arena of `max` bytes. False: it could not be made; nothing is to be ended. */
bool message_verify_arc(struct message *message, struct zone *zone, const char *header, const char *body, size_t max);
void message_end(struct message *message);

/* ---- signing ---- */

EVP_PKEY *make_rsa(unsigned bits); /* beyond 4096: only a public key */
EVP_PKEY *make_ed25519(void);

/* The p= of a key, into `place`; is_bare: RSAPublicKey instead of SubjectPublicKeyInfo. */
void public_key(EVP_PKEY *key, bool is_bare, char *place, size_t size);

/* bh= of a body with CRLF line ends. */
void body_hash(const char *body, size_t n, enum mg_canon form, uint64_t limit, char place[64]);

/* Appends "NAME: TAGS b=..." and CRLF to `out`, signing over `header` (text, fields with CRLF) what h= names; the header
 * form by `form`. `first`: text that is hashed before, as it is (the seals of a chain); then h= is not looked at. */
struct signing {
	const char *name, *tags, *header, *names; /* names: "From:To"; NULL for a seal */
	enum mg_canon form;
	EVP_PKEY *key;
	const char *first;
};
void sign(struct mg_buf *out, const struct signing *signing);

#endif
