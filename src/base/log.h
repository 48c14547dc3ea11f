/* log.h - mailguard's own log: one event, one line, to syslog (facility mail) or stderr.
 *
 * A line is `event: key=value, key=value`. The event's name and keys are an interface (doc/log-events.md). Untrusted
 * text goes through mg_escape_quoted() first; as a last fence the sink neutralises control bytes of the whole line.
 * An event repeated by the same call site more than MG_LOG_BURST times a second is counted, and the count is told
 * with the next line that passes.
 *
 * Levels mean readers: error (act now), warning (act soon), notice (a fact worth keeping), info, debug.
 *
 * Threads: safe from any, once mg_log_open() has returned. Never blocks on a slow reader of stderr for more than one
 * write. */
#ifndef MG_BASE_LOG_H
#define MG_BASE_LOG_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/rc.h"

enum mg_log_level { MG_LOG_ERROR, MG_LOG_WARNING, MG_LOG_NOTICE, MG_LOG_INFO, MG_LOG_DEBUG };
enum { MG_LOG_BURST = 20 };

/* Where the lines go and from which level on. `to_stderr` false: syslog, facility mail, ident "mailguard".
 * May be called again, from one thread, after a fork. */
void mg_log_open(int to_stderr, enum mg_log_level level);

/* "error", "warning", ... or NULL for what is none; the names are those of mg_log_level. */
const char *mg_log_level_name(enum mg_log_level level);
int mg_log_level_of(const char *name); /* -1: unknown */

struct mg_log_site {
	_Atomic int64_t second;
	_Atomic unsigned count;
};

void mg_log_write(struct mg_log_site *site, enum mg_log_level level, const char *fmt, ...) MG_PRINTF(3, 4);

#define mg_log(level, ...)                                                                                             \
	do {                                                                                                           \
		static struct mg_log_site mg_log_site_here;                                                            \
		mg_log_write(&mg_log_site_here, level, __VA_ARGS__);                                                   \
	} while (0)

#endif
