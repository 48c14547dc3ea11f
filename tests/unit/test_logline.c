/* Log lines: what each says, field by field (a field not named in a row must be empty), the recorded corpus by kinds,
 * and stamps. The lines of tests/data/maillog were written by a Postfix 3.7.11, except newer.log (3.11, 3.12) and
 * dovecot.log, which follow the sources' formats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "postfix/logline.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* 2026-11-21T20:00:00Z */
static const int64_t now_us = INT64_C(1795291200) * 1000000;

struct line_case {
	const char *name;
	const char *tag, *text;
	enum mg_line_kind kind;
	const char *queue_id, *client_name, *ip, *helo, *proto, *user, *orig_queue_id, *sender, *recipient, *orig_to;
	const char *message_id, *stage, *verb, *code, *dsn, *reply, *relay, *status, *queued_as, *child, *mailbox;
	unsigned port, uid, nrcpt;
	uint64_t size;
	double delay_s, delays_s; /* 0: not given (-1); delays_s is the last of the four */
};

#define UNKNOWN_CLIENT .client_name = "unknown", .ip = "127.0.0.3"

static const struct line_case line_cases[] = {
	{ "a client connects", "postfix/smtpd", "connect from mail.example.com[192.0.2.25]", MG_LINE_CONNECT,
		.client_name = "mail.example.com", .ip = "192.0.2.25" },
	{ "a client connects over IPv6, ports logged", "postfix/submission/smtpd",
		"connect from unknown[2001:db8::25]:42285", MG_LINE_CONNECT, .client_name = "unknown",
		.ip = "2001:db8::25", .port = 42285 },
	{ "a client that is gone has no address", "postfix/smtpd", "connect from unknown[unknown]", MG_LINE_CONNECT,
		.client_name = "unknown" },
	{ "brackets in a name don't make an address", "postfix/smtpd", "connect from a[192.0.2.1][198.51.100.7]",
		MG_LINE_CONNECT, .client_name = "a[192.0.2.1]", .ip = "198.51.100.7" },
	{ "no address, no client", "postfix/smtpd", "connect from mail.example.com[no.address]",
		.kind = MG_LINE_UNKNOWN },
	{ "a session ends", "postfix/smtpd", "disconnect from x[192.0.2.25] ehlo=1 mail=1 commands=2",
		MG_LINE_DISCONNECT, .client_name = "x", .ip = "192.0.2.25" },
	{ "a lost connection is noise", "postfix/smtpd", "lost connection after DATA from x[192.0.2.25]",
		.kind = MG_LINE_NOISE },
	{ "a client's message", "postfix/smtpd", "4jX35M5CvFz1bY2j: client=x[192.0.2.25]", MG_LINE_CLIENT,
		.queue_id = "4jX35M5CvFz1bY2j", .client_name = "x", .ip = "192.0.2.25" },
	{ "a login", "postfix/smtpd",
		"ED9C4A720D6: client=x[192.0.2.25], sasl_method=PLAIN, sasl_username=alice@example.org", MG_LINE_CLIENT,
		.queue_id = "ED9C4A720D6", .client_name = "x", .ip = "192.0.2.25", .user = "alice@example.org" },
	{ "a login's AUTH= can't forge an origin", "postfix/smtpd",
		"ED9C4A720D6: client=x[192.0.2.25], sasl_method=PLAIN, sasl_username=alice, sasl_sender=x, "
		"orig_queue_id=4ABCDEF0",
		MG_LINE_CLIENT, .queue_id = "ED9C4A720D6", .client_name = "x", .ip = "192.0.2.25", .user = "alice" },
	{ "re-injection", "postfix/reinject/smtpd",
		"EC343A720D7: client=localhost[127.0.0.1], orig_queue_id=4ABCDEF0, "
		"orig_client=spike.example[192.0.2.9]",
		MG_LINE_CLIENT, .queue_id = "EC343A720D7", .client_name = "localhost", .ip = "127.0.0.1",
		.orig_queue_id = "4ABCDEF0" },
	{ "re-injection with a login", "postfix/smtpd",
		"EC343A720D7: client=x[192.0.2.9], sasl_method=LOGIN, sasl_username=bob, orig_queue_id=4ABCDEF0, "
		"orig_client=unknown[127.0.0.2]",
		MG_LINE_CLIENT, .queue_id = "EC343A720D7", .client_name = "x", .ip = "192.0.2.9", .user = "bob",
		.orig_queue_id = "4ABCDEF0" },
	{ "before a queue filter there is no queue id", "postfix-in/smtpd", "NOQUEUE: client=unknown[127.0.0.2]",
		MG_LINE_CLIENT, .client_name = "unknown", .ip = "127.0.0.2" },
	{ "a name that is no queue id", "postfix/smtpd", "reject: client=x[192.0.2.25]", .kind = MG_LINE_UNKNOWN },
	{ "a login fails", "postfix/smtpd",
		"warning: unknown[127.0.0.3]: SASL LOGIN authentication failed: (reason unavailable), "
		"sasl_username=eve, sasl_username=root",
		MG_LINE_SASL_FAIL, UNKNOWN_CLIENT, .user = "eve, sasl_username=root", .reply = "(reason unavailable)" },
	{ "a login fails in an older Postfix", "postfix/smtpd",
		"warning: unknown[127.0.0.3]:5: SASL PLAIN authentication failed: authentication failure",
		MG_LINE_SASL_FAIL, UNKNOWN_CLIENT, .port = 5, .reply = "authentication failure" },
	{ "another warning is noise", "postfix/smtpd", "warning: non-SMTP command from x[192.0.2.1]: SASL X",
		.kind = MG_LINE_NOISE },

	{ "relaying refused", "postfix/smtpd",
		"NOQUEUE: reject: RCPT from unknown[127.0.0.3]: 554 5.7.1 <x@foreign.example>: Relay access denied; "
		"from=<a@example.com> to=<x@foreign.example> proto=ESMTP helo=<c.example>",
		MG_LINE_REJECT, UNKNOWN_CLIENT, .helo = "c.example", .proto = "ESMTP", .sender = "a@example.com",
		.recipient = "x@foreign.example", .stage = "RCPT", .verb = "reject", .code = "554", .dsn = "5.7.1",
		.reply = "<x@foreign.example>: Relay access denied" },
	{ "an address that imitates the fields", "postfix/smtpd",
		"NOQUEUE: reject: RCPT from unknown[127.0.0.3]: 554 5.7.1 <a; from=<b@c> to=<d@r.example>: Relay access "
		"denied; from=<\"a; from=<b@c> to=<d\"@r.example> to=<\"a; from=<b@c> to=<d\"@r.example> proto=ESMTP "
		"helo=<c>",
		MG_LINE_REJECT, UNKNOWN_CLIENT, .helo = "c", .proto = "ESMTP",
		.sender = "\"a; from=<b@c> to=<d\"@r.example", .recipient = "\"a; from=<b@c> to=<d\"@r.example",
		.stage = "RCPT", .verb = "reject", .code = "554", .dsn = "5.7.1",
		.reply = "<a; from=<b@c> to=<d@r.example>: Relay access denied" },
	{ "an address that imitates all of them", "postfix/smtpd",
		"NOQUEUE: reject: RCPT from unknown[127.0.0.3]: 554 5.7.1 <a; from=<b> to=<c> proto=SMTP helo=<h>@d>: no; "
		"from=<> to=<\"a; from=<b> to=<c> proto=SMTP helo=<h>\"@d> proto=ESMTP helo=<c>",
		MG_LINE_REJECT, UNKNOWN_CLIENT, .helo = "c", .proto = "ESMTP", .sender = "",
		.recipient = "\"a; from=<b> to=<c> proto=SMTP helo=<h>\"@d", .stage = "RCPT", .verb = "reject",
		.code = "554", .dsn = "5.7.1", .reply = "<a; from=<b> to=<c> proto=SMTP helo=<h>@d>: no" },
	{ "an open quote in the text can't swallow the fields", "postfix/smtpd",
		"NOQUEUE: reject: RCPT from unknown[127.0.0.3]: 554 5.7.1 <a; from=<b> to=<\"@d>: no; from=<s@x> "
		"to=<\"a; from=<b> to=<\\\"\"@d> proto=ESMTP helo=<c>",
		MG_LINE_REJECT, UNKNOWN_CLIENT, .helo = "c", .proto = "ESMTP", .sender = "s@x",
		.recipient = "\"a; from=<b> to=<\\\"\"@d", .stage = "RCPT", .verb = "reject", .code = "554",
		.dsn = "5.7.1", .reply = "<a; from=<b> to=<\"@d>: no" },
	{ "addresses without quotes (3.4) that fit nowhere stay unread", "postfix/smtpd",
		"NOQUEUE: reject: RCPT from unknown[127.0.0.3]: 554 5.7.1 no; from=<a> b@c> to=<d@e> proto=SMTP helo=<c>",
		MG_LINE_REJECT, UNKNOWN_CLIENT, .stage = "RCPT", .verb = "reject", .code = "554", .dsn = "5.7.1",
		.reply = "no; from=<a> b@c> to=<d@e> proto=SMTP helo=<c>" },
	{ "a HELO refused at once stands there raw", "postfix/submission/smtpd",
		"NOQUEUE: reject: HELO from unknown[127.0.0.3]:9: 501 5.5.2 <h>: x; from=<a> to=<b> proto=SMTP helo=<c>: "
		"Helo command rejected: Invalid name; proto=SMTP helo=<h>: x; from=<a> to=<b> proto=SMTP helo=<c>",
		MG_LINE_REJECT, UNKNOWN_CLIENT, .port = 9, .stage = "HELO", .verb = "reject", .code = "501",
		.dsn = "5.5.2",
		.reply = "<h>: x; from=<a> to=<b> proto=SMTP helo=<c>: Helo command rejected: Invalid name; "
			 "proto=SMTP helo=<h>: x; from=<a> to=<b> proto=SMTP helo=<c>" },
	{ "a plain HELO refused at once", "postfix/smtpd",
		"NOQUEUE: reject: EHLO from unknown[127.0.0.3]: 504 5.5.2 <x>: Helo command rejected: need "
		"fully-qualified hostname; proto=SMTP helo=<x>",
		MG_LINE_REJECT, UNKNOWN_CLIENT, .helo = "x", .proto = "SMTP", .stage = "EHLO", .verb = "reject",
		.code = "504", .dsn = "5.5.2", .reply = "<x>: Helo command rejected: need fully-qualified hostname" },
	{ "refused at connect", "postfix/smtpd",
		"NOQUEUE: reject: CONNECT from unknown[127.0.0.3]: 554 5.7.1 <unknown[127.0.0.3]>: Client host rejected: "
		"Access denied; proto=SMTP",
		MG_LINE_REJECT, UNKNOWN_CLIENT, .proto = "SMTP", .stage = "CONNECT", .verb = "reject", .code = "554",
		.dsn = "5.7.1", .reply = "<unknown[127.0.0.3]>: Client host rejected: Access denied" },
	{ "warn_if_reject", "postfix/smtpd",
		"4jX3695zYzz1bXxH: reject_warning: RCPT from unknown[127.0.0.3]: 504 5.5.2 <a@b>: Sender address "
		"rejected: need fully-qualified address; from=<a@b> to=<c@d> proto=ESMTP helo=<early>",
		MG_LINE_REJECT, .queue_id = "4jX3695zYzz1bXxH", UNKNOWN_CLIENT, .helo = "early", .proto = "ESMTP",
		.sender = "a@b", .recipient = "c@d", .stage = "RCPT", .verb = "reject_warning", .code = "504",
		.dsn = "5.5.2", .reply = "<a@b>: Sender address rejected: need fully-qualified address" },
	{ "later fields are read over", "postfix/smtpd",
		"NOQUEUE: reject: RCPT from unknown[127.0.0.3]: 554 5.7.1 no; from=<a@b> to=<c@d> proto=ESMTP helo=<h> "
		"sasl_username=<bob> new_key=1",
		MG_LINE_REJECT, UNKNOWN_CLIENT, .helo = "h", .proto = "ESMTP", .user = "bob", .sender = "a@b",
		.recipient = "c@d", .stage = "RCPT", .verb = "reject", .code = "554", .dsn = "5.7.1", .reply = "no" },
	{ "a before-queue filter refuses", "postfix/smtpd",
		"proxy-reject: END-OF-MESSAGE: 550 5.7.1 spam; from=<a@b> to=<c@d> proto=ESMTP helo=<h>",
		MG_LINE_REJECT, .helo = "h", .proto = "ESMTP", .sender = "a@b", .recipient = "c@d",
		.stage = "END-OF-MESSAGE", .verb = "proxy-reject", .code = "550", .dsn = "5.7.1", .reply = "spam" },
	{ "a before-queue filter refuses, with an id's place", "postfix/smtpd",
		"NOQUEUE: proxy-reject: END-OF-MESSAGE: 550 5.7.1 spam; from=<a@b> to=<c@d> proto=ESMTP helo=<h>",
		MG_LINE_REJECT, .helo = "h", .proto = "ESMTP", .sender = "a@b", .recipient = "c@d",
		.stage = "END-OF-MESSAGE", .verb = "proxy-reject", .code = "550", .dsn = "5.7.1", .reply = "spam" },
	{ "an access table holds", "postfix/smtpd",
		"NOQUEUE: hold: RCPT from unknown[127.0.0.3]: <h@d>: Recipient address triggers HOLD action; from=<a@b> "
		"to=<h@d> proto=ESMTP helo=<c>",
		MG_LINE_HOLD, UNKNOWN_CLIENT, .helo = "c", .proto = "ESMTP", .sender = "a@b", .recipient = "h@d",
		.stage = "RCPT", .verb = "hold", .reply = "<h@d>: Recipient address triggers HOLD action" },
	{ "an access table discards", "postfix/smtpd",
		"NOQUEUE: discard: RCPT from unknown[127.0.0.3]: <h@d>: Recipient address triggers DISCARD action; "
		"from=<a@b> to=<h@d> proto=ESMTP helo=<c>",
		MG_LINE_DISCARD, UNKNOWN_CLIENT, .helo = "c", .proto = "ESMTP", .sender = "a@b", .recipient = "h@d",
		.stage = "RCPT", .verb = "discard", .reply = "<h@d>: Recipient address triggers DISCARD action" },
	{ "a milter refuses a sender", "postfix/smtpd",
		"NOQUEUE: milter-reject: MAIL from unknown[127.0.0.3]: 550 5.7.1 Command rejected; from=<m@e> proto=ESMTP "
		"helo=<c>",
		MG_LINE_MILTER, UNKNOWN_CLIENT, .helo = "c", .proto = "ESMTP", .sender = "m@e", .stage = "MAIL",
		.verb = "reject", .code = "550", .dsn = "5.7.1", .reply = "Command rejected" },
	{ "a milter's own words can't forge fields", "postfix/cleanup",
		"4jX36F4gLJz1bXxd: milter-reject: END-OF-MESSAGE from unknown[127.0.0.3]: 5.7.9 refused, to=<x>; "
		"from=<y>; from=<\"z> to=<y@x\"@e> to=<r@l> proto=ESMTP helo=<c>",
		MG_LINE_MILTER, .queue_id = "4jX36F4gLJz1bXxd", UNKNOWN_CLIENT, .helo = "c", .proto = "ESMTP",
		.sender = "\"z> to=<y@x\"@e", .recipient = "r@l", .stage = "END-OF-MESSAGE", .verb = "reject",
		.dsn = "5.7.9", .reply = "refused, to=<x>; from=<y>" },
	{ "a milter quarantines", "postfix/cleanup",
		"4jX36F3dFKz1bXxb: milter-hold: END-OF-MESSAGE from unknown[127.0.0.3]: milter triggers HOLD action; "
		"from=<a@e> to=<r@l> proto=ESMTP helo=<c>",
		MG_LINE_MILTER, .queue_id = "4jX36F3dFKz1bXxb", UNKNOWN_CLIENT, .helo = "c", .proto = "ESMTP",
		.sender = "a@e", .recipient = "r@l", .stage = "END-OF-MESSAGE", .verb = "hold",
		.reply = "milter triggers HOLD action" },

	{ "postscreen sees a client", "postfix/postscreen", "CONNECT from [192.0.2.25]:40881 to [192.0.2.1]:25",
		MG_LINE_CONNECT, .ip = "192.0.2.25", .port = 40881 },
	{ "postscreen refuses", "postfix/postscreen",
		"NOQUEUE: reject: RCPT from [127.0.0.5]:34025: 550 5.5.1 Protocol error; from=<\"a>, to=<b\"@c>, "
		"to=<\"x>, proto=SMTP, helo=<q\"@l>, proto=ESMTP, helo=<x>,helo=<y;>",
		MG_LINE_POSTSCREEN, .ip = "127.0.0.5", .port = 34025, .helo = "x>,helo=<y;", .proto = "ESMTP",
		.sender = "\"a>, to=<b\"@c", .recipient = "\"x>, proto=SMTP, helo=<q\"@l", .stage = "RCPT",
		.verb = "reject", .code = "550", .dsn = "5.5.1", .reply = "Protocol error" },
	{ "postscreen is full", "postfix/postscreen",
		"NOQUEUE: reject: CONNECT from [192.0.2.5]:34025: too many connections", MG_LINE_POSTSCREEN,
		.ip = "192.0.2.5", .port = 34025, .stage = "CONNECT", .verb = "reject",
		.reply = "too many connections" },

	{ "a Message-ID", "postfix/cleanup", "B8376A72067: message-id=<weird id, to=<x>>", MG_LINE_MESSAGE_ID,
		.queue_id = "B8376A72067", .message_id = "weird id, to=<x>" },
	{ "no Message-ID", "postfix/cleanup", "B8376A72067: message-id=<>", MG_LINE_MESSAGE_ID,
		.queue_id = "B8376A72067" },
	{ "Resent-Message-ID is noise", "postfix/cleanup", "B8376A72067: resent-message-id=<r@x>",
		.kind = MG_LINE_NOISE },
	{ "a header that imitates its own refusal", "postfix/cleanup",
		"B4924A72064: reject: header X: a from evil[192.0.2.1]; from=<v@x> to=<w@y> proto=SMTP helo=<h>: 5.7.1 no "
		"from unknown[127.0.0.3]; from=<a@e> to=<r@l> proto=ESMTP helo=<c>: 5.7.1 not that",
		MG_LINE_REJECT, .queue_id = "B4924A72064", UNKNOWN_CLIENT, .helo = "c", .proto = "ESMTP",
		.sender = "a@e", .recipient = "r@l", .stage = "header", .verb = "reject", .dsn = "5.7.1",
		.reply = "not that" },
	{ "a sender that imitates a refusal", "postfix/cleanup",
		"B4924A72064: reject: body x from unknown[127.0.0.3]; from=<\"x from evil[192.0.2.1]; from=<b> to=<c> "
		"proto=SMTP helo=<h>: \"@d> to=<r@l> proto=ESMTP helo=<c>: 5.7.1 not that",
		MG_LINE_REJECT, .queue_id = "B4924A72064", UNKNOWN_CLIENT, .helo = "c", .proto = "ESMTP",
		.sender = "\"x from evil[192.0.2.1]; from=<b> to=<c> proto=SMTP helo=<h>: \"@d", .recipient = "r@l",
		.stage = "body", .verb = "reject", .dsn = "5.7.1", .reply = "not that" },
	{ "a header of a local message holds", "postfix/cleanup",
		"4jX36F2mr8z1bY0t: hold: header X-Hold: no from local; from=<joe@e> to=<r@l>: on hold", MG_LINE_HOLD,
		.queue_id = "4jX36F2mr8z1bY0t", .sender = "joe@e", .recipient = "r@l", .stage = "header",
		.verb = "hold", .reply = "on hold" },
	{ "a header discards", "postfix/cleanup",
		"B5C1AA7206A: discard: header X: 1 from unknown[127.0.0.3]; from=<a@e> to=<r@l> proto=ESMTP helo=<c>",
		MG_LINE_DISCARD, .queue_id = "B5C1AA7206A", UNKNOWN_CLIENT, .helo = "c", .proto = "ESMTP",
		.sender = "a@e", .recipient = "r@l", .stage = "header", .verb = "discard" },

	{ "picked up", "postfix/pickup", "4jX36F2YsRz1bXxb: uid=1000 from=<joe@e>", MG_LINE_PICKUP,
		.queue_id = "4jX36F2YsRz1bXxb", .sender = "joe@e", .uid = 1000 },
	{ "picked up, imitating a requeue", "postfix/pickup",
		"4jX36F2fR8z1bXxb: uid=0 from=<\"joe> orig_id=4ABCDEF\"@example.com>", MG_LINE_PICKUP,
		.queue_id = "4jX36F2fR8z1bXxb", .sender = "\"joe> orig_id=4ABCDEF\"@example.com" },
	{ "requeued", "postfix/pickup", "4jX36T6Yd1z1bY2v: uid=102 from=<a@e> orig_id=974A0A7204F", MG_LINE_PICKUP,
		.queue_id = "4jX36T6Yd1z1bY2v", .sender = "a@e", .uid = 102, .orig_queue_id = "974A0A7204F" },
	{ "queued", "postfix/qmgr", "94F2FA7204C: from=<a@e>, size=239, nrcpt=2 (queue active)", MG_LINE_QUEUED,
		.queue_id = "94F2FA7204C", .sender = "a@e", .size = 239, .nrcpt = 2 },
	{ "queued, with a sender that imitates it", "postfix/qmgr",
		"94F2FA7204C: from=<\"a>, size=1, nrcpt=1 (queue active)\"@e>, size=239, nrcpt=2 (queue active)",
		MG_LINE_QUEUED, .queue_id = "94F2FA7204C", .sender = "\"a>, size=1, nrcpt=1 (queue active)\"@e",
		.size = 239, .nrcpt = 2 },
	{ "queued, with an unquoted sender that imitates it", "postfix/qmgr",
		"94F2FA7204C: from=<a>, size=1, nrcpt=1 (queue active)@e>, size=239, nrcpt=2 (queue active)",
		MG_LINE_QUEUED, .queue_id = "94F2FA7204C", .sender = "a>, size=1, nrcpt=1 (queue active)@e",
		.size = 239, .nrcpt = 2 },
	{ "the null sender", "postfix/qmgr", "94F2FA7204C: from=<>, size=2258, nrcpt=1 (queue active)", MG_LINE_QUEUED,
		.queue_id = "94F2FA7204C", .sender = "", .size = 2258, .nrcpt = 1 },
	{ "expired", "postfix/qmgr", "4jX36Y3qp6z1bXxl: from=<joe@e>, status=expired, returned to sender",
		MG_LINE_EXPIRED, .queue_id = "4jX36Y3qp6z1bXxl", .sender = "joe@e", .status = "expired" },
	{ "made to expire", "postfix/qmgr", "B4FFEA7206F: from=<a@e>, status=force-expired, returned to sender",
		MG_LINE_EXPIRED, .queue_id = "B4FFEA7206F", .sender = "a@e", .status = "force-expired" },
	{ "removed", "postfix/qmgr", "B4FFEA7206F: removed", MG_LINE_REMOVED, .queue_id = "B4FFEA7206F" },
	{ "qmgr itself defers", "postfix/qmgr",
		"B4FFEA7206F: to=<a@b>, relay=none, delay=3, delays=1/2/0/0, dsn=4.3.0, status=deferred (mail transport "
		"unavailable)",
		MG_LINE_DELIVERY, .queue_id = "B4FFEA7206F", .recipient = "a@b", .relay = "none", .delay_s = 3,
		.dsn = "4.3.0", .status = "deferred", .reply = "mail transport unavailable" },

	{ "sent", "postfix/smtp",
		"AEC22A7206D: to=<u@f.example>, relay=127.0.0.1[127.0.0.1]:26026, conn_use=2, delay=0.01, "
		"delays=0/0/0.5/0.25, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as AFCCCA72060)",
		MG_LINE_DELIVERY, .queue_id = "AEC22A7206D", .recipient = "u@f.example",
		.relay = "127.0.0.1[127.0.0.1]:26026", .delay_s = 0.01, .delays_s = 0.25, .code = "250", .dsn = "2.0.0",
		.status = "sent", .reply = "250 2.0.0 Ok: queued as AFCCCA72060", .queued_as = "AFCCCA72060" },
	{ "sent through a content filter", "postfix/smtp",
		"AEC22A7206D: to=<u@f.example>, relay=127.0.0.1[127.0.0.1]:10024, delay=1, delays=1/0/0/0, dsn=2.0.0, "
		"status=sent (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 4jX36F2mQ2z1bXxZ)",
		MG_LINE_DELIVERY, .queue_id = "AEC22A7206D", .recipient = "u@f.example",
		.relay = "127.0.0.1[127.0.0.1]:10024", .delay_s = 1, .code = "250", .dsn = "2.0.0", .status = "sent",
		.reply = "250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 4jX36F2mQ2z1bXxZ",
		.queued_as = "4jX36F2mQ2z1bXxZ" },
	{ "an alias forwards", "postfix/local",
		"A29DCA7206A: to=<f@l>, relay=local, delay=0.01, delays=0.01/0/0/0, dsn=2.0.0, status=sent (forwarded as "
		"A3F58A72064)",
		MG_LINE_DELIVERY, .queue_id = "A29DCA7206A", .recipient = "f@l", .relay = "local", .delay_s = 0.01,
		.dsn = "2.0.0", .status = "sent", .reply = "forwarded as A3F58A72064", .queued_as = "A3F58A72064" },
	{ "an alias' target", "postfix/smtp",
		"A3F58A72064: to=<n@s>, orig_to=<f@l>, relay=s[192.0.2.1]:25, delay=0, delays=0/0/0/0, dsn=2.0.0, "
		"status=sent (250 2.0.0 Ok)",
		MG_LINE_DELIVERY, .queue_id = "A3F58A72064", .recipient = "n@s", .orig_to = "f@l",
		.relay = "s[192.0.2.1]:25", .code = "250", .dsn = "2.0.0", .status = "sent", .reply = "250 2.0.0 Ok" },
	{ "an address that imitates its delivery", "postfix/smtp",
		"B977FA72075: to=<\"x>, relay=none, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (ok)\"@r>, relay=none, "
		"delay=7, delays=0/0/0/7, dsn=4.4.1, status=deferred (connect to 127.0.0.1[127.0.0.1]:1: Connection "
		"refused)",
		MG_LINE_DELIVERY, .queue_id = "B977FA72075",
		.recipient = "\"x>, relay=none, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (ok)\"@r",
		.relay = "none", .delay_s = 7, .delays_s = 7, .dsn = "4.4.1", .status = "deferred",
		.reply = "connect to 127.0.0.1[127.0.0.1]:1: Connection refused" },
	{ "a reply that imitates a delivery", "postfix/smtp",
		"9F1B3A72060: to=<h@b>, relay=b[127.0.0.1]:25, delay=1, delays=0/0/0/1, dsn=5.1.1, status=bounced (host "
		"b[127.0.0.1] said: 550 5.1.1 <x>, relay=none, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (250 2.0.0 "
		"Ok: queued as 4ABCDEF) (in reply to RCPT TO command))",
		MG_LINE_DELIVERY, .queue_id = "9F1B3A72060", .recipient = "h@b", .relay = "b[127.0.0.1]:25",
		.delay_s = 1, .delays_s = 1, .code = "550", .dsn = "5.1.1", .status = "bounced",
		.reply = "host b[127.0.0.1] said: 550 5.1.1 <x>, relay=none, delay=0, delays=0/0/0/0, dsn=2.0.0, "
			 "status=sent (250 2.0.0 Ok: queued as 4ABCDEF) (in reply to RCPT TO command)" },
	{ "an unquoted address (3.4)", "postfix/smtp",
		"9F1B3A72060: to=<a\"b<c@d>, orig_to=<e@f>, relay=none, delay=1, delays=0/0/0/0, dsn=4.4.1, "
		"status=deferred (no)",
		MG_LINE_DELIVERY, .queue_id = "9F1B3A72060", .recipient = "a\"b<c@d", .orig_to = "e@f", .relay = "none",
		.delay_s = 1, .dsn = "4.4.1", .status = "deferred", .reply = "no" },
	{ "an unquoted address that fits twice is not read", "postfix/smtp",
		"9F1B3A72060: to=<a\">, relay=none, delay=1, delays=0/0/0/0, dsn=2.0.0, status=sent (ok)@d>, relay=none, "
		"delay=1, delays=0/0/0/0, dsn=4.4.1, status=deferred (no)",
		.kind = MG_LINE_UNKNOWN },
	{ "3.11 tells of TLS", "postfix/smtp",
		"9F1B3A72060: to=<a@b>, relay=b[2001:db8::1]:25, delay=1, delays=0/0/0/0, tls=!dane/(sts)?, dsn=4.7.5, "
		"status=deferred (no)",
		MG_LINE_DELIVERY, .queue_id = "9F1B3A72060", .recipient = "a@b", .relay = "b[2001:db8::1]:25",
		.delay_s = 1, .dsn = "4.7.5", .status = "deferred", .reply = "no" },
	{ "a refused greeting has its code", "postfix/smtp",
		"9F1B3A72060: to=<a@b>, relay=b[192.0.2.1]:25, delay=1, delays=0/0/0/0, dsn=4.0.0, status=deferred (host "
		"b[192.0.2.1] refused to talk to me: 421 busy)",
		MG_LINE_DELIVERY, .queue_id = "9F1B3A72060", .recipient = "a@b", .relay = "b[192.0.2.1]:25",
		.delay_s = 1, .code = "421", .dsn = "4.0.0", .status = "deferred",
		.reply = "host b[192.0.2.1] refused to talk to me: 421 busy" },
	{ "an attempt is noise", "postfix/smtp", "9F1B3A72060: host b[192.0.2.1] said: 451 4.7.1 later",
		.kind = MG_LINE_NOISE },
	{ "a line cut before its status is not read", "postfix/smtp",
		"9F1B3A72060: to=<a@b>, relay=b[192.0.2.1]:25, delay=1, delays=0/0/0/0, dsn=2.0.0",
		.kind = MG_LINE_UNKNOWN },
	{ "cleanup bounces", "postfix/cleanup",
		"4jX36F2jMHz1bXxZ: to=<r@l>, relay=none, delay=0, delays=0/0/0/0, dsn=5.7.1, status=bounced (not that)",
		MG_LINE_DELIVERY, .queue_id = "4jX36F2jMHz1bXxZ", .recipient = "r@l", .relay = "none", .dsn = "5.7.1",
		.status = "bounced", .reply = "not that" },

	{ "a bounce", "postfix/bounce", "94F2FA7204C: sender non-delivery notification: 9F727A72063", MG_LINE_NOTICE,
		.queue_id = "94F2FA7204C", .verb = "sender", .status = "non-delivery", .child = "9F727A72063" },
	{ "a status notice to the postmaster", "postfix/bounce",
		"94F2FA7204C: postmaster delivery status notification: 9F727A72063", MG_LINE_NOTICE,
		.queue_id = "94F2FA7204C", .verb = "postmaster", .status = "delivery status", .child = "9F727A72063" },
	{ "a notice without a child", "postfix/bounce", "94F2FA7204C: sender delay notification: no",
		.kind = MG_LINE_UNKNOWN },
	{ "held by hand", "postfix/postsuper", "974A0A7204F: placed on hold", MG_LINE_HOLD, .queue_id = "974A0A7204F" },
	{ "released", "postfix/postsuper", "974A0A7204F: released from hold", MG_LINE_RELEASE,
		.queue_id = "974A0A7204F" },
	{ "deleted", "postfix/postsuper", "974A0A7204F: removed", MG_LINE_REMOVED, .queue_id = "974A0A7204F" },
	{ "how many were deleted", "postfix/postsuper", "Deleted: 20 messages", .kind = MG_LINE_NOISE },

	{ "Dovecot saves", "dovecot", "lmtp(u@e.example)<711><aBc>: msgid=<1@e>: saved mail to INBOX", MG_LINE_DOVECOT,
		.user = "u@e.example", .message_id = "1@e", .status = "saved", .mailbox = "INBOX",
		.reply = "saved mail to INBOX" },
	{ "Dovecot 2.2 saves", "dovecot", "lmtp(712, u@e): Ab1: msgid=<1@e>: saved mail to INBOX", MG_LINE_DOVECOT,
		.user = "u@e", .message_id = "1@e", .status = "saved", .mailbox = "INBOX",
		.reply = "saved mail to INBOX" },
	{ "a sieve script files", "dovecot", "lda(u)<1><x>: sieve: msgid=<1@e>: stored mail into mailbox 'My Junk'",
		MG_LINE_DOVECOT, .user = "u", .message_id = "1@e", .status = "stored", .mailbox = "My Junk",
		.reply = "stored mail into mailbox 'My Junk'" },
	{ "over quota", "dovecot",
		"lmtp(u)<1><x>: msgid=<1@e>: save failed to INBOX: Quota exceeded (mailbox for user is full)",
		MG_LINE_DOVECOT, .user = "u", .message_id = "1@e", .status = "failed",
		.reply = "save failed to INBOX: Quota exceeded (mailbox for user is full)" },
	{ "a Message-ID that imitates a delivery", "dovecot",
		"lmtp(u)<1><x>: msgid=<a>: saved mail to INBOX>: save failed to INBOX: no", .kind = MG_LINE_UNKNOWN },
	{ "a login is noise", "dovecot", "imap-login: Login: user=<u>, method=PLAIN", .kind = MG_LINE_NOISE },

	{ "another program", "sshd", "4jX35M5CvFz1bY2j: removed", .kind = MG_LINE_FOREIGN },
	{ "another program that sounds like Postfix", "smtpd", "4jX35M5CvFz1bY2j: client=x[192.0.2.1]",
		.kind = MG_LINE_FOREIGN },
	{ "a service of Postfix we don't know", "postfix/newd", "hello", .kind = MG_LINE_FOREIGN },
	{ "a daemon that says nothing of messages", "postfix/anvil", "anything", .kind = MG_LINE_NOISE },
	{ "a shape we don't know", "postfix/qmgr", "94F2FA7204C: pondered", .kind = MG_LINE_UNKNOWN },
	{ "nothing", "postfix/qmgr", "", .kind = MG_LINE_UNKNOWN },
};

