/* A group is all that changes from one verdict to another by one rule. Its names are counted in objects of bounded size; the most
 * frequent are told. */
#include <stdio.h>
#include <stdlib.h>

#include "base/say.h"
#include "ctl/whatif.h"
#include "mail/address.h"

void mg_whatif_init(struct mg_whatif *whatif)
{
	*whatif = (struct mg_whatif){ .groups = json_object(), .messages = json_array() };
}

void mg_whatif_fini(struct mg_whatif *whatif)
{
	json_decref(whatif->groups);
	json_decref(whatif->messages);
	*whatif = (struct mg_whatif){ 0 };
}

static void count(json_t *object, const char *key, int64_t more)
{
	json_object_set_new(object, key, json_integer(json_integer_value(json_object_get(object, key)) + more));
}

static void count_name(json_t *names, struct mg_str name)
{
	json_t *text = mg_json_text(name);
	const char *key = json_string_value(text);

	if (key == NULL || (json_object_size(names) >= MG_WHATIF_NAMES && json_object_get(names, key) == NULL))
		key = ""; /* the others */
	count(names, key, 1);
	json_decref(text);
}

/* The rule that decides: where something is let through now, the one that refused it then. */
static const char *rule_of(const struct mg_record *record, const struct mg_replayed *next)
{
	return next->action == MG_ACTION_ACCEPT ? record->rule : next->rule;
}

static json_t *group_of(struct mg_whatif *whatif, const struct mg_record *record, const struct mg_replayed *next)
{
	const char *from = mg_action_name(mg_replay_recorded(record)), *to = mg_action_name(next->action);
	json_t *rule = mg_json_text(mg_str_z(rule_of(record, next))), *group;
	char key[MG_RECORD_TEXT * 4];

	snprintf(key, sizeof key, "%s %s %s", from, to, rule == NULL ? "" : json_string_value(rule));
	if (json_object_size(whatif->groups) >= MG_WHATIF_GROUPS && json_object_get(whatif->groups, key) == NULL) {
		snprintf(key, sizeof key, "%s %s", from, to);
		json_string_set(rule, "");
	}
	group = json_object_get(whatif->groups, key);
	if (group == NULL) {
		group = json_pack("{s:s, s:s, s:O, s:i, s:i, s:i, s:i, s:i, s:i, s:{}, s:{}}", "from", from, "to", to,
			"rule", rule, "count", 0, "already", 0, "delivered", 0, "authenticated", 0, "trusted", 0,
			"passed", 0, "domains", "clients");
		json_object_set_new(whatif->groups, key, group);
	}
	json_decref(rule);
	return group;
}

static struct mg_str domain_of(const struct mg_record *record)
{
	struct mg_str sender = mg_address_domain(mg_str_z(record->sender));

	if (record->from_domain[0] != '\0')
		return mg_str_z(record->from_domain);
	return sender.n > 0 ? sender : MG_STR("<>");
}

/* Some method vouches for the sender. */
static bool is_vouched_for(const struct mg_record *record)
{
	return mg_str_eq(mg_str_z(record->auth[MG_METHOD_SPF]), MG_STR("pass")) ||
	       mg_str_eq(mg_str_z(record->auth[MG_METHOD_DKIM]), MG_STR("pass")) ||
	       mg_str_eq(mg_str_z(record->auth[MG_METHOD_DMARC]), MG_STR("pass"));
}

static void add_to_group(json_t *group, const struct mg_walked *walked, bool is_already)
{
	const struct mg_record *record = walked->record;
	char ip[MG_IP_TEXT];

	count(group, "count", 1);
	count(group, "already", is_already);
	count(group, "delivered", walked->delivered > 0);
	count(group, "authenticated", record->relay == MG_RELAY_AUTHENTICATED);
	count(group, "trusted", record->relay == MG_RELAY_TRUSTED || record->relay == MG_RELAY_LOCAL);
	count(group, "passed", is_vouched_for(record));
	count_name(json_object_get(group, "domains"), domain_of(record));
	count_name(json_object_get(group, "clients"), mg_str_z(mg_ip_text(&record->client_ip, ip, sizeof ip)));
}

static json_t *text(const char *bytes)
{
	return mg_json_text(mg_str_z(bytes));
}

