/* evidence.h - the last few happenings of a kind, in words, in memory that outlives a worker.
 *
 * Fixed size; a writer that is killed half-way leaves one line unreadable and nothing else.
 *
 * Threads and processes: safe from any. */
#ifndef MG_ENGINE_EVIDENCE_H
#define MG_ENGINE_EVIDENCE_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/rc.h"

enum { MG_EVIDENCE_LINES = 8, MG_EVIDENCE_TEXT = 240 };

struct mg_evidence { /* zeroed: nothing happened */
	_Atomic uint64_t count;
	_Atomic int64_t last_us; /* wall; 0 never */
	struct {
		_Atomic uint32_t version; /* odd while it is written */
		_Atomic int64_t time_us;
		_Atomic uint64_t text[MG_EVIDENCE_TEXT / 8];
	} line[MG_EVIDENCE_LINES];
};

/* Notes one more. The text may hold anything: whoever shows it escapes it. */
void mg_evidence_add(struct mg_evidence *evidence, const char *fmt, ...) MG_PRINTF(2, 3);

/* The line `back` before the last (0: the last), copied; its time, or 0: there is none, or it is being written. */
int64_t mg_evidence_get(const struct mg_evidence *evidence, unsigned back, char text[MG_EVIDENCE_TEXT]);

#endif
