/* request.h - one request of Postfix's policy delegation protocol: "name=value" lines up to an empty one.
 *
 * Of a name sent twice the first value counts. Names we don't know are skipped, as Postfix asks.
 *
 * Threads: pure. */
#ifndef MG_POLICY_REQUEST_H
#define MG_POLICY_REQUEST_H

#include "engine/engine.h"

enum { MG_POLICY_REQUEST_MAX = 64 * 1024 }; /* bytes of one request */

/* The length of the first whole request in `buffered`, its empty line included; 0 when it is not complete. */
size_t mg_policy_request_length(struct mg_str buffered);

/* Reads one whole request; its slices point into `text`. MG_ESYNTAX with a sentence: no '=', a NUL, not a
 * smtpd_access_policy request. */
MG_MUSTCHECK
enum mg_rc mg_policy_request_parse(struct mg_str text, struct mg_policy_request *request_out, struct mg_err *err);

#endif
