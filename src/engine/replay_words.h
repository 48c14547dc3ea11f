/* replay_words.h - what the guards said then, as the record has it, and what it comes to under other settings.
 *
 * Limits are not among them: they are spent anew (replay_limits.h).
 *
 * Threads: pure. */
#ifndef MG_ENGINE_REPLAY_WORDS_H
#define MG_ENGINE_REPLAY_WORDS_H

#include "conf/conf.h"
#include "engine/enforce.h"

/* Under which settings one transaction is heard. */
struct mg_hearing {
	const struct mg_conf *conf;
	struct mg_record *record;
	bool is_soft;          /* mode "observe": nothing refuses */
	bool is_newly_trusted; /* by a relay.trusted that has changed */
};

struct mg_heard {
	struct mg_judgement refusal; /* of the first guard, in the gate's order, that refuses; ACCEPT: none */
	struct mg_judgement hold;    /* the gravest that does not refuse; ACCEPT: none */
	int place;                   /* of the first */
};

/* A list of the record (mg_record_ask()). */
struct mg_heard mg_hear_list(const struct mg_hearing *hearing, const char *asked);

/* One more word, with what the client was told. */
void mg_hear(const struct mg_hearing *hearing, struct mg_heard *words, enum mg_action said, struct mg_str rule,
	const char *code, const char *dsn, const char *text);

#endif
