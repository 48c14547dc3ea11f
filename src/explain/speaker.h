/* speaker.h - which big receiver a reply comes from.
 *
 * Threads: pure. */
#ifndef MG_EXPLAIN_SPEAKER_H
#define MG_EXPLAIN_SPEAKER_H

#include "explain/rows.h"

/* By the host that spoke (may be empty), else by what only they say. `words` is in lower case. */
enum mg_speaker mg_speaker_of(struct mg_str host, struct mg_str words);
const char *mg_speaker_name(enum mg_speaker speaker); /* "gmail"; "" for any, "other" */

/* Whether the lower-case `words` match a row's text. */
bool mg_words_match(struct mg_str words, const char *pattern);

#endif
