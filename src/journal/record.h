/* record.h - what we keep of one SMTP transaction (RFC 5321: one MAIL to its end): facts, verdict, one entry per
 * recipient. The doors' engine fills it, the journal takes it.
 *
 * All text lives in the record's own arena, is never NULL ("" when there is none), and holds what the network said,
 * as bytes: whoever shows it escapes it.
 *
 * Threads: one owner at a time; mg_journal_put() moves the ownership to the writer. */
#ifndef MG_JOURNAL_RECORD_H
#define MG_JOURNAL_RECORD_H

#include <stdint.h>

#include "base/arena.h"
#include "base/ip.h"
#include "base/str.h"

/* What the client got, in the words of the contract (`verdict.action`). */
enum mg_action {
	MG_ACTION_NONE, /* not decided */
	MG_ACTION_ACCEPT,
	MG_ACTION_REJECT,
	MG_ACTION_TEMPFAIL,
	MG_ACTION_QUARANTINE,
	MG_ACTION_DISCARD,
	MG_ACTION_OBSERVE, /* accepted because of mode="observe"; `would` holds what was withheld */
	MG_ACTIONS,
};
const char *mg_action_name(enum mg_action action); /* "", "accept", ... */
enum mg_action mg_action_of(struct mg_str name);   /* MG_ACTIONS: unknown word */

/* How a recipient's delivery stands, as the mail log tells it. */
enum mg_delivery {
	MG_DELIVERY_UNKNOWN, /* refused, or not yet final */
	MG_DELIVERY_SENT,
	MG_DELIVERY_DEFERRED,
	MG_DELIVERY_BOUNCED,
	MG_DELIVERY_EXPIRED,
	MG_DELIVERY_HELD,
	MG_DELIVERIES,
};
const char *mg_delivery_name(enum mg_delivery delivery);
enum mg_delivery mg_delivery_of(struct mg_str name); /* MG_DELIVERIES: unknown word */

/* Who wanted what relayed. */
enum mg_relay_class {
	MG_RELAY_NONE,          /* not known (log-only records) */
	MG_RELAY_LOCAL,         /* loopback or simulated session */
	MG_RELAY_INBOUND,       /* a stranger to our domains only */
	MG_RELAY_AUTHENTICATED, /* logged in */
	MG_RELAY_TRUSTED,       /* mynetworks and the like */
	MG_RELAY_STRANGER,      /* a stranger to any foreign recipient, refused or not */
	MG_RELAY_CLASSES,
};
const char *mg_relay_class_name(enum mg_relay_class relay);

/* RFC 8601 result words by method; "" not evaluated. */
enum mg_method { MG_METHOD_IPREV, MG_METHOD_SPF, MG_METHOD_DKIM, MG_METHOD_ARC, MG_METHOD_DMARC, MG_METHODS };
const char *mg_method_name(enum mg_method method);

enum {
	MG_RECORD_ARENA = 8 * 1024 * 1024, /* ceiling in bytes of one record */
	MG_RECORD_RECIPIENTS = 10000,      /* kept per record; more are counted in recipients_left_out */
	MG_RECORD_TEXT = 1024,             /* longest single text in bytes */
};

struct mg_recipient {
	struct mg_recipient *next;
	const char *address; /* without <> */
	enum mg_action verdict;
	const char *code;  /* basic reply code "554", or "" */
	const char *dsn;   /* "5.7.1", or "" */
	const char *reply; /* the refusal's text without its codes, or "" */
	const char *rule;  /* ours that refused it; NULL: nobody, or Postfix */
	const char
		*asked; /* what ours asked for and was only observed: "tempfail limit:x;reject relay:stranger", or "" */
	bool is_limited; /* the limits have been asked about it */
	int64_t time_us; /* wall */
};

struct mg_record {
	struct mg_arena arena;
	char id[24];               /* our own: unique over restarts */
	int64_t connect_us;        /* wall; 0 unknown */
	int64_t time_us;           /* wall: MAIL */
	int64_t end_us;            /* wall: the transaction's end */
	bool by_milter, by_policy; /* the doors that saw it */
	unsigned smtpd_pid;        /* the smtpd process, from policy's instance; 0 unknown */

	const char *queue_id; /* "" when none was given out */
	struct mg_ip client_ip;
	unsigned client_port;
	const char *client_name; /* "unknown" when Postfix says so */
	const char *helo;
	const char *user;        /* SASL login, "" without (ANONYMOUS is without) */
	const char *sender;      /* reverse-path without <>; "" null */
	const char *from_domain; /* of the From header, lower case */
	const char *message_id;  /* without <> */
	const char *server_port; /* the listener, "25"; "" unknown */
	const char *tls;         /* "TLSv1.3" or "" */
	uint64_t size_bytes;
	const char *auth[MG_METHODS]; /* result words */
	const char *auth_report;      /* a first line, then a method a line as an A-R field has it; "" not checked */
	const char *auth_facts; /* what a verdict rests on besides the words: engine/auth_facts.h; "" not checked */
	enum mg_relay_class relay;

	enum mg_action action, would;
	const char *code, *text, *rule; /* verdict.code ("554 5.7.1" or ""), .text, .rule */
	const char *asked;              /* all that was asked for of the whole message, done or not, as a recipient's */
	int64_t latency_us;             /* what the client waited for us, summed over the transaction */
	bool is_degraded;               /* passed without the full work, from overload */

	struct mg_recipient *recipients, *last_recipient;
	size_t recipient_count, recipients_left_out;
};

/* A fresh record with an id, every text "", no address; NULL when memory is out. `serial` makes ids of one
 * microsecond differ: pass a counter. */
struct mg_record *mg_record_new(int64_t now_wall_us, unsigned serial);
void mg_record_free(struct mg_record **record); /* sets *record to NULL; NULL in it is fine */

/* Copies text into the record, cut at MG_RECORD_TEXT; "" when its arena is full. */
const char *mg_record_text(struct mg_record *record, struct mg_str text);

/* Appends "ACTION RULE" to such a list, unless it is there or there is no room. */
void mg_record_ask(struct mg_record *record, const char **asked, enum mg_action action, const char *rule);
/* The next one of a list. False: none is left. What can't be read is passed over. */
bool mg_read_asked(struct mg_str *rest, enum mg_action *action_out, struct mg_str *rule_out);

/* Appends a recipient, or counts it as left out and returns NULL. */
struct mg_recipient *mg_record_add_recipient(struct mg_record *record, struct mg_str address);
/* As Postfix compares addresses: bytes, the domain without case. */
bool mg_address_eq(struct mg_str a, struct mg_str b);
/* The last recipient with this address (mg_address_eq), or NULL. */
struct mg_recipient *mg_record_find_recipient(struct mg_record *record, struct mg_str address);

#endif
