/* relay_list.h - restriction lists as smtpd reads them: which restriction, which table, which class; what a table's answer
 * means.
 *
 * Parsing knows smtpd's words and what each takes behind it. It never fails: a word that smtpd would stumble over at run
 * time becomes MG_RELAY_BAD, which refuses for the time being.
 *
 * Threads: the owner's of the tables. */
#ifndef MG_POSTFIX_RELAY_LIST_H
#define MG_POSTFIX_RELAY_LIST_H

#include "postfix/postconf.h"
#include "postfix/relay_table.h"

enum { MG_RELAY_ITEMS = 100000, MG_RELAY_CLASSES = 2000, MG_RELAY_LISTS = 20000 };

enum mg_relay_op {
	MG_RELAY_CLASS, /* a declared restriction class */
	MG_RELAY_PERMIT,
	MG_RELAY_REJECT,   /* reject, defer */
	MG_RELAY_WARN,     /* warn_if_reject */
	MG_RELAY_DEFERRED, /* defer_if_permit */
	MG_RELAY_NOTHING,  /* never permits a stranger, and does not stop every one */
	MG_RELAY_BAD,      /* 451 to whoever comes here */
	MG_RELAY_MYNETWORKS,
	MG_RELAY_TEST,            /* reject_unauth_destination, defer_unauth_destination */
	MG_RELAY_OUR_DESTINATION, /* permit_auth_destination */
	MG_RELAY_OLD_TEST,        /* check_relay_domains */
	MG_RELAY_LOGIN,           /* permit_sasl_authenticated */
	MG_RELAY_MX_BACKUP,
	MG_RELAY_CLIENT, /* check_client_access ... */
	MG_RELAY_REVERSE,
	MG_RELAY_HELO,
	MG_RELAY_SENDER,
	MG_RELAY_RECIPIENT,
	MG_RELAY_CERT,
	MG_RELAY_SASL,
	MG_RELAY_SERVER,      /* check_*_{mx,ns,a}_access: OK is an error there */
	MG_RELAY_BARE,        /* a table alone: what it is about depends on the list */
	MG_RELAY_LISTED_CERT, /* permit_tls_clientcerts */
	MG_RELAY_ANY_CERT,    /* permit_tls_all_clientcerts */
	MG_RELAY_POLICY,
	MG_RELAY_KNOWN_CLIENT, /* reject_unknown_client_hostname */
	MG_RELAY_FULL_HELO,    /* reject_non_fqdn_helo_hostname */
	MG_RELAY_FULL_SENDER,
	MG_RELAY_ENCRYPTED, /* reject_plaintext_session */
	MG_RELAY_OWNER,     /* reject_unauthenticated_sender_login_mismatch and its kin */
};

struct mg_relay_list;

struct mg_relay_item {
	enum mg_relay_op op;
	struct mg_str name, argument; /* as written */
	struct mg_table *table;
	const struct mg_relay_list *class;
};

struct mg_relay_list {
	const char *name; /* the parameter, or the class; "" of a table's answer */
	struct mg_relay_item *items;
	size_t count, room;
	bool is_doubtful; /* more than our bounds hold */
};

struct mg_relay_lists; /* all lists of one service */

/* What is named in smtpd_restriction_classes is read at once. MG_ENOMEM. */
MG_MUSTCHECK
enum mg_rc mg_relay_lists_new(const struct mg_postfix *postfix, const struct mg_postfix_service *service,
	struct mg_tables *tables, struct mg_relay_lists **lists_out);
void mg_relay_lists_free(struct mg_relay_lists **lists);

/* The list of a parameter, expanded for the service. NULL: no memory. */
const struct mg_relay_list *mg_relay_lists_parameter(struct mg_relay_lists *lists, const char *parameter);

/* The list that a table's answer is. */
const struct mg_relay_list *mg_relay_lists_answer(struct mg_relay_lists *lists, struct mg_str text);

/* A class without a definition ends smtpd: its name, or NULL. */
const char *mg_relay_lists_undefined(const struct mg_relay_lists *lists);

/* Whether it is one of smtpd's words; the word that is at most `edits` away from it, or NULL. */
bool mg_relay_list_knows(struct mg_str name);
const char *mg_relay_list_nearest(struct mg_str name, unsigned edits);

/* Whether smtpd finds one of the restrictions it insists on. `with_case`: as Postfix up to 3.8 compares them. */
bool mg_relay_list_is_working(
	const struct mg_relay_lists *lists, const struct mg_relay_list *list, bool with_case, bool *is_circle_out);

/* All lists read so far, classes included. */
void mg_relay_lists_each(const struct mg_relay_lists *lists,
	void (*take)(void *context, const struct mg_relay_item *item), void *context);

/* ---- what a table answers ---- */

enum mg_relay_answer {
	MG_RELAY_SAYS_NOTHING,
	MG_RELAY_SAYS_OK,
	MG_RELAY_SAYS_NO,
	MG_RELAY_SAYS_DEFER, /* DEFER_IF_PERMIT */
	MG_RELAY_SAYS_DISCARD,
	MG_RELAY_SAYS_ELSEWHERE, /* HOLD, REDIRECT, FILTER: goes on, but not straight to where the client wants */
	MG_RELAY_SAYS_BAD,       /* 451 */
	MG_RELAY_SAYS_LIST,      /* restrictions */
};

enum mg_relay_answer mg_relay_answer_of(struct mg_str value);

#endif
