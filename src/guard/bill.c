/* A message may have ten thousand recipients, each charged under many limits: nothing here looks at more than a few lines for each. */
#include "guard/bill.h"

#include <stdlib.h>

enum { LOOK_BACK = 64 }; /* lines; a key that lies further back gets another one */

struct mg_bill_line { /* a limit's key */
	struct mg_bill_line *next;
	const char *limit, *key;
	struct mg_bucket bucket;
	bool is_local;
	uint64_t due; /* while it is given back */
};

struct mg_bill_share { /* what one charge took of somebody */
	struct mg_bill_share *next;
	const void *whose;
	size_t count;
	struct {
		struct mg_bill_line *line;
		uint64_t cost;
	} part[];
};

static bool is_of(const struct mg_bill_line *line, const struct mg_charge_item *item)
{
	return line->is_local == item->is_local && mg_str_eq(mg_str_z(line->key), mg_str_z(item->key)) &&
	       mg_str_eq(mg_str_z(line->limit), mg_str_z(item->limit));
}

static struct mg_bill_line *new_line(struct mg_bill *bill, const struct mg_charge_item *item)
{
	struct mg_bill_line *line = mg_arena_take(&bill->arena, sizeof *line);

	if (line == NULL)
		return NULL;
	line->limit = mg_arena_text(&bill->arena, mg_str_z(item->limit), sizeof item->limit);
	line->key = mg_arena_text(&bill->arena, mg_str_z(item->key), MG_CHARGE_KEY);
	line->bucket = item->bucket;
	line->is_local = item->is_local;
	return line->limit[0] == '\0' || line->key[0] == '\0' ? NULL : line; /* no room for the text */
}

/* The item's line, moved to the front; NULL: no memory. */
static struct mg_bill_line *line_of(struct mg_bill *bill, const struct mg_charge_item *item)
{
	struct mg_bill_line **at = &bill->lines, *line;

	for (int i = 0; i < LOOK_BACK && *at != NULL && !is_of(*at, item); i++)
		at = &(*at)->next;
	line = *at;
	if (line != NULL && is_of(line, item))
		*at = line->next;
	else if ((line = new_line(bill, item)) == NULL)
		return NULL;
	line->next = bill->lines;
	bill->lines = line;
	return line;
}

static size_t count_charged(const struct mg_charge *charge, size_t from, size_t until)
{
	size_t count = 0;

	for (size_t i = from; i < until && i < charge->count; i++)
		count += charge->item[i].is_charged;
	return count;
}

void mg_bill_add(struct mg_bill *bill, const struct mg_charge *charge, size_t from, size_t until, const void *whose)
{
	size_t count = count_charged(charge, from, until);
	struct mg_bill_share *share;

	if (bill->arena.max == 0)
		mg_arena_init(&bill->arena, MG_BILL_BYTES);
	share = count == 0 ? NULL : mg_arena_take(&bill->arena, sizeof *share + count * sizeof share->part[0]);
	if (share == NULL)
		return;
	share->whose = whose;
	for (size_t i = from; i < until && i < charge->count; i++) {
		const struct mg_charge_item *item = &charge->item[i];
		struct mg_bill_line *line = item->is_charged ? line_of(bill, item) : NULL;

		if (line == NULL)
			continue;
		share->part[share->count].line = line;
		share->part[share->count++].cost = item->cost;
	}
	share->next = bill->shares;
	bill->shares = share;
}

/* Adds up what is due under each line, and strikes it out of the shares. */
static bool add_up(struct mg_bill *bill, const void *whose)
{
	bool is_any = false;

	for (struct mg_bill_share *share = bill->shares; share != NULL; share = share->next) {
		if (whose != NULL && share->whose != whose)
			continue;
		for (size_t i = 0; i < share->count; i++)
			share->part[i].line->due += share->part[i].cost;
		is_any = is_any || share->count > 0;
		share->count = 0;
	}
	return is_any;
}

/* The next lines that are due, as items; *from moves on. */
static size_t take_some(struct mg_bill_line **from, struct mg_charge_item *items)
{
	size_t count = 0;

	for (; *from != NULL && count < MG_CHARGE_ITEMS; *from = (*from)->next) {
		struct mg_bill_line *line = *from;

		if (line->due == 0)
			continue;
		items[count] = (struct mg_charge_item){
			.bucket = line->bucket, .cost = line->due, .is_local = line->is_local
		};
		mg_str_copy(items[count].limit, sizeof items[count].limit, mg_str_z(line->limit));
		mg_str_copy(items[count].key, sizeof items[count].key, mg_str_z(line->key));
		line->due = 0;
		count++;
	}
	return count;
}

void mg_bill_refund(struct mg_bill *bill, const struct mg_limit_store *store, const void *whose)
{
	struct mg_bill_line *from = bill->lines;
	struct mg_charge_item *items;
	size_t count;

	if (bill->shares == NULL || (items = malloc(MG_CHARGE_ITEMS * sizeof *items)) == NULL)
		return;
	if (add_up(bill, whose))
		while ((count = take_some(&from, items)) > 0)
			store->refund(store->context, items, count);
	free(items);
}

void mg_bill_fini(struct mg_bill *bill)
{
	mg_arena_fini(&bill->arena);
	*bill = (struct mg_bill){ 0 };
}
