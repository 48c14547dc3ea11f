/* codes.h - numbers that are reply codes, told from those that only look like it.
 *
 * Threads: pure. */
#ifndef MG_EXPLAIN_CODES_H
#define MG_EXPLAIN_CODES_H

#include "base/str.h"

/* Places in a text; SIZE_MAX: none. */
struct mg_codes {
	size_t basic_at, enhanced_at;
	size_t enhanced_length;
};

/* The first reply's codes in one line (or one reply that a log has put on one line). */
bool mg_codes_find(struct mg_str line, bool is_first_line, struct mg_codes *codes_out);

/* The enhanced code that belongs to `basic` in a reply of many lines, from `at` on: the one behind a repetition of it, or one in
 * brackets of the same class. */
bool mg_codes_find_enhanced(struct mg_str text, size_t at, const char *basic, size_t *at_out, size_t *length_out);

/* The length of the enhanced code (RFC 3463) that begins at `at`, 0 for none. */
size_t mg_enhanced_length(struct mg_str text, size_t at);
/* Whether a three-digit code begins at `at` and ends there. */
bool mg_is_basic(struct mg_str text, size_t at);

#endif
