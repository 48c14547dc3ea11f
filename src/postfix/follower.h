/* follower.h - hands Postfix's configuration to whoever acts by it, soon after it changed.
 *
 * A thread of its own looks once a second, so that the guards hear of a change at once, however long a health check takes.
 *
 * Threads: start, set_conf and stop from the owner's. */
#ifndef MG_POSTFIX_FOLLOWER_H
#define MG_POSTFIX_FOLLOWER_H

#include "conf/conf.h"
#include "postfix/postconf.h"

struct mg_follower;

struct mg_follower_options {
	const struct mg_conf *conf; /* one reference is taken */
	void *context;
	/* Postfix's configuration was read (again). On the follower's thread; borrowed for the call. */
	void (*postfix_read)(void *context, const struct mg_postfix *postfix);
	/* Whether a file has changed that something was made of when Postfix's configuration was read: then it is read again. On the
	 * same thread. */
	bool (*is_stale)(void *context);
};

MG_MUSTCHECK
enum mg_rc mg_follower_start(
	const struct mg_follower_options *options, struct mg_follower **follower_out, struct mg_err *err);
void mg_follower_set_conf(struct mg_follower *follower, const struct mg_conf *conf); /* reads anew */
void mg_follower_stop(struct mg_follower **follower); /* waits for a reading under way; NULL in it is fine */

#endif