static void is_text(struct mg_str found, const char *wanted, const char *field)
{
	struct mg_str want = mg_str_z(wanted);

	if (!mg_str_eq(found, want))
		fail_msg("%s is \"%.*s\", should be \"%.*s\"", field, MG_STR_ARGS(found), MG_STR_ARGS(want));
}

#define IS(field, wanted) is_text(line->field, c->wanted, #field)

static void check_fields(const struct line_case *c, const struct mg_log_line *line)
{
	char ip[MG_IP_TEXT];

	IS(queue_id, queue_id);
	IS(client_name, client_name);
	IS(helo, helo);
	IS(proto, proto);
	IS(user, user);
	IS(orig_queue_id, orig_queue_id);
	IS(sender, sender);
	IS(recipient, recipient);
	IS(orig_to, orig_to);
	IS(message_id, message_id);
	IS(stage, stage);
	IS(verb, verb);
	IS(code, code);
	IS(dsn, dsn);
	IS(reply, reply);
	IS(relay, relay);
	IS(status, status);
	IS(queued_as, queued_as);
	IS(child_queue_id, child);
	IS(mailbox, mailbox);
	is_text(mg_str_z(mg_ip_text(&line->client_ip, ip, sizeof ip)), c->ip, "client_ip");
	assert_int_equal(line->has_sender, c->sender != NULL);
	assert_int_equal(line->client_port, c->port);
	assert_int_equal(line->uid, c->uid);
	assert_int_equal(line->recipient_count, c->nrcpt);
	assert_int_equal(line->size_bytes, c->size);
	if (c->delay_s > 0)
		assert_true(line->delay_s > c->delay_s - 1e-9 && line->delay_s < c->delay_s + 1e-9);
	if (c->delays_s > 0)
		assert_true(line->delays_s[3] > c->delays_s - 1e-9 && line->delays_s[3] < c->delays_s + 1e-9);
}

