/* relay_inquiry.h - what the relay guard has to ask others before it may speak of proof: tables that can't be listed (postmap), and
 * whether a domain's MX names this host where permit_mx_backup is in force (DNS).
 *
 * Asked only when a stranger's foreign recipient is about to be accepted, so hardly ever on a sound server. Each inquiry has a thread of
 * its own, for postmap blocks; at most MG_INQUIRIES at once, and answers are kept for MG_INQUIRY_KEEP_S, so that a flood asks little.
 * No answer within MG_INQUIRY_MS: no proof.
 *
 * Threads: safe from any. */
#ifndef MG_GUARD_RELAY_INQUIRY_H
#define MG_GUARD_RELAY_INQUIRY_H

#include "dns/lookup.h"
#include "guard/relay.h"

enum { MG_INQUIRIES = 16, MG_INQUIRY_MS = 3000, MG_INQUIRY_KEEP_S = 30 };

struct mg_inquiries;
struct mg_inquiry;

/* `dns` outlives it; NULL: DNS can't be asked. NULL: no memory. */
struct mg_inquiries *mg_inquiries_new(const struct mg_lookup_source *dns);
/* Waits for what is under way, at most about MG_INQUIRY_MS. NULL is fine. */
void mg_inquiries_free(struct mg_inquiries **inquiries);

/* Begins to ask; `ready` is told when the answer is there, from another thread, and may only signal. NULL: no memory. Too many at
 * once: the answer is there at once, and is no proof. What `facts` borrows is copied. */
struct mg_inquiry *mg_inquiry_begin(struct mg_inquiries *inquiries, const struct mg_domains *domains,
	const struct mg_relay_facts *facts, void (*ready)(void *context), void *context);

/* False: not yet. *proof_out is never MUST_ASK. */
bool mg_inquiry_answer(struct mg_inquiry *inquiry, enum mg_relay_proof *proof_out);

/* When this returns, `ready` is not running and never will. Sets *inquiry to NULL; NULL in it is fine. */
void mg_inquiry_drop(struct mg_inquiry **inquiry);

#endif
