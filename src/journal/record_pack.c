/* {"v":1,"i":[numbers],"s":[texts],"r":[[address,verdict,code,dsn,reply,time,rule,asked]...]}: the order of the two tables below is
 * the format; whoever changes them raises VERSION.
 *
 * Bytes become characters of the same number (Latin-1), which is valid UTF-8 whatever they are and turns back without
 * loss. */
#include "journal/record_pack.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

enum { VERSION = 3 };

static const size_t texts[] = {
	offsetof(struct mg_record, queue_id),
	offsetof(struct mg_record, client_name),
	offsetof(struct mg_record, helo),
	offsetof(struct mg_record, user),
	offsetof(struct mg_record, sender),
	offsetof(struct mg_record, from_domain),
	offsetof(struct mg_record, message_id),
	offsetof(struct mg_record, server_port),
	offsetof(struct mg_record, tls),
	offsetof(struct mg_record, auth[MG_METHOD_IPREV]),
	offsetof(struct mg_record, auth[MG_METHOD_SPF]),
	offsetof(struct mg_record, auth[MG_METHOD_DKIM]),
	offsetof(struct mg_record, auth[MG_METHOD_ARC]),
	offsetof(struct mg_record, auth[MG_METHOD_DMARC]),
	offsetof(struct mg_record, auth_report),
	offsetof(struct mg_record, auth_facts),
	offsetof(struct mg_record, asked),
	offsetof(struct mg_record, code),
	offsetof(struct mg_record, text),
	offsetof(struct mg_record, rule),
};
enum { TEXTS = sizeof texts / sizeof texts[0] };

enum {
	CONNECT,
	TIME,
	END,
	BY_MILTER,
	BY_POLICY,
	SMTPD_PID,
	CLIENT_PORT,
	SIZE,
	RELAY,
	ACTION,
	WOULD,
	LATENCY,
	DEGRADED,
	LEFT_OUT,
	NUMBERS
};

/* The largest value of each number; the smallest is 0. */
static const int64_t largest[NUMBERS] = { [CONNECT] = INT64_MAX,
	[TIME] = INT64_MAX,
	[END] = INT64_MAX,
	[BY_MILTER] = 1,
	[BY_POLICY] = 1,
	[SMTPD_PID] = UINT32_MAX,
	[CLIENT_PORT] = 65535,
	[SIZE] = INT64_MAX,
	[RELAY] = MG_RELAY_CLASSES - 1,
	[ACTION] = MG_ACTIONS - 1,
	[WOULD] = MG_ACTIONS - 1,
	[LATENCY] = INT64_MAX,
	[DEGRADED] = 1,
	[LEFT_OUT] = INT64_MAX };

static const char **text_at(struct mg_record *record, size_t i)
{
	return (const char **)(void *)((char *)record + texts[i]);
}

static json_t *wide(const char *bytes)
{
	char place[2 * MG_RECORD_TEXT + 1];
	size_t n = 0;

	for (const unsigned char *p = (const unsigned char *)bytes; *p != '\0' && n + 2 < sizeof place; p++) {
		if (*p < 0x80) {
			place[n++] = (char)*p;
		} else {
			place[n++] = (char)(0xc0 | *p >> 6);
			place[n++] = (char)(0x80 | (*p & 0x3f));
		}
	}
	return json_stringn(place, n);
}

/* Back from wide(); NULL: not such a string. */
static const char *narrow(struct mg_record *record, const json_t *string)
{
	char place[MG_RECORD_TEXT];
	struct mg_str rest = { json_string_value(string), json_string_length(string) };
	size_t n = 0;

	if (!json_is_string(string) || rest.n > 2 * sizeof place)
		return NULL;
	while (rest.n > 0) {
		unsigned char c = (unsigned char)rest.p[0];
		size_t step = c < 0x80 ? 1 : 2;

		if (n == sizeof place || c == '\0' || (step == 2 && (c > 0xc3 || rest.n < 2)))
			return NULL;
		place[n++] = (char)(step == 1 ? c : (c & 3) << 6 | (rest.p[1] & 0x3f));
		rest = mg_str_from(rest, step);
	}
	return mg_record_text(record, mg_str_of(place, n));
}

static json_t *pack_recipients(const struct mg_record *record)
{
	json_t *array = json_array();

	for (const struct mg_recipient *r = record->recipients; r != NULL; r = r->next)
		json_array_append_new(
			array, json_pack("[o,i,o,o,o,I,o,o]", wide(r->address), (int)r->verdict, wide(r->code),
				       wide(r->dsn), wide(r->reply), (json_int_t)r->time_us,
				       wide(r->rule == NULL ? "" : r->rule), wide(r->asked)));
	return array;
}

static json_t *pack_numbers(const struct mg_record *record)
{
	const int64_t numbers[NUMBERS] = { [CONNECT] = record->connect_us,
		[TIME] = record->time_us,
		[END] = record->end_us,
		[BY_MILTER] = record->by_milter,
		[BY_POLICY] = record->by_policy,
		[SMTPD_PID] = record->smtpd_pid,
		[CLIENT_PORT] = record->client_port,
		[SIZE] = (int64_t)record->size_bytes,
		[RELAY] = record->relay,
		[ACTION] = record->action,
		[WOULD] = record->would,
		[LATENCY] = record->latency_us,
		[DEGRADED] = record->is_degraded,
		[LEFT_OUT] = (int64_t)record->recipients_left_out };
	json_t *array = json_array();

	for (size_t i = 0; i < NUMBERS; i++)
		json_array_append_new(array, json_integer(numbers[i]));
	return array;
}