static void a_line_says_what_it_says(void **state)
{
	const struct line_case *c = *state;
	struct mg_log_line entry, line;
	char whole[2048];
	int n = snprintf(whole, sizeof whole, "Nov 21 19:36:37 mx %s[4801]: %s", c->tag, c->text);

	assert_true(n > 0 && (size_t)n < sizeof whole);
	assert_string_equal(
		mg_line_kind_name(mg_log_message_parse(mg_str_z(c->tag), 4801, now_us, mg_str_z(c->text), &entry)),
		mg_line_kind_name(c->kind));
	check_fields(c, &entry);
	assert_int_equal(mg_log_line_parse(mg_str_z(whole), now_us, &line), c->kind);
	assert_int_equal(line.kind, c->kind);
	assert_int_equal(line.pid, 4801);
	is_text(line.service, c->tag, "service");
	check_fields(c, &line);
}

/* The recorded logs: how many lines of which kind. What a row lacks must not occur. */
struct corpus_case {
	const char *file;
	unsigned counts[MG_LINE_KINDS];
};

static const struct corpus_case corpus_cases[] = {
	{ "dovecot.log", { [MG_LINE_DOVECOT] = 5, [MG_LINE_NOISE] = 3, [MG_LINE_UNKNOWN] = 1 } },
	{ "hostile.log", { [MG_LINE_CLIENT] = 8,
				 [MG_LINE_CONNECT] = 7,
				 [MG_LINE_DELIVERY] = 16,
				 [MG_LINE_DISCONNECT] = 24,
				 [MG_LINE_MESSAGE_ID] = 3,
				 [MG_LINE_NOISE] = 35,
				 [MG_LINE_NOTICE] = 2,
				 [MG_LINE_QUEUED] = 14,
				 [MG_LINE_REJECT] = 47,
				 [MG_LINE_REMOVED] = 1,
				 [MG_LINE_SASL_FAIL] = 4 } },
	{ "long-queue-ids.log", { [MG_LINE_CLIENT] = 5,
					[MG_LINE_CONNECT] = 7,
					[MG_LINE_DELIVERY] = 17,
					[MG_LINE_DISCONNECT] = 13,
					[MG_LINE_EXPIRED] = 4,
					[MG_LINE_HOLD] = 2,
					[MG_LINE_MESSAGE_ID] = 3,
					[MG_LINE_MILTER] = 12,
					[MG_LINE_NOISE] = 33,
					[MG_LINE_NOTICE] = 5,
					[MG_LINE_PICKUP] = 3,
					[MG_LINE_QUEUED] = 8,
					[MG_LINE_REJECT] = 7,
					[MG_LINE_RELEASE] = 1,
					[MG_LINE_REMOVED] = 1 } },
	{ "newer.log", { [MG_LINE_DELIVERY] = 2,
			       [MG_LINE_MESSAGE_ID] = 1,
			       [MG_LINE_NOISE] = 1,
			       [MG_LINE_NOTICE] = 1,
			       [MG_LINE_REJECT] = 1,
			       [MG_LINE_UNKNOWN] = 2 } },
	{ "postscreen.log", { [MG_LINE_CONNECT] = 5, [MG_LINE_NOISE] = 13, [MG_LINE_POSTSCREEN] = 6 } },
	{ "rfc3339.log", { [MG_LINE_CLIENT] = 1,
				 [MG_LINE_CONNECT] = 1,
				 [MG_LINE_DELIVERY] = 1,
				 [MG_LINE_DISCONNECT] = 1,
				 [MG_LINE_FOREIGN] = 2,
				 [MG_LINE_MESSAGE_ID] = 1,
				 [MG_LINE_QUEUED] = 1,
				 [MG_LINE_REMOVED] = 1 } },
	{ "smtpd-and-delivery.log", { [MG_LINE_CLIENT] = 2,
					    [MG_LINE_CONNECT] = 3,
					    [MG_LINE_DELIVERY] = 21,
					    [MG_LINE_DISCARD] = 2,
					    [MG_LINE_DISCONNECT] = 7,
					    [MG_LINE_HOLD] = 2,
					    [MG_LINE_MESSAGE_ID] = 4,
					    [MG_LINE_NOISE] = 16,
					    [MG_LINE_NOTICE] = 3,
					    [MG_LINE_QUEUED] = 5,
					    [MG_LINE_REJECT] = 9,
					    [MG_LINE_REMOVED] = 1 } },
};

