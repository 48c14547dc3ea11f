#include "journal_kit.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

static _Atomic int64_t wall_us = KIT_EPOCH;
static _Atomic unsigned serial;

int64_t kit_wall_us(void)
{
	return wall_us;
}

void kit_wait(int64_t seconds)
{
	wall_us += seconds * MG_S_US;
}

void kit_begin(struct kit *kit)
{
	memset(kit, 0, sizeof *kit);
	kit->max_mb = 64;
	wall_us = KIT_EPOCH;
	snprintf(kit->directory, sizeof kit->directory, "/tmp/mg-journal-XXXXXX");
	assert_non_null(mkdtemp(kit->directory));
	snprintf(kit->path, sizeof kit->path, "%s/journal.db", kit->directory);
}

static void corrected(void *context, enum mg_action was, enum mg_action is)
{
	struct kit *kit = context;

	kit->corrections++;
	kit->was = was;
	kit->is = is;
}

void kit_open(struct kit *kit)
{
	struct mg_journal_options options = { .path = kit->path,
		.keep_days = 3650,
		.max_mb = kit->max_mb,
		.pseudonymize = kit->pseudonymize,
		.corrected = corrected,
		.context = kit,
		.wall_us = kit_wall_us };
	struct mg_err err = { "" };

	if (mg_journal_open(&options, &kit->journal, &err) != MG_OK)
		fail_msg("open: %s", err.text);
}

void kit_close(struct kit *kit, int timeout_ms)
{
	mg_journal_close(&kit->journal, timeout_ms);
}

void kit_end(struct kit *kit)
{
	struct dirent *entry;
	DIR *directory;

	kit_close(kit, 0);
	directory = opendir(kit->directory);
	while (directory != NULL && (entry = readdir(directory)) != NULL)
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(directory), entry->d_name, 0);
	if (directory != NULL)
		closedir(directory);
	rmdir(kit->directory);
}

static const struct {
	const char *word, *daemon;
	enum mg_line_kind kind;
} kinds[] = {
	{ "connect", "smtpd", MG_LINE_CONNECT },
	{ "disconnect", "smtpd", MG_LINE_DISCONNECT },
	{ "client", "smtpd", MG_LINE_CLIENT },
	{ "pickup", "pickup", MG_LINE_PICKUP },
	{ "msgid", "cleanup", MG_LINE_MESSAGE_ID },
	{ "queued", "qmgr", MG_LINE_QUEUED },
	{ "delivery", "smtp", MG_LINE_DELIVERY },
	{ "expired", "qmgr", MG_LINE_EXPIRED },
	{ "removed", "qmgr", MG_LINE_REMOVED },
	{ "notice", "bounce", MG_LINE_NOTICE },
	{ "reject", "smtpd", MG_LINE_REJECT },
	{ "milter", "cleanup", MG_LINE_MILTER },
	{ "hold", "postsuper", MG_LINE_HOLD },
	{ "release", "postsuper", MG_LINE_RELEASE },
	{ "discard", "smtpd", MG_LINE_DISCARD },
	{ "postscreen", "postscreen", MG_LINE_POSTSCREEN },
	{ "dovecot", "lmtp", MG_LINE_DOVECOT },
};

static int64_t time_of(struct mg_str value)
{
	uint64_t seconds = 0, fraction = 0;

	assert_true(mg_read_u64(&value, 1000000000, &seconds));
	if (mg_read_token(&value, MG_STR("."))) {
		size_t digits = value.n;

		assert_true(mg_read_u64(&value, 999999, &fraction));
		for (; digits < 6; digits++)
			fraction *= 10;
	}
	return KIT_EPOCH + (int64_t)(seconds * 1000000 + fraction);
}

static unsigned number_of(struct mg_str value)
{
	uint64_t number = 0;

	assert_true(mg_str_to_u64(value, UINT32_MAX, &number));
	return (unsigned)number;
}

