/* Where a policy request belongs. With the milter on the same connection: to its open MAIL when sender and instance
 * agree; else it waits for the MAIL to come. Without: to the policy-only transaction of its instance. */
#include "engine/policy_checks.h"

#include <stdio.h>

#include "base/clock.h"
#include "mail/address.h"

static bool is_same_message(const struct mg_txn *txn, const struct mg_policy_request *request)
{
	return mg_str_eq_nocase(mg_str_z(txn->record->sender), request->sender) &&
	       (txn->instance[0] == '\0' || mg_str_eq(mg_str_z(txn->instance), request->instance));
}

/* Postfix writes instance as PID.TIME.MICROSECONDS.COUNT in hexadecimal; the first tells the smtpd process. */
static unsigned process_of(struct mg_str instance)
{
	struct mg_str text = mg_str_cut(&instance, '.');
	unsigned pid = 0;

	if (text.n == 0 || text.n > 7)
		return 0;
	for (size_t i = 0; i < text.n; i++) {
		const char *digits = "0123456789abcdef", *at = strchr(digits, text.p[i]);

		if (at == NULL || text.p[i] == '\0')
			return 0;
		pid = pid << 4 | (unsigned)(at - digits);
	}
	return pid;
}

/* Policy tells more of a certificate than the milter's macros do. */
static void note_certificate(struct mg_txn *txn, const struct mg_policy_request *request)
{
	struct mg_certificate *certificate = &txn->certificate;

	certificate->is_tls = certificate->is_tls || request->tls.n > 0;
	certificate->is_verified =
		certificate->is_verified || request->certificate_subject.n > 0 || request->certificate_issuer.n > 0;
	if (certificate->knows_fingerprints)
		return;
	certificate->knows_fingerprints = true;
	certificate->fingerprint = mg_str_z(mg_record_text(txn->record, request->fingerprint));
	certificate->key_fingerprint = mg_str_z(mg_record_text(txn->record, request->key_fingerprint));
}

static void note_request(struct mg_txn *txn, const struct mg_policy_request *request)
{
	struct mg_record *record = txn->record;

	record->by_policy = true;
	txn->touched_us = mg_mono_us();
	if (txn->instance[0] == '\0') {
		mg_str_copy(txn->instance, sizeof txn->instance, request->instance);
		record->smtpd_pid = process_of(request->instance);
		record->sender = mg_record_text(record, request->sender);
	}
	if (record->helo[0] == '\0')
		record->helo = mg_record_text(record, request->helo);
	if (record->tls[0] == '\0')
		record->tls = mg_record_text(record, request->tls);
	if (record->queue_id[0] == '\0')
		record->queue_id = mg_record_text(record, request->queue_id);
	note_certificate(txn, request);
	mg_txn_client(txn, &request->client, record->time_us);
	mg_txn_user(txn, request->user, request->auth_type);
	if (!record->by_milter && request->size_bytes > 0)
		record->size_bytes = request->size_bytes;
}

static void note_recipient(struct mg_txn *txn, const struct mg_policy_request *request)
{
	mg_txn_asked(txn, request->recipient);
	if (txn->record->by_milter)
		return; /* the milter's event tells more */
	switch (mg_domains_class(txn->domains, mg_address_domain(request->recipient))) {
	case MG_DOMAIN_FOREIGN:
		txn->wants_foreign = true;
		break;
	case MG_DOMAIN_UNKNOWN:
		txn->wants_unknown = true;
		break;
	case MG_DOMAIN_OURS:
		break;
	}
}

/* The transaction the request speaks of; *ended_out is one that it shows to be over. NULL: no memory. */
static struct mg_txn *belongs_to(
	struct mg_session *session, const struct mg_policy_request *request, struct mg_record **ended_out)
{
	struct mg_txn *waiting = session->waiting;

	if (session->open != NULL && is_same_message(session->open, request))
		return session->open;
	if (waiting != NULL && is_same_message(waiting, request))
		return waiting;
	*ended_out = mg_session_finish(session, &waiting, MG_END_POLICY);
	waiting = mg_session_begin(session);
	mg_session_set_waiting(session, waiting);
	return waiting;
}

/* The guards look at a recipient where no milter will (its RCPT comes right after this), at the tap always, and at the message's end
 * where no milter sees it. */
