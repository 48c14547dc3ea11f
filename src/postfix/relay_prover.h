/* relay_prover.h - can a stranger send mail to strangers through this Postfix? Proved from its configuration alone.
 *
 * A stranger has no login, no certificate that somebody gave him, and an address that no list trusts on purpose. Every way
 * in is looked at (each smtpd of master.cf with its overrides, postscreen, qmqpd), and what makes a way of its own: forged
 * client addresses (XCLIENT, PROXY), rewriting after the test. "Closed" is a proof; what can't be proved is "unknown", and
 * a path says what is missing.
 *
 * Whom a configuration trusts on purpose: loopback and private networks of any width, public ones as narrow as a site (/24,
 * /48), clients below a domain that is ours or that a table names, domains whose owner lists this host as their MX.
 *
 * No running Postfix is needed. Bounded: see relay_table.h, relay_list.h, relay_model.h; beyond a bound the verdict is
 * unknown, unless a way was found.
 *
 * Threads: safe from any; blocks its caller on postmap. */
#ifndef MG_POSTFIX_RELAY_PROVER_H
#define MG_POSTFIX_RELAY_PROVER_H

#include "base/say.h"
#include "postfix/postconf.h"

enum mg_relay_verdict { MG_RELAY_CLOSED, MG_RELAY_UNKNOWN, MG_RELAY_OPEN };
const char *mg_relay_verdict_name(enum mg_relay_verdict verdict); /* "closed", "unknown", "open" */

/* From harmless to worst. */
enum mg_relay_path_kind {
	MG_RELAY_PATH_NOTE,    /* worth knowing */
	MG_RELAY_PATH_ADVICE,  /* closed, but something should be mended */
	MG_RELAY_PATH_UNKNOWN, /* can't be proved closed */
	MG_RELAY_PATH_OPEN,
};
const char *mg_relay_path_kind_name(enum mg_relay_path_kind kind);

struct mg_relay_path {
	enum mg_relay_path_kind kind;
	const char *service;     /* "smtp inet", as in master.cf; "" of all */
	const char *restriction; /* "smtpd_relay_restrictions: check_client_access cidr:/x", or a parameter */
	struct mg_say why, fix;
	const char *topic; /* "mynetworks", "spoof" or one of these: which other check it belongs to; "" */
};
#define MG_RELAY_TOPIC_DEAD      "dead"      /* smtpd ends at every connection */
#define MG_RELAY_TOPIC_TEMPORARY "temporary" /* 451 to whoever comes to it */

enum { MG_RELAY_PATHS = 200, MG_RELAY_FILES = 1000 };

struct mg_relay_report {
	struct mg_arena arena; /* all text */
	enum mg_relay_verdict verdict;
	struct mg_relay_path paths[MG_RELAY_PATHS]; /* the worst first */
	size_t path_count;
	const char *files[MG_RELAY_FILES]; /* the tables that were read */
	size_t file_count;
	size_t service_count; /* ways in that strangers can reach */
};

/* `policy_listen`: mailguard's own policy door ("unix:...", "" off), which never permits. */
MG_MUSTCHECK
enum mg_rc mg_relay_prove(const struct mg_postfix *postfix, const char *policy_listen,
	struct mg_relay_report **report_out, struct mg_err *err);
void mg_relay_report_free(struct mg_relay_report **report);

#endif
