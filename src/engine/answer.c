/* What the sender's checks found goes into the record, what it asks for into the answer. */
#include <stdio.h>

#include "auth/received_spf.h"
#include "auth/results_field.h"
#include "engine/transaction.h"

static void count_results(
	const struct mg_auth_result *result, const struct mg_evaluation *evaluation, struct mg_counters *counters)
{
	const struct mg_dmarc_output *dmarc = mg_evaluation_dmarc(evaluation);
	const enum mg_result words[MG_METHODS] = { result->iprev, result->spf, result->dkim, result->arc,
		result->dmarc };

	for (int i = 0; i < MG_METHODS; i++)
		atomic_fetch_add(&counters->auth[i][words[i]], 1);
	if (dmarc != NULL && dmarc->rfc7489[0] != '\0')
		atomic_fetch_add(&counters->dmarc_rfc7489, 1);
	if (mg_evaluation_arc_overrides(evaluation))
		atomic_fetch_add(&counters->arc_overrides, 1);
}

static void note_results(struct mg_txn *txn, struct mg_counters *counters)
{
	struct mg_record *record = txn->record;
	struct mg_auth_result result;
	struct mg_buf report, facts;

	result = mg_evaluation_result(txn->evaluation);
	record->auth[MG_METHOD_IPREV] = mg_result_name(result.iprev);
	record->auth[MG_METHOD_SPF] = mg_result_name(result.spf);
	record->auth[MG_METHOD_DKIM] = mg_result_name(result.dkim);
	record->auth[MG_METHOD_ARC] = mg_result_name(result.arc);
	record->auth[MG_METHOD_DMARC] = mg_result_name(result.dmarc);
	count_results(&result, txn->evaluation, counters);
	if (mg_evaluation_is_cut_short(txn->evaluation)) {
		record->is_degraded = true;
		atomic_fetch_add(&counters->degraded[MG_DEGRADED_CHECKS], 1);
	}
	mg_buf_init(&report, MG_RESULTS_FIELD);
	mg_results_field(&report, txn->evaluation, "mailguard", "\n");
	record->auth_report = mg_record_text(record, mg_buf_str(&report));
	mg_buf_fini(&report);
	mg_buf_init(&facts, MG_RECORD_TEXT);
	mg_auth_facts_write(txn->evaluation, &facts);
	record->auth_facts = mg_record_text(record, mg_buf_str(&facts));
	mg_buf_fini(&facts);
}

void mg_txn_judge(struct mg_txn *txn)
{
	if (txn->evaluation == NULL || txn->is_judged || mg_txn_is_exempt(txn))
		return;
	mg_enforce(txn->evaluation, txn->conf, txn->record, &txn->judgement);
	txn->is_judged = true;
}

static void insert_ours(struct mg_txn *txn, const char *own_id)
{
	struct mg_arena *arena = &txn->record->arena;
	struct mg_buf field;

	mg_buf_init(&field, MG_RESULTS_FIELD);
	if (txn->conf->auth.add_received_spf)
		mg_received_spf(&field, txn->evaluation, own_id);
	mg_edits_insert(&txn->edits, arena, "Received-SPF", mg_buf_str(&field));
	mg_buf_reset(&field);
	mg_results_field(&field, txn->evaluation, own_id, "\n\t");
	mg_edits_insert(&txn->edits, arena, "Authentication-Results", mg_buf_str(&field));
	mg_buf_fini(&field);
}

static void collect_edits(struct mg_txn *txn, const char *own_id, struct mg_verdict *verdict)
{
	mg_edits_last_first(&txn->edits);
	if (txn->evaluation != NULL && own_id[0] != '\0')
		insert_ours(txn, own_id);
	verdict->edits = txn->edits.edit;
	verdict->edit_count = txn->edits.count;
}

static void note_judgement(struct mg_record *record, const struct mg_judgement *judgement)
{
	char code[32];

	record->text = judgement->text;
	record->rule = judgement->rule;
	if (judgement->action != MG_ACTION_QUARANTINE) {
		snprintf(code, sizeof code, "%s %s", judgement->code, judgement->dsn);
		record->code = mg_record_text(record, mg_str_z(code));
	}
}

/* Whom a guard speaks of: one recipient, while it looks at one, or the message. */
static const char **asked_of(struct mg_txn *txn, const struct mg_judgement *judgement)
{
	const struct mg_gate *gate = &txn->gate;
	bool is_guard = !mg_str_starts(mg_str_z(judgement->rule), MG_STR("auth:"));
	bool is_at_recipient = gate->kind != MG_GATE_DATA && gate->place != MG_GATE_DONE && gate->recipient != NULL;

	return is_guard && is_at_recipient ? &gate->recipient->asked : &txn->record->asked;
}

