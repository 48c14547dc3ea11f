/* gate.h - what the guards say to one recipient, or to a whole message at its end: a machine that is stepped.
 *
 * Bans first, then the relay guard, the greylist, what the login's account is known for, and the limits last, so that what is refused is
 * not charged. Where a guard has to wait (a table, DNS, a shared
 * store) step says so, and the session becomes ready when it may be stepped again. In mode "observe", and for guards that only
 * observe, what would have been done goes into the record alone.
 *
 * Internal to the engine. Threads: the session's lock. */
#ifndef MG_ENGINE_GATE_H
#define MG_ENGINE_GATE_H

#include "dns/lookup.h"
#include "engine/enforce.h"
#include "guard/bill.h"
#include "guard/guards.h"
#include "guard/limits.h"

struct mg_session;
struct mg_txn;

enum mg_gate_kind {
	MG_GATE_RECIPIENT, /* a RCPT that Postfix has accepted so far */
	MG_GATE_TAP,       /* a RCPT that Postfix accepts and is not responsible for */
	MG_GATE_DATA,      /* end-of-message */
};

enum mg_gate_place {
	MG_GATE_SHUT,
	MG_GATE_BANS,
	MG_GATE_RELAY,
	MG_GATE_GREYLIST,
	MG_GATE_ACCOUNT,
	MG_GATE_LIMITS,
	MG_GATE_DONE
};

enum { MG_GATE_DOMAIN = 264 }; /* longer than any domain */

struct mg_gate { /* of one transaction; zeroed: shut */
	enum mg_gate_kind kind;
	enum mg_gate_place place;
	struct mg_recipient *recipient; /* NULL: the message, or one that is not kept */
	struct mg_str address;          /* the recipient's, in the record's arena */
	char domain[MG_GATE_DOMAIN];    /* of the address that Postfix resolved it to */
	char *spare;                    /* room for the address of one that is not kept; NULL: none so far */
	bool is_relay_watched, is_limited, is_greylisted;
	struct mg_inquiry *inquiry;
	struct mg_charge *charge;   /* made once a transaction */
	struct mg_session *session; /* that waits for it */
	bool is_charge_answered;    /* engine->lock: a shared store has decided */
	size_t row[MG_CHARGE_ITEMS], recipient_items;
	bool has_asked_store;
	struct mg_bill bill;
	bool is_message_charged, is_login_noted;
	struct mg_judgement judgement; /* of the last time: ACCEPT, or what is to be answered */
	struct mg_judgement hold;      /* the message is to be held: its action is QUARANTINE then */
};

/* What it is opened for; borrowed for the call. */
struct mg_gate_case {
	enum mg_gate_kind kind;
	struct mg_recipient *recipient; /* NULL: the message, or one that is not kept */
	struct mg_str address;          /* as the client gave it */
	struct mg_str domain;           /* of the address that Postfix resolved it to */
	bool is_relay_watched;          /* this door can judge relaying here */
	bool is_limited;                /* the limits have not been asked about it before */
	bool is_greylisted;             /* unknown senders are to be asked here to come back */
};
void mg_gate_open(struct mg_session *session, struct mg_txn *txn, const struct mg_gate_case *about);

/* DONE: txn->gate.judgement stands. */
enum mg_step mg_gate_step(struct mg_session *session, struct mg_txn *txn);

/* It is asked about something that no guard speaks of: what was said of another recipient does not count. */
void mg_gate_forget(struct mg_session *session, struct mg_txn *txn);

/* The time is over: what has not been answered says nothing. */
void mg_gate_expire(struct mg_session *session, struct mg_txn *txn);

/* Postfix refused this recipient (not we): what it was charged is given back, and it counts as a failure. */
void mg_gate_refused(struct mg_session *session, struct mg_txn *txn, const struct mg_recipient *recipient);

/* The transaction is over; `is_accepted`: its message was taken. */
void mg_gate_close(struct mg_session *session, struct mg_txn *txn, bool is_accepted);

/* A failure (a failed AUTH) of a client that no transaction tells of. */
void mg_gate_failure(const struct mg_guards *guards, const struct mg_conf *conf, const struct mg_limit_facts *facts);

#endif
