/* ctl.h - what the commands of mailguardctl share: options, the daemon, the terminal.
 *
 * Threads: none; the program is one. */
#ifndef MG_CTL_CTL_H
#define MG_CTL_CTL_H

#include <getopt.h>
#include <jansson.h>

#include "base/buf.h"
#include "conf/conf.h"

/* Exit statuses of the contract. */
enum {
	MG_EXIT_OK = 0,
	MG_EXIT_WARN = 1,
	MG_EXIT_CRIT = 2,
	MG_EXIT_UNKNOWN = 3,
	MG_EXIT_NEGATIVE = 1,    /* did its work, and the answer is no */
	MG_EXIT_UNREACHABLE = 3, /* no daemon */
	MG_EXIT_USAGE = 64,
	MG_EXIT_DATA = 65,
	MG_EXIT_NOT_PERMITTED = 77,
	MG_EXIT_GO_ON = -1, /* of helpers: no exit yet */
};

struct mg_ctl {
	const char *socket;    /* --socket, or NULL */
	const char *conf_path; /* -c, or NULL: the default, if it is there */
	const char *command;
	bool json;
	bool colour;
	int columns; /* of the terminal; 80 when it is none */
};

struct mg_command {
	const char *name;
	const char *arguments;                                 /* for the help: "QUEUEID|MESSAGE-ID|ADDRESS|IP" */
	const char *help;                                      /* N_() */
	int (*run)(struct mg_ctl *ctl, int argc, char **argv); /* argv[0] is the command's name */
};
extern const struct mg_command mg_commands[]; /* ends with a NULL name */

int mg_ctl_doctor(struct mg_ctl *ctl, int argc, char **argv);
int mg_ctl_status(struct mg_ctl *ctl, int argc, char **argv);
int mg_ctl_check(struct mg_ctl *ctl, int argc, char **argv);
int mg_ctl_recent(struct mg_ctl *ctl, int argc, char **argv);
int mg_ctl_trace(struct mg_ctl *ctl, int argc, char **argv);
int mg_ctl_explain(struct mg_ctl *ctl, int argc, char **argv);
int mg_ctl_auth(struct mg_ctl *ctl, int argc, char **argv);
int mg_ctl_ban(struct mg_ctl *ctl, int argc, char **argv);
int mg_ctl_limits(struct mg_ctl *ctl, int argc, char **argv);
int mg_ctl_release(struct mg_ctl *ctl, int argc, char **argv);
int mg_ctl_wire(struct mg_ctl *ctl, int argc, char **argv);
int mg_ctl_relay_check(struct mg_ctl *ctl, int argc, char **argv);
int mg_ctl_probe(struct mg_ctl *ctl, int argc, char **argv);
int mg_ctl_reload(struct mg_ctl *ctl, int argc, char **argv);
int mg_ctl_whatif(struct mg_ctl *ctl, int argc, char **argv);
int mg_ctl_version(struct mg_ctl *ctl, int argc, char **argv);

/* ---- options ---- */

/* One option of a command: `value` gets its argument, or `flag` becomes true. With both it may be repeated: `value` has room for
 * MG_CTL_REPEATS arguments and a NULL behind them, and `flag` becomes true when there are more. */
enum { MG_CTL_REPEATS = 64 };
struct mg_ctl_option {
	const char *name;
	const char **value;
	bool *flag;
};

/* Reads a command's options (ended by a row without a name) and those that every command takes; operands may stand
 * before or behind them. MG_EXIT_GO_ON: operands begin at argv[optind]; else the exit status. */
int mg_ctl_options(struct mg_ctl *ctl, int argc, char **argv, const struct mg_ctl_option *options);

/* One line on stderr, "mailguardctl: ...", and `status`. */
int mg_ctl_fail(int status, const char *fmt, ...) MG_PRINTF(2, 3);

/* The configuration: -c FILE, the default file, or the defaults when there is none. Loaded once. NULL: said why. */
const struct mg_conf *mg_ctl_conf(struct mg_ctl *ctl);

/* ---- the daemon ---- */

/* Calls a method; takes `params` (may be NULL). MG_EXIT_GO_ON: *result_out is a new reference. Else one line was said on
 * stderr, and this is the exit status: 3 unreachable, 77 not permitted, 1 refused, 65 bad parameters. */
int mg_ctl_call(struct mg_ctl *ctl, const char *method, json_t *params, json_t **result_out);
/* The same without a word when no daemon is reached. */
int mg_ctl_call_quietly(struct mg_ctl *ctl, const char *method, json_t *params, json_t **result_out);

/* ---- the terminal ---- */

enum mg_ink { MG_INK_PLAIN, MG_INK_GOOD, MG_INK_WARN, MG_INK_BAD, MG_INK_FAINT, MG_INK_STRONG };

/* Prints `text` in that ink where colour is allowed, padded to `width` columns (0: not). Untrusted text is made
 * harmless. */
void mg_ctl_print(const struct mg_ctl *ctl, enum mg_ink ink, int width, const char *text);
/* Prints a paragraph: `label` padded to `indent`, then `text` broken at the terminal's width. */
void mg_ctl_paragraph(const struct mg_ctl *ctl, int indent, const char *label, const char *text);

/* The document of --json. Takes `json`. */
void mg_ctl_print_json(json_t *json);

/* The text of a key, "" when it is none. */
const char *mg_ctl_text(const json_t *object, const char *key);
int64_t mg_ctl_number(const json_t *object, const char *key);

/* "3 d 4 h", "12 s" into `place` of at least 32 bytes. */
const char *mg_ctl_duration(char *place, size_t size, int64_t seconds);

#endif
