/* Every step begins anew and runs as far as the answers reach: they are pinned in the lookup, so the second run sees what the
 * first saw. That is cheap beside one round trip, and there is no state to get wrong. */
#include "auth/dmarc.h"

#include "auth/dmarc_rfc7489.h"
#include "base/i18n.h"

struct mg_dmarc {
	struct mg_arena *arena;
	struct mg_author author;
	struct mg_dmarc_output output;
	bool is_done;
};

const char *mg_dmarc_disposition_name(enum mg_dmarc_disposition disposition)
{
	static const char *const names[] = { "none", "quarantine", "reject" };

	return names[disposition];
}

/* Of several authors those with the fewest labels are asked about first: else long names in front could use up the questions. */
static void shortest_first(struct mg_author *author)
{
	for (size_t i = 1; i < author->count; i++)
		for (size_t k = i; k > 0 && mg_domain_labels(mg_str_z(author->domain[k])) <
						    mg_domain_labels(mg_str_z(author->domain[k - 1]));
			k--) {
			char longer[MG_DOMAIN_TEXT];

			memcpy(longer, author->domain[k - 1], sizeof longer);
			memcpy(author->domain[k - 1], author->domain[k], sizeof longer);
			memcpy(author->domain[k], longer, sizeof longer);
		}
}

struct mg_dmarc *mg_dmarc_new(struct mg_arena *arena, const struct mg_author *author)
{
	struct mg_dmarc *dmarc = mg_arena_take(arena, sizeof *dmarc);

	if (dmarc == NULL)
		return NULL;
	dmarc->arena = arena;
	dmarc->author = *author;
	shortest_first(&dmarc->author);
	dmarc->output = (struct mg_dmarc_output){
		.domain = "", .policy_domain = "", .org_domain = "", .reason = "", .rfc7489 = ""
	};
	return dmarc;
}

/* ---- which record applies (section 4.10.1) ---- */

struct policy {
	bool is_broken, is_found; /* DNS trouble; a record was found */
	bool is_usable;           /* and DMARC applies by it */
	struct mg_str domain;     /* where */
	struct mg_dmarc_record record;
	enum mg_dmarc_policy policy;
};

/* The record at the organizational domain, else the one of the public suffix above it. */
static const struct mg_dmarc_level *above(const struct mg_dmarc_walk *walk)
{
	for (size_t i = 1; i < walk->count; i++) {
		const struct mg_dmarc_level *level = &walk->level[i];

		if (level->has_record && (mg_str_eq(level->domain, walk->org) || level->record.psd == MG_DMARC_PSD_Y))
			return level;
	}
	return NULL;
}

/* sp for a subdomain that exists, np for one that does not. */
static enum mg_step subdomain_policy(struct mg_lookup *lookup, struct mg_str domain, struct policy *policy)
{
	const struct mg_dmarc_record *record = &policy->record;
	enum mg_dmarc_policy existing = record->sp != MG_DMARC_UNSET ? record->sp : record->p;
	const struct mg_dns_answer *answer;

	policy->policy = existing;
	if (record->np == MG_DMARC_UNSET || record->np == existing)
		return MG_STEP_DONE;
	answer = mg_lookup_get(lookup, domain, MG_DNS_TXT); /* SPF often asks the same */
	if (answer == NULL)
		return MG_STEP_WAIT;
	if (answer->status == MG_DNS_TROUBLE)
		policy->is_broken = true;
	else if (answer->status == MG_DNS_NXDOMAIN)
		policy->policy = record->np;
	return MG_STEP_DONE;
}

static enum mg_step find_policy(
	struct mg_lookup *lookup, struct mg_str domain, struct policy *policy, struct mg_dmarc_walk *walk)
{
	struct mg_dmarc_level own;
	const struct mg_dmarc_level *found = &own;

	*policy = (struct policy){ 0 };
	if (mg_dmarc_walk_first(lookup, domain, &policy->is_broken, &own) == MG_STEP_WAIT)
		return MG_STEP_WAIT;
	if (!own.has_record && !policy->is_broken) {
		if (mg_dmarc_walk(lookup, domain, walk) == MG_STEP_WAIT)
			return MG_STEP_WAIT;
		policy->is_broken = walk->is_broken;
		found = above(walk);
	}
	if (policy->is_broken || found == NULL || !found->has_record)
		return MG_STEP_DONE;
	policy->is_found = true;
	policy->domain = found->domain;
	policy->record = found->record;
	policy->is_usable = mg_dmarc_record_mend(&policy->record);
	policy->policy = policy->record.p;
	return found == &own ? MG_STEP_DONE : subdomain_policy(lookup, domain, policy);
}

