/* policy.h - front door 2: Postfix's policy delegation, on the main loop.
 *
 * Many requests per connection, at any restriction stage, unix and inet. A malformed or oversize request is logged and
 * its connection closed, as Postfix asks; it is never answered. The answers are "dunno", "reject", "defer_if_permit"
 * and "hold", never "OK".
 *
 * Threads: the loop's. */
#ifndef MG_POLICY_POLICY_H
#define MG_POLICY_POLICY_H

#include <event2/event.h>

#include "engine/engine.h"

enum {
	MG_POLICY_CONNECTIONS = 4096, /* more are closed at once: Postfix's default_action applies */
	MG_POLICY_REQUEST_S = 30,     /* a request begun must be whole within this time */
};

struct mg_policy;

/* `listen_fd` is listening and non-blocking; it stays the caller's. */
MG_MUSTCHECK
enum mg_rc mg_policy_start(struct event_base *base, int listen_fd, struct mg_engine *engine,
	struct mg_counters *counters, struct mg_policy **policy_out, struct mg_err *err);

/* Accepts no more, closes idle connections now and the others behind their answer. */
void mg_policy_drain(struct mg_policy *policy);
/* From any thread. */
unsigned mg_policy_connections(const struct mg_policy *policy);

void mg_policy_free(struct mg_policy **policy);

#endif
