/* The milter's events of one SMTP connection. Each takes the session's lock, changes the open transaction, and hands a
 * finished record over only after unlocking. */
#include "engine/internal.h"

#include "base/clock.h"
#include "mail/address.h"

enum { GATE_MS = 4000 }; /* what a recipient may wait for the guards; Postfix waits 10 s (`wire` says so) */

/* Somebody says by XCLIENT that he is this client, and may not. */
static bool is_spoofed(const struct mg_session *session)
{
	struct mg_engine *engine = session->engine;
	const struct mg_trust *trust;
	bool may;

	if (session->speaker.family == MG_IP_NONE)
		return false;
	pthread_mutex_lock(&engine->lock);
	trust = mg_domains_trust(engine->domains);
	may = trust == NULL || mg_trust_proxy(trust, &session->speaker);
	pthread_mutex_unlock(&engine->lock);
	if (!may) {
		char speaker[MG_IP_TEXT], client[MG_IP_TEXT];

		mg_evidence_add(&engine->counters->relay_spoofs, "%s said by XCLIENT that it is %s",
			mg_ip_text(&session->speaker, speaker, sizeof speaker),
			mg_ip_text(&session->ip, client, sizeof client));
	}
	return !may;
}

struct mg_session *mg_session_open(struct mg_engine *engine, const struct mg_client *client)
{
	char key[MG_SESSION_KEY];
	struct mg_session *session;

	mg_session_key(key, client);
	session = mg_session_find(engine, client, key, true);
	if (session == NULL) {
		atomic_fetch_add(&engine->counters->degraded[MG_DEGRADED_MEMORY], 1);
		return NULL;
	}
	pthread_mutex_lock(&session->lock);
	session->is_simulated =
		client->port == 0 && mg_ip_is_loopback(&client->ip) &&
		client->speaker.family == MG_IP_NONE; /* anybody can say by XCLIENT that he is this machine */
	mg_session_learn(&session->name, client->name);
	mg_session_learn(&session->server_port, client->server_port);
	session->speaker = client->speaker;
	session->is_spoofed = is_spoofed(session);
	pthread_mutex_unlock(&session->lock);
	session->evaluation = mg_session_evaluate(session, false);
	if (session->evaluation != NULL)
		mg_evaluation_step(session->evaluation); /* the client's name and listings are asked for now */
	return session;
}

void mg_session_close(struct mg_session **session)
{
	struct mg_session *closing = *session;
	struct mg_engine *engine;
	struct mg_record *open, *waiting;

	if (closing == NULL)
		return;
	engine = closing->engine;
	pthread_mutex_lock(&closing->lock);
	open = mg_session_finish(closing, &closing->open, MG_END_GONE);
	waiting = mg_session_finish(closing, &closing->waiting, MG_END_POLICY);
	mg_session_set_waiting(closing, NULL);
	pthread_mutex_unlock(&closing->lock);
	mg_evaluation_free(&closing->evaluation);
	mg_session_release(closing, true);
	*session = NULL;
	mg_engine_deliver(engine, waiting);
	mg_engine_deliver(engine, open);
}

void mg_session_helo(struct mg_session *session, struct mg_str helo)
{
	pthread_mutex_lock(&session->lock);
	mg_session_learn(&session->helo, helo);
	pthread_mutex_unlock(&session->lock);
	if (session->evaluation != NULL) {
		mg_evaluation_helo(session->evaluation, helo);
		mg_evaluation_step(session->evaluation);
	}
}

void mg_session_tls(struct mg_session *session, struct mg_str version, bool is_verified)
{
	pthread_mutex_lock(&session->lock);
	mg_session_learn(&session->tls, version);
	session->is_verified = is_verified;
	pthread_mutex_unlock(&session->lock);
}

/* Takes the waiting transaction of policy over, when it is of this sender; another one has ended by now. */
static struct mg_record *adopt(struct mg_session *session, struct mg_str sender)
{
	struct mg_txn *waiting = session->waiting;
	struct mg_record *ended = NULL;

	if (waiting != NULL && mg_str_eq_nocase(mg_str_z(waiting->record->sender), sender))
		session->open = waiting;
	else
		ended = mg_session_finish(session, &waiting, MG_END_POLICY);
	mg_session_set_waiting(session, NULL);
	return ended;
}

/* The open transaction's checks; only the milter's own events, which come one at a time, touch them. */
static struct mg_evaluation *checks_of(const struct mg_session *session)
{
	return session->open == NULL ? NULL : session->open->evaluation;
}

