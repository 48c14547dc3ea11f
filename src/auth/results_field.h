/* results_field.h - the Authentication-Results field that says what an evaluation found (RFC 8601 section 2.2; RFC 6008 for
 * header.b, RFC 8904 for dnswl, RFC 8617 section 10.2 for arc, RFC 9989 section 9 for policy.dmarc).
 *
 * Threads: pure. */
#ifndef MG_AUTH_RESULTS_FIELD_H
#define MG_AUTH_RESULTS_FIELD_H

#include "auth/evaluation.h"
#include "base/buf.h"

enum { MG_RESULTS_FIELD = 8 * 1024 };

/* Appends the field's value: "ID; spf=pass smtp.mailfrom=...". `fold` stands in front of every method (" " for one line,
 * "\n\t" for a header). No control bytes besides those of `fold`, whatever the message held. An empty buffer of MG_RESULTS_FIELD holds it always:
 * signatures beyond are left out. */
void mg_results_field(
	struct mg_buf *out, const struct mg_evaluation *evaluation, const char *authserv_id, const char *fold);

#endif
