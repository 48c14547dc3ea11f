/* The table of sessions and the ways in and out of it. A session lives while a milter holds it or a policy transaction
 * waits in it. */
#include "engine/internal.h"
#include "guard/account.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

enum { FACT_MAX = 255, FAILURE_AGE_S = 600 };

enum mg_rc mg_engine_new(const struct mg_engine_options *options, struct mg_engine **engine_out, struct mg_err *err)
{
	struct mg_engine *engine = calloc(1, sizeof *engine);

	if (engine == NULL)
		return mg_err_set(err, MG_ENOMEM, "no memory for the engine");
	pthread_mutex_init(&engine->lock, NULL);
	engine->conf = mg_conf_ref(options->conf);
	engine->counters = options->counters;
	engine->dns = options->dns;
	engine->zones = options->zones;
	engine->guards = options->guards;
	engine->wake = options->wake;
	engine->put = options->put;
	engine->context = options->context;
	TAILQ_INIT(&engine->ready);
	*engine_out = engine;
	return MG_OK;
}

void mg_engine_set_conf(struct mg_engine *engine, const struct mg_conf *conf)
{
	const struct mg_conf *before;

	pthread_mutex_lock(&engine->lock);
	before = engine->conf;
	engine->conf = mg_conf_ref(conf);
	pthread_mutex_unlock(&engine->lock);
	mg_conf_unref(&before);
}

void mg_engine_set_domains(struct mg_engine *engine, const struct mg_domains *domains)
{
	const struct mg_domains *before;

	pthread_mutex_lock(&engine->lock);
	before = engine->domains;
	engine->domains = mg_domains_ref(domains);
	pthread_mutex_unlock(&engine->lock);
	mg_domains_unref(&before);
}

void mg_engine_set_wiring(struct mg_engine *engine, bool has_milter, bool has_tap)
{
	engine->has_milter = has_milter;
	engine->has_tap = has_tap;
}

void mg_session_key(char key[MG_SESSION_KEY], const struct mg_client *client)
{
	char ip[MG_IP_TEXT];

	key[0] = '\0';
	if (client->port != 0 && client->ip.family != MG_IP_NONE)
		snprintf(key, MG_SESSION_KEY, "%s %u", mg_ip_text(&client->ip, ip, sizeof ip), client->port);
}

struct mg_str mg_session_fact(const char *fact)
{
	return mg_str_z(fact == NULL ? "" : fact);
}

void mg_session_learn(char **fact, struct mg_str text)
{
	if (text.n == 0 || (*fact != NULL && mg_str_eq(mg_str_z(*fact), text)))
		return;
	free(*fact);
	*fact = mg_str_dup(mg_str_first(text, FACT_MAX));
}

/* Waits are by the monotonic clock. */
static void init_condition(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(condition, &attributes);
	pthread_condattr_destroy(&attributes);
}

static struct mg_session *new_session(struct mg_engine *engine, const struct mg_client *client)
{
	struct mg_session *session = calloc(1, sizeof *session);

	if (session == NULL)
		return NULL;
	pthread_mutex_init(&session->lock, NULL);
	init_condition(&session->answered);
	session->engine = engine;
	session->ip = client->ip;
	session->port = client->port;
	session->connect_us = mg_wall_us();
	session->touched_us = mg_mono_us();
	atomic_fetch_add(&engine->sessions, 1);
	return session;
}

struct mg_session *mg_session_find(
	struct mg_engine *engine, const struct mg_client *client, const char *key, bool is_milter)
{
	struct mg_session *session = NULL;

	pthread_mutex_lock(&engine->lock);
	if (key[0] != '\0')
		HASH_FIND_STR(engine->table, key, session);
	/* A second milter session with the same address and port: which one policy means can't be told. */
	if (session != NULL && is_milter && session->milters > 0)
		session = NULL, key = "";
	if (session == NULL && (is_milter || engine->sessions < MG_ENGINE_POLICY_SESSIONS))
		session = new_session(engine, client);
	else if (session != NULL)
		key = "";
	if (session != NULL) {
		if (key[0] != '\0') {
			mg_str_copy(session->key, sizeof session->key, mg_str_z(key));
			HASH_ADD_STR(engine->table, key, session);
		}
		session->refs++;
		session->milters += is_milter;
	}
	pthread_mutex_unlock(&engine->lock);
	if (session != NULL && is_milter)
		atomic_fetch_add(&engine->milter_sessions, 1);
	return session;
}

