/* received_spf.h - the Received-SPF field (RFC 7208 section 9.1), for those who still read it.
 *
 * Threads: pure. */
#ifndef MG_AUTH_RECEIVED_SPF_H
#define MG_AUTH_RECEIVED_SPF_H

#include "auth/evaluation.h"
#include "base/buf.h"

/* Appends the field's value for the MAIL FROM identity; nothing when it was not evaluated. One line of printable ASCII. */
void mg_received_spf(struct mg_buf *out, const struct mg_evaluation *evaluation, const char *receiver);

#endif
