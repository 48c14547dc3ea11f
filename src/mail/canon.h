/* canon.h - the canonical forms of RFC 6376 section 3.4, of header fields and of the body as it streams.
 *
 * Threads: pure; a body's state has one owner. */
#ifndef MG_MAIL_CANON_H
#define MG_MAIL_CANON_H

#include "base/buf.h"
#include "mail/fields.h"

enum mg_canon { MG_CANON_SIMPLE, MG_CANON_RELAXED };

/* Takes a piece of canonical text. */
typedef void mg_canon_sink(void *context, struct mg_str piece);

/* The field with its final CRLF. Without `value` in *field but `value` given apart: that one stands for it (a signature
 * field with the data of its b= taken out is hashed so). */
void mg_canon_field(
	enum mg_canon form, const struct mg_field *field, bool with_crlf, mg_canon_sink *sink, void *context);

/* A body on its way. Holds no text: at most a run of blank lines or spaces, as numbers. */
struct mg_canon_body {
	enum mg_canon form;
	uint64_t blank_lines; /* line ends held back: they count only when something follows */
	bool has_space;       /* relaxed: white space held back */
	bool has_cr;          /* a CR whose LF has not come yet */
	bool in_line;         /* the line has text */
	bool is_begun;        /* the body has any byte */
};
void mg_canon_body_init(struct mg_canon_body *body, enum mg_canon form);
void mg_canon_body_add(struct mg_canon_body *body, struct mg_str chunk, mg_canon_sink *sink, void *context);
void mg_canon_body_end(struct mg_canon_body *body, mg_canon_sink *sink, void *context);

#endif
