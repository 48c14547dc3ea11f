/* reply.h - the reply in a text: which number is a code, who said it, and what else they said.
 *
 * Ours decides: of `450 4.1.1 unverified address: host mx said: 550 5.1.1 ...` the 450. A number is a code where an SMTP reply
 * has one: at the start of a line, before an enhanced code, behind "said:" and the like; never in an address, a queue id, a
 * version, a size or a time.
 *
 * Threads: pure. */
#ifndef MG_EXPLAIN_REPLY_H
#define MG_EXPLAIN_REPLY_H

#include "base/str.h"

enum mg_permanence {
	MG_PERMANENCE_NONE,
	MG_PERMANENCE_SUCCESS,
	MG_PERMANENCE_INTERMEDIATE,
	MG_PERMANENCE_TEMPORARY,
	MG_PERMANENCE_PERMANENT,
	MG_PERMANENCES,
};
const char *mg_permanence_name(
	enum mg_permanence permanence); /* "temporary", ... a word of the contract; "" for none */

/* Whose reply it is. */
enum mg_side {
	MG_SIDE_ANY,    /* not known */
	MG_SIDE_REMOTE, /* a server that our Postfix delivered to */
	MG_SIDE_OWN,    /* our delivery agents, or our smtpd to its client */
};

struct mg_reply {
	char code[4];                  /* "550", or "" */
	char enhanced[12];             /* "5.1.1", or "" */
	enum mg_permanence permanence; /* none: only the words can tell */
	enum mg_side side;
	bool is_inbound;     /* our smtpd said it to a client */
	struct mg_str host;  /* NAME[ADDRESS]:PORT that spoke, or empty */
	struct mg_str words; /* the reply with what stands about it */
};

/* False: no code and no result of a delivery. `reply_out->words` is then the whole text. */
bool mg_reply_find(struct mg_str text, struct mg_reply *reply_out);

/* The same of a delivery that the log or the queue told of: `words` is what stood in the parentheses. */
void mg_reply_of_delivery(
	struct mg_str words, struct mg_str dsn, struct mg_str status, struct mg_str relay, struct mg_reply *reply_out);

#endif
