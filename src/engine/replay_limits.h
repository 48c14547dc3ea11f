/* replay_limits.h - the limits of a configuration, spent in the record's time.
 *
 * The limiter, the keys and the costs are those of the guards (guard/limits.h, guard/memory_store.h); only the memory is our own and
 * the clock the record's, which never goes back.
 *
 * Threads: one owner; the clock is common to all. */
#ifndef MG_ENGINE_REPLAY_LIMITS_H
#define MG_ENGINE_REPLAY_LIMITS_H

#include "engine/enforce.h"
#include "guard/bill.h"

struct mg_replay_limits;

/* No limits: MG_OK with nothing behind it, which decides nothing. */
MG_MUSTCHECK
enum mg_rc mg_replay_limits_new(const struct mg_conf *conf, struct mg_replay_limits **limits_out, struct mg_err *err);
void mg_replay_limits_free(struct mg_replay_limits **limits);

/* The clock moves to `wall_us`, unless that is behind it. */
void mg_replay_limits_clock(int64_t wall_us);

/* One message, as far as it has come. */
struct mg_replay_bill { /* zeroed */
	struct mg_bill bill;
	bool is_message_charged;
};

/* A recipient that Postfix accepts; NULL: end-of-message. What is over a limit goes to *judgement_out: ACCEPT nothing. `is_soft`:
 * mode "observe". */
void mg_replay_limits_ask(struct mg_replay_limits *limits, struct mg_record *record,
	const struct mg_recipient *recipient, bool is_soft, struct mg_replay_bill *bill,
	struct mg_judgement *judgement_out);

/* A recipient that Postfix refused. */
void mg_replay_limits_failure(
	struct mg_replay_limits *limits, const struct mg_record *record, const struct mg_recipient *recipient);

/* The end: `is_accepted` keeps what was spent and learns the recipients, those whose place in `is_taken` is true; else all is given back. */
void mg_replay_limits_close(struct mg_replay_limits *limits, const struct mg_record *record, bool is_accepted,
	const bool *is_taken, struct mg_replay_bill *bill);

#endif
