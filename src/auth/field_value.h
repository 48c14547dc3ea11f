/* field_value.h - a value inside a header field that we write: as it is where it is a token, else as a quoted-string.
 *
 * Threads: pure. */
#ifndef MG_AUTH_FIELD_VALUE_H
#define MG_AUTH_FIELD_VALUE_H

#include "base/buf.h"

/* Appends at most 256 bytes of `text`: a token (RFC 2045 section 5.1), or '@' and a token, stays as it is; all else is put
 * into quotes (RFC 5322 section 3.2.4), where bytes that have no place in a header become '?'. */
void mg_field_value(struct mg_buf *out, const char *text);

#endif
