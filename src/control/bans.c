#include "control/bans.h"

#include "base/say.h"
#include "guard/ban.h"

enum { LONGEST_S = 10 * 365 * 86400 };

/* "ends_in_s" is null for a ban without end. */
static json_t *ban_json(const struct mg_ban *ban)
{
	json_t *end = ban->left_s < 0 ? json_null() : json_integer((json_int_t)ban->left_s);

	return json_pack("{s:s, s:o, s:o, s:I, s:o}", "kind", mg_ban_kind_name(ban->kind), "what",
		mg_json_text(mg_str_z(ban->what)), "reason", mg_json_text(mg_str_z(ban->reason)), "age_s",
		(json_int_t)ban->age_s, "ends_in_s", end);
}

static bool append(void *context, const struct mg_ban *ban)
{
	json_array_append_new(context, ban_json(ban));
	return true;
}

static void work_list(struct mg_call *call)
{
	json_t *array = json_array();

	mg_ban_list(call->options->guards->state, append, array);
	call->result = json_pack("{s:o}", "bans", array);
}

static bool read_ban(struct mg_call *call, struct mg_ban *ban)
{
	struct mg_err err = { "" };
	const char *what;

	if (!mg_call_text(call, "what", NULL, &what))
		return false;
	if (mg_ban_parse(mg_str_z(what), ban, &err) == MG_OK)
		return true;
	mg_call_fail(call, MG_RPC_PARAMS, "%s", err.text);
	return false;
}

static void work_add(struct mg_call *call)
{
	struct mg_err err = { "" };
	struct mg_ban ban;
	const char *reason;
	int64_t for_s;

	if (!read_ban(call, &ban) || !mg_call_text(call, "reason", "", &reason) ||
		!mg_call_number(call, "for_s", -1, LONGEST_S, -1, &for_s))
		return;
	mg_str_copy(ban.reason, sizeof ban.reason, mg_str_z(reason));
	ban.left_s = for_s;
	if (mg_ban_add(call->options->guards->state, &ban, &err) != MG_OK)
		mg_call_fail(call, MG_RPC_REFUSED, "%s", err.text);
	else
		call->result = json_pack("{s:[o]}", "bans", ban_json(&ban));
}

/* What was removed; an empty list: there was no such ban. */
static void work_remove(struct mg_call *call)
{
	struct mg_ban ban;
	json_t *removed = json_array();

	if (!read_ban(call, &ban)) {
		json_decref(removed);
		return;
	}
	if (mg_ban_remove(call->options->guards->state, &ban))
		json_array_append_new(removed, ban_json(&ban));
	call->result = json_pack("{s:o}", "bans", removed);
}

static bool start(struct mg_call *call, void (*work)(struct mg_call *))
{
	if (call->options->guards == NULL || call->options->guards->state == NULL) {
		mg_call_fail(call, MG_RPC_FAILED, "this daemon has no guards");
		return false;
	}
	call->work = work;
	return true;
}

bool mg_rpc_ban_list(struct mg_call *call)
{
	return start(call, work_list);
}

bool mg_rpc_ban_add(struct mg_call *call)
{
	return start(call, work_add);
}

bool mg_rpc_ban_remove(struct mg_call *call)
{
	return start(call, work_remove);
}
