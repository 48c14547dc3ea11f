/* control.h - the diagnostic socket: JSON-RPC 2.0, one object a line, on the main loop.
 *
 * The methods are the commands' names. Reading needs the socket's group (its file mode); what changes state needs uid 0,
 * the daemon's uid, or membership in control.admin_group, told by SO_PEERCRED and SO_PEERGROUPS. A client has one call
 * under way; a line longer than MG_CONTROL_LINE or that is no JSON-RPC is answered with an error and closed; a reader
 * that takes nothing for MG_CONTROL_PATIENCE_S is dropped.
 *
 * Threads: the loop's. */
#ifndef MG_CONTROL_CONTROL_H
#define MG_CONTROL_CONTROL_H

#include <sys/types.h>

#include "control/jobs.h"
#include "guard/guards.h"
#include "health/health.h"

#define MG_CONTROL_NO_GROUP ((gid_t)-1)

enum { MG_CONTROL_CLIENTS = 64, MG_CONTROL_LINE = 64 * 1024, MG_CONTROL_PATIENCE_S = 10, MG_CONTROL_IDLE_S = 120 };

/* Told on the loop when a reload is over: `refusal` is NULL, or why the old configuration stays. */
typedef void (*mg_reload_told)(void *cookie, const char *refusal);

struct mg_control_options {
	struct event_base *base;
	int listen_fd; /* listening, non-blocking; stays the caller's */
	struct mg_jobs *jobs;
	struct mg_health *health;
	struct mg_counters *counters;
	const struct mg_guards *guards; /* NULL: nothing is guarded */
	gid_t admins;                   /* control.admin_group, or MG_CONTROL_NO_GROUP */
	void *context;
	const struct mg_conf *(*pin_conf)(void *context); /* a reference the caller of it drops; from any thread */
	void (*figures)(void *context, struct mg_figures *figures_out);
	void (*reload)(void *context, mg_reload_told told, void *cookie);
};

struct mg_control;
MG_MUSTCHECK
enum mg_rc mg_control_start(
	const struct mg_control_options *options, struct mg_control **control_out, struct mg_err *err);
/* A group's number; MG_CONTROL_NO_GROUP when there is none of that name ("" too). May block on the name service. */
gid_t mg_control_group_id(const char *name);

/* Clients from now on are held against this. */
void mg_control_set_admins(struct mg_control *control, gid_t admins);

/* Later clients find another worker on the socket; those here are served to the end. */
void mg_control_stop_accepting(struct mg_control *control);

/* `status` as the contract has it, a new reference; quick. */
json_t *mg_control_status(const struct mg_control_options *options);

#endif
