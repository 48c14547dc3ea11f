/* milter.h - front door 1: libmilter's callbacks, translated into facts, and a verdict into a reply.
 *
 * libmilter knows one filter per process and gives its callbacks no context, so there is one door.
 *
 * What is negotiated: every event but unknown commands; no reply to any event except RCPT and end-of-message; refused
 * recipients too (SMFIP_RCPT_REJ); the macros we read. A session beyond `max_sessions` negotiates end-of-message only
 * and is let through there; beyond MG_MILTER_HARD times as many the negotiation is refused, so that Postfix's own
 * default action applies at once. ACCEPT is never said before end-of-message.
 *
 * Threads: start and drain from the owner's; libmilter runs the callbacks on threads of its own. */
#ifndef MG_MILTER_MILTER_H
#define MG_MILTER_MILTER_H

#include "engine/engine.h"

enum { MG_MILTER_HARD = 4 };

struct mg_milter_options {
	int listen_fd; /* listening; stays the caller's number, libmilter accepts on it */
	unsigned max_sessions;
	struct mg_engine *engine;
	struct mg_counters *counters;
};

/* Starts libmilter on a thread of its own. Once per process. */
MG_MUSTCHECK
enum mg_rc mg_milter_start(const struct mg_milter_options *options, struct mg_err *err);

/* New connections stay in the listening socket's backlog from now on, for whoever else holds it. Sessions go on. */
MG_MUSTCHECK
enum mg_rc mg_milter_stop_accepting(struct mg_err *err);

/* Sessions from now on are held against this. */
void mg_milter_set_max_sessions(unsigned max_sessions);

struct mg_milter_stats {
	unsigned sessions; /* connections of Postfix, capped ones too */
	unsigned capped;   /* those beyond max_sessions */
	unsigned messages; /* between MAIL and its end */
};
void mg_milter_stats(struct mg_milter_stats *stats_out);

#endif
