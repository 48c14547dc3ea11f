/* fields.h - the header of one message: its fields in order, byte for byte as they came (RFC 5322 section 2.2).
 *
 * Threads: one owner. */
#ifndef MG_MAIL_FIELDS_H
#define MG_MAIL_FIELDS_H

#include "base/arena.h"

enum { MG_FIELDS_MAX = 5000, MG_FIELDS_BYTES = 1024 * 1024 };

struct mg_field {
	struct mg_str name; /* without the colon, as written */
	struct mg_str
		value; /* everything behind the colon: leading white space and folds kept, line ends as CRLF, without
	                      * the last one */
};

struct mg_fields {
	struct mg_arena *arena; /* holds it all */
	struct mg_field *field;
	size_t count, room, bytes;
	bool is_cut; /* there were more than the bounds allow: nothing may be verified over them */
};

void mg_fields_init(struct mg_fields *fields, struct mg_arena *arena);

/* Appends a copy; a bare LF or CR in the value becomes CRLF (milters get folds as LF). False: beyond the bounds, is_cut is
 * set. */
bool mg_fields_add(struct mg_fields *fields, struct mg_str name, struct mg_str value);

#endif
