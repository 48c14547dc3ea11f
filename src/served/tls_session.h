/* tls_session.h - the client's side of TLS over a non-blocking socket, with a deadline for each step.
 *
 * Nothing is verified in the handshake: what the server presents is looked at afterwards (certificate.h). It accepts whatever
 * a server can do, weak things included, unless a wish says otherwise: this is for looking, not for carrying anything.
 *
 * Threads: one owner. Writing to a socket that the other side has closed never raises SIGPIPE. */
#ifndef MG_SERVED_TLS_SESSION_H
#define MG_SERVED_TLS_SESSION_H

#include <sys/types.h>

#include "served/certificate.h"

enum mg_tls_version { MG_TLS_ANY, MG_SSL_3, MG_TLS_1_0, MG_TLS_1_1, MG_TLS_1_2, MG_TLS_1_3, MG_TLS_VERSIONS };
const char *mg_tls_version_name(enum mg_tls_version version); /* "SSLv3", "TLSv1", ... "TLSv1.3" */

struct mg_tls_wish {
	const char *server_name;     /* SNI; NULL or an address: none */
	enum mg_tls_version version; /* exactly this one */
	bool is_weak;                /* only ciphers that nobody should accept any more */
};

struct mg_tls;

/* Handshake. MG_ERANGE: the library here can't do what is wished; MG_ETIME; MG_EIO: it failed, `err` says how. The descriptor stays
 * the caller's. */
MG_MUSTCHECK
enum mg_rc mg_tls_start(
	int fd, const struct mg_tls_wish *wish, int64_t deadline_us, struct mg_tls **tls_out, struct mg_err *err);
void mg_tls_free(struct mg_tls **tls); /* no closing alert; NULL in it is fine */

/* As read(2): 0 at the end, -1 with errno (ETIMEDOUT at the deadline). */
ssize_t mg_tls_read(struct mg_tls *tls, void *place, size_t size, int64_t deadline_us);
bool mg_tls_write(struct mg_tls *tls, struct mg_str bytes, int64_t deadline_us);

const char *mg_tls_protocol(const struct mg_tls *tls); /* "TLSv1.3" */
const char *mg_tls_cipher(const struct mg_tls *tls, unsigned *bits_out);

/* What the server presented, the caller's; NULL: nothing (an anonymous cipher), or no memory. */
struct mg_chain *mg_tls_chain(const struct mg_tls *tls);

#endif