void mg_dmarc_prefetch(struct mg_dmarc *dmarc, struct mg_lookup *lookup)
{
	struct mg_dmarc_walk walk;
	struct policy policy;

	for (size_t i = 0; i < dmarc->author.count; i++)
		mg_dmarc_walk_prefetch(lookup, mg_str_z(dmarc->author.domain[i]));
	for (size_t i = 0; i < dmarc->author.count; i++)
		find_policy(lookup, mg_str_z(dmarc->author.domain[i]), &policy, &walk);
}

/* ---- who is aligned (section 4.10.2) ---- */

struct alignment {
	bool spf, dkim; /* a pass is aligned */
	bool is_open;   /* DNS trouble hides whether something is */
};

/* The organizational domain of the author, found once. */
struct author_org {
	bool is_known, is_broken;
	struct mg_str domain;
};

static enum mg_step find_author_org(struct mg_lookup *lookup, struct mg_str author, struct author_org *org)
{
	struct mg_dmarc_walk walk;

	if (org->is_known)
		return MG_STEP_DONE;
	if (mg_dmarc_walk(lookup, author, &walk) == MG_STEP_WAIT)
		return MG_STEP_WAIT;
	*org = (struct author_org){ true, walk.is_broken, walk.org };
	return MG_STEP_DONE;
}

static bool share_top(struct mg_str a, struct mg_str b)
{
	size_t dot_a = mg_str_rfind(a, '.'), dot_b = mg_str_rfind(b, '.');

	return mg_str_eq(
		mg_str_from(a, dot_a == SIZE_MAX ? 0 : dot_a + 1), mg_str_from(b, dot_b == SIZE_MAX ? 0 : dot_b + 1));
}

/* Whether `domain` is aligned with the author's: *is_aligned_out, or *is_open_out when DNS does not tell. */
static enum mg_step align(struct mg_lookup *lookup, struct mg_str author, struct mg_str domain, bool is_strict,
	struct author_org *org, bool *is_aligned_out, bool *is_open_out)
{
	struct mg_dmarc_walk walk;

	*is_aligned_out = mg_str_eq(author, domain);
	*is_open_out = false;
	if (*is_aligned_out || is_strict || !share_top(author, domain))
		return MG_STEP_DONE;
	if (find_author_org(lookup, author, org) == MG_STEP_WAIT)
		return MG_STEP_WAIT;
	if (!org->is_broken && !mg_domain_is_within(domain, org->domain))
		return MG_STEP_DONE;
	if (mg_dmarc_walk(lookup, domain, &walk) == MG_STEP_WAIT)
		return MG_STEP_WAIT;
	*is_open_out = org->is_broken || walk.is_broken;
	*is_aligned_out = !*is_open_out && mg_str_eq(walk.org, org->domain);
	return MG_STEP_DONE;
}

static enum mg_step align_all(struct mg_lookup *lookup, struct mg_str author, const struct mg_dmarc_record *record,
	const struct mg_dmarc_identifier *identifiers, size_t count, struct author_org *org,
	struct alignment *alignment)
{
	enum mg_step step = MG_STEP_DONE;

	*alignment = (struct alignment){ 0 };
	for (size_t i = 0; i < count; i++) {
		const struct mg_dmarc_identifier *id = &identifiers[i];
		bool is_aligned, is_open;

		if (id->result != MG_RESULT_PASS && id->result != MG_RESULT_TEMPERROR)
			continue;
		if (align(lookup, author, mg_str_z(id->domain), id->is_spf ? record->strict_spf : record->strict_dkim,
			    org, &is_aligned, &is_open) == MG_STEP_WAIT) {
			step = MG_STEP_WAIT; /* the others ask meanwhile */
			continue;
		}
		alignment->is_open |= is_open || (is_aligned && id->result == MG_RESULT_TEMPERROR);
		if (is_aligned && id->result == MG_RESULT_PASS)
			*(id->is_spf ? &alignment->spf : &alignment->dkim) = true;
	}
	return step;
}

/* ---- one author domain ---- */

static enum mg_dmarc_disposition disposition_of(const struct policy *policy)
{
	enum mg_dmarc_policy left = policy->policy;

	if (policy->record.is_testing && left > MG_DMARC_NONE)
		left--; /* one level below */
	return left == MG_DMARC_REJECT       ? MG_DISPOSITION_REJECT
	       : left == MG_DMARC_QUARANTINE ? MG_DISPOSITION_QUARANTINE
					     : MG_DISPOSITION_NONE;
}

