/* replay_sender.h - the sender's checks judged again over what a record holds of them.
 *
 * Threads: pure. */
#ifndef MG_ENGINE_REPLAY_SENDER_H
#define MG_ENGINE_REPLAY_SENDER_H

#include "engine/enforce.h"
#include "engine/replay.h"

/* What they ask for under `conf`. The gap is the first thing that an enforced method would have had to know; NONE as well where the
 * message is refused anyway. `has_other_sealers`: auth.trusted_sealers is not what it was. */
enum mg_replay_gap mg_replay_sender(struct mg_record *record, const struct mg_conf *conf, bool has_other_sealers,
	struct mg_judgement *judgement_out);

#endif
