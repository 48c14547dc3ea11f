/* enforce.h - what the results of the sender's checks ask for, as configured: the one place where an authentication result
 * becomes an answer.
 *
 * Only methods at level `enforce` speak. The gravest wins: reject, then tempfail, then quarantine. temperror is never a
 * failure: with on_temperror = "tempfail" it is a tempfail, else nothing.
 *
 * Threads: pure. */
#ifndef MG_ENGINE_ENFORCE_H
#define MG_ENGINE_ENFORCE_H

#include "engine/auth_facts.h"

struct mg_judgement {
	enum mg_action action;  /* ACCEPT, REJECT, TEMPFAIL, QUARANTINE */
	const char *code, *dsn; /* "550", "5.7.1"; "" with ACCEPT */
	const char *text;       /* printable ASCII, one line */
	const char *rule;       /* "auth:dmarc", ... */
};

/* How grave an action is; 0 for those that let a message through. */
int mg_gravity(enum mg_action action);

/* What the text is made of is copied into `record`. */
void mg_enforce_facts(const struct mg_auth_facts *facts, const struct mg_conf *conf, struct mg_record *record,
	struct mg_judgement *judgement_out);

/* The same of what the evaluation has found so far. */
void mg_enforce(const struct mg_evaluation *evaluation, const struct mg_conf *conf, struct mg_record *record,
	struct mg_judgement *judgement_out);

#endif
