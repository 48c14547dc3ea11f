/* Name tables and the filling of a record. */
#include "journal/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const action_names[MG_ACTIONS] = { "", "accept", "reject", "tempfail", "quarantine", "discard",
	"observe" };
static const char *const delivery_names[MG_DELIVERIES] = { "unknown", "sent", "deferred", "bounced", "expired",
	"held" };
static const char *const relay_names[MG_RELAY_CLASSES] = { "", "local", "inbound", "authenticated", "trusted",
	"stranger" };
static const char *const method_names[MG_METHODS] = { "iprev", "spf", "dkim", "arc", "dmarc" };

static size_t index_of(const char *const *names, size_t count, struct mg_str name)
{
	for (size_t i = 0; i < count; i++)
		if (mg_str_eq(mg_str_z(names[i]), name))
			return i;
	return count;
}

const char *mg_action_name(enum mg_action action)
{
	return action_names[action];
}

enum mg_action mg_action_of(struct mg_str name)
{
	return (enum mg_action)index_of(action_names, MG_ACTIONS, name);
}

const char *mg_delivery_name(enum mg_delivery delivery)
{
	return delivery_names[delivery];
}

enum mg_delivery mg_delivery_of(struct mg_str name)
{
	return (enum mg_delivery)index_of(delivery_names, MG_DELIVERIES, name);
}

const char *mg_relay_class_name(enum mg_relay_class relay)
{
	return relay_names[relay];
}

const char *mg_method_name(enum mg_method method)
{
	return method_names[method];
}

struct mg_record *mg_record_new(int64_t now_wall_us, unsigned serial)
{
	struct mg_arena arena;
	struct mg_record *record;

	mg_arena_init(&arena, MG_RECORD_ARENA);
	record = mg_arena_take(&arena, sizeof *record);
	if (record == NULL)
		return NULL;
	snprintf(record->id, sizeof record->id, "%012" PRIx64 "-%08x", (uint64_t)now_wall_us & 0xffffffffffff, serial);
	record->time_us = now_wall_us;
	record->queue_id = record->client_name = record->helo = record->user = "";
	record->sender = record->from_domain = record->message_id = record->server_port = record->tls = "";
	record->code = record->text = record->rule = "";
	for (size_t i = 0; i < MG_METHODS; i++)
		record->auth[i] = "";
	record->auth_report = record->auth_facts = record->asked = "";
	record->arena = arena;
	return record;
}

void mg_record_free(struct mg_record **record)
{
	struct mg_arena arena;

	if (*record == NULL)
		return;
	arena = (*record)->arena; /* the record lies in it */
	mg_arena_fini(&arena);
	*record = NULL;
}

const char *mg_record_text(struct mg_record *record, struct mg_str text)
{
	return mg_arena_text(&record->arena, text, MG_RECORD_TEXT);
}

bool mg_read_asked(struct mg_str *rest, enum mg_action *action_out, struct mg_str *rule_out)
{
	while (rest->n > 0) {
		struct mg_str rule = mg_str_cut(rest, ';'), action = mg_str_cut(&rule, ' ');

		*action_out = mg_action_of(action);
		*rule_out = rule;
		if (*action_out != MG_ACTIONS && *action_out != MG_ACTION_NONE && rule.n > 0)
			return true;
	}
	return false;
}

void mg_record_ask(struct mg_record *record, const char **asked, enum mg_action action, const char *rule)
{
	struct mg_str rest = mg_str_z(*asked), known;
	enum mg_action known_action;
	char text[MG_RECORD_TEXT + 1];
	int n;

	while (mg_read_asked(&rest, &known_action, &known))
		if (known_action == action && mg_str_eq(known, mg_str_z(rule)))
			return;
	n = snprintf(
		text, sizeof text, "%s%s%s %s", *asked, (*asked)[0] == '\0' ? "" : ";", mg_action_name(action), rule);
	if (n > 0 && (size_t)n < sizeof text)
		*asked = mg_record_text(record, mg_str_of(text, (size_t)n));
}

struct mg_recipient *mg_record_add_recipient(struct mg_record *record, struct mg_str address)
{
	struct mg_recipient *recipient = NULL;

	if (record->recipient_count < MG_RECORD_RECIPIENTS)
		recipient = mg_arena_take(&record->arena, sizeof *recipient);
	if (recipient == NULL) {
		record->recipients_left_out++;
		return NULL;
	}
	recipient->address = mg_record_text(record, address);
	recipient->code = recipient->dsn = recipient->reply = recipient->asked = "";
	if (record->last_recipient == NULL)
		record->recipients = recipient;
	else
		record->last_recipient->next = recipient;
	record->last_recipient = recipient;
	record->recipient_count++;
	return recipient;
}

bool mg_address_eq(struct mg_str a, struct mg_str b)
{
	size_t at_a = mg_str_rfind(a, '@'), at_b = mg_str_rfind(b, '@');

	return mg_str_eq(mg_str_first(a, at_a), mg_str_first(b, at_b)) &&
	       mg_str_eq_nocase(
		       mg_str_from(a, at_a == SIZE_MAX ? a.n : at_a), mg_str_from(b, at_b == SIZE_MAX ? b.n : at_b));
}

struct mg_recipient *mg_record_find_recipient(struct mg_record *record, struct mg_str address)
{
	struct mg_recipient *found = NULL;

	for (struct mg_recipient *r = record->recipients; r != NULL; r = r->next)
		if (mg_address_eq(mg_str_z(r->address), address))
			found = r;
	return found;
}
