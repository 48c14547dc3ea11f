#include "zone_kit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

enum { CHAIN = 8 };

static bool is_name(const struct zone_record *record, const char *name)
{
	return mg_str_eq_nocase(mg_str_z(record->name), mg_str_z(name));
}

static bool is_type(const struct zone_record *record, const char *type)
{
	return mg_str_eq(mg_str_z(record->type), mg_str_z(type));
}

static int hex(char c)
{
	const char *digits = "0123456789abcdef", *at = c == '\0' ? NULL : strchr(digits, c | 0x20);

	return at == NULL ? -1 : (int)(at - digits);
}

/* \xNN becomes a byte; returns the length. */
static size_t unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from != '\0'; to++) {
		if (from[0] == '\\' && from[1] == 'x' && hex(from[2]) >= 0 && hex(from[3]) >= 0) {
			*to = (char)(hex(from[2]) << 4 | hex(from[3]));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
	return (size_t)(to - text);
}

void zone_add(struct zone *zone, const char *name, const char *type, const char *value, size_t value_bytes)
{
	struct zone_record *record;

	if (zone->count == zone->room) {
		zone->room = zone->room == 0 ? 16 : 2 * zone->room;
		zone->records = realloc(zone->records, zone->room * sizeof *zone->records);
	}
	record = &zone->records[zone->count++];
	*record = (struct zone_record){ .value = malloc(value_bytes + 1), .value_bytes = value_bytes };
	mg_str_copy(record->name, sizeof record->name, mg_str_z(name));
	unescape(record->name);
	mg_str_copy(record->type, sizeof record->type, mg_str_z(type));
	memcpy(record->value, value, value_bytes);
	record->value[value_bytes] = '\0';
}

static void add_line(struct zone *zone, struct mg_str line)
{
	struct mg_str name, type;
	char *parts[3];

	if (!mg_read_word(&line, " \t", &name) || !mg_read_word(&line, " \t", &type))
		return;
	if (line.n > 0)
		line = mg_str_from(line, 1);
	parts[0] = mg_str_dup(name);
	parts[1] = mg_str_dup(type);
	parts[2] = mg_str_dup(line);
	zone_add(zone, parts[0], parts[1], parts[2], unescape(parts[2]));
	for (size_t i = 0; i < 3; i++)
		free(parts[i]);
}

static struct mg_dns_answer *make_answer(
	const struct zone *zone, const char *name, const char *type, size_t count, size_t bytes)
{
	char *text;
	struct mg_dns_answer *answer = mg_dns_answer_new(count > 0 ? MG_DNS_FOUND : MG_DNS_NODATA, count, bytes, &text);
	size_t at = 0;

	answer->ttl_s = 60;
	for (size_t i = 0; i < zone->count; i++) {
		const struct zone_record *from = &zone->records[i];
		struct mg_str value = mg_str_of(from->value, from->value_bytes);
		struct mg_dns_record *record = &answer->records[at];
		uint64_t preference = 0;

		if (!is_name(from, name) || !is_type(from, type))
			continue;
		at++;
		if (mg_str_eq(mg_str_z(type), MG_STR("A")) || mg_str_eq(mg_str_z(type), MG_STR("AAAA"))) {
			mg_ip_parse(value, &record->ip);
			continue;
		}
		if (mg_str_eq(mg_str_z(type), MG_STR("MX")) && mg_read_u64(&value, 65535, &preference))
			value = mg_str_trim(value);
		record->preference = (unsigned)preference;
		if (value.n > 0)
			memcpy(text, value.p, value.n);
		record->text = mg_str_of(text, value.n);
		if (!mg_str_eq(mg_str_z(type), MG_STR("TXT")))
			for (size_t c = 0; c < value.n; c++)
				if (text[c] >= 'A' && text[c] <= 'Z')
					text[c] = (char)(text[c] + 32);
		text += value.n;
	}
	return answer;
}

static const struct mg_dns_answer *look_up(const struct zone *zone, const char *name, const char *type, int depth)
{
	size_t count = 0, bytes = 0;
	bool exists = false;

	for (size_t i = 0; i < zone->count; i++) {
		const struct zone_record *record = &zone->records[i];

		if (!is_name(record, name)) {
			struct mg_str below = mg_str_z(record->name), of = mg_str_z(name);

			exists |= below.n > of.n && mg_str_ends_nocase(below, of) && below.p[below.n - of.n - 1] == '.';
			continue;
		}
		exists = true;
		if (is_type(record, "TIMEOUT") && count == 0)
			return mg_dns_answer_trouble(MG_DNS_TIMEOUT);
		if (is_type(record, "SERVFAIL") && count == 0)
			return mg_dns_answer_trouble(MG_DNS_SERVFAIL);
		if (is_type(record, "CNAME") && !mg_str_eq(mg_str_z(type), MG_STR("CNAME")))
			return depth >= CHAIN ? mg_dns_answer_trouble(MG_DNS_SERVFAIL)
					      : look_up(zone, record->value, type, depth + 1);
		if (is_type(record, type)) {
			count++;
			bytes += record->value_bytes;
		}
	}
	if (!exists)
		return mg_dns_answer_new(MG_DNS_NXDOMAIN, 0, 0, NULL);
	return make_answer(zone, name, type, count, bytes);
}

static const struct mg_dns_answer *ask(void *context, const struct mg_dns_question *question, int64_t deadline_us,
	struct mg_lookup *lookup, unsigned slot, void **token_out)
{
	struct zone *zone = context;
	const struct mg_dns_answer *answer = look_up(zone, question->name, mg_dns_type_name(question->type), 0);

	(void)deadline_us;
	zone->asked++;
	if (!zone->is_slow)
		return answer;
	zone->waiting[zone->waiting_count] = (struct waiting){ lookup, slot, answer };
	*token_out = &zone->waiting[zone->waiting_count++];
	return NULL;
}

/* The token is the place in the queue when it was asked: those before it may have left since. */
static void cancel(void *context, void *token)
{
	struct zone *zone = context;

	(void)token;
	for (size_t i = 0; i < zone->waiting_count; i++)
		mg_dns_answer_unref(&zone->waiting[i].answer);
	zone->waiting_count = 0;
}

bool zone_deliver(struct zone *zone)
{
	struct waiting first;

	if (zone->waiting_count == 0)
		return false;
	first = zone->waiting[0];
	zone->waiting_count--;
	memmove(zone->waiting, zone->waiting + 1, zone->waiting_count * sizeof *zone->waiting);
	mg_lookup_answer(first.lookup, first.slot, first.answer);
	return true;
}

void zone_begin(struct zone *zone, const char *text)
{
	struct mg_str rest = mg_str_z(text);

	*zone = (struct zone){ .source = { zone, ask, cancel } };
	while (rest.n > 0)
		add_line(zone, mg_str_cut(&rest, '\n'));
}

void zone_end(struct zone *zone)
{
	cancel(zone, NULL);
	for (size_t i = 0; i < zone->count; i++)
		free(zone->records[i].value);
	free(zone->records);
	*zone = (struct zone){ 0 };
}

struct mg_lookup *zone_lookup(struct zone *zone)
{
	struct mg_lookup_options options = { .source = &zone->source,
		.questions_max = MG_LOOKUP_QUESTIONS,
		.deadline_us = mg_mono_us() + 3600 * MG_S_US };

	return mg_lookup_new(&options);
}
