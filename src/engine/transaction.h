/* transaction.h - one MAIL to its end, while it is open: the record being filled, and what only the engine needs.
 *
 * Internal to the engine. Threads: the session's lock. */
#ifndef MG_ENGINE_TRANSACTION_H
#define MG_ENGINE_TRANSACTION_H

#include "engine/engine.h"

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
	unsigned from_fields;
	unsigned results_fields; /* Authentication-Results fields so far */
	struct mg_edit *edits;   /* deletions, in the order the fields came */
	size_t edit_count, edit_room;
};

/* A new transaction with its record; NULL when memory is out. Takes references of both snapshots. */
struct mg_txn *mg_txn_begin(const struct mg_conf *conf, const struct mg_domains *domains);

/* Facts of the client into the record, where it has none yet. */
void mg_txn_client(struct mg_txn *txn, const struct mg_client *client, int64_t connect_us);
void mg_txn_user(struct mg_txn *txn, struct mg_str user, struct mg_str auth_type);

/* The recipient that policy asks about: noted once. */
void mg_txn_asked(struct mg_txn *txn, struct mg_str address);

/* The recipient as the milter sees it: accepted or refused by Postfix. */
void mg_txn_rcpt(struct mg_txn *txn, const struct mg_rcpt_facts *facts);

void mg_txn_header(struct mg_txn *txn, struct mg_str name, struct mg_str value, struct mg_str own_id);

/* The header edits at end-of-message. */
void mg_txn_edits(struct mg_txn *txn, struct mg_verdict *verdict);

/* Closes the record and hands it over; NULL when there was no transaction to speak of (no RCPT). The txn is freed. */
struct mg_record *mg_txn_end(struct mg_txn **txn, enum mg_end how);

#endif
