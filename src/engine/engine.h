/* engine.h - one SMTP transaction, whichever door tells of it: facts in, verdict out, record kept.
 *
 * A *session* is one SMTP connection, known by client address and port; both doors may speak of it, in any order. A
 * *transaction* is one MAIL to its end. The policy request of a command comes before the milter's event of it, so what
 * policy says while no matching MAIL is open waits in the session, and the milter's next MAIL with the same sender
 * adopts it. What nobody adopts is a policy-only transaction: it ends with END-OF-MESSAGE, another instance on that
 * session, MG_ENGINE_IDLE_S of silence, or MG_ENGINE_PARTING_S of it after the log's disconnect.
 *
 * Nothing here knows a wire or does I/O; only mg_session_verdict() waits.
 *
 * Threads: every call is safe from any thread; calls about one milter session come one at a time (libmilter's order).
 * A session's lock is held for the call only and never while calling out. */
#ifndef MG_ENGINE_ENGINE_H
#define MG_ENGINE_ENGINE_H

#include "auth/dnsbl.h"
#include "conf/conf.h"
#include "engine/counters.h"
#include "engine/verdict.h"
#include "guard/guards.h"
#include "postfix/domains.h"
#include "postfix/logline.h"

/* The `instance` of a policy request that only proves we are there: never counted, never recorded. */
#define MG_ENGINE_PROBE "mailguard.probe"

enum { MG_ENGINE_POLICY_WAIT_MS = 8000 }; /* Postfix asks for 10 s (`wire` says so) */
enum { MG_ENGINE_IDLE_S = 600, MG_ENGINE_PARTING_S = 2, MG_ENGINE_POLICY_SESSIONS = 20000 };

struct mg_engine;
struct mg_session;

struct mg_engine_options {
	const struct mg_conf *conf; /* one reference is taken */
	struct mg_counters *counters;
	const struct mg_lookup_source *dns; /* outlives the engine; NULL: senders are not checked */
	struct mg_dnsbl_zones *zones;       /* likewise; may be NULL */
	const struct mg_guards *guards;     /* likewise; NULL: nothing is guarded */
	/* Something waits for mg_engine_pump(). From any thread, under a lock of the engine; must only signal. NULL: nobody pumps. */
	void (*wake)(void *context);
	/* Takes the finished record; false: it could not be kept (counted here). Called without locks. */
	bool (*put)(void *context, struct mg_record *record_take);
	void *context;
};

MG_MUSTCHECK
enum mg_rc mg_engine_new(const struct mg_engine_options *options, struct mg_engine **engine_out, struct mg_err *err);
/* Ends what policy-only transactions are open. All milter sessions must be closed. */
void mg_engine_free(struct mg_engine **engine);

/* Later transactions use these; open ones keep what they pinned. */
void mg_engine_set_conf(struct mg_engine *engine, const struct mg_conf *conf);
void mg_engine_set_domains(struct mg_engine *engine, const struct mg_domains *domains);
/* What is wired at every smtpd: then policy's first look at a recipient leaves relaying to the tap or the milter, which know better, and
 * greylisting to the milter, which has seen the message. */
void mg_engine_set_wiring(struct mg_engine *engine, bool has_milter, bool has_tap);

struct mg_engine_stats {
	size_t sessions;        /* known now, of either door */
	size_t milter_sessions; /* of the milter */
	size_t transactions;    /* open now */
};
void mg_engine_stats(struct mg_engine *engine, struct mg_engine_stats *stats_out);

/* Ends policy-only transactions that were silent too long at monotonic `now_us`. Call once a second. */
void mg_engine_sweep(struct mg_engine *engine, int64_t now_us);

/* Ends every policy-only transaction now: the record is about to close. */
void mg_engine_flush(struct mg_engine *engine);

/* A line of the mail log: a disconnect ends the policy-only transaction of that smtpd process, if it stays silent; a failed AUTH
 * is a failure of its client. */
void mg_engine_log_line(struct mg_engine *engine, const struct mg_log_line *line);

/* ---- the milter's door ---- */

/* What the milter knows of a client at connect; borrowed for the call. */
struct mg_client {
	struct mg_ip ip; /* MG_IP_NONE: a client without an address */
	unsigned port;   /* 0 unknown: never joined with policy */
	struct mg_str name, server_port;
	struct mg_ip speaker; /* who said by XCLIENT that this is the client; MG_IP_NONE nobody */
};

