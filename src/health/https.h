/* https.h - one small text fetched by HTTPS, for checks. libcurl is seen only in https.c.
 *
 * The certificate must verify against the system's trust store; no redirect is followed; no proxy, no cookie, no credentials.
 *
 * Threads: safe from any; blocks up to its deadline. */
#ifndef MG_HEALTH_HTTPS_H
#define MG_HEALTH_HTTPS_H

#include "base/buf.h"
#include "base/ip.h"

enum mg_https_end {
	MG_HTTPS_GOT,         /* 200, and all of it is there */
	MG_HTTPS_UNREACHED,   /* no connection, or it broke off: nothing is known */
	MG_HTTPS_UNTRUSTED,   /* the certificate does not verify */
	MG_HTTPS_OTHER_REPLY, /* another status than 200 */
	MG_HTTPS_TOO_LARGE,   /* more than the buffer takes */
	MG_HTTPS_FAILED,      /* we could not: no memory */
};

/* Fetches https://HOST/PATH from one of these addresses, port 443. `body` is the caller's; its ceiling is the bound. *status_out: of
 * HTTP, 0 without. `said` (of `said_size` bytes) is what libcurl says of a failure. */
enum mg_https_end mg_https_get(const char *host, const char *path, const struct mg_ip *addresses, size_t count,
	int timeout_ms, struct mg_buf *body, long *status_out, char *said, size_t said_size);

#endif
