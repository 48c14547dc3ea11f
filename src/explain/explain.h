/* explain.h - what a reply code means, why it came, who has to act, and what to do.
 *
 * The text may be a bare code, an enhanced code (RFC 3463), a provider's bounce, a line of Postfix's log, a delivery report, an SMTP
 * dialogue. It is hostile: at most MG_EXPLAIN_TEXT bytes are looked at, any bytes are survived. Looked up in this order: who
 * speaks and what they say, the provider's enhanced code, anybody's text, X.Y.Z, X.Y.0, the basic code, the class. Tables:
 * basic.c, enhanced.c, gmail.c, microsoft.c, yahoo.c, providers.c, own_postfix.c, signatures.c.
 *
 * Threads: pure. */
#ifndef MG_EXPLAIN_EXPLAIN_H
#define MG_EXPLAIN_EXPLAIN_H

#include "base/ip.h"
#include "base/say.h"
#include "explain/reply.h"

enum { MG_EXPLAIN_TEXT = 64 * 1024, MG_EXPLAIN_NAME = 254 };

enum mg_actor {
	MG_ACTOR_NONE,
	MG_ACTOR_WE,
	MG_ACTOR_RECIPIENT,
	MG_ACTOR_PROVIDER,
	MG_ACTOR_SENDER,
	MG_ACTOR_NOBODY,
	MG_ACTORS
};
const char *mg_actor_name(enum mg_actor actor); /* "we", "recipient", ... a word of the contract; "" for none */

struct mg_explanation {
	char code[4], enhanced[12]; /* as found; "" when there is none */
	enum mg_permanence permanence;
	enum mg_actor actor;
	struct mg_say meaning, cause, fix, retry; /* arguments point into `names` */
	const char *check;                        /* the health check that looks at the same, "" none */
	const char *provider;                     /* "gmail", "microsoft", ... of those the tables know; "" none */
	bool is_rate_limit;                       /* the provider says that we send too much or too fast */
	bool is_known;                            /* false: only the class speaks */
	/* What the sentences name: found in the text, or a word that stands for it. All of it may be typed into a shell. */
	struct mg_explanation_names {
		char address[MG_IP_TEXT];           /* ours, as their reply names it */
		char host[MG_EXPLAIN_NAME + 8];     /* theirs, and its port: "mx.example 25" */
		char endpoint[MG_EXPLAIN_NAME + 8]; /* the same: "mx.example:25" */
		char domain[MG_EXPLAIN_NAME];       /* of the address that it is about */
	} names;
};

/* After an explanation was copied or moved: its sentences name its own names. */
void mg_explanation_moved(struct mg_explanation *explanation);

/* False: nothing recognisable. */
bool mg_explain(struct mg_str text, struct mg_explanation *explanation_out);

/* A reply that is known to be one: of a delivery (relay is "mx.example[192.0.2.1]:25"), or of our own smtpd (relay ""). `dsn` and
 * `status` ("deferred", ...) as the log has them, or empty. */
bool mg_explain_delivery(
	struct mg_str reply, struct mg_str dsn, struct mg_str status, struct mg_str relay, struct mg_explanation *out);

#endif
