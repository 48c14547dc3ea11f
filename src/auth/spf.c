/* check_host() of RFC 7208 section 4 as a machine: a stack of frames, one per record under evaluation. An include pushes a
 * frame, a redirect changes the top one, and each costs a term, so the stack can't outgrow the budget.
 *
 * A state may be entered again and again while it waits; what it has already spent is marked, and answers are pinned. */
#include "auth/spf_state.h"
#include "base/i18n.h"

_Static_assert(MG_SPF_TERMS == 10 && MG_SPF_VOIDS == 2 && MG_SPF_HOSTS == 10, "sentences below name these bounds");

/* ---- results ---- */

static struct mg_spf_frame *top_of(struct mg_spf *spf)
{
	return spf->frames[spf->depth - 1];
}

static void finish(struct mg_spf *spf, enum mg_result result)
{
	const struct mg_spf_frame *bottom = spf->frames[0];
	bool is_matched = bottom->term.kind != MG_SPF_NO_KIND;

	mg_spf_stop_at_match(spf, result);
	spf->output.mechanism =
		is_matched ? mg_arena_text(spf->arena, bottom->term.text, MG_SPF_MECHANISM - 1) : "default";
	if (result == MG_RESULT_FAIL && spf->wants_explanation && bottom->record.exp.n > 0)
		spf->phase = MG_SPF_EXPLAIN;
}

/* The top frame's record has come to a result: that of all, or of an include (table in section 5.2; errors never come
 * here, they end everything). */
static void conclude(struct mg_spf *spf, enum mg_result result)
{
	spf->reach = spf->depth;
	while (spf->depth > 1) {
		spf->depth--;
		if (result != MG_RESULT_PASS) {
			spf->phase = MG_SPF_NEXT;
			return;
		}
		result = top_of(spf)->term.result;
	}
	finish(spf, result);
}

/* ---- records ---- */

static void stop_without_record(struct mg_spf *spf)
{
	const struct mg_spf_frame *top = top_of(spf);

	if (top->is_redirected)
		mg_spf_stop(spf, MG_RESULT_PERMERROR,
			MG_SAY(N_("%1 has no SPF record, but %2 redirects to it"), top->domain, spf->output.domain));
	else if (spf->depth > 1)
		mg_spf_stop(spf, MG_RESULT_PERMERROR,
			MG_SAY(N_("%1 has no SPF record, but %2 includes it"), top->domain, spf->output.domain));
	else
		mg_spf_stop(spf, MG_RESULT_NONE, MG_SAY(N_("%1 has no SPF record"), top->domain));
}

static void read_record(struct mg_spf *spf, const struct mg_dns_answer *answer)
{
	struct mg_spf_frame *top = top_of(spf);
	struct mg_str terms, wrong;

	switch (mg_spf_record_select(answer, &terms)) {
	case MG_SPF_NO_RECORD:
		stop_without_record(spf);
		return;
	case MG_SPF_SEVERAL_RECORDS:
		mg_spf_stop(spf, MG_RESULT_PERMERROR, MG_SAY(N_("%1 has more than one SPF record"), top->domain));
		return;
	case MG_SPF_ONE_RECORD:
		break;
	}
	if (mg_spf_record_parse(terms, &top->record, &wrong)) {
		top->rest = top->record.terms;
		spf->phase = MG_SPF_NEXT;
		return;
	}
	mg_spf_stop(spf, MG_RESULT_PERMERROR,
		MG_SAY(N_("the SPF record of %1 has an error: %2"), top->domain, mg_spf_quoted(spf, wrong)));
}

static enum mg_step fetch(struct mg_spf *spf, struct mg_lookup *lookup)
{
	const struct mg_spf_frame *top = top_of(spf);
	struct mg_str domain = mg_str_of(top->domain, top->domain_length);
	const struct mg_dns_answer *answer;

	if (!mg_spf_is_checkable(domain)) {
		stop_without_record(spf);
		return MG_STEP_DONE;
	}
	answer = mg_lookup_get(lookup, domain, MG_DNS_TXT);
	if (answer == NULL)
		return MG_STEP_WAIT;
	if (answer->status == MG_DNS_TROUBLE)
		mg_spf_stop_for_trouble(spf, top->domain, answer->trouble);
	else
		read_record(spf, answer);
	return MG_STEP_DONE;
}

