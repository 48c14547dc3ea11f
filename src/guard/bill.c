#include "guard/bill.h"

#include <stdlib.h>

struct mg_bill_line {
	struct mg_bill_line *next;
	const void *whose;
	const char *limit, *key;
	struct mg_bucket bucket;
	uint64_t cost; /* 0: given back */
	bool is_local;
};

/* A message with many recipients pays the same limit for each: those of the message itself are one line a key. */
static struct mg_bill_line *same_line(const struct mg_bill *bill, const struct mg_charge_item *item, const void *whose)
{
	for (struct mg_bill_line *line = bill->first; line != NULL && whose == NULL; line = line->next)
		if (line->whose == NULL && line->is_local == item->is_local &&
			mg_str_eq(mg_str_z(line->limit), mg_str_z(item->limit)) &&
			mg_str_eq(mg_str_z(line->key), mg_str_z(item->key)))
			return line;
	return NULL;
}

/* Limits and keys repeat from recipient to recipient: the text of the line before serves again. */
static const char *keep(struct mg_arena *arena, const char *text, const char *before)
{
	return before != NULL && mg_str_eq(mg_str_z(before), mg_str_z(text))
		       ? before
		       : mg_arena_text(arena, mg_str_z(text), MG_CHARGE_KEY);
}

void mg_bill_add(struct mg_bill *bill, struct mg_arena *arena, const struct mg_charge *charge, size_t from,
	size_t until, const void *whose)
{
	for (size_t i = from; i < until && i < charge->count; i++) {
		const struct mg_charge_item *item = &charge->item[i];
		struct mg_bill_line *line = item->is_charged ? same_line(bill, item, whose) : NULL;

		if (!item->is_charged)
			continue;
		if (line == NULL && (line = mg_arena_take(arena, sizeof *line)) != NULL) {
			const struct mg_bill_line *before = bill->first;

			*line = (struct mg_bill_line){
				.next = bill->first, .whose = whose, .bucket = item->bucket, .is_local = item->is_local
			};
			line->limit = keep(arena, item->limit, before == NULL ? NULL : before->limit);
			line->key = keep(arena, item->key, before == NULL ? NULL : before->key);
			bill->first = line;
		}
		if (line != NULL)
			line->cost += item->cost;
	}
}

/* The next lines of `whose`, as items; *from moves on. */
static size_t take_some(struct mg_bill_line **from, const void *whose, struct mg_charge_item *items)
{
	size_t count = 0;

	for (; *from != NULL && count < MG_CHARGE_ITEMS; *from = (*from)->next) {
		struct mg_bill_line *line = *from;

		if (line->cost == 0 || (whose != NULL && line->whose != whose))
			continue;
		items[count] = (struct mg_charge_item){
			.bucket = line->bucket, .cost = line->cost, .is_local = line->is_local
		};
		mg_str_copy(items[count].limit, sizeof items[count].limit, mg_str_z(line->limit));
		mg_str_copy(items[count].key, sizeof items[count].key, mg_str_z(line->key));
		line->cost = 0;
		count++;
	}
	return count;
}

void mg_bill_refund(struct mg_bill *bill, const struct mg_limit_store *store, const void *whose)
{
	struct mg_bill_line *from = bill->first;
	struct mg_charge_item *items;
	size_t count;

	if (from == NULL || (items = malloc(MG_CHARGE_ITEMS * sizeof *items)) == NULL)
		return;
	while ((count = take_some(&from, whose, items)) > 0)
		store->refund(store->context, items, count);
	free(items);
}
