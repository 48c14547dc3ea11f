/* Each signature is read as its field comes and asks for its key; what can't pass is settled then and asks for nothing. The
 * rest waits for the body's hash and its key. */
#include "auth/dkim.h"

#include "auth/dkim_key.h"
#include "auth/header_hash.h"
#include "base/i18n.h"

enum { TOLD_MAX = 64 };

struct entry {
	struct mg_signature parsed;
	size_t field; /* its place in the header */
	int body;     /* the number of its body hash */
	bool is_settled;
};

struct mg_dkim {
	struct mg_arena *arena;
	const struct mg_fields *fields;
	struct mg_dkim_options options;
	struct mg_header_index *index;
	const struct mg_body_hashes *hashes; /* set when the body is complete */
	struct entry *entries[TOLD_MAX];
	struct mg_dkim_signature told[TOLD_MAX];
	size_t count;
};

struct mg_dkim *mg_dkim_new(
	struct mg_arena *arena, const struct mg_fields *fields, const struct mg_dkim_options *options)
{
	struct mg_dkim *dkim = mg_arena_take(arena, sizeof *dkim);

	if (dkim != NULL)
		*dkim = (struct mg_dkim){ .arena = arena, .fields = fields, .options = *options };
	return dkim;
}

static void settle(struct mg_dkim *dkim, size_t number, enum mg_result result, const char *reason)
{
	dkim->told[number].result = result;
	dkim->told[number].reason = reason;
	if (dkim->entries[number] != NULL)
		dkim->entries[number]->is_settled = true;
}

static bool is_open(const struct mg_dkim *dkim, size_t number)
{
	return dkim->entries[number] != NULL && !dkim->entries[number]->is_settled;
}

/* ---- the header ---- */

static void look_at(struct mg_dkim *dkim, size_t number, struct mg_lookup *lookup)
{
	struct entry *entry = mg_arena_take(dkim->arena, sizeof *entry);
	struct mg_dkim_signature *told = &dkim->told[number];
	const struct mg_dns_answer *answer;
	struct mg_signature *parsed;

	if ((dkim->entries[number] = entry) == NULL) {
		settle(dkim, number, MG_RESULT_TEMPERROR, N_("no memory"));
		return;
	}
	parsed = &entry->parsed;
	entry->field = dkim->fields->count - 1;
	mg_signature_parse(
		parsed, dkim->arena, MG_SIGNATURE_DKIM, dkim->fields->field[entry->field].value, dkim->options.now_s);
	told->domain = parsed->domain;
	told->selector = parsed->selector;
	told->algorithm = parsed->algorithm;
	told->identity = parsed->identity;
	told->b_start = parsed->b_start;
	if (parsed->result != MG_RESULT_UNSET) {
		settle(dkim, number, parsed->result, parsed->reason);
		return;
	}
	answer = mg_lookup_get(lookup, mg_str_z(parsed->key_name), MG_DNS_TXT);
	if (answer != NULL && answer->status == MG_DNS_TROUBLE && answer->trouble == MG_DNS_BUDGET)
		settle(dkim, number, MG_RESULT_PERMERROR, "too many questions: its key was not asked for");
}

void mg_dkim_field(struct mg_dkim *dkim, struct mg_lookup *lookup)
{
	size_t number = dkim->count;

	if (dkim->fields->count == 0 ||
		!mg_str_eq_nocase(
			mg_str_trim(dkim->fields->field[dkim->fields->count - 1].name), MG_STR("DKIM-Signature")))
		return;
	if (number == TOLD_MAX)
		return;
	dkim->count++;
	dkim->told[number] = (struct mg_dkim_signature){ .domain = "",
		.selector = "",
		.algorithm = "",
		.identity = "",
		.reason = "",
		.b_start = "",
		.covers_from_once = true };
	if (number >= dkim->options.max_signatures)
		settle(dkim, number, MG_RESULT_PERMERROR, N_("too many signatures: this one was not looked at"));
	else
		look_at(dkim, number, lookup);
}

static void want_body(struct mg_dkim *dkim, size_t number, struct mg_body_hashes *hashes)
{
	struct entry *entry = dkim->entries[number];
	const struct mg_str from = MG_STR("From");

	dkim->told[number].covers_from_once =
		mg_signature_names(&entry->parsed, from) <= mg_header_index_count(dkim->index, from);
	entry->body = mg_body_hashes_want(hashes, entry->parsed.body_form, entry->parsed.body_limit);
	if (entry->body < 0)
		settle(dkim, number, MG_RESULT_PERMERROR, N_("too many different hashes of the body are asked for"));
}

