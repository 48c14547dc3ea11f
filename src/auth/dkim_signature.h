/* dkim_signature.h - one signature as its field tells it: DKIM-Signature (RFC 6376 section 3.5), ARC-Message-Signature and
 * ARC-Seal (RFC 8617 sections 4.1.2 and 4.1.3), which are lists of nearly the same tags.
 *
 * What is wrong becomes the result: permerror with the tag that is at fault; `fail` for one that has expired;
 * temperror when there was no memory. Domains and
 * selectors may have U-labels (RFC 8616) and are kept as A-labels in lower case.
 *
 * Threads: pure. */
#ifndef MG_AUTH_DKIM_SIGNATURE_H
#define MG_AUTH_DKIM_SIGNATURE_H

#include "auth/crypto.h"
#include "auth/result.h"
#include "base/arena.h"
#include "mail/canon.h"

enum mg_signature_kind { MG_SIGNATURE_DKIM, MG_SIGNATURE_AMS, MG_SIGNATURE_SEAL };

enum {
	MG_SIGNATURE_BYTES = 64 * 1024, /* of a field */
	MG_SIGNATURE_SKEW_S = 300,      /* how far a clock may be wrong */
	MG_ARC_INSTANCES = 50,
};

enum mg_arc_cv { MG_CV_UNSET, MG_CV_NONE, MG_CV_PASS, MG_CV_FAIL };

struct mg_signature {
	enum mg_signature_kind kind;
	enum mg_result result; /* UNSET as long as nothing is wrong */
	const char *reason;    /* of the result */

	enum mg_key_kind key_kind;
	const char *algorithm;                              /* a=; "" when it is no word */
	const char *domain, *selector, *identity, *b_start; /* as in dkim.h */
	const char *key_name;                               /* where the key is published */
	bool is_identity_below;                             /* the domain of i= is not d= itself */

	struct mg_str signature; /* b=, decoded */
	struct mg_str b_raw;     /* its data in the value, with the blanks around it */
	unsigned char body_hash[MG_SHA256_BYTES];
	enum mg_canon header_form, body_form;
	struct mg_str *names; /* h= */
	size_t name_count;
	uint64_t body_limit;      /* l=; UINT64_MAX: the whole body */
	int64_t signed_s, ends_s; /* t=, x=; -1 without */

	unsigned instance; /* ARC: i= */
	enum mg_arc_cv cv; /* ARC-Seal: cv= */
};

/* Reads the field's value, which outlives the signature. `now_s` is for t= and x=. */
void mg_signature_parse(struct mg_signature *signature, struct mg_arena *arena, enum mg_signature_kind kind,
	struct mg_str value, int64_t now_s);

/* Something is wrong: the first such result stays. */
void mg_signature_is(struct mg_signature *signature, enum mg_result result, const char *reason);

/* How often h= names a field (without case). */
size_t mg_signature_names(const struct mg_signature *signature, struct mg_str name);

#endif
