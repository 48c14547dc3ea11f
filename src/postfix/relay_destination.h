/* relay_destination.h - what a recipient's domain is to Postfix: its own, one that it relays for, or anybody's.
 *
 * trivial-rewrite decides that for all services alike: main.cf alone counts, no override of master.cf.
 *
 * Threads: the owner's of the tables. */
#ifndef MG_POSTFIX_RELAY_DESTINATION_H
#define MG_POSTFIX_RELAY_DESTINATION_H

#include "postfix/relay_maps.h"
#include "postfix/relay_match.h"

enum mg_relay_class {
	MG_RELAY_CLASS_FINAL, /* mydestination, virtual_alias_domains, virtual_mailbox_domains */
	MG_RELAY_CLASS_RELAY, /* relay_domains */
	MG_RELAY_CLASS_FOREIGN,
	MG_RELAY_CLASS_DOUBT,  /* foreign, if relay_domains doesn't hold it, which can't be known */
	MG_RELAY_CLASS_BROKEN, /* every recipient is put off */
};

struct mg_relay_destination {
	struct mg_tables *tables;
	struct mg_match_list local, alias, mailbox, relay;
	struct mg_relay_maps recipients; /* relay_recipient_maps */
	bool refuses_unlisted;
	bool is_dead_end;         /* what is foreign is delivered to nobody: default_transport = error: or discard: */
	struct mg_str own_domain; /* a domain of ours, to write addresses in; "" none */
};

void mg_relay_destination_load(struct mg_relay_destination *destination, struct mg_tables *tables,
	struct mg_arena *arena, const struct mg_postfix *postfix);

enum mg_relay_class mg_relay_destination_class(const struct mg_relay_destination *destination, struct mg_str domain,
	const struct mg_match_pattern **which_out);

/* Whether a domain is one of ours or lies below one that is: nobody else can name his client so. */
bool mg_relay_destination_is_own(const struct mg_relay_destination *destination, struct mg_str domain);

/* Whether parent_domain_matches_subdomains names the list. */
bool mg_relay_matches_parents(
	const struct mg_postfix *postfix, const struct mg_postfix_service *service, const char *list);

#endif
