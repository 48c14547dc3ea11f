/* Whom nothing vouches for is asked to come back; whom something vouches for is known from then on. */
#include "engine/gate_steps.h"

#include <stdio.h>

#include "guard/greylist.h"

/* Some method says that the message is its sender's: there is nothing to wait for. */
static bool is_vouched_for(const struct mg_evaluation *evaluation)
{
	struct mg_auth_result result = mg_evaluation_result(evaluation);

	return result.spf == MG_RESULT_PASS || result.dkim == MG_RESULT_PASS || result.dmarc == MG_RESULT_PASS;
}

static void judge_unknown(struct mg_session *session, struct mg_txn *txn)
{
	const struct mg_guards *guards = session->engine->guards;
	struct mg_judgement judgement = { MG_ACTION_TEMPFAIL, "451", "4.7.1", "", "greylist" };
	int64_t wait_s = mg_greylist_ask(guards->state, guards->seen, &txn->record->client_ip,
		mg_str_z(txn->record->sender), (int64_t)txn->conf->greylist.delay_s);
	char text[120], wait[MG_GATE_SPAN];

	if (wait_s == 0)
		return;
	snprintf(text, sizeof text, "We do not know you yet (greylisting), please try again in %s",
		mg_gate_span(wait, (uint64_t)wait_s));
	judgement.text = mg_record_text(txn->record, mg_str_z(text));
	atomic_fetch_add(&session->engine->counters->greylisted, 1);
	mg_gate_found(txn, &judgement, false);
}

enum mg_step mg_gate_greylist(struct mg_session *session, struct mg_txn *txn)
{
	struct mg_gate *gate = &txn->gate;
	const struct mg_guards *guards = session->engine->guards;

	if (txn->conf->greylist.enabled && gate->is_greylisted && guards->state != NULL && guards->seen != NULL &&
		!mg_txn_is_exempt(txn) && !txn->is_simulated) {
		if (txn->evaluation != NULL && mg_evaluation_step(txn->evaluation) == MG_STEP_WAIT)
			return MG_STEP_WAIT;
		if (txn->evaluation != NULL && is_vouched_for(txn->evaluation))
			mg_greylist_know(guards->seen, &txn->record->client_ip);
		else
			judge_unknown(session, txn);
	}
	gate->place = mg_gate_is_refused(txn)      ? MG_GATE_DONE
		      : gate->kind == MG_GATE_DATA ? MG_GATE_LIMITS
						   : MG_GATE_ACCOUNT;
	return MG_STEP_DONE;
}
