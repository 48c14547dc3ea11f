/* probe.h - is the worker really answering? A milter negotiation and a policy request through the real sockets.
 *
 * libmilter can be alive and deaf, so health is proved end to end. A connection that is closed at once counts as an
 * answer (that is what an overloaded door does); silence and refusal do not. The engine never counts a probe.
 *
 * Threads: one at a time; never blocks. mg_probe_wait() does, to the deadline. */
#ifndef MG_HEALTH_PROBE_H
#define MG_HEALTH_PROBE_H

#include "base/fd.h"

enum { MG_PROBE_DEADLINE_MS = 5000 };

enum mg_probe_state { MG_PROBE_IDLE, MG_PROBE_WAITING, MG_PROBE_ALIVE, MG_PROBE_DEAD };

struct mg_probe {
	int fd; /* -1 when none is under way */
	enum mg_probe_state state;
	bool is_milter, is_sent;
	int64_t deadline_us;
};

/* Begins a probe of the milter's or the policy door's endpoint. */
void mg_probe_begin(struct mg_probe *probe, const struct mg_endpoint *endpoint, bool is_milter);

/* The poll(2) events it waits for. */
short mg_probe_events(const struct mg_probe *probe);

/* Goes on after poll (revents 0: only the deadline is looked at). ALIVE and DEAD are final; the descriptor is closed. */
enum mg_probe_state mg_probe_step(struct mg_probe *probe, short revents);
void mg_probe_cancel(struct mg_probe *probe);

#endif
