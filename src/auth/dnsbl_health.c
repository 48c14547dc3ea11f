/* A table of zones under one lock, and the test of a zone's two test points. A zone that answers rightly at 127.0.0.2 and is
 * silent at 127.0.0.1 works; what else it does has a name. */
#include <pthread.h>
#include <stdlib.h>

#include "auth/dnsbl_answer.h"
#include "base/clock.h"

enum { ZONES = 256 };

struct zone {
	char name[MG_DNS_NAME_MAX + 1];
	enum mg_dnsbl_health health;
	int64_t since_us;  /* the health began */
	int64_t tested_us; /* it was last noted */
};

struct mg_dnsbl_zones {
	pthread_mutex_t lock; /* guards all below */
	size_t count;
	struct zone zones[ZONES];
};

const char *mg_dnsbl_health_name(enum mg_dnsbl_health health)
{
	static const char *const names[] = { "untested", "works", "silent", "lists-all", "refuses-us", "no-answer" };

	return names[health];
}

struct mg_dnsbl_zones *mg_dnsbl_zones_new(void)
{
	struct mg_dnsbl_zones *zones = calloc(1, sizeof *zones);

	if (zones != NULL)
		pthread_mutex_init(&zones->lock, NULL);
	return zones;
}

void mg_dnsbl_zones_free(struct mg_dnsbl_zones **zones)
{
	if (*zones == NULL)
		return;
	pthread_mutex_destroy(&(*zones)->lock);
	free(*zones);
	*zones = NULL;
}

/* NULL: never heard of. Under the lock. */
static struct zone *find(struct mg_dnsbl_zones *zones, const char *name)
{
	for (size_t i = 0; i < zones->count; i++)
		if (mg_str_eq_nocase(mg_str_z(zones->zones[i].name), mg_str_z(name)))
			return &zones->zones[i];
	return NULL;
}

/* A place for a new name: a full table forgets the zone that was noted longest ago. Under the lock. */
static struct zone *place_for(struct mg_dnsbl_zones *zones, const char *name)
{
	struct zone *place = &zones->zones[0];

	if (zones->count < ZONES)
		place = &zones->zones[zones->count++];
	else
		for (size_t i = 1; i < ZONES; i++)
			if (zones->zones[i].tested_us < place->tested_us)
				place = &zones->zones[i];
	*place = (struct zone){ .health = MG_DNSBL_UNTESTED };
	mg_str_copy(place->name, sizeof place->name, mg_str_z(name));
	return place;
}

void mg_dnsbl_zones_set(struct mg_dnsbl_zones *zones, const char *name, enum mg_dnsbl_health health, int64_t now_us)
{
	struct zone *zone;

	pthread_mutex_lock(&zones->lock);
	zone = find(zones, name);
	if (zone == NULL)
		zone = place_for(zones, name);
	if (zone->health != health)
		zone->since_us = now_us;
	zone->health = health;
	zone->tested_us = now_us;
	pthread_mutex_unlock(&zones->lock);
}

enum mg_dnsbl_health mg_dnsbl_zones_health(struct mg_dnsbl_zones *zones, const char *name, int64_t *since_us_out)
{
	enum mg_dnsbl_health health = MG_DNSBL_UNTESTED;
	int64_t since_us = 0;
	const struct zone *zone;

	pthread_mutex_lock(&zones->lock);
	zone = find(zones, name);
	if (zone != NULL) {
		health = zone->health;
		since_us = zone->since_us;
	}
	pthread_mutex_unlock(&zones->lock);
	if (since_us_out != NULL)
		*since_us_out = since_us;
	return health;
}

bool mg_dnsbl_zones_believes(struct mg_dnsbl_zones *zones, const char *name)
{
	switch (mg_dnsbl_zones_health(zones, name, NULL)) {
	case MG_DNSBL_UNTESTED:
	case MG_DNSBL_WORKS:
	case MG_DNSBL_NO_ANSWER:
		return true;
	case MG_DNSBL_SILENT:
	case MG_DNSBL_LISTS_ALL:
	case MG_DNSBL_REFUSES_US:
		break;
	}
	return false;
}

int64_t mg_dnsbl_zones_due_us(struct mg_dnsbl_zones *zones, const char *name)
{
	const struct zone *zone;
	int64_t due_us = 0;

	pthread_mutex_lock(&zones->lock);
	zone = find(zones, name);
	if (zone != NULL)
		due_us = zone->tested_us +
			 (zone->health == MG_DNSBL_WORKS ? MG_DNSBL_TEST_EVERY_S : MG_DNSBL_TEST_AGAIN_S) * MG_S_US;
	pthread_mutex_unlock(&zones->lock);
	return due_us;
}

/* ---- the test ---- */

struct mg_dnsbl_test {
	char name[MG_DNS_NAME_MAX + 1];
	bool is_done;
	enum mg_dnsbl_health health;
};

struct mg_dnsbl_test *mg_dnsbl_test_new(struct mg_arena *arena, const char *zone)
{
	struct mg_dnsbl_test *test = mg_arena_take(arena, sizeof *test);

	if (test != NULL)
		mg_str_copy(test->name, sizeof test->name, mg_str_z(zone));
	return test;
}

/* What 127.0.0.2, which must be listed, and 127.0.0.1, which must not, say together. */
static enum mg_dnsbl_health diagnose(enum mg_dnsbl_word listed, enum mg_dnsbl_word never)
{
	if (listed == MG_DNSBL_REFUSES || never == MG_DNSBL_REFUSES)
		return MG_DNSBL_REFUSES_US;
	if (listed == MG_DNSBL_NONSENSE || never == MG_DNSBL_NONSENSE || never == MG_DNSBL_SAYS_YES)
		return MG_DNSBL_LISTS_ALL;
	if (listed == MG_DNSBL_NO_WORD || never == MG_DNSBL_NO_WORD)
		return MG_DNSBL_NO_ANSWER;
	return listed == MG_DNSBL_SAYS_YES ? MG_DNSBL_WORKS : MG_DNSBL_SILENT;
}

enum mg_step mg_dnsbl_test_step(struct mg_dnsbl_test *test, struct mg_lookup *lookup)
{
	const struct mg_ip listed_point = { MG_IP_V4, { 127, 0, 0, 2 } }, never_point = { MG_IP_V4, { 127, 0, 0, 1 } };
	const struct mg_dns_answer *listed, *never;

	if (test->is_done)
		return MG_STEP_DONE;
	listed = mg_dnsbl_ask(lookup, test->name, &listed_point);
	never = mg_dnsbl_ask(lookup, test->name, &never_point);
	if (listed == NULL || never == NULL)
		return MG_STEP_WAIT;
	test->health = diagnose(mg_dnsbl_word(test->name, listed), mg_dnsbl_word(test->name, never));
	test->is_done = true;
	return MG_STEP_DONE;
}

void mg_dnsbl_zones_note(struct mg_dnsbl_zones *zones, const struct mg_dnsbl_test *test, int64_t now_wall_us)
{
	mg_dnsbl_zones_set(zones, test->name, test->health, now_wall_us);
}
