/* charge.h - one decision of the limiter: several limits at once, all or nothing; and whoever keeps the levels.
 *
 * A charge lists what one event costs under each limit that applies. The store looks at all items in one atomic step: where a
 * hard item doesn't fit, nothing is charged and the charge is refused; else all are charged (of the soft ones those that fit).
 *
 * Threads: a charge has one owner; while a store holds it (decide() said false, until `ready`) nobody else touches it. */
#ifndef MG_GUARD_CHARGE_H
#define MG_GUARD_CHARGE_H

#include "base/str.h"
#include "guard/bucket.h"

enum { MG_CHARGE_ITEMS = 32, MG_CHARGE_KEY = 320 };

enum mg_charge_mode {
	MG_CHARGE_HARD,   /* must fit, or all is refused */
	MG_CHARGE_SOFT,   /* charged where it fits; refuses nothing (observe, hold) */
	MG_CHARGE_LOOK,   /* must fit, or all is refused; never charged (failures, asked about at the next RCPT) */
	MG_CHARGE_FORCED, /* charged whether it fits or not */
	MG_CHARGE_WATCH,  /* never charged, refuses nothing: only is_over is told (failures, where they are observed) */
};

struct mg_charge_item {
	struct mg_bucket bucket;
	char limit[64];          /* the limit's name, as configured; keeps limits apart */
	char key[MG_CHARGE_KEY]; /* "user:ann@example.org", "client_net+sender_domain:192.0.2.0/24,example.org"; lower case */
	uint64_t cost;
	enum mg_charge_mode mode;

	/* the answer */
	bool is_charged;
	bool is_local; /* is_charged: on this machine alone; the shared store knows nothing of it, nor of its refund */
	bool is_over;  /* it doesn't fit */
	int64_t wait_ns; /* is_over: until it would; INT64_MAX never */
	uint64_t used;   /* whole units spent after the decision */
};

struct mg_charge {
	size_t count;
	/* Told when a decision that did not come at once is there. From any thread; may only signal. */
	void (*ready)(void *context);
	void *context;
	_Atomic bool is_decided;
	bool is_refused;
	bool is_local; /* the shared store was not to be had: this machine's own levels decided */
	void *token;   /* the store's, while it holds the charge */
	void *holder;  /* chosen_store.h's */
	/* The last member: whoever knows that there will be fewer may give it less memory. */
	struct mg_charge_item item[MG_CHARGE_ITEMS];
};

/* Who keeps the levels: this machine's memory, or a Redis shared with others. */
struct mg_limit_store {
	void *context;
	/* Decides at once: true; or false, and `ready` comes later, exactly once, never inside this call, at the latest after
	 * MG_STORE_PATIENCE_MS. From any thread; never blocks. */
	bool (*decide)(void *context, struct mg_charge *charge);
	/* Nobody wants the answer any more: when this returns `ready` is not running and never will; what was or will be
	 * charged is given back. */
	void (*abandon)(void *context, struct mg_charge *charge);
	/* Gives back what was charged: `limit`, `key`, `bucket`, `cost` and `is_local` of each item count. Borrowed for the call. */
	void (*refund)(void *context, const struct mg_charge_item *items, size_t count);
	/* What stands in the levels now, charging nothing: fills used, is_over and wait_ns (of cost 1) from what this machine
	 * knows. False: never heard of it. */
	bool (*look)(void *context, struct mg_charge_item *item);
	/* Empties the level. */
	void (*reset)(void *context, const struct mg_charge_item *item);
};
enum { MG_STORE_PATIENCE_MS = 50 };

#endif
