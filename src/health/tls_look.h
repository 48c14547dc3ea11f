/* tls_look.h - one look at TLS on all mail ports: the files that are configured, and what is served.
 *
 * The checks of tls.* share it: it is kept for some seconds (longer where STARTTLS is offered and fails), so that seven checks make one
 * handshake a port. Where any listener of Postfix (of Dovecot) is reached by others, those that only this machine reaches are left
 * out: they are hand-overs between programs.
 *
 * Threads: the health worker's; borrowed until the next call. */
#ifndef MG_HEALTH_TLS_LOOK_H
#define MG_HEALTH_TLS_LOOK_H

#include "health/mail_ports.h"

enum { MG_TLS_PORTS = 24, MG_TLS_PAIRS = 16, MG_TLS_KEYS = 4, MG_TLS_PATH = 512, MG_TLS_HOST = 256 };

/* A certificate and where its key is. */
struct mg_tls_pair {
	char certificate[MG_TLS_PATH];
	char key[MG_TLS_KEYS][MG_TLS_PATH];
	size_t key_count;
	bool is_dovecots;
	char parameter[64];     /* "smtpd_tls_cert_file", "ssl_cert" */
	struct mg_chain *chain; /* NULL: `rc` and `trouble` say why */
	enum mg_rc rc;
	char trouble[MG_TLS_PATH];
};

struct mg_tls_port {
	struct mg_mail_port port; /* without its service */
	struct mg_served served;
	bool is_dovecots;
	char host[MG_TLS_HOST];                /* the name that clients look for, "" unknown */
	uint32_t pairs;                        /* bits: its certificates */
	bool has_own_level, has_own_auth_only; /* master.cf overrides smtpd_tls_security_level, smtpd_tls_auth_only */
	bool has_own_protocols; /* master.cf overrides smtpd_tls_protocols or smtpd_tls_mandatory_protocols */
	bool is_level_none;
	bool has_other_names; /* other certificates for other names */
	bool has_offers;
	struct mg_served_offers offers; /* after mg_tls_look_at_offers() */
};

struct mg_tls_look {
	struct mg_tls_port port[MG_TLS_PORTS];
	size_t port_count;
	struct mg_tls_pair pair[MG_TLS_PAIRS];
	size_t pair_count;
	bool is_cut;           /* the deadline came, or there were more ports than room */
	bool allows_plaintext; /* Dovecot */
	char dovecot_trouble[512];
	const struct mg_postfix *postfix; /* what it was made of, NULL: not readable; not to be followed */
	/* private */
	bool has_offers;
	int64_t made_us; /* monotonic; 0: not yet */
};

/* NULL: no memory, and said so. That Postfix's configuration can't be read is said, and Dovecot's ports are looked at all the same. */
struct mg_tls_look *mg_tls_look(const struct mg_check_env *env, struct mg_finding *finding);
/* Fills in the offers of the ports that speak TLS. */
void mg_tls_look_at_offers(const struct mg_check_env *env, struct mg_tls_look *look);

#endif
