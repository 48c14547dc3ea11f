#include "guard/plan.h"

#include "guard/account.h"
#include "guard/ban.h"
#include "guard/greylist.h"
#include "guard/memory_store.h"
#include "guard/seen.h"

struct mg_state_plan mg_guard_plan(size_t max_keys)
{
	return (struct mg_state_plan){
		.shape = { [MG_STATE_LIMITS] = &mg_limit_rows,
			[MG_STATE_SEEN] = &mg_seen_rows,
			[MG_STATE_ACCOUNTS] = &mg_account_rows,
			[MG_STATE_GREYLIST] = &mg_greylist_rows,
			[MG_STATE_BANS] = &mg_ban_rows },
		.rows = { [MG_STATE_LIMITS] = max_keys,
			[MG_STATE_SEEN] = max_keys,
			[MG_STATE_ACCOUNTS] = max_keys / 16 + 64,
			[MG_STATE_GREYLIST] = max_keys / 2 + 64,
			[MG_STATE_BANS] = MG_BANS + MG_BANS / 4 },
	};
}
