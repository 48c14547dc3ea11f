/* Places in an array that grows, each in the list of its question or in that of the free ones. */
#include "dns/resolver_waiters.h"

#include <stdlib.h>

enum { PLACE_BITS = 16, PLACE_MASK = (1 << PLACE_BITS) - 1, FIRST_ROOM = 64 };

static void *token_of(const struct mg_waiters *waiters, unsigned place)
{
	return (void *)(waiters->places[place].generation << PLACE_BITS | place);
}

void mg_waiters_fini(struct mg_waiters *waiters)
{
	free(waiters->places);
	*waiters = (struct mg_waiters){ 0 };
}

static bool grow(struct mg_waiters *waiters)
{
	unsigned room = waiters->room == 0 ? FIRST_ROOM : 2 * waiters->room;
	struct mg_waiter *places;

	if (room > MG_WAITERS_MAX + 1U)
		return false;
	places = realloc(waiters->places, room * sizeof *places);
	if (places == NULL)
		return false;
	waiters->places = places;
	waiters->room = room;
	if (waiters->used == 0)
		waiters->used = 1;
	return true;
}

/* 0: none. */
static unsigned take_place(struct mg_waiters *waiters)
{
	unsigned place = waiters->first_free;

	if (place != 0) {
		waiters->first_free = waiters->places[place].next;
		return place;
	}
	if (waiters->used == waiters->room && !grow(waiters))
		return 0;
	place = waiters->used++;
	waiters->places[place] = (struct mg_waiter){ .generation = 1 };
	return place;
}

void *mg_waiters_add(
	struct mg_waiters *waiters, unsigned *list, struct mg_lookup *lookup, unsigned slot, int64_t deadline_us)
{
	unsigned place = take_place(waiters);
	struct mg_waiter *waiter;

	if (place == 0)
		return NULL;
	waiter = &waiters->places[place];
	*waiter = (struct mg_waiter){ lookup, slot, deadline_us, waiter->generation, list, 0, *list };
	if (*list != 0)
		waiters->places[*list].back = place;
	*list = place;
	return token_of(waiters, place);
}

static void release(struct mg_waiters *waiters, unsigned place)
{
	struct mg_waiter *waiter = &waiters->places[place];
	uintptr_t generation = (waiter->generation + 1) & UINTPTR_MAX >> PLACE_BITS;

	if (waiter->back != 0)
		waiters->places[waiter->back].next = waiter->next;
	else
		*waiter->list = waiter->next;
	if (waiter->next != 0)
		waiters->places[waiter->next].back = waiter->back;
	*waiter = (struct mg_waiter){ .generation = generation == 0 ? 1 : generation, .next = waiters->first_free };
	waiters->first_free = place;
}

void mg_waiters_cancel(struct mg_waiters *waiters, void *token)
{
	unsigned place = (unsigned)((uintptr_t)token & PLACE_MASK);

	if (place != 0 && place < waiters->used && waiters->places[place].list != NULL &&
		token_of(waiters, place) == token)
		release(waiters, place);
}

static void give(struct mg_waiters *waiters, unsigned place, const struct mg_dns_answer *answer)
{
	struct mg_waiter waiter = waiters->places[place];

	release(waiters, place);
	mg_lookup_answer(waiter.lookup, waiter.slot, mg_dns_answer_ref(answer));
}

void mg_waiters_answer(struct mg_waiters *waiters, unsigned *list, const struct mg_dns_answer *answer)
{
	while (*list != 0)
		give(waiters, *list, answer);
}

void mg_waiters_expire(struct mg_waiters *waiters, unsigned *list, int64_t now_us)
{
	unsigned next;

	for (unsigned place = *list; place != 0; place = next) {
		next = waiters->places[place].next;
		if (waiters->places[place].deadline_us <= now_us)
			give(waiters, place, mg_dns_answer_trouble(MG_DNS_TIMEOUT));
	}
}
