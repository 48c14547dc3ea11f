/* zone_kit.h - DNS for unit tests: a zone written as text, behind a mg_lookup.
 *
 * A zone is lines "NAME TYPE VALUE":
 *   example.com A 192.0.2.1                 mail.example.com AAAA 2001:db8::1
 *   example.com MX 10 mail.example.com      1.2.0.192.in-addr.arpa PTR mail.example.com
 *   example.com TXT v=spf1 -all             to the line's end; \xNN is a byte
 *   alias.example CNAME example.com         followed
 *   slow.example TIMEOUT                    no answer for types not listed before it
 *   broken.example SERVFAIL
 * A name not listed is NXDOMAIN; one listed, or with names below it, and without the type, is NODATA. The name's dots
 * part labels, "\x20" is a space in one. */
#ifndef MG_TEST_ZONE_KIT_H
#define MG_TEST_ZONE_KIT_H

#include "dns/lookup.h"

struct zone_record {
	char name[256];
	char type[12]; /* "A" ... "TIMEOUT" */
	char *value;
	size_t value_bytes;
};

struct zone {
	struct zone_record *records;
	size_t count, room;
	struct mg_lookup_source source;
	unsigned asked; /* questions put to it */
	bool is_slow;   /* answers come only by zone_deliver() */
	struct waiting {
		struct mg_lookup *lookup;
		unsigned slot;
		const struct mg_dns_answer *answer;
	} waiting[2 * MG_LOOKUP_QUESTIONS];
	size_t waiting_count;
};

void zone_begin(struct zone *zone, const char *text); /* `text` may be NULL or "" */
void zone_add(struct zone *zone, const char *name, const char *type, const char *value, size_t value_bytes);
void zone_end(struct zone *zone);

/* A lookup over it with 60 questions and a deadline far away. */
struct mg_lookup *zone_lookup(struct zone *zone);

/* Of a slow zone: gives the oldest answer that waits; false: none does. */
bool zone_deliver(struct zone *zone);

#endif
