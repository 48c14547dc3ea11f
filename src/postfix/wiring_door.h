/* wiring_door.h - one of our sockets, however main.cf writes it.
 *
 * Postfix resolves a unix path that isn't absolute below its queue directory; a chrooted service sees the queue directory
 * as "/". So one socket has several right names, and some that look right but can't be reached.
 *
 * Threads: pure. */
#ifndef MG_POSTFIX_WIRING_DOOR_H
#define MG_POSTFIX_WIRING_DOOR_H

#include "postfix/postconf.h"

enum mg_door_match {
	MG_DOOR_OTHER,       /* somebody else's */
	MG_DOOR_OURS,        /* ours, and reachable from this service */
	MG_DOOR_UNREACHABLE, /* ours by its name, but not from inside this service's chroot */
};

/* What `server` ("unix:x", "inet:localhost:9620", "inet:9620@localhost") is beside our `listen`. */
enum mg_door_match mg_door_match(struct mg_str server, const char *listen, const char *queue_directory, bool is_chroot);

/* How Postfix is to write `listen`, into `place`. False when a chrooted service can't reach it. */
bool mg_door_name(const char *listen, const char *queue_directory, bool is_chroot, char *place, size_t size);

/* An endpoint with attributes, "{ unix:x, default_action=accept }" or just "unix:x": the server, and an attribute's value
 * (empty when it isn't given). */
struct mg_str mg_door_server(struct mg_str word);
struct mg_str mg_door_attribute(struct mg_str word, struct mg_str name);

#endif