static void line_value(struct mg_log_line *line, struct mg_str key, struct mg_str value)
{
	const struct {
		const char *key;
		struct mg_str *slice;
	} slices[] = { { "q", &line->queue_id }, { "service", &line->service }, { "daemon", &line->daemon },
		{ "name", &line->client_name }, { "helo", &line->helo }, { "user", &line->user },
		{ "orig", &line->orig_queue_id }, { "to", &line->recipient }, { "orig_to", &line->orig_to },
		{ "msgid", &line->message_id }, { "stage", &line->stage }, { "verb", &line->verb },
		{ "code", &line->code }, { "dsn", &line->dsn }, { "reply", &line->reply }, { "relay", &line->relay },
		{ "status", &line->status }, { "as", &line->queued_as }, { "child", &line->child_queue_id },
		{ "mailbox", &line->mailbox }, { "from", &line->sender } };

	if (mg_str_eq(key, MG_STR("t")))
		line->time_us = time_of(value);
	else if (mg_str_eq(key, MG_STR("pid")))
		line->pid = number_of(value);
	else if (mg_str_eq(key, MG_STR("port")))
		line->client_port = number_of(value);
	else if (mg_str_eq(key, MG_STR("uid")))
		line->uid = number_of(value);
	else if (mg_str_eq(key, MG_STR("size")))
		line->size_bytes = number_of(value);
	else if (mg_str_eq(key, MG_STR("ip")))
		assert_true(mg_ip_parse(value, &line->client_ip));
	else
		for (size_t i = 0;; i++) {
			if (i == sizeof slices / sizeof slices[0])
				fail_msg("no such key: %.*s", MG_STR_ARGS(key));
			if (mg_str_eq(key, mg_str_z(slices[i].key))) {
				*slices[i].slice = value;
				break;
			}
		}
	if (mg_str_eq(key, MG_STR("from")))
		line->has_sender = true;
}

/* Words have no spaces: a value writes them as "_". */
static struct mg_str with_spaces(struct mg_str value)
{
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] == '_')
			((char *)(uintptr_t)value.p)[i] = ' ';
	return value;
}

void kit_line(char *text, struct mg_log_line *line)
{
	struct mg_str rest = mg_str_z(text), word;

	memset(line, 0, sizeof *line);
	line->delay_s = 1.5;
	for (int i = 0; i < 4; i++)
		line->delays_s[i] = 0.1 * i;
	assert_true(mg_read_word(&rest, " ", &word));
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (mg_str_eq(word, mg_str_z(kinds[i].word))) {
			line->kind = kinds[i].kind;
			line->daemon = mg_str_z(kinds[i].daemon);
		}
	if (line->kind == MG_LINE_UNKNOWN)
		fail_msg("no such kind: %s", text);
	line->service = line->kind == MG_LINE_PICKUP ? MG_STR("postfix/pickup") : MG_STR("postfix/smtpd");
	while (mg_read_word(&rest, " ", &word)) {
		struct mg_str value = word, key = mg_str_cut(&value, '=');

		line_value(line, key, with_spaces(value));
	}
}

static void add_recipient(struct mg_record *record, struct mg_str value)
{
	struct mg_recipient *recipient = mg_record_add_recipient(record, mg_str_cut(&value, '='));
	struct mg_str verdict = mg_str_cut(&value, '=');

	recipient->time_us = record->time_us;
	recipient->verdict = verdict.n == 0 ? MG_ACTION_ACCEPT : mg_action_of(verdict);
	recipient->code = mg_record_text(record, mg_str_cut(&value, '='));
	recipient->dsn = mg_record_text(record, mg_str_cut(&value, '='));
	recipient->reply = mg_record_text(record, value);
}

static void record_value(struct mg_record *record, struct mg_str key, struct mg_str value)
{
	const struct {
		const char *key;
		const char **text;
	} texts[] = { { "q", &record->queue_id }, { "name", &record->client_name }, { "helo", &record->helo },
		{ "user", &record->user }, { "from", &record->sender }, { "domain", &record->from_domain },
		{ "msgid", &record->message_id }, { "code", &record->code }, { "text", &record->text },
		{ "rule", &record->rule }, { "spf", &record->auth[MG_METHOD_SPF] } };

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		if (mg_str_eq(key, mg_str_z(texts[i].key)))
			*texts[i].text = mg_record_text(record, value);
	if (mg_str_eq(key, MG_STR("t")))
		record->time_us = record->end_us = time_of(value);
	else if (mg_str_eq(key, MG_STR("end")))
		record->end_us = time_of(value);
	else if (mg_str_eq(key, MG_STR("pid")))
		record->smtpd_pid = number_of(value);
	else if (mg_str_eq(key, MG_STR("left")))
		record->recipients_left_out = number_of(value);
	else if (mg_str_eq(key, MG_STR("size")))
		record->size_bytes = number_of(value);
	else if (mg_str_eq(key, MG_STR("ip")))
		assert_true(mg_ip_parse(value, &record->client_ip));
	else if (mg_str_eq(key, MG_STR("action")))
		record->action = mg_action_of(value);
	else if (mg_str_eq(key, MG_STR("would")))
		record->would = mg_action_of(value);
	else if (mg_str_eq(key, MG_STR("doors")))
		record->by_milter = mg_str_eq(value, MG_STR("milter"));
	else if (mg_str_eq(key, MG_STR("rcpt")))
		add_recipient(record, value);
	for (unsigned i = 0; i < MG_RELAY_CLASSES && mg_str_eq(key, MG_STR("class")); i++)
		if (mg_str_eq(value, mg_str_z(mg_relay_class_name((enum mg_relay_class)i))))
			record->relay = (enum mg_relay_class)i;
}

