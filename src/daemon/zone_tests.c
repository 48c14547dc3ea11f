#include "daemon/zone_tests.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

enum { TEST_BYTES = 64 * 1024, TEST_QUESTIONS = 4, TEST_MS = 10000 };

struct mg_zone_tests {
	struct mg_dnsbl_zones *zones;
	const struct mg_lookup_source *source;

	struct mg_arena arena; /* of the test under way */
	struct mg_lookup *lookup;
	struct mg_dnsbl_test *test; /* NULL: none */
	char *zone;
	int64_t deadline_us;
};

struct mg_zone_tests *mg_zone_tests_new(struct mg_dnsbl_zones *zones, const struct mg_lookup_source *source)
{
	struct mg_zone_tests *tests = calloc(1, sizeof *tests);

	if (tests == NULL)
		return NULL;
	tests->zones = zones;
	tests->source = source;
	mg_arena_init(&tests->arena, TEST_BYTES);
	return tests;
}

static void forget_test(struct mg_zone_tests *tests)
{
	mg_lookup_free(&tests->lookup);
	mg_arena_fini(&tests->arena);
	free(tests->zone);
	tests->zone = NULL;
	tests->test = NULL;
}

void mg_zone_tests_free(struct mg_zone_tests **tests)
{
	if (*tests == NULL)
		return;
	forget_test(*tests);
	free(*tests);
	*tests = NULL;
}

static void begin(struct mg_zone_tests *tests, const char *zone)
{
	struct mg_lookup_options options = { .source = tests->source,
		.questions_max = TEST_QUESTIONS,
		.deadline_us = mg_mono_us() + TEST_MS * MG_MS_US };

	mg_arena_init(&tests->arena, TEST_BYTES);
	tests->deadline_us = options.deadline_us;
	tests->zone = mg_str_dup(mg_str_z(zone));
	tests->lookup = mg_lookup_new(&options);
	if (tests->zone != NULL && tests->lookup != NULL)
		tests->test = mg_dnsbl_test_new(&tests->arena, tests->zone);
	if (tests->test == NULL)
		forget_test(tests);
}

static void begin_due(struct mg_zone_tests *tests, const struct mg_conf *conf)
{
	int64_t now_us = mg_wall_us();

	for (size_t i = 0; i < conf->auth.dnsbl_count; i++)
		if (mg_dnsbl_zones_due_us(tests->zones, conf->auth.dnsbl[i].zone) <= now_us) {
			begin(tests, conf->auth.dnsbl[i].zone);
			return;
		}
}

/* A line where a list's state changes, and only there. */
static void note(struct mg_zone_tests *tests)
{
	enum mg_dnsbl_health before = mg_dnsbl_zones_health(tests->zones, tests->zone, NULL), now;
	char shown[MG_DNSBL_SHOWN];

	mg_dnsbl_zones_note(tests->zones, tests->test, mg_wall_us());
	now = mg_dnsbl_zones_health(tests->zones, tests->zone, NULL);
	if (now != before && !(before == MG_DNSBL_UNTESTED && now == MG_DNSBL_WORKS))
		mg_log(MG_LOG_WARNING, "dnsbl-zone: zone=%s, state=%s, counts=%s", mg_dnsbl_shown(tests->zone, shown),
			mg_dnsbl_health_name(now), mg_dnsbl_zones_believes(tests->zones, tests->zone) ? "yes" : "no");
}

void mg_zone_tests_tick(struct mg_zone_tests *tests, const struct mg_conf *conf)
{
	if (tests->test == NULL && conf->auth.dnsbl_action != MG_LEVEL_OFF)
		begin_due(tests, conf);
	if (tests->test == NULL)
		return;
	if (mg_mono_us() > tests->deadline_us)
		mg_lookup_expire(tests->lookup);
	if (mg_dnsbl_test_step(tests->test, tests->lookup) == MG_STEP_WAIT)
		return;
	note(tests);
	forget_test(tests);
}
