/* dialogue.h - a conversation in lines with a server over TCP, in clear or in TLS, with one deadline for the whole of it.
 *
 * The other side is hostile until shown otherwise: a line of more than MG_DIALOGUE_LINE bytes, more than BYTES_MAX in all, silence, a
 * closed connection and bytes in binary are defined outcomes with a sentence of their own.
 *
 * Threads: one owner; blocks up to the deadline. */
#ifndef MG_SERVED_DIALOGUE_H
#define MG_SERVED_DIALOGUE_H

#include "base/ip.h"
#include "served/tls_session.h"

enum { MG_DIALOGUE_LINE = 4096, MG_DIALOGUE_TROUBLE = 256 };

enum mg_dialogue_state {
	MG_DIALOGUE_OPEN,
	MG_DIALOGUE_REFUSED,     /* nobody listens there */
	MG_DIALOGUE_UNREACHABLE, /* no way there: no route, no answer to the connect, no such address here */
	MG_DIALOGUE_SILENT,      /* connected, then no whole line until the deadline */
	MG_DIALOGUE_CLOSED,      /* the server ended it */
	MG_DIALOGUE_FLOOD,       /* a line or a whole that is too long */
	MG_DIALOGUE_INJECTED,    /* text in clear behind the answer to STARTTLS (CVE-2011-0411) */
	MG_DIALOGUE_TLS,         /* the handshake failed */
	MG_DIALOGUE_NO_LIBRARY,  /* the library here can't do what the handshake was to try */
};

struct mg_dialogue {
	enum mg_dialogue_state state; /* once not OPEN it stays so */
	char trouble[MG_DIALOGUE_TROUBLE];
	int connect_errno;   /* why there is no connection; 0: there was one */
	int64_t deadline_us; /* monotonic; may be changed at any time */
	int fd;              /* -1: closed */
	struct mg_tls *tls;  /* NULL: in clear */
	char in[MG_DIALOGUE_LINE];
	size_t held, taken; /* bytes in `in`; those of the line last given out */
	size_t read_bytes;
};

/* Connects; `source` NULL: the system chooses. False: `state` and `trouble` say why. mg_dialogue_close() either way. */
MG_MUSTCHECK
bool mg_dialogue_open(struct mg_dialogue *dialogue, const struct mg_ip *ip, unsigned port, const struct mg_ip *source,
	int64_t deadline_us);
void mg_dialogue_close(struct mg_dialogue *dialogue);

/* The next line without its line end, borrowed until the next call. */
MG_MUSTCHECK
bool mg_dialogue_line(struct mg_dialogue *dialogue, struct mg_str *line_out);

/* Sends this and CRLF. False when it could not. */
bool mg_dialogue_say(struct mg_dialogue *dialogue, const char *line);

/* TLS from here on. */
MG_MUSTCHECK
bool mg_dialogue_secure(struct mg_dialogue *dialogue, const struct mg_tls_wish *wish);

#endif