void mg_dkim_header_end(struct mg_dkim *dkim, struct mg_body_hashes *hashes)
{
	if (dkim->count > 0 && !dkim->fields->is_cut)
		dkim->index = mg_header_index_new(dkim->arena, dkim->fields);
	for (size_t i = 0; i < dkim->count; i++) {
		if (dkim->fields->is_cut)
			settle(dkim, i, MG_RESULT_PERMERROR, N_("the header is too large to be verified"));
		else if (is_open(dkim, i) && dkim->index == NULL)
			settle(dkim, i, MG_RESULT_TEMPERROR, N_("no memory"));
		else if (is_open(dkim, i))
			want_body(dkim, i, hashes);
	}
}

/* ---- the body ---- */

/* A wrong body is wrong whatever the key. */
static void check_body(struct mg_dkim *dkim, size_t number)
{
	struct entry *entry = dkim->entries[number];
	uint64_t limit = entry->parsed.body_limit, whole;
	const unsigned char *digest = mg_body_hashes_digest(dkim->hashes, entry->body, &whole);

	if (limit != MG_BODY_WHOLE && limit > whole) {
		settle(dkim, number, MG_RESULT_PERMERROR, N_("l= is beyond the end of the body"));
		return;
	}
	dkim->told[number].covers_part_only = limit < whole;
	if (!mg_digest_eq(digest, entry->parsed.body_hash, MG_SHA256_BYTES))
		settle(dkim, number, MG_RESULT_FAIL, N_("the body was changed: its hash is not bh="));
}

void mg_dkim_body_end(struct mg_dkim *dkim, const struct mg_body_hashes *hashes)
{
	dkim->hashes = hashes;
	for (size_t i = 0; i < dkim->count; i++)
		if (is_open(dkim, i))
			check_body(dkim, i);
}

/* ---- the verdict ---- */

static void verify(struct mg_dkim *dkim, size_t number, const struct mg_dns_answer *answer, const unsigned char *digest)
{
	struct mg_dkim_signature *told = &dkim->told[number];
	struct mg_dkim_verdict verdict = mg_dkim_verify(answer, &dkim->entries[number]->parsed, digest);

	told->key_bits = verdict.key_bits;
	told->is_testing = verdict.is_testing;
	told->is_strict = verdict.is_strict;
	told->is_authentic_key = verdict.is_authentic;
	if (verdict.result == MG_RESULT_PASS && told->covers_part_only && !dkim->options.accepts_short_body)
		settle(dkim, number, MG_RESULT_POLICY, N_("l= leaves a part of the body unsigned"));
	else
		settle(dkim, number, verdict.result, verdict.reason);
}

static void hash_and_verify(
	struct mg_dkim *dkim, size_t number, const struct mg_dns_answer *answer, struct mg_sha256 *hash)
{
	const struct entry *entry = dkim->entries[number];
	const struct mg_header_cover cover = { entry->parsed.header_form, entry->parsed.names, entry->parsed.name_count,
		entry->field, entry->parsed.b_raw };
	unsigned char digest[MG_SHA256_BYTES];

	if (hash == NULL)
		settle(dkim, number, MG_RESULT_TEMPERROR, N_("no memory"));
	else if (!mg_header_hash(dkim->index, &cover, hash, digest))
		settle(dkim, number, MG_RESULT_PERMERROR, N_("the signatures cover too much"));
	else
		verify(dkim, number, answer, digest);
}

enum mg_step mg_dkim_step(struct mg_dkim *dkim, struct mg_lookup *lookup)
{
	struct mg_sha256 *hash = NULL;
	enum mg_step step = MG_STEP_DONE;

	for (size_t i = 0; i < dkim->count; i++) {
		const struct mg_dns_answer *answer;

		if (!is_open(dkim, i))
			continue;
		answer = mg_lookup_get(lookup, mg_str_z(dkim->entries[i]->parsed.key_name), MG_DNS_TXT);
		if (answer == NULL || dkim->hashes == NULL) {
			step = MG_STEP_WAIT;
			continue;
		}
		if (hash == NULL)
			hash = mg_sha256_new();
		hash_and_verify(dkim, i, answer, hash);
	}
	mg_sha256_free(&hash);
	return step;
}

const struct mg_dkim_signature *mg_dkim_signatures(const struct mg_dkim *dkim, size_t *count_out)
{
	*count_out = dkim->count;
	return dkim->told;
}

enum mg_result mg_dkim_result(const struct mg_dkim *dkim)
{
	for (size_t i = 0; i < dkim->count; i++)
		if (dkim->told[i].result == MG_RESULT_PASS)
			return MG_RESULT_PASS;
	return dkim->count == 0 ? MG_RESULT_NONE : dkim->told[0].result;
}
