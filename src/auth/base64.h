/* base64.h - base64 as DKIM writes it (RFC 4648 section 4, RFC 6376 section 2.10): folds and blanks may stand anywhere.
 *
 * Threads: pure. */
#ifndef MG_AUTH_BASE64_H
#define MG_AUTH_BASE64_H

#include "base/buf.h"

/* Decodes `text` into `place` of `room` bytes. False: a byte that is none of the alphabet, text behind the padding, a last
 * group of one character or with bits that stand for nothing, or more than `room` bytes. Missing padding is forgiven. */
bool mg_base64_decode(struct mg_str text, unsigned char *place, size_t room, size_t *bytes_out);

/* Appends the encoding, with padding and without folds. */
void mg_base64_encode(struct mg_buf *out, struct mg_str bytes);

#endif
