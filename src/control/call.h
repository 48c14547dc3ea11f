/* call.h - one JSON-RPC call on its way through a method.
 *
 * Internal to control/. Threads: the loop's; `work` runs on the jobs' thread. */
#ifndef MG_CONTROL_CALL_H
#define MG_CONTROL_CALL_H

#include "control/control.h"

enum mg_rpc_error {
	MG_RPC_NONE = 0,
	MG_RPC_PARSE = -32700,
	MG_RPC_INVALID = -32600,
	MG_RPC_NO_METHOD = -32601,
	MG_RPC_PARAMS = -32602,
	MG_RPC_REFUSED = -32000,       /* understood, and answered no */
	MG_RPC_NOT_PERMITTED = -32001, /* exit code 77 */
	MG_RPC_BUSY = -32002,
	MG_RPC_FAILED = -32003, /* we could not */
};

struct mg_call {
	struct mg_job job; /* first: a job is its call */
	const struct mg_control_options *options;
	struct mg_client_link *link; /* the server's */
	json_t *id, *params;         /* owned; params may be NULL */
	json_t *result;              /* owned */
	enum mg_rpc_error error;
	char error_text[600];
	void (*work)(struct mg_call *call);
};

struct mg_rpc_method {
	const char *name;
	bool changes_state; /* needs the administrator's rights */
	/* Either answers at once (false) or has work for the jobs' thread, set in call->work, or will answer by
	 * itself through mg_call_answer() (true: not answered yet). */
	bool (*start)(struct mg_call *call);
};
const struct mg_rpc_method *mg_rpc_method_find(const char *name);

/* Sets the error, once. */
void mg_call_fail(struct mg_call *call, enum mg_rpc_error error, const char *fmt, ...) MG_PRINTF(3, 4);
/* Sends result or error, and ends the call. On the loop. */
void mg_call_answer(struct mg_call *call);

/* A parameter by name: its text or `otherwise`; false and an error when it is no string or longer than 512 bytes. */
bool mg_call_text(struct mg_call *call, const char *name, const char *otherwise, const char **text_out);
bool mg_call_number(
	struct mg_call *call, const char *name, int64_t least, int64_t most, int64_t otherwise, int64_t *number_out);

#endif
