/* run.h - another program, run to its end or to a deadline.
 *
 * No shell. The program gets a process group and an environment of its own (PATH, LC_ALL=C, TZ, what `environment` adds;
 * MAIL_CONFIG is never inherited), none of our descriptors, default signal dispositions and the text for its standard
 * input. What it prints is kept up to a ceiling; the rest is read and dropped. At the deadline the whole group is killed.
 *
 * Threads: safe from any; blocks its caller. SIGCHLD must not be ignored. */
#ifndef MG_BASE_RUN_H
#define MG_BASE_RUN_H

#include "base/buf.h"

struct mg_run {
	const char *const *argv; /* ends in NULL; argv[0] without a slash is looked for in MG_RUN_PATH */
	struct mg_str input;     /* empty: /dev/null */
	int timeout_ms;
	size_t out_max, err_max;        /* ceilings of what is kept, in bytes */
	bool err_is_terminal;           /* its standard error is a pseudo-terminal: some speak only to people */
	const char *const *environment; /* more "NAME=value", ends in NULL; may be NULL itself */
};

#define MG_RUN_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct mg_run_result {
	struct mg_buf out, err; /* mg_buf_ok() is false when the ceiling was reached */
	int status;             /* the exit status, or 128 + the signal that ended it */
};

/* MG_OK: it ran and ended, whatever its status. MG_ENOENT: no such program; MG_ETIME: killed at the deadline; MG_EIO.
 * Either way *result_out is mg_run_fini()'s, and holds what was printed so far. */
MG_MUSTCHECK
enum mg_rc mg_run(const struct mg_run *run, struct mg_run_result *result_out, struct mg_err *err);
void mg_run_fini(struct mg_run_result *result);

/* The first line of what it said on stderr (or stdout), for a sentence; "" when it said nothing. In `place`. */
const char *mg_run_said(const struct mg_run_result *result, char *place, size_t size);

#endif
