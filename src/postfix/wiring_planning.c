#include "postfix/wiring_planning.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/i18n.h"
#include "postfix/expand.h"
#include "postfix/wiring_list.h"

enum { ARENA_MAX = 16 * 1024 * 1024, WARNING_MAX = 500 };

enum mg_rc mg_planning_full(struct mg_planning *planning)
{
	return mg_err_set(planning->err, MG_EFULL, _("the plan for %s is too large"), planning->postfix->directory);
}

static const char *keep(struct mg_planning *planning, struct mg_str text)
{
	char *copy = mg_arena_take(&planning->plan->arena, text.n + 1);

	if (copy != NULL && text.n > 0)
		memcpy(copy, text.p, text.n);
	return copy;
}

void mg_planning_warn(struct mg_planning *planning, const char *fmt, ...)
{
	struct mg_wiring_plan *plan = planning->plan;
	struct mg_err sentence = { 0 };
	va_list args;

	va_start(args, fmt);
	vsnprintf(sentence.text, sizeof sentence.text, fmt, args);
	va_end(args);
	for (size_t i = 0; i < plan->warning_count; i++)
		if (strcmp(plan->warnings[i], sentence.text) == 0)
			return;
	if (plan->warning_count < MG_WIRING_WARNINGS)
		plan->warnings[plan->warning_count++] =
			mg_arena_text(&plan->arena, mg_str_z(sentence.text), WARNING_MAX);
}

const char *mg_planning_where(const struct mg_postfix_service *service)
{
	return service == NULL ? "main.cf" : service->id;
}

enum mg_rc mg_planning_edit(struct mg_planning *planning, const struct mg_postfix_service *service,
	const char *parameter, const char *before, const struct mg_str *after)
{
	struct mg_wiring_plan *plan = planning->plan;
	struct mg_wiring_edit *edit = &plan->edits[plan->edit_count];

	if (plan->edit_count == MG_WIRING_EDITS)
		return mg_planning_full(planning);
	*edit = (struct mg_wiring_edit){ .service = service,
		.where = keep(planning, mg_str_z(mg_planning_where(service))),
		.parameter = keep(planning, mg_str_z(parameter)),
		.before = before == NULL ? NULL : keep(planning, mg_str_z(before)),
		.after = after == NULL ? NULL : keep(planning, *after) };
	if (edit->where == NULL || edit->parameter == NULL || (before != NULL && edit->before == NULL) ||
		(after != NULL && edit->after == NULL))
		return mg_planning_full(planning);
	plan->edit_count++;
	return MG_OK;
}

void mg_planning_take_out(struct mg_buf *list, const char *macro)
{
	struct mg_buf next;

	mg_buf_init(&next, MG_EXPAND_MAX);
	mg_list_remove(mg_buf_str(list), macro, &next);
	mg_buf_fini(list);
	*list = next;
}

enum mg_rc mg_planning_begin(struct mg_planning *planning, struct mg_wiring_plan **plan_out)
{
	*plan_out = NULL;
	planning->plan = calloc(1, sizeof *planning->plan);
	if (planning->plan == NULL)
		return mg_err_set(planning->err, MG_ENOMEM, _("no memory for the plan"));
	mg_arena_init(&planning->plan->arena, ARENA_MAX);
	return MG_OK;
}

enum mg_rc mg_planning_finish(struct mg_planning *planning, enum mg_rc rc, struct mg_wiring_plan **plan_out)
{
	if (rc == MG_OK)
		*plan_out = planning->plan;
	else
		mg_wiring_plan_free(&planning->plan);
	return rc;
}

void mg_wiring_plan_free(struct mg_wiring_plan **plan)
{
	if (*plan != NULL)
		mg_arena_fini(&(*plan)->arena);
	free(*plan);
	*plan = NULL;
}