static FILE *open_data(const char *name)
{
	const char *source = getenv("srcdir");
	char path[512];

	(void)snprintf(path, sizeof path, "%s/tests/data/maillog/%s", source == NULL ? "." : source, name);
	return fopen(path, "r");
}

static void a_recorded_log_is_understood(void **state)
{
	const struct corpus_case *c = *state;
	unsigned counts[MG_LINE_KINDS] = { 0 };
	FILE *file = open_data(c->file);
	char *text = NULL;
	size_t room = 0;
	ssize_t n;

	assert_non_null(file);
	while ((n = getline(&text, &room, file)) > 0) {
		struct mg_log_line line;

		counts[mg_log_line_parse(mg_str_of(text, (size_t)n - 1), now_us, &line)]++;
		assert_true(line.time_us > now_us - 2 * MG_DAY_US && line.time_us < now_us + MG_DAY_US);
	}
	free(text);
	fclose(file);
	for (int kind = 0; kind < MG_LINE_KINDS; kind++)
		if (counts[kind] != c->counts[kind])
			fail_msg("%s: %u lines are %s, should be %u", c->file, counts[kind], mg_line_kind_name(kind),
				c->counts[kind]);
}

/* Stamps, with TZ=UTC; -1: the line has no stamp and is foreign. */
struct stamp_case {
	const char *name, *stamp;
	int64_t now_s, time_us;
};

