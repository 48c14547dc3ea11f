/* redis_link.h - one connection to the shared store, and the commands under way on it.
 *
 * It connects (each address of the host in turn), says who it is (AUTH, SELECT), loads the scripts, and then carries commands:
 * pipelined, answered in their order. A server that is silent for MG_REDIS_SILENCE_MS while an answer is due, says more than it was
 * asked, or breaks the bounds of redis_reply.h loses the connection. It never connects by itself: its owner decides when.
 *
 * Threads: one, that of the loop. Callbacks run on it and never inside a call of this header, but for mg_redis_link_free(). */
#ifndef MG_GUARD_REDIS_LINK_H
#define MG_GUARD_REDIS_LINK_H

#include "conf/store_url.h"
#include "guard/redis_reply.h"
#include "guard/redis_script.h"

struct event_base;

enum { MG_REDIS_PENDING = 4096, MG_REDIS_SILENCE_MS = 3000 };

/* The answer to one command, exactly once; NULL: the connection ended first. */
typedef void mg_redis_answer(void *context, const struct mg_redis_reply *reply);

struct mg_redis_link_owner {
	void *context;
	void (*ready)(void *context);                      /* commands may be sent */
	void (*ended)(void *context, const char *trouble); /* or never began; after all answers; it may connect again */
};

struct mg_redis_link;

/* Not connected yet. `url` (its password the one to use) is borrowed while it lives. */
MG_MUSTCHECK
enum mg_rc mg_redis_link_new(struct event_base *base, const struct mg_store_url *url,
	const struct mg_redis_link_owner *owner, struct mg_redis_link **link_out, struct mg_err *err);
void mg_redis_link_free(struct mg_redis_link **link); /* answers under way are NULL; NULL in it is fine */

/* `ready` or `ended` will come. Only when not connected. May block on the system's resolver. */
void mg_redis_link_connect(struct mg_redis_link *link);
bool mg_redis_link_is_closed(const struct mg_redis_link *link);

/* Takes the command. False: not ready, too much under way, no memory; then there will be no answer. */
MG_MUSTCHECK
bool mg_redis_link_send(
	struct mg_redis_link *link, struct mg_redis_command command_take, mg_redis_answer *answer, void *context);
size_t mg_redis_link_pending(const struct mg_redis_link *link);

/* Ends the connection; `ended` will come with this trouble, unless it ended already. */
void mg_redis_link_end(struct mg_redis_link *link, const char *trouble);

/* What an error answer says, for mg_redis_link_end(); one line without the password, in `place`. */
void mg_redis_link_say(const struct mg_redis_link *link, const struct mg_redis_reply *reply, char *place, size_t size);

/* The name the server knows the script by; "" before `ready`. */
const char *mg_redis_link_sha(const struct mg_redis_link *link, enum mg_redis_script which);

#endif
