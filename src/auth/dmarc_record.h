/* dmarc_record.h - a DMARC Policy Record (RFC 9989 sections 4.7 and 4.8).
 *
 * What is wrong in a tag falls back to its default; unknown tags are ignored. `pct`, `rf` and `ri` of RFC 7489 are gone:
 * pct is kept only to tell who still counts on it.
 *
 * Threads: pure. */
#ifndef MG_AUTH_DMARC_RECORD_H
#define MG_AUTH_DMARC_RECORD_H

#include "base/str.h"

enum mg_dmarc_policy {
	MG_DMARC_UNSET,   /* the tag is absent */
	MG_DMARC_INVALID, /* it says something else */
	MG_DMARC_NONE,
	MG_DMARC_QUARANTINE,
	MG_DMARC_REJECT,
};
const char *mg_dmarc_policy_name(enum mg_dmarc_policy policy); /* "", "", "none", ... */

enum mg_dmarc_psd { MG_DMARC_PSD_U, MG_DMARC_PSD_Y, MG_DMARC_PSD_N };

struct mg_dmarc_record {
	enum mg_dmarc_policy p, sp, np;
	enum mg_dmarc_psd psd;
	bool strict_dkim, strict_spf; /* adkim=s, aspf=s */
	bool is_testing;              /* t=y */
	bool has_rua;                 /* with at least one sound URI */
	unsigned pct;                 /* of RFC 7489; 100 when absent */
};

/* False: no DMARC record at all (it does not begin with v=DMARC1). */
bool mg_dmarc_record_parse(struct mg_str text, struct mg_dmarc_record *record_out);

/* What section 4.10.1 makes of a record without a sound p, or with an unsound sp or np: p=none when somebody wants reports,
 * else false: DMARC does not apply. */
bool mg_dmarc_record_mend(struct mg_dmarc_record *record);

#endif
