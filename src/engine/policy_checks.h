/* policy_checks.h - the sender's checks of a message that only policy tells of, and then the guards (gate.h): begun by its first request, carried on as
 * answers come, and waited for where the answer depends on them.
 *
 * Internal to the engine. Threads: the session's lock, but for the waiters: those are the loop thread's. */
#ifndef MG_ENGINE_POLICY_CHECKS_H
#define MG_ENGINE_POLICY_CHECKS_H

#include "engine/internal.h"

/* Begins them, where nobody else does and the client is to be checked. Session locked. */
void mg_policy_checks_begin(struct mg_session *session, struct mg_txn *txn, const struct mg_policy_request *request);

/* What they ask for: verdict->action NONE while that is not known and matters. Session locked. */
void mg_policy_checks_decide(struct mg_session *session, struct mg_txn *txn, struct mg_verdict *verdict);

/* Copies what the verdict borrows from the transaction, which another thread may end once the session is unlocked. Session locked. */
void mg_policy_checks_keep(struct mg_engine *engine, struct mg_verdict *verdict);

/* `waiter` is told when they are done. False: somebody waits there already. */
bool mg_policy_checks_wait(struct mg_session *session, struct mg_policy_waiter *waiter);

#endif