/* ---- terms ---- */

static void next_term(struct mg_spf *spf)
{
	struct mg_spf_frame *top = top_of(spf);
	struct mg_str redirect = top->record.redirect;

	spf->is_charged = spf->has_target = false;
	spf->phase = MG_SPF_TERM;
	if (mg_spf_directive_next(&top->rest, &top->term))
		return;
	top->term = (struct mg_spf_term){ .kind = MG_SPF_NO_KIND };
	if (redirect.n > 0)
		top->term = (struct mg_spf_term){ .kind = MG_SPF_REDIRECT, .spec = redirect, .text = redirect };
	else
		conclude(spf, MG_RESULT_NEUTRAL);
}

/* Spends a term of the budget, once. False: there is none left, and all is over. */
static bool charge(struct mg_spf *spf, bool *is_charged)
{
	if (*is_charged)
		return true;
	*is_charged = true;
	if (spf->output.lookups < MG_SPF_TERMS) {
		spf->output.lookups++;
		return true;
	}
	mg_spf_stop(spf, MG_RESULT_PERMERROR,
		MG_SAY(N_("more than 10 DNS lookups, at %1 of %2"), mg_spf_quoted(spf, top_of(spf)->term.text),
			top_of(spf)->domain));
	return false;
}

/* Makes %{p} known if `text` needs it. False: it waits. */
static bool learn_p(struct mg_spf *spf, struct mg_str text, struct mg_lookup *lookup)
{
	const struct mg_spf_frame *top = top_of(spf);

	spf->values.domain = mg_str_of(top->domain, top->domain_length);
	if (!mg_spf_macro_uses_p(text))
		return true;
	if (!mg_spf_validated(&spf->values.ip, spf->values.domain, lookup, spf->validated))
		return false;
	spf->values.validated = mg_str_z(spf->validated);
	return true;
}

static bool expand(struct mg_spf *spf, struct mg_str spec)
{
	if (spec.n == 0) {
		mg_str_copy(spf->target, sizeof spf->target, spf->values.domain);
		spf->target_length = spf->values.domain.n;
		return true;
	}
	return mg_spf_expand_name(spec, &spf->values, spf->target, &spf->target_length);
}

/* The term's target, once. WAIT, or DONE: then it is there, or all is over. */
static enum mg_step find_target(struct mg_spf *spf, struct mg_lookup *lookup)
{
	struct mg_str spec = top_of(spf)->term.spec;

	if (spf->has_target)
		return MG_STEP_DONE;
	if (mg_spf_macro_uses_p(spec) && !charge(spf, &spf->is_p_charged))
		return MG_STEP_DONE;
	if (!learn_p(spf, spec, lookup))
		return MG_STEP_WAIT;
	spf->has_target = true;
	if (!expand(spf, spec))
		mg_spf_stop(spf, MG_RESULT_TEMPERROR, MG_SAY(N_("no memory")));
	return MG_STEP_DONE;
}

static void enter(struct mg_spf *spf, struct mg_spf_frame *frame, bool is_redirected)
{
	mg_str_copy(frame->domain, sizeof frame->domain, mg_str_of(spf->target, spf->target_length));
	frame->domain_length = spf->target_length;
	frame->is_redirected = is_redirected;
	spf->phase = MG_SPF_FETCH;
}

static void push(struct mg_spf *spf)
{
	mg_assert(spf->depth < MG_SPF_FRAMES);
	if (spf->frames[spf->depth] == NULL)
		spf->frames[spf->depth] = mg_arena_take(spf->arena, sizeof(struct mg_spf_frame));
	if (spf->frames[spf->depth] == NULL)
		mg_spf_stop(spf, MG_RESULT_TEMPERROR, MG_SAY(N_("no memory")));
	else
		enter(spf, spf->frames[spf->depth++], false);
}

static void differ(struct mg_spf *spf, bool is_void)
{
	spf->phase = MG_SPF_NEXT;
	spf->output.voids += is_void;
	if (spf->output.voids <= MG_SPF_VOIDS)
		return;
	mg_spf_stop(spf, MG_RESULT_PERMERROR,
		MG_SAY(N_("more than 2 DNS lookups that find nothing, at %1 of %2"),
			mg_spf_quoted(spf, top_of(spf)->term.text), top_of(spf)->domain));
}

