#include "auth/dkim_key.h"

#include "auth/base64.h"
#include "auth/tag_list.h"
#include "base/i18n.h"

static const char *const no_key = N_("no key: the record is none");

enum { KEY_MAX = MG_DKIM_RECORD_BYTES };

struct key {
	enum mg_key_kind kind;
	unsigned char bytes[KEY_MAX];
	size_t n;
	bool is_testing, is_strict;
};

/* A colon list that has one of the words; `fallback` without the tag. */
static bool lists(const struct mg_tag_list *list, const char *name, const char *word, const char *other, bool fallback)
{
	const struct mg_tag *tag = mg_tag_list_find(list, name);
	struct mg_str rest = tag == NULL ? MG_STR("") : tag->value, item;

	if (tag == NULL)
		return fallback;
	while (mg_read_colon_item(&rest, &item))
		if (mg_str_eq(item, mg_str_z(word)) || mg_str_eq(item, mg_str_z(other)))
			return true;
	return false;
}

/* k=: what an algorithm needs. Without it rsa. */
static bool is_kind(const struct mg_tag_list *list, enum mg_key_kind kind)
{
	const struct mg_tag *k = mg_tag_list_find(list, "k");

	if (kind == MG_KEY_RSA)
		return k == NULL || mg_str_eq(k->value, MG_STR("rsa"));
	return k != NULL && mg_str_eq(k->value, MG_STR("ed25519"));
}

/* v= must come first if it is there at all (section 3.6.1). */
static bool is_key_record(const struct mg_tag_list *list)
{
	const struct mg_tag *v = mg_tag_list_find(list, "v");

	return v == NULL || (v == list->tags && mg_str_eq(v->value, MG_STR("DKIM1")));
}

/* Section 6.1.2. Returns what is wrong with the record for this signature; NULL: nothing. */
static const char *read_key(struct mg_str record, const struct mg_signature *signature, struct key *key)
{
	struct mg_tag_list list;
	const struct mg_tag *p;

	key->is_testing = key->is_strict = false;
	if (record.n > MG_DKIM_RECORD_BYTES)
		return N_("the key record is longer than 4 KiB");
	if (!mg_tag_list_parse(record, &list) || !is_key_record(&list) || (p = mg_tag_list_find(&list, "p")) == NULL)
		return no_key;
	key->kind = signature->key_kind;
	key->is_testing = lists(&list, "t", "y", "y", false);
	key->is_strict = lists(&list, "t", "s", "s", false);
	if (p->value.n == 0)
		return N_("the key is revoked");
	if (!is_kind(&list, key->kind))
		return N_("the key is of another kind (k=)");
	if (!lists(&list, "h", "sha256", "sha256", true))
		return N_("the key does not allow SHA-256 (h=)");
	if (!lists(&list, "s", "email", "*", true))
		return N_("the key is not for mail (s=)");
	if (key->is_strict && signature->is_identity_below)
		return N_("the key wants i= to be in d= itself (t=s)");
	if (!mg_base64_decode(p->value, key->bytes, sizeof key->bytes, &key->n))
		return N_("the key is not base64 (p=)");
	return NULL;
}

static const struct {
	enum mg_result result;
	const char *reason;
} outcomes[] = {
	[MG_VERIFIED] = { MG_RESULT_PASS, "" },
	[MG_NOT_VERIFIED] = { MG_RESULT_FAIL, N_("the signature is not right for the header") },
	[MG_KEY_MALFORMED] = { MG_RESULT_PERMERROR, N_("the key can't be read (p=)") },
	[MG_KEY_TOO_SHORT] = { MG_RESULT_POLICY, N_("the key is too short: under 1024 bits (RFC 8301)") },
	[MG_KEY_TOO_LONG] = { MG_RESULT_POLICY, N_("the key is too long: over 4096 bits") },
	[MG_CRYPTO_FAILED] = { MG_RESULT_TEMPERROR, N_("no memory to verify") },
};

static struct mg_dkim_verdict try_record(
	struct mg_str record, const struct mg_signature *signature, const unsigned char digest[MG_SHA256_BYTES])
{
	struct key key;
	const char *wrong = read_key(record, signature, &key);
	struct mg_dkim_verdict verdict = { MG_RESULT_PERMERROR, wrong, 0, key.is_testing, key.is_strict, false };
	enum mg_verified verified;

	if (wrong != NULL)
		return verdict;
	verified = mg_verify(key.kind, mg_str_of(key.bytes, key.n), digest, signature->signature, &verdict.key_bits);
	verdict.result = outcomes[verified].result;
	verdict.reason = outcomes[verified].reason;
	return verdict;
}

/* Pass is best; then what a key said; then why a record does not fit; last that it is no key at all. */
static int rank(const struct mg_dkim_verdict *verdict)
{
	switch (verdict->result) {
	case MG_RESULT_UNSET:
		return 0;
	case MG_RESULT_PERMERROR:
		return verdict->reason == no_key ? 1 : 2;
	case MG_RESULT_PASS:
		return 4;
	default:
		return 3;
	}
}

struct mg_dkim_verdict mg_dkim_verify(const struct mg_dns_answer *answer, const struct mg_signature *signature,
	const unsigned char digest[MG_SHA256_BYTES])
{
	struct mg_dkim_verdict best = { 0 };

	if (answer->status == MG_DNS_TROUBLE)
		return (struct mg_dkim_verdict){ .result = MG_RESULT_TEMPERROR,
			.reason = N_("no answer from DNS for the key") };
	for (size_t i = 0; i < answer->count && i < MG_DKIM_RECORDS && best.result != MG_RESULT_PASS; i++) {
		struct mg_dkim_verdict verdict = try_record(answer->records[i].text, signature, digest);

		if (rank(&verdict) > rank(&best))
			best = verdict;
	}
	if (best.result == MG_RESULT_UNSET)
		return (struct mg_dkim_verdict){ .result = MG_RESULT_PERMERROR,
			.reason = N_("no key: nothing is published") };
	best.is_authentic = answer->is_authentic;
	return best;
}
