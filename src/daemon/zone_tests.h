/* zone_tests.h - tests the configured DNS lists' own test points, one list at a time, so that a broken list mutes itself.
 *
 * Threads: the main loop's. */
#ifndef MG_DAEMON_ZONE_TESTS_H
#define MG_DAEMON_ZONE_TESTS_H

#include "auth/dnsbl.h"
#include "conf/conf.h"

struct mg_zone_tests;

/* `zones` and `source` outlive it. NULL: no memory. */
struct mg_zone_tests *mg_zone_tests_new(struct mg_dnsbl_zones *zones, const struct mg_lookup_source *source);
void mg_zone_tests_free(struct mg_zone_tests **tests);

/* Begins the test that is due, or carries the one under way on. Call once a second; never blocks. */
void mg_zone_tests_tick(struct mg_zone_tests *tests, const struct mg_conf *conf);

#endif
