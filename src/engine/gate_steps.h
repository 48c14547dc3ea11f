/* gate_steps.h - the guards one by one, as the gate steps through them. Each looks at txn->gate and moves its place on when it is done.
 *
 * Internal to gate*.c. Threads: the session's lock. */
#ifndef MG_ENGINE_GATE_STEPS_H
#define MG_ENGINE_GATE_STEPS_H

#include "engine/internal.h"

enum { MG_GATE_SAY_AGAIN_S = 60, MG_GATE_SPAN = 40 };

typedef enum mg_step mg_gate_step_of(struct mg_session *session, struct mg_txn *txn);
mg_gate_step_of mg_gate_bans, mg_gate_relay, mg_gate_greylist, mg_gate_account, mg_gate_limits;

/* What a guard has found: to be answered, or only to be noted (mode "observe", or a guard that only observes). */
void mg_gate_found(struct mg_txn *txn, const struct mg_judgement *judgement, bool is_only_observed);
bool mg_gate_is_refused(const struct mg_txn *txn);
bool mg_gate_is_observing(const struct mg_txn *txn);

/* "12 minutes", into `place` of MG_GATE_SPAN bytes; returns it. */
const char *mg_gate_span(char place[MG_GATE_SPAN], uint64_t seconds);

/* ---- what the guards learn at the end ---- */

/* The login as far as it is to be believed; empty: none. */
struct mg_str mg_gate_login(const struct mg_txn *txn);
void mg_gate_note_account(const struct mg_guards *guards, const struct mg_txn *txn);
struct mg_limit_facts mg_gate_limit_facts(const struct mg_txn *txn, struct mg_str recipient);
void mg_gate_learn_recipients(const struct mg_guards *guards, const struct mg_txn *txn);

#endif
