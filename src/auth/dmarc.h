/* dmarc.h - DMARC (RFC 9989): does somebody whom the author's domain trusts answer for this message, and what does that domain
 * want done when not?
 *
 * One sound author domain is judged as the RFC says. With several (section 11.5), or a From field that can't be read, the
 * result is permerror, every domain told (at most MG_AUTHOR_DOMAINS) is judged, and the strictest disposition of those
 * that fail stands; of more domains than that it is reject. Without any From field there is nothing to judge: permerror, disposition none.
 *
 * Threads: one owner. Does no I/O. */
#ifndef MG_AUTH_DMARC_H
#define MG_AUTH_DMARC_H

#include "auth/dmarc_walk.h"
#include "auth/result.h"
#include "base/arena.h"
#include "mail/author.h"

/* One domain that SPF or DKIM spoke of. */
struct mg_dmarc_identifier {
	const char *domain;    /* A-labels, lower case */
	bool is_spf;           /* else DKIM */
	enum mg_result result; /* pass counts; temperror leaves it open; everything else is no pass */
};

enum mg_dmarc_disposition { MG_DISPOSITION_NONE, MG_DISPOSITION_QUARANTINE, MG_DISPOSITION_REJECT };
const char *mg_dmarc_disposition_name(enum mg_dmarc_disposition disposition);

struct mg_dmarc; /* lives in the arena */

/* NULL: no memory. `author` is copied. */
struct mg_dmarc *mg_dmarc_new(struct mg_arena *arena, const struct mg_author *author);

/* Asks for what the policy needs, as soon as the author is known and as far as the answers reach: again when some came. So
 * nothing is left to ask when SPF or DKIM used up all the time. */
void mg_dmarc_prefetch(struct mg_dmarc *dmarc, struct mg_lookup *lookup);

/* Judges, once SPF and DKIM are done; `identifiers` must be the same at every step. */
enum mg_step mg_dmarc_step(
	struct mg_dmarc *dmarc, struct mg_lookup *lookup, const struct mg_dmarc_identifier *identifiers, size_t count);

struct mg_dmarc_output {
	enum mg_result result;                 /* none, pass, fail, temperror, permerror */
	const char *domain;                    /* the author domain, "" without one */
	const char *policy_domain;             /* where the record was found, "" without one */
	const char *org_domain;                /* of the author domain, where it had to be found; else "" */
	enum mg_dmarc_policy policy;           /* the p, sp or np that applies; UNSET without a record */
	enum mg_dmarc_disposition disposition; /* what is left of it: less with t=y, none on pass */
	bool aligned_spf, aligned_dkim;        /* a pass of theirs is aligned */
	bool is_testing;                       /* t=y */
	const char *reason;                    /* plain English, one line */
	const char *rfc7489;                   /* what RFC 7489 would have done otherwise, plain English; "" nothing */
};
const struct mg_dmarc_output *mg_dmarc_output(const struct mg_dmarc *dmarc);

#endif
