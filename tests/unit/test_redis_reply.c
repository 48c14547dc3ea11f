#include "rows.h"

#include <stdio.h>
#include <string.h>

#include "guard/redis_reply.h"
#include "guard/redis_script.h"

/* ---- what a server says ---- */

struct reply_row {
	const char *name, *bytes;
	enum mg_redis_read read;
	enum mg_redis_kind kind;
	const char *text;
	int64_t number;
};
static const struct reply_row reply_rows[] = {
	{ "simple", "+OK\r\n", MG_REDIS_REPLY, MG_REDIS_TEXT, "OK", 0 },
	{ "bulk", "$5\r\na\r\nbc\r\n", MG_REDIS_REPLY, MG_REDIS_TEXT, "a\r\nbc", 0 },
	{ "empty bulk", "$0\r\n\r\n", MG_REDIS_REPLY, MG_REDIS_TEXT, "", 0 },
	{ "nil", "$-1\r\n", MG_REDIS_REPLY, MG_REDIS_NIL, "", 0 },
	{ "nil array", "*-1\r\n", MG_REDIS_REPLY, MG_REDIS_NIL, "", 0 },
	{ "number", ":-12\r\n", MG_REDIS_REPLY, MG_REDIS_NUMBER, "", -12 },
	{ "error", "-ERR no\r\n", MG_REDIS_REPLY, MG_REDIS_ERROR, "ERR no", 0 },
	{ "part of a line", "+OK\r", MG_REDIS_MORE, 0, "", 0 },
	{ "part of a bulk", "$5\r\nabc", MG_REDIS_MORE, 0, "", 0 },
	{ "a large bulk is waited for at first", "$2000000000\r\nabc", MG_REDIS_MORE, 0, "", 0 },
	{ "array", "*1\r\n:1\r\n", MG_REDIS_NONSENSE, 0, "", 0 },
	{ "empty array", "*0\r\n", MG_REDIS_NONSENSE, 0, "", 0 },
	{ "wide array", "*2147483647\r\n", MG_REDIS_NONSENSE, 0, "", 0 },
	{ "array too wide to count", "*1152921504606846976\r\n", MG_REDIS_NONSENSE, 0, "", 0 },
	{ "deep array", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", MG_REDIS_NONSENSE, 0, "",
		0 },
	{ "negative bulk", "$-5\r\n", MG_REDIS_NONSENSE, 0, "", 0 },
	{ "no number", ":1x\r\n", MG_REDIS_NONSENSE, 0, "", 0 },
	{ "http", "HTTP/1.1 400 Bad Request\r\n", MG_REDIS_NONSENSE, 0, "", 0 },
	{ "nothing known", "?\r\n", MG_REDIS_NONSENSE, 0, "", 0 },
};

static void a_reply_is_read(void **state)
{
	const struct reply_row *row = *state;
	struct mg_redis_reader *reader = mg_redis_reader_new();
	struct mg_redis_reply reply;

	assert_non_null(reader);
	mg_redis_reader_feed(reader, mg_str_z(row->bytes));
	assert_int_equal(mg_redis_reader_next(reader, &reply), row->read);
	if (row->read == MG_REDIS_REPLY) {
		assert_int_equal(reply.kind, row->kind);
		assert_true(mg_str_eq(reply.text, mg_str_z(row->text)));
		assert_int_equal(reply.number, row->number);
		assert_int_equal(mg_redis_reader_next(reader, &reply), MG_REDIS_MORE);
	}
	if (row->read == MG_REDIS_NONSENSE) {
		mg_redis_reader_feed(reader, MG_STR("+OK\r\n"));
		assert_int_equal(mg_redis_reader_next(reader, &reply), MG_REDIS_NONSENSE);
	}
	mg_redis_reader_free(&reader);
}

/* `begin`, then 'x' without end: nonsense before much is held. */
static void no_end_is_waited_for(void **state)
{
	static const char *const begins[] = { "$2000000000\r\n", "$536870912\r\n", "+", "-", ":1", "*", "$1" };
	char chunk[1024];

	(void)state;
	memset(chunk, 'x', sizeof chunk);
	for (size_t i = 0; i < ROWS(begins); i++) {
		struct mg_redis_reader *reader = mg_redis_reader_new();
		struct mg_redis_reply reply;
		enum mg_redis_read read;
		size_t fed = 0;

		mg_redis_reader_feed(reader, mg_str_z(begins[i]));
		while ((read = mg_redis_reader_next(reader, &reply)) == MG_REDIS_MORE) {
			mg_redis_reader_feed(reader, mg_str_of(chunk, sizeof chunk));
			fed += sizeof chunk;
			assert_true(fed <= MG_REDIS_HELD + sizeof chunk);
		}
		assert_int_equal(read, MG_REDIS_NONSENSE);
		mg_redis_reader_free(&reader);
	}
}

static void many_replies_come_in_their_order(void **state)
{
	struct mg_redis_reader *reader = mg_redis_reader_new();
	struct mg_redis_reply reply;
	char bytes[64];
	int64_t next = 0;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		int n = snprintf(bytes, sizeof bytes, ":%d\r\n", i);

		for (int at = 0; at < n; at++) {
			mg_redis_reader_feed(reader, mg_str_of(bytes + at, 1));
			if (i % 2 == 0 || at + 1 < n)
				continue;
			while (mg_redis_reader_next(reader, &reply) == MG_REDIS_REPLY)
				assert_int_equal(reply.number, next++);
		}
	}
	assert_int_equal(next, 20000);
	mg_redis_reader_free(&reader);
}

