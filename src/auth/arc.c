/* RFC 8617 section 5.2. Fields are read as they come and ask for their keys at once. When the body is complete: the newest
 * message signature, then the older ones until one does not hold, then every seal from the newest down. All seals' hashes are
 * made in one pass upwards: each covers what the one before it covers. */
#include "auth/arc.h"

#include "auth/arc_set.h"
#include "auth/dkim_key.h"
#include "auth/header_hash.h"
#include "base/i18n.h"

/* Keys asked for at once. What is beyond is asked when it is needed; older message signatures then are not looked at. */
enum { KEYS_EARLY = 24 };

_Static_assert((int)MG_ARC_SETS == (int)MG_ARC_INSTANCES, "one bound of instances");

struct mg_arc {
	struct mg_arena *arena;
	const struct mg_fields *fields;
	int64_t now_s;
	struct mg_arc_sets sets;
	struct mg_header_index *index;
	const struct mg_body_hashes *hashes; /* set when the body is complete */
	const char *keys[KEYS_EARLY];        /* asked for */
	size_t key_count;
	int bodies[MG_ARC_SETS]; /* the number of each message signature's body hash; -1 none */
	unsigned char (*seals)[MG_SHA256_BYTES];
	bool is_newest_right;
	unsigned older; /* the older message signature to look at next; 0: all hold, or one does not */
	unsigned seal;  /* the seal to look at next */
	bool is_done;
	struct mg_arc_output output;
};

struct mg_arc *mg_arc_new(struct mg_arena *arena, const struct mg_fields *fields, int64_t now_s)
{
	struct mg_arc *arc = mg_arena_take(arena, sizeof *arc);

	if (arc == NULL)
		return NULL;
	arc->arena = arena;
	arc->fields = fields;
	arc->now_s = now_s;
	arc->output.reason = "";
	for (size_t i = 0; i < MG_ARC_SETS; i++)
		arc->output.sealer[i] = "";
	return arc;
}

static enum mg_step settle(struct mg_arc *arc, enum mg_result result, const char *reason)
{
	arc->output.result = result;
	arc->output.reason = reason;
	if (result != MG_RESULT_PASS)
		arc->output.oldest_pass = 0;
	arc->is_done = true;
	return MG_STEP_DONE;
}

/* ---- the header ---- */

static bool was_asked(const struct mg_arc *arc, const char *name)
{
	for (size_t i = 0; i < arc->key_count; i++)
		if (mg_str_eq(mg_str_z(arc->keys[i]), mg_str_z(name)))
			return true;
	return false;
}

void mg_arc_field(struct mg_arc *arc, struct mg_lookup *lookup)
{
	const struct mg_signature *signature;

	if (arc->fields->count == 0)
		return;
	signature = mg_arc_sets_add(&arc->sets, arc->arena, arc->fields, arc->fields->count - 1, arc->now_s);
	if (signature == NULL || arc->key_count == KEYS_EARLY || was_asked(arc, signature->key_name))
		return;
	arc->keys[arc->key_count++] = signature->key_name;
	mg_lookup_get(lookup, mg_str_z(signature->key_name), MG_DNS_TXT);
}

static void tell_sets(struct mg_arc *arc)
{
	arc->output.instance = arc->sets.count;
	for (unsigned i = 0; i < arc->sets.count; i++) {
		if (arc->sets.set[i].seal != NULL)
			arc->output.sealer[i] = arc->sets.set[i].seal->parsed.domain;
		arc->output.results[i] = arc->sets.set[i].results;
	}
}

void mg_arc_header_end(struct mg_arc *arc, struct mg_body_hashes *hashes)
{
	if (!arc->sets.has_any) {
		settle(arc, MG_RESULT_NONE, N_("no chain"));
		return;
	}
	tell_sets(arc);
	if (arc->fields->is_cut)
		settle(arc, MG_RESULT_FAIL, N_("the header is too large to be verified"));
	else if (arc->sets.is_short)
		settle(arc, MG_RESULT_TEMPERROR, N_("no memory"));
	else if (!mg_arc_sets_check(&arc->sets))
		settle(arc, MG_RESULT_FAIL, arc->sets.wrong);
	else if ((arc->index = mg_header_index_new(arc->arena, arc->fields)) == NULL)
		settle(arc, MG_RESULT_TEMPERROR, N_("no memory"));
	for (unsigned i = arc->sets.count; i >= 1 && !arc->is_done; i--) {
		const struct mg_signature *message = &arc->sets.set[i - 1].message->parsed;

		arc->bodies[i - 1] = mg_body_hashes_want(hashes, message->body_form, message->body_limit);
	}
}

