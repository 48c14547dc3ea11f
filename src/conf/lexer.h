/* lexer.h - one token of a configuration file after the other.
 *
 * It knows just enough of libconfig's language to tell names, numbers, texts, comments and brackets apart, and to say in
 * plain words what is wrong where libconfig would only say "syntax error".
 *
 * Threads: pure. */
#ifndef MG_CONF_LEXER_H
#define MG_CONF_LEXER_H

#include "conf/source.h"

enum mg_token_kind {
	MG_TOKEN_END,
	MG_TOKEN_SPACE,   /* blanks, newlines, comments */
	MG_TOKEN_NAME,    /* a key, true or false */
	MG_TOKEN_NUMBER,  /* what begins like one; libconfig judges it */
	MG_TOKEN_TEXT,    /* "..." with its quotes, as a value */
	MG_TOKEN_KEY,     /* "..." with its quotes, in front of = or : */
	MG_TOKEN_MARK,    /* one of = : ; , { } ( ) [ ] */
	MG_TOKEN_INCLUDE, /* @include "FILE"; `text` is FILE */
	MG_TOKEN_BAD,     /* no token: `what` says why */
};

struct mg_lexer {
	struct mg_str rest;
	unsigned line;                   /* of rest's first byte, from 1 */
	char before;                     /* the last byte that was no space or comment; 0 at the beginning */
	bool is_bol;                     /* only blanks stand before `rest` on this line */
	unsigned depth;                  /* open brackets */
	char closing[MG_SOURCE_NESTING]; /* what closes each of them */
};

struct mg_token {
	enum mg_token_kind kind;
	struct mg_str text;
	const char *what; /* MG_TOKEN_BAD: a sentence, already translated, a template of say.h with %1 for `text` */
};

void mg_lexer_init(struct mg_lexer *lexer, struct mg_str text);

/* The next token. For MG_TOKEN_BAD lexer->line is the line to blame. */
struct mg_token mg_lexer_next(struct mg_lexer *lexer);

#endif
