/* Whatever a Redis answers: no crash, nothing read beyond it, little held, and an answer that is taken keeps its promises. The
 * first byte chooses how many items were asked about, the second in what pieces the bytes come. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "guard/redis_reply.h"
#include "guard/redis_script.h"

static void insist(bool claim)
{
	if (!claim)
		abort();
}

static void check_item(const struct mg_charge_item *item, bool is_refused)
{
	insist(item->wait_ns >= 0);
	insist(item->is_over || item->wait_ns < INT64_MAX);
	insist(!(is_refused && item->is_charged));
	insist(!(item->mode == MG_CHARGE_LOOK && item->is_charged));
}

static void understand(struct mg_str text, size_t count)
{
	struct mg_charge_item items[MG_CHARGE_ITEMS] = { { .used = 0 } };
	bool is_refused;

	for (size_t i = 0; i < count; i++)
		items[i].mode = (enum mg_charge_mode)(i % (MG_CHARGE_WATCH + 1));
	if (mg_redis_decide_answer(text, items, count, &is_refused))
		for (size_t i = 0; i < count; i++)
			check_item(&items[i], is_refused);
	if (mg_redis_refund_answer(text, items, count))
		insist(text.n >= 2 * count - 1);
}

static bool take_all(struct mg_redis_reader *reader, size_t count)
{
	struct mg_redis_reply reply;
	enum mg_redis_read read;

	while ((read = mg_redis_reader_next(reader, &reply)) == MG_REDIS_REPLY) {
		insist(reply.text.n <= MG_REDIS_TEXT_MAX);
		insist(reply.kind != MG_REDIS_NIL || reply.text.n == 0);
		for (size_t i = 0; i < reply.text.n; i++) /* every byte is there */
			((volatile const char *)reply.text.p)[i];
		(void)mg_redis_reply_is_error(&reply, MG_STR("NOSCRIPT"));
		understand(reply.text, count);
	}
	return read == MG_REDIS_MORE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mg_redis_reader *reader;
	size_t count, piece;

	if (size < 2 || (reader = mg_redis_reader_new()) == NULL)
		return 0;
	count = 1 + data[0] % MG_CHARGE_ITEMS;
	piece = 1 + data[1] * 8u;
	understand(mg_str_of(data + 2, size - 2), count);
	for (size_t at = 2; at < size; at += piece) {
		mg_redis_reader_feed(reader, mg_str_of(data + at, size - at < piece ? size - at : piece));
		if (!take_all(reader, count))
			break;
	}
	mg_redis_reader_free(&reader);
	return 0;
}
