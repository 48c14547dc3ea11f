/* read.h - from the text of the configuration to the struct: the one place that sees libconfig.
 *
 * Threads: one owner. */
#ifndef MG_CONF_READ_H
#define MG_CONF_READ_H

#include "conf/conf.h"
#include "conf/source.h"

/* Fills `conf` (zeroed) with the defaults, and with what `source` says unless that is NULL. On failure whatever was
 * filled in stays for mg_conf_unref() to give back. */
MG_MUSTCHECK
enum mg_rc mg_read_conf(const struct mg_source *source, struct mg_conf *conf, struct mg_err *err);

/* Puts the only value of `source` ("x = VALUE;") in the place of the setting `path`, whose value is there already. */
MG_MUSTCHECK
enum mg_rc mg_read_value(const struct mg_source *source, struct mg_str path, struct mg_conf *conf, struct mg_err *err);

#endif
