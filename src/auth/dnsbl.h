/* dnsbl.h - DNS blocklists and allowlists (RFC 5782): what do they say of the client, and do they work at all?
 *
 * A listing is an A record inside 127.0.0.0/8 other than those that mean an error: 127.255.255.0/24 (Spamhaus: public
 * resolver, too many queries, a typing error), 127.0.0.1 (section 5: must not be used; some zones answer it when they
 * refuse), and anything outside 127/8 (a parked or hijacked zone). Errors and broken zones never count as listings.
 *
 * A zone is believed only while its test points hold (section 5): 127.0.0.2 (IPv6: ::ffff:7f00:2) is listed and 127.0.0.1
 * (::ffff:7f00:1) is not. A zone that lists everything or says errors is muted until its next test passes.
 *
 * A zone's name may begin with a customer's key: it is shown without (mg_dnsbl_shown()).
 *
 * Threads: mg_dnsbl_zones from any; an evaluation has one owner. No I/O. */
#ifndef MG_AUTH_DNSBL_H
#define MG_AUTH_DNSBL_H

#include "auth/result.h"
#include "base/arena.h"
#include "base/say.h"
#include "dns/lookup.h"

enum { MG_DNSBL_ZONES = 32, MG_DNSBL_CODES = 8, MG_DNSBL_SHOWN = 256 };

/* The name of a zone for logs, headers and people: a first label that looks like a key (16 letters and digits or more, at
 * least one digit) becomes "KEY". Returns `place` of MG_DNSBL_SHOWN bytes. */
const char *mg_dnsbl_shown(const char *zone, char place[MG_DNSBL_SHOWN]);

/* What a known list's return code means ("a source of spam (SBL)"); nothing to say: unknown. All literals; an argument is a
 * phrase to be translated as well. */
struct mg_say mg_dnsbl_meaning(const char *zone, const struct mg_ip *code);

/* ---- what the client's evaluation says ---- */

enum mg_dnsbl_state {
	MG_DNSBL_NOT_LISTED,
	MG_DNSBL_LISTED,
	MG_DNSBL_ERROR,   /* the zone answered with an error code, or outside 127/8 */
	MG_DNSBL_TROUBLE, /* DNS gave no answer */
	MG_DNSBL_MUTED,   /* broken at its last test: not asked */
};

struct mg_dnsbl_zone {
	const char *name; /* as configured; borrowed from the configuration */
	int weight;       /* -100..100, not 0; negative: an allowlist */
};

struct mg_dnsbl_found {
	const struct mg_dnsbl_zone *zone;
	enum mg_dnsbl_state state;
	struct mg_ip codes[MG_DNSBL_CODES];
	size_t code_count;
};

struct mg_dnsbl;       /* one client's evaluation; lives in the arena */
struct mg_dnsbl_zones; /* the health of all zones */

/* `zones` (with their weights) live as long as the arena; `health` may be NULL: every zone is believed. NULL: no memory. */
struct mg_dnsbl *mg_dnsbl_new(struct mg_arena *arena, const struct mg_ip *ip, const struct mg_dnsbl_zone *zones,
	size_t zone_count, struct mg_dnsbl_zones *health);
enum mg_step mg_dnsbl_step(struct mg_dnsbl *dnsbl, struct mg_lookup *lookup);

struct mg_dnsbl_output {
	int score;                    /* weights of the zones that list the client, added */
	bool is_incomplete;           /* some zone gave no answer */
	struct mg_dnsbl_found *found; /* one per zone */
	size_t count;
};
const struct mg_dnsbl_output *mg_dnsbl_output(const struct mg_dnsbl *dnsbl);

/* ---- do the zones work ---- */

enum mg_dnsbl_health {
	MG_DNSBL_UNTESTED, /* believed until tested */
	MG_DNSBL_WORKS,
	MG_DNSBL_SILENT,     /* its own test point is not listed */
	MG_DNSBL_LISTS_ALL,  /* lists what must never be listed */
	MG_DNSBL_REFUSES_US, /* answers with an error code: public resolver, too many queries, wrong key */
	MG_DNSBL_NO_ANSWER,  /* DNS trouble; believed (its answers will be trouble too) */
};
const char *mg_dnsbl_health_name(enum mg_dnsbl_health health); /* "untested", "works", "silent", ... */

enum { MG_DNSBL_TEST_EVERY_S = 3600, MG_DNSBL_TEST_AGAIN_S = 300 };

struct mg_dnsbl_zones *mg_dnsbl_zones_new(void); /* NULL: no memory */
void mg_dnsbl_zones_free(struct mg_dnsbl_zones **zones);

/* The health of a zone by its name; UNTESTED for one never heard of. *since_us_out (wall; may be NULL): since when. */
enum mg_dnsbl_health mg_dnsbl_zones_health(struct mg_dnsbl_zones *zones, const char *name, int64_t *since_us_out);
/* Whether its answers count now. */
bool mg_dnsbl_zones_believes(struct mg_dnsbl_zones *zones, const char *name);

/* The test of one zone's test points, IPv4. */
struct mg_dnsbl_test;                                                              /* lives in the arena */
struct mg_dnsbl_test *mg_dnsbl_test_new(struct mg_arena *arena, const char *zone); /* NULL: no memory */
enum mg_step mg_dnsbl_test_step(struct mg_dnsbl_test *test, struct mg_lookup *lookup);
/* Once done: notes what was found. An evaluation that meets an error code notes it by itself. */
void mg_dnsbl_zones_note(struct mg_dnsbl_zones *zones, const struct mg_dnsbl_test *test, int64_t now_wall_us);
/* When this zone is to be tested next, wall; 0: now. */
int64_t mg_dnsbl_zones_due_us(struct mg_dnsbl_zones *zones, const char *name);

#endif