static void free_session(struct mg_session *session)
{
	atomic_fetch_sub(&session->engine->sessions, 1);
	pthread_mutex_destroy(&session->lock);
	pthread_cond_destroy(&session->answered);
	free(session->name);
	free(session->server_port);
	free(session->helo);
	free(session->tls);
	free(session);
}

/* Nobody holds it and no policy transaction waits in it. Engine locked: with refs at 0 nobody else can be inside. */
static bool is_over(const struct mg_session *session)
{
	return session->refs == 0 && !session->has_waiting;
}

void mg_session_release(struct mg_session *session, bool is_milter)
{
	struct mg_engine *engine = session->engine;
	bool gone;

	pthread_mutex_lock(&engine->lock);
	session->refs--;
	session->milters -= is_milter;
	gone = is_over(session);
	if (gone && session->key[0] != '\0')
		HASH_DEL(engine->table, session);
	if (gone && session->is_ready)
		TAILQ_REMOVE(&engine->ready, session, ready);
	pthread_mutex_unlock(&engine->lock);
	if (is_milter)
		atomic_fetch_sub(&engine->milter_sessions, 1);
	if (gone)
		free_session(session);
}

struct mg_txn *mg_session_begin(struct mg_session *session)
{
	struct mg_engine *engine = session->engine;
	struct mg_client client = { .ip = session->ip,
		.port = session->port,
		.name = mg_session_fact(session->name),
		.server_port = mg_session_fact(session->server_port) };
	struct mg_txn *txn;

	pthread_mutex_lock(&engine->lock);
	txn = mg_txn_begin(engine->conf, engine->domains);
	pthread_mutex_unlock(&engine->lock);
	if (txn == NULL) {
		atomic_fetch_add(&engine->counters->degraded[MG_DEGRADED_MEMORY], 1);
		return NULL;
	}
	mg_txn_client(txn, &client, session->connect_us);
	txn->certificate = (struct mg_certificate){ session->tls != NULL, session->is_verified, false, { 0 }, { 0 } };
	txn->is_spoofed = session->is_spoofed;
	txn->is_simulated = session->is_simulated;
	txn->record->helo = mg_record_text(txn->record, mg_session_fact(session->helo));
	txn->record->tls = mg_record_text(txn->record, mg_session_fact(session->tls));
	atomic_fetch_add(&engine->transactions, 1);
	return txn;
}

/* All that is touched of the session is touched under the lock: who sees there that the answer has come may free it. */
static void tell_session(struct mg_session *session, struct mg_gate *charged)
{
	struct mg_engine *engine = session->engine;

	pthread_mutex_lock(&engine->lock);
	session->is_answered = true;
	if (charged != NULL)
		charged->is_charge_answered = true;
	pthread_cond_signal(&session->answered);
	if (!session->is_ready) {
		session->is_ready = true;
		TAILQ_INSERT_TAIL(&engine->ready, session, ready);
	}
	if (engine->wake != NULL)
		engine->wake(engine->context); /* it only signals; behind the lock the engine may be gone, too */
	pthread_mutex_unlock(&engine->lock);
}

/* Only this thread of control can end what is waited for, and it cancels it first: the session is there. */
void mg_session_is_ready(void *context)
{
	tell_session(context, NULL);
}

void mg_session_is_charged(void *context)
{
	struct mg_gate *gate = context;

	tell_session(gate->session, gate);
}

bool mg_session_take_charge(struct mg_session *session, struct mg_gate *gate)
{
	struct mg_engine *engine = session->engine;
	bool has_come;

	pthread_mutex_lock(&engine->lock);
	has_come = gate->is_charge_answered;
	gate->is_charge_answered = false;
	pthread_mutex_unlock(&engine->lock);
	return has_come;
}

