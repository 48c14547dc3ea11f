/* relay_stranger.h - whom to try: the candidates for each choice of a client, so few that all combinations can be walked.
 *
 * Candidates come from the lines that the configuration draws: both sides of every network, every key that does not merely
 * refuse, a sample of every pattern, and people nobody has heard of. Of those whom all tables treat alike one is kept. Left
 * out, for they are no strangers: loopback and private addresses, networks no wider than a site that some list permits,
 * names below our own domains or below one that a table names, recipients in our own domains.
 *
 * Threads: the owner's of the tables. */
#ifndef MG_POSTFIX_RELAY_STRANGER_H
#define MG_POSTFIX_RELAY_STRANGER_H

#include "postfix/relay_model.h"

struct mg_relay_candidates {
	struct mg_relay_candidate *is[MG_CHOICES];
	size_t count[MG_CHOICES];
};

/* Whom the configuration lets in though they are no strangers: for a remark. */
struct mg_relay_trusted {
	struct mg_str text;         /* network or name */
	const char *where;          /* "mynetworks", or the table */
	bool is_private, is_bridge; /* bridge: where containers' gateways live */
	unsigned bits;
};

enum { MG_RELAY_TRUSTED = 64 };

struct mg_relay_strangers {
	struct mg_relay_candidates all;
	struct mg_relay_trusted trusted[MG_RELAY_TRUSTED];
	size_t trusted_count;
};

/* `is_forged`: the client can claim any address and name (XCLIENT, PROXY), so our own count too. Adds to the model's
 * doubts and to is_incomplete. */
void mg_relay_strangers_gather(struct mg_relay_model *model, bool is_forged, struct mg_relay_strangers *strangers_out);

#endif
