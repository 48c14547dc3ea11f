#include "health/fold.h"

#include "health/check.h"

enum { DEPTH_MAX = 8 };

static struct mg_str text_of(const json_t *check, const char *key)
{
	const char *text = json_string_value(json_object_get(check, key));

	return mg_str_z(text == NULL ? "" : text);
}

static bool has_state(const json_t *check, enum mg_check_state state)
{
	return mg_str_eq(text_of(check, "state"), mg_str_z(mg_check_state_name(state)));
}

static bool is_bad(const json_t *check)
{
	return has_state(check, MG_STATE_WARN) || has_state(check, MG_STATE_CRIT);
}

static const json_t *find(const json_t *checks, const char *id)
{
	size_t i;
	json_t *check;

	json_array_foreach((json_t *)checks, i, check) if (mg_str_eq(text_of(check, "id"), mg_str_z(id))) return check;
	return NULL;
}

/* The bad check next on the way to the root, or NULL. */
static const struct mg_check *cause_of(const json_t *checks, const struct mg_check *row)
{
	const json_t *check = row->needs == NULL ? NULL : find(checks, row->needs);

	if (check != NULL && has_state(check, MG_STATE_CRIT))
		return mg_check_find(row->needs);
	for (size_t i = 0; i < MG_CHECK_ROOTS && row->follows[i] != NULL; i++)
		if ((check = find(checks, row->follows[i])) != NULL && is_bad(check))
			return mg_check_find(row->follows[i]);
	return NULL;
}

static const char *root_of(const json_t *checks, const char *id)
{
	const struct mg_check *row = mg_check_find(id), *root = NULL;

	for (int depth = 0; row != NULL && depth < DEPTH_MAX; depth++)
		if ((row = cause_of(checks, row)) != NULL)
			root = row;
	return root == NULL ? NULL : root->id;
}

void mg_health_fold(json_t *checks)
{
	size_t i;
	json_t *check;

	json_array_foreach(checks, i, check)
	{
		const char *root = NULL;

		if (!has_state(check, MG_STATE_OK) && !json_is_true(json_object_get(check, "alone")))
			root = root_of(checks, text_of(check, "id").p);
		if (root != NULL)
			json_object_set_new(check, "root", json_string(root));
	}
}

enum mg_check_state mg_health_worst(const json_t *checks)
{
	enum mg_check_state worst = MG_STATE_OK;
	size_t i;
	json_t *check;

	json_array_foreach((json_t *)checks, i, check)
	{
		if (has_state(check, MG_STATE_CRIT))
			return MG_STATE_CRIT;
		if (has_state(check, MG_STATE_WARN))
			worst = MG_STATE_WARN;
	}
	return worst;
}
