/* relay_eval.h - smtpd's walk through its restriction lists for one client: is the mail accepted?
 *
 * All stages must let it pass. "Perhaps" is what a policy service, or a table that can't be known, may answer. Classes may
 * nest 100 deep, as in smtpd; one circle more is a doubt, never a "no".
 *
 * Threads: the owner's of the tables. */
#ifndef MG_POSTFIX_RELAY_EVAL_H
#define MG_POSTFIX_RELAY_EVAL_H

#include "postfix/relay_model.h"

enum mg_relay_outcome { MG_RELAY_NO, MG_RELAY_PERHAPS, MG_RELAY_YES };

/* Why a list let it pass. */
struct mg_relay_cause {
	enum mg_relay_outcome outcome;
	const struct mg_relay_item *item;       /* of the list itself; NULL: the list ended without a refusal */
	enum mg_relay_op op;                    /* what permitted, perhaps inside a class */
	struct mg_str answer;                   /* a table's, when one permitted */
	struct mg_say doubt;                    /* of perhaps */
	const struct mg_match_pattern *network; /* of permit_mynetworks */
	bool is_elsewhere;                      /* held, redirected or filtered on the way */
	bool is_relay_domain;                   /* the test was passed because relay_domains holds the domain */
};

struct mg_relay_result {
	enum mg_relay_outcome outcome;
	struct mg_relay_cause stage[MG_STAGES];
	struct mg_say doubt; /* of perhaps: the first reason */
};

void mg_relay_eval(
	struct mg_relay_model *model, const struct mg_relay_client *client, struct mg_relay_result *result_out);

#endif
