#include "engine/gate.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/internal.h"
#include "guard/account.h"
#include "guard/ban.h"
#include "guard/greylist.h"
#include "guard/key.h"
#include "guard/limits.h"
#include "guard/relay.h"
#include "mail/address.h"

enum { SAY_AGAIN_S = 60 };

static bool is_observing(const struct mg_txn *txn)
{
	return txn->conf->mode == MG_MODE_OBSERVE;
}

/* ---- what is found ---- */

static void found(struct mg_txn *txn, const struct mg_judgement *judgement, bool is_only_observed)
{
	struct mg_gate *gate = &txn->gate;

	if (is_only_observed || is_observing(txn))
		mg_txn_observe(txn, judgement);
	else if (judgement->action == MG_ACTION_QUARANTINE)
		gate->hold = *judgement;
	else
		gate->judgement = *judgement;
}

static bool is_refused(const struct mg_txn *txn)
{
	return txn->gate.judgement.action != MG_ACTION_ACCEPT;
}

static void say_span(char *place, size_t size, uint64_t seconds)
{
	if (seconds >= 2 * 86400)
		snprintf(place, size, "%llu days", (unsigned long long)(seconds + 86399) / 86400);
	else if (seconds >= 2 * 3600)
		snprintf(place, size, "%llu hours", (unsigned long long)(seconds + 3599) / 3600);
	else if (seconds >= 120)
		snprintf(place, size, "%llu minutes", (unsigned long long)(seconds + 59) / 60);
	else
		snprintf(place, size, "%llu seconds", (unsigned long long)seconds);
}

/* ---- bans ---- */

static void step_bans(struct mg_session *session, struct mg_txn *txn)
{
	struct mg_state *state = session->engine->guards->state;
	struct mg_ban_facts facts = { txn->record->client_ip, mg_str_z(txn->record->user),
		mg_str_z(txn->record->sender) };
	struct mg_judgement judgement = { MG_ACTION_REJECT, "550", "5.7.1", "", "" };
	char text[300], rule[24];
	struct mg_ban ban;

	txn->gate.place = MG_GATE_RELAY;
	if (state == NULL || txn->is_simulated || txn->gate.kind == MG_GATE_TAP || !mg_ban_find(state, &facts, &ban))
		return;
	snprintf(text, sizeof text, "Mail of this %s is not accepted here%s%s", mg_ban_kind_name(ban.kind),
		ban.reason[0] == '\0' ? "" : ": ", ban.reason);
	snprintf(rule, sizeof rule, "ban:%s", mg_ban_kind_name(ban.kind));
	for (char *p = text; *p != '\0'; p++)
		if (*p < ' ' || *p > '~' || *p == '%')
			*p = '?';
	judgement.text = mg_record_text(txn->record, mg_str_z(text));
	judgement.rule = mg_record_text(txn->record, mg_str_z(rule));
	found(txn, &judgement, false);
	if (is_refused(txn))
		txn->gate.place = MG_GATE_DONE;
}

/* ---- relaying ---- */

static struct mg_relay_facts relay_facts(const struct mg_session *session, const struct mg_txn *txn)
{
	return (struct mg_relay_facts){ .is_simulated = txn->is_simulated,
		.has_login = txn->record->user[0] != '\0',
		.client = txn->record->client_ip,
		.speaker = session->speaker,
		.certificate = txn->certificate,
		.domain = txn->gate.domain,
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

	if (mg_wall_us() - evidence->last_us > SAY_AGAIN_S * MG_S_US)
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
	note_proof(session, txn, !is_only_observed && !is_observing(txn));
	found(txn, &judgement, is_only_observed);
	if (is_refused(txn) && txn->gate.recipient != NULL && session->engine->guards->limits != NULL)
		mg_bill_refund(&txn->gate.bill, session->engine->guards->limits, txn->gate.recipient);
}

static enum mg_step step_relay(struct mg_session *session, struct mg_txn *txn)
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
	gate->place = is_refused(txn) || !gate->is_limited ? MG_GATE_DONE : MG_GATE_GREYLIST;
	return MG_STEP_DONE;
}

