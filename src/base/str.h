/* str.h - a slice: bytes that somebody else owns, with their length.
 *
 * Parsers here work on slices alone. A reader (mg_read_*) advances the slice it is given when it succeeds and leaves
 * it untouched when it fails. Nothing assumes a final NUL, and nothing is ever read beyond n.
 *
 * Threads: pure. */
#ifndef MG_BASE_STR_H
#define MG_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/rc.h"

struct mg_str {
	const char *p; /* may be NULL when n is 0 */
	size_t n;
};

/* A slice of a string literal. */
#define MG_STR(literal) ((struct mg_str){ "" literal, sizeof(literal) - 1 })

/* For printf's "%.*s". */
#define MG_STR_ARGS(s) (int)(s).n, (s).n == 0 ? "" : (s).p

static inline struct mg_str mg_str_z(const char *text)
{
	return (struct mg_str){ text, text == NULL ? 0 : strlen(text) };
}

static inline struct mg_str mg_str_of(const void *p, size_t n)
{
	return (struct mg_str){ p, n };
}

/* All from offset `at` on; empty beyond the end. */
static inline struct mg_str mg_str_from(struct mg_str s, size_t at)
{
	return at >= s.n ? (struct mg_str){ s.p, 0 } : (struct mg_str){ s.p + at, s.n - at };
}

/* The first `n` bytes at most. */
static inline struct mg_str mg_str_first(struct mg_str s, size_t n)
{
	return (struct mg_str){ s.p, n < s.n ? n : s.n };
}

bool mg_str_eq(struct mg_str a, struct mg_str b);
bool mg_str_eq_nocase(struct mg_str a, struct mg_str b); /* ASCII letters only, whatever the locale */
bool mg_str_starts(struct mg_str s, struct mg_str prefix);
bool mg_str_starts_nocase(struct mg_str s, struct mg_str prefix);
bool mg_str_ends(struct mg_str s, struct mg_str suffix);
bool mg_str_ends_nocase(struct mg_str s, struct mg_str suffix);

/* The offset of the first (last) `c`, or of the first `needle`; SIZE_MAX when there is none. */
size_t mg_str_find(struct mg_str s, char c);
size_t mg_str_rfind(struct mg_str s, char c);
size_t mg_str_find_str(struct mg_str s, struct mg_str needle);
bool mg_str_holds_nocase(struct mg_str s, struct mg_str needle); /* ASCII letters only, whatever the locale */

/* Without the spaces, tabs, CRs and LFs at both ends. */
struct mg_str mg_str_trim(struct mg_str s);

/* Cuts *rest at the first `sep`: returns what stood before it, *rest is what follows. Without `sep` returns all, and
 * *rest becomes empty. */
struct mg_str mg_str_cut(struct mg_str *rest, char sep);

/* The next word of *rest: bytes that are none of `separators`. False when no word is left. */
bool mg_read_word(struct mg_str *rest, const char *separators, struct mg_str *word_out);

/* Advances over `token` if *rest begins with it. */
bool mg_read_token(struct mg_str *rest, struct mg_str token);

/* Reads a decimal number of at most `max`; at least one digit, no sign. */
bool mg_read_u64(struct mg_str *rest, uint64_t max, uint64_t *value_out);

/* The whole slice as a decimal number of at most `max`. */
bool mg_str_to_u64(struct mg_str s, uint64_t max, uint64_t *value_out);

/* "90s", "5m", "1h", "30d": the whole slice as an integer and one of s, m, h, d, in seconds; at most `max_s`. */
bool mg_str_to_seconds(struct mg_str s, uint64_t max_s, uint64_t *seconds_out);

/* A NUL-terminated copy (free() it), cut at its first NUL; NULL when memory is out. */
char *mg_str_dup(struct mg_str s);

/* Copies into `place` of `size` >= 1 bytes with a final NUL; false when it had to be cut. */
bool mg_str_copy(char *place, size_t size, struct mg_str s);

/* Lower case in place, ASCII letters only. */
void mg_lower(char *text);

/* How many single-character edits lie between two words of at most 63 bytes (longer: 64). For "did you mean". */
unsigned mg_str_distance(struct mg_str a, struct mg_str b);

#endif
