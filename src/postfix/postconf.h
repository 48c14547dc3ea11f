/* postconf.h - Postfix as configured: all parameters and services of one configuration directory, asked of postconf(1).
 *
 * postconf knows the defaults, the syntax and the compatibility level of the Postfix that is installed, so nothing of that
 * is written again here. No running Postfix is needed. A loaded model never changes.
 *
 * Threads: a loaded model may be read by any; loading blocks on four short runs of postconf. */
#ifndef MG_POSTFIX_POSTCONF_H
#define MG_POSTFIX_POSTCONF_H

#include "base/arena.h"
#include "base/buf.h"

struct mg_postfix_parameter {
	const char *name, *value; /* raw: $macros unexpanded */
	bool is_set;              /* main.cf says it; else it is the default */
};

struct mg_postfix_service {      /* one entry of master.cf */
	const char *name, *type; /* "smtp", "127.0.0.1:10025"; "inet", "unix", "pass", "fifo" */
	const char *id;          /* "smtp/inet", as postconf -P names it */
	const char *entry;       /* the whole entry on one line, as postconf -M prints it */
	const char *command;     /* "smtpd" */
	bool is_private, is_unprivileged, is_chroot;
	int max_processes;                      /* 0: no limit; MG_POSTFIX_DEFAULT: default_process_limit */
	struct mg_postfix_parameter *overrides; /* -o */
	size_t override_count;
};

enum { MG_POSTFIX_DEFAULT = -1 };

struct mg_postfix {
	struct mg_arena arena;
	const char *directory, *version, *queue_directory; /* version: "3.7.11" */
	struct mg_postfix_parameter *parameters;           /* by name */
	size_t parameter_count;
	struct mg_postfix_service *services; /* as they stand in master.cf */
	size_t service_count;
	const char *warnings; /* what postconf said on stderr, lines */
};

/* Asks `postconf -c directory`. MG_ENOENT: no postconf here; MG_ETIME; MG_EIO with what postconf said. */
MG_MUSTCHECK
enum mg_rc mg_postfix_load(const char *directory, int timeout_ms, struct mg_postfix **postfix_out, struct mg_err *err);
void mg_postfix_free(struct mg_postfix **postfix); /* sets *postfix to NULL; NULL in it is fine */

/* The raw value that counts for a service (its override, else main.cf, else the default); `service` NULL: main.cf alone.
 * NULL: no such parameter. */
const char *mg_postfix_raw(
	const struct mg_postfix *postfix, const struct mg_postfix_service *service, struct mg_str name);

/* Whether main.cf sets it. */
bool mg_postfix_is_set(const struct mg_postfix *postfix, const char *name);

/* The service's own override of it, NULL without. */
const struct mg_postfix_parameter *mg_postfix_override(const struct mg_postfix_service *service, struct mg_str name);

/* Expands $macros in `text` as the service sees them, appending to `out`. */
MG_MUSTCHECK
enum mg_rc mg_postfix_expand(const struct mg_postfix *postfix, const struct mg_postfix_service *service,
	struct mg_str text, struct mg_buf *out, struct mg_err *err);

/* The expanded value; "" for an unknown parameter. */
MG_MUSTCHECK
enum mg_rc mg_postfix_value(const struct mg_postfix *postfix, const struct mg_postfix_service *service,
	const char *name, struct mg_buf *out, struct mg_err *err);

/* Whether an expanded value is Postfix's "yes". */
bool mg_postfix_is_yes(const struct mg_postfix *postfix, const struct mg_postfix_service *service, const char *name);

/* How to call Postfix's `program` for this configuration directory: "postconf", "postconf -c DIR" where it is not /etc/postfix. In
 * `arena`. */
const char *mg_postfix_program(const char *directory, struct mg_arena *arena, const char *program);

/* The next smtpd that speaks to clients (type inet, or pass behind postscreen) after `service`; NULL begins, and ends. */
const struct mg_postfix_service *mg_postfix_next_smtpd(
	const struct mg_postfix *postfix, const struct mg_postfix_service *service);

/* Whether only this machine can reach it: by its own host part, else by inet_interfaces; a pass service by the
 * postscreen services. */
bool mg_postfix_is_loopback(const struct mg_postfix *postfix, const struct mg_postfix_service *service);

#endif
