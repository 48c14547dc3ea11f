/* Explanations: which number is a code, whose reply it is, and what is said of it. */
#include "rows.h"

#include <stdlib.h>

#include "explain/explain.h"

struct explain_case {
	const char *name, *text;
	const char *code, *enhanced, *permanence, *actors; /* actors: any of these words */
	const char *cause, *fix;                           /* words in them; NULL: any */
};

#define SMTP    "Nov 21 19:59:58 mx postfix/smtp[5011]: 960F9A7204D: to=<one@x.example>, "
#define AT      "relay=mx.x.example[192.0.2.250]:25, delay=450, delays=0/0.01/0/0, "
#define NOWHERE "relay=none, delay=450, delays=421/0.01/0/0, "
#define RCPT    "Nov 21 19:59:58 mx postfix/smtpd[550]: NOQUEUE: reject: RCPT from unknown[192.0.2.250]: "
#define FIELDS  "; from=<a@b.example> to=<x@y.example> proto=ESMTP helo=<c.example>"

static const struct explain_case explain_cases[] = {
	/* bare codes */
	{ "220", "220", "220", "", "success", "nobody", "ready", NULL },
	{ "221", "221", "221", "", "success", "nobody", NULL, NULL },
	{ "235", "235 2.7.0 Authentication successful", "235", "2.7.0", "success", "nobody", "login", NULL },
	{ "250", "250", "250", "", "success", "nobody", "accepted", NULL },
	{ "251", "251", "251", "", "success", "nobody", NULL, NULL },
	{ "252", "252 2.0.0 x@y", "252", "2.0.0", "success", "nobody", NULL, NULL },
	{ "334", "334", "334", "", "intermediate", "nobody", "login", NULL },
	{ "354", "354", "354", "", "intermediate", "nobody", "waits for the message", NULL },
	{ "354 with words", "354 End data with <CR><LF>.<CR><LF>", "354", "", "intermediate", "nobody", "message",
		NULL },
	{ "421", "421", "421", "", "temporary", "nobody", "connections", NULL },
	{ "450", "450", "450", "", "temporary", "nobody", "greylisting", NULL },
	{ "451", "451", "451", "", "temporary", "we", NULL, "postfix check" },
	{ "452", "452", "452", "", "temporary", "we", "space", "df" },
	{ "454", "454", "454", "", "temporary", "we", "TLS", NULL },
	{ "455", "455", "455", "", "temporary", "nobody", NULL, NULL },
	{ "500", "500", "500", "", "permanent", "we", NULL, NULL },
	{ "501", "501", "501", "", "permanent", "sender", "malformed", NULL },
	{ "502", "502", "502", "", "permanent", "we", NULL, NULL },
	{ "503", "503", "503", "", "permanent", "we", "order", NULL },
	{ "504", "504", "504", "", "permanent", "we", NULL, NULL },
	{ "521", "521", "521", "", "permanent", "recipient", NULL, NULL },
	{ "530", "530", "530", "", "permanent", "sender", "log in", "587" },
	{ "534", "534", "534", "", "permanent", "sender", "password", "app password" },
	{ "535", "535", "535", "", "permanent", "sender", "password", NULL },
	{ "538", "538", "538", "", "permanent", "sender", "clear", "STARTTLS" },
	{ "550", "550", "550", "", "permanent", "sender", "address", NULL },
	{ "551", "551", "551", "", "permanent", "sender", NULL, NULL },
	{ "552", "552", "552", "", "permanent", "recipient", "quota", NULL },
	{ "553", "553", "553", "", "permanent", "sender", NULL, NULL },
	{ "554", "554", "554", "", "permanent", "sender", "policy", NULL },
	{ "555", "555", "555", "", "permanent", "we", NULL, NULL },
	{ "556", "556", "556", "", "permanent", "sender", "null MX", NULL },
	{ "blanks about it", "  550\r\n", "550", "", "permanent", "sender", NULL, NULL },
	/* enhanced codes */
	{ "5.1.1", "5.1.1", "", "5.1.1", "permanent", "sender", "does not exist", "correct the address" },
	{ "5.1.2", "5.1.2", "", "5.1.2", "permanent", "sender", "domain", "dig" },
	{ "5.1.3", "5.1.3", "", "5.1.3", "permanent", "sender", "malformed", NULL },
	{ "5.1.6", "5.1.6", "", "5.1.6", "permanent", "sender", "moved", NULL },
	{ "5.1.8", "5.1.8", "", "5.1.8", "permanent", "we", "domain", NULL },
	{ "5.1.10", "5.1.10", "", "5.1.10", "permanent", "sender", "null MX", NULL },
	{ "5.2.1", "5.2.1", "", "5.2.1", "permanent", "recipient", "disabled", NULL },
	{ "4.2.2", "4.2.2", "", "4.2.2", "temporary", "recipient", "quota", NULL },
	{ "5.2.3", "5.2.3", "", "5.2.3", "permanent", "sender", "larger", NULL },
	{ "4.3.1", "4.3.1", "", "4.3.1", "temporary", "we", "disk", "df" },
	{ "4.3.2", "4.3.2", "", "4.3.2", "temporary", "nobody", NULL, NULL },
	{ "5.3.4", "5.3.4", "", "5.3.4", "permanent", "sender", "message_size_limit", NULL },
	{ "4.3.5", "4.3.5", "", "4.3.5", "temporary", "we", "configuration", "config.smtpd.451" },
	{ "4.4.1", "4.4.1", "", "4.4.1", "temporary", "recipient", "does not answer", "nc" },
	{ "4.4.2", "4.4.2", "", "4.4.2", "temporary", "recipient", "broke off", NULL },
	{ "4.4.3", "4.4.3", "", "4.4.3", "temporary", "we", "DNS", "dns.resolver" },
	{ "5.4.4", "5.4.4", "", "5.4.4", "permanent", "sender", "DNS", "dig" },
	{ "5.4.6", "5.4.6", "", "5.4.6", "permanent", "we", "again and again", NULL },
	{ "4.4.7", "4.4.7", "", "4.4.7", "temporary", "sender", "maximal_queue_lifetime", NULL },
	{ "5.5.1", "5.5.1", "", "5.5.1", "permanent", "we", NULL, NULL },
	{ "4.5.3", "4.5.3", "", "4.5.3", "temporary", "we", "recipients", "smtp_destination_recipient_limit" },
	{ "5.6.7", "5.6.7", "", "5.6.7", "permanent", "sender", "SMTPUTF8", NULL },
	{ "5.7.8", "5.7.8", "", "5.7.8", "permanent", "sender", "password", NULL },
	{ "5.7.11", "5.7.11", "", "5.7.11", "permanent", "sender", "TLS", NULL },
	{ "5.7.20", "5.7.20", "", "5.7.20", "permanent", "we", "DKIM", "dns.dkim" },
	{ "5.7.23", "5.7.23", "", "5.7.23", "permanent", "we", "SPF", "v=spf1" },
	{ "5.7.25", "5.7.25", "", "5.7.25", "permanent", "we", "PTR", "PTR" },
	{ "5.7.26", "5.7.26", "", "5.7.26", "permanent", "we", "DMARC", NULL },
	{ "5.7.27 of nobody", "5.7.27", "", "5.7.27", "permanent", "we", "null MX", NULL },
	{ "5.7.30 of nobody", "5.7.30", "", "5.7.30", "permanent", "sender", "TLS", "REQUIRETLS" },
	{ "4.7.28", "4.7.28", "", "4.7.28", "temporary", "we", "too much", "rate_delay" },
	{ "X.Y.0 for X.Y.Z", "5.1.77", "", "5.1.77", "permanent", "sender", "address", NULL },
	{ "2.0.0", "2.0.0", "", "2.0.0", "success", "nobody", "handed over", NULL },
	{ "both", "550 5.1.1", "550", "5.1.1", "permanent", "sender", "does not exist", NULL },
	{ "both with a hyphen", "550-5.1.1", "550", "5.1.1", "permanent", "sender", "does not exist", NULL },
	{ "Exchange's hash", "#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##", "550", "5.1.1", "permanent",
		"sender", "does not exist", NULL },
	/* unknown ones */
	{ "unknown 5yz", "599", "599", "", "permanent", "sender", "in no table", NULL },
	{ "unknown 4yz", "499 whatever", "499", "", "temporary", "nobody", "in no table", NULL },
	{ "unknown enhanced", "5.9.9", "", "5.9.9", "permanent", "sender", "in no table", NULL },
	{ "unknown pair", "577 5.8.99 strange", "577", "5.8.99", "permanent", "sender", "in no table", NULL },
	/* Gmail */
	{ "Gmail SPF",
		"550-5.7.27 This mail has been blocked because the sender is unauthenticated. 550-5.7.27 SPF did not pass 550 5.7.27 x - gsmtp",
		"550", "5.7.27", "permanent", "we", "SPF", "v=spf1" },
	{ "Gmail DKIM", "550-5.7.30 DKIM = did not pass - gsmtp", "550", "5.7.30", "permanent", "we", "DKIM",
		"dns.dkim" },
	{ "Gmail 26",
		"550-5.7.26 This mail is unauthenticated, which poses a security risk to the\n550-5.7.26 sender and Gmail users, and has been blocked. The sender must\n550 5.7.26 authenticate with at least one of SPF or DKIM. a1-2si - gsmtp",
		"550", "5.7.26", "permanent", "we", "neither SPF nor DKIM", "dns.dkim" },
	{ "Gmail rate",
		"421-4.7.28 Gmail has detected an unusual rate of unsolicited mail originating from\n421-4.7.28 your IP address. To protect our users [198.51.100.7] ... - gsmtp",
		"421", "4.7.28", "temporary", "we", "unusual rate", "rate_delay" },
	{ "Gmail PTR",
		"550-5.7.25 [198.51.100.7] The IP address sending this message does not have a PTR record - gsmtp",
		"550", "5.7.25", "permanent", "we", "PTR", "198.51.100.7" },
	{ "Gmail IPv6",
		"550-5.7.1 [2001:db8::1] Our system has detected that this message does not meet IPv6 sending guidelines regarding PTR records - gsmtp",
		"550", "5.7.1", "permanent", "we", "IPv6", "2001:db8::1" },
	{ "Gmail spam",
		"550-5.7.1 [198.51.100.7 12] Our system has detected that this message is likely unsolicited mail - gsmtp",
		"550", "5.7.1", "permanent", "we", "spam", NULL },
	{ "Gmail unknown user", "550-5.1.1 The email account that you tried to reach does not exist. - gsmtp", "550",
		"5.1.1", "permanent", "sender", "Gmail account", NULL },
	{ "Gmail full", "452-4.2.2 The recipient's inbox is out of storage space. - gsmtp", "452", "4.2.2", "temporary",
		"recipient", "quota", NULL },
	{ "Gmail busy recipient",
		"450-4.2.1 The user you are trying to contact is receiving mail at a rate that prevents - gsmtp", "450",
		"4.2.1", "temporary", "recipient", "too much mail", NULL },
	{ "Gmail alignment", "550-5.7.32 From: header isn't aligned - gsmtp", "550", "5.7.32", "permanent", "we",
		"alignment", NULL },
	{ "Gmail DMARC missing", "550 5.7.40 no DMARC - gsmtp", "550", "5.7.40", "permanent", "we", "DMARC", "_dmarc" },
	{ "Gmail TLS", "421 4.7.29 not TLS - gsmtp", "421", "4.7.29", "temporary", "we", "TLS",
		"smtp_tls_security_level" },
	{ "Gmail daily limit", "550 5.4.5 Daily user sending limit exceeded. - gsmtp", "550", "5.4.5", "permanent",
		"sender", "limit", NULL },
	{ "Gmail known by its host",
		SMTP
		"relay=gmail-smtp-in.l.google.com[192.0.2.27]:25, delay=1, dsn=5.7.27, status=bounced (host gmail-smtp-in.l.google.com[192.0.2.27] said: 550-5.7.27 x 550 5.7.27 y (in reply to end of DATA command))",
		"550", "5.7.27", "permanent", "we", "SPF", NULL },
	/* Microsoft */
	{ "S3140",
		"550 5.7.1 Unfortunately, messages from [198.51.100.7] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3140).",
		"550", "5.7.1", "permanent", "we,provider", "block list", "198.51.100.7" },
	{ "banned",
		"550 5.7.606 Access denied, banned sending IP [198.51.100.7]. To request removal visit https://sender.office.com/",
		"550", "5.7.606", "permanent", "we", "banned", "sender.office.com" },
	{ "banned at the end of the range", "550 5.7.649 Access denied, banned sending IP [198.51.100.7]", "550",
		"5.7.649", "permanent", "we", "banned", NULL },
	{ "511", "550 5.7.511 Access denied, banned sender[198.51.100.7]. forward this to delist@microsoft.com", "550",
		"5.7.511", "permanent", "we", "banned", "delist@microsoft.com" },
	{ "509",
		"550 5.7.509 Access denied, sending domain X does not pass DMARC verification and has a DMARC policy of reject. [AM0.prod.outlook.com]",
		"550", "5.7.509", "permanent", "we", "DMARC", NULL },
	{ "515",
		"550 5.7.515 Access denied, sending domain x does not meet the required authentication level. protection.outlook.com",
		"550", "5.7.515", "permanent", "we", "SPF, DKIM and DMARC", NULL },
	{ "708",
		"550 5.7.708 Service unavailable. Access denied, traffic not accepted from this IP. protection.outlook.com",
		"550", "5.7.708", "permanent", "we", "reputation", NULL },
	{ "650",
		"451 4.7.650 The mail server [198.51.100.7] has been temporarily rate limited due to IP reputation. protection.outlook.com",
		"451", "4.7.650", "temporary", "we", "too much mail", "rate_delay" },
	{ "RP-001", "421 RP-001 (BAY0-MC1) Unfortunately, some messages from 198.51.100.7 weren't sent.", "421", "",
		"temporary", "we", "too much mail", "rate_delay" },
	{ "1.10", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient x@y not found by SMTP address lookup", "550",
		"5.1.10", "permanent", "sender", "does not exist", NULL },
	{ "edge",
		"550 5.4.1 Recipient address rejected: Access denied. AS(201806281) [AM0.eop-eur.prod.protection.outlook.com]",
		"550", "5.4.1", "permanent", "recipient", "tenant", NULL },
	{ "TenantAttribution", "550 5.7.64 TenantAttribution; Relay Access Denied SMTP", "550", "5.7.64", "permanent",
		"we", "connector", NULL },
	/* Yahoo */
	{ "TSS04",
		"421 4.7.0 [TSS04] Messages from 198.51.100.7 temporarily deferred due to unexpected volume or user complaints - 4.16.55.1; see https://postmaster.yahooinc.com/error-codes",
		"421", "4.7.0", "temporary", "we", "Yahoo", "slower" },
	{ "TS03", "421 4.7.1 [TS03] All messages from 198.51.100.7 will be permanently deferred", "421", "4.7.1",
		"temporary", "we", "Yahoo", NULL },
	{ "BL21",
		"553 5.7.1 [BL21] Connections will not be accepted from 198.51.100.7, because the ip is in Spamhaus's list",
		"553", "5.7.1", "permanent", "we", "Spamhaus", "check.spamhaus.org" },
	{ "Yahoo DMARC",
		"554 5.7.9 Message not accepted for policy reasons. See https://postmaster.yahooinc.com/error-codes",
		"554", "5.7.9", "permanent", "we", NULL, NULL },
	{ "Yahoo resources",
		"451 Resources temporarily not available - Please try again later [#4.16.5]. postmaster.yahooinc.com",
		"451", "", "temporary", "nobody", "busy", NULL },
	/* others */
	{ "Spamhaus",
		"554 5.7.1 Service unavailable; Client host [198.51.100.7] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/198.51.100.7",
		"554", "5.7.1", "permanent", "we", "Spamhaus", "check.spamhaus.org" },
	{ "SpamCop", "554 Blocked - see https://www.spamcop.net/bl.shtml?198.51.100.7", "554", "", "permanent", "we",
		"SpamCop", NULL },
	{ "Barracuda",
		"550 5.7.1 x blocked using b.barracudacentral.org; http://www.barracudanetworks.com/reputation/?ip=198.51.100.7",
		"550", "5.7.1", "permanent", "we", "Barracuda", NULL },
	{ "Proofpoint", "554 Blocked - see https://ipcheck.proofpoint.com/?ip=198.51.100.7", "554", "", "permanent",
		"we", "Proofpoint", "ipcheck" },
	{ "greylisting", "450 4.2.0 <x@y>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/",
		"450", "4.2.0", "temporary", "nobody", "greylisting", NULL },
	{ "iCloud",
		"554 5.7.1 [CS01] Message rejected due to local policy. Please visit https://support.apple.com/en-us/HT204137",
		"554", "5.7.1", "permanent", "we", "Apple", NULL },
	{ "GMX",
		"554-Transaction failed 554-Reject due to policy restrictions. 554 For explanation visit https://postmaster.gmx.net/en/case?c=hi&i=ip&v=198.51.100.7",
		"554", "", "permanent", "we", NULL, NULL },
	/* our own Postfix */
	{ "relay denied", "554 5.7.1 <a@b.example>: Relay access denied", "554", "5.7.1", "permanent", "we,sender",
		"log in", "587" },
	{ "relay denied in the log", RCPT "454 4.7.1 <x@y.example>: Relay access denied" FIELDS, "454", "4.7.1",
		"temporary", "we,sender", "log in", "587" },
	{ "a big receiver's domain is not the big receiver", RCPT "554 5.7.1 <x@gmail.com>: Relay access denied" FIELDS,
		"554", "5.7.1", "permanent", "we,sender", "log in", "587" },
	{ "local user unknown",
		RCPT
		"550 5.1.1 <x@y.example>: Recipient address rejected: User unknown in local recipient table" FIELDS,
		"550", "5.1.1", "permanent", "sender", "does not exist", "postmap" },
	{ "sender's domain", RCPT "450 4.1.8 <a@nowhere.example>: Sender address rejected: Domain not found" FIELDS,
		"450", "4.1.8", "temporary", "sender,we", "DNS", "dns.resolver" },
	{ "recipient's domain", "450 4.1.2 <x@nowhere.example>: Recipient address rejected: Domain not found", "450",
		"4.1.2", "temporary", "sender,we", "DNS", "dig" },
	{ "no reverse name", RCPT "450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.250]" FIELDS,
		"450", "4.7.25", "temporary", "sender", "PTR", NULL },
	{ "no reverse name, told to us",
		SMTP AT
		"dsn=4.7.25, status=deferred (host mx.x.example[192.0.2.250] said: 450 4.7.25 Client host rejected: cannot find your reverse hostname, [198.51.100.7] (in reply to RCPT TO command))",
		"450", "4.7.25", "temporary", "we", "PTR", "198.51.100.7" },
	{ "lookup failure", RCPT "451 4.3.0 <x@y.example>: Temporary lookup failure" FIELDS, "451", "4.3.0",
		"temporary", "we", "table", "postmap" },
	{ "configuration error", RCPT "451 4.3.5 Server configuration error" FIELDS, "451", "4.3.5", "temporary", "we",
		"restriction", "config.smtpd.451" },
	{ "milter down", "451 4.7.1 Service unavailable - try again later", "451", "4.7.1", "temporary", "we", "milter",
		"smtpd_milters" },
	{ "disk full", "452 4.3.1 Insufficient system storage", "452", "4.3.1", "temporary", "we", "disk", "df" },
	{ "their disk is full",
		SMTP AT
		"dsn=4.3.1, status=deferred (host mx.x.example[192.0.2.250] said: 452 4.3.1 Insufficient system storage (in reply to MAIL FROM command))",
		"452", "4.3.1", "temporary", "recipient", "their", NULL },
	{ "too big", "552 5.3.4 Message size exceeds fixed limit", "552", "5.3.4", "permanent", "sender",
		"message_size_limit", NULL },
	{ "too many errors", "421 4.7.0 mail.example.com Error: too many errors", "421", "4.7.0", "temporary", "sender",
		"wrong commands", NULL },
	{ "too many connections", "421 4.7.0 mail.example.com Error: too many connections from 198.51.100.7", "421",
		"4.7.0", "temporary", "we,sender", "connections", NULL },
	{ "login needed", "530 5.7.0 Must issue a STARTTLS command first", "530", "5.7.0", "permanent", "we,sender",
		"TLS", NULL },
	{ "login failed", "535 5.7.8 Error: authentication failed: UGFzc3dvcmQ6", "535", "5.7.8", "permanent", "sender",
		"password", NULL },
	{ "bad HELO", "504 5.5.2 <localhost>: Helo command rejected: need fully-qualified hostname", "504", "5.5.2",
		"permanent", "we", "full host name", "myhostname" },
	{ "unverified",
		RCPT
		"450 4.1.1 <x@y.example>: Recipient address rejected: unverified address: host mx[192.0.2.9] said: 550 5.1.1 User unknown (in reply to RCPT TO command)" FIELDS,
		"450", "4.1.1", "temporary", "nobody", NULL, NULL },
	{ "a policy service's refusal",
		RCPT "450 4.7.1 <x@y.example>: Recipient address rejected: later, not 550 5.7.1" FIELDS, "450", "4.7.1",
		"temporary", "nobody", NULL, NULL },
	/* the SMTP client */
	{ "sent", SMTP AT "dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4B51)", "250", "2.0.0", "success", "nobody",
		"handed over", NULL },
	{ "sent, without its beginning", "… status=sent (250 2.0.0 Ok: queued as 4B51)", "250", "2.0.0", "success",
		"nobody", "handed over", NULL },
	{ "sent, with a quoted trouble",
		SMTP AT "dsn=2.0.0, status=sent (250 2.0.0 Ok: was 550 5.1.1 Relay access denied before)", "250",
		"2.0.0", "success", "nobody", NULL, NULL },
	{ "the log's dsn when the reply has none",
		SMTP AT
		"dsn=5.1.1, status=bounced (host mx.x.example[192.0.2.250] said: 550 <one@x.example>: No such user here (in reply to RCPT TO command))",
		"550", "5.1.1", "permanent", "sender", "does not exist", NULL },
	{ "timed out",
		SMTP NOWHERE
		"dsn=4.4.1, status=deferred (connect to mx.x.example[192.0.2.250]:25: Connection timed out)",
		"", "4.4.1", "temporary", "recipient,provider,we", "timed out", "port 25" },
	{ "refused",
		SMTP NOWHERE "dsn=4.4.1, status=deferred (connect to mx.x.example[192.0.2.250]:25: Connection refused)",
		"", "4.4.1", "temporary", "recipient", "refused", NULL },
	{ "no route",
		SMTP NOWHERE
		"dsn=4.4.1, status=deferred (connect to mx.x.example[2001:db8::25]:25: Network is unreachable)",
		"", "4.4.1", "temporary", "we", "no route", "inet_protocols" },
	{ "no such domain",
		SMTP NOWHERE
		"dsn=5.4.4, status=bounced (Host or domain name not found. Name service error for name=nowhere.example type=AAAA: Host not found)",
		"", "5.4.4", "permanent", "sender", "misspelt", "dig" },
	{ "DNS fails",
		SMTP NOWHERE
		"dsn=4.4.3, status=deferred (Host or domain name not found. Name service error for name=nowhere.example type=MX: Host not found, try again)",
		"", "4.4.3", "temporary", "we", "resolver", "dns.resolver" },
	{ "turned away",
		SMTP NOWHERE
		"dsn=4.0.0, status=deferred (host mx.x.example[192.0.2.250] refused to talk to me: 554 5.7.1 no service for you)",
		"554", "5.7.1", "temporary", "we", "refuses", NULL },
	{ "lost",
		SMTP AT
		"dsn=4.4.2, status=deferred (lost connection with mx.x.example[192.0.2.250] while sending RCPT TO)",
		"", "4.4.2", "temporary", "recipient", "lost", NULL },
	{ "silent",
		SMTP AT
		"dsn=4.4.2, status=deferred (conversation with mx.x.example[192.0.2.250] timed out while sending message body)",
		"", "4.4.2", "temporary", "recipient", "timed out", NULL },
	{ "no TLS there",
		SMTP NOWHERE
		"dsn=4.7.4, status=deferred (TLS is required, but was not offered by host mx.x.example[192.0.2.250])",
		"", "4.7.4", "temporary", "recipient", "TLS", "openssl" },
	{ "certificate", SMTP NOWHERE "dsn=4.7.5, status=deferred (Server certificate not verified)", "", "4.7.5",
		"temporary", "recipient", "certificate", "openssl" },
	{ "loops back", SMTP NOWHERE "dsn=5.4.6, status=bounced (mail for x.example loops back to myself)", "", "5.4.6",
		"permanent", "we", "MX", "mydestination" },
	{ "transport", SMTP NOWHERE "dsn=4.3.0, status=deferred (unknown mail transport error)", "", "4.3.0",
		"temporary", "we", "master.cf", NULL },
	{ "suspended",
		SMTP NOWHERE
		"dsn=4.4.1, status=deferred (delivery temporarily suspended: connect to mx.x.example[192.0.2.250]:25: Connection refused)",
		"", "4.4.1", "temporary", "recipient", "refused", NULL },
	{ "loop",
		SMTP AT
		"dsn=5.4.0, status=bounced (host mx said: 554 5.4.0 Error: too many hops (in reply to end of DATA command))",
		"554", "5.4.0", "permanent", "we", "too many servers", NULL },
	{ "expired",
		"Nov 21 19:59:58 mx postfix/qmgr[5011]: 960F9A7204D: from=<a@b.example>, status=expired, returned to sender",
		"", "", "permanent", "sender", "expired", NULL },
	{ "Dovecot quota",
		"Nov 21 19:59:58 mx postfix/lmtp[5011]: 960F9A7204D: to=<one@x.example>, relay=mx[private/dovecot-lmtp], delay=1, delays=0/0/0/1, dsn=4.2.2, status=deferred (host mx[private/dovecot-lmtp] said: 452 4.2.2 <one@x.example> Quota exceeded (mailbox for user is full) (in reply to end of DATA command))",
		"452", "4.2.2", "temporary", "recipient", "quota", "doveadm" },
	{ "Dovecot unknown user",
		"Nov 21 19:59:58 mx postfix/lmtp[5011]: 960F9A7204D: to=<one@x.example>, relay=mx[private/dovecot-lmtp], delay=1, delays=0/0/0/1, dsn=5.1.1, status=bounced (host mx[private/dovecot-lmtp] said: 550 5.1.1 <one@x.example> User doesn't exist: one@x.example (in reply to RCPT TO command))",
		"550", "5.1.1", "permanent", "sender", "does not exist", NULL },
	{ "Dovecot is down",
		"Nov 21 19:59:58 mx postfix/lmtp[5011]: 960F9A7204D: to=<one@x.example>, relay=none, delay=1, delays=0/0/0/1, dsn=4.4.1, status=deferred (connect to mx[private/dovecot-lmtp]: No such file or directory)",
		"", "4.4.1", "temporary", "we", "LMTP", "dovecot" },
	{ "soft bounce",
		SMTP AT
		"dsn=4.1.1, status=SOFTBOUNCE (host mx.x.example[192.0.2.250] said: 550 5.1.1 no such user (in reply to RCPT TO command))",
		"550", "5.1.1", "temporary", "sender,nobody", NULL, NULL },
	/* signatures */
	{ "dead smtpd",
		"postfix/smtpd[99]: fatal: in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, specify at least one working instance of: reject_unauth_destination",
		"", "", "temporary", "we", "restrictions", "reject_unauth_destination" },
	{ "throttling",
		"Nov 21 19:59:58 mx postfix/master[250]: warning: /usr/lib/postfix/sbin/smtpd: bad command startup -- throttling",
		"", "", "temporary", "we", "dies|ends at once", "postfix check" },
	{ "unknown restriction", "postfix/smtpd[99]: warning: unknown smtpd restriction: \"permit_everyone\"", "", "",
		"temporary", "we", "misspelt", NULL },
	{ "bad network",
		"postfix/smtpd[99]: warning: non-null host address bits in \"192.168.1.5/24\", perhaps you should use \"192.168.1.0/24\" instead",
		"", "", "temporary", "we", "network", "mynetworks" },
	{ "failed login",
		"postfix/smtpd[99]: warning: unknown[192.0.2.250]: SASL LOGIN authentication failed: authentication failure",
		"", "", "permanent", "sender", "password", NULL },
	/* reports, dialogues, bounces */
	{ "a delivery report",
		"Reporting-MTA: dns; mx.example\n\nFinal-Recipient: rfc822; x@y.example\nAction: failed\nStatus: 5.2.2\nRemote-MTA: dns; mx.y.example\nDiagnostic-Code: smtp; 552 5.2.2 <x@y.example>:\n    mailbox full\n",
		"552", "5.2.2", "permanent", "recipient", "quota", NULL },
	{ "a report's status alone", "Action: failed\nStatus: 5.1.1\nDiagnostic-Code: X-Postfix; unknown user: \"x\"\n",
		"", "5.1.1", "permanent", "sender", "does not exist", NULL },
	{ "a report of Gmail's",
		"Status: 5.7.27\nRemote-MTA: dns; gmail-smtp-in.l.google.com\nDiagnostic-Code: smtp; 550-5.7.27 blocked\n 550 5.7.27 x",
		"550", "5.7.27", "permanent", "we", "SPF", NULL },
	{ "a dialogue",
		"220 mx.example ESMTP\n250-mx.example\n250-SIZE 10240000\n250 8BITMIME\n250 2.1.0 Ok\n550 5.1.1 <x@y>: Recipient address rejected: User unknown\n221 2.0.0 Bye\n",
		"550", "5.1.1", "permanent", "sender", "does not exist", NULL },
	{ "a dialogue that went well",
		"220 mx.example ESMTP\n250 mx.example\n250 2.1.0 Ok\n250 2.1.5 Ok\n354 go\n250 2.0.0 Ok: queued as 250D1\n221 2.0.0 Bye\n",
		"250", "2.0.0", "success", "nobody", "handed over", NULL },
	{ "swaks",
		"<-  220 mx\n -> EHLO c\n<-  250 mx\n -> RCPT TO:<x@y>\n<** 554 5.7.1 <x@y>: Relay access denied\n -> QUIT\n<-  221 2.0.0 Bye",
		"554", "5.7.1", "permanent", "we,sender", "log in", NULL },
	{ "a bounce of Postfix",
		"This is the mail system at host mx.example.\n\nI'm sorry to have to inform you that your message could not\nbe delivered to one or more recipients.\n\n<x@y.example>: host mx.y.example[192.0.2.250] said: 550 5.1.1\n    <x@y.example>: Recipient address rejected: User unknown in virtual mailbox\n    table (in reply to RCPT TO command)\n",
		"550", "5.1.1", "permanent", "sender", "does not exist", NULL },
	{ "a bounce of Exim",
		"SMTP error from remote mail server after RCPT TO:<x@y.example>:\nhost mx.y.example [192.0.2.250]: 550 5.7.1 Relaying denied",
		"550", "5.7.1", "permanent", "we,sender,recipient", "relay", NULL },
	{ "a bounce of Exchange",
		"Remote Server returned '550 5.4.1 Recipient address rejected: Access denied. AS(201806281)'", "550",
		"5.4.1", "permanent", "recipient", NULL, NULL },
	{ "code only in the last line of a reply",
		"550-Message rejected.\n550-Please see our policy.\n550 5.7.1 http://x.example", "550", "5.7.1",
		"permanent", "we", NULL, NULL },
	{ "an address that imitates a reply",
		RCPT "450 4.2.0 <550 5.1.1 x@y.example>: Recipient address rejected: Greylisted" FIELDS, "450", "4.2.0",
		"temporary", "nobody", "greylisting", NULL },
	{ "a bare code of Microsoft's", "5.7.606", "", "5.7.606", "permanent", "we", "banned", NULL },
	{ "a bare throttle of Microsoft's", "451 4.7.500 Server busy", "451", "4.7.500", "temporary", "we",
		"suspicious", "rate_delay" },
	{ "a bare code of Gmail's", "5.7.32", "", "5.7.32", "permanent", "we", "alignment", NULL },
	{ "a comma between", "550,5.1.1", "550", "5.1.1", "permanent", "sender", NULL, NULL },
	{ "goodbye", "221 2.7.0 Error: I can break rules, too. Goodbye.", "221", "2.7.0", "success", "nobody",
		"session", NULL },
	{ "words alone", "Relay access denied", "", "", "permanent", "we,sender", "log in", "587" },
	{ "Dovecot's words alone",
		"dovecot: lmtp(bob)<123><abc>: Error: save failed to INBOX: Quota exceeded (mailbox for user is full)",
		"", "", "temporary", "recipient", "quota", "doveadm" },
	{ "a milter's silence",
		"warning: milter unix:/run/x.sock: can't read SMFIC_CONNECT reply packet header: Connection timed out",
		"", "", "temporary", "we", "milter", NULL },
	{ "a client goes away",
		"Nov 21 20:00:08 mx postfix/smtpd[5008]: lost connection after DATA from unknown[127.0.0.3]", "", "",
		"temporary", "nobody", "client", NULL },
	{ "error 421", "error 421", "421", "", "temporary", "nobody", NULL, NULL },
	{ "SMTP 550", "SMTP error code 550", "550", "", "permanent", "sender", NULL, NULL },
	{ "bytes that are no text", "550 5.1.1 \xff\xfe\x01\x1b[31m unknown user", "550", "5.1.1", "permanent",
		"sender", NULL, NULL },
};

