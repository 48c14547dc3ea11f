/* What may be asked on the diagnostic socket: one row a method. */
#include "base/clock.h"
#include "control/bans.h"
#include "control/limits.h"
#include "health/fold.h"

#include <string.h>

enum { QUERY_DEADLINE_MS = 5000, TEXT_MAX = 512 };

/* ---- at once ---- */

static bool start_status(struct mg_call *call)
{
	call->result = mg_control_status(call->options);
	return false;
}

static bool start_version(struct mg_call *call)
{
	call->result = json_pack("{s:s, s:s}", "name", "mailguard", "version", PACKAGE_VERSION);
	return false;
}

static void reload_told(void *cookie, const char *refusal)
{
	struct mg_call *call = cookie;

	if (refusal != NULL)
		mg_call_fail(call, MG_RPC_REFUSED, "%s", refusal);
	else
		call->result = json_pack("{s:b}", "reloaded", 1);
	mg_call_answer(call);
}

static bool start_reload(struct mg_call *call)
{
	call->options->reload(call->options->context, reload_told, call);
	return true;
}

/* ---- from the record, on the jobs' thread ---- */

static struct mg_query *open_record(struct mg_call *call)
{
	const struct mg_conf *conf = call->options->pin_conf(call->options->context);
	struct mg_query *query = NULL;
	struct mg_err err = { "" };

	if (mg_query_open(conf->journal.path, &query, &err) != MG_OK)
		mg_call_fail(call, MG_RPC_FAILED, "%s", err.text);
	mg_conf_unref(&conf);
	return query;
}

static void work_recent(struct mg_call *call)
{
	struct mg_recent_filter filter = { 0 };
	struct mg_query *query;
	struct mg_err err = { "" };
	json_t *found = NULL;
	int64_t limit, since_us;

	if (!mg_call_text(call, "verdict", "", &filter.verdict) || !mg_call_text(call, "client", "", &filter.client) ||
		!mg_call_text(call, "sender", "", &filter.sender) || !mg_call_text(call, "user", "", &filter.user) ||
		!mg_call_number(call, "limit", 1, 10000, 50, &limit) ||
		!mg_call_number(call, "since_us", 0, INT64_MAX, 0, &since_us) || (query = open_record(call)) == NULL)
		return;
	filter.limit = (unsigned)limit;
	filter.since_us = since_us;
	if (mg_query_recent(query, &filter, mg_mono_us() + QUERY_DEADLINE_MS * MG_MS_US, &found, &err) == MG_OK)
		call->result = json_pack("{s:o}", "transactions", found);
	else
		mg_call_fail(call, MG_RPC_FAILED, "%s", err.text);
	mg_query_close(&query);
}

static void work_trace(struct mg_call *call)
{
	struct mg_query *query;
	struct mg_err err = { "" };
	const char *what;
	int64_t limit;

	if (!mg_call_text(call, "what", NULL, &what) || !mg_call_number(call, "limit", 1, 1000, 20, &limit) ||
		(query = open_record(call)) == NULL)
		return;
	if (mg_query_trace(query, what, (unsigned)limit, mg_mono_us() + QUERY_DEADLINE_MS * MG_MS_US, &call->result,
		    &err) != MG_OK)
		mg_call_fail(call, MG_RPC_FAILED, "%s", err.text);
	mg_query_close(&query);
}

static void work_check(struct mg_call *call)
{
	const struct mg_check *wanted[MG_CHECKS_MAX];
	struct mg_checks_asked asked = { wanted, 0, false };
	json_t *ids = json_object_get(call->params, "ids"), *id;
	size_t i;

	asked.is_general = json_is_true(json_object_get(call->params, "general"));
	json_array_foreach(ids, i, id)
	{
		const struct mg_check *check = json_is_string(id) ? mg_check_find(json_string_value(id)) : NULL;

		if (check == NULL || asked.count == MG_CHECKS_MAX) {
			mg_call_fail(call, MG_RPC_PARAMS, "no such check");
			return;
		}
		wanted[asked.count++] = check;
	}
	if (asked.count == 0)
		mg_checks_ask_all(&asked, wanted);
	call->result = json_pack("{s:o}", "checks", mg_health_check(call->options->health, &asked));
	if (asked.is_general)
		mg_health_fold(json_object_get(call->result, "checks"));
}

static bool start_recent(struct mg_call *call)
{
	call->work = work_recent;
	return true;
}

static bool start_trace(struct mg_call *call)
{
	call->work = work_trace;
	return true;
}

static bool start_check(struct mg_call *call)
{
	call->work = work_check;
	return true;
}

const struct mg_rpc_method *mg_rpc_method_find(const char *name)
{
	static const struct mg_rpc_method methods[] = {
		{ "status", false, start_status },
		{ "check", false, start_check },
		{ "recent", false, start_recent },
		{ "trace", false, start_trace },
		{ "version", false, start_version },
		{ "reload", true, start_reload },
		{ "ban.list", false, mg_rpc_ban_list },
		{ "ban.add", true, mg_rpc_ban_add },
		{ "ban.remove", true, mg_rpc_ban_remove },
		{ "limits.list", false, mg_rpc_limits_list },
		{ "limits.show", false, mg_rpc_limits_show },
		{ "limits.reset", true, mg_rpc_limits_reset },
	};

	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
		if (strcmp(methods[i].name, name) == 0)
			return &methods[i];
	return NULL;
}

/* ---- parameters ---- */

bool mg_call_text(struct mg_call *call, const char *name, const char *otherwise, const char **text_out)
{
	json_t *value = json_object_get(call->params, name);

	*text_out = otherwise;
	if (value == NULL && otherwise != NULL)
		return true;
	if (!json_is_string(value) || json_string_length(value) > TEXT_MAX) {
		mg_call_fail(call, MG_RPC_PARAMS, "%s must be a text of at most %d bytes", name, TEXT_MAX);
		return false;
	}
	*text_out = json_string_value(value);
	return true;
}

bool mg_call_number(
	struct mg_call *call, const char *name, int64_t least, int64_t most, int64_t otherwise, int64_t *number_out)
{
	json_t *value = json_object_get(call->params, name);

	*number_out = otherwise;
	if (value == NULL)
		return true;
	if (!json_is_integer(value) || json_integer_value(value) < least || json_integer_value(value) > most) {
		mg_call_fail(call, MG_RPC_PARAMS, "%s must be a whole number from %lld to %lld", name, (long long)least,
			(long long)most);
		return false;
	}
	*number_out = json_integer_value(value);
	return true;
}
