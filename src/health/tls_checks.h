/* tls_checks.h - the checks of the family tls that have files of their own.
 *
 * Threads: the health worker's. */
#ifndef MG_HEALTH_TLS_CHECKS_H
#define MG_HEALTH_TLS_CHECKS_H

#include "health/tls_look.h"

void mg_tls_check_key(const struct mg_check_env *env, struct mg_finding *finding);      /* tls.key */
void mg_tls_check_protocol(const struct mg_check_env *env, struct mg_finding *finding); /* tls.protocol */
void mg_tls_check_starttls(const struct mg_check_env *env, struct mg_finding *finding); /* tls.starttls */

/* The command after which a changed file is served; in `place`. */
const char *mg_tls_reload(const struct mg_check_env *env, bool is_dovecots, char *place, size_t size);

/* "127.0.0.1:25 (smtp/inet)", in the finding's memory. */
const char *mg_tls_where(struct mg_finding *finding, const struct mg_tls_port *port);

/* What could not be looked at makes a clean result unknown: ports that do not answer, Dovecot's configuration. */
void mg_tls_say_unseen(struct mg_finding *finding, const struct mg_tls_look *look);

/* Whether any port speaks TLS or a file is configured; else it is said that this does not apply. */
bool mg_tls_applies(struct mg_finding *finding, const struct mg_tls_look *look);

#endif
