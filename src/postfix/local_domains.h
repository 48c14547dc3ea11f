/* local_domains.h - the domains that Postfix holds for its own, one by one: $myorigin, mydestination, virtual_mailbox_domains and
 * virtual_alias_domains, as far as their files and tables can be enumerated. relay_domains are others'.
 *
 * Threads: safe from any; blocks on files and on postmap (lookup_table.h). */
#ifndef MG_POSTFIX_LOCAL_DOMAINS_H
#define MG_POSTFIX_LOCAL_DOMAINS_H

#include "postfix/postconf.h"

/* Calls `take` for each, as written, perhaps more than once. */
void mg_local_domains_each(
	const struct mg_postfix *postfix, void (*take)(void *context, struct mg_str domain), void *context);

#endif
