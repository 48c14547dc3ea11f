/* auth_facts.h - what the sender's checks found, as far as a verdict can rest on it: taken from a running evaluation, or read
 * again from the record.
 *
 * The record holds the result words (mg_record.auth) and one line of ours (mg_record.auth_facts):
 *   v1 helo=fail dis=reject arc=override dnsbl=+zen.example,-bl.example,?slow.example
 * helo: SPF of the HELO identity, where it was asked about; dis: DMARC's disposition; dnsbl: each list as people see it, "+" it
 * lists the client, "-" it does not, "?" it gave no answer. What is not there is not known.
 *
 * Threads: pure. */
#ifndef MG_ENGINE_AUTH_FACTS_H
#define MG_ENGINE_AUTH_FACTS_H

#include "auth/evaluation.h"
#include "journal/record.h"

struct mg_auth_facts { /* borrows all texts, which are never NULL */
	struct mg_ip client;
	enum mg_result iprev, spf, spf_helo, dkim, arc, dmarc; /* UNSET: off, or not done */
	const char *spf_domain, *helo_domain;                  /* of SPF */
	const char *explanation;                               /* of the identity whose failure counts */
	const char *dmarc_domain;
	enum mg_dmarc_disposition disposition;
	bool is_overridden; /* by a trusted ARC chain */
	bool has_dnsbl;
	int dnsbl_score;
	char listing_zone[MG_DNSBL_SHOWN]; /* the first blocklist that lists the client, "" none */
};

/* The line of a transaction whose sender was not checked; a record without any line is older than they are. */
#define MG_AUTH_FACTS_NONE "v1"

void mg_auth_facts_of(const struct mg_evaluation *evaluation, struct mg_auth_facts *facts_out);

/* The line for the record, of an evaluation. */
void mg_auth_facts_write(const struct mg_evaluation *evaluation, struct mg_buf *out);

/* What is missing of the record's facts for a method to be judged again. */
struct mg_auth_gaps {
	bool spf_helo; /* written before the line was kept */
	bool dmarc;    /* likewise */
	bool dnsbl;    /* the lists of `conf` were not all asked */
};

/* Facts out of a record, DNS lists weighed as `conf` has them. Also reads records from before there was the line, as far as
 * their report goes. False: nothing was checked. */
bool mg_auth_facts_read(const struct mg_record *record, const struct mg_conf *conf, struct mg_auth_facts *facts_out,
	struct mg_auth_gaps *gaps_out);

#endif