static void open_gate(struct mg_session *session, struct mg_txn *txn, const struct mg_policy_request *request)
{
	bool is_exact = mg_domains_is_relay_first(txn->domains);
	struct mg_gate_case about = {
		.recipient = txn->asked, .address = request->recipient, .domain = mg_address_domain(request->recipient)
	};

	if (request->stage == MG_POLICY_RCPT && request->is_tap) {
		about.kind = MG_GATE_TAP;
		about.is_relay_watched = is_exact;
	} else if (request->stage == MG_POLICY_RCPT && txn == session->waiting) {
		about.kind = MG_GATE_RECIPIENT;
		about.is_relay_watched = is_exact && !session->engine->has_tap && !session->engine->has_milter;
		about.is_greylisted = !session->engine->has_milter;
		about.is_limited = txn->asked == NULL || !txn->asked->is_limited;
	} else if (request->stage == MG_POLICY_END && txn == session->waiting && session->milters == 0) {
		about.kind = MG_GATE_DATA;
		about.recipient = NULL;
		about.is_limited = true;
	} else {
		if (txn == session->waiting)
			mg_gate_forget(session, txn);
		return;
	}
	if (about.is_limited && txn->asked != NULL)
		txn->asked->is_limited = true;
	mg_gate_open(session, txn, &about);
}

/* What the milter's open transaction is asked about can't wait here; its own RCPT can. */
static void decide_at_once(struct mg_session *session, struct mg_txn *txn, struct mg_verdict *verdict)
{
	if (mg_gate_step(session, txn) == MG_STEP_DONE)
		mg_txn_gate_verdict(txn, verdict);
	mg_gate_expire(session, txn);
}

/* Notes the request; ended_out[0] is a transaction it shows to be over, ended_out[1] the one it ends itself. */
static void take(struct mg_session *session, const struct mg_policy_request *request, int64_t start_us,
	struct mg_record *ended_out[2], struct mg_verdict *verdict)
{
	struct mg_txn *txn = belongs_to(session, request, &ended_out[0]);

	if (txn == NULL)
		return;
	note_request(txn, request);
	if (request->stage == MG_POLICY_RCPT)
		note_recipient(txn, request);
	if (txn == session->waiting && !request->is_tap)
		mg_policy_checks_begin(session, txn, request);
	open_gate(session, txn, request);
	if (txn == session->waiting && request->stage != MG_POLICY_MAIL)
		mg_policy_checks_decide(session, txn, verdict);
	else if (txn == session->open && request->is_tap)
		decide_at_once(session, txn, verdict);
	txn->record->latency_us += mg_mono_us() - start_us;
	session->touched_us = txn->touched_us;
	if (txn != session->waiting)
		return;
	mg_session_set_waiting(session, txn);
	if (request->stage == MG_POLICY_END && session->milters == 0 && verdict->action == MG_ACTION_ACCEPT) {
		ended_out[1] = mg_session_finish(session, &txn, MG_END_POLICY);
		mg_session_set_waiting(session, NULL);
	}
}

struct mg_verdict mg_engine_policy(
	struct mg_engine *engine, const struct mg_policy_request *request, struct mg_policy_waiter *waiter)
{
	struct mg_verdict verdict = { .action = MG_ACTION_ACCEPT };
	int64_t start_us = mg_mono_us();
	char key[MG_SESSION_KEY];
	struct mg_session *session;
	struct mg_record *ended[2] = { NULL, NULL };

	if (mg_str_eq(request->instance, MG_STR(MG_ENGINE_PROBE)))
		return verdict;
	atomic_fetch_add(&engine->counters->policy_requests, 1);
	if (request->stage == MG_POLICY_OTHER || request->instance.n == 0)
		return verdict;
	mg_session_key(key, &request->client);
	if (key[0] == '\0') /* an unknown port: this message's requests still belong together */
		snprintf(key, sizeof key, "instance %.*s", MG_STR_ARGS(mg_str_first(request->instance, 64)));
	session = mg_session_find(engine, &request->client, key, false);
	if (session == NULL) {
		atomic_fetch_add(&engine->counters->degraded[MG_DEGRADED_MEMORY], 1);
		return verdict;
	}
	pthread_mutex_lock(&session->lock);
	mg_session_learn(&session->name, request->client.name);
	mg_session_learn(&session->server_port, request->client.server_port);
	take(session, request, start_us, ended, &verdict);
	mg_policy_checks_keep(engine, &verdict);
	pthread_mutex_unlock(&session->lock);
	if (verdict.action == MG_ACTION_NONE && !mg_policy_checks_wait(session, waiter))
		verdict.action = MG_ACTION_ACCEPT;
	mg_session_release(session, false);
	mg_engine_deliver(engine, ended[0]);
	mg_engine_deliver(engine, ended[1]);
	return verdict;
}
