/* reply.h - a verdict as a milter reply, with its header edits in one burst.
 *
 * Internal to the milter door. Threads: libmilter's callback. */
#ifndef MG_MILTER_REPLY_H
#define MG_MILTER_REPLY_H

#include <libmilter/mfapi.h>

#include "engine/verdict.h"

/* `has_leading_space`: SMFIP_HDR_LEADSPC is in force, so a field we add brings its own space. `at_end`: this is end-of-message, where header edits, hold and ACCEPT are allowed. */
sfsistat mg_milter_reply(SMFICTX *ctx, const struct mg_verdict *verdict, bool has_leading_space, bool at_end);

#endif
