/* auth_results.h - the Authentication-Results field (RFC 8601).
 *
 * Threads: pure. */
#ifndef MG_MAIL_AUTH_RESULTS_H
#define MG_MAIL_AUTH_RESULTS_H

#include "base/str.h"

/* Whether a field's value claims to come from `authserv_id` (section 2.2): compared without case, after comments and
 * folding white space, bare or quoted, A-labels as U-labels. Never depends on what follows the identifier. */
bool mg_auth_results_claims(struct mg_str value, struct mg_str authserv_id);

#endif
