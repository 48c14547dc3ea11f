/* redis_reply.h - what a Redis or Valkey answers, read with hiredis and bounded.
 *
 * No command of ours is answered with an array: so none is read, whatever it holds and however deep it lies. A text has at most
 * MG_REDIS_TEXT_MAX bytes; of an answer that is under way at most MG_REDIS_HELD bytes are kept, then it is nonsense.
 * Nonsense is final: the connection must end.
 *
 * Threads: one owner. */
#ifndef MG_GUARD_REDIS_REPLY_H
#define MG_GUARD_REDIS_REPLY_H

#include "base/str.h"

enum { MG_REDIS_TEXT_MAX = 4096, MG_REDIS_HELD = 8192 };

enum mg_redis_kind {
	MG_REDIS_NIL,
	MG_REDIS_TEXT, /* a bulk or simple string */
	MG_REDIS_NUMBER,
	MG_REDIS_ERROR, /* the text is "CODE sentence" */
};

struct mg_redis_reply {
	enum mg_redis_kind kind;
	struct mg_str text; /* until the next call on the reader */
	int64_t number;
};

/* An error whose first word is `code`. */
bool mg_redis_reply_is_error(const struct mg_redis_reply *reply, struct mg_str code);

struct mg_redis_reader;
struct mg_redis_reader *mg_redis_reader_new(void); /* NULL: no memory */
void mg_redis_reader_free(struct mg_redis_reader **reader);

enum mg_redis_read { MG_REDIS_MORE, MG_REDIS_REPLY, MG_REDIS_NONSENSE };

/* Gives it bytes; then the replies are taken until it says MORE. At most MG_REDIS_HELD bytes at once. */
void mg_redis_reader_feed(struct mg_redis_reader *reader, struct mg_str bytes);
enum mg_redis_read mg_redis_reader_next(struct mg_redis_reader *reader, struct mg_redis_reply *reply_out);

#endif
