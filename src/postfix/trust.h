/* trust.h - which clients may relay without a login, as far as the configuration deserves belief.
 *
 * Trusted are: relay.trusted, this machine's own addresses, mynetworks entries no wider than /16 (IPv4) or /32 (IPv6), private ones
 * (RFC 1918, 4193, link-local) of any width, equally narrow address keys that a check_client_access table permits, and client
 * certificates that Postfix itself permits by. What permits the whole world is what the relay guard is there to stop. Loopback is told
 * apart by the caller.
 *
 * Threads: never changes once made; only mg_trust_ask_client() blocks. */
#ifndef MG_POSTFIX_TRUST_H
#define MG_POSTFIX_TRUST_H

#include "base/ip.h"
#include "conf/conf.h"
#include "postfix/postconf.h"
#include "postfix/watch.h"

struct mg_trust;

enum mg_trusted { MG_TRUST_NO, MG_TRUST_YES, MG_TRUST_DOUBT };

/* NULL: no memory. Reads tables and files, and has them watched. */
struct mg_trust *mg_trust_new(
	const struct mg_postfix *postfix, const struct mg_strings *trusted, struct mg_watch *watch);
void mg_trust_free(struct mg_trust **trust);

/* DOUBT: a table that can't be listed may name it. */
enum mg_trusted mg_trust_client(const struct mg_trust *trust, const struct mg_ip *client);
/* The same with those tables asked, also about addresses elsewhere: a table that permits them too permits the world, and counts for
 * nothing. Blocks on postmap, at most `timeout_ms` a question. */
enum mg_trusted mg_trust_ask_client(const struct mg_trust *trust, const struct mg_ip *client, int timeout_ms);

/* What is known of the client's certificate. */
struct mg_certificate {
	bool is_tls;                                /* the session is encrypted at all */
	bool is_verified;                           /* Postfix verified it */
	bool knows_fingerprints;                    /* policy tells them, the milter doesn't */
	struct mg_str fingerprint, key_fingerprint; /* "AB:CD:..." */
};
enum mg_trusted mg_trust_certificate(const struct mg_trust *trust, const struct mg_certificate *certificate);

/* Whether it may speak for another client (smtpd_authorized_xclient_hosts, narrow entries): a trusted client may, too. */
bool mg_trust_proxy(const struct mg_trust *trust, const struct mg_ip *client);

bool mg_trust_is_own(
	const struct mg_trust *trust, const struct mg_ip *ip); /* an address of this machine, or of proxy_interfaces */

#endif
