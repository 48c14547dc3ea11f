/* veil.h - addresses as the journal finds and hides them: short keys for the indexes, pseudonyms for `pseudonymize`.
 *
 * Both hang on a key of 16 random bytes that lives in the database. A pseudonym is "p-" and 16 hex digits of the keyed
 * hash of the lower-case local part (or login without "@"); what is one already stays as it is, so hiding twice
 * changes nothing and a query finds a message by the true address and by its pseudonym alike. Domains stay readable.
 *
 * Threads: pure. */
#ifndef MG_JOURNAL_VEIL_H
#define MG_JOURNAL_VEIL_H

#include "base/buf.h"
#include "journal/record.h"
#include "postfix/logline.h"

struct mg_veil {
	uint64_t key[2];
	bool is_on; /* hide what is stored */
};

/* What indexes hold instead of an address (without case, true or hidden alike) or of a text; 0 for "" alone. */
int64_t mg_veil_address_key(const struct mg_veil *veil, struct mg_str address);
int64_t mg_veil_text_key(const struct mg_veil *veil, struct mg_str text);

/* Appends the pseudonym of an address or login, whether the veil is on or not; "" stays "". */
void mg_veil_address(const struct mg_veil *veil, struct mg_str address, struct mg_buf *out);

/* Appends `text` with "*" for every address in it, and for `local` (a local part) where it stands as a word. */
void mg_veil_text(struct mg_str text, struct mg_str local, struct mg_buf *out);

/* Hides what is in a record or a line, when the veil is on; new text goes into the record's arena, or `arena`. Where
 * memory is out the text becomes "". */
void mg_veil_record(const struct mg_veil *veil, struct mg_record *record);
void mg_veil_line(const struct mg_veil *veil, struct mg_log_line *line, struct mg_arena *arena);

#endif
