/* reader.h - what read.c, scalars.c and tables.c share; nobody else includes it, so libconfig is seen only there.
 *
 * Threads: one owner. */
#ifndef MG_CONF_READER_H
#define MG_CONF_READER_H

#include <libconfig.h>

#include "conf/conf.h"
#include "conf/settings.h"
#include "conf/source.h"

enum { MG_READ_NAMES = 300 }; /* bytes of a list of names in a sentence */

struct mg_reader {
	const struct mg_source *source; /* NULL while the defaults are read */
	struct mg_conf *conf;
	config_t presets;
	struct mg_err *err;
};

/* Blames the line of `setting`. */
MG_PRINTF(4, 5)
enum mg_rc mg_read_fail(struct mg_reader *reader, enum mg_rc rc, const config_setting_t *setting, const char *fmt, ...);
enum mg_rc mg_read_no_memory(struct mg_reader *reader);

/* "unknown setting ...", with the nearest name of `section` ("": the top). */
enum mg_rc mg_read_unknown(
	struct mg_reader *reader, const config_setting_t *setting, struct mg_str section, struct mg_str name);

/* The default of `row`; NULL when it has none. */
config_setting_t *mg_read_preset(struct mg_reader *reader, const struct mg_setting *row);

/* scalars.c: reads a value that is no table into its place under `base`. */
enum mg_rc mg_scalar_set(
	struct mg_reader *reader, const struct mg_setting *row, char *base, const config_setting_t *setting);
enum mg_rc mg_scalar_wrong_type(
	struct mg_reader *reader, const struct mg_setting *row, const config_setting_t *setting);
enum mg_rc mg_scalar_too_many(
	struct mg_reader *reader, const struct mg_setting *row, const config_setting_t *setting, size_t max);
bool mg_scalar_is_list(const config_setting_t *setting);
const char *mg_scalar_kind(const config_setting_t *setting); /* "a text", ... */
const char *mg_scalar_example(const struct mg_setting *row); /* how a value of this row is written */

/* tables.c: reads a table under `base`. */
enum mg_rc mg_table_set(
	struct mg_reader *reader, const struct mg_setting *row, char *base, const config_setting_t *setting);

#endif
