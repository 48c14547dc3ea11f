/* ports_mx.h - does somebody listen where the world brings our mail: on port 25 of what the MX records name?
 *
 * Threads: as checks. */
#ifndef MG_HEALTH_PORTS_MX_H
#define MG_HEALTH_PORTS_MX_H

#include "health/check.h"

/* Looks at the MX of every own domain that leads to an address of this machine's interfaces. `listens`: whether anybody listens on port 25 of
 * it. What DNS does not tell is passed over: that is other checks' business. */
void mg_ports_judge_mx(const struct mg_check_env *env, struct mg_finding *finding,
	bool (*listens)(void *context, const struct mg_ip *ip), void *context);

#endif
