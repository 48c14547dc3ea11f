/* mail_ports.h - where this machine serves mail: the listeners of Postfix and Dovecot, by the role they play, with the addresses at which
 * they can be tried from here.
 *
 * A role is a port of the textbook. A listener elsewhere plays the role its settings make it for: implicit TLS is 465, a login is 587,
 * else 25.
 *
 * Threads: plain values, one owner; what it points to is the env's. */
#ifndef MG_HEALTH_MAIL_PORTS_H
#define MG_HEALTH_MAIL_PORTS_H

#include "health/dovecot_conf.h"
#include "served/mail_port.h"

enum mg_mail_role {
	MG_ROLE_SMTP_25,
	MG_ROLE_SMTP_587,
	MG_ROLE_SMTP_465,
	MG_ROLE_IMAP_143,
	MG_ROLE_IMAP_993,
	MG_ROLE_POP_110,
	MG_ROLE_POP_995,
	MG_MAIL_ROLES,
};
unsigned mg_mail_role_port(enum mg_mail_role role); /* 25, 587 ... */
enum mg_served_protocol mg_mail_role_protocol(enum mg_mail_role role);
bool mg_mail_role_is_implicit(enum mg_mail_role role); /* clients begin with TLS */

enum { MG_MAIL_PORTS_MAX = 48, MG_MAIL_PORT_TEXT = 64 };

struct mg_mail_port {
	enum mg_mail_role role;
	const struct mg_postfix_service *service; /* NULL: Dovecot's */
	char name[MG_DOVECOT_TEXT];               /* "submission/inet", "imap-login/imaps" */
	struct mg_ip ip;
	unsigned port;
	char text[MG_MAIL_PORT_TEXT]; /* "127.0.0.1:25", "[::1]:25" */
	bool is_implicit;             /* it is configured to begin with TLS */
	bool is_loopback;             /* only this machine reaches the listener */
	bool is_first;                /* of the listener's addresses */
	bool has_proxy;               /* it waits for a line of the PROXY protocol */
};

struct mg_mail_ports {
	struct mg_mail_port port[MG_MAIL_PORTS_MAX];
	size_t count;
	bool has_public[2]; /* a listener that others reach: of Postfix, of Dovecot */
	struct mg_dovecot dovecot;
	char dovecot_trouble[512]; /* why nothing is known of Dovecot, "" */
};

/* Blocks on doveconf, and on getent where inet_interfaces holds names. env->postfix NULL: Dovecot's alone. */
void mg_mail_ports_look(const struct mg_check_env *env, struct mg_mail_ports *ports_out);

/* A look at this port as its role's clients do; the caller adds SNI and may change `secure`. */
struct mg_served_target mg_mail_port_target(const struct mg_mail_port *port, int64_t deadline_us);

/* How Postfix's commands are told its directory: "" or "-c DIRECTORY "; in `place`. */
const char *mg_postfix_dash_c(const struct mg_check_env *env, char *place, size_t size);

#endif
