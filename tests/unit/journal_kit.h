/* journal_kit.h - what the journal's tests share: a journal in a directory of its own with a clock that only moves when
 * told, and lines and records written as words.
 *
 * A step is one line of words:
 *   client q=Q1 t=10.5 pid=7 ip=192.0.2.1 name=mx.example    a log line (the first word is its kind)
 *   record q=Q1 t=10 end=11 ip=192.0.2.1 rcpt=a@x rcpt=b@x=reject=554=5.7.1    a door's record
 *   wait 31                                                  the wall clock moves
 * Times are seconds after KIT_EPOCH; "_" in a value stands for a space. */
#ifndef MG_TEST_JOURNAL_KIT_H
#define MG_TEST_JOURNAL_KIT_H

#include <jansson.h>

#include "journal/journal.h"
#include "journal/query.h"

#define KIT_EPOCH ((int64_t)1700000000 * 1000000)

struct kit {
	char directory[64], path[96];
	struct mg_journal *journal;
	uint64_t offset;        /* of the log: one step each */
	unsigned corrections;   /* calls of `corrected` */
	enum mg_action was, is; /* of the last one */
	bool pseudonymize;
	unsigned max_mb;
};

void kit_begin(struct kit *kit); /* makes the directory, opens nothing */
void kit_end(struct kit *kit);   /* closes what is open, removes everything */
void kit_open(struct kit *kit);
void kit_close(struct kit *kit, int timeout_ms);

void kit_wait(int64_t seconds);
int64_t kit_wall_us(void);

/* Fills a line; its slices point into `text`, which is changed. */
void kit_line(char *text, struct mg_log_line *line_out);
struct mg_record *kit_record(char *text);

/* Does the steps of `script`, one a line of it; flushes after each when `is_slow`, and at the end. */
void kit_run(struct kit *kit, const char *script, bool is_slow);

/* All transactions, oldest first; a new reference. */
json_t *kit_transactions(struct kit *kit);
json_t *kit_trace(struct kit *kit, const char *what);

/* Fails unless `actual` has everything that `expected` has: objects may have more keys, arrays not more elements.
 * `expected` is JSON with ' for ". */
void kit_expect(const char *name, const json_t *actual, const char *expected);

#endif
