/* domains.h - which recipient domains Postfix is responsible for, and which clients it trusts: an immutable snapshot.
 *
 * Made from the effective configuration: mydestination, virtual_alias_domains, virtual_mailbox_domains, relay_domains
 * (with parent matching where parent_domain_matches_subdomains says so), own address literals, and trust.h. Lists may name files
 * ("/path") and tables ("type:name"): what can't be enumerated makes a domain that no list names MG_DOMAIN_UNKNOWN instead of foreign,
 * until it is asked for.
 *
 * Threads: a snapshot never changes; ref and unref are safe from any thread. Loading and asking block on files and postmap. */
#ifndef MG_POSTFIX_DOMAINS_H
#define MG_POSTFIX_DOMAINS_H

#include "base/ip.h"
#include "conf/conf.h"
#include "postfix/postconf.h"
#include "postfix/trust.h"

enum { MG_DOMAINS_MAX = 1000000 };

enum mg_domain_class { MG_DOMAIN_UNKNOWN, MG_DOMAIN_OURS, MG_DOMAIN_FOREIGN };

struct mg_domains;

MG_MUSTCHECK
enum mg_rc mg_domains_load(const struct mg_postfix *postfix, const struct mg_strings *trusted,
	const struct mg_domains **domains_out, struct mg_err *err);
const struct mg_domains *mg_domains_ref(const struct mg_domains *domains);
void mg_domains_unref(const struct mg_domains **domains); /* sets it to NULL; NULL in it is fine */

/* The class of a recipient's domain; an empty one is ours ($myorigin). `domains` NULL: unknown. */
enum mg_domain_class mg_domains_class(const struct mg_domains *domains, struct mg_str domain);

/* The same with the tables asked that could not be enumerated; UNKNOWN: one of them did not answer. Blocks, at most `timeout_ms` a
 * question. */
enum mg_domain_class mg_domains_ask(const struct mg_domains *domains, struct mg_str domain, int timeout_ms);

/* Who may relay; NULL where nothing is known (`domains` NULL). */
const struct mg_trust *mg_domains_trust(const struct mg_domains *domains);
/* Surely trusted (trust.h). Loopback is told apart by the caller. */
bool mg_domains_trusts(const struct mg_domains *domains, const struct mg_ip *client);

/* permit_mx_backup is in force somewhere: a domain whose MX names this host is ours to take. */
bool mg_domains_has_mx_backup(const struct mg_domains *domains);
/* smtpd_relay_before_recipient_restrictions: what asks from smtpd_recipient_restrictions asks after the relay test. */
bool mg_domains_is_relay_first(const struct mg_domains *domains);
/* Nobody changed main.cf, master.cf or a file they name since this was made. A few calls of stat(2). */
bool mg_domains_is_fresh(const struct mg_domains *domains);

/* Another number for every snapshot that was ever made. */
uint64_t mg_domains_serial(const struct mg_domains *domains);

/* Postfix's myhostname; "" unknown. */
const char *mg_domains_hostname(const struct mg_domains *domains);

#endif
