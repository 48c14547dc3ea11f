/* evaluation_state.h - an evaluation from inside, for the files that make it: evaluation.c (facts in, steps), and
 * evaluation_outcome.c (what came of it).
 *
 * Threads: one owner. */
#ifndef MG_AUTH_EVALUATION_STATE_H
#define MG_AUTH_EVALUATION_STATE_H

#include "auth/evaluation.h"

struct mg_evaluation {
	struct mg_evaluation_options o;
	struct mg_arena arena;
	struct mg_lookup *lookup;
	struct mg_fields fields;
	struct mg_author *author; /* of every From field, even those that `fields` has no room for */
	struct mg_body_hashes *hashes;
	const char *receiver, *mail_from;
	char helo[MG_DOMAIN_MAX + 3];
	int64_t deadline_us;
	bool has_mail, has_message, has_message_end, is_without_message, is_cut_short;

	struct mg_iprev *iprev; /* NULL: off, or not begun */
	struct mg_dnsbl *dnsbl;
	struct mg_spf *spf, *spf_helo;
	struct mg_dkim *dkim;
	struct mg_arc *arc;
	struct mg_dmarc *dmarc;
	struct mg_dmarc_output dmarc_output; /* in the end with ARC's word on it */
	bool is_overridden;
	bool iprev_done, dnsbl_done, spf_done, spf_helo_done, dkim_done, arc_done, dmarc_done;
};

#endif
