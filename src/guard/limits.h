/* limits.h - rate.limits as configured, and what an event of a transaction costs under each.
 *
 * The keys: client, client_net (/24, /64), user, sender, sender_domain, recipient, recipient_domain, or two joined by '+'. A key
 * whose fact is missing (no login, null sender) makes the limit not apply. How a fact is written in a key: key.h.
 *
 * Threads: pure. */
#ifndef MG_GUARD_LIMITS_H
#define MG_GUARD_LIMITS_H

#include "base/ip.h"
#include "conf/conf.h"
#include "guard/charge.h"
#include "guard/key.h"
#include "guard/seen.h"

/* What is known; borrowed. */
struct mg_limit_facts {
	struct mg_ip client;
	struct mg_str user, sender, recipient; /* "" none */
};

enum mg_spend {
	MG_SPEND_RCPT,    /* a recipient: recipients and new_recipients; failures are looked at */
	MG_SPEND_MESSAGE, /* with a message's first recipient: messages */
	MG_SPEND_CONNECT, /* with a session's first recipient: connections */
	MG_SPEND_DATA,    /* end-of-message: bytes */
	MG_SPEND_FAILURE, /* a refused RCPT, a failed AUTH: failures, forced */
};

/* Appends the items of `what` to `charge`; `amount` is the cost (1, or the bytes). The item's index in conf->rate.limits goes to
 * `row_out` (of MG_CHARGE_ITEMS, parallel to charge->item). A limit whose action is observe or hold, or any while `is_observing`,
 * is soft. `seen` may be NULL: every recipient is new. More than MG_CHARGE_ITEMS are left out (settings allow no more limits). */
void mg_limits_charge(const struct mg_conf *conf, const struct mg_limit_facts *facts, enum mg_spend what,
	uint64_t amount, bool is_observing, struct mg_seen *seen, struct mg_charge *charge,
	size_t row_out[MG_CHARGE_ITEMS]);

/* The message was accepted: its sender side has written to this recipient (for new_recipients). */
void mg_limits_learn(const struct mg_conf *conf, const struct mg_limit_facts *facts, struct mg_seen *seen);

/* The items that a key as people or lists write it ("user:ann@example.org") stands for, one per limit with such a key; looked at,
 * cost 1. Two parts stand in the order of the limit's key, a comma between them. False: no such kind of key, or no such value
 * ("client:ann"). */
bool mg_limits_of_key(
	const struct mg_conf *conf, struct mg_str key, struct mg_charge *charge_out, size_t row_out[MG_CHARGE_ITEMS]);

#endif
