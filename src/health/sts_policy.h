/* sts_policy.h - an MTA-STS policy (RFC 8461 section 3.2) and the TXT record that announces it (section 3.1), as text from strangers.
 *
 * Bounds: MG_STS_BYTES of text, MG_STS_MX patterns; more of them are not kept, and counted.
 *
 * Threads: pure. */
#ifndef MG_HEALTH_STS_POLICY_H
#define MG_HEALTH_STS_POLICY_H

#include "base/str.h"

enum { MG_STS_BYTES = 64 * 1024, MG_STS_MX = 64, MG_STS_MAX_AGE = 31557600 };

enum mg_sts_mode { MG_STS_NO_MODE, MG_STS_NONE, MG_STS_TESTING, MG_STS_ENFORCE };
const char *mg_sts_mode_name(enum mg_sts_mode mode); /* "", "none", ... */

struct mg_sts_policy { /* slices of the text */
	enum mg_sts_mode mode;
	uint64_t max_age_s;
	struct mg_str mx[MG_STS_MX];
	size_t mx_count, mx_left_out;
	const char *wrong; /* what makes it no policy, N_(); NULL: it is one */
};

/* Reads it; false: policy_out->wrong says why. Of a key said twice the first counts, unknown keys are passed over. */
bool mg_sts_policy_parse(struct mg_str text, struct mg_sts_policy *policy_out);

/* Whether the policy's patterns name the host: itself, or "*.parent" for exactly one label (section 4.1). */
bool mg_sts_policy_covers(const struct mg_sts_policy *policy, struct mg_str host);

/* "v=STSv1; id=...": whether the record can be used; its id, 1 to 32 letters and digits, goes to *id_out. */
bool mg_sts_record_parse(struct mg_str text, struct mg_str *id_out);

#endif
