/* header_hash.h - the header as a signature sees it: which fields its h= means, in canonical form (RFC 6376 sections 3.7 and
 * 5.4.2).
 *
 * The fields of a message are put in order by name once, and their relaxed form is made once, whatever the number of
 * signatures. All signatures together hash MG_HEADER_HASHED bytes at most.
 *
 * Threads: one owner. */
#ifndef MG_AUTH_HEADER_HASH_H
#define MG_AUTH_HEADER_HASH_H

#include "auth/crypto.h"
#include "mail/canon.h"

enum { MG_HEADER_NAMES = 100, MG_HEADER_HASHED = 16 * 1024 * 1024 };

struct mg_header_index; /* lives in the arena */

/* Of a header that is complete; `fields` outlives it. NULL: no memory. */
struct mg_header_index *mg_header_index_new(struct mg_arena *arena, const struct mg_fields *fields);

/* How many fields have this name (without case). */
size_t mg_header_index_count(const struct mg_header_index *index, struct mg_str name);

/* One field goes into the hash with its CRLF. False: the bound, or no memory. */
bool mg_header_hash_field(struct mg_header_index *index, enum mg_canon form, size_t field, struct mg_sha256 *hash);

/* The signature's own field goes into the hash: without the bytes `cut` (a slice of its value: the data of b=) and without
 * its CRLF. */
bool mg_header_hash_own(
	struct mg_header_index *index, enum mg_canon form, size_t field, struct mg_str cut, struct mg_sha256 *hash);

/* What a signature covers: the fields named (the last one of a name first, then upwards; a name without a field left adds
 * nothing), then its own field `own`, which no name means. */
struct mg_header_cover {
	enum mg_canon form;
	const struct mg_str *names;
	size_t name_count;
	size_t own; /* its place among the fields */
	struct mg_str cut;
};
bool mg_header_hash(struct mg_header_index *index, const struct mg_header_cover *cover, struct mg_sha256 *hash,
	unsigned char digest_out[MG_SHA256_BYTES]);

#endif
