/* Logins: what their mail shows of them, and mail of those that look compromised. */
#include "engine/gate_steps.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "guard/account.h"
#include "guard/key.h"
#include "mail/address.h"

struct mg_str mg_gate_login(const struct mg_txn *txn)
{
	return txn->is_spoofed || txn->is_simulated ? MG_STR("") : mg_str_z(txn->record->user);
}

static void say_signs(const struct mg_account_view *view, char *place, size_t size)
{
	size_t n = 0;

	place[0] = '\0';
	for (int sign = 0; sign < MG_SIGNS; sign++)
		if (view->is_raised[sign] && n < size)
			n += (size_t)snprintf(
				place + n, size - n, "%s%s", n == 0 ? "" : ", ", mg_sign_name((enum mg_sign)sign));
}

static void judge_account(struct mg_session *session, struct mg_txn *txn, const struct mg_account_view *view)
{
	struct mg_evidence *evidence = &session->engine->counters->accounts;
	bool is_hold = view->rung == MG_ACCOUNT_HOLD;
	struct mg_judgement judgement = { is_hold ? MG_ACTION_QUARANTINE : MG_ACTION_TEMPFAIL, "451", "4.7.1", "",
		"abuse:account" };
	char signs[120], text[300];

	say_signs(view, signs, sizeof signs);
	snprintf(text, sizeof text,
		"This account looks as if somebody else used it (%s), so its mail is %s; please ask your administrator",
		signs, is_hold ? "held" : "not taken for now");
	judgement.text = mg_record_text(txn->record, mg_str_z(text));
	if (mg_wall_us() - evidence->last_us > MG_GATE_SAY_AGAIN_S * MG_S_US)
		mg_log(MG_LOG_WARNING, "account-suspended: action=%s, signs=%s", mg_account_rung_name(view->rung),
			signs);
	mg_evidence_add(evidence, "login=%.60s, signs=%s, %s", view->login, signs, mg_account_rung_name(view->rung));
	mg_gate_found(txn, &judgement, false);
}

enum mg_step mg_gate_account(struct mg_session *session, struct mg_txn *txn)
{
	struct mg_gate *gate = &txn->gate;
	struct mg_state *state = session->engine->guards->state;
	struct mg_str login = mg_gate_login(txn);
	struct mg_account_view view;

	gate->place = MG_GATE_LIMITS;
	if (login.n == 0 || state == NULL || txn->conf->abuse.action == MG_ABUSE_OFF)
		return MG_STEP_DONE;
	if (!gate->is_login_noted)
		mg_account_login(state, login, &txn->record->client_ip);
	gate->is_login_noted = true;
	if (mg_account_look(state, txn->conf, login, &view) && view.rung >= MG_ACCOUNT_TEMPFAIL)
		judge_account(session, txn, &view);
	if (mg_gate_is_refused(txn))
		gate->place = MG_GATE_DONE;
	return MG_STEP_DONE;
}

static bool is_fresh(const struct mg_guards *guards, struct mg_str login, struct mg_str recipient)
{
	char address[MG_KEY_PART];

	return guards->seen != NULL && mg_key_address(recipient, address, sizeof address) &&
	       !mg_seen_knows(guards->seen, MG_STR("account-rcpt"), login, mg_str_z(address));
}

/* The From is of a domain that is neither Postfix's own nor the login's. */
static bool is_foreign_from(const struct mg_txn *txn, struct mg_str login)
{
	struct mg_str from = mg_str_z(txn->record->from_domain);

	return from.n > 0 && !mg_str_eq_nocase(from, mg_address_domain(login)) &&
	       mg_domains_class(txn->domains, from) == MG_DOMAIN_FOREIGN;
}

void mg_gate_note_account(const struct mg_guards *guards, const struct mg_txn *txn)
{
	struct mg_str login = mg_gate_login(txn);
	char address[MG_KEY_PART];

	if (login.n == 0 || guards->state == NULL || txn->conf->abuse.action == MG_ABUSE_OFF)
		return;
	mg_account_message(guards->state, login, is_foreign_from(txn, login));
	for (const struct mg_recipient *r = txn->record->recipients; r != NULL; r = r->next) {
		if (r->verdict != MG_ACTION_ACCEPT)
			continue;
		mg_account_recipient(guards->state, login, is_fresh(guards, login, mg_str_z(r->address)), false);
		if (guards->seen != NULL && mg_key_address(mg_str_z(r->address), address, sizeof address))
			mg_seen_learn(guards->seen, MG_STR("account-rcpt"), login, mg_str_z(address));
	}
}
