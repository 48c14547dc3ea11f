/* log_source.h - which mail log to follow, from the configuration and from Postfix's own.
 *
 * Threads: any; blocks on postconf for a moment. */
#ifndef MG_DAEMON_LOG_SOURCE_H
#define MG_DAEMON_LOG_SOURCE_H

#include "conf/conf.h"

/* "file:PATH" or "journald" into `source_out`; "" when postfix.log = "off". */
void mg_log_source_of(const struct mg_conf *conf, char *source_out, size_t size);

#endif
