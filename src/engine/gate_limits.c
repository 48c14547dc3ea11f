/* The limits: what an event costs, whether that fits, and what is given back. */
#include "engine/gate_steps.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/over_limit.h"
#include "guard/limits.h"

struct mg_limit_facts mg_gate_limit_facts(const struct mg_txn *txn, struct mg_str recipient)
{
	return (struct mg_limit_facts){ .client = txn->record->client_ip,
		.user = mg_gate_login(txn),
		.sender = mg_str_z(txn->record->sender),
		.recipient = recipient };
}

static struct mg_charge *charge_of(struct mg_session *session, struct mg_txn *txn)
{
	struct mg_gate *gate = &txn->gate;

	if (gate->charge == NULL)
		gate->charge = mg_arena_take(&txn->record->arena,
			offsetof(struct mg_charge, item) + txn->conf->rate.limit_count * sizeof(struct mg_charge_item));
	if (gate->charge == NULL)
		return NULL;
	gate->charge->count = 0;
	gate->charge->ready = mg_session_is_charged;
	gate->charge->context = gate;
	gate->session = session;
	gate->charge->is_decided = gate->charge->is_refused = gate->charge->is_local = false;
	return gate->charge;
}

/* What this event costs; NULL: nothing. */
static struct mg_charge *make_charge(struct mg_session *session, struct mg_txn *txn)
{
	struct mg_gate *gate = &txn->gate;
	const struct mg_conf *conf = txn->conf;
	struct mg_limit_facts facts = mg_gate_limit_facts(txn, gate->address);
	struct mg_seen *seen = session->engine->guards->seen;
	bool is_soft = mg_gate_is_observing(txn);
	struct mg_charge *charge;

	if (conf->rate.limit_count == 0 || session->engine->guards->limits == NULL || txn->is_simulated ||
		(charge = charge_of(session, txn)) == NULL)
		return NULL;
	if (gate->kind == MG_GATE_DATA) {
		mg_limits_charge(
			conf, &facts, MG_SPEND_DATA, txn->record->size_bytes, is_soft, seen, charge, gate->row);
	} else {
		mg_limits_charge(conf, &facts, MG_SPEND_RCPT, 1, is_soft, seen, charge, gate->row);
		gate->recipient_items = charge->count;
		if (!gate->is_message_charged)
			mg_limits_charge(conf, &facts, MG_SPEND_MESSAGE, 1, is_soft, seen, charge, gate->row);
		if (!session->is_connect_charged)
			mg_limits_charge(conf, &facts, MG_SPEND_CONNECT, 1, is_soft, seen, charge, gate->row);
	}
	return charge->count == 0 ? NULL : charge;
}

static void judge_charge(struct mg_session *session, struct mg_txn *txn)
{
	const struct mg_gate *gate = &txn->gate;
	size_t item = mg_over_limit_item(txn->conf, gate->charge, gate->row);
	const struct mg_limit_row *limit;
	struct mg_judgement judgement;

	if (item == MG_CHARGE_ITEMS)
		return;
	limit = &txn->conf->rate.limits[gate->row[item]];
	judgement = mg_over_limit(txn->record, limit, &gate->charge->item[item]);
	atomic_fetch_add(&session->engine->counters->limit_hits, 1);
	mg_gate_found(txn, &judgement, limit->action == MG_LIMIT_OBSERVE);
}

static void settle_charge(struct mg_session *session, struct mg_txn *txn)
{
	struct mg_gate *gate = &txn->gate;
	const struct mg_charge *charge = gate->charge;
	size_t own = gate->kind == MG_GATE_DATA ? 0 : gate->recipient_items, last = own;

	judge_charge(session, txn);
	if (charge->is_refused)
		return;
	while (last < charge->count && txn->conf->rate.limits[gate->row[last]].count != MG_COUNT_CONNECTIONS)
		last++; /* a connection has been made, whatever becomes of the message */
	mg_bill_add(&gate->bill, charge, 0, own, gate->recipient);
	mg_bill_add(&gate->bill, charge, own, last, NULL);
	if (gate->kind != MG_GATE_DATA)
		gate->is_message_charged = session->is_connect_charged = true;
}

enum mg_step mg_gate_limits(struct mg_session *session, struct mg_txn *txn)
{
	struct mg_gate *gate = &txn->gate;
	const struct mg_limit_store *store = session->engine->guards->limits;

	if (!gate->has_asked_store) {
		if (make_charge(session, txn) == NULL) {
			gate->place = MG_GATE_DONE;
			return MG_STEP_DONE;
		}
		gate->has_asked_store = true;
		mg_session_take_charge(session, gate); /* what came too late for another one */
		if (!store->decide(store->context, gate->charge))
			return MG_STEP_WAIT;
		gate->charge->is_decided = true;
	} else if (!mg_session_take_charge(session, gate)) {
		return MG_STEP_WAIT;
	}
	settle_charge(session, txn);
	gate->has_asked_store = false;
	gate->place = MG_GATE_DONE;
	return MG_STEP_DONE;
}

static void forget_charge(void *context)
{
	free(context);
}

void mg_gate_failure(const struct mg_guards *guards, const struct mg_conf *conf, const struct mg_limit_facts *facts)
{
	struct mg_charge *charge;
	size_t row[MG_CHARGE_ITEMS];

	if (guards == NULL || guards->limits == NULL || conf->rate.limit_count == 0 ||
		(charge = calloc(1, sizeof *charge)) == NULL)
		return;
	charge->ready = forget_charge;
	charge->context = charge;
	mg_limits_charge(conf, facts, MG_SPEND_FAILURE, 1, false, guards->seen, charge, row);
	if (charge->count == 0 || guards->limits->decide(guards->limits->context, charge))
		free(charge);
}

void mg_gate_learn_recipients(const struct mg_guards *guards, const struct mg_txn *txn)
{
	for (const struct mg_recipient *r = txn->record->recipients; r != NULL; r = r->next)
		if (r->verdict == MG_ACTION_ACCEPT) {
			struct mg_limit_facts facts = mg_gate_limit_facts(txn, mg_str_z(r->address));

			mg_limits_learn(txn->conf, &facts, guards->seen);
		}
}
