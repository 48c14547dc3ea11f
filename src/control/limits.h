/* limits.h - the methods limits.list, limits.show and limits.reset.
 *
 * Internal to control/. Threads: the loop's; their work runs on the jobs' thread. */
#ifndef MG_CONTROL_LIMITS_H
#define MG_CONTROL_LIMITS_H

#include "control/call.h"

bool mg_rpc_limits_list(struct mg_call *call);
bool mg_rpc_limits_show(struct mg_call *call);
bool mg_rpc_limits_reset(struct mg_call *call);

#endif
