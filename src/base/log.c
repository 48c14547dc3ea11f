/* Each call site carries its own counter, so that a flood of one event can't hide the others. */
#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/escape.h"

static const struct {
	const char *name;
	int syslog_level;
} levels[] = {
	[MG_LOG_ERROR] = { "error", LOG_ERR },
	[MG_LOG_WARNING] = { "warning", LOG_WARNING },
	[MG_LOG_NOTICE] = { "notice", LOG_NOTICE },
	[MG_LOG_INFO] = { "info", LOG_INFO },
	[MG_LOG_DEBUG] = { "debug", LOG_DEBUG },
};

static struct {
	_Atomic int to_stderr;
	_Atomic int level;
} sink = { 1, MG_LOG_NOTICE };

void mg_log_open(int to_stderr, enum mg_log_level level)
{
	sink.to_stderr = to_stderr;
	sink.level = (int)level;
	if (!to_stderr)
		openlog("mailguard", LOG_PID | LOG_NDELAY, LOG_MAIL);
}

const char *mg_log_level_name(enum mg_log_level level)
{
	return (size_t)level < sizeof levels / sizeof levels[0] ? levels[level].name : NULL;
}

int mg_log_level_of(const char *name)
{
	for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
		if (strcmp(levels[i].name, name) == 0)
			return (int)i;
	return -1;
}

/* True when this line may pass; *skipped_out is how many of this site were held back since the last one. */
static bool may_pass(struct mg_log_site *site, unsigned *skipped_out)
{
	int64_t second = mg_mono_us() / MG_S_US;
	unsigned count;

	*skipped_out = 0;
	if (atomic_exchange(&site->second, second) != second) {
		unsigned before = atomic_exchange(&site->count, 1);

		*skipped_out = before > MG_LOG_BURST ? before - MG_LOG_BURST : 0;
		return true;
	}
	count = atomic_fetch_add(&site->count, 1);
	return count < MG_LOG_BURST;
}

static void to_sink(enum mg_log_level level, const char *line)
{
	char text[1200];
	int n;

	if (!sink.to_stderr) {
		syslog(levels[level].syslog_level, "%s", line);
		return;
	}
	n = snprintf(text, sizeof text, "mailguardd[%d]: %s: %s\n", (int)getpid(), levels[level].name, line);
	if (n > 0 && write(STDERR_FILENO, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1) < 0)
		return; /* nobody left to tell */
}

void mg_log_write(struct mg_log_site *site, enum mg_log_level level, const char *fmt, ...)
{
	char line[1024];
	unsigned skipped;
	va_list args;

	if ((int)level > sink.level || !may_pass(site, &skipped))
		return;
	va_start(args, fmt);
	vsnprintf(line, sizeof line, fmt, args);
	va_end(args);
	mg_escape_in_place(line);
	if (skipped > 0) {
		size_t used = strlen(line);

		snprintf(line + used, sizeof line - used, " (%u more like this were not logged)", skipped);
	}
	to_sink(level, line);
}
