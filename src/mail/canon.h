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

/* The field, with its final CRLF or without: a signature's own field, its b= emptied, is hashed without. */
void mg_canon_field(
	enum mg_canon form, const struct mg_field *field, bool with_crlf, mg_canon_sink *sink, void *context);

/* A body on its way. Holds no text: at most runs of line ends and white space, as numbers. Only CRLF ends a line; a CR or LF
 * alone is a byte like others. */
struct mg_canon_body {
	enum mg_canon form;
	uint64_t line_ends; /* CRLFs held back: they count only when something follows */
	bool has_cr;        /* behind them a CR whose LF has not come yet */
	bool has_space;     /* relaxed: behind that white space, which counts when the line goes on */
	bool has_space_cr;  /* relaxed: and a CR behind the white space */
	bool has_text;      /* something was passed on */
};
void mg_canon_body_init(struct mg_canon_body *body, enum mg_canon form);
void mg_canon_body_add(struct mg_canon_body *body, struct mg_str chunk, mg_canon_sink *sink, void *context);
/* The final CRLF: simple always has one (an empty body is CRLF), relaxed when there is text. */
void mg_canon_body_end(struct mg_canon_body *body, mg_canon_sink *sink, void *context);

#endif
