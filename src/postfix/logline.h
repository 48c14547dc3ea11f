/* logline.h - one line of the mail log, understood: Postfix 3.4-3.12 and Dovecot's deliveries.
 *
 * A line is hostile: addresses, HELO names and remote replies in it were written by strangers. The parser reads only
 * slices of the line, bounded by its length, and takes the *structure* from Postfix's own fixed words: text that a
 * client sent can't turn one kind of line into another or forge a queue id (see doc/limits.md for what syslog
 * itself can't tell).
 *
 * Threads: pure. */
#ifndef MG_POSTFIX_LOGLINE_H
#define MG_POSTFIX_LOGLINE_H

#include <stdint.h>

#include "base/ip.h"
#include "base/str.h"

enum mg_line_kind {
	MG_LINE_UNKNOWN, /* of Postfix or Dovecot, but of a shape we don't know: counted and skipped */
	MG_LINE_FOREIGN, /* of another program: skipped */
	MG_LINE_NOISE,   /* known, and says nothing about a message (statistics, TLS set-up, anvil, warnings...) */

	MG_LINE_CONNECT,    /* smtpd, postscreen: connect from NAME[IP] */
	MG_LINE_DISCONNECT, /* smtpd: disconnect from NAME[IP] ehlo=1 ...; "lost connection"/"timeout" are NOISE */
	MG_LINE_CLIENT, /* smtpd: QID: client=NAME[IP], sasl_method=, sasl_username=, sasl_sender=, orig_queue_id=, orig_client= */
	MG_LINE_PICKUP,     /* pickup: QID: uid=N from=<...> */
	MG_LINE_MESSAGE_ID, /* cleanup: QID: message-id=<...> (resent-message-id= is NOISE) */
	MG_LINE_QUEUED,     /* qmgr: QID: from=<...>, size=N, nrcpt=N (queue active) */
	MG_LINE_DELIVERY, /* smtp, lmtp, local, virtual, pipe, error, discard...: QID: to=<>, relay=, dsn=, status= (...) */
	MG_LINE_EXPIRED, /* qmgr: QID: from=<...>, status=expired|force-expired, returned to sender */
	MG_LINE_REMOVED, /* qmgr: QID: removed; postsuper: QID: removed */
	MG_LINE_NOTICE, /* bounce: QID: sender (non-delivery|delivery status|delay) notification: CHILD; also "postmaster ..." */
	MG_LINE_REJECT, /* NOQUEUE or QID: reject: STAGE from NAME[IP]: CODE DSN text; from=<> to=<> proto= helo=<>;
			   cleanup: QID: reject: header|body ... from NAME[IP]; from=<> ...: DSN text (stage "header") */
	MG_LINE_MILTER, /* milter-reject, milter-hold, milter-discard (`verb`): STAGE from NAME[IP]: DSN text; ... */
	MG_LINE_HOLD, /* QID: hold: ...; cleanup/smtpd "hold:" triggered by access or header checks; postsuper: placed on hold */
	MG_LINE_RELEASE, /* postsuper: QID: released from hold */
	MG_LINE_DISCARD, /* QID: discard: ... */
	MG_LINE_POSTSCREEN, /* postscreen: NOQUEUE: reject: RCPT from [IP]:PORT: CODE DSN text; from=, to=, proto=, helo= */
	MG_LINE_DOVECOT, /* dovecot lmtp/lda: msgid=<...>: saved mail to X / stored mail into mailbox 'X' / save failed.../ sieve: ... */
	MG_LINE_SASL_FAIL, /* smtpd: warning: NAME[IP]: SASL METHOD authentication failed: text[, sasl_username=X] */
	MG_LINE_KINDS,
};
const char *mg_line_kind_name(enum mg_line_kind kind); /* "delivery", ... */

/* What the line says; slices point into the line, empty where the line says nothing of it. */
struct mg_log_line {
	enum mg_line_kind kind;
	int64_t time_us;        /* wall */
	struct mg_str service;  /* the tag without pid: "postfix/smtpd", "postfix/submission/smtpd", "dovecot" */
	struct mg_str daemon;   /* its last part: "smtpd" */
	struct mg_str text;     /* all that stands behind the tag, understood or not */
	unsigned pid;           /* 0 unknown */
	struct mg_str queue_id; /* empty for NOQUEUE */

	struct mg_str client_name; /* from NAME[IP] */
	struct mg_ip client_ip;
	unsigned client_port;            /* from NAME[IP]:PORT, 0 without */
	struct mg_str helo, proto, user; /* sasl_username */
	struct mg_str orig_queue_id;     /* XFORWARD: the queue id before the content filter */
	struct mg_str sender;            /* from=<...>; has_sender tells "" (null) from nothing said */
	bool has_sender;
	struct mg_str recipient;  /* to=<...> */
	struct mg_str orig_to;    /* orig_to=<...>: the address before alias expansion; empty = same */
	struct mg_str message_id; /* without <> */
	uint64_t size_bytes;      /* qmgr size= */
	unsigned recipient_count; /* qmgr nrcpt= */
	unsigned uid;             /* pickup */

	struct mg_str
		stage;      /* REJECT, MILTER: "CONNECT", "HELO", "MAIL", "RCPT", "DATA", "END-OF-MESSAGE", "BDAT"... */
	struct mg_str verb; /* MILTER: "reject", "hold", "discard", ...; REJECT: "reject", "reject_warning", ... */
	struct mg_str code; /* "554"; from the reply in parentheses too */
	struct mg_str dsn;  /* "5.7.1"; dsn= when given */
	struct mg_str reply;  /* the text behind the codes: the refusal, or what stands in the parentheses (whole) */
	struct mg_str relay;  /* "mx.example[192.0.2.1]:25", "local", "none", "private/dovecot-lmtp" */
	struct mg_str status; /* "sent", "deferred", "bounced", "expired", "undeliverable", "deliverable" */
	double delay_s, delays_s[4];  /* delay=, delays=a/b/c/d; -1 when not given */
	struct mg_str queued_as;      /* the next queue id in a "queued as X" reply; local's "forwarded as X" */
	struct mg_str child_queue_id; /* NOTICE; verb: "sender" or "postmaster", status: "non-delivery", "delay"... */
	struct mg_str mailbox;        /* DOVECOT; its status: "saved", "stored", "failed", "discarded"... */
};

/* Understands `line` (without its newline; at most MG_LOG_LINE_MAX bytes are looked at). `now_wall_us` gives the year
 * of "Mon DD hh:mm:ss" stamps: the newest year that does not lie more than a day in the future; such stamps are local
 * time. Returns the kind, which is also in line_out->kind. */
enum { MG_LOG_LINE_MAX = 16 * 1024 };
enum mg_line_kind mg_log_line_parse(struct mg_str line, int64_t now_wall_us, struct mg_log_line *line_out);

/* As above for a journald entry, whose time, tag and pid are fields of their own and `message` is the rest. */
enum mg_line_kind mg_log_message_parse(
	struct mg_str tag, unsigned pid, int64_t time_us, struct mg_str message, struct mg_log_line *line_out);

#endif
