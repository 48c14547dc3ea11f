/* queue_reasons.h - the deferred mail grouped by destination and cause.
 *
 * Bounded: at most MG_REASON_DOMAINS destinations and MG_REASON_GROUPS groups; what is beyond is counted together.
 *
 * Threads: one owner. */
#ifndef MG_HEALTH_QUEUE_REASONS_H
#define MG_HEALTH_QUEUE_REASONS_H

#include "explain/explain.h"
#include "postfix/queue.h"

enum { MG_REASON_GROUPS = 256, MG_REASON_DOMAINS = 512, MG_REASON_TEXT = 160, MG_REASON_DOMAIN = 128 };

struct mg_reason_domain {
	char domain[MG_REASON_DOMAIN]; /* of the recipients */
	uint64_t messages;
	char last_id[32]; /* the last message counted: one counts once for a domain */
};

struct mg_reason_group {
	char domain[MG_REASON_DOMAIN];
	struct mg_explanation explanation; /* its own: the sentences' arguments point into it */
	char text[MG_REASON_TEXT];         /* the first reason as it stands in the queue */
	uint64_t messages;
	int64_t oldest_us; /* wall */
	char last_id[32];
};

struct mg_reasons {
	struct mg_reason_domain *domains;
	struct mg_reason_group *groups;
	size_t domain_count, group_count;
	uint64_t messages;     /* deferred */
	uint64_t all_messages; /* in any queue */
	uint64_t null_senders;
	bool is_cut;
};

void mg_reasons_init(struct mg_reasons *reasons);
void mg_reasons_fini(struct mg_reasons *reasons);
void mg_reasons_see(void *context, const struct mg_queue_entry *entry); /* context: the struct mg_reasons */
void mg_reasons_sort(struct mg_reasons *reasons); /* most messages first; needed for the two below */
const struct mg_reason_domain *mg_reasons_worst(const struct mg_reasons *reasons); /* NULL: none */
const struct mg_reason_group *mg_reasons_group_of(
	const struct mg_reasons *reasons, const char *domain); /* its largest */

/* [{"domain","count","code","enhanced","cause","oldest"}...] of the last look in this process, a new reference, at most MG_REASONS_SHOWN;
 * "oldest" is its arrival (EPOCH). From any thread. */
enum { MG_REASONS_SHOWN = 10 };
json_t *mg_reasons_last(void);
void mg_reasons_remember(const struct mg_reasons *reasons); /* sorted */

#endif
