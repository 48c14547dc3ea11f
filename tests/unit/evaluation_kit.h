/* evaluation_kit.h - a whole message judged over a zone, as the milter would: for tests. */
#ifndef MG_TEST_EVALUATION_KIT_H
#define MG_TEST_EVALUATION_KIT_H

#include "auth/evaluation.h"
#include "zone_kit.h"

struct evaluation_case {
	const char *conf;             /* of mailguard.conf; NULL: the defaults */
	const char *ip, *helo, *from; /* NULL: 192.0.2.1, "h.example", "" */
	const char *message;          /* NULL: none, as policy sees it */
	size_t message_bytes;         /* 0: as long as the text */
};

struct evaluation_run {
	const struct mg_conf *conf;
	struct mg_evaluation *evaluation;
};

const struct mg_conf *conf_of(const char *text);

/* Judges to the end. A slow zone's answers come one by one, after all facts. */
void evaluation_begin(struct evaluation_run *run, struct zone *zone, const struct evaluation_case *c);
void evaluation_end(struct evaluation_run *run);

/* The same in two parts, for those who have facts of their own in between. */
void evaluation_open(struct evaluation_run *run, struct zone *zone, const char *conf, const char *ip);
void evaluation_message(struct evaluation_run *run, struct zone *zone, struct mg_str message);

#endif
