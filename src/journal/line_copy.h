/* line_copy.h - a log line that outlives the buffer it was read from: the line, its text and the log's position in one
 * piece of memory, as small as they are.
 *
 * Threads: one owner at a time. */
#ifndef MG_JOURNAL_LINE_COPY_H
#define MG_JOURNAL_LINE_COPY_H

#include "journal/record.h"
#include "postfix/log_reader.h"

struct mg_line_copy {
	bool has_line, has_position;
	struct mg_log_line line;
	const char *source, *cursor; /* of the position, with the four below */
	uint64_t inode, offset, fingerprint;
	uint32_t fingerprint_bytes;
	char text[];
};

/* Every text cut at MG_RECORD_TEXT; either may be NULL. free() it; NULL when memory is out. */
struct mg_line_copy *mg_line_copy_new(const struct mg_log_line *line, const struct mg_log_position *position);

#endif