/* ---- what it means ---- */

struct answer_row {
	const char *name, *text;
	bool is_good;
};
static const struct answer_row answer_rows[] = {
	{ "granted", "0 1 0 0 3 0 0 0 0", true },
	{ "refused by the first", "1 0 1 500 3 0 0 0 0", true },
	{ "refused by the second", "1 0 0 0 3 0 2 0 7", true },
	{ "empty", "", false },
	{ "too few", "0 1 0 0 3", false },
	{ "too many", "0 1 0 0 3 0 0 0 0 0", false },
	{ "a blank more", "0 1 0 0 3 0 0 0 0 ", false },
	{ "two blanks", "0  1 0 0 3 0 0 0 0", false },
	{ "a sign", "0 1 0 -1 3 0 0 0 0", false },
	{ "a fraction", "0 1 0 0 3.5 0 0 0 0", false },
	{ "not a truth", "2 1 0 0 3 0 0 0 0", false },
	{ "a large wait", "1 0 1 9000000000000001 3 0 0 0 0", false },
	{ "a large level", "0 1 0 0 1000000000000001 0 0 0 0", false },
	{ "larger than 64 bits", "0 1 0 0 99999999999999999999999 0 0 0 0", false },
	{ "not a number", "0 1 0 0 nan 0 0 0 0", false },
	{ "refused and charged", "1 1 1 5 3 0 0 0 0", false },
	{ "refused without reason", "1 0 0 0 3 0 0 0 0", false },
	{ "granted against reason", "0 0 1 5 3 0 0 0 0", false },
	{ "a look that is charged", "0 1 0 0 3 1 0 0 0", false },
};

static void an_answer_is_understood(void **state)
{
	const struct answer_row *row = *state;
	struct mg_charge_item items[2] = { { .mode = MG_CHARGE_HARD, .used = 77 }, { .mode = MG_CHARGE_LOOK } };
	bool is_refused;

	assert_int_equal(mg_redis_decide_answer(mg_str_z(row->text), items, 2, &is_refused), row->is_good);
	if (!row->is_good) {
		assert_int_equal(items[0].used, 77);
		return;
	}
	assert_int_equal(items[0].used, 3);
	assert_int_equal(is_refused, row->text[0] == '1');
	assert_int_equal(items[0].wait_ns, strstr(row->text, "500") != NULL ? 500000 : 0);
	assert_int_equal(items[1].wait_ns, strstr(row->text, "2") != NULL ? INT64_MAX : 0);
}

static void a_refund_is_understood(void **state)
{
	struct mg_charge_item items[2] = { { .used = 0 } };

	(void)state;
	assert_true(mg_redis_refund_answer(MG_STR("3 0"), items, 2));
	assert_int_equal(items[0].used, 3);
	assert_false(mg_redis_refund_answer(MG_STR("3"), items, 2));
	assert_false(mg_redis_refund_answer(MG_STR("3 0 1"), items, 2));
	assert_false(mg_redis_refund_answer(MG_STR("3 x"), items, 2));
	assert_false(mg_redis_refund_answer(MG_STR(""), items, 2));
}

static void keys_lie_under_one_hash_tag(void **state)
{
	struct mg_charge_item item = { .bucket = { 1, 2, 3 }, .limit = "hour", .key = "user:{a}", .cost = 4 };
	struct mg_redis_command command = mg_redis_script_command(MG_REDIS_DECIDE, "abc", &item, 1);

	(void)state;
	assert_true(mg_str_eq(mg_str_of(command.p, command.n),
		MG_STR("*9\r\n$7\r\nEVALSHA\r\n$3\r\nabc\r\n$1\r\n1\r\n$30\r\nmailguard:{rate}:hour:user:{a}\r\n"
		       "$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n$1\r\nh\r\n")));
	mg_redis_command_free(&command);
	assert_null(command.p);
}

static void the_longest_charge_is_written(void **state)
{
	struct mg_charge_item items[MG_CHARGE_ITEMS] = { 0 };
	struct mg_redis_command command;

	(void)state;
	for (size_t i = 0; i < MG_CHARGE_ITEMS; i++) {
		memset(items[i].limit, 'l', sizeof items[i].limit - 1);
		memset(items[i].key, 'k', sizeof items[i].key - 1);
		items[i].cost = items[i].bucket.limit = items[i].bucket.burst = items[i].bucket.per_s = UINT64_MAX;
		items[i].mode = MG_CHARGE_WATCH;
	}
	command = mg_redis_script_command(MG_REDIS_DECIDE, "", items, MG_CHARGE_ITEMS);
	assert_non_null(command.p);
	mg_redis_command_free(&command);
}

int main(void)
{
	struct CMUnitTest tests[ROWS(reply_rows) + ROWS(answer_rows) + 8];
	size_t n = 0;

	ADD_ROWS(tests, n, reply_rows, a_reply_is_read);
	ADD_ROWS(tests, n, answer_rows, an_answer_is_understood);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(no_end_is_waited_for);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(many_replies_come_in_their_order);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_refund_is_understood);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(keys_lie_under_one_hash_tag);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(the_longest_charge_is_written);
	return _cmocka_run_group_tests("redis_reply", tests, n, NULL, NULL);
}
