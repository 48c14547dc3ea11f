/* configuration.h - Postfix's configuration read again whenever it changed.
 *
 * Threads: one at a time. */
#ifndef MG_POSTFIX_CONFIGURATION_H
#define MG_POSTFIX_CONFIGURATION_H

#include <time.h>

#include "conf/conf.h"
#include "postfix/postconf.h"

struct mg_configuration {
	struct mg_postfix *postfix; /* NULL: could not be read */
	char trouble[512];          /* why, or "" */
	struct timespec main_cf, master_cf;
	int64_t read_us; /* monotonic; 0: must be read */
};

/* Whether main.cf or master.cf are others than those last read, or that is long ago: tables they name change without
 * them. */
bool mg_configuration_has_changed(const struct mg_configuration *configuration, const struct mg_conf *conf);

/* Reads it; blocks on postconf. */
void mg_configuration_read(struct mg_configuration *configuration, const struct mg_conf *conf);
void mg_configuration_fini(struct mg_configuration *configuration);

#endif
