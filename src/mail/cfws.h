/* cfws.h - comments and folding white space of structured header fields (RFC 5322 section 3.2).
 *
 * Threads: pure. */
#ifndef MG_MAIL_CFWS_H
#define MG_MAIL_CFWS_H

#include "base/str.h"

/* Advances over white space, line ends and (nested) comments; an unclosed comment takes the rest. */
bool mg_skip_cfws(struct mg_str *rest); /* false: a comment is left open, to the end */

/* Advances over a quoted-string and gives what stands between the quotes, escapes still in it. False: none begins here, or
 * it is not closed. */
bool mg_read_quoted(struct mg_str *rest, struct mg_str *content_out);

#endif