#define AT(s) (INT64_C(s) * 1000000)

static const struct stamp_case stamp_cases[] = {
	{ "syslog's stamp", "Nov 21 19:36:37", 1795291200, AT(1795289797) },
	{ "a day padded with a space", "Nov  1 19:36:37", 1795291200, AT(1793561797) },
	{ "a day padded with a zero", "Nov 01 19:36:37", 1795291200, AT(1793561797) },
	{ "31 December, read in January", "Dec 31 23:59:59", 1798761610, AT(1798761599) },
	{ "1 January, written by a clock ahead of ours", "Jan  1 00:00:05", 1798761590, AT(1798761605) },
	{ "within a day ahead is this year", "Nov 22 19:00:00", 1795291200, AT(1795374000) },
	{ "more than a day ahead was last year", "Nov 23 19:00:00", 1795291200, AT(1763924400) },
	{ "29 February was in 2024", "Feb 29 12:00:00", 1795291200, AT(1709208000) },
	{ "RFC 3339", "2026-11-21T19:36:37.123456+01:00", 1795291200, AT(1795286197) + 123456 },
	{ "RFC 3339 in UTC, no fraction", "2026-11-21T19:36:37Z", 1795291200, AT(1795289797) },
	{ "RFC 3339, west", "2026-11-21T13:06:38.5-05:30", 1795291200, AT(1795286198) + 500000 },
	{ "nanoseconds are cut", "2026-11-21T19:36:37.123456789Z", 1795291200, AT(1795289797) + 123456 },
	{ "no such hour", "Nov 21 24:36:37", 1795291200, -1 },
	{ "no such month", "Nox 21 19:36:37", 1795291200, -1 },
	{ "no zone", "2026-11-21T19:36:37", 1795291200, -1 },
	{ "nothing", "", 1795291200, -1 },
};

