#include "auth/result.h"

static const char *const names[MG_RESULTS] = { "", "none", "pass", "fail", "softfail", "neutral", "policy", "temperror",
	"permerror" };

const char *mg_result_name(enum mg_result result)
{
	return names[result];
}

enum mg_result mg_result_of(struct mg_str name)
{
	enum mg_result result = MG_RESULT_UNSET;

	while (result < MG_RESULTS && !mg_str_eq(mg_str_z(names[result]), name))
		result++;
	return result;
}