/* ---- hashes of the seals (section 5.1.1) ---- */

static bool add_field(struct mg_arc *arc, size_t field, struct mg_sha256 *hash)
{
	return mg_header_hash_field(arc->index, MG_CANON_RELAXED, field, hash);
}

/* `so_far` covers all sets below; *own is scratch. */
static bool hash_seal(struct mg_arc *arc, unsigned instance, struct mg_sha256 *so_far, struct mg_sha256 *own)
{
	const struct mg_arc_set *set = &arc->sets.set[instance - 1];
	bool is_hashed =
		add_field(arc, set->results_field, so_far) && add_field(arc, set->message->field, so_far) &&
		mg_sha256_copy(own, so_far) &&
		mg_header_hash_own(arc->index, MG_CANON_RELAXED, set->seal->field, set->seal->parsed.b_raw, own);

	mg_sha256_end(own, arc->seals[instance - 1]);
	return is_hashed && add_field(arc, set->seal->field, so_far);
}

static bool hash_seals(struct mg_arc *arc)
{
	struct mg_sha256 *so_far = mg_sha256_new(), *own = mg_sha256_new();
	bool is_hashed = so_far != NULL && own != NULL;

	arc->seals = mg_arena_take(arc->arena, arc->sets.count * sizeof *arc->seals);
	is_hashed = is_hashed && arc->seals != NULL;
	for (unsigned instance = 1; is_hashed && instance <= arc->sets.count; instance++)
		is_hashed = hash_seal(arc, instance, so_far, own);
	mg_sha256_free(&so_far);
	mg_sha256_free(&own);
	return is_hashed;
}

void mg_arc_body_end(struct mg_arc *arc, const struct mg_body_hashes *hashes)
{
	arc->hashes = hashes;
	if (arc->is_done)
		return;
	if (!hash_seals(arc))
		settle(arc, MG_RESULT_TEMPERROR, N_("no memory, or the chain covers too much"));
	arc->seal = arc->sets.count;
	arc->older = arc->sets.count - 1;
}

/* ---- message signatures ---- */

/* What is wrong before any key is looked at; NULL: nothing. */
static const char *body_fault(const struct mg_arc *arc, unsigned instance)
{
	const struct mg_signature *message = &arc->sets.set[instance - 1].message->parsed;
	uint64_t whole;
	const unsigned char *digest;

	if (message->result != MG_RESULT_UNSET)
		return message->reason;
	if (arc->bodies[instance - 1] < 0)
		return N_("too many different hashes of the body are asked for");
	digest = mg_body_hashes_digest(arc->hashes, arc->bodies[instance - 1], &whole);
	if (message->body_limit != MG_BODY_WHOLE && message->body_limit != whole)
		return N_("l= of the ARC-Message-Signature is not the length of the body");
	return mg_digest_eq(digest, message->body_hash, MG_SHA256_BYTES)
		       ? NULL
		       : N_("the body was changed since the last seal");
}

static bool hash_message(struct mg_arc *arc, unsigned instance, unsigned char digest_out[MG_SHA256_BYTES])
{
	const struct mg_arc_signature *message = arc->sets.set[instance - 1].message;
	const struct mg_header_cover cover = { message->parsed.header_form, message->parsed.names,
		message->parsed.name_count, message->field, message->parsed.b_raw };
	struct mg_sha256 *hash = mg_sha256_new();
	bool is_hashed = hash != NULL && mg_header_hash(arc->index, &cover, hash, digest_out);

	mg_sha256_free(&hash);
	return is_hashed;
}

