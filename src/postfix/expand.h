/* expand.h - Postfix's $macros: $name, ${name}, $(name), ${name?{yes}:{no}}, ${name:default}, ${{a} op {b}?{yes}:{no}}, $$.
 *
 * The rightmost $ holds no other within it, so it can be replaced by its raw value where it stands, until no $ is left:
 * no recursion, and the length of the text and the number of replacements are bounded.
 *
 * Threads: pure. */
#ifndef MG_POSTFIX_EXPAND_H
#define MG_POSTFIX_EXPAND_H

#include "base/buf.h"

enum { MG_EXPAND_MAX = 128 * 1024, MG_EXPAND_STEPS = 2000 };

/* The raw value of a parameter; NULL when it is unknown. */
typedef const char *mg_expand_lookup(void *context, struct mg_str name);

/* Expands `text` into `out` (initialised by the caller). MG_EFULL: it never ends, or grows beyond MG_EXPAND_MAX. */
MG_MUSTCHECK
enum mg_rc mg_expand(
	struct mg_str text, mg_expand_lookup *lookup, void *context, struct mg_buf *out, struct mg_err *err);

/* "3.6" and "3.6.1" as numbers that compare, 0 for what is none. */
uint64_t mg_postfix_level(struct mg_str text);

#endif
