/* message.h - a message as a file holds it, taken apart into header fields and body (RFC 5322 section 2.1).
 *
 * Lines end in LF or CRLF and count as CRLF. A first line "From " (mbox) is left out. The header ends at an empty line, or,
 * as with Postfix, at the first line that is no field.
 *
 * Threads: pure. */
#ifndef MG_MAIL_MESSAGE_H
#define MG_MAIL_MESSAGE_H

#include "base/str.h"

/* Takes the next field off *rest: its name, and its value with leading white space and folds as they stand, without the last
 * line end. False: the header is over, and *rest is the body. */
bool mg_message_field(struct mg_str *rest, struct mg_str *name_out, struct mg_str *value_out);

/* Gives the body piece by piece, every line end as CRLF. */
void mg_message_body(struct mg_str body, void (*sink)(void *context, struct mg_str piece), void *context);

#endif