static json_t *message_json(const struct mg_walked *walked, const struct mg_replayed *next, bool is_already)
{
	const struct mg_record *record = walked->record;
	char ip[MG_IP_TEXT];

	return json_pack("{s:o, s:o, s:f, s:o, s:o, s:s, s:o, s:s, s:i, s:i, s:s, s:s, s:o, s:o, s:o, s:b, "
			 "s:{s:s, s:s, s:o, s:o, s:o}}",
		"id", text(record->id), "queue_id", text(record->queue_id), "time", (double)record->time_us / 1e6,
		"sender", text(record->sender), "from_domain", text(record->from_domain), "client",
		mg_ip_text(&record->client_ip, ip, sizeof ip), "user", text(record->user), "relay",
		mg_relay_class_name(record->relay), "recipients", (int)record->recipient_count, "delivered",
		(int)walked->delivered, "from", mg_action_name(mg_replay_recorded(record)), "to",
		mg_action_name(next->action), "rule", text(rule_of(record, next)), "code", text(next->code), "text",
		text(next->text), "already", is_already, "was", "action", mg_action_name(record->action), "would",
		mg_action_name(record->would), "code", text(record->code), "text", text(record->text), "rule",
		text(record->rule));
}

void mg_whatif_add(struct mg_whatif *whatif, const struct mg_walked *walked, const struct mg_replayed *next,
	const struct mg_replayed *now)
{
	enum mg_action was = mg_replay_recorded(walked->record);
	bool is_already = now->gap == MG_GAP_NONE && now->action == next->action;

	whatif->transactions++;
	whatif->last_us = walked->record->time_us;
	whatif->drifted += now->gap == MG_GAP_NONE && now->action != was;
	whatif->gaps[next->gap]++;
	whatif->unknown += next->gap != MG_GAP_NONE;
	if (next->gap != MG_GAP_NONE || next->action == was)
		return;
	whatif->changed++;
	add_to_group(group_of(whatif, walked->record, next), walked, is_already);
	if (json_array_size(whatif->messages) < MG_WHATIF_MESSAGES)
		json_array_append_new(whatif->messages, message_json(walked, next, is_already));
	else
		whatif->left_out++;
}

/* ---- the document ---- */

static int more_first(const void *a, const void *b)
{
	json_int_t first = json_integer_value(json_object_get(*(json_t *const *)a, "count"));
	json_int_t second = json_integer_value(json_object_get(*(json_t *const *)b, "count"));

	return first < second ? 1 : first > second ? -1 : 0;
}

/* Takes an array of objects with a "count": the largest first, at most `most` of them. */
static json_t *sorted(json_t *array, size_t most)
{
	size_t size = json_array_size(array);
	json_t **all = calloc(size + 1, sizeof *all), *out = json_array();

	for (size_t i = 0; all != NULL && i < size; i++)
		all[i] = json_array_get(array, i);
	if (all != NULL)
		qsort(all, size, sizeof *all, more_first);
	for (size_t i = 0; all != NULL && i < size && i < most; i++)
		json_array_append(out, all[i]);
	free(all);
	json_decref(array);
	return out;
}

static json_t *names_json(const json_t *names)
{
	json_t *array = json_array(), *number;
	const char *name;

	json_object_foreach((json_t *)(uintptr_t)names, name, number)
	{
		json_array_append_new(array, json_pack("{s:s, s:O}", "name", name, "count", number));
	}
	return sorted(array, MG_WHATIF_NAMES_TOLD);
}

static json_t *changes_json(const struct mg_whatif *whatif)
{
	json_t *array = json_array(), *group;
	const char *key;

	json_object_foreach(whatif->groups, key, group)
	{
		json_t *told = json_copy(group);

		json_object_set_new(told, "domains", names_json(json_object_get(group, "domains")));
		json_object_set_new(told, "clients", names_json(json_object_get(group, "clients")));
		json_array_append_new(array, told);
	}
	return sorted(array, MG_WHATIF_GROUPS);
}

static json_t *gaps_json(const struct mg_whatif *whatif)
{
	json_t *array = json_array();

	for (int gap = MG_GAP_NONE + 1; gap < MG_GAPS; gap++)
		if (whatif->gaps[gap] > 0)
			json_array_append_new(
				array, json_pack("{s:s, s:I}", "reason", mg_replay_gap_name((enum mg_replay_gap)gap),
					       "count", (json_int_t)whatif->gaps[gap]));
	return array;
}

json_t *mg_whatif_json(const struct mg_whatif *whatif)
{
	return json_pack("{s:I, s:I, s:o, s:I, s:I, s:o, s:O, s:I}", "transactions", (json_int_t)whatif->transactions,
		"unknown", (json_int_t)whatif->unknown, "unknown_reasons", gaps_json(whatif), "changed",
		(json_int_t)whatif->changed, "already_different", (json_int_t)whatif->drifted, "changes",
		changes_json(whatif), "messages", whatif->messages, "messages_left_out", (json_int_t)whatif->left_out);
}
