/* reason.h - why a result is what it is: one sentence that quotes what mail and DNS said, in English and apart from its
 * language (base/say.h). Reasons that quote nothing are literals, marked with N_().
 *
 * Threads: pure but for the arena. */
#ifndef MG_AUTH_REASON_H
#define MG_AUTH_REASON_H

#include "base/arena.h"
#include "base/say.h"

enum { MG_REASON = 256, MG_REASON_QUOTED = 126 };

/* Takes `say` over into *kept_out: its arguments are copied into the arena, each cut at MG_REASON_QUOTED bytes, and what is
 * no printable ASCII in them becomes '?'. Returns the sentence in English: one line shorter than MG_REASON; "" without
 * memory. */
const char *mg_reason(struct mg_arena *arena, const struct mg_say *say, struct mg_say *kept_out);

#endif
