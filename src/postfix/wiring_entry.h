/* wiring_entry.h - one master.cf entry on one line, as postconf -M prints it: changing the value of an -o option.
 *
 * Threads: pure. */
#ifndef MG_POSTFIX_WIRING_ENTRY_H
#define MG_POSTFIX_WIRING_ENTRY_H

#include "base/buf.h"

/* Gives the last "-o parameter=..." of `entry` the value `value`, in braces where it holds white space. False when there
 * is none, or the entry would grow too large. */
bool mg_entry_set(struct mg_buf *entry, const char *parameter, const char *value);

#endif
