#include "auth/result.h"

const char *mg_result_name(enum mg_result result)
{
	static const char *const names[MG_RESULTS] = { "", "none", "pass", "fail", "softfail", "neutral", "policy",
		"temperror", "permerror" };

	return names[result];
}