static bool has_any(const char *words, const char *in)
{
	struct mg_str rest = mg_str_z(words);

	while (rest.n > 0)
		if (mg_str_find_str(mg_str_z(in), mg_str_cut(&rest, '|')) != SIZE_MAX)
			return true;
	return false;
}

static void speaks_of(const char *words, const struct mg_say *say)
{
	struct mg_buf text;

	mg_buf_init(&text, MG_SAY_TEXT);
	mg_say_english(&text, say);
	assert_true(text.n > 0);
	if (words != NULL && !has_any(words, mg_buf_z(&text)))
		fail_msg("\"%s\" is not in: %s", words, mg_buf_z(&text));
	mg_buf_fini(&text);
}

static void is_explained(void **state)
{
	const struct explain_case *c = *state;
	struct mg_explanation found;
	struct mg_str actors = mg_str_z(c->actors);
	bool has_actor = false;

	assert_true(mg_explain(mg_str_z(c->text), &found));
	assert_string_equal(found.code, c->code);
	assert_string_equal(found.enhanced, c->enhanced);
	assert_string_equal(mg_permanence_name(found.permanence), c->permanence);
	while (actors.n > 0)
		has_actor |= mg_str_eq(mg_str_cut(&actors, ','), mg_str_z(mg_actor_name(found.actor)));
	if (!has_actor)
		fail_msg("%s acts, not %s", mg_actor_name(found.actor), c->actors);
	speaks_of(c->cause, &found.cause);
	speaks_of(c->fix, &found.fix);
	speaks_of(NULL, &found.meaning);
	speaks_of(NULL, &found.retry);
}

