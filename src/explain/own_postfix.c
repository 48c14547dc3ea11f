/* Postfix's own words, of smtpd, postscreen, the SMTP client and the delivery agents, and those of Dovecot's LMTP. */
#include "explain/rows.h"

const struct mg_code_row
	mg_rows_own_postfix
		[] = {
			/* handed over */
			{ .code = "2",
				.text = "queued as|queued mail for delivery|message accepted for delivery|accepted for delivery|message queued|id=",
				.actor = MG_ACTOR_NOBODY,
				.meaning = N_("the next server took the message"),
				.cause = N_(
					"nothing is wrong: the message was handed over to the next server, which queued it; the words may name its queue id there"),
				.fix = N_(
					"nothing to do; if it does not arrive, ask their postmaster with that queue id") },
			{ .text = "delivered to maildir|delivered to mailbox|delivered to command|delivered to file|saved",
				.enhanced = "2.*",
				.actor = MG_ACTOR_NOBODY,
				.meaning = N_("the message lies in the mailbox"),
				.cause = N_("nothing is wrong: the message was delivered to the mailbox"),
				.fix = N_(
					"nothing to do; if the user misses it, look into the junk folder and the sieve rules") },
			{ .text = "forwarded as",
				.enhanced = "2.*",
				.actor = MG_ACTOR_NOBODY,
				.meaning = N_("the message was forwarded by an alias"),
				.cause = N_("nothing is wrong: an alias or .forward sent it on under a new queue id"),
				.fix = N_("follow it: mailguardctl trace QUEUEID, with the new queue id") },

			/* smtpd */
			{ .text = "unverified address|address verification in progress|unverified recipient|unverified sender",
				.code = "4",
				.actor = MG_ACTOR_NOBODY,
				.meaning = N_("the address is not verified yet"),
				.cause = N_(
					"Postfix asks the address's own server whether it exists (reject_unverified_recipient or _sender) and has no answer yet"),
				.fix = N_(
					"wait; if it stays so, see what the probe gets: journalctl -u postfix -g 'status=(un)?deliverable'; postconf unverified_recipient_reject_code") },
			{ .text = "undeliverable address|unverified address",
				.actor = MG_ACTOR_SENDER,
				.meaning = N_("the address does not exist at its own server"),
				.cause = N_("Postfix asked the address's own server, which does not know it"),
				.fix = N_("correct the address") },
			{ .text = "user unknown in local recipient table|user unknown in virtual mailbox table|user unknown in relay recipient table|user unknown in virtual alias table|user unknown in ",
				.side = MG_SIDE_REMOTE,
				.actor = MG_ACTOR_SENDER,
				.cause = N_(
					"the mailbox does not exist there: the address is misspelt or the user is gone"),
				.fix = N_(
					"correct the address; take it off mailing lists, since many unknown users cost reputation") },
			{ .text = "user unknown in local recipient table|user unknown in virtual mailbox table|user unknown in relay recipient table|user unknown in virtual alias table|user unknown in ",
				.actor = MG_ACTOR_SENDER,
				.meaning = N_("the recipient is not in this server's table of users"),
				.cause = N_(
					"the mailbox does not exist here: the address is misspelt, or the user was never entered"),
				.fix = N_(
					"correct the address; if it should exist, look it up: postmap -q USER@DOMAIN $(postconf -h virtual_mailbox_maps); or: postconf local_recipient_maps relay_recipient_maps"),
				.permanence = MG_PERMANENCE_PERMANENT },
			{ .text = "sender address rejected: domain not found|sender address rejected: malformed dns|sender address rejected: domain*null",
				.actor = MG_ACTOR_SENDER,
				.meaning = N_("the sender's domain does not exist in DNS"),
				.cause = N_(
					"the domain of the sender address has neither MX nor A record in DNS, or the resolver did not answer"),
				.fix = N_(
					"the sender has to use a domain that exists; if all senders fail so, test the resolver: mailguardctl check dns.resolver; dig MX %4"),
				.check = "dns.resolver" },
			{ .text = "recipient address rejected: domain not found|recipient address rejected: malformed dns",
				.actor = MG_ACTOR_SENDER,
				.meaning = N_("the recipient's domain does not exist in DNS"),
				.cause = N_(
					"the domain of the recipient address has neither MX nor A record in DNS, or the resolver did not answer"),
				.fix = N_(
					"correct the address; if all domains fail so, test the resolver: mailguardctl check dns.resolver; dig MX %4"),
				.check = "dns.resolver" },
			{ .text = "helo command rejected|invalid hostname|need fully-qualified hostname|bad helo|helo*not resolve|invalid helo|helo/ehlo|invalid name*helo|ehlo*invalid",
				.actor = MG_ACTOR_WE,
				.meaning = N_("the name in HELO is refused"),
				.cause = N_(
					"the client introduced itself with a name that is no full host name or does not exist in DNS"),
				.fix = N_(
					"give it a full name that resolves: postconf -e myhostname=mail.DOMAIN && postfix reload; dig A mail.DOMAIN"),
				.check = "config.hostname" },
			{ .text = "sender address rejected: not owned by user|not owned by user|sender address*not owned",
				.actor = MG_ACTOR_SENDER,
				.meaning = N_("the login may not send with this sender address"),
				.cause = N_(
					"the account that logged in does not own the sender address (smtpd_sender_login_maps)"),
				.fix = N_(
					"send with the account's own address, or enter the pair: postmap -q SENDER $(postconf -h smtpd_sender_login_maps)") },
			{ .text = "sender address rejected: not logged in|authentication required|not logged in|must authenticate|authentication is required|please authenticate|need to authenticate|authenticate first|smtp auth|log in first",
				.actor = MG_ACTOR_SENDER,
				.meaning = N_("a login is required"),
				.cause = N_("the client did not log in before sending"),
				.fix = N_(
					"switch on login in the mail program: port 587 with STARTTLS, user name and password") },
			{ .text = "access denied*sender address|sender address rejected",
				.side = MG_SIDE_REMOTE,
				.actor = MG_ACTOR_WE,
				.meaning = N_("their server does not take this sender address"),
				.cause = N_("a rule of their server refuses the sender address"),
				.fix = N_(
					"see that the sender's domain exists and accepts mail: dig MX %4; mailguardctl check dns.mx dns.spf") },
			{ .text = "sender address rejected",
				.actor = MG_ACTOR_SENDER,
				.meaning = N_("the sender address is refused"),
				.cause = N_(
					"a rule of this server refuses the sender address (smtpd_sender_restrictions or an access table)"),
				.fix = N_(
					"if it is wanted, look for the rule: postconf smtpd_sender_restrictions; postmap -q SENDER TABLE") },
			{ .text = "client host rejected",
				.side = MG_SIDE_OWN,
				.actor = MG_ACTOR_SENDER,
				.meaning = N_("this server refuses the client"),
				.cause = N_(
					"a rule of this server refuses the client's address or name (smtpd_client_restrictions or an access table)"),
				.fix = N_(
					"if it is wanted, look for the rule: postconf smtpd_client_restrictions; or let the client log in on port 587") },
			{ .text = "client host rejected",
				.actor = MG_ACTOR_WE,
				.meaning = N_("the server refuses this client"),
				.cause = N_("their server refuses this server's address or name by a rule of its own"),
				.fix = N_(
					"see: mailguardctl check dnsbl.self dns.ptr; then write to their postmaster naming %1"),
				.check = "dnsbl.self" },
			{ .text = "mail server's ip|mta reputation|bad reputation|poor reputation|your reputation",
				.actor = MG_ACTOR_WE,
				.meaning = N_("refused for the reputation of this server"),
				.cause = N_("the receiver has seen spam from this address, or knows it too little"),
				.fix = N_(
					"stop what sends spam (mailguardctl check account.rate host.sendmail), then write to their postmaster naming %1"),
				.check = "dnsbl.self" },
			{ .text = "server configuration error|server configuration problem",
				.side = MG_SIDE_REMOTE,
				.actor = MG_ACTOR_RECIPIENT,
				.cause = N_("their server is misconfigured"),
				.fix = N_("wait; if it stays so for a day, tell their postmaster") },
			{ .text = "server configuration error|server configuration problem",
				.actor = MG_ACTOR_WE,
				.meaning = N_("this server's configuration is broken"),
				.cause = N_(
					"a restriction of smtpd can't be evaluated: a misspelt word, a table that is not there, or a policy service that does not answer"),
				.fix = N_(
					"see which: mailguardctl check config.smtpd.451; postfix check; journalctl -u postfix -g 'fatal|warning'"),
				.check = "config.smtpd.451",
				.permanence = MG_PERMANENCE_TEMPORARY },
			{ .text = "temporary lookup failure|temporary lookup error|lookup failure",
				.side = MG_SIDE_REMOTE,
				.actor = MG_ACTOR_RECIPIENT,
				.cause = N_("a table or database of their server does not answer"),
				.fix = N_("wait; if it stays so for a day, tell their postmaster") },
			{ .text = "temporary lookup failure|temporary lookup error|table lookup|lookup failure|lookup error|unavailable. */maps",
				.actor = MG_ACTOR_WE,
				.meaning = N_("a look-up table did not answer"),
				.cause = N_(
					"a table of this server (a file, SQL, LDAP) can't be read: not made with postmap, database down, wrong rights"),
				.fix = N_(
					"see which: journalctl -u postfix -g 'warning|error'; mailguardctl check config.smtpd.451; then postmap TABLE or start the database"),
				.check = "config.smtpd.451",
				.permanence = MG_PERMANENCE_TEMPORARY },
			{ .text = "service unavailable - try again later|milter|content filter",
				.code = "4",
				.side = MG_SIDE_OWN,
				.actor = MG_ACTOR_WE,
				.meaning = N_("a filter (milter) does not answer"),
				.cause = N_(
					"a milter that Postfix asks is down, too slow or refused to work, and its default action puts mail off"),
				.fix = N_(
					"see which one: postconf smtpd_milters; journalctl -u postfix -g milter; systemctl status mailguard; mailguardctl check wiring.milter self.milter"),
				.check = "self.milter" },
			{ .code = "451",
				.enhanced = "4.7.1",
				.text = "service unavailable - try again later",
				.actor = MG_ACTOR_WE,
				.meaning = N_("a filter (milter) does not answer"),
				.cause = N_(
					"a milter that Postfix asks is down, too slow or refused to work, and its default action puts mail off"),
				.fix = N_(
					"see which one: postconf smtpd_milters; journalctl -u postfix -g milter; systemctl status mailguard; mailguardctl check wiring.milter self.milter"),
				.check = "self.milter" },
			{ .text = "too many errors|too many unknown commands|too many bad commands", .actor = MG_ACTOR_SENDER, .meaning = N_("the client made too many errors and was cut off"), .cause = N_("the client sent too many wrong commands or unknown recipients in one session (smtpd_hard_error_limit): a guesser, or a broken program"), .fix = N_("nothing, if it is a stranger: mailguardctl ban add ADDRESS --for 1d; else mend the client's list of recipients"), .check = "limit.smtpd" },
			{ .text = "error: timeout exceeded|timeout exceeded",
				.actor = MG_ACTOR_NOBODY,
				.meaning = N_("a time limit passed without a word from the other side"),
				.cause =
					N_("the client was silent for too long: a broken line, or a server in trouble"),
				.fix = N_(
					"nothing, if it is rare; else look at the network and at the path's packet size (MTU)") },
			{
				.text = "data command rejected: improper use|improper use of smtp command pipelining|protocol error|pregreet|bare newline",
				.actor = MG_ACTOR_SENDER,
				.meaning = N_("the client broke the SMTP protocol"),
				.cause = N_(
					"the client talked before its turn or ended lines wrongly, as spam programs do"),
				.fix = N_("nothing, if it is spam; else let its author mend the program"),
			},
			{ .text = "all screening tests|service currently unavailable|pass this test",
				.side = MG_SIDE_OWN,
				.actor = MG_ACTOR_NOBODY,
				.meaning = N_("postscreen put a new client off"),
				.cause = N_("postscreen's deep tests ask a new client to come back once"),
				.fix = N_(
					"wait; it passes at its next attempt; the tests: postconf -n | grep postscreen") },
			{ .text = "message rejected*header|header error|body error|blocked by header|message content rejected",
				.side = MG_SIDE_OWN,
				.actor = MG_ACTOR_SENDER,
				.meaning = N_("a header or body rule of this server refused the message"),
				.cause = N_("header_checks or body_checks of this server match the message"),
				.fix = N_(
					"if it is wanted, look for the rule: postconf header_checks body_checks mime_header_checks") },
			{ .text = "bad recipient address syntax|bad sender address syntax|bad address syntax|syntax: mail from|syntax: rcpt to|address syntax",
				.actor = MG_ACTOR_SENDER,
				.meaning = N_("the address is malformed"),
				.cause = N_(
					"the address is malformed: a blank, a missing @ or bracket, a stray character"),
				.fix = N_("correct the address"),
				.permanence = MG_PERMANENCE_PERMANENT },
			{ .text = "need fully-qualified address",
				.actor = MG_ACTOR_SENDER,
				.meaning = N_("the address has no full domain"),
				.cause = N_("the address has no domain, or one without a dot"),
				.fix = N_("write the whole address with its domain") },
			{ .text = "must be sent over tls|no mechanism available|sasl authentication failed; |sasl mechanism",
				.side = MG_SIDE_REMOTE,
				.actor = MG_ACTOR_WE,
				.meaning = N_("this server could not log in at the next server"),
				.cause = N_(
					"the smarthost refused the login: user name or password in smtp_sasl_password_maps is wrong, or a SASL module is missing"),
				.fix = N_(
					"correct the password and make the table anew: postmap $(postconf -h smtp_sasl_password_maps); apt-get install libsasl2-modules"),
				.check = "sasl.config" },
			{ .text = "temporary authentication failure|internal authentication error|authentication server|auth server",
				.actor = MG_ACTOR_WE,
				.meaning = N_("the login service does not work at the moment"),
				.cause = N_("Dovecot's auth service does not answer, or its user database is down"),
				.fix = N_(
					"see that it runs: doveadm auth test USER; journalctl -u dovecot -g auth; ls -l /var/spool/postfix/private/auth"),
				.check = "sasl.config" },
			{ .text = "authentication failed|authentication failure|authentication unsuccessful|invalid credentials|bad credentials|username and password not accepted|credentials invalid|incorrect authentication|invalid login|password*incorrect|wrong password|login failed|authentication credentials invalid|invalid user or password",
				.actor = MG_ACTOR_SENDER,
				.meaning = N_("the login failed"),
				.cause = N_(
					"user name or password is wrong, or the account needs an app password; from many addresses it is somebody guessing"),
				.fix = N_(
					"correct the credentials in the mail program; try them: doveadm auth test USER; guessers: mailguardctl check sasl.failures"),
				.check = "sasl.failures",
				.permanence = MG_PERMANENCE_PERMANENT },

			/* the SMTP client */
			{ .text = "delivery temporarily suspended: connect*connection refused|connection refused",
				.actor = MG_ACTOR_RECIPIENT,
				.meaning = N_("the connection was refused"),
				.cause = N_(
					"connection refused: the host is there but nothing listens on that port: their server is down, or the port or MX is wrong"),
				.fix = N_(
					"try by hand: nc -vz %2; wait; if it is a server of ours, start it: ss -tlnp"),
				.permanence = MG_PERMANENCE_TEMPORARY },
			{ .text = "connection timed out|timed out while receiving the initial|connect*timed out|operation timed out",
				.actor = MG_ACTOR_RECIPIENT,
				.meaning = N_("the host did not answer in time"),
				.cause = N_(
					"the connection timed out: their server is down or a firewall drops the packets; if all destinations fail so, the hosting provider blocks port 25 for this server"),
				.fix = N_(
					"try by hand: nc -vz %2; see whether everything fails: mailguardctl check firewall.outbound25; then ask the hosting provider to open port 25, or use a smarthost: postconf -e 'relayhost=[smarthost]:587'"),
				.check = "firewall.outbound25",
				.permanence = MG_PERMANENCE_TEMPORARY },
			{ .text = "no route to host|network is unreachable|network unreachable|host is unreachable|host unreachable|address family not supported",
				.actor = MG_ACTOR_WE,
				.meaning = N_("there is no way through the network"),
				.cause = N_(
					"no route: this server has no way to that address, often because it has no IPv6 or lost its default route"),
				.fix = N_(
					"look: ip route; ip -6 route; mailguardctl check net.reach; without IPv6: postconf -e inet_protocols=ipv4 && systemctl restart postfix"),
				.check = "net.reach",
				.permanence = MG_PERMANENCE_TEMPORARY },
			{ .text = "host not found, try again|name service error*try again|temporary failure in name resolution|name service error*server fail|dns*timeout|dns lookup*fail",
				.actor = MG_ACTOR_WE,
				.meaning = N_("DNS did not answer"),
				.cause = N_(
					"the domain could not be looked up now: the resolver of this server or the domain's own name servers don't answer"),
				.fix = N_(
					"test the resolver: mailguardctl check dns.resolver; dig MX %4; cat /etc/resolv.conf"),
				.check = "dns.resolver",
				.permanence = MG_PERMANENCE_TEMPORARY },
			{ .text = "host or domain name not found|host not found|name service error|domain not found|no such domain|domain does not exist|nxdomain|unrouteable|unroutable address|all relevant mx records|domain*not exist|unable to look up host|unresolvable|no mx", .actor = MG_ACTOR_SENDER, .meaning = N_("the domain was not found in DNS"), .cause = N_("the domain behind the @ does not exist in DNS or has no mail server: it is misspelt or expired"), .fix = N_("correct the domain; look: dig +short MX %4; if many domains fail so: mailguardctl check dns.resolver"), .check = "dns.resolver", .permanence = MG_PERMANENCE_PERMANENT },
			{ .text = "server certificate not verified|server certificate not trusted|certificate not verified|certificate verification failed|untrusted issuer|certificate has expired|self-signed certificate|self signed certificate|unable to get local issuer|certificate verify failed",
				.actor = MG_ACTOR_RECIPIENT,
				.meaning = N_("the next server's TLS certificate can't be trusted"),
				.cause = N_(
					"this server demands a verified certificate there, and theirs has expired, has another name or an unknown issuer"),
				.fix = N_(
					"look at it: openssl s_client -starttls smtp -connect %3 -verify_return_error; tell their postmaster; to let this domain go: an entry \"DOMAIN may\" in smtp_tls_policy_maps"),
				.permanence = MG_PERMANENCE_TEMPORARY },
			{ .text = "refused to talk to me",
				.actor = MG_ACTOR_WE,
				.meaning = N_("the server turned this server away at the greeting"),
				.cause = N_(
					"their server refuses to talk to this address: a block list, missing reverse DNS, too many connections, or it is closing"),
				.fix = N_("read the words; see: mailguardctl check dnsbl.self dns.ptr"),
				.check = "dnsbl.self",
				.permanence = MG_PERMANENCE_TEMPORARY },
			{ .text = "lost connection with|connection closed unexpectedly|server dropped connection|connection reset by peer|broken pipe|lost connection|connection lost|connection dropped|remote host closed|unexpectedly closed",
				.actor = MG_ACTOR_RECIPIENT,
				.meaning = N_("the connection was lost"),
				.cause = N_(
					"the connection was lost in the middle: their server or a firewall between dropped it"),
				.fix = N_(
					"wait; if it is always this host and after DATA, try smaller packets (MTU) and: smtp_discard_ehlo_keywords=pipelining"),
				.permanence = MG_PERMANENCE_TEMPORARY },
			{ .text = "conversation with*timed out|timed out while|timed out",
				.actor = MG_ACTOR_RECIPIENT,
				.meaning = N_("the other side fell silent"),
				.cause = N_(
					"the conversation timed out: their server is overloaded or checks for too long, or large packets get lost on the way (MTU)"),
				.fix = N_(
					"wait; if it is always at the end of DATA, try a smaller MTU: ip link set dev eth0 mtu 1400"),
				.permanence = MG_PERMANENCE_TEMPORARY },
			{ .text = "delivery temporarily suspended",
				.actor = MG_ACTOR_RECIPIENT,
				.meaning = N_("Postfix rests this destination for a while"),
				.cause = N_(
					"earlier attempts failed, so Postfix leaves this destination alone for some minutes; the words behind say why"),
				.fix = N_("mend what the words name; then try at once: postqueue -f"),
				.permanence = MG_PERMANENCE_TEMPORARY },
			{ .text = "unknown mail transport error|mail transport unavailable|bad transport type",
				.actor = MG_ACTOR_WE,
				.meaning = N_("a delivery program of Postfix does not work"),
				.cause = N_("the delivery agent for this mail died or is missing in master.cf"),
				.fix = N_(
					"see why it died: journalctl -u postfix -g 'fatal|panic|warning'; postconf -M; postfix check"),
				.check = "log.errors",
				.permanence = MG_PERMANENCE_TEMPORARY },
			{ .text = "lmtp*connection refused|dovecot-lmtp*no such file|private/*no such file or directory",
				.actor = MG_ACTOR_WE,
				.meaning = N_("the local mailbox server is not there"),
				.cause = N_(
					"the socket of the delivery service does not exist: Dovecot's LMTP is down, or its socket lies elsewhere"),
				.fix = N_(
					"start it: systemctl start dovecot; ls -l /var/spool/postfix/private/dovecot-lmtp; doveconf -n service/lmtp"),
				.check = "dovecot.sockets",
				.permanence = MG_PERMANENCE_TEMPORARY },
			{ .text = "recipient address rejected: user unknown|user unknown|no such user|unknown user|user*not found|mailbox not found|does not exist|doesn't exist|no such recipient|invalid recipient|recipient not found|unknown recipient|recipient unknown|no mailbox|mailbox unavailable|no such mailbox|unknown address|address rejected|address unknown|not our customer|recipient rejected|mailbox does not|invalid mailbox|no such address|user unavailable|unknown or illegal alias|recipientnotfound|user doesn't|account*not exist|not a valid user|unknown local|is not a known user|user invalid",
				.code = "5",
				.actor = MG_ACTOR_SENDER,
				.meaning = N_("there is no such mailbox"),
				.cause = N_("the mailbox does not exist: the address is misspelt or the user is gone"),
				.fix = N_(
					"correct the address; take it off mailing lists, since many unknown users cost reputation") },
			{ .text = "user unknown|unknown user|no such user|user doesn't exist|unknown recipient",
				.enhanced = "5.1.1",
				.actor = MG_ACTOR_SENDER,
				.meaning = N_("there is no such mailbox"),
				.cause = N_("the mailbox does not exist: the address is misspelt or the user is gone"),
				.fix = N_(
					"correct the address; if it should exist here: postmap -q USER@DOMAIN $(postconf -h virtual_mailbox_maps); doveadm user USER@DOMAIN") },
			{ .text = "account*disabled|account is inactive|mailbox disabled|account has been|account*suspended|mailbox is disabled|mailbox*inactive|account inactive|user*disabled|account*locked|mailbox locked|address no longer|no longer available|no longer valid|no longer active|account closed",
				.actor = MG_ACTOR_RECIPIENT,
				.meaning = N_("the mailbox is disabled or closed"),
				.cause = N_("the account is disabled, suspended or closed"),
				.fix = N_("reach the recipient by other means; take the address off mailing lists") },
			{ .text = "maildir delivery failed|cannot update mailbox|cannot create|permission denied|cannot open mailbox|can't create user output file|unable to lock|mailbox lock",
				.actor = MG_ACTOR_WE,
				.meaning = N_("this server can't write to the mailbox"),
				.cause = N_(
					"the mailbox can't be written: wrong owner or rights, a missing directory, or a full disk"),
				.fix = N_(
					"look: ls -ld the directory that the words name; df -h; chown it to the mailbox's user"),
				.check = "disk.mailbox",
				.permanence = MG_PERMANENCE_TEMPORARY },
			{ .text = "internal error occurred|temporary internal error|internal server error|internal error",
				.side = MG_SIDE_OWN,
				.actor = MG_ACTOR_WE,
				.meaning = N_("Dovecot could not save the message"),
				.cause = N_(
					"Dovecot's LMTP failed: rights, a missing user database, a full disk, or a broken index"),
				.fix = N_(
					"see why: journalctl -u dovecot -g 'Error|Fatal'; doveadm log errors; doveadm user USER@DOMAIN"),
				.check = "disk.mailbox" },
			{ .text = "command died with|command time limit exceeded|command output|command line usage",
				.actor = MG_ACTOR_WE,
				.meaning = N_("a program that the mail is piped to failed"),
				.cause = N_("the program of a pipe transport, alias or .forward ended with an error"),
				.fix = N_(
					"run it by hand as its user and read its error; it stands in master.cf or the alias: postconf -M; postalias -q NAME $(postconf -h alias_maps)") },
			{ .text = "unreasonable virtual_alias_maps|alias expansion|alias database|aliases*loop",
				.actor = MG_ACTOR_WE,
				.meaning = N_("an alias expands without end or can't be read"),
				.cause = N_("aliases point to each other, or their table is out of date"),
				.fix = N_("look: postmap -q ADDRESS $(postconf -h virtual_alias_maps); newaliases") },
			{ .text = "message has been returned|status=expired|status=force-expired|returned to sender|retry timeout exceeded|delivery time expired|message expired|retry time not reached|could not be delivered for|delayed*give up",
				.actor = MG_ACTOR_SENDER,
				.meaning = N_("the time for delivering the message ran out"),
				.cause = N_(
					"all attempts failed until maximal_queue_lifetime (5 days) was over, so the message expired and went back to the sender"),
				.fix = N_(
					"see why the earlier attempts failed: mailguardctl trace QUEUEID; mend that, then send it again"),
				.check = "queue.reasons",
				.permanence = MG_PERMANENCE_PERMANENT },
			{ .text = "smtputf8|non-ascii|internationalized|utf-8",
				.actor = MG_ACTOR_SENDER,
				.meaning = N_(
					"the address has letters beyond ASCII, which the server does not take (SMTPUTF8)"),
				.cause = N_("the message needs SMTPUTF8, which the next server does not offer"),
				.fix = N_("use an address in ASCII; see: postconf smtputf8_enable") },
			{ .text = "duplicate message|message-id*missing|missing header|bad header|invalid header|multiple*from header|malformed|not rfc|rfc5322|rfc 5322|line too long|lines*too long",
				.actor = MG_ACTOR_SENDER,
				.meaning = N_("the message is malformed"),
				.cause = N_(
					"the message breaks the rules for mail (RFC 5322): a header is missing, doubled or too long"),
				.fix = N_("correct the program that writes the mail") },
			{ .text = "not accepting*messages|system not accepting|service not available|service unavailable|server busy|too busy|try again later|try later|overload|system load|temporarily deferred|temporarily rejected|resources temporarily|temporary failure|temporarily unavailable",
				.code = "4",
				.actor = MG_ACTOR_NOBODY,
				.cause = N_("the server is busy, shutting down, or puts strangers off (greylisting)"),
				.fix = N_("wait; if it stays so for hours, ask their postmaster") },
			{ .text = "access denied|administrative prohibition|administratively denied|prohibited|not authorized|not permitted|policy|blocked|banned|rejected due to|denied",
				.code = "5",
				.actor = MG_ACTOR_WE,
				.meaning = N_("refused by the policy of the receiver"),
				.cause = N_(
					"a rule of the receiving server refuses this sender, this server or this content; the words may say which"),
				.fix = N_(
					"see: mailguardctl check dnsbl.self dns.ptr dns.spf dns.dkim; then ask their postmaster, quoting the words"),
				.check = "dnsbl.self" },
		};
const size_t mg_rows_own_postfix_count = MG_ROWS_COUNT(mg_rows_own_postfix);
