/* Yahoo and AOL: what is in brackets says more than the code. */
#include "explain/rows.h"

#define Y MG_SPEAKER_YAHOO

const struct mg_code_row mg_rows_yahoo[] = {
	{ Y, .text = "[tss", .actor = MG_ACTOR_WE, .meaning = N_("Yahoo: slowed down for volume or complaints"),
		.cause = N_("Yahoo slows this server down: unexpected volume of mail, or complaints of its users"),
		.fix = N_(
			"send slower: postconf -e smtp_destination_rate_delay=1s && postfix reload; find what its users complain about (mailguardctl check account.rate), and join Yahoo's complaint feedback loop at senders.yahooinc.com"),
		.check = "limit.provider", .is_rate_limit = true },
	{ Y, .text = "[ts0", .actor = MG_ACTOR_WE, .meaning = N_("Yahoo: all mail of this address is put off"),
		.cause = N_("Yahoo puts off everything from this address, for complaints or suspicious mail"),
		.fix = N_(
			"stop sending for some hours, find what its users complain about, then send slower: postconf -e smtp_destination_rate_delay=1s && postfix reload; ask at senders.yahooinc.com"),
		.check = "limit.provider", .is_rate_limit = true },
	{ Y, .text = "[bl2", .actor = MG_ACTOR_WE,
		.meaning = N_("Yahoo: the sending address is on a Spamhaus block list"),
		.cause = N_(
			"the address %1 is listed at Spamhaus (BL21: SBL or XBL, BL23: PBL), and Yahoo refuses what is listed"),
		.fix = N_(
			"find the reason and ask for removal: https://check.spamhaus.org/ ; mailguardctl check dnsbl.self"),
		.check = "dnsbl.self" },
	{ Y, .text = "[gl01|greylist", .actor = MG_ACTOR_NOBODY, .meaning = N_("Yahoo: put off by greylisting"),
		.cause = N_("Yahoo puts unknown senders off once (greylisting)"),
		.fix = N_("wait; it passes at a later attempt") },
	{ Y, .text = "[ph01|[pm0|not accepted for policy|policy reasons|policy violation", .actor = MG_ACTOR_WE,
		.meaning = N_("Yahoo: refused by policy"),
		.cause = N_("Yahoo's filter refuses the message for its content, links or reputation"),
		.fix = N_(
			"see what in it looks like spam or fraud; mailguardctl check dnsbl.self dns.spf dns.dkim; ask at senders.yahooinc.com"),
		.check = "dnsbl.self" },
	{ Y, .text = "unable to authenticate|failed authentication|authentication checks|dmarc|unauthenticated",
		.actor = MG_ACTOR_WE, .meaning = N_("Yahoo: the message is not authenticated"),
		.cause = N_("SPF, DKIM or DMARC failed for the sender's domain"),
		.fix = N_(
			"publish SPF and sign with DKIM for the From domain: mailguardctl check dns.spf dns.dkim dns.dmarc"),
		.check = "dns.dmarc" },
	{ Y, .enhanced = "5.7.9", .actor = MG_ACTOR_WE, .meaning = N_("Yahoo: the message is not authenticated"),
		.cause = N_("SPF, DKIM or DMARC failed for the sender's domain"),
		.fix = N_(
			"publish SPF and sign with DKIM for the From domain: mailguardctl check dns.spf dns.dkim dns.dmarc"),
		.check = "dns.dmarc" },
	{ Y, .text = "over quota|mailbox full|mailbox is full", .actor = MG_ACTOR_RECIPIENT,
		.cause = N_("the recipient's mailbox is over its quota"),
		.fix = N_("tell the recipient by other means to make room") },
	{ Y, .text = "doesn't have a yahoo|doesn't have an aol|user doesn't have|account is disabled|not a valid mailbox|mailbox disabled|mailbox unavailable|no such user|user unknown",
		.actor = MG_ACTOR_SENDER, .meaning = N_("Yahoo: there is no such account"),
		.cause = N_("the account does not exist or was closed: the address is misspelt or the user is gone"),
		.fix = N_("correct the address; take it off mailing lists") },
	{ Y, .text = "resources temporarily|temporarily unavailable|resources unavailable|too many connections|max message per connection|all hosts busy",
		.actor = MG_ACTOR_NOBODY, .meaning = N_("Yahoo: too busy now, or too many connections from here"),
		.cause = N_("Yahoo's servers are busy or got too many connections from this server"),
		.fix = N_(
			"wait; open fewer connections: postconf -e smtp_destination_concurrency_limit=5 && postfix reload") },
	{ Y, .code = "421", .actor = MG_ACTOR_WE, .meaning = N_("Yahoo: put off"),
		.cause = N_("Yahoo puts the mail of this server off: too much of it, or complaints of its users"),
		.fix = N_(
			"send slower: postconf -e smtp_destination_rate_delay=1s && postfix reload; look at complaints at senders.yahooinc.com"),
		.check = "limit.provider", .is_rate_limit = true },
	{ Y, .code = "451", .actor = MG_ACTOR_NOBODY,
		.cause = N_("Yahoo's servers lack resources at the moment, or want to see the sender again"),
		.fix = N_("wait") },
};
const size_t mg_rows_yahoo_count = MG_ROWS_COUNT(mg_rows_yahoo);
