/* The sentence is built once, at the place that knows what failed; callers pass it on untouched. */
#include "base/rc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/escape.h"

static void write_sentence(struct mg_err *err, const char *fmt, va_list args)
{
	vsnprintf(err->text, sizeof err->text, fmt, args);
	mg_escape_in_place(err->text);
}

enum mg_rc mg_err_set(struct mg_err *err, enum mg_rc rc, const char *fmt, ...)
{
	va_list args;

	if (err == NULL)
		return rc;
	va_start(args, fmt);
	write_sentence(err, fmt, args);
	va_end(args);
	return rc;
}

enum mg_rc mg_err_sys(struct mg_err *err, enum mg_rc rc, int errnum, const char *fmt, ...)
{
	va_list args;
	const char *system_text = strerrordesc_np(errnum); /* English, from any thread */
	size_t used;

	if (err == NULL)
		return rc;
	va_start(args, fmt);
	write_sentence(err, fmt, args);
	va_end(args);
	used = strlen(err->text);
	snprintf(
		err->text + used, sizeof err->text - used, ": %s", system_text == NULL ? "unknown error" : system_text);
	return rc;
}

void mg_bug(const char *claim, const char *file, int line)
{
	fprintf(stderr, "mailguard: bug: %s does not hold (%s:%d)\n", claim, file, line);
	abort();
}
