/* bans.h - the methods ban.list, ban.add and ban.remove.
 *
 * Internal to control/. Threads: the loop's; their work runs on the jobs' thread. */
#ifndef MG_CONTROL_BANS_H
#define MG_CONTROL_BANS_H

#include "control/call.h"

bool mg_rpc_ban_list(struct mg_call *call);
bool mg_rpc_ban_add(struct mg_call *call);
bool mg_rpc_ban_remove(struct mg_call *call);

#endif
