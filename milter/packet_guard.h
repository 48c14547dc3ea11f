/* packet_guard.h - refuses milter packets that libmilter itself can't bear.
 *
 * Threads: libmilter's. */
#ifndef MG_MILTER_PACKET_GUARD_H
#define MG_MILTER_PACKET_GUARD_H

#include <sys/time.h>

#include "base/str.h"

/* Whether the body of a macro packet (behind its command byte) holds a stage and whole pairs of strings. */
bool mg_macro_packet_is_sound(struct mg_str packet);

/* libmilter's reader of packets, fenced; called by libmilter. */
char *mi_rd_cmd(int socket, struct timeval *timeout, char *command, size_t *length, char *name);

#endif
