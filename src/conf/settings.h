/* settings.h - what can be configured: one row per setting, which reader, check, documentation and "did you mean" share.
 *
 * To add a setting: a field in conf.h, a row in settings.c, its lines in etc/mailguard.conf and doc/mailguard.conf.5
 * (tests/lint/documented compares).
 *
 * Threads: constant tables. */
#ifndef MG_CONF_SETTINGS_H
#define MG_CONF_SETTINGS_H

#include "base/str.h"

enum mg_setting_type {
	MG_SETTING_TEXT,    /* char * */
	MG_SETTING_BOOL,    /* bool; true or false */
	MG_SETTING_UINT,    /* uint64_t */
	MG_SETTING_INT,     /* int */
	MG_SETTING_NUMBER,  /* double; integers too */
	MG_SETTING_SECONDS, /* uint64_t; a text such as "5m" */
	MG_SETTING_WORD,    /* an enum; one of `words` */
	MG_SETTING_SWITCH,  /* bool; one of the two `words`, whose values are 0 and 1 */
	MG_SETTING_TEXTS,   /* struct mg_strings; a list, each text passing `check` */
	MG_SETTING_TABLE,   /* rows of `table`, an array at `offset` and its size_t at table->count_offset */
};

struct mg_setting_word {
	const char *name;
	int value;
};

/* MG_OK, or `why` is "what is wrong; how to mend it". */
typedef enum mg_rc mg_setting_check(struct mg_str value, struct mg_err *why);

enum mg_table_shape {
	MG_TABLE_GROUPS,      /* ( { ... }, { ... } ) */
	MG_TABLE_NAME_GROUPS, /* as before, and a bare text stands for { <first setting> = text; } */
	MG_TABLE_KEYED,       /* { "name" = { ... }; }: the key goes to name_offset */
};

struct mg_setting_table {
	enum mg_table_shape shape;
	size_t item_size, count_offset, items_max;
	size_t name_offset;           /* KEYED: a char * */
	mg_setting_check *name_check; /* KEYED */
	/* Looks at items[at] beside those before it; fills in what depends on other fields. */
	enum mg_rc (*finish)(void *items, size_t at, struct mg_err *why);
};

struct mg_setting {
	const char *path; /* "section.key"; a table's own settings are "section.key.field" */
	enum mg_setting_type type;
	size_t offset;                       /* in struct mg_conf, a table's settings in its item */
	const char *preset;                  /* the default as the file would say it; NULL: must be given */
	int64_t min, max;                    /* of numbers and seconds; max: of a list's length */
	const struct mg_setting_word *words; /* ends in a NULL name */
	mg_setting_check *check;
	const struct mg_setting_table *table;
	bool is_fixed;    /* can't change by a reload */
	const char *help; /* N_(); for people, without unit, default and range */
};

extern const struct mg_setting mg_settings[]; /* a table's row is followed by its fields; ends in a NULL path */

/* The row of `path`, NULL when there is none. */
const struct mg_setting *mg_setting_find(struct mg_str path);

/* Whether some row lies in the section `path`. */
bool mg_setting_is_section(struct mg_str path);

/* Whether `row` is a field of the table `table_row`. */
bool mg_setting_is_field(const struct mg_setting *row, const struct mg_setting *table_row);

/* The last part of a row's path. */
struct mg_str mg_setting_key(const struct mg_setting *row);

/* The name of a value of a MG_SETTING_WORD or _SWITCH row. */
const char *mg_setting_word_name(const struct mg_setting_word *words, int value);

#endif