static void step(struct mg_session *session)
{
	if (checks_of(session) != NULL)
		mg_evaluation_step(checks_of(session));
}

/* Of a message that policy saw first, what it found there is only a part: SPF may pass what DMARC refuses. */
static void forget_policy_checks(struct mg_txn *txn)
{
	mg_evaluation_free(&txn->evaluation);
	txn->judgement = (struct mg_judgement){ 0 };
	txn->is_judged = false;
}

/* What was begun at connect goes with the session's first message; later ones begin anew, with the answers still in the
 * cache. Who logged in is not checked. */
static void begin_checks(struct mg_session *session, struct mg_str sender)
{
	struct mg_txn *txn = session->open;

	if (txn == NULL)
		return;
	forget_policy_checks(txn);
	if (txn->record->user[0] != '\0') {
		mg_evaluation_free(&session->evaluation);
		return;
	}
	if (session->evaluation == NULL && (session->evaluation = mg_session_evaluate(session, false)) != NULL)
		mg_evaluation_helo(session->evaluation, mg_session_fact(session->helo));
	if (session->evaluation == NULL)
		return;
	txn->evaluation = session->evaluation;
	session->evaluation = NULL;
	mg_evaluation_mail(txn->evaluation, sender);
	mg_evaluation_step(txn->evaluation);
}

void mg_session_mail(struct mg_session *session, struct mg_str sender, struct mg_str user, struct mg_str auth_type)
{
	struct mg_record *before, *waited;

	pthread_mutex_lock(&session->lock);
	before = mg_session_finish(session, &session->open, MG_END_RESET);
	waited = adopt(session, sender);
	if (session->open == NULL)
		session->open = mg_session_begin(session);
	if (session->open != NULL) {
		struct mg_record *record = session->open->record;

		record->by_milter = true;
		record->sender = mg_record_text(record, sender);
		record->size_bytes = 0;               /* counted as it comes, whatever was declared */
		session->open->wants_unknown = false; /* what Postfix resolves each recipient to tells more */
		if (record->helo[0] == '\0')
			record->helo = mg_record_text(record, mg_session_fact(session->helo));
		if (record->tls[0] == '\0')
			record->tls = mg_record_text(record, mg_session_fact(session->tls));
		mg_txn_user(session->open, user, auth_type);
	}
	pthread_mutex_unlock(&session->lock);
	mg_engine_deliver(session->engine, before);
	mg_engine_deliver(session->engine, waited);
	begin_checks(session, sender);
}

static void expect_answer(struct mg_session *session)
{
	struct mg_engine *engine = session->engine;

	pthread_mutex_lock(&engine->lock);
	session->is_answered = false;
	pthread_mutex_unlock(&engine->lock);
}

/* False: nothing came until then. */
static bool wait_for_answer(struct mg_session *session, int64_t until_us)
{
	struct mg_engine *engine = session->engine;
	struct timespec until = { until_us / MG_S_US, until_us % MG_S_US * 1000 };
	bool is_answered;

	pthread_mutex_lock(&engine->lock);
	while (!session->is_answered && mg_mono_us() < until_us)
		pthread_cond_timedwait(&session->answered, &engine->lock, &until);
	is_answered = session->is_answered;
	pthread_mutex_unlock(&engine->lock);
	return is_answered;
}

/* Steps the guards to their end, waiting without the session's lock; locked on entry and return. */
static void pass_gate(struct mg_session *session)
{
	int64_t until_us = mg_mono_us() + GATE_MS * MG_MS_US;

	for (;;) {
		bool is_answered;

		expect_answer(session);
		if (mg_gate_step(session, session->open) == MG_STEP_DONE)
			return;
		pthread_mutex_unlock(&session->lock);
		is_answered = wait_for_answer(session, until_us);
		pthread_mutex_lock(&session->lock);
		if (!is_answered) {
			mg_gate_expire(session, session->open);
			return;
		}
	}
}

static void guard_recipient(struct mg_session *session, const struct mg_rcpt_facts *facts,
	struct mg_recipient *recipient, struct mg_verdict *verdict)
{
	struct mg_txn *txn = session->open;
	struct mg_gate_case about = { .kind = MG_GATE_RECIPIENT,
		.recipient = recipient,
		.address = facts->address,
		.domain = mg_address_domain(facts->resolved.n > 0 ? facts->resolved : facts->address),
		.is_relay_watched = true,
		.is_limited = recipient == NULL || !recipient->is_limited };

