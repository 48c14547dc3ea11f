/* ptr_name.h - is a machine's name one that its provider made up of its address? Big receivers take such names for those of
 * dial-up lines and hijacked machines.
 *
 * Threads: pure. */
#ifndef MG_HEALTH_PTR_NAME_H
#define MG_HEALTH_PTR_NAME_H

#include "base/ip.h"

/* The address stands in the name: three of its four numbers in a row, forward or backward, its eight hexadecimal digits, or its twelve
 * decimal ones; of IPv6 eight digits in a row, dashes not counted. */
bool mg_ptr_holds_address(struct mg_str name, const struct mg_ip *ip);

/* A word that providers use: "dynamic", "dsl", "pool"; or "host", "ip", "static", "client" with a number beside it. */
bool mg_ptr_has_provider_word(struct mg_str name);

#endif
