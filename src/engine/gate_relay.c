/* The live relay guard at work: what it finds is refused, or noted, and told. */
#include "engine/gate_steps.h"

#include "base/clock.h"
#include "base/log.h"
#include "guard/relay.h"

static struct mg_relay_facts relay_facts(const struct mg_session *session, const struct mg_txn *txn)
{
	return (struct mg_relay_facts){ .is_simulated = txn->is_simulated,
		.has_login = txn->record->user[0] != '\0',
		.client = txn->record->client_ip,
		.speaker = session->speaker,
		.certificate = txn->certificate,
		.domain = mg_str_z(txn->gate.domain),
		.is_known_foreign = txn->gate.kind == MG_GATE_TAP };
}

static void note_relaying(
	struct mg_session *session, struct mg_txn *txn, struct mg_evidence *evidence, const char *what)
{
	char ip[MG_IP_TEXT], speaker[MG_IP_TEXT];

	mg_evidence_add(evidence, "client=%s%s%s, port=%s, sender=<%.80s>, recipient=<%.*s>, %s",
		mg_ip_text(&txn->record->client_ip, ip, sizeof ip),
		session->speaker.family == MG_IP_NONE ? "" : " said by ",
		mg_ip_text(&session->speaker, speaker, sizeof speaker), txn->record->server_port, txn->record->sender,
		MG_STR_ARGS(mg_str_first(txn->gate.address, 80)), what);
}

static void note_proof(struct mg_session *session, struct mg_txn *txn, bool is_refused_now)
{
	const char *what = is_refused_now ? "refused" : "not refused: only observed";
	struct mg_evidence *evidence = &session->engine->counters->relay_proofs;

	if (mg_wall_us() - evidence->last_us > MG_GATE_SAY_AGAIN_S * MG_S_US)
		mg_log(MG_LOG_ERROR, "open-relay: a stranger's mail to a foreign domain was about to be accepted, %s",
			what);
	note_relaying(session, txn, evidence, what);
}

static void judge_proof(struct mg_session *session, struct mg_txn *txn)
{
	struct mg_judgement judgement = { MG_ACTION_REJECT, "554", "5.7.1",
		"Relay access denied: this server does not forward mail of strangers", "relay:stranger" };
	bool is_only_observed = txn->conf->relay.action == MG_RELAY_ACTION_OBSERVE;

	txn->wants_foreign = true;
	note_proof(session, txn, !is_only_observed && !mg_gate_is_observing(txn));
	mg_gate_found(txn, &judgement, is_only_observed);
}

enum mg_step mg_gate_relay(struct mg_session *session, struct mg_txn *txn)
{
	struct mg_gate *gate = &txn->gate;
	const struct mg_guards *guards = session->engine->guards;
	enum mg_relay_proof proof = MG_RELAY_LEGITIMATE;

	if (txn->conf->relay.action != MG_RELAY_ACTION_OFF && gate->is_relay_watched && gate->inquiry == NULL) {
		struct mg_relay_facts facts = relay_facts(session, txn);

		proof = mg_relay_judge(txn->domains, &facts);
		if (proof != MG_RELAY_LEGITIMATE && !mg_domains_is_fresh(txn->domains))
			proof = MG_RELAY_LEGITIMATE; /* perhaps the recipient has become ours; it is being read again */
		if (proof == MG_RELAY_MUST_ASK && guards->inquiries != NULL)
			gate->inquiry =
				mg_inquiry_begin(guards->inquiries, txn->domains, &facts, mg_session_is_ready, session);
	}
	if (gate->inquiry != NULL) {
		if (!mg_inquiry_answer(gate->inquiry, &proof))
			return MG_STEP_WAIT;
		mg_inquiry_drop(&gate->inquiry);
	}
	if (proof == MG_RELAY_PROOF)
		judge_proof(session, txn);
	else if (proof == MG_RELAY_LISTED)
		note_relaying(session, txn, &session->engine->counters->relay_listed, "accepted");
	gate->place = mg_gate_is_refused(txn) || !gate->is_limited ? MG_GATE_DONE : MG_GATE_GREYLIST;
	return MG_STEP_DONE;
}