static void a_stamp_is_a_moment(void **state)
{
	const struct stamp_case *c = *state;
	char whole[256];
	struct mg_log_line line;

	(void)snprintf(whole, sizeof whole, "%s mx postfix/qmgr[1]: 94F2FA7204C: removed", c->stamp);
	assert_int_equal(mg_log_line_parse(mg_str_z(whole), c->now_s * 1000000, &line),
		c->time_us < 0 ? MG_LINE_FOREIGN : MG_LINE_REMOVED);
	if (c->time_us >= 0)
		assert_int_equal(line.time_us, c->time_us);
}

/* The frame around the text. */
static const struct {
	const char *name, *line;
	enum mg_line_kind kind;
	unsigned pid;
} frame_cases[] = {
	{ "no pid", "Nov 21 19:36:37 mx postfix/qmgr: 94F2FA7204C: removed", MG_LINE_REMOVED, 0 },
	{ "syslog_name with more parts", "Nov 21 19:36:37 mx postfix-a/b/qmgr[7]: 94F2FA7204C: removed",
		MG_LINE_REMOVED, 7 },
	{ "no syslog_name", "Nov 21 19:36:37 mx /postfix-script[7]: starting the Postfix mail system", MG_LINE_NOISE,
		7 },
	{ "no host", "Nov 21 19:36:37 postfix/qmgr[7]: 94F2FA7204C: removed", MG_LINE_FOREIGN, 0 },
	{ "pid is no number", "Nov 21 19:36:37 mx postfix/qmgr[x]: 94F2FA7204C: removed", MG_LINE_FOREIGN, 0 },
	{ "no tag", "Nov 21 19:36:37 mx last message repeated 2 times", MG_LINE_FOREIGN, 0 },
	{ "only a stamp", "Nov 21 19:36:37 ", MG_LINE_FOREIGN, 0 },
	{ "empty", "", MG_LINE_FOREIGN, 0 },
};