static bool wants_checks(const struct mg_conf *conf)
{
	return conf->auth.spf != MG_LEVEL_OFF || conf->auth.dkim != MG_LEVEL_OFF || conf->auth.arc != MG_LEVEL_OFF ||
	       conf->auth.dmarc != MG_LEVEL_OFF || conf->auth.iprev != MG_LEVEL_OFF || conf->auth.dnsbl_count > 0;
}

struct mg_evaluation *mg_session_evaluate(struct mg_session *session, bool is_pumped)
{
	struct mg_engine *engine = session->engine;
	struct mg_evaluation_options options = { .source = engine->dns,
		.zones = engine->zones,
		.client = session->ip,
		.now_s = mg_wall_us() / MG_S_US,
		.ready = is_pumped ? mg_session_is_ready : NULL,
		.context = session };
	struct mg_evaluation *evaluation;
	const struct mg_domains *domains;

	if (engine->dns == NULL || session->is_simulated || session->ip.family == MG_IP_NONE)
		return NULL;
	pthread_mutex_lock(&engine->lock);
	options.conf = mg_conf_ref(engine->conf);
	domains = engine->domains == NULL ? NULL : mg_domains_ref(engine->domains);
	pthread_mutex_unlock(&engine->lock);
	options.receiver = mg_str_z(mg_domains_hostname(domains));
	evaluation = wants_checks(options.conf) ? mg_evaluation_new(&options) : NULL;
	mg_domains_unref(&domains);
	mg_conf_unref(&options.conf);
	return evaluation;
}

/* An smtpd process serves one client at a time: who waited under its number before is gone. */
static void index_by_pid(struct mg_session *session, unsigned pid)
{
	struct mg_engine *engine = session->engine;
	struct mg_session *before = NULL;

	pthread_mutex_lock(&engine->lock);
	if (session->waiting_pid != 0)
		HASH_DELETE(by_pid, engine->pids, session);
	session->waiting_pid = 0;
	if (pid != 0) {
		HASH_FIND(by_pid, engine->pids, &pid, sizeof pid, before);
		if (before != NULL) {
			HASH_DELETE(by_pid, engine->pids, before);
			before->waiting_pid = 0;
			before->is_parting = true;
		}
		session->waiting_pid = pid;
		HASH_ADD(by_pid, engine->pids, waiting_pid, sizeof pid, session);
	}
	pthread_mutex_unlock(&engine->lock);
}

void mg_session_set_waiting(struct mg_session *session, struct mg_txn *txn)
{
	unsigned pid = txn == NULL ? 0 : txn->record->smtpd_pid;

	session->waiting = txn;
	session->has_waiting = txn != NULL;
	session->is_parting = false;
	if (pid != session->waiting_pid)
		index_by_pid(session, pid);
}

/* The client has handed a message over to us. */
static bool is_taken(const struct mg_record *record)
{
	return record->action != MG_ACTION_NONE && record->action != MG_ACTION_REJECT &&
	       record->action != MG_ACTION_TEMPFAIL;
}

struct mg_record *mg_session_finish(struct mg_session *session, struct mg_txn **txn, enum mg_end how)
{
	if (*txn == NULL)
		return NULL;
	atomic_fetch_sub(&session->engine->transactions, 1);
	mg_txn_conclude(*txn, session->engine->counters);
	mg_txn_settle(*txn, how);
	mg_gate_close(session, *txn, is_taken((*txn)->record));
	return mg_txn_end(txn);
}

void mg_engine_deliver(struct mg_engine *engine, struct mg_record *record)
{
	if (record == NULL)
		return;
	mg_counters_add(engine->counters, record->action, record->latency_us);
	if (!engine->put(engine->context, record))
		atomic_fetch_add(&engine->counters->degraded[MG_DEGRADED_JOURNAL], 1);
}

/* The first session whose waiting transaction is due, with a reference; NULL: none. */
static struct mg_session *find_due(
	struct mg_engine *engine, bool (*is_due)(const struct mg_session *, int64_t), int64_t now_us)
{
	struct mg_session *session, *next, *due = NULL;

