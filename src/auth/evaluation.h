/* evaluation.h - all that is checked of one message's sender: iprev, DNSBL, SPF, DKIM, ARC, DMARC, over one set of DNS
 * answers and one budget.
 *
 * Facts go in as they become known, in the order of SMTP: new (the client), helo, mail, the header field by field,
 * header_end, the body, body_end. Each asks DNS for what it will need. step() carries on whatever can go on: call it after
 * each group of facts and whenever an answer came. Once it says DONE after body_end(), the result stands. A door that sees
 * no message (policy) calls no_message() instead of the header's and body's.
 *
 * Threads: one owner at a time. Nothing but mg_evaluation_finish() waits. */
#ifndef MG_AUTH_EVALUATION_H
#define MG_AUTH_EVALUATION_H

#include "auth/arc.h"
#include "auth/dkim.h"
#include "auth/dmarc.h"
#include "auth/dnsbl.h"
#include "auth/iprev.h"
#include "auth/spf.h"
#include "conf/conf.h"

enum { MG_EVALUATION_BYTES = 8 * 1024 * 1024 }; /* ceiling of its memory */

struct mg_evaluation_options {
	const struct mg_conf *conf;            /* one reference is taken */
	const struct mg_lookup_source *source; /* likewise */
	struct mg_dnsbl_zones *zones;          /* likewise; may be NULL */
	struct mg_ip client;
	struct mg_str receiver;       /* our own name; copied */
	int64_t now_s;                /* wall */
	void (*ready)(void *context); /* as in mg_lookup_options */
	void *context;
};

struct mg_evaluation;

/* NULL: no memory. The time budget of the configuration begins now. */
struct mg_evaluation *mg_evaluation_new(const struct mg_evaluation_options *options);
void mg_evaluation_free(struct mg_evaluation **evaluation); /* sets *evaluation to NULL; NULL in it is fine */

void mg_evaluation_helo(struct mg_evaluation *evaluation, struct mg_str helo);
void mg_evaluation_mail(struct mg_evaluation *evaluation, struct mg_str mail_from);
void mg_evaluation_field(struct mg_evaluation *evaluation, struct mg_str name, struct mg_str value);
void mg_evaluation_header_end(struct mg_evaluation *evaluation);
void mg_evaluation_body(struct mg_evaluation *evaluation, struct mg_str chunk); /* line ends CRLF */
void mg_evaluation_body_end(struct mg_evaluation *evaluation);
void mg_evaluation_no_message(struct mg_evaluation *evaluation);

/* The message begins: from here on the time budget counts anew (a session may have idled before). */
void mg_evaluation_restart_clock(struct mg_evaluation *evaluation);

enum mg_step mg_evaluation_step(struct mg_evaluation *evaluation);

/* The time is over: what is under way becomes temperror at the next step, which is DONE if all facts are in. */
void mg_evaluation_expire(struct mg_evaluation *evaluation);
bool mg_evaluation_is_cut_short(const struct mg_evaluation *evaluation); /* that has happened */

struct mg_lookup *mg_evaluation_lookup(struct mg_evaluation *evaluation);

/* All facts are in: steps and waits to the end, at the latest the deadline, and expires what is then under way. For
 * drivers that may block. */
void mg_evaluation_finish(struct mg_evaluation *evaluation);

/* Each method's result word now; MG_RESULT_UNSET where it is off or not done. */
struct mg_auth_result {
	enum mg_result iprev, spf, spf_helo, dkim, arc, dmarc;
};
struct mg_auth_result mg_evaluation_result(const struct mg_evaluation *evaluation);

/* The details; NULL where the method is off or not done. */
const struct mg_iprev_output *mg_evaluation_iprev(const struct mg_evaluation *evaluation);
const struct mg_spf_output *mg_evaluation_spf(const struct mg_evaluation *evaluation);
/* Of HELO; asked about only where MAIL FROM does not pass (RFC 7208 section 2.3). */
const struct mg_spf_output *mg_evaluation_spf_helo(const struct mg_evaluation *evaluation);
const struct mg_dnsbl_output *mg_evaluation_dnsbl(const struct mg_evaluation *evaluation);
const struct mg_dkim_signature *mg_evaluation_dkim(const struct mg_evaluation *evaluation, size_t *count_out);
const struct mg_arc_output *mg_evaluation_arc(const struct mg_evaluation *evaluation);
const struct mg_dmarc_output *mg_evaluation_dmarc(const struct mg_evaluation *evaluation);

/* Whether a passing ARC chain of trusted sealers overrides the DMARC failure: its disposition is then none. */
bool mg_evaluation_arc_overrides(const struct mg_evaluation *evaluation);

const struct mg_ip *mg_evaluation_client(const struct mg_evaluation *evaluation);
const char *mg_evaluation_helo_name(const struct mg_evaluation *evaluation); /* as given, "" none */
const char *mg_evaluation_mail_from(const struct mg_evaluation *evaluation);

#endif