static void a_frame_is_kept(void **state)
{
	size_t i = (size_t)(uintptr_t)*state;
	struct mg_log_line line;

	assert_int_equal(mg_log_line_parse(mg_str_z(frame_cases[i].line), now_us, &line), frame_cases[i].kind);
	assert_int_equal(line.pid, frame_cases[i].pid);
}

/* Beyond MG_LOG_LINE_MAX nothing is looked at. */
static void a_long_line_is_cut(void **state)
{
	enum { LENGTH = 3 * MG_LOG_LINE_MAX };
	static char text[LENGTH];
	struct mg_log_line line;
	int n = snprintf(text, sizeof text, "Nov 21 19:36:37 mx postfix/cleanup[1]: 94F2FA7204C: message-id=<");

	(void)state;
	memset(text + n, 'x', sizeof text - (size_t)n);
	assert_int_equal(mg_log_line_parse(mg_str_of(text, sizeof text), now_us, &line), MG_LINE_MESSAGE_ID);
	assert_true(line.message_id.p + line.message_id.n == text + MG_LOG_LINE_MAX);
}

static void every_kind_has_a_name(void **state)
{
	(void)state;
	for (int kind = 0; kind < MG_LINE_KINDS; kind++)
		assert_non_null(mg_line_kind_name(kind));
	assert_string_equal(mg_line_kind_name(MG_LINE_KINDS), "unknown");
}