	mg_gate_open(session, txn, &about);
	pass_gate(session);
	if (recipient != NULL)
		recipient->is_limited = true;
	if (txn->gate.judgement.action != MG_ACTION_ACCEPT)
		mg_txn_gate_verdict(txn, verdict);
}

struct mg_verdict mg_session_rcpt(struct mg_session *session, const struct mg_rcpt_facts *facts)
{
	int64_t start_us = mg_mono_us();
	struct mg_verdict verdict = { .action = MG_ACTION_ACCEPT };
	struct mg_recipient *recipient;

	pthread_mutex_lock(&session->lock);
	if (session->open != NULL) {
		recipient = mg_txn_rcpt(session->open, facts);
		if (recipient == NULL || recipient->verdict == MG_ACTION_ACCEPT)
			guard_recipient(session, facts, recipient, &verdict);
		else if (recipient->rule == NULL)
			mg_gate_refused(session, session->open, recipient);
		session->open->record->latency_us += mg_mono_us() - start_us;
	}
	pthread_mutex_unlock(&session->lock);
	step(session);
	return verdict;
}

/* The name our own fields carry: as configured, else Postfix's. */
static const char *own_id(const struct mg_txn *txn)
{
	const char *configured = txn->conf->authserv_id;

	return configured[0] != '\0' ? configured : mg_domains_hostname(txn->domains);
}

void mg_session_header(struct mg_session *session, struct mg_str name, struct mg_str value)
{
	pthread_mutex_lock(&session->lock);
	if (session->open != NULL)
		mg_txn_header(session->open, name, value, mg_str_z(own_id(session->open)));
	pthread_mutex_unlock(&session->lock);
	if (checks_of(session) != NULL)
		mg_evaluation_field(checks_of(session), name, value);
}

void mg_session_header_end(struct mg_session *session)
{
	if (checks_of(session) != NULL)
		mg_evaluation_header_end(checks_of(session));
	step(session);
}

void mg_session_body(struct mg_session *session, struct mg_str chunk)
{
	pthread_mutex_lock(&session->lock);
	if (session->open != NULL)
		session->open->record->size_bytes += chunk.n;
	pthread_mutex_unlock(&session->lock);
	if (checks_of(session) != NULL)
		mg_evaluation_body(checks_of(session), chunk);
}

/* Waits without the session's lock: policy may ask about other things meanwhile. */
static void finish_checks(struct mg_session *session)
{
	struct mg_evaluation *checks = checks_of(session);

	if (checks == NULL)
		return;
	mg_evaluation_body_end(checks);
	mg_evaluation_restart_clock(checks);
	mg_evaluation_finish(checks);
}

/* The guards speak only of a message that the sender's checks let through: what is refused is not charged. */
static void guard_message(struct mg_session *session)
{
	struct mg_txn *txn = session->open;

	if (txn->conf->mode == MG_MODE_ENFORCE &&
		mg_gravity(txn->judgement.action) > mg_gravity(MG_ACTION_QUARANTINE)) {
		mg_gate_forget(session, txn); /* what the last recipient was told is not for the others */
		return;
	}
	mg_gate_open(session, txn,
		&(struct mg_gate_case){ .kind = MG_GATE_DATA, .is_limited = true, .is_greylisted = true });
	pass_gate(session);
}

void mg_session_verdict(struct mg_session *session, struct mg_str queue_id, struct mg_verdict *verdict_out)
{
	int64_t start_us = mg_mono_us();

	*verdict_out = (struct mg_verdict){ .action = MG_ACTION_ACCEPT };
	finish_checks(session);
	pthread_mutex_lock(&session->lock);
	if (session->open != NULL) {
		struct mg_record *record = session->open->record;

		if (record->queue_id[0] == '\0')
			record->queue_id = mg_record_text(record, queue_id);
		mg_txn_judge(session->open);
		guard_message(session);
		mg_txn_verdict(session->open, own_id(session->open), verdict_out);
		record->latency_us += mg_mono_us() - start_us;
	}
	pthread_mutex_unlock(&session->lock);
}

static void end_open(struct mg_session *session, enum mg_end how)
{
	struct mg_record *record;

	pthread_mutex_lock(&session->lock);
	record = mg_session_finish(session, &session->open, how);
	pthread_mutex_unlock(&session->lock);
	mg_engine_deliver(session->engine, record);
}

void mg_session_end(struct mg_session *session)
{
	end_open(session, MG_END_YES);
}

void mg_session_abort(struct mg_session *session)
{
	end_open(session, MG_END_RESET);
}