void mg_record_pack(const struct mg_record *record, struct mg_buf *out)
{
	struct mg_record copy = *record;
	char ip[MG_IP_TEXT];
	json_t *strings = json_array(), *root;
	char *dump;

	for (size_t i = 0; i < TEXTS; i++)
		json_array_append_new(strings, wide(*text_at(&copy, i)));
	root = json_pack("{s:i, s:s, s:s, s:o, s:o, s:o}", "v", VERSION, "id", record->id, "ip",
		mg_ip_text(&record->client_ip, ip, sizeof ip), "i", pack_numbers(record), "s", strings, "r",
		pack_recipients(record));
	dump = root == NULL ? NULL : json_dumps(root, JSON_COMPACT);
	if (dump == NULL)
		out->is_full = true;
	mg_buf_addz(out, dump);
	free(dump);
	json_decref(root);
}

static bool unpack_numbers(struct mg_record *record, const json_t *array)
{
	int64_t numbers[NUMBERS];

	if (!json_is_array(array) || json_array_size(array) != NUMBERS)
		return false;
	for (size_t i = 0; i < NUMBERS; i++) {
		const json_t *number = json_array_get(array, i);

		numbers[i] = json_integer_value(number);
		if (!json_is_integer(number) || numbers[i] < 0 || numbers[i] > largest[i])
			return false;
	}
	record->connect_us = numbers[CONNECT];
	record->time_us = numbers[TIME];
	record->end_us = numbers[END];
	record->by_milter = numbers[BY_MILTER] != 0;
	record->by_policy = numbers[BY_POLICY] != 0;
	record->smtpd_pid = (unsigned)numbers[SMTPD_PID];
	record->client_port = (unsigned)numbers[CLIENT_PORT];
	record->size_bytes = (uint64_t)numbers[SIZE];
	record->relay = (enum mg_relay_class)numbers[RELAY];
	record->action = (enum mg_action)numbers[ACTION];
	record->would = (enum mg_action)numbers[WOULD];
	record->latency_us = numbers[LATENCY];
	record->is_degraded = numbers[DEGRADED] != 0;
	record->recipients_left_out = (size_t)numbers[LEFT_OUT];
	return true;
}

static bool unpack_texts(struct mg_record *record, const json_t *array)
{
	if (!json_is_array(array) || json_array_size(array) != TEXTS)
		return false;
	for (size_t i = 0; i < TEXTS; i++)
		if ((*text_at(record, i) = narrow(record, json_array_get(array, i))) == NULL)
			return false;
	return true;
}

static bool unpack_recipient(struct mg_record *record, const json_t *row)
{
	const json_t *verdict = json_array_get(row, 1), *time = json_array_get(row, 5);
	struct mg_recipient *recipient;

	if (!json_is_array(row) || json_array_size(row) != 8 || !json_is_integer(verdict) || !json_is_integer(time) ||
		json_integer_value(verdict) < 0 || json_integer_value(verdict) >= MG_ACTIONS)
		return false;
	recipient = mg_record_add_recipient(record, (struct mg_str){ 0 });
	if (recipient == NULL)
		return false;
	recipient->verdict = (enum mg_action)json_integer_value(verdict);
	recipient->time_us = json_integer_value(time);
	recipient->address = narrow(record, json_array_get(row, 0));
	recipient->code = narrow(record, json_array_get(row, 2));
	recipient->dsn = narrow(record, json_array_get(row, 3));
	recipient->reply = narrow(record, json_array_get(row, 4));
	recipient->rule = narrow(record, json_array_get(row, 6));
	recipient->asked = narrow(record, json_array_get(row, 7));
	if (recipient->address == NULL || recipient->code == NULL || recipient->dsn == NULL ||
		recipient->reply == NULL || recipient->rule == NULL || recipient->asked == NULL)
		return false;
	if (recipient->rule[0] == '\0')
		recipient->rule = NULL;
	return true;
}

static bool unpack_recipients(struct mg_record *record, const json_t *array)
{
	const json_t *row;
	size_t i;

	if (!json_is_array(array) || json_array_size(array) > MG_RECORD_RECIPIENTS)
		return false;
	json_array_foreach(array, i, row)
	{
		if (!unpack_recipient(record, row))
			return false;
	}
	return true;
}

static bool unpack_names(struct mg_record *record, const json_t *root)
{
	const char *id = json_string_value(json_object_get(root, "id"));
	const char *ip = json_string_value(json_object_get(root, "ip"));

	if (json_integer_value(json_object_get(root, "v")) != VERSION || id == NULL || ip == NULL || id[0] == '\0' ||
		!mg_str_copy(record->id, sizeof record->id, mg_str_z(id)))
		return false;
	return ip[0] == '\0' || mg_ip_parse(mg_str_z(ip), &record->client_ip);
}

struct mg_record *mg_record_unpack(struct mg_str packed)
{
	json_t *root = packed.n == 0 || packed.n > MG_RECORD_PACK_MAX
			       ? NULL
			       : json_loadb(packed.p, packed.n, JSON_REJECT_DUPLICATES, NULL);
	struct mg_record *record = root == NULL ? NULL : mg_record_new(0, 0);

	if (record != NULL && !(unpack_names(record, root) && unpack_numbers(record, json_object_get(root, "i")) &&
				      unpack_texts(record, json_object_get(root, "s")) &&
				      unpack_recipients(record, json_object_get(root, "r"))))
		mg_record_free(&record);
	json_decref(root);
	return record;
}
