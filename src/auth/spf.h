/* spf.h - Sender Policy Framework (RFC 7208): may this client use this identity?
 *
 * Limits (section 4.6.4): 10 terms that ask DNS, 2 void lookups, 10 MX and 10 PTR names; nesting follows from the first.
 * One budget for the whole evaluation, includes and redirects with it.
 *
 * Where the RFC leaves room:
 * - A term is void once, however many of its questions found nothing (it speaks of terms), and not if it matches. A name
 *   that DNS can't hold is not asked for, so it is no void.
 * - %{p} is looked up, as section 7.3 has it, and costs one term the first time a mechanism needs it; exp= costs none.
 * - mx matches if any host does, even when another host's answer is trouble (section 5.4); else trouble is temperror.
 * - An identity whose domain is no host-like name (mail/domain.h) has no record: none, unasked.
 * - Questions are also counted for the message (dns/lookup.h); when those are used up the result is temperror.
 *
 * Threads: one owner. Does no I/O: asks through a mg_lookup. */
#ifndef MG_AUTH_SPF_H
#define MG_AUTH_SPF_H

#include "auth/reason.h"
#include "auth/result.h"
#include "dns/lookup.h"

enum mg_spf_scope { MG_SPF_MFROM, MG_SPF_HELO };
enum { MG_SPF_MECHANISM = 256, MG_SPF_EXPLANATION = 512 };

struct mg_spf_input {
	struct mg_ip ip; /* an IPv4-mapped address is IPv4 already (base/ip.h) */
	enum mg_spf_scope scope;
	struct mg_str helo;      /* as given; borrowed until mg_spf_new() returns, like all here */
	struct mg_str mail_from; /* without <>; "" null: the identity is then postmaster@HELO and the scope HELO */
	struct mg_str receiver;  /* our own name, for %{r} */
	int64_t now_s;           /* for %{t} */
	bool wants_explanation;  /* whether exp= is fetched on fail */
};

struct mg_spf; /* opaque; lives in the arena */

/* NULL: no memory. */
struct mg_spf *mg_spf_new(struct mg_arena *arena, const struct mg_spf_input *input);
enum mg_step mg_spf_step(struct mg_spf *spf, struct mg_lookup *lookup);

struct mg_spf_output {
	enum mg_result result;
	enum mg_spf_scope scope;
	const char *domain; /* that was checked, A-labels, lower case; "" when there was none to check */
	/* That matched in the domain's own record, as written ("-all", "include:a.example"); "default" when none did; "" for
	 * none and the errors. */
	const char *mechanism;
	const char *explanation; /* of exp=, expanded, printable ASCII only; on fail only, "" without */
	const char *reason;      /* in plain English, one line: why this result */
	struct mg_say say;       /* the same, for translation */
	unsigned lookups, voids; /* spent */
};
/* Once done; what it points to lives in the arena. */
const struct mg_spf_output *mg_spf_output(const struct mg_spf *spf);

#endif