void mg_txn_observe(struct mg_txn *txn, const struct mg_judgement *judgement)
{
	struct mg_record *record = txn->record;

	mg_record_ask(record, asked_of(txn, judgement), judgement->action, judgement->rule);
	if (txn->conf->mode == MG_MODE_OBSERVE) {
		if (mg_gravity(judgement->action) <= mg_gravity(record->would))
			return;
		record->would = judgement->action;
	}
	note_judgement(record, judgement);
}

static void answer_with(struct mg_verdict *verdict, const struct mg_judgement *judgement)
{
	verdict->action = judgement->action;
	verdict->code = judgement->code;
	verdict->dsn = judgement->dsn;
	verdict->text = judgement->text;
}

/* Puts the judgement into the record and the verdict; in mode "observe" only into the record. */
static void pass_judgement(struct mg_txn *txn, const struct mg_judgement *judgement, struct mg_verdict *verdict)
{
	if (judgement->action == MG_ACTION_ACCEPT || judgement->action == MG_ACTION_NONE)
		return;
	if (txn->conf->mode == MG_MODE_OBSERVE) {
		mg_txn_observe(txn, judgement);
		return;
	}
	note_judgement(txn->record, judgement);
	txn->record->action = judgement->action;
	answer_with(verdict, judgement);
}

/* The gravest of what the sender's checks and the guards ask for. */
static const struct mg_judgement *gravest(struct mg_txn *txn)
{
	const struct mg_judgement *all[] = { &txn->judgement, &txn->gate.judgement, &txn->gate.hold };
	const struct mg_judgement *worst = all[0];

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		if (mg_gravity(all[i]->action) > 0)
			mg_record_ask(txn->record, &txn->record->asked, all[i]->action, all[i]->rule);
	for (size_t i = 1; i < sizeof all / sizeof all[0]; i++)
		if (mg_gravity(all[i]->action) > mg_gravity(worst->action))
			worst = all[i];
	return worst;
}

void mg_txn_verdict(struct mg_txn *txn, const char *own_id, struct mg_verdict *verdict)
{
	txn->record->action = txn->conf->mode == MG_MODE_OBSERVE ? MG_ACTION_OBSERVE : MG_ACTION_ACCEPT;
	pass_judgement(txn, gravest(txn), verdict);
	if (txn->conf->auth.add_header &&
		(verdict->action == MG_ACTION_ACCEPT || verdict->action == MG_ACTION_QUARANTINE) &&
		txn->conf->mode != MG_MODE_OBSERVE)
		collect_edits(txn, own_id, verdict);
}

static void refuse_recipient(
	struct mg_recipient *recipient, const struct mg_judgement *judgement, const struct mg_verdict *verdict)
{
	if (recipient == NULL || (verdict->action != MG_ACTION_REJECT && verdict->action != MG_ACTION_TEMPFAIL))
		return;
	recipient->verdict = verdict->action;
	recipient->code = verdict->code;
	recipient->dsn = verdict->dsn;
	recipient->reply = verdict->text;
	recipient->rule = judgement->rule;
}

void mg_txn_policy_verdict(struct mg_txn *txn, struct mg_verdict *verdict)
{
	pass_judgement(txn, &txn->judgement, verdict);
	refuse_recipient(txn->asked, &txn->judgement, verdict);
}

void mg_txn_gate_verdict(struct mg_txn *txn, struct mg_verdict *verdict)
{
	const struct mg_gate *gate = &txn->gate;

	if (gate->kind == MG_GATE_DATA || gate->judgement.action == MG_ACTION_ACCEPT) {
		if (mg_gravity(gate->hold.action) > 0)
			mg_record_ask(txn->record, &txn->record->asked, gate->hold.action, gate->hold.rule);
		pass_judgement(txn, mg_gravity(gate->judgement.action) > 0 ? &gate->judgement : &gate->hold, verdict);
		txn->is_refused = mg_gravity(verdict->action) > mg_gravity(MG_ACTION_QUARANTINE);
		return;
	}
	answer_with(verdict, &gate->judgement);
	refuse_recipient(gate->recipient, &gate->judgement, verdict);
}

/* In mode "observe" policy did not wait for the checks; by now they may be done. */
void mg_txn_conclude(struct mg_txn *txn, struct mg_counters *counters)
{
	struct mg_verdict withheld = { .action = MG_ACTION_ACCEPT };

	if (txn->evaluation == NULL) {
		txn->record->auth_facts = MG_AUTH_FACTS_NONE;
		return;
	}
	if (!txn->record->by_milter && txn->conf->mode == MG_MODE_OBSERVE &&
		mg_evaluation_step(txn->evaluation) == MG_STEP_DONE) {
		mg_txn_judge(txn);
		pass_judgement(txn, &txn->judgement, &withheld);
	}
	note_results(txn, counters);
}
