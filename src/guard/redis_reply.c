/* hiredis keeps the grammar; the objects it asks for are made here, in one slot of fixed size, so that nothing is allocated
 * for what a server claims. An object refused (NULL) makes hiredis stop for good. */
#include "guard/redis_reply.h"

#include <stdlib.h>

#include <hiredis/hiredis.h>

struct mg_redis_reader {
	redisReader *grammar;
	bool is_nonsense;
	struct mg_redis_reply reply;
	char text[MG_REDIS_TEXT_MAX];
};

static struct mg_redis_reply *begin(const redisReadTask *task, enum mg_redis_kind kind)
{
	struct mg_redis_reader *reader = task->privdata;

	if (task->parent != NULL)
		return NULL;
	reader->reply = (struct mg_redis_reply){ .kind = kind };
	return &reader->reply;
}

static void *make_text(const redisReadTask *task, char *p, size_t n)
{
	enum mg_redis_kind kind = task->type == REDIS_REPLY_ERROR ? MG_REDIS_ERROR : MG_REDIS_TEXT;
	struct mg_redis_reader *reader = task->privdata;
	struct mg_redis_reply *reply = begin(task, kind);

	if (reply == NULL || n > sizeof reader->text)
		return NULL;
	memcpy(reader->text, p, n);
	reply->text = mg_str_of(reader->text, n);
	return reply;
}

#if HIREDIS_MAJOR >= 1
typedef size_t element_count;
#else
typedef int element_count;
#endif

static void *make_array(const redisReadTask *task, element_count elements)
{
	(void)task;
	(void)elements;
	return NULL;
}

static void *make_number(const redisReadTask *task, long long number)
{
	struct mg_redis_reply *reply = begin(task, MG_REDIS_NUMBER);

	if (reply != NULL)
		reply->number = number;
	return reply;
}

static void *make_nil(const redisReadTask *task)
{
	return begin(task, MG_REDIS_NIL);
}

static void free_nothing(void *reply)
{
	(void)reply;
}

#if HIREDIS_MAJOR >= 1 /* what RESP3 has more, and nobody asked for */
static void *make_double(const redisReadTask *task, double number, char *p, size_t n)
{
	(void)task;
	(void)number;
	(void)p;
	(void)n;
	return NULL;
}

static void *make_bool(const redisReadTask *task, int is_true)
{
	(void)task;
	(void)is_true;
	return NULL;
}
#endif

static redisReplyObjectFunctions objects = {
	.createString = make_text,
	.createArray = make_array,
	.createInteger = make_number,
	.createNil = make_nil,
#if HIREDIS_MAJOR >= 1
	.createDouble = make_double,
	.createBool = make_bool,
#endif
	.freeObject = free_nothing,
};

struct mg_redis_reader *mg_redis_reader_new(void)
{
	struct mg_redis_reader *reader = calloc(1, sizeof *reader);

	if (reader == NULL)
		return NULL;
	reader->grammar = redisReaderCreateWithFunctions(&objects);
	if (reader->grammar == NULL) {
		free(reader);
		return NULL;
	}
	reader->grammar->privdata = reader;
	return reader;
}

void mg_redis_reader_free(struct mg_redis_reader **reader)
{
	if (*reader == NULL)
		return;
	redisReaderFree((*reader)->grammar);
	free(*reader);
	*reader = NULL;
}

void mg_redis_reader_feed(struct mg_redis_reader *reader, struct mg_str bytes)
{
	mg_assert(bytes.n <= MG_REDIS_HELD);
	if (!reader->is_nonsense && redisReaderFeed(reader->grammar, bytes.p, bytes.n) != REDIS_OK)
		reader->is_nonsense = true;
}

enum mg_redis_read mg_redis_reader_next(struct mg_redis_reader *reader, struct mg_redis_reply *reply_out)
{
	void *made = NULL;

	if (reader->is_nonsense || redisReaderGetReply(reader->grammar, &made) != REDIS_OK) {
		reader->is_nonsense = true;
		return MG_REDIS_NONSENSE;
	}
	if (made != NULL) {
		*reply_out = reader->reply;
		return MG_REDIS_REPLY;
	}
	if (reader->grammar->len - reader->grammar->pos <= MG_REDIS_HELD)
		return MG_REDIS_MORE;
	reader->is_nonsense = true;
	return MG_REDIS_NONSENSE;
}

bool mg_redis_reply_is_error(const struct mg_redis_reply *reply, struct mg_str code)
{
	struct mg_str rest = reply->text;

	return reply->kind == MG_REDIS_ERROR && mg_str_eq(mg_str_cut(&rest, ' '), code);
}
