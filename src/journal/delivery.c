/* Deliveries of recipients, and of what an alias was expanded to. */
#include "journal/join.h"

/* The tally of an owner: 16 bits for each state. */
static unsigned tally_shift(enum mg_delivery delivery)
{
	switch (delivery) {
	case MG_DELIVERY_DEFERRED:
		return 0;
	case MG_DELIVERY_EXPIRED:
		return 16;
	case MG_DELIVERY_BOUNCED:
		return 32;
	default:
		return 48; /* sent */
	}
}

static uint64_t tally_one(enum mg_delivery delivery)
{
	return delivery == MG_DELIVERY_UNKNOWN ? 0 : (uint64_t)1 << tally_shift(delivery);
}

static enum mg_delivery worst_of(uint64_t tally)
{
	static const enum mg_delivery worst_first[] = { MG_DELIVERY_BOUNCED, MG_DELIVERY_EXPIRED,
		MG_DELIVERY_DEFERRED };

	for (size_t i = 0; i < 3; i++)
		if (tally >> tally_shift(worst_first[i]) & 0xffff)
			return worst_first[i];
	return MG_DELIVERY_SENT;
}

static enum mg_delivery delivery_of(struct mg_str status)
{
	enum mg_delivery delivery = mg_delivery_of(status);

	return delivery == MG_DELIVERIES || delivery == MG_DELIVERY_HELD ? MG_DELIVERY_UNKNOWN : delivery;
}

static void fill(struct mg_recipient_row *row, enum mg_delivery delivery, const struct mg_log_line *line)
{
	row->delivery = delivery;
	row->dsn = line->dsn;
	row->reply = line->reply;
	row->relay = line->relay;
	row->last_us = line->time_us;
}

/* One of the addresses that the recipient was expanded to has a new state; the owner shows the worst of all. */
static void deliver_expanded(struct mg_store *store, struct mg_head *head, struct mg_recipient_row *owner,
	enum mg_delivery delivery, const struct mg_log_line *line)
{
	struct mg_recipient_row child;

	if (mg_recipient_find(store, head, line->recipient, (int)owner->n, &child, 1) > 0) {
		if (owner->tally >> tally_shift(child.delivery) & 0xffff)
			owner->tally -= tally_one(child.delivery);
		fill(&child, delivery, line);
		mg_recipient_deliver(store, head, &child);
	} else {
		child = (struct mg_recipient_row){
			.address = line->recipient, .owner = (int)owner->n, .verdict = MG_ACTION_ACCEPT
		};
		fill(&child, delivery, line);
		if (!mg_recipient_insert(store, head, &child))
			return;
	}
	owner->tally += tally_one(delivery);
	fill(owner, worst_of(owner->tally), line);
	mg_recipient_deliver(store, head, owner);
}

void mg_outcome_deliver(struct mg_store *store, struct mg_head *head, const struct mg_log_line *line)
{
	enum { SAME = 8 };
	struct mg_str address = line->orig_to.n > 0 ? line->orig_to : line->recipient;
	bool is_expanded = line->orig_to.n > 0 && !mg_address_eq(line->orig_to, line->recipient);
	enum mg_delivery delivery = delivery_of(line->status);
	struct mg_recipient_row rows[SAME];
	size_t n, accepted = 0;

	if (address.n == 0 || delivery == MG_DELIVERY_UNKNOWN)
		return;
	n = mg_recipient_find(store, head, address, -1, rows, SAME);
	if (n == 0) {
		rows[0] = (struct mg_recipient_row){
			.address = address, .owner = -1, .verdict = MG_ACTION_ACCEPT, .rcpt_us = line->time_us
		};
		if (!mg_recipient_insert(store, head, &rows[0]))
			return;
		n = 1;
	}
	for (size_t i = 0; i < n; i++)
		accepted += !mg_is_refusal(rows[i].verdict);
	for (size_t i = 0; i < n; i++) {
		if (accepted > 0 && mg_is_refusal(rows[i].verdict))
			continue;
		if (is_expanded) {
			deliver_expanded(store, head, &rows[i], delivery, line);
		} else {
			fill(&rows[i], delivery, line);
			mg_recipient_deliver(store, head, &rows[i]);
		}
	}
}
