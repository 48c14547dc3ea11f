/* body_hash.h - the hashes of one message's body that its signatures ask for, each computed once as the body streams by.
 *
 * Threads: one owner. */
#ifndef MG_AUTH_BODY_HASH_H
#define MG_AUTH_BODY_HASH_H

#include "auth/crypto.h"
#include "mail/canon.h"

enum { MG_BODY_HASHES = 16 };
#define MG_BODY_WHOLE UINT64_MAX /* no l= */

struct mg_body_hashes; /* heap */

struct mg_body_hashes *mg_body_hashes_new(void); /* NULL: no memory */
void mg_body_hashes_free(struct mg_body_hashes **hashes);

/* Asks for SHA-256 of the first `limit` bytes of the body in this canonical form. Before the first byte of body. Returns
 * its number; equal wishes share one; -1 when there are too many. */
int mg_body_hashes_want(struct mg_body_hashes *hashes, enum mg_canon form, uint64_t limit);

void mg_body_hashes_add(struct mg_body_hashes *hashes, struct mg_str chunk); /* line ends CRLF, as on the wire */
void mg_body_hashes_end(struct mg_body_hashes *hashes);

/* Once ended. *whole_bytes_out: the length of the whole canonical body (a limit beyond it is an error of the signature,
 * RFC 6376 section 3.4.5; one below it leaves bytes unsigned). */
const unsigned char *mg_body_hashes_digest(const struct mg_body_hashes *hashes, int number, uint64_t *whole_bytes_out);

#endif
