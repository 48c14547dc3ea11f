/* author.h - who the From field says wrote the message: the Author Domain of DMARC (RFC 5322 section 3.6.2, RFC 9989
 * section 5.3.1).
 *
 * A field that is written soundly and names one domain has a domain; every other one has a reason why not, and still tells
 * the domains that a reader might be shown: whoever sends `From: <a@bank.example>, <b@own.example>` shall not escape the
 * bank's policy by it.
 *
 * Threads: pure. */
#ifndef MG_MAIL_AUTHOR_H
#define MG_MAIL_AUTHOR_H

#include "mail/domain.h"

enum { MG_AUTHOR_DOMAINS = 4, MG_AUTHOR_BYTES = 1024 * 1024 };

enum mg_author_state {
	MG_AUTHOR_MISSING,   /* no From field */
	MG_AUTHOR_SOUND,     /* one From field, one domain */
	MG_AUTHOR_REPEATED,  /* several From fields */
	MG_AUTHOR_SEVERAL,   /* several domains in one field */
	MG_AUTHOR_MALFORMED, /* no sound address list */
};
const char *mg_author_state_text(enum mg_author_state state); /* plain English; "" for SOUND */

struct mg_author {
	enum mg_author_state state;
	size_t count;                          /* of domains told */
	bool is_cut;                           /* there were more, or fields of over MG_AUTHOR_BYTES */
	size_t bytes;                          /* of the fields so far */
	bool has_open_quote, has_open_comment; /* while a field is read: one was met that never ends */
	char domain[MG_AUTHOR_DOMAINS]
		   [MG_DOMAIN_TEXT]; /* as mg_domain_ascii() gives them, each once; [0] of SOUND is it */
};

/* Takes one From field's value into account; a zeroed struct knows of none. */
void mg_author_field(struct mg_author *author, struct mg_str value);

#endif