static const char *text(struct mg_arena *arena, struct mg_str s)
{
	return mg_arena_text(arena, s, MG_DOMAIN_MAX);
}

static enum mg_step judge(struct mg_dmarc *dmarc, struct mg_lookup *lookup, struct mg_str author,
	const struct mg_dmarc_identifier *identifiers, size_t count, struct mg_dmarc_output *out)
{
	struct policy policy;
	struct mg_dmarc_walk walk = { 0 };
	struct alignment alignment;
	struct author_org org = { 0 };

	if (find_policy(lookup, author, &policy, &walk) == MG_STEP_WAIT)
		return MG_STEP_WAIT;
	out->domain = text(dmarc->arena, author);
	if (policy.is_broken) {
		out->result = MG_RESULT_TEMPERROR;
		out->reason = N_("DNS gave no answer about the policy of the author's domain");
		return MG_STEP_DONE;
	}
	if (!policy.is_found || !policy.is_usable) {
		out->result = MG_RESULT_NONE;
		out->reason = policy.is_found ? N_("the author's domain has a DMARC record without a sound policy")
					      : N_("the author's domain has no DMARC record");
		return MG_STEP_DONE;
	}
	if (align_all(lookup, author, &policy.record, identifiers, count, &org, &alignment) == MG_STEP_WAIT)
		return MG_STEP_WAIT;
	out->policy_domain = text(dmarc->arena, policy.domain);
	out->org_domain = text(dmarc->arena, org.domain);
	out->policy = policy.policy;
	out->is_testing = policy.record.is_testing;
	out->aligned_spf = alignment.spf;
	out->aligned_dkim = alignment.dkim;
	if (alignment.spf || alignment.dkim) {
		out->result = MG_RESULT_PASS;
		out->reason = N_("the author's domain is answered for");
	} else if (alignment.is_open) {
		out->result = MG_RESULT_TEMPERROR;
		out->reason =
			N_("DNS gave no answer, so it can't be told whether somebody answers for the author's domain");
	} else {
		out->result = MG_RESULT_FAIL;
		out->disposition = disposition_of(&policy);
		out->reason = N_("neither SPF nor DKIM answers for the author's domain");
	}
	out->rfc7489 = mg_dmarc_rfc7489_differs(
		author, &policy.record, policy.domain, identifiers, count, out->result == MG_RESULT_PASS);
	return MG_STEP_DONE;
}

/* ---- the message ---- */

/* No one sound author: the strictest of what the domains told would want. */
static enum mg_step judge_all(struct mg_dmarc *dmarc, struct mg_lookup *lookup,
	const struct mg_dmarc_identifier *identifiers, size_t count, struct mg_dmarc_output *out)
{
	const struct mg_dmarc_output empty = *out;
	enum mg_step step = MG_STEP_DONE;

	for (size_t i = 0; i < dmarc->author.count; i++) {
		struct mg_dmarc_output one = empty;

		if (judge(dmarc, lookup, mg_str_z(dmarc->author.domain[i]), identifiers, count, &one) == MG_STEP_WAIT)
			step = MG_STEP_WAIT;
		else if (i == 0 || one.disposition > out->disposition)
			*out = one;
	}
	if (dmarc->author.is_cut) /* nobody writes so in good faith, and whoever is not told may want it refused */
		out->disposition = MG_DISPOSITION_REJECT;
	out->result = MG_RESULT_PERMERROR;
	out->aligned_spf = out->aligned_dkim = false;
	out->reason = mg_author_state_text(dmarc->author.state);
	return step;
}

enum mg_step mg_dmarc_step(
	struct mg_dmarc *dmarc, struct mg_lookup *lookup, const struct mg_dmarc_identifier *identifiers, size_t count)
{
	struct mg_dmarc_output out = {
		.domain = "", .policy_domain = "", .org_domain = "", .reason = "", .rfc7489 = ""
	};
	enum mg_step step;

	if (dmarc->is_done)
		return MG_STEP_DONE;
	step = dmarc->author.state == MG_AUTHOR_SOUND
		       ? judge(dmarc, lookup, mg_str_z(dmarc->author.domain[0]), identifiers, count, &out)
		       : judge_all(dmarc, lookup, identifiers, count, &out);
	if (step == MG_STEP_WAIT)
		return step;
	dmarc->output = out;
	dmarc->is_done = true;
	return MG_STEP_DONE;
}

const struct mg_dmarc_output *mg_dmarc_output(const struct mg_dmarc *dmarc)
{
	return &dmarc->output;
}
