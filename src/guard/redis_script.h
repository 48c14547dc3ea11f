/* redis_script.h - what is said to a Redis or Valkey (5.0 or newer), and what its answers mean.
 *
 * A level is one string, "AMOUNT TIME": units times 2^MG_LEVEL_BITS, microseconds of the server's clock; it expires when it is
 * empty (or after 3000 years). Its key is `mailguard:{rate}:LIMIT:KEY`: one hash tag, so that all lie on one node of a cluster, and every key a script
 * touches is named in KEYS. A script checks and charges all items of a charge in one step, with the arithmetic of bucket.h in
 * Lua's doubles: exact to 2^-20 unit below 2^33 units, to 2^-11 at the largest burst there is.
 *
 * Threads: pure. */
#ifndef MG_GUARD_REDIS_SCRIPT_H
#define MG_GUARD_REDIS_SCRIPT_H

#include "guard/charge.h"

enum mg_redis_script { MG_REDIS_DECIDE, MG_REDIS_REFUND, MG_REDIS_SCRIPTS };
enum { MG_REDIS_SHA = 40 };

const char *mg_redis_script_text(enum mg_redis_script which);

/* A command as it goes over the wire. */
struct mg_redis_command {
	char *p; /* NULL: no memory */
	size_t n;
};
void mg_redis_command_free(struct mg_redis_command *command);

/* Any command; `words` are C strings. */
struct mg_redis_command mg_redis_command_of(const char *const *words, int count);

/* EVALSHA, or with `sha` "" EVAL, which teaches the server the script once more. 1 <= count <= MG_CHARGE_ITEMS. */
struct mg_redis_command mg_redis_script_command(
	enum mg_redis_script which, const char *sha, const struct mg_charge_item *items, size_t count);

struct mg_redis_command mg_redis_reset_command(const struct mg_charge_item *item);

/* Fills the answer of each item. False: this is no answer to that many items; they are untouched. */
MG_MUSTCHECK
bool mg_redis_decide_answer(struct mg_str text, struct mg_charge_item *items, size_t count, bool *is_refused_out);
/* Fills `used` of each. */
MG_MUSTCHECK
bool mg_redis_refund_answer(struct mg_str text, struct mg_charge_item *items, size_t count);

#endif
