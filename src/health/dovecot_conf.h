/* dovecot_conf.h - Dovecot as configured: where it listens for IMAP and POP3, with which certificate, its sockets for other programs, where
 * its mailboxes are.
 *
 * One run of doveconf(1), which knows the defaults of the Dovecot that is installed (2.3 and 2.4). That Dovecot is used here is told
 * by dovecot.config in our configuration, by its having run since the machine started, by Postfix's relying on it, or by systemd's
 * enabling it: an installed package alone serves nobody.
 *
 * Threads: plain values, one owner. */
#ifndef MG_HEALTH_DOVECOT_CONF_H
#define MG_HEALTH_DOVECOT_CONF_H

#include "health/check.h"

enum { MG_DOVECOT_LISTENERS = 16, MG_DOVECOT_SOCKETS = 64, MG_DOVECOT_TEXT = 256, MG_DOVECOT_WORD = 64 };

struct mg_dovecot_listener {
	bool is_pop3, is_tls, has_proxy;
	unsigned port;
	char name[64];               /* "imap-login/imaps" */
	char hosts[MG_DOVECOT_TEXT]; /* as configured: "*, ::", "127.0.0.1" */
};

struct mg_dovecot_socket {             /* a unix_listener */
	char service[MG_DOVECOT_WORD]; /* "auth" */
	char path[MG_DOVECOT_TEXT];    /* as configured: relative to base_dir */
};

struct mg_dovecot {
	bool is_used;               /* false: nothing else is set */
	char file[MG_DOVECOT_TEXT]; /* the configuration's, "" not told */
	struct mg_dovecot_socket socket[MG_DOVECOT_SOCKETS];
	size_t socket_count;
	struct mg_dovecot_listener listener[MG_DOVECOT_LISTENERS];
	size_t count;
	char base_dir[MG_DOVECOT_TEXT];
	char certificate[MG_DOVECOT_TEXT], key[MG_DOVECOT_TEXT]; /* paths, ""; without the leading '<' */
	char ssl[16];                                            /* no, yes, required */
	char ssl_min_protocol[MG_DOVECOT_WORD];                  /* TLSv1.2 ... */
	char mechanisms[MG_DOVECOT_TEXT];                        /* of auth_mechanisms */
	char mail_location[MG_DOVECOT_TEXT];                     /* of 2.3; of 2.4: mail_path */
	char mail_inbox[MG_DOVECOT_TEXT];                        /* mail_inbox_path of 2.4 */
	char mail_home[MG_DOVECOT_TEXT];                         /* mail_home, or home= of a userdb */
	bool is_24;                                              /* 2.4: settings have other names */
	bool has_quota;                                          /* a protocol loads the quota plugin */
	bool allows_plaintext; /* passwords in clear from anywhere: disable_plaintext_auth = no */
	bool has_local_names;  /* other certificates for other names or addresses */
};

/* MG_OK, also where Dovecot is not used; MG_EIO, MG_ETIME: it is, but what it is configured to do can't be told. */
MG_MUSTCHECK
enum mg_rc mg_dovecot_look(const struct mg_check_env *env, struct mg_dovecot *dovecot_out, struct mg_err *err);

/* What `doveconf -P -a` printed. */
void mg_dovecot_parse(struct mg_str text, struct mg_dovecot *dovecot_out);

/* Where Dovecot's mailboxes are below: "/var/vmail" of "maildir:/var/vmail/%d/%n". At most MG_DOVECOT_PLACES, each once; "" of places that
 * are not told (a home directory that only the user database knows). */
enum { MG_DOVECOT_PLACES = 2 };
size_t mg_dovecot_mailboxes(const struct mg_dovecot *dovecot, char places[MG_DOVECOT_PLACES][MG_DOVECOT_TEXT]);

/* How to call Dovecot's `program` here: "doveadm", or "doveadm -c FILE" with dovecot.config. In the finding's memory. */
const char *mg_dovecot_program(const struct mg_check_env *env, struct mg_finding *finding, const char *program);

/* The look for a check of Dovecot's: false, and said so, when Dovecot is not used (not applicable) or can't be looked at (unknown). */
bool mg_dovecot_is_here(const struct mg_check_env *env, struct mg_finding *finding, struct mg_dovecot *dovecot_out);

#endif
