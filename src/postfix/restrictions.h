/* restrictions.h - a restriction list as Postfix reads it: names, the arguments that belong to them, and what they may do.
 *
 * The list must be expanded already (no $macro). Names are compared without case, as Postfix evaluates them.
 *
 * Threads: pure. */
#ifndef MG_POSTFIX_RESTRICTIONS_H
#define MG_POSTFIX_RESTRICTIONS_H

#include "base/str.h"

/* What a restriction can answer. */
enum mg_restriction_kind {
	MG_RESTRICTION_OTHER,      /* unknown to us: perhaps a restriction class */
	MG_RESTRICTION_PERMIT_ALL, /* permit: nothing behind it is looked at */
	MG_RESTRICTION_REJECT_ALL, /* reject, defer, and their like: the same */
	MG_RESTRICTION_PERMIT_IF,  /* permit_mynetworks ...: may permit */
	MG_RESTRICTION_REJECT_IF,  /* reject_unauth_destination ...: may refuse, never permits */
	MG_RESTRICTION_ACCESS,     /* check_*_access and bare tables: whatever the table says */
	MG_RESTRICTION_POLICY,     /* check_policy_service: whatever the service says */
	MG_RESTRICTION_MODIFIER,   /* warn_if_reject: changes what the next one means */
	MG_RESTRICTION_NEUTRAL,    /* sleep, defer_if_permit ...: neither permits nor refuses by itself */
};

struct mg_restriction {
	enum mg_restriction_kind kind;
	struct mg_str name;
	struct mg_str argument; /* empty when it takes none, or it is missing; braces kept */
};

/* The next word of a list: separated by commas and white space, braces kept together. False at the end. */
bool mg_postfix_word(struct mg_str *rest, struct mg_str *word_out);

/* The next restriction with its argument. False at the end. */
bool mg_restriction_next(struct mg_str *rest, struct mg_restriction *out);

/* Whether it may answer "permit", so that what follows is not asked; true where that can't be known from the list. */
bool mg_restriction_may_permit(const struct mg_restriction *restriction);

/* Whether nothing behind it is ever asked. */
bool mg_restriction_ends(const struct mg_restriction *restriction);

#endif