struct nothing_case {
	const char *name, *text;
};

static const struct nothing_case nothing_cases[] = {
	{ "nothing", "" },
	{ "a greeting", "hello world" },
	{ "an address", "192.0.2.250" },
	{ "an address in brackets", "host[192.0.2.250]" },
	{ "a number in brackets", "[250]" },
	{ "a version", "Exim 4.96" },
	{ "a version of three parts", "Postfix 2.11.3" },
	{ "another", "Dovecot 2.3.19" },
	{ "a long number", "55012" },
	{ "a number of no class", "999" },
	{ "another of no class", "199" },
	{ "a port", "port 587" },
	{ "a time", "at 12:45:250" },
	{ "a size", "size=550, nrcpt=1" },
	{ "a delay", "delay=450, delays=0/421/0/0" },
	{ "a quantity", "I have 250 messages in the queue" },
	{ "a quantity alone", "550 messages" },
	{ "a queue id", "554D1A7204D" },
	{ "a queue id before a colon", "5500ABCDEF: removed" },
	{ "a process", "postfix/smtpd[550]: connect from mx.x.example[192.0.2.250]" },
	{ "a sender that imitates a reply",
		"Nov 21 20:00:03 mx postfix/qmgr[4957]: C91A3A72021: from=<\"[1.2.3.4]: 554\"@refused.example.net>, size=253, nrcpt=1 (queue active)" },
	{ "a date", "21.11.2026" },
	{ "a path", "/var/550/5.1.1/x" },
	{ "a connect", "Nov 21 19:59:58 mx postfix/smtpd[5003]: connect from unknown[127.0.0.2]" },
	{ "a message id", "message-id=<550.5.1.1@x.example>" },
	{ "words that a row has, without a code", "I think this is spam, the quota and the policy" },
};

static void is_nothing(void **state)
{
	const struct nothing_case *c = *state;
	struct mg_explanation found;

	assert_false(mg_explain(mg_str_z(c->text), &found));
}

/* 64 KiB and more of one hard byte after the other. */
static void long_texts_are_survived(void **state)
{
	static const char *const pieces[] = { "550 ", "5.1.1 ", "(", "550-5.7.1 ", "\n", "status=sent (", " said: 550 ",
		"a", "250 " };
	struct mg_explanation found;
	size_t size = 2 * MG_EXPLAIN_TEXT;
	char *text = malloc(size);

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < ROWS(pieces); i++) {
		for (size_t n = 0; n < size; n++)
			text[n] = pieces[i][n % strlen(pieces[i])];
		mg_explain(mg_str_of(text, size), &found);
	}
	free(text);
}

int main(void)
{
	struct CMUnitTest tests[ROWS(explain_cases) + ROWS(nothing_cases) + 1];
	size_t n = 0;

	ADD_ROWS(tests, n, explain_cases, is_explained);
	ADD_ROWS(tests, n, nothing_cases, is_nothing);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(long_texts_are_survived);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
