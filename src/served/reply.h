/* reply.h - lines that servers of mail say, read: SMTP replies (RFC 5321 section 4.2), IMAP untagged and tagged responses (RFC 9051
 * section 7), POP3 status lines (RFC 1939 section 3), and the words with which they tell what they can.
 *
 * Every byte comes from outside. A reader either understands a line or says no; it never reads beyond it and keeps nothing of it.
 *
 * Threads: pure. */
#ifndef MG_SERVED_REPLY_H
#define MG_SERVED_REPLY_H

#include "base/str.h"

enum mg_served_protocol { MG_SERVED_SMTP, MG_SERVED_IMAP, MG_SERVED_POP3 };

/* What a server says it can; bits. */
enum mg_served_word {
	MG_SERVED_STARTTLS = 1 << 0, /* STLS in POP3 */
	MG_SERVED_AUTH = 1 << 1,     /* AUTH, AUTH=..., SASL, USER: a password may be sent */
	MG_SERVED_SIZE = 1 << 2,
	MG_SERVED_PIPELINING = 1 << 3,
	MG_SERVED_8BITMIME = 1 << 4,
	MG_SERVED_SMTPUTF8 = 1 << 5,
	MG_SERVED_REQUIRETLS = 1 << 6,
	MG_SERVED_DSN = 1 << 7,
	MG_SERVED_LOGINDISABLED = 1 << 8, /* IMAP: no LOGIN before TLS */
};

enum { MG_SERVED_MECHANISMS = 128 }; /* bytes of the mechanisms' names */

struct mg_served_words {
	unsigned has;                          /* enum mg_served_word */
	char mechanisms[MG_SERVED_MECHANISMS]; /* "PLAIN LOGIN", printable */
	uint64_t size_bytes;                   /* of SIZE; 0: none told */
};

enum mg_reply_state {
	MG_REPLY_MORE,     /* more lines follow */
	MG_REPLY_GOOD,     /* the last line: 2xx, 3xx, OK, +OK */
	MG_REPLY_LATER,    /* 4xx */
	MG_REPLY_BAD,      /* 5xx, NO, BAD, BYE, -ERR */
	MG_REPLY_NONSENSE, /* no line of this protocol */
};

struct mg_reply {
	enum mg_reply_state state;
	unsigned code;      /* SMTP: 200..599; else 0 */
	struct mg_str text; /* a slice of the line */
};

/* One line, without its CRLF, of a greeting or of a reply to a command. In IMAP a command's reply ends with the line tagged `tag`;
 * `tag` "" is the greeting. A POP3 list (`is_list`) ends with a lone dot. */
void mg_reply_read(enum mg_served_protocol protocol, struct mg_str line, const char *tag, bool is_list,
	struct mg_reply *reply_out);

/* Adds what one line of EHLO, CAPABILITY or CAPA tells; an IMAP greeting's [CAPABILITY ...] too. */
void mg_reply_words(enum mg_served_protocol protocol, const struct mg_reply *reply, struct mg_served_words *words);

#endif