	pthread_mutex_lock(&engine->lock);
	HASH_ITER(hh, engine->table, session, next)
	{
		if (!session->has_waiting || !is_due(session, now_us))
			continue;
		session->refs++;
		due = session;
		break;
	}
	pthread_mutex_unlock(&engine->lock);
	return due;
}

static void end_waiting(struct mg_engine *engine, bool (*is_due)(const struct mg_session *, int64_t), int64_t now_us)
{
	struct mg_session *session;

	while ((session = find_due(engine, is_due, now_us)) != NULL) {
		struct mg_record *record;

		pthread_mutex_lock(&session->lock);
		record = mg_session_finish(session, &session->waiting, MG_END_POLICY);
		mg_session_set_waiting(session, NULL);
		pthread_mutex_unlock(&session->lock);
		mg_session_release(session, false);
		mg_engine_deliver(engine, record);
	}
}

/* A goodbye in the log may be of the process's client before: the reader lags. So it ends only what stays silent. */
static bool is_over_by_time(const struct mg_session *session, int64_t now_us)
{
	int64_t patience_s = session->is_parting && session->milters == 0 ? MG_ENGINE_PARTING_S : MG_ENGINE_IDLE_S;

	return now_us - session->touched_us > patience_s * MG_S_US;
}

static bool is_any(const struct mg_session *session, int64_t now_us)
{
	(void)session;
	(void)now_us;
	return true;
}

void mg_engine_sweep(struct mg_engine *engine, int64_t now_us)
{
	end_waiting(engine, is_over_by_time, now_us);
}

void mg_engine_flush(struct mg_engine *engine)
{
	end_waiting(engine, is_any, 0);
}

/* A failed AUTH is told by the log alone; one of long ago (we catch up with the log) no longer counts. */
static void note_failed_login(struct mg_engine *engine, const struct mg_log_line *line)
{
	struct mg_limit_facts facts = { .client = line->client_ip, .user = line->user };
	const struct mg_conf *conf;

	if (mg_wall_us() - line->time_us > FAILURE_AGE_S * MG_S_US)
		return;
	pthread_mutex_lock(&engine->lock);
	conf = mg_conf_ref(engine->conf);
	pthread_mutex_unlock(&engine->lock);
	mg_gate_failure(engine->guards, conf, &facts);
	if (engine->guards != NULL && engine->guards->state != NULL && line->user.n > 0)
		mg_account_failure(engine->guards->state, line->user, &line->client_ip);
	mg_conf_unref(&conf);
}

static void note_goodbye(struct mg_engine *engine, const struct mg_log_line *line)
{
	struct mg_session *session = NULL;

	pthread_mutex_lock(&engine->lock);
	HASH_FIND(by_pid, engine->pids, &line->pid, sizeof line->pid, session);
	if (session != NULL)
		session->is_parting = true;
	pthread_mutex_unlock(&engine->lock);
}

void mg_engine_log_line(struct mg_engine *engine, const struct mg_log_line *line)
{
	if (line->kind == MG_LINE_DISCONNECT && line->pid != 0)
		note_goodbye(engine, line);
	else if (line->kind == MG_LINE_SASL_FAIL)
		note_failed_login(engine, line);
}

void mg_engine_stats(struct mg_engine *engine, struct mg_engine_stats *stats_out)
{
	stats_out->sessions = engine->sessions;
	stats_out->milter_sessions = engine->milter_sessions;
	stats_out->transactions = engine->transactions;
}

void mg_engine_free(struct mg_engine **engine)
{
	if (*engine == NULL)
		return;
	mg_engine_flush(*engine);
	pthread_mutex_lock(&(*engine)->lock); /* who has just told a session that it is ready comes to his end */
	pthread_mutex_unlock(&(*engine)->lock);
	mg_conf_unref(&(*engine)->conf);
	mg_domains_unref(&(*engine)->domains);
	pthread_mutex_destroy(&(*engine)->lock);
	free(*engine);
	*engine = NULL;
}