/* UNSET: its key is on its way. */
static struct mg_dkim_verdict check_message(struct mg_arc *arc, unsigned instance, struct mg_lookup *lookup)
{
	const struct mg_signature *message = &arc->sets.set[instance - 1].message->parsed;
	const char *fault = body_fault(arc, instance);
	const struct mg_dns_answer *answer;
	unsigned char digest[MG_SHA256_BYTES];

	if (fault != NULL)
		return (struct mg_dkim_verdict){ .result = MG_RESULT_FAIL, .reason = fault };
	if ((answer = mg_lookup_get(lookup, mg_str_z(message->key_name), MG_DNS_TXT)) == NULL)
		return (struct mg_dkim_verdict){ 0 };
	if (!hash_message(arc, instance, digest))
		return (struct mg_dkim_verdict){ .result = MG_RESULT_TEMPERROR,
			.reason = N_("no memory, or it covers too much") };
	return mg_dkim_verify(answer, message, digest);
}

/* Nothing of a chain is right in part: what is not pass or temperror is fail. */
static enum mg_step settle_as(struct mg_arc *arc, const struct mg_dkim_verdict *verdict)
{
	return settle(
		arc, verdict->result == MG_RESULT_TEMPERROR ? MG_RESULT_TEMPERROR : MG_RESULT_FAIL, verdict->reason);
}

/* Step 4. */
static enum mg_step step_newest(struct mg_arc *arc, struct mg_lookup *lookup)
{
	struct mg_dkim_verdict verdict = check_message(arc, arc->sets.count, lookup);

	if (verdict.result == MG_RESULT_UNSET)
		return MG_STEP_WAIT;
	arc->is_newest_right = verdict.result == MG_RESULT_PASS;
	return arc->is_newest_right ? MG_STEP_DONE : settle_as(arc, &verdict);
}

/* Step 5: where the older ones stop holding. It changes nothing of the result. */
static enum mg_step step_older(struct mg_arc *arc, struct mg_lookup *lookup)
{
	for (; arc->older >= 1; arc->older--) {
		const char *key_name = arc->sets.set[arc->older - 1].message->parsed.key_name;
		struct mg_dkim_verdict verdict = { .result = MG_RESULT_NEUTRAL };

		if (was_asked(arc, key_name))
			verdict = check_message(arc, arc->older, lookup);
		if (verdict.result == MG_RESULT_UNSET)
			return MG_STEP_WAIT;
		if (verdict.result == MG_RESULT_PASS)
			continue;
		arc->output.oldest_pass = arc->older + 1;
		arc->older = 0;
		break;
	}
	return MG_STEP_DONE;
}

/* Step 6. */
static enum mg_step step_seals(struct mg_arc *arc, struct mg_lookup *lookup)
{
	for (; arc->seal >= 1; arc->seal--) {
		const struct mg_signature *seal = &arc->sets.set[arc->seal - 1].seal->parsed;
		const struct mg_dns_answer *answer = mg_lookup_get(lookup, mg_str_z(seal->key_name), MG_DNS_TXT);
		struct mg_dkim_verdict verdict;

		if (answer == NULL)
			return MG_STEP_WAIT;
		verdict = mg_dkim_verify(answer, seal, arc->seals[arc->seal - 1]);
		if (verdict.result != MG_RESULT_PASS)
			return settle_as(arc, &verdict);
	}
	return settle(arc, MG_RESULT_PASS, "");
}

enum mg_step mg_arc_step(struct mg_arc *arc, struct mg_lookup *lookup)
{
	if (arc->is_done)
		return MG_STEP_DONE;
	if (arc->hashes == NULL)
		return MG_STEP_WAIT;
	if (!arc->is_newest_right && step_newest(arc, lookup) == MG_STEP_WAIT)
		return MG_STEP_WAIT;
	if (arc->is_done || step_older(arc, lookup) == MG_STEP_WAIT)
		return arc->is_done ? MG_STEP_DONE : MG_STEP_WAIT;
	return step_seals(arc, lookup);
}

const struct mg_arc_output *mg_arc_output(const struct mg_arc *arc)
{
	return &arc->output;
}