enum { TESTS = COUNT(line_cases) + COUNT(corpus_cases) + COUNT(stamp_cases) + COUNT(frame_cases) + 2 };

int main(void)
{
	static struct CMUnitTest tests[TESTS];
	size_t n = 0;

	setenv("TZ", "UTC", 1);
	tzset();
	for (size_t i = 0; i < COUNT(line_cases); i++)
		tests[n++] = (struct CMUnitTest){ line_cases[i].name, a_line_says_what_it_says, NULL, NULL,
			(void *)(uintptr_t)&line_cases[i] };
	for (size_t i = 0; i < COUNT(corpus_cases); i++)
		tests[n++] = (struct CMUnitTest){ corpus_cases[i].file, a_recorded_log_is_understood, NULL, NULL,
			(void *)(uintptr_t)&corpus_cases[i] };
	for (size_t i = 0; i < COUNT(stamp_cases); i++)
		tests[n++] = (struct CMUnitTest){ stamp_cases[i].name, a_stamp_is_a_moment, NULL, NULL,
			(void *)(uintptr_t)&stamp_cases[i] };
	for (size_t i = 0; i < COUNT(frame_cases); i++)
		tests[n++] =
			(struct CMUnitTest){ frame_cases[i].name, a_frame_is_kept, NULL, NULL, (void *)(uintptr_t)i };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_long_line_is_cut);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(every_kind_has_a_name);
	return _cmocka_run_group_tests("logline", tests, n, NULL, NULL);
}