static enum mg_step match(struct mg_spf *spf, struct mg_lookup *lookup)
{
	const struct mg_spf_term *term = &top_of(spf)->term;
	struct mg_spf_match found =
		mg_spf_match(term, &spf->values.ip, mg_str_of(spf->target, spf->target_length), lookup);

	switch (found.verdict) {
	case MG_SPF_WAITS:
		return MG_STEP_WAIT;
	case MG_SPF_MATCHES:
		conclude(spf, term->result);
		break;
	case MG_SPF_DIFFERS:
		differ(spf, found.is_void);
		break;
	case MG_SPF_TROUBLE:
		mg_spf_stop_for_trouble(spf, spf->target, found.trouble);
		break;
	case MG_SPF_TOO_MANY:
		mg_spf_stop(spf, MG_RESULT_PERMERROR, MG_SAY(N_("%1 has more than 10 MX hosts"), spf->target));
		break;
	}
	return MG_STEP_DONE;
}

static enum mg_step judge(struct mg_spf *spf, struct mg_lookup *lookup)
{
	enum mg_spf_kind kind = top_of(spf)->term.kind;

	if (mg_spf_kind_asks(kind) && !charge(spf, &spf->is_charged))
		return MG_STEP_DONE;
	if (find_target(spf, lookup) == MG_STEP_WAIT)
		return MG_STEP_WAIT;
	if (spf->phase == MG_SPF_OVER)
		return MG_STEP_DONE;
	if (kind == MG_SPF_REDIRECT) {
		enter(spf, top_of(spf), true);
	} else if (kind == MG_SPF_INCLUDE) {
		push(spf);
	} else {
		return match(spf, lookup);
	}
	return MG_STEP_DONE;
}

/* ---- explanation (section 6.2): any problem leaves it empty ---- */

static void set_explanation(struct mg_spf *spf, struct mg_str text)
{
	struct mg_buf expanded;

	mg_buf_init(&expanded, MG_SPF_VALUE * 16);
	mg_spf_expand(&expanded, text, &spf->values);
	for (size_t i = 0; i < expanded.n; i++)
		if (expanded.p[i] < ' ' || expanded.p[i] > '~')
			mg_buf_reset(&expanded);
	spf->output.explanation = mg_arena_text(spf->arena, mg_buf_str(&expanded), MG_SPF_EXPLANATION - 1);
	mg_buf_fini(&expanded);
}

static enum mg_step explain(struct mg_spf *spf, struct mg_lookup *lookup)
{
	struct mg_str spec = spf->frames[0]->record.exp, text;
	const struct mg_dns_answer *answer;

	if (!learn_p(spf, spec, lookup))
		return MG_STEP_WAIT;
	if (!expand(spf, spec)) {
		spf->phase = MG_SPF_OVER;
		return MG_STEP_DONE;
	}
	answer = mg_lookup_get(lookup, mg_str_of(spf->target, spf->target_length), MG_DNS_TXT);
	if (answer == NULL)
		return MG_STEP_WAIT;
	text = answer->count == 1 ? answer->records[0].text : MG_STR("");
	if (mg_spf_macro_is_sound(text, MG_SPF_IN_TEXT)) {
		if (!learn_p(spf, text, lookup))
			return MG_STEP_WAIT;
		set_explanation(spf, text);
	}
	spf->phase = MG_SPF_OVER;
	return MG_STEP_DONE;
}

/* ---- the machine ---- */

static enum mg_step advance(struct mg_spf *spf, struct mg_lookup *lookup)
{
	switch (spf->phase) {
	case MG_SPF_FETCH:
		return fetch(spf, lookup);
	case MG_SPF_NEXT:
		next_term(spf);
		return MG_STEP_DONE;
	case MG_SPF_TERM:
		return judge(spf, lookup);
	case MG_SPF_EXPLAIN:
		return explain(spf, lookup);
	case MG_SPF_OVER:
		break;
	}
	return MG_STEP_DONE;
}

enum mg_step mg_spf_step(struct mg_spf *spf, struct mg_lookup *lookup)
{
	while (spf->phase != MG_SPF_OVER)
		if (advance(spf, lookup) == MG_STEP_WAIT)
			return MG_STEP_WAIT;
	return MG_STEP_DONE;
}

const struct mg_spf_output *mg_spf_output(const struct mg_spf *spf)
{
	return &spf->output;
}
