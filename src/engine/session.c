/* The milter's events of one SMTP connection. Each takes the session's lock, changes the open transaction, and hands a
 * finished record over only after unlocking. */
#include "engine/internal.h"

#include "base/clock.h"

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
	session->is_simulated = client->port == 0 && mg_ip_is_loopback(&client->ip);
	mg_session_learn(&session->name, client->name);
	mg_session_learn(&session->server_port, client->server_port);
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

void mg_session_tls(struct mg_session *session, struct mg_str version)
{
	pthread_mutex_lock(&session->lock);
	mg_session_learn(&session->tls, version);
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

struct mg_verdict mg_session_rcpt(struct mg_session *session, const struct mg_rcpt_facts *facts)
{
	int64_t start_us = mg_mono_us();
	struct mg_verdict verdict = { .action = MG_ACTION_ACCEPT };

	pthread_mutex_lock(&session->lock);
	if (session->open != NULL) {
		mg_txn_rcpt(session->open, facts);
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
