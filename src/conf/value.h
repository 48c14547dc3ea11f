/* value.h - the values of a snapshot, reached through their rows.
 *
 * `base` is the struct mg_conf, or a table's item for the table's fields.
 *
 * Threads: one owner. */
#ifndef MG_CONF_VALUE_H
#define MG_CONF_VALUE_H

#include "conf/conf.h"
#include "conf/settings.h"

/* The row behind `row` and, if that is a table, behind its fields. */
const struct mg_setting *mg_value_next(const struct mg_setting *row);

/* Gives back what the value holds and leaves it empty. Not for tables within tables, of which there are none. */
void mg_value_fini(const struct mg_setting *row, void *base);

/* One item of a table, of all that its fields hold. */
void mg_value_fini_item(const struct mg_setting *table_row, void *item);

void mg_strings_fini(struct mg_strings *strings);

#endif
