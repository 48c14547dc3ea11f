/* Who is banned, is refused at every RCPT. */
#include "engine/gate_steps.h"

#include <stdio.h>

#include "guard/ban.h"

enum mg_step mg_gate_bans(struct mg_session *session, struct mg_txn *txn)
{
	struct mg_state *state = session->engine->guards->state;
	struct mg_ban_facts facts = { txn->record->client_ip, mg_str_z(txn->record->user),
		mg_str_z(txn->record->sender) };
	struct mg_judgement judgement = { MG_ACTION_REJECT, "550", "5.7.1", "", "" };
	char text[300], rule[24];
	struct mg_ban ban;

	txn->gate.place = MG_GATE_RELAY;
	if (state == NULL || txn->is_simulated || txn->gate.kind == MG_GATE_TAP || !mg_ban_find(state, &facts, &ban))
		return MG_STEP_DONE;
	snprintf(text, sizeof text, "Mail of this %s is not accepted here%s%s", mg_ban_kind_name(ban.kind),
		ban.reason[0] == '\0' ? "" : ": ", ban.reason);
	snprintf(rule, sizeof rule, "ban:%s", mg_ban_kind_name(ban.kind));
	for (char *p = text; *p != '\0'; p++)
		if (*p < ' ' || *p > '~' || *p == '%')
			*p = '?';
	judgement.text = mg_record_text(txn->record, mg_str_z(text));
	judgement.rule = mg_record_text(txn->record, mg_str_z(rule));
	atomic_fetch_add(&session->engine->counters->ban_hits, 1);
	mg_gate_found(txn, &judgement, false);
	if (mg_gate_is_refused(txn))
		txn->gate.place = MG_GATE_DONE;
	return MG_STEP_DONE;
}
