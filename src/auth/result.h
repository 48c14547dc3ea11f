/* result.h - the result words of RFC 8601 section 2.7, shared by all methods.
 *
 * Threads: pure. */
#ifndef MG_AUTH_RESULT_H
#define MG_AUTH_RESULT_H

#include "base/str.h"

enum mg_result {
	MG_RESULT_UNSET, /* not evaluated: "" */
	MG_RESULT_NONE,
	MG_RESULT_PASS,
	MG_RESULT_FAIL,
	MG_RESULT_SOFTFAIL,
	MG_RESULT_NEUTRAL,
	MG_RESULT_POLICY,
	MG_RESULT_TEMPERROR,
	MG_RESULT_PERMERROR,
	MG_RESULTS,
};
const char *mg_result_name(enum mg_result result);
enum mg_result mg_result_of(struct mg_str name); /* MG_RESULTS: no such word */

#endif
