/* queue.h - Postfix's queue: how many messages lie where and for how long (its directories), and which (the showq service).
 *
 * Directories need root or mail_owner; the socket public/showq needs the group postdrop and a running Postfix. Both are bounded:
 * files, messages, bytes and time.
 *
 * Threads: pure, but for blocking on disk and socket. */
#ifndef MG_POSTFIX_QUEUE_H
#define MG_POSTFIX_QUEUE_H

#include "base/buf.h"

enum mg_queue {
	MG_QUEUE_ACTIVE,
	MG_QUEUE_DEFERRED,
	MG_QUEUE_INCOMING,
	MG_QUEUE_MAILDROP,
	MG_QUEUE_HOLD,
	MG_QUEUE_CORRUPT,
	MG_QUEUES,
};
const char *mg_queue_name(enum mg_queue queue); /* "active", ...: its directory */

enum { MG_QUEUE_FILES = 200000, MG_QUEUE_MESSAGES = 20000, MG_QUEUE_RECIPIENTS = 100000 };

struct mg_queue_count {
	uint64_t messages;
	int64_t oldest_us;  /* wall: arrival of the oldest; 0 when there is none */
	char oldest_id[32]; /* its queue id */
	bool is_cut;        /* there are more: a bound or the deadline was reached */
};

/* Counts one queue, hashed directories included. A deferred message's file says when it is tried next, so its arrival is read from
 * the file. MG_EPERM: its directory may not be read; MG_ENOENT: there is none; MG_EIO. */
MG_MUSTCHECK
enum mg_rc mg_queue_scan(const char *queue_directory, enum mg_queue queue, int64_t deadline_us,
	struct mg_queue_count *count_out, struct mg_err *err);

/* One recipient of one message; all slices are borrowed for the call. */
struct mg_queue_entry {
	struct mg_str queue;                         /* "deferred", ... */
	struct mg_str id, sender, recipient, reason; /* sender "" null; reason "" when nothing was tried */
	int64_t arrival_us;                          /* wall */
	uint64_t size_bytes;
	bool is_first; /* recipient of its message */
};
typedef void mg_queue_see(void *context, const struct mg_queue_entry *entry);

/* What showq sends, taken as it comes: names and values, each ended by a NUL. */
struct mg_showq {
	mg_queue_see *see;
	void *context;
	struct mg_buf name, value, queue, id, sender, recipient, reason;
	bool is_value, has_message, has_recipient, is_first;
	int64_t arrival_us;
	uint64_t size_bytes;
	size_t messages, recipients;
};
void mg_showq_init(struct mg_showq *showq, mg_queue_see *see, void *context);
void mg_showq_fini(struct mg_showq *showq);
/* False: enough, a bound is reached. */
bool mg_showq_feed(struct mg_showq *showq, struct mg_str bytes);
void mg_showq_end(struct mg_showq *showq); /* the last one is seen */

/* Asks showq. MG_EPERM, MG_ENOENT (Postfix is down), MG_ETIME, MG_EIO. *is_cut_out: not all was looked at. */
MG_MUSTCHECK
enum mg_rc mg_queue_list(const char *queue_directory, int64_t deadline_us, mg_queue_see *see, void *context,
	bool *is_cut_out, struct mg_err *err);

#endif
