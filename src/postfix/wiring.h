/* wiring.h - how mailguard hangs in Postfix: is it there, what has to be written, write it, take it out again.
 *
 * Three macros in main.cf hold everything that is ours: mailguard_check and mailguard_relay_tap (a check_policy_service
 * each) and mailguard_milter. Lists name them as $mailguard_check and so on, so the administrator's own words stay as
 * they are and the braces, which `postconf -P` can't carry, stand in main.cf alone.
 *
 * Threads: pure but for apply and undo, which run postconf and change the two files; one at a time. */
#ifndef MG_POSTFIX_WIRING_H
#define MG_POSTFIX_WIRING_H

#include "base/arena.h"
#include "base/say.h"
#include "postfix/postconf.h"

/* The doors as mailguard.conf names them; "" is off. */
struct mg_wiring_doors {
	const char *milter, *policy; /* milter.listen, policy.listen */
};

/* --- what is there --- */

struct mg_wiring_service { /* one smtpd; reasons are empty where there is nothing to say */
	const char *id;    /* "smtp/inet" */
	bool is_loopback, is_chroot;

	bool has_milter;                 /* in force: named, reachable, not switched off */
	bool milter_default_is_explicit; /* our default_action is written with it */
	struct mg_say milter_reason;

	bool has_check;                 /* in force, before anything that permits */
	bool check_default_is_explicit; /* default_action=DUNNO is written with it */
	struct mg_say check_reason;

	bool has_tap; /* in place, and nothing before it permits or ends the list */
	struct mg_say tap_reason;
};

struct mg_wiring {
	struct mg_arena arena;
	struct mg_wiring_service *services;
	size_t service_count;
	bool has_non_smtpd; /* the milter is in non_smtpd_milters */
	bool has_milter; /* every smtpd that others than this machine can reach has it (there being none: every smtpd) */
	bool has_policy; /* the same of the check */
	bool has_tap;    /* the same of the tap */
};

MG_MUSTCHECK
enum mg_rc mg_wiring_inspect(const struct mg_postfix *postfix, const struct mg_wiring_doors *doors,
	struct mg_wiring **wiring_out, struct mg_err *err);
void mg_wiring_free(struct mg_wiring **wiring); /* sets it to NULL; NULL in it is fine */

/* --- what has to change --- */

enum { MG_WIRING_EDITS = 400, MG_WIRING_WARNINGS = 100 };

struct mg_wiring_edit {
	const struct mg_postfix_service
		*service;  /* of the model planned from, gone after apply and undo; NULL: main.cf */
	const char *where; /* "main.cf", or "smtp/inet" */
	const char *parameter;
	const char *before; /* NULL: not set */
	const char *after;  /* NULL: taken out */
};

struct mg_wiring_plan {
	struct mg_arena arena;
	struct mg_wiring_edit edits[MG_WIRING_EDITS];
	size_t edit_count;                        /* 0: everything is as it should be */
	const char *warnings[MG_WIRING_WARNINGS]; /* what the plan can't mend, English sentences */
	size_t warning_count;

	/* After apply and undo. */
	const char *backup[2]; /* names of the copies of main.cf and master.cf; NULL without */
	bool is_restored;      /* undo put the copies back byte for byte; `edits` is empty then */
};

MG_MUSTCHECK
enum mg_rc mg_wiring_plan(const struct mg_postfix *postfix, const struct mg_wiring_doors *doors,
	struct mg_wiring_plan **plan_out, struct mg_err *err);

/* The edits that take our pieces out and leave all else. */
MG_MUSTCHECK
enum mg_rc mg_wiring_plan_removal(
	const struct mg_postfix *postfix, struct mg_wiring_plan **plan_out, struct mg_err *err);

void mg_wiring_plan_free(struct mg_wiring_plan **plan);

/* --- doing it --- */

enum { MG_WIRING_TIMEOUT_MS = 20000 };
#define MG_WIRING_STATE "mailguard.wired" /* in the configuration directory */

/* Loads, plans, copies main.cf and master.cf to FILE.mailguard-YYYYMMDD-HHMMSS, edits with postconf, looks whether a
 * second plan is empty. On failure the files are as they were. An empty plan does nothing. */
MG_MUSTCHECK
enum mg_rc mg_wiring_apply(const char *directory, const struct mg_wiring_doors *doors, struct mg_wiring_plan **plan_out,
	struct mg_err *err);

/* Restores the copies when the files are still as apply left them, else takes our pieces out. Nothing wired: MG_OK, no
 * edits, is_restored false. */
MG_MUSTCHECK
enum mg_rc mg_wiring_undo(const char *directory, struct mg_wiring_plan **plan_out, struct mg_err *err);

#endif
