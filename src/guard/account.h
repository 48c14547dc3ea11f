/* account.h - logins and what they do: is somebody else using this one?
 *
 * Each login has a row of fixed size. What happens to it raises *signs* (enum mg_sign), each on its own threshold; a sign is in force until
 * abuse.expire has passed since it was last raised. As many signs as abuse.score asks for, and the account is acted against; with
 * one fewer the administrator is told. Nothing is known of a login for certain: every sign says its number, so that a person can
 * judge.
 *
 * A network is an account's own once it has sent from there for a day. Failed logins from own networks are a changed password on an old
 * device, and no sign; those from others are, when a login from a network that is not its own follows.
 *
 * Threads and processes: safe from any. */
#ifndef MG_GUARD_ACCOUNT_H
#define MG_GUARD_ACCOUNT_H

#include "base/ip.h"
#include "conf/conf.h"
#include "guard/state.h"

enum mg_sign {
	MG_SIGN_NETWORKS,    /* 4 networks (/16, /32) in an hour, of which at least 2 are not its own */
	MG_SIGN_FRESH,       /* 30 recipients in an hour that it never wrote to, four in five; known for 3 days */
	MG_SIGN_INVALID,     /* a fifth of at least 50 recipients do not exist */
	MG_SIGN_UNDELIVERED, /* of the last day's recipients, at least 50, a third bounced or waits */
	MG_SIGN_FROM,        /* 3 messages in an hour whose From is of a domain that is neither ours nor the login's */
	MG_SIGN_VOLUME,      /* 100 recipients in an hour, and ten times its own median hour */
	MG_SIGN_GUESSED, /* 10 failed logins from networks not its own in an hour, then one that succeeded from such a network */
	MG_SIGNS,
};
const char *mg_sign_name(enum mg_sign sign);     /* "networks", ... */
const char *mg_sign_sentence(enum mg_sign sign); /* N_(), with %1 for its number */

extern const struct mg_table_shape mg_account_rows;

enum { MG_ACCOUNT_LOGIN = 96 };

/* What a message or a try of a login does. `login` is as Postfix tells it; case does not count. */
void mg_account_login(struct mg_state *state, struct mg_str login, const struct mg_ip *client);
void mg_account_failure(struct mg_state *state, struct mg_str login, const struct mg_ip *client);
void mg_account_recipient(struct mg_state *state, struct mg_str login, bool is_fresh, bool is_invalid);
void mg_account_message(struct mg_state *state, struct mg_str login, bool is_foreign_from);

/* What became of its recipients of the last 24 hours, as the record has it; told anew every minute or so. */
struct mg_account_outcomes {
	uint32_t recipients, undelivered, invalid;
};
void mg_account_outcomes(struct mg_state *state, struct mg_str login, const struct mg_account_outcomes *outcomes);

enum mg_account_rung { MG_ACCOUNT_FINE, MG_ACCOUNT_NOTIFY, MG_ACCOUNT_TEMPFAIL, MG_ACCOUNT_HOLD };
const char *mg_account_rung_name(enum mg_account_rung rung); /* "fine", "notify", "tempfail", "hold" */

struct mg_account_view {
	char login[MG_ACCOUNT_LOGIN];
	bool is_raised[MG_SIGNS];
	uint32_t number[MG_SIGNS];   /* what raised it */
	int64_t since_s[MG_SIGNS];   /* seconds ago */
	int64_t expires_s[MG_SIGNS]; /* seconds from now */
	unsigned score;              /* signs in force */
	enum mg_account_rung rung;
	int64_t ends_s; /* seconds from now, if nothing more happens; 0 on FINE */
	uint32_t messages, recipients, networks, failures_own, failures_other; /* of the last hour */
};

/* How it stands under `conf`. False: never heard of it. */
bool mg_account_look(
	struct mg_state *state, const struct mg_conf *conf, struct mg_str login, struct mg_account_view *view_out);

/* All that are not FINE; false from `see` ends the walk. No lock is held while it runs. */
void mg_account_list(struct mg_state *state, const struct mg_conf *conf,
	bool (*see)(void *context, const struct mg_account_view *view), void *context);

/* The administrator has looked: its signs are gone, and its networks of now are its own. False: never heard of it. */
bool mg_account_pardon(struct mg_state *state, struct mg_str login);

#endif
