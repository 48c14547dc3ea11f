/* sasl_answer.h - what Dovecot's authentication server says to a client of its protocol (version 1.1): which mechanisms it has.
 *
 * The bytes come through a socket that any program may have opened: lines and the whole are bounded, the mechanisms' names are printable.
 *
 * Threads: pure. */
#ifndef MG_HEALTH_SASL_ANSWER_H
#define MG_HEALTH_SASL_ANSWER_H

#include "base/str.h"

enum { MG_SASL_MECHANISMS = 256 };

struct mg_sasl_answer {
	bool has_version, is_done, is_nonsense;
	bool has_anonymous;
	char mechanisms[MG_SASL_MECHANISMS]; /* "PLAIN LOGIN" */
};

/* One line without its end. After nonsense nothing more is believed. */
void mg_sasl_answer_read(struct mg_str line, struct mg_sasl_answer *answer);

#endif
