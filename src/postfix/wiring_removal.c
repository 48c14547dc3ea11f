/* Taking out needs no knowledge of where our words belong: wherever a macro of ours is named, the word goes. */
#include <stdio.h>

#include "postfix/expand.h"
#include "postfix/wiring_list.h"
#include "postfix/wiring_planning.h"

/* Every parameter, whatever it is, that names one of our macros. */
static enum mg_rc plan_cleaning(struct mg_planning *planning, const struct mg_postfix_service *service,
	const struct mg_postfix_parameter *parameter)
{
	static const char *const macros[] = { MG_MACRO_CHECK, MG_MACRO_TAP, MG_MACRO_MILTER };
	struct mg_buf list;
	struct mg_str after;
	bool has = false;
	enum mg_rc rc = MG_OK;

	mg_buf_init(&list, MG_EXPAND_MAX);
	mg_buf_addz(&list, parameter->value);
	for (size_t i = 0; i < sizeof macros / sizeof macros[0]; i++) {
		if (!mg_list_has(mg_buf_str(&list), macros[i], NULL))
			continue;
		has = true;
		mg_planning_take_out(&list, macros[i]);
	}
	after = mg_str_of(mg_buf_z(&list), list.n);
	if (has)
		rc = mg_planning_edit(planning, service, parameter->name, parameter->value,
			after.n > 0 || service != NULL ? &after : NULL);
	mg_buf_fini(&list);
	return rc;
}

/* A macro that no list names any more is no parameter for postconf; only its warning tells. */
static enum mg_rc plan_macro_removal(struct mg_planning *planning, const char *macro)
{
	const char *now = mg_postfix_raw(planning->postfix, NULL, mg_str_z(macro));
	char unused[80];

	snprintf(unused, sizeof unused, "main.cf: unused parameter: %s=", macro);
	if (now == NULL && strstr(planning->postfix->warnings, unused) != NULL)
		now = "";
	return now == NULL ? MG_OK : mg_planning_edit(planning, NULL, macro, now, NULL);
}

enum mg_rc mg_wiring_plan_removal(
	const struct mg_postfix *postfix, struct mg_wiring_plan **plan_out, struct mg_err *err)
{
	struct mg_planning planning = { .postfix = postfix, .err = err };
	enum mg_rc rc = mg_planning_begin(&planning, plan_out);

	if (rc != MG_OK)
		return rc;
	for (size_t i = 0; rc == MG_OK && i < postfix->parameter_count; i++)
		if (postfix->parameters[i].is_set)
			rc = plan_cleaning(&planning, NULL, &postfix->parameters[i]);
	for (size_t i = 0; rc == MG_OK && i < postfix->service_count; i++)
		for (size_t j = 0; rc == MG_OK && j < postfix->services[i].override_count; j++)
			rc = plan_cleaning(&planning, &postfix->services[i], &postfix->services[i].overrides[j]);
	if (rc == MG_OK)
		rc = plan_macro_removal(&planning, MG_MACRO_CHECK);
	if (rc == MG_OK)
		rc = plan_macro_removal(&planning, MG_MACRO_TAP);
	if (rc == MG_OK)
		rc = plan_macro_removal(&planning, MG_MACRO_MILTER);
	return mg_planning_finish(&planning, rc, plan_out);
}
