/* relay_access.h - how an access table is asked about a client, and what comes of it: the keys in smtpd's order.
 *
 * Threads: the owner's of the tables. */
#ifndef MG_POSTFIX_RELAY_ACCESS_H
#define MG_POSTFIX_RELAY_ACCESS_H

#include "postfix/relay_model.h"

/* What `table` says in a restriction of that kind (MG_RELAY_CLIENT ... MG_RELAY_CERT). */
enum mg_table_found mg_relay_access(const struct mg_relay_model *model, enum mg_relay_op op, struct mg_table *table,
	const struct mg_relay_client *client, struct mg_str *value_out);

/* The parts of it, for one choice alone. */
enum mg_table_found mg_relay_access_name(
	const struct mg_relay_model *model, struct mg_table *table, struct mg_str name, struct mg_str *value_out);
enum mg_table_found mg_relay_access_address(
	const struct mg_relay_model *model, struct mg_table *table, struct mg_str address, struct mg_str *value_out);
enum mg_table_found mg_relay_access_mail(
	const struct mg_relay_model *model, struct mg_table *table, struct mg_str address, struct mg_str *value_out);

#endif
