#include "guard/plan.h"

#include "guard/account.h"
#include "guard/memory_store.h"
#include "guard/seen.h"

struct mg_state_plan mg_guard_plan(size_t max_keys)
{
	return (struct mg_state_plan){
		.shape = { [MG_STATE_LIMITS] = &mg_limit_rows,
			[MG_STATE_SEEN] = &mg_seen_rows,
			[MG_STATE_ACCOUNTS] = &mg_account_rows },
		.rows = { [MG_STATE_LIMITS] = max_keys,
			[MG_STATE_SEEN] = max_keys,
			[MG_STATE_ACCOUNTS] = max_keys / 16 + 64 },
	};
}
