/* record_pack.h - a record as one line of JSON, to hand it to another process of ours.
 *
 * What comes in is checked: a line that is not exactly what mg_record_pack() writes (another version, a wrong type, a
 * number out of range, too many recipients) is no record. Text keeps its bytes: what is not valid UTF-8 travels
 * escaped.
 *
 * Threads: pure. */
#ifndef MG_JOURNAL_RECORD_PACK_H
#define MG_JOURNAL_RECORD_PACK_H

#include "base/buf.h"
#include "journal/record.h"

enum { MG_RECORD_PACK_MAX = 32 * 1024 * 1024 }; /* bytes that unpack looks at */

/* Appends the line, without a newline; the buffer says whether all of it fit. */
void mg_record_pack(const struct mg_record *record, struct mg_buf *out);

/* A new record (mg_record_free), NULL when `packed` is none or memory is out. */
struct mg_record *mg_record_unpack(struct mg_str packed);

#endif
