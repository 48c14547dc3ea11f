/* store_url.h - state.store taken apart: which Redis or Valkey holds what several servers share.
 *
 *   redis://[USER[:PASSWORD]@]HOST[:PORT][/DB]     rediss://... the same over TLS
 *   redis+unix://PATH[?db=N]
 *
 * An IPv6 address stands in brackets; the port is 6379, the database 0 unless given; "%40" in USER, PASSWORD and PATH is "@".
 * The last "@" ends the password, which so may hold any other character as it is, but "%".
 *
 * Threads: pure. */
#ifndef MG_CONF_STORE_URL_H
#define MG_CONF_STORE_URL_H

#include "base/str.h"

enum mg_store_kind { MG_STORE_MEMORY, MG_STORE_TCP, MG_STORE_TLS, MG_STORE_UNIX };

struct mg_store_url {
	enum mg_store_kind kind;
	char host[256];     /* TCP, TLS: a name or a bare address */
	char path[108];     /* UNIX: absolute */
	char user[256];     /* "" none */
	char password[512]; /* "" none; never shown */
	uint16_t port;
	unsigned database;
	char shown[160]; /* the URL as it may be shown: without user and password; cut at its size */
};

/* MG_ESYNTAX, with a sentence that holds nothing of `text`. "memory" is a store too. */
MG_MUSTCHECK
enum mg_rc mg_store_url_parse(struct mg_str text, struct mg_store_url *url_out, struct mg_err *err);

#endif
