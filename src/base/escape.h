/* escape.h - untrusted text on its way out: to a log line, a terminal, an error sentence.
 *
 * Whatever bytes a client, a header or a log line held, what leaves here can't begin a line of its own, move a
 * cursor or end a quoted string. JSON needs valid UTF-8 as well: mg_utf8_clean() makes it.
 *
 * Threads: pure. */
#ifndef MG_BASE_ESCAPE_H
#define MG_BASE_ESCAPE_H

#include "base/buf.h"
#include "base/str.h"

/* Replaces every control byte (0x00-0x1f, 0x7f) of a NUL-terminated string by '?'. */
void mg_escape_in_place(char *text);

/* Appends at most `max` bytes of `text`: control bytes, C1 controls and invalid UTF-8 become \xNN, quotes and
 * backslashes get a backslash; "..." marks a cut. For `key="value"` in log lines. */
void mg_escape_quoted(struct mg_buf *out, struct mg_str text, size_t max);

/* Appends at most `max` bytes of `text` for a person's terminal: control bytes, C1 and bidirectional-override
 * characters and invalid UTF-8 become '?' or U+FFFD; "…" marks a cut. Quotes stay as they are. */
void mg_escape_terminal(struct mg_buf *out, struct mg_str text, size_t max);

/* Appends at most `max` bytes of `text` as valid UTF-8 (RFC 3629): each byte that is no part of a valid sequence
 * becomes U+FFFD, NUL too. Other control characters stay: a JSON writer escapes them. */
void mg_utf8_clean(struct mg_buf *out, struct mg_str text, size_t max);

/* The length in bytes (1-4) of the valid UTF-8 sequence at the start of `text`, 0 when there is none; the code
 * point goes to *code_out unless that is NULL. */
size_t mg_utf8_next(struct mg_str text, unsigned *code_out);

#endif