/* The SMTP connection this client belongs to. NULL when memory is out: the session then passes unrecorded. */
struct mg_session *mg_session_open(struct mg_engine *engine, const struct mg_client *client);
/* The connection is over: an open transaction ends as "client:gone". Sets *session to NULL; NULL in it is fine. */
void mg_session_close(struct mg_session **session);

void mg_session_helo(struct mg_session *session, struct mg_str helo);
/* `is_verified`: the client showed a certificate that Postfix verified. */
void mg_session_tls(struct mg_session *session, struct mg_str version, bool is_verified);

/* MAIL: a transaction begins. `user` is the SASL login ("" and ANONYMOUS: none). */
void mg_session_mail(struct mg_session *session, struct mg_str sender, struct mg_str user, struct mg_str auth_type);

/* What Postfix resolved a recipient to. */
struct mg_rcpt_facts {
	struct mg_str address;                /* RCPT TO, without <> */
	struct mg_str mailer, host, resolved; /* {rcpt_mailer}, {rcpt_host}, {rcpt_addr} */
	struct mg_str queue_id;               /* {i}, empty before the first accepted recipient */
};
/* RCPT, accepted or refused by Postfix. */
struct mg_verdict mg_session_rcpt(struct mg_session *session, const struct mg_rcpt_facts *facts);

void mg_session_header(struct mg_session *session, struct mg_str name, struct mg_str value);
void mg_session_header_end(struct mg_session *session);
void mg_session_body(struct mg_session *session, struct mg_str chunk);

/* End of message: what to answer. Waits for DNS where the sender's checks still need it, at most auth.time_budget_ms. The
 * transaction stays open, and what the verdict points to stays valid, until
 * mg_session_end(): call that once the answer has been given, and the record is on its way. */
void mg_session_verdict(struct mg_session *session, struct mg_str queue_id, struct mg_verdict *verdict_out);
void mg_session_end(struct mg_session *session);

/* RSET, another MAIL, a refusal at end-of-data: an open transaction ends. Nothing open: nothing happens. */
void mg_session_abort(struct mg_session *session);

/* ---- the policy door ---- */

/* The policy_context of the tap (`wire`): asked only about recipients that Postfix accepts and is not responsible for. */
#define MG_POLICY_TAP "relay-rcpt"

enum mg_policy_stage { MG_POLICY_OTHER, MG_POLICY_MAIL, MG_POLICY_RCPT, MG_POLICY_DATA, MG_POLICY_END };

/* One policy request; borrowed for the call. */
struct mg_policy_request {
	enum mg_policy_stage stage;
	struct mg_client client;
	bool is_tap; /* policy_context=relay-rcpt: Postfix accepts this recipient and is not responsible for it */
	struct mg_str helo, sender, recipient, queue_id, instance, user, auth_type, tls;
	struct mg_str fingerprint, key_fingerprint, certificate_subject, certificate_issuer;
	uint64_t size_bytes;
	unsigned recipient_count;
};

/* Whoever may wait for an answer embeds this; zeroed but for `done`, which is called once, from mg_engine_pump(). */
struct mg_policy_waiter {
	void (*done)(struct mg_policy_waiter *waiter, const struct mg_verdict *verdict);
	struct mg_policy_waiter *next; /* the engine's, like all below */
	struct mg_session *session;    /* not NULL while it waits */
	int64_t deadline_us;
};

/* What to answer (its text stays as it is until the next call of this or of pump); or, where that depends on DNS, MG_ACTION_NONE: `done` tells it later, after at most
 * MG_ENGINE_POLICY_WAIT_MS. With `waiter` NULL nobody waits. One thread (the loop's) calls this, cancel and pump. */
struct mg_verdict mg_engine_policy(
	struct mg_engine *engine, const struct mg_policy_request *request, struct mg_policy_waiter *waiter);
/* It is not told any more; one that does not wait is fine. */
void mg_engine_policy_cancel(struct mg_engine *engine, struct mg_policy_waiter *waiter);
/* Carries on what policy began and answers have come for. After `wake`, and once a second. */
void mg_engine_pump(struct mg_engine *engine, int64_t now_us);

#endif
