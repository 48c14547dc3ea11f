/* relay_pattern.h - one pattern of a pcre: or regexp: table: matching, and texts that it is likely to match.
 *
 * Matching is the library's (libpcre2 with its limits, regcomp(3)); nothing is matched by hand. A sample is a guess, read
 * off the pattern's literals: who uses it tries it with mg_relay_pattern_match(). The literal end is no guess.
 *
 * Threads: a pattern belongs to one owner at a time. */
#ifndef MG_POSTFIX_RELAY_PATTERN_H
#define MG_POSTFIX_RELAY_PATTERN_H

#include "base/buf.h"

enum { MG_PATTERN_MAX = 4096, MG_PATTERN_GROUPS = 10, MG_PATTERN_SUBJECT = 1024 };

struct mg_relay_pattern;

/* `text` without its delimiters, `flags` the letters behind it. NULL: Postfix would refuse it too, or it is longer than
 * MG_PATTERN_MAX; *is_too_long_out tells which. Free it with mg_relay_pattern_free(). */
struct mg_relay_pattern *mg_relay_pattern_new(
	bool is_pcre, struct mg_str text, struct mg_str flags, bool *is_too_long_out);
void mg_relay_pattern_free(struct mg_relay_pattern **pattern);

/* Whether it matches; what the groups caught (0: all), empty where they did not take part. */
bool mg_relay_pattern_match(
	const struct mg_relay_pattern *pattern, struct mg_str subject, struct mg_str groups[MG_PATTERN_GROUPS]);

/* Appends a text that the `which`-th alternative (from 0) probably matches. False: there is no such alternative. */
bool mg_relay_pattern_sample(struct mg_str text, size_t which, struct mg_buf *out);

/* The literal that whatever matches must end with: "@example.com" of /@example\.com$/; empty when that can't be told. */
void mg_relay_pattern_end(struct mg_str text, struct mg_buf *out);

#endif
