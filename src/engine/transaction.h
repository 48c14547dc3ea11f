/* transaction.h - one MAIL to its end, while it is open: the record being filled, and what only the engine needs.
 *
 * Internal to the engine. Threads: the session's lock. */
#ifndef MG_ENGINE_TRANSACTION_H
#define MG_ENGINE_TRANSACTION_H

#include "auth/evaluation.h"
#include "engine/edits.h"
#include "engine/enforce.h"
#include "engine/engine.h"
#include "engine/gate.h"

enum { MG_INSTANCE_TEXT = 64 };

/* How a transaction ended, as the door saw it. */
enum mg_end {
	MG_END_YES,    /* end-of-message with our verdict in record->action */
	MG_END_RESET,  /* RSET, another MAIL, or refused by somebody else after RCPT */
	MG_END_GONE,   /* the connection was over */
	MG_END_POLICY, /* policy-only: over, with no final answer seen */
};

struct mg_txn {
	struct mg_record *record;
	const struct mg_conf *conf;       /* pinned at the start */
	const struct mg_domains *domains; /* pinned at the start; may be NULL */
	char instance[MG_INSTANCE_TEXT];  /* policy's, "" unknown */
	int64_t touched_us;               /* monotonic */
	bool is_simulated;                /* not from SMTP: sendmail(1), a bounce */
	bool wants_foreign;               /* some recipient is not ours, accepted or refused */
	bool wants_unknown;               /* some recipient's domain could not be told */
	struct mg_author author;
	struct mg_evaluation *evaluation; /* of the sender; NULL: not checked */
	struct mg_judgement judgement;    /* what its results ask for; not where the client is exempt */
	bool is_judged;
	bool is_refused;                   /* policy refused the message at its end */
	struct mg_certificate certificate; /* its texts lie in the record */
	bool is_spoofed;                   /* who speaks for the client by XCLIENT is not to be believed */
	struct mg_gate gate;               /* the guards' */
	struct mg_recipient *asked;        /* the recipient policy last asked about, or NULL */
	unsigned results_fields;           /* Authentication-Results fields so far */
	struct mg_edits edits;
};

/* A new transaction with its record; NULL when memory is out. Takes references of both snapshots. */
struct mg_txn *mg_txn_begin(const struct mg_conf *conf, const struct mg_domains *domains);

/* Facts of the client into the record, where it has none yet. */
void mg_txn_client(struct mg_txn *txn, const struct mg_client *client, int64_t connect_us);
void mg_txn_user(struct mg_txn *txn, struct mg_str user, struct mg_str auth_type);

/* The recipient that policy asks about: noted once. */
void mg_txn_asked(struct mg_txn *txn, struct mg_str address);

/* The recipient as the milter sees it: accepted or refused by Postfix. Returns it; NULL: not kept. */
struct mg_recipient *mg_txn_rcpt(struct mg_txn *txn, const struct mg_rcpt_facts *facts);

void mg_txn_header(struct mg_txn *txn, struct mg_str name, struct mg_str value, struct mg_str own_id);

/* Whether what the checks found may count against this client: not those that logged in, are local or trusted. */
bool mg_txn_is_exempt(const struct mg_txn *txn);

/* Closes the record: its action stands. */
void mg_txn_settle(struct mg_txn *txn, enum mg_end how);
/* Hands it over; NULL when there was no transaction to speak of (no RCPT). The txn is freed. */
struct mg_record *mg_txn_end(struct mg_txn **txn);

/* ---- answer.c ---- */

/* Once the evaluation is done: the judgement. */
void mg_txn_judge(struct mg_txn *txn);

/* The answer at end-of-message, with its header edits. `own_id` is the name our fields carry. */
void mg_txn_verdict(struct mg_txn *txn, const char *own_id, struct mg_verdict *verdict);

/* What the sender's checks have policy answer about the recipient last asked about. */
void mg_txn_policy_verdict(struct mg_txn *txn, struct mg_verdict *verdict);

/* What the guards answer about the gate's recipient, or to policy about the message. */
void mg_txn_gate_verdict(struct mg_txn *txn, struct mg_verdict *verdict);

/* Notes what is only observed: in the record of a message that goes through. */
void mg_txn_observe(struct mg_txn *txn, const struct mg_judgement *judgement);

/* Before the end: notes and counts the evaluation's results, as far as they stand. */
void mg_txn_conclude(struct mg_txn *txn, struct mg_counters *counters);

#endif
