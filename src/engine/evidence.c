#include "engine/evidence.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

void mg_evidence_add(struct mg_evidence *evidence, const char *fmt, ...)
{
	uint64_t at = atomic_fetch_add(&evidence->count, 1) % MG_EVIDENCE_LINES;
	uint64_t words[MG_EVIDENCE_TEXT / 8] = { 0 };
	va_list args;

	va_start(args, fmt);
	vsnprintf((char *)words, sizeof words, fmt, args);
	va_end(args);
	atomic_fetch_or(&evidence->line[at].version, 1);
	atomic_store(&evidence->line[at].time_us, mg_wall_us());
	for (size_t i = 0; i < MG_EVIDENCE_TEXT / 8; i++)
		atomic_store(&evidence->line[at].text[i], words[i]);
	atomic_fetch_add(&evidence->line[at].version, 1);
	atomic_store(&evidence->last_us, mg_wall_us());
}

int64_t mg_evidence_get(const struct mg_evidence *evidence, unsigned back, char text[MG_EVIDENCE_TEXT])
{
	uint64_t count = atomic_load(&evidence->count);
	uint64_t at = (count - 1 - back) % MG_EVIDENCE_LINES;
	uint32_t version;
	int64_t time_us;

	text[0] = '\0';
	if (back >= MG_EVIDENCE_LINES || back >= count)
		return 0;
	version = atomic_load(&evidence->line[at].version);
	time_us = evidence->line[at].time_us;
	for (size_t i = 0; i < MG_EVIDENCE_TEXT / 8; i++) {
		uint64_t word = atomic_load(&evidence->line[at].text[i]);

		memcpy(text + 8 * i, &word, sizeof word);
	}
	text[MG_EVIDENCE_TEXT - 1] = '\0';
	if (version % 2 != 0 || version != atomic_load(&evidence->line[at].version))
		return 0;
	return time_us;
}
