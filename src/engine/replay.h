/* replay.h - what a transaction of the record would have got under other settings.
 *
 * The same judges as in the engine decide: the sender's checks over the recorded facts (enforce.c), the limits by spending in a
 * memory of its own while the record's time goes by (replay_limits.h). What the other guards said is taken from the record, and
 * counts as the settings now have it: relay.action, abuse.action, greylist.enabled. Bans are no settings.
 *
 * Transactions come in the order of time, each at once: those that overlapped in truth come one after the other here. What
 * Postfix refused itself stays refused, whatever the settings.
 *
 * What the record can't tell is said, never guessed: enum mg_replay_gap.
 *
 * Threads: one replay at a time in a process per thread of time: mg_replay_clock() is common to all. */
#ifndef MG_ENGINE_REPLAY_H
#define MG_ENGINE_REPLAY_H

#include "conf/conf.h"
#include "journal/walk.h"

enum mg_replay_gap {
	MG_GAP_NONE,
	MG_GAP_LOG_ONLY, /* no door saw it */
	MG_GAP_EARLY,    /* we refused it before the message came; nobody knows what would have */
	MG_GAP_IPREV,    /* the method was off, or its facts were not kept then */
	MG_GAP_SPF,
	MG_GAP_DKIM,
	MG_GAP_ARC,
	MG_GAP_DMARC,
	MG_GAP_DNSBL,   /* a list was not asked */
	MG_GAP_SEALERS, /* which ARC seals are believed has changed, and who sealed is not kept */
	MG_GAP_TRUST,   /* the client was trusted, perhaps only by relay.trusted, which has changed */
	MG_GAP_RELAY,   /* relay.action is off now, so nobody looked for proof */
	MG_GAPS,
};
const char *mg_replay_gap_name(enum mg_replay_gap gap); /* "", "log-only", ... */

struct mg_replayed {                    /* texts in the record's arena, or literals */
	enum mg_replay_gap gap;         /* else NONE, and the rest stands */
	enum mg_action action;          /* what the client would have got: never OBSERVE */
	enum mg_action would;           /* what mode = "observe" would have withheld; NONE: nothing */
	const char *code, *text, *rule; /* of either */
};

/* What the client got according to the record, in the same words: OBSERVE is ACCEPT. */
enum mg_action mg_replay_recorded(const struct mg_record *record);

struct mg_replay;

/* Under `conf`; `current` is the configuration in force, from which it differs (may be the same). References are taken.
 * MG_ENOMEM. */
MG_MUSTCHECK
enum mg_rc mg_replay_new(
	const struct mg_conf *conf, const struct mg_conf *current, struct mg_replay **replay_out, struct mg_err *err);
void mg_replay_free(struct mg_replay **replay); /* NULL in it is fine */

/* The next transaction. */
void mg_replay_take(struct mg_replay *replay, const struct mg_walked *walked, struct mg_replayed *replayed_out);

/* How long before the time that is asked about the replay has to begin for its limits to stand as they stood: seconds. */
uint64_t mg_replay_lead_s(const struct mg_conf *conf);

#endif
