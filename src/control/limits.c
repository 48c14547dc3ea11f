/* limits.list, limits.show, limits.reset: what the limits hold, and emptying one key's levels. On the jobs' thread: a table of millions
 * of keys takes its time. */
#include "control/limits.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/say.h"

#include "guard/account.h"
#include "guard/limits.h"
#include "guard/memory_store.h"

enum { LINES_MAX = 10000 };

struct listing {
	const struct mg_conf *conf;
	int64_t now_ns;
	json_t *array;
};

static const struct mg_limit_row *row_of(const struct mg_conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->rate.limit_count; i++)
		if (mg_str_eq(mg_str_z(conf->rate.limits[i].name), mg_str_z(name)))
			return &conf->rate.limits[i];
	return NULL;
}

static const char *count_name(enum mg_limit_count count)
{
	static const char *const names[] = { "messages", "recipients", "new_recipients", "bytes", "connections",
		"failures" };

	return names[count];
}

static const char *action_name(enum mg_limit_action action)
{
	static const char *const names[] = { "tempfail", "reject", "hold", "observe" };

	return names[action];
}

/* `frees_in_s`: until one more fits; `empty_in_s`: until nothing is left of it. */
static json_t *limit_json(const struct mg_limit_row *row, const char *key, uint64_t used, int64_t wait_ns)
{
	uint64_t remaining = used < row->burst ? row->burst - used : 0;
	double empty_s = (double)used * (double)row->per_s / (double)row->limit;

	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:b, s:f, s:f}", "limit", row->name, "key", key,
		"count", count_name(row->count), "action", action_name(row->action), "max", (json_int_t)row->limit,
		"burst", (json_int_t)row->burst, "per_s", (json_int_t)row->per_s, "used", (json_int_t)used, "remaining",
		(json_int_t)remaining, "over", remaining == 0, "frees_in_s",
		wait_ns == INT64_MAX ? -1.0 : (double)wait_ns / 1e9, "empty_in_s", empty_s);
}

static bool list_one(void *context, const struct mg_limit_line *line)
{
	struct listing *listing = context;
	const struct mg_limit_row *row = row_of(listing->conf, line->limit);
	json_t *key;
	int64_t wait_ns = 0;

	if (row == NULL || (key = json_string(line->key)) == NULL)
		return true; /* a limit of before a reload */
	json_decref(key);
	if (line->used >= row->burst) {
		struct mg_bucket bucket = { row->limit, row->burst, row->per_s };
		struct mg_bucket_level level = { line->used << MG_LEVEL_BITS, listing->now_ns };

		wait_ns = mg_level_wait_ns(&level, &bucket, 1);
	}
	json_array_append_new(listing->array, limit_json(row, line->key, line->used, wait_ns));
	return json_array_size(listing->array) < LINES_MAX;
}

static void work_list(struct mg_call *call)
{
	const struct mg_guards *guards = call->options->guards;
	struct listing listing = { call->options->pin_conf(call->options->context), mg_state_now_ns(guards->state),
		json_array() };

	mg_memory_store_list(guards->state, list_one, &listing);
	call->result = json_pack("{s:o}", "limits", listing.array);
	mg_conf_unref(&listing.conf);
}

/* The items of the key that is asked for; NULL: an error was said. */
static struct mg_charge *items_of(struct mg_call *call, const struct mg_conf *conf, const char *key, size_t *rows)
{
	struct mg_charge *charge = calloc(1, sizeof *charge);

	if (charge != NULL && mg_limits_of_key(conf, mg_str_z(key), charge, rows))
		return charge;
	free(charge);
	mg_call_fail(call, MG_RPC_PARAMS,
		"\"%s\" is no key; write its kind in front, such as user:ann@example.org or client:192.0.2.1", key);
	return NULL;
}

static json_t *show_items(
	struct mg_call *call, const struct mg_conf *conf, struct mg_charge *charge, const size_t *rows)
{
	const struct mg_limit_store *store = call->options->guards->limits;
	json_t *array = json_array();

	for (size_t i = 0; i < charge->count; i++) {
		struct mg_charge_item *item = &charge->item[i];

		if (store->look(store->context, item) && item->used > 0)
			json_array_append_new(array, limit_json(&conf->rate.limits[rows[i]], item->key, item->used,
							     item->is_over ? item->wait_ns : 0));
	}
	return array;
}

