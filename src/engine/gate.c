#include "engine/gate_steps.h"

#include <stdio.h>

#include "guard/account.h"
#include "guard/limits.h"

bool mg_gate_is_observing(const struct mg_txn *txn)
{
	return txn->conf->mode == MG_MODE_OBSERVE;
}

void mg_gate_found(struct mg_txn *txn, const struct mg_judgement *judgement, bool is_only_observed)
{
	struct mg_gate *gate = &txn->gate;

	if (is_only_observed || mg_gate_is_observing(txn))
		mg_txn_observe(txn, judgement);
	else if (judgement->action == MG_ACTION_QUARANTINE)
		gate->hold = *judgement;
	else
		gate->judgement = *judgement;
}

bool mg_gate_is_refused(const struct mg_txn *txn)
{
	return txn->gate.judgement.action != MG_ACTION_ACCEPT;
}

const char *mg_gate_span(char place[MG_GATE_SPAN], uint64_t seconds)
{
	if (seconds >= 2 * 86400)
		snprintf(place, MG_GATE_SPAN, "%llu days", (unsigned long long)(seconds + 86399) / 86400);
	else if (seconds >= 2 * 3600)
		snprintf(place, MG_GATE_SPAN, "%llu hours", (unsigned long long)(seconds + 3599) / 3600);
	else if (seconds >= 120)
		snprintf(place, MG_GATE_SPAN, "%llu minutes", (unsigned long long)(seconds + 59) / 60);
	else
		snprintf(place, MG_GATE_SPAN, "%llu seconds", (unsigned long long)seconds);
	return place;
}

/* The text of one that the record keeps lies there already; the others take turns in one place, for there may be many. */
static struct mg_str keep_address(struct mg_txn *txn, const struct mg_gate_case *about)
{
	struct mg_gate *gate = &txn->gate;

	if (about->recipient != NULL)
		return mg_str_z(about->recipient->address);
	if (about->address.n > 0 && gate->spare == NULL)
		gate->spare = mg_arena_take(&txn->record->arena, MG_RECORD_TEXT + 1);
	if (about->address.n == 0 || gate->spare == NULL)
		return MG_STR("");
	mg_str_copy(gate->spare, MG_RECORD_TEXT + 1, about->address);
	return mg_str_z(gate->spare);
}

void mg_gate_open(struct mg_session *session, struct mg_txn *txn, const struct mg_gate_case *about)
{
	struct mg_gate *gate = &txn->gate;

	mg_gate_expire(session, txn);
	gate->kind = about->kind;
	gate->recipient = about->recipient;
	gate->address = keep_address(txn, about);
	mg_str_copy(gate->domain, sizeof gate->domain, about->domain);
	gate->is_relay_watched = about->is_relay_watched;
	gate->is_limited = about->is_limited;
	gate->is_greylisted = about->is_greylisted;
	gate->judgement = (struct mg_judgement){ .action = MG_ACTION_ACCEPT };
	gate->place = session->engine->guards == NULL ? MG_GATE_DONE
		      : about->kind == MG_GATE_DATA   ? MG_GATE_GREYLIST
						      : MG_GATE_BANS;
}

/* What policy's look at this recipient was charged, the milter's refusal of it gives back. */
static void give_back(const struct mg_guards *guards, struct mg_txn *txn)
{
	if (txn->gate.recipient != NULL && guards->limits != NULL)
		mg_bill_refund(&txn->gate.bill, guards->limits, txn->gate.recipient);
}

enum mg_step mg_gate_step(struct mg_session *session, struct mg_txn *txn)
{
	static mg_gate_step_of *const steps[] = { [MG_GATE_BANS] = mg_gate_bans,
		[MG_GATE_RELAY] = mg_gate_relay,
		[MG_GATE_GREYLIST] = mg_gate_greylist,
		[MG_GATE_ACCOUNT] = mg_gate_account,
		[MG_GATE_LIMITS] = mg_gate_limits };

	bool is_shut = txn->gate.place == MG_GATE_SHUT || txn->gate.place == MG_GATE_DONE;

	while (txn->gate.place != MG_GATE_SHUT && txn->gate.place != MG_GATE_DONE)
		if (steps[txn->gate.place](session, txn) == MG_STEP_WAIT)
			return MG_STEP_WAIT;
	if (!is_shut && mg_gate_is_refused(txn))
		give_back(session->engine->guards, txn);
	return MG_STEP_DONE;
}

void mg_gate_forget(struct mg_session *session, struct mg_txn *txn)
{
	mg_gate_expire(session, txn);
	txn->gate.judgement = (struct mg_judgement){ .action = MG_ACTION_ACCEPT };
}

void mg_gate_expire(struct mg_session *session, struct mg_txn *txn)
{
	struct mg_gate *gate = &txn->gate;
	const struct mg_guards *guards = session->engine->guards;

	mg_inquiry_drop(&gate->inquiry);
	if (gate->has_asked_store)
		guards->limits->abandon(guards->limits->context, gate->charge);
	gate->has_asked_store = false;
	gate->place = MG_GATE_DONE;
}

void mg_gate_refused(struct mg_session *session, struct mg_txn *txn, const struct mg_recipient *recipient)
{
	const struct mg_guards *guards = session->engine->guards;
	struct mg_limit_facts facts = mg_gate_limit_facts(txn, mg_str_z(recipient->address));

	if (guards == NULL || guards->limits == NULL || txn->is_simulated)
		return;
	mg_bill_refund(&txn->gate.bill, guards->limits, recipient);
	mg_gate_failure(guards, txn->conf, &facts);
	if (mg_gate_login(txn).n > 0 && guards->state != NULL &&
		mg_str_starts(mg_str_z(recipient->dsn), MG_STR("5.1.1")))
		mg_account_recipient(guards->state, mg_gate_login(txn), false, true);
}

void mg_gate_close(struct mg_session *session, struct mg_txn *txn, bool is_accepted)
{
	const struct mg_guards *guards = session->engine->guards;

	if (guards == NULL)
		return;
	mg_gate_expire(session, txn);
	if (!is_accepted && guards->limits != NULL)
		mg_bill_refund(&txn->gate.bill, guards->limits, NULL);
	else if (is_accepted && guards->seen != NULL && !txn->is_simulated)
		mg_gate_learn_recipients(guards, txn);
	if (is_accepted)
		mg_gate_note_account(guards, txn);
	mg_bill_fini(&txn->gate.bill);
}
