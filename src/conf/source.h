/* source.h - the text of the configuration: @include resolved, quoted keys made legal, every line's origin kept.
 *
 * libconfig's names know no dots, its integers wrap silently beyond 32 bits, its includes can't be bounded, and its
 * syntax errors say nothing. So the text is read once by a small lexer of ours, which copies it token by token into one
 * text for libconfig, line by line, and knows from which file and line each line came.
 * A quoted key that is no libconfig name is written as '*' and, for every byte beyond letters, digits, '_' and '-',
 * '*' and two hex digits; a bare '*' is no token of ours, so nothing else can look like it.
 *
 * Bounds: 1 MiB a file, MG_SOURCE_FILES files, MG_SOURCE_DEPTH includes within each other, MG_SOURCE_NESTING brackets.
 *
 * Threads: one owner. */
#ifndef MG_CONF_SOURCE_H
#define MG_CONF_SOURCE_H

#include "base/buf.h"

enum {
	MG_SOURCE_FILE_MAX = 1024 * 1024,
	MG_SOURCE_FILES = 64,
	MG_SOURCE_DEPTH = 8,
	MG_SOURCE_NESTING = 16,
	MG_SOURCE_KEY = 64, /* bytes of a quoted key */
};

struct mg_source_mark { /* from this line of `text` on */
	unsigned out_line;
	unsigned line; /* ... the lines are those of files[file] from here */
	size_t file;
};

struct mg_source {
	struct mg_buf text;
	struct mg_source_mark marks[2 * MG_SOURCE_FILES];
	size_t mark_count;
	char *files
		[MG_SOURCE_FILES]; /* as named on the command line or in @include, made relative to the including file */
	size_t file_count;
};

/* Reads `path` and all it includes. On failure *source is empty and `err` is "FILE:LINE: what; how to mend it". */
MG_MUSTCHECK
enum mg_rc mg_source_read(const char *path, struct mg_source *source, struct mg_err *err);
/* The same of a text from elsewhere, which `name` tells in place of FILE:LINE; it may include nothing. */
MG_MUSTCHECK
enum mg_rc mg_source_text(const char *name, struct mg_str text, struct mg_source *source, struct mg_err *err);
void mg_source_fini(struct mg_source *source);

/* Where line `out_line` of the text (from 1) came from. */
const char *mg_source_place(const struct mg_source *source, unsigned out_line, unsigned *line_out);

/* A name as libconfig holds it, as the administrator wrote it, into `place` of `size` bytes. */
void mg_source_name(const char *name, char *place, size_t size);

/* "FILE:LINE: " and the sentence; line 0: "FILE: ". */
enum mg_rc mg_source_fail(struct mg_err *err, enum mg_rc rc, const char *file, unsigned line, const char *fmt, ...)
	MG_PRINTF(5, 6);

#endif