/* ---- greylisting ---- */

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
	char text[120], wait[40];

	if (wait_s == 0)
		return;
	say_span(wait, sizeof wait, (uint64_t)wait_s);
	snprintf(text, sizeof text, "We do not know you yet (greylisting), please try again in %s", wait);
	judgement.text = mg_record_text(txn->record, mg_str_z(text));
	found(txn, &judgement, false);
}

static enum mg_step step_greylist(struct mg_session *session, struct mg_txn *txn)
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
	gate->place = is_refused(txn) ? MG_GATE_DONE : gate->kind == MG_GATE_DATA ? MG_GATE_LIMITS : MG_GATE_ACCOUNT;
	return MG_STEP_DONE;
}

/* ---- accounts ---- */

/* The login as far as it is to be believed; empty: none. */
static struct mg_str login_of(const struct mg_txn *txn)
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
	if (mg_wall_us() - evidence->last_us > SAY_AGAIN_S * MG_S_US)
		mg_log(MG_LOG_WARNING, "account-suspended: action=%s, signs=%s", mg_account_rung_name(view->rung),
			signs);
	mg_evidence_add(evidence, "login=%.60s, signs=%s, %s", view->login, signs, mg_account_rung_name(view->rung));
	found(txn, &judgement, false);
}

static void step_account(struct mg_session *session, struct mg_txn *txn)
{
	struct mg_gate *gate = &txn->gate;
	struct mg_state *state = session->engine->guards->state;
	struct mg_str login = login_of(txn);
	struct mg_account_view view;

	gate->place = MG_GATE_LIMITS;
	if (login.n == 0 || state == NULL || txn->conf->abuse.action == MG_ABUSE_OFF)
		return;
	if (!gate->is_login_noted)
		mg_account_login(state, login, &txn->record->client_ip);
	gate->is_login_noted = true;
	if (mg_account_look(state, txn->conf, login, &view) && view.rung >= MG_ACCOUNT_TEMPFAIL)
		judge_account(session, txn, &view);
	if (is_refused(txn))
		gate->place = MG_GATE_DONE;
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

static void note_account(const struct mg_guards *guards, const struct mg_txn *txn)
{
	struct mg_str login = login_of(txn);
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

/* ---- limits ---- */

static struct mg_limit_facts limit_facts(const struct mg_txn *txn, struct mg_str recipient)
{
	return (struct mg_limit_facts){ .client = txn->record->client_ip,
		.user = mg_str_z(txn->record->user),
		.sender = mg_str_z(txn->record->sender),
		.recipient = recipient };
}

static struct mg_charge *charge_of(struct mg_session *session, struct mg_txn *txn)
{
	struct mg_gate *gate = &txn->gate;

	if (gate->charge == NULL)
		gate->charge = mg_arena_take(&txn->record->arena, sizeof *gate->charge);
	if (gate->charge == NULL)
		return NULL;
	gate->charge->count = 0;
	gate->charge->ready = mg_session_is_ready;
	gate->charge->context = session;
	gate->charge->is_decided = gate->charge->is_refused = gate->charge->is_local = false;
	return gate->charge;
}

/* What this event costs; NULL: nothing. */
static struct mg_charge *make_charge(struct mg_session *session, struct mg_txn *txn)
{
	struct mg_gate *gate = &txn->gate;
	const struct mg_conf *conf = txn->conf;
	struct mg_limit_facts facts = limit_facts(txn, gate->address);
	struct mg_seen *seen = session->engine->guards->seen;
	bool is_soft = is_observing(txn);
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

static const char *unit_of(enum mg_limit_count count)
{
	static const char *const units[] = { "messages", "recipients", "new recipients", "bytes", "connections",
		"failures" };

	return units[count];
}

static struct mg_judgement over_limit(struct mg_txn *txn, const struct mg_charge_item *item, size_t row)
{
	const struct mg_limit_row *limit = &txn->conf->rate.limits[row];
	bool is_reject = limit->action == MG_LIMIT_REJECT;
	char text[400], per[40], wait[40], rule[100];

	say_span(per, sizeof per, limit->per_s);
	say_span(wait, sizeof wait, (uint64_t)(item->wait_ns / 1000000000) + 1);
	if (item->wait_ns == INT64_MAX)
		snprintf(text, sizeof text, "Over the limit %s: more than %llu %s at once is never let through",
			limit->name, (unsigned long long)limit->burst, unit_of(limit->count));
	else
		snprintf(text, sizeof text, "Over the limit %s of %llu %s in %s, please try again in %s", limit->name,
			(unsigned long long)limit->limit, unit_of(limit->count), per, wait);
	snprintf(rule, sizeof rule, "limit:%s", limit->name);
	return (struct mg_judgement){ limit->action == MG_LIMIT_HOLD ? MG_ACTION_QUARANTINE
				      : is_reject                    ? MG_ACTION_REJECT
								     : MG_ACTION_TEMPFAIL,
		is_reject ? "550" : "451", is_reject ? "5.7.1" : "4.7.1", mg_record_text(txn->record, mg_str_z(text)),
		mg_record_text(txn->record, mg_str_z(rule)) };
}

static bool is_hard(const struct mg_charge_item *item)
{
	return item->mode == MG_CHARGE_HARD || item->mode == MG_CHARGE_LOOK;
}

/* Of a refused charge the hard item that takes longest speaks; of a granted one the soft ones that were over. */
static void judge_charge(struct mg_session *session, struct mg_txn *txn)
{
	struct mg_gate *gate = &txn->gate;
	const struct mg_charge *charge = gate->charge;
	size_t worst = MG_CHARGE_ITEMS;

	for (size_t i = 0; i < charge->count; i++) {
		const struct mg_charge_item *item = &charge->item[i];

		if (item->is_over && is_hard(item) == charge->is_refused &&
			(worst == MG_CHARGE_ITEMS || item->wait_ns > charge->item[worst].wait_ns))
			worst = i;
	}
	if (worst < MG_CHARGE_ITEMS) {
		struct mg_judgement judgement = over_limit(txn, &charge->item[worst], gate->row[worst]);

		atomic_fetch_add(&session->engine->counters->limit_hits, 1);
		found(txn, &judgement, txn->conf->rate.limits[gate->row[worst]].action == MG_LIMIT_OBSERVE);
	}
}

static void settle_charge(struct mg_session *session, struct mg_txn *txn)
{
	struct mg_gate *gate = &txn->gate;
	const struct mg_charge *charge = gate->charge;
	struct mg_arena *arena = &txn->record->arena;
	size_t own = gate->kind == MG_GATE_DATA ? 0 : gate->recipient_items, last = own;

	judge_charge(session, txn);
	if (charge->is_refused)
		return;
	while (last < charge->count && txn->conf->rate.limits[gate->row[last]].count != MG_COUNT_CONNECTIONS)
		last++; /* a connection has been made, whatever becomes of the message */
	mg_bill_add(&gate->bill, arena, charge, 0, own, gate->recipient);
	mg_bill_add(&gate->bill, arena, charge, own, last, NULL);
	if (gate->kind != MG_GATE_DATA)
		gate->is_message_charged = session->is_connect_charged = true;
}

static enum mg_step step_limits(struct mg_session *session, struct mg_txn *txn)
{
	struct mg_gate *gate = &txn->gate;
	const struct mg_limit_store *store = session->engine->guards->limits;

	if (!gate->has_asked_store) {
		if (make_charge(session, txn) == NULL) {
			gate->place = MG_GATE_DONE;
			return MG_STEP_DONE;
		}
		gate->has_asked_store = true;
		if (store->decide(store->context, gate->charge))
			gate->charge->is_decided = true;
	}
	if (!gate->charge->is_decided)
		return MG_STEP_WAIT;
	settle_charge(session, txn);
	gate->has_asked_store = false;
	gate->place = MG_GATE_DONE;
	return MG_STEP_DONE;
}

/* ---- the machine ---- */

void mg_gate_open(struct mg_session *session, struct mg_txn *txn, const struct mg_gate_case *about)
{
	struct mg_gate *gate = &txn->gate;

	mg_gate_expire(session, txn);
	gate->kind = about->kind;
	gate->recipient = about->recipient;
	gate->address = mg_str_z(mg_record_text(txn->record, about->address));
	gate->domain = mg_str_z(mg_record_text(txn->record, about->domain));
	gate->is_relay_watched = about->is_relay_watched;
	gate->is_limited = about->is_limited;
	gate->is_greylisted = about->is_greylisted;
	gate->judgement = (struct mg_judgement){ .action = MG_ACTION_ACCEPT };
	gate->place = session->engine->guards == NULL ? MG_GATE_DONE
		      : about->kind == MG_GATE_DATA   ? MG_GATE_GREYLIST
						      : MG_GATE_BANS;
}

enum mg_step mg_gate_step(struct mg_session *session, struct mg_txn *txn)
{
	for (;;) {
		enum mg_step step;

		switch (txn->gate.place) {
		case MG_GATE_BANS:
			step_bans(session, txn);
			step = MG_STEP_DONE;
			break;
		case MG_GATE_GREYLIST:
			step = step_greylist(session, txn);
			break;
		case MG_GATE_RELAY:
			step = step_relay(session, txn);
			break;
		case MG_GATE_ACCOUNT:
			step_account(session, txn);
			step = MG_STEP_DONE;
			break;
		case MG_GATE_LIMITS:
			step = step_limits(session, txn);
			break;
		default:
			return MG_STEP_DONE;
		}
		if (step == MG_STEP_WAIT)
			return MG_STEP_WAIT;
	}
}

void mg_gate_expire(struct mg_session *session, struct mg_txn *txn)
{
	struct mg_gate *gate = &txn->gate;
	const struct mg_guards *guards = session->engine->guards;

	mg_inquiry_drop(&gate->inquiry);
	if (gate->has_asked_store && !gate->charge->is_decided)
		guards->limits->abandon(guards->limits->context, gate->charge);
	gate->has_asked_store = false;
	gate->place = MG_GATE_DONE;
}

/* ---- afterwards ---- */

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

void mg_gate_refused(struct mg_session *session, struct mg_txn *txn, const struct mg_recipient *recipient)
{
	const struct mg_guards *guards = session->engine->guards;
	struct mg_limit_facts facts = limit_facts(txn, mg_str_z(recipient->address));

	if (guards == NULL || guards->limits == NULL || txn->is_simulated)
		return;
	mg_bill_refund(&txn->gate.bill, guards->limits, recipient);
	mg_gate_failure(guards, txn->conf, &facts);
	if (login_of(txn).n > 0 && guards->state != NULL && mg_str_starts(mg_str_z(recipient->dsn), MG_STR("5.1.1")))
		mg_account_recipient(guards->state, login_of(txn), false, true);
}

static void learn(const struct mg_guards *guards, const struct mg_txn *txn)
{
	for (const struct mg_recipient *r = txn->record->recipients; r != NULL; r = r->next)
		if (r->verdict == MG_ACTION_ACCEPT) {
			struct mg_limit_facts facts = limit_facts(txn, mg_str_z(r->address));

			mg_limits_learn(txn->conf, &facts, guards->seen);
		}
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
		learn(guards, txn);
	if (is_accepted)
		note_account(guards, txn);
}
