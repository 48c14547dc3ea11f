/* dovecot_listeners.h - Dovecot as configured: where it listens for IMAP and POP3, and with which certificate.
 *
 * One run of doveconf(1), which knows the defaults of the Dovecot that is installed (2.3 and 2.4). That Dovecot is used here is told
 * by dovecot.config in our configuration, by its having run since the machine started, by Postfix's relying on it, or by systemd's
 * enabling it: an installed package alone serves nobody.
 *
 * Threads: plain values, one owner. */
#ifndef MG_HEALTH_DOVECOT_LISTENERS_H
#define MG_HEALTH_DOVECOT_LISTENERS_H

#include "health/check.h"

enum { MG_DOVECOT_LISTENERS = 16, MG_DOVECOT_TEXT = 256 };

struct mg_dovecot_listener {
	bool is_pop3, is_tls, has_proxy;
	unsigned port;
	char name[64];               /* "imap-login/imaps" */
	char hosts[MG_DOVECOT_TEXT]; /* as configured: "*, ::", "127.0.0.1" */
};

struct mg_dovecot {
	bool is_used; /* false: nothing else is set */
	struct mg_dovecot_listener listener[MG_DOVECOT_LISTENERS];
	size_t count;
	char base_dir[MG_DOVECOT_TEXT];
	char certificate[MG_DOVECOT_TEXT], key[MG_DOVECOT_TEXT]; /* paths, ""; without the leading '<' */
	char ssl[16];                                            /* no, yes, required */
	bool allows_plaintext; /* passwords in clear from anywhere: disable_plaintext_auth = no */
	bool has_local_names;  /* other certificates for other names or addresses */
};

/* MG_OK, also where Dovecot is not used; MG_EIO, MG_ETIME: it is, but what it is configured to do can't be told. */
MG_MUSTCHECK
enum mg_rc mg_dovecot_look(const struct mg_check_env *env, struct mg_dovecot *dovecot_out, struct mg_err *err);

/* What `doveconf -P -a` printed. */
void mg_dovecot_parse(struct mg_str text, struct mg_dovecot *dovecot_out);

#endif