struct mg_record *kit_record(char *text)
{
	struct mg_record *record = mg_record_new(KIT_EPOCH, ++serial);
	struct mg_str rest = mg_str_z(text), word;

	assert_non_null(record);
	assert_true(mg_read_word(&rest, " ", &word));
	record->action = MG_ACTION_ACCEPT;
	record->by_policy = true;
	while (mg_read_word(&rest, " ", &word)) {
		struct mg_str value = word, key = mg_str_cut(&value, '=');

		record_value(record, key, with_spaces(value));
	}
	return record;
}

static void run_step(struct kit *kit, char *step)
{
	struct mg_log_position position = { .source = "file:/test", .inode = 1 };
	struct mg_log_line line;

	if (strncmp(step, "wait ", 5) == 0) {
		assert_true(mg_journal_flush(kit->journal, 10000));
		kit_wait(number_of(mg_str_z(step + 5)));
	} else if (strncmp(step, "record", 6) == 0) {
		assert_true(mg_journal_put(kit->journal, kit_record(step)));
	} else {
		kit_line(step, &line);
		position.offset = ++kit->offset;
		assert_true(mg_journal_take_line(kit->journal, &line, &position));
	}
}

void kit_run(struct kit *kit, const char *script, bool is_slow)
{
	struct mg_str rest = mg_str_z(script);

	while (rest.n > 0) {
		char *step = mg_str_dup(mg_str_trim(mg_str_cut(&rest, '\n')));

		assert_non_null(step);
		if (step[0] != '\0')
			run_step(kit, step);
		free(step);
		if (is_slow)
			assert_true(mg_journal_flush(kit->journal, 10000));
	}
	assert_true(mg_journal_flush(kit->journal, 60000));
}

json_t *kit_transactions(struct kit *kit)
{
	struct mg_recent_filter filter = { 0, "", "", "", "", 10000 };
	struct mg_query *query = NULL;
	struct mg_err err = { "" };
	json_t *newest = NULL, *oldest = json_array();

	if (mg_query_open(kit->path, &query, &err) != MG_OK ||
		mg_query_recent(query, &filter, mg_mono_us() + 10 * MG_S_US, &newest, &err) != MG_OK)
		fail_msg("query: %s", err.text);
	for (size_t i = json_array_size(newest); i > 0; i--)
		json_array_append(oldest, json_array_get(newest, i - 1));
	json_decref(newest);
	mg_query_close(&query);
	return oldest;
}

json_t *kit_trace(struct kit *kit, const char *what)
{
	struct mg_query *query = NULL;
	struct mg_err err = { "" };
	json_t *out = NULL;

	if (mg_query_open(kit->path, &query, &err) != MG_OK ||
		mg_query_trace(query, what, 100, mg_mono_us() + 10 * MG_S_US, &out, &err) != MG_OK)
		fail_msg("trace: %s", err.text);
	mg_query_close(&query);
	return out;
}

static bool contains(const json_t *actual, const json_t *expected)
{
	const char *key;
	const json_t *value;
	size_t i;

	if (json_is_object(expected)) {
		json_object_foreach((json_t *)(uintptr_t)expected, key, value)
		{
			if (!contains(json_object_get(actual, key), value))
				return false;
		}
		return json_is_object(actual);
	}
	if (json_is_array(expected)) {
		if (!json_is_array(actual) || json_array_size(actual) != json_array_size(expected))
			return false;
		json_array_foreach(expected, i, value)
		{
			if (!contains(json_array_get(actual, i), value))
				return false;
		}
		return true;
	}
	if (json_is_number(expected) && json_is_number(actual))
		return json_number_value(expected) == json_number_value(actual);
	return json_equal(actual, expected);
}

void kit_expect(const char *name, const json_t *actual, const char *expected)
{
	char *text = mg_str_dup(mg_str_z(expected)), *dump;
	json_error_t error;
	json_t *json;

	for (char *p = text; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	json = json_loads(text, JSON_DECODE_ANY, &error);
	if (json == NULL)
		fail_msg("%s: expectation: %s at %d", name, error.text, error.position);
	if (!contains(actual, json)) {
		dump = json_dumps(actual, JSON_INDENT(1));
		print_error("%s: wanted %s\ngot %s\n", name, text, dump);
		free(dump);
		fail();
	}
	json_decref(json);
	free(text);
}
