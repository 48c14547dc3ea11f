/* over_limit.h - a decided charge that was over a limit: which limit speaks, and what it says. For the gate, and for the replay of the
 * record.
 *
 * Threads: pure. */
#ifndef MG_ENGINE_OVER_LIMIT_H
#define MG_ENGINE_OVER_LIMIT_H

#include "engine/enforce.h"
#include "guard/charge.h"

/* Of a refused charge the hard item that takes longest; of a granted one a soft item that was over: what holds the message before what
 * only watches, then the longer wait. `row` tells each item's limit in conf->rate.limits. MG_CHARGE_ITEMS: none was over. */
size_t mg_over_limit_item(const struct mg_conf *conf, const struct mg_charge *charge, const size_t *row);

/* What is answered: REJECT, TEMPFAIL, or QUARANTINE for a limit that holds; its texts lie in `record`. */
struct mg_judgement mg_over_limit(
	struct mg_record *record, const struct mg_limit_row *limit, const struct mg_charge_item *item);

#endif
