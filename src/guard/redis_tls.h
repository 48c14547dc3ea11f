/* redis_tls.h - TLS to the shared store: the only file of guard that knows OpenSSL.
 *
 * TLS 1.2 or newer; the server's certificate is verified against the system's trust store and must be for the host of the URL (a name
 * or an address).
 *
 * Threads: one owner. */
#ifndef MG_GUARD_REDIS_TLS_H
#define MG_GUARD_REDIS_TLS_H

#include <event2/bufferevent.h>

#include "base/rc.h"

struct mg_redis_tls;

MG_MUSTCHECK
enum mg_rc mg_redis_tls_new(struct mg_redis_tls **tls_out, struct mg_err *err);
void mg_redis_tls_free(struct mg_redis_tls **tls); /* NULL in it is fine */

/* A bufferevent without a socket that will verify `host`; closes its socket when freed. NULL: no memory. */
struct bufferevent *mg_redis_tls_bufferevent(struct mg_redis_tls *tls, struct event_base *base, const char *host);

/* What went wrong on it, as a sentence in `place`; "" when TLS knows of nothing. */
void mg_redis_tls_trouble(struct bufferevent *bev, char *place, size_t size);

#endif
