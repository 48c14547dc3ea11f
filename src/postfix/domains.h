/* domains.h - which recipient domains Postfix is responsible for, and which clients it trusts: an immutable snapshot.
 *
 * Made from the effective configuration: mydestination, virtual_alias_domains, virtual_mailbox_domains, relay_domains
 * (with parent matching where parent_domain_matches_subdomains says so), own address literals, mynetworks. Lists may
 * name files ("/path") and tables ("type:name"): texthash and the like are enumerated by `postmap -s`; a table that
 * can't be enumerated makes a domain that no list names MG_DOMAIN_UNKNOWN instead of foreign.
 *
 * Threads: a snapshot never changes; ref and unref are safe from any thread. Loading blocks on
 * `postmap -s`, at most MG_DOMAINS_TABLE_MS a table. */
#ifndef MG_POSTFIX_DOMAINS_H
#define MG_POSTFIX_DOMAINS_H

#include "base/ip.h"
#include "conf/conf.h"
#include "postfix/postconf.h"

enum { MG_DOMAINS_TABLE_MS = 5000, MG_DOMAINS_MAX = 1000000 };

enum mg_domain_class { MG_DOMAIN_UNKNOWN, MG_DOMAIN_OURS, MG_DOMAIN_FOREIGN };

struct mg_domains;

MG_MUSTCHECK
enum mg_rc mg_domains_load(const struct mg_postfix *postfix, const struct mg_strings *trusted,
	const struct mg_domains **domains_out, struct mg_err *err);
const struct mg_domains *mg_domains_ref(const struct mg_domains *domains);
void mg_domains_unref(const struct mg_domains **domains); /* sets it to NULL; NULL in it is fine */

/* The class of a recipient's domain; an empty one is ours ($myorigin). `domains` NULL: unknown. */
enum mg_domain_class mg_domains_class(const struct mg_domains *domains, struct mg_str domain);

/* Trusted as DESIGN says: relay.trusted, own addresses, mynetworks entries no wider than /16 (IPv4) or /32 (IPv6),
 * private ones of any width. Loopback is told apart by the caller. */
bool mg_domains_trusts(const struct mg_domains *domains, const struct mg_ip *client);

/* Postfix's myhostname; "" unknown. */
const char *mg_domains_hostname(const struct mg_domains *domains);

#endif
