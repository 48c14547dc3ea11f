/* wiring_planning.h - what planning to wire and planning to take out share.
 *
 * Threads: one owner. */
#ifndef MG_POSTFIX_WIRING_PLANNING_H
#define MG_POSTFIX_WIRING_PLANNING_H

#include "postfix/wiring.h"

struct mg_planning {
	const struct mg_postfix *postfix;
	const struct mg_wiring_doors *doors;
	struct mg_wiring_plan *plan;
	bool uses_check, uses_tap, uses_milter; /* some list names it in the end */
	struct mg_err *err;
};

enum mg_rc mg_planning_begin(struct mg_planning *planning, struct mg_wiring_plan **plan_out);
enum mg_rc mg_planning_finish(struct mg_planning *planning, enum mg_rc rc, struct mg_wiring_plan **plan_out);
enum mg_rc mg_planning_full(struct mg_planning *planning); /* the error: no room in the plan */

/* "main.cf" for NULL, "smtp/inet" and so on. */
const char *mg_planning_where(const struct mg_postfix_service *service);

/* A sentence the plan can't mend itself; said once. */
MG_PRINTF(2, 3)
void mg_planning_warn(struct mg_planning *planning, const char *fmt, ...);

/* before NULL: not set; after NULL: to be taken out. */
enum mg_rc mg_planning_edit(struct mg_planning *planning, const struct mg_postfix_service *service,
	const char *parameter, const char *before, const struct mg_str *after);

/* Takes the words $macro out of a raw list. */
void mg_planning_take_out(struct mg_buf *list, const char *macro);

#endif
