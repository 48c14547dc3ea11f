/* jail_conf.h - which filter a jail of fail2ban has, by the files of its configuration directory.
 *
 * jail.conf, jail.d, jail.local in fail2ban's order (jail.conf(5)); the last word counts. Only the filter and its mode are
 * understood. Files are read to FILE_MAX bytes.
 *
 * Threads: safe from any; blocks on the disk. */
#ifndef MG_HEALTH_JAIL_CONF_H
#define MG_HEALTH_JAIL_CONF_H

#include "base/str.h"

enum { MG_JAIL_TEXT = 128 };

/* What the files say of one jail, so far. */
struct mg_jail {
	char filter[MG_JAIL_TEXT], mode[MG_JAIL_TEXT];                 /* of its section, "" */
	char default_filter[MG_JAIL_TEXT], default_mode[MG_JAIL_TEXT]; /* of [DEFAULT] */
};

/* Takes in one file's text. */
void mg_jail_read(struct mg_str text, const char *name, struct mg_jail *jail);
/* "postfix[mode=auth]" into `place`. */
void mg_jail_settle(const struct mg_jail *jail, const char *name, char *place, size_t size);

/* Reads the files below `directory` and settles. */
void mg_jail_filter(const char *directory, const char *name, char *place, size_t size);

#endif
