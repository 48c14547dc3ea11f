/* relay_maps.h - a parameter that lists lookup tables (relay_recipient_maps, smtpd_sender_login_maps ...), asked about mail
 * addresses.
 *
 * Threads: the owner's of the tables. */
#ifndef MG_POSTFIX_RELAY_MAPS_H
#define MG_POSTFIX_RELAY_MAPS_H

#include "postfix/postconf.h"
#include "postfix/relay_table.h"

enum { MG_RELAY_MAPS = 32 };

struct mg_relay_maps {
	struct mg_table *tables[MG_RELAY_MAPS];
	size_t count;
	bool is_doubtful; /* more of them, or an expansion that failed */
};

void mg_relay_maps_load(struct mg_relay_maps *maps, struct mg_tables *tables, const struct mg_postfix *postfix,
	const struct mg_postfix_service *service, const char *parameter);

/* As maps are asked about an address: user@domain, then @domain. */
enum mg_table_found mg_relay_maps_find_address(
	struct mg_tables *tables, const struct mg_relay_maps *maps, struct mg_str address, struct mg_str *value_out);

/* The same for one key. */
enum mg_table_found mg_relay_maps_find(
	struct mg_tables *tables, const struct mg_relay_maps *maps, struct mg_str key, struct mg_str *value_out);

#endif
