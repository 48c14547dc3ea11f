/* ban.h - who is shut out by the administrator: an address or network, a login, a sender, a sender's domain.
 *
 * At most MG_BANS; none goes to make room for another. Expired ones are forgotten by themselves.
 *
 * Threads and processes: safe from any. */
#ifndef MG_GUARD_BAN_H
#define MG_GUARD_BAN_H

#include "base/ip.h"
#include "guard/state.h"

enum { MG_BANS = 10000, MG_BAN_WHAT = 264, MG_BAN_REASON = 160 };

enum mg_ban_kind { MG_BAN_CLIENT, MG_BAN_LOGIN, MG_BAN_SENDER, MG_BAN_DOMAIN, MG_BAN_KINDS };
const char *mg_ban_kind_name(enum mg_ban_kind kind); /* "client", "user", "sender", "domain" */

struct mg_ban {
	enum mg_ban_kind kind;
	char what[MG_BAN_WHAT]; /* lower case; a network in CIDR form, an address without its length */
	char reason[MG_BAN_REASON];
	int64_t age_s;  /* since it was added */
	int64_t left_s; /* until it ends; -1 never */
};

extern const struct mg_table_shape mg_ban_rows;

/* Understands what people write: "192.0.2.1", "2001:db8::/32", "user:ann", "x@spam.example", "@spam.example", "spam.example", or any of
 * them with its kind in front. MG_ESYNTAX: the sentence says what to write; this machine itself can't be banned. */
MG_MUSTCHECK
enum mg_rc mg_ban_parse(struct mg_str text, struct mg_ban *ban_out, struct mg_err *err);

/* Adds it, or gives it the new reason and end. left_s: seconds, or -1. MG_EFULL. */
MG_MUSTCHECK
enum mg_rc mg_ban_add(struct mg_state *state, const struct mg_ban *ban, struct mg_err *err);

/* False: there was none. */
bool mg_ban_remove(struct mg_state *state, const struct mg_ban *ban);

struct mg_ban_facts {
	struct mg_ip client;
	struct mg_str user, sender; /* "" none */
};
/* The ban that shuts this out; false: none does. Costs next to nothing while nobody is banned. */
bool mg_ban_find(struct mg_state *state, const struct mg_ban_facts *facts, struct mg_ban *ban_out);

/* Calls `see` for every ban in force; false from it ends the walk. No lock is held while it runs. */
void mg_ban_list(struct mg_state *state, bool (*see)(void *context, const struct mg_ban *ban), void *context);

#endif