/* "user:ann": the login; else empty. */
static struct mg_str login_of(const char *key)
{
	struct mg_str rest = mg_str_z(key);

	return mg_read_token(&rest, MG_STR("user:")) ? rest : MG_STR("");
}

static json_t *sign_json(const struct mg_account_view *view, enum mg_sign sign)
{
	char number[24];
	struct mg_say say = MG_SAY(mg_sign_sentence(sign), number);
	struct mg_buf text;
	json_t *json;

	snprintf(number, sizeof number, "%u", view->number[sign]);
	mg_buf_init(&text, MG_SAY_TEXT);
	mg_say_english(&text, &say);
	json = json_pack("{s:s, s:I, s:s, s:o, s:I, s:I}", "sign", mg_sign_name(sign), "number",
		(json_int_t)view->number[sign], "text", mg_buf_z(&text), "say", mg_say_json(&say), "since_s",
		(json_int_t)view->since_s[sign], "expires_s", (json_int_t)view->expires_s[sign]);
	mg_buf_fini(&text);
	return json;
}

static json_t *account_json(const struct mg_account_view *view)
{
	json_t *signs = json_array();

	for (int sign = 0; sign < MG_SIGNS; sign++)
		if (view->is_raised[sign])
			json_array_append_new(signs, sign_json(view, (enum mg_sign)sign));
	return json_pack("{s:s, s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "login", view->login, "action",
		mg_account_rung_name(view->rung), "score", (int)view->score, "ends_s", (json_int_t)view->ends_s,
		"messages", (json_int_t)view->messages, "recipients", (json_int_t)view->recipients, "networks",
		(json_int_t)view->networks, "failures_own", (json_int_t)view->failures_own, "failures_other",
		(json_int_t)view->failures_other, "signs", signs);
}

/* {"key":...,"limits":[...]}, and "account" of a login that is known. */
static json_t *what_is_known(
	struct mg_call *call, const struct mg_conf *conf, const char *key, struct mg_charge *charge, const size_t *rows)
{
	json_t *result = json_pack("{s:s, s:o}", "key", key, "limits", show_items(call, conf, charge, rows));
	struct mg_account_view view;

	if (mg_account_look(call->options->guards->state, conf, login_of(key), &view))
		json_object_set_new(result, "account", account_json(&view));
	return result;
}

static void work_show(struct mg_call *call)
{
	const struct mg_conf *conf = call->options->pin_conf(call->options->context);
	struct mg_charge *charge = NULL;
	size_t rows[MG_CHARGE_ITEMS];
	const char *key;

	if (mg_call_text(call, "key", NULL, &key) && (charge = items_of(call, conf, key, rows)) != NULL)
		call->result = what_is_known(call, conf, key, charge, rows);
	free(charge);
	mg_conf_unref(&conf);
}

static void work_reset(struct mg_call *call)
{
	const struct mg_conf *conf = call->options->pin_conf(call->options->context);
	const struct mg_limit_store *store = call->options->guards->limits;
	struct mg_charge *charge = NULL;
	size_t rows[MG_CHARGE_ITEMS];
	const char *key;

	if (mg_call_text(call, "key", NULL, &key) && (charge = items_of(call, conf, key, rows)) != NULL) {
		call->result = what_is_known(call, conf, key, charge, rows);
		mg_account_pardon(call->options->guards->state, login_of(key));
		for (size_t i = 0; i < charge->count; i++)
			store->reset(store->context, &charge->item[i]);
	}
	free(charge);
	mg_conf_unref(&conf);
}

static bool start(struct mg_call *call, void (*work)(struct mg_call *))
{
	if (call->options->guards == NULL) {
		mg_call_fail(call, MG_RPC_FAILED, "this daemon has no guards");
		return false;
	}
	call->work = work;
	return true;
}

bool mg_rpc_limits_list(struct mg_call *call)
{
	return start(call, work_list);
}

bool mg_rpc_limits_show(struct mg_call *call)
{
	return start(call, work_show);
}

bool mg_rpc_limits_reset(struct mg_call *call)
{
	return start(call, work_reset);
}
