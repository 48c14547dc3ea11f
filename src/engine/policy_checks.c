#include "engine/policy_checks.h"

#include "base/clock.h"

void mg_policy_checks_begin(struct mg_session *session, struct mg_txn *txn, const struct mg_policy_request *request)
{
	if (txn->evaluation != NULL || txn->record->user[0] != '\0' || session->milters > 0 ||
		(txn->evaluation = mg_session_evaluate(session, true)) == NULL)
		return;
	mg_evaluation_no_message(txn->evaluation);
	mg_evaluation_helo(txn->evaluation, request->helo);
	mg_evaluation_mail(txn->evaluation, request->sender);
	mg_evaluation_step(txn->evaluation);
}

/* Whether the answer can depend on what DNS will say. */
static bool must_wait(const struct mg_txn *txn)
{
	const struct mg_conf *conf = txn->conf;

	return conf->mode == MG_MODE_ENFORCE && !mg_txn_is_exempt(txn) &&
	       (conf->auth.spf == MG_LEVEL_ENFORCE || conf->auth.iprev == MG_LEVEL_ENFORCE ||
		       (conf->auth.dnsbl_action == MG_LEVEL_ENFORCE && conf->auth.dnsbl_count > 0));
}

static void decide_checks(struct mg_txn *txn, struct mg_verdict *verdict)
{
	if (txn->evaluation == NULL || !must_wait(txn) || txn->gate.kind == MG_GATE_TAP)
		return;
	if (mg_evaluation_step(txn->evaluation) == MG_STEP_WAIT) {
		verdict->action = MG_ACTION_NONE;
		return;
	}
	mg_txn_judge(txn);
	mg_txn_policy_verdict(txn, verdict);
}

void mg_policy_checks_decide(struct mg_session *session, struct mg_txn *txn, struct mg_verdict *verdict)
{
	decide_checks(txn, verdict);
	if (verdict->action == MG_ACTION_NONE || mg_gravity(verdict->action) > mg_gravity(MG_ACTION_QUARANTINE))
		return;
	if (mg_gate_step(session, txn) == MG_STEP_WAIT)
		verdict->action = MG_ACTION_NONE;
	else
		mg_txn_gate_verdict(txn, verdict);
}

void mg_policy_checks_keep(struct mg_engine *engine, struct mg_verdict *verdict)
{
	if (verdict->text == NULL)
		return;
	mg_str_copy(engine->policy_text, sizeof engine->policy_text, mg_str_z(verdict->text));
	verdict->text = engine->policy_text;
}

bool mg_policy_checks_wait(struct mg_session *session, struct mg_policy_waiter *waiter)
{
	struct mg_engine *engine = session->engine;

	if (waiter == NULL || session->waiter != NULL)
		return false;
	pthread_mutex_lock(&engine->lock);
	session->refs++;
	pthread_mutex_unlock(&engine->lock);
	session->waiter = waiter;
	waiter->session = session;
	waiter->deadline_us = mg_mono_us() + MG_ENGINE_POLICY_WAIT_MS * MG_MS_US;
	waiter->next = engine->waiters;
	engine->waiters = waiter;
	return true;
}

void mg_engine_policy_cancel(struct mg_engine *engine, struct mg_policy_waiter *waiter)
{
	struct mg_session *session = waiter->session;

	if (session == NULL)
		return;
	for (struct mg_policy_waiter **at = &engine->waiters; *at != NULL; at = &(*at)->next)
		if (*at == waiter) {
			*at = waiter->next;
			break;
		}
	waiter->session = NULL;
	session->waiter = NULL;
	mg_session_release(session, false);
}

static void step_checks(struct mg_txn *txn, bool is_over)
{
	if (txn->evaluation == NULL)
		return;
	if (is_over)
		mg_evaluation_expire(txn->evaluation);
	mg_evaluation_step(txn->evaluation);
}

/* Carries the session's checks on; its waiter is told when they are done, or when the time is over. */
static void carry_on(struct mg_engine *engine, struct mg_session *session, bool is_over)
{
	struct mg_policy_waiter *waiter = session->waiter;
	struct mg_verdict verdict = { .action = MG_ACTION_ACCEPT };
	int64_t start_us = mg_mono_us();

	pthread_mutex_lock(&session->lock);
	if (session->waiting != NULL) {
		step_checks(session->waiting, is_over);
		if (is_over)
			mg_gate_expire(session, session->waiting);
		if (waiter != NULL)
			mg_policy_checks_decide(session, session->waiting, &verdict);
		session->waiting->record->latency_us += mg_mono_us() - start_us;
		mg_policy_checks_keep(engine, &verdict);
	}
	pthread_mutex_unlock(&session->lock);
	if (waiter == NULL || (verdict.action == MG_ACTION_NONE && !is_over))
		return;
	if (verdict.action == MG_ACTION_NONE)
		verdict.action = MG_ACTION_ACCEPT;
	waiter->done(waiter, &verdict);
	mg_engine_policy_cancel(engine, waiter);
}

static struct mg_session *take_ready(struct mg_engine *engine)
{
	struct mg_session *session;

	pthread_mutex_lock(&engine->lock);
	session = TAILQ_FIRST(&engine->ready);
	if (session != NULL) {
		TAILQ_REMOVE(&engine->ready, session, ready);
		session->is_ready = false;
		session->refs++;
	}
	pthread_mutex_unlock(&engine->lock);
	return session;
}

/* Its time is over, or what it waits for has ended without it. */
static struct mg_policy_waiter *first_overdue(const struct mg_engine *engine, int64_t now_us)
{
	struct mg_policy_waiter *waiter = engine->waiters;

	while (waiter != NULL && waiter->deadline_us > now_us && waiter->session->has_waiting)
		waiter = waiter->next;
	return waiter;
}

void mg_engine_pump(struct mg_engine *engine, int64_t now_us)
{
	struct mg_session *session;
	struct mg_policy_waiter *overdue;

	while ((session = take_ready(engine)) != NULL) {
		carry_on(engine, session, false);
		mg_session_release(session, false);
	}
	while ((overdue = first_overdue(engine, now_us)) != NULL)
		carry_on(engine, overdue->session, true);
}
