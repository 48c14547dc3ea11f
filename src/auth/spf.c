/* check_host() of RFC 7208 section 4 as a machine: a stack of frames, one per record under evaluation. An include pushes a
 * frame, a redirect changes the top one, and each costs a term, so the stack can't outgrow the budget.
 *
 * A state may be entered again and again while it waits; what it has already spent is marked, and answers are pinned. */
#include "auth/spf.h"

#include <stdarg.h>
#include <stdio.h>

#include "auth/spf_match.h"
#include "mail/address.h"
#include "mail/domain.h"

enum { TERMS = 10, VOIDS = 2, FRAMES = TERMS + 1, HELD = 64 };

enum phase {
	FETCH,   /* the record of the top frame's domain is wanted */
	NEXT,    /* the top frame has a record; its next directive, or what follows the last, is wanted */
	TERM,    /* the top frame's term is under judgement */
	EXPLAIN, /* the result is fail; the text of exp= is wanted */
	OVER,
};

struct frame {
	char domain[MG_SPF_NAME];
	size_t domain_length; /* a NUL may be inside: such a name is never found */
	bool is_redirected;
	struct mg_spf_record record;
	struct mg_str rest;      /* its directives to come */
	struct mg_spf_term term; /* under judgement; no kind: none has matched */
};

struct mg_spf {
	struct mg_arena *arena;
	struct mg_spf_values values; /* domain and validated change */
	bool wants_explanation;
	enum phase phase;
	struct frame frames[FRAMES];
	size_t depth; /* frames in use */
	size_t reach; /* the depth at which a directive matched */
	bool is_charged, is_p_charged;
	bool has_target;
	char target[MG_SPF_NAME]; /* of the term, expanded */
	size_t target_length;
	char validated[MG_SPF_NAME];
	struct mg_spf_output output;
};

/* ---- the beginning ---- */

static struct mg_str keep(struct mg_arena *arena, struct mg_str text)
{
	struct mg_str kept = mg_str_first(text, MG_SPF_VALUE);
	char *place = mg_arena_take(arena, kept.n + 1);

	if (place == NULL)
		return MG_STR("");
	if (kept.n > 0)
		memcpy(place, kept.p, kept.n);
	kept.p = place;
	return kept;
}

static struct mg_str join(struct mg_arena *arena, struct mg_str local_part, struct mg_str domain)
{
	struct mg_buf sender;
	struct mg_str kept;

	mg_buf_init(&sender, 2 * MG_SPF_VALUE);
	mg_buf_add(&sender, local_part);
	mg_buf_addc(&sender, '@');
	mg_buf_add(&sender, domain);
	kept = keep(arena, mg_buf_str(&sender));
	mg_buf_fini(&sender);
	return kept;
}

static bool is_ascii(struct mg_str text)
{
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] > 0x7f)
			return false;
	return true;
}

static void set_reason(struct mg_spf *spf, const char *fmt, ...) MG_PRINTF(2, 3);

/* One line, printable ASCII, whatever the names in it hold. */
static void set_reason(struct mg_spf *spf, const char *fmt, ...)
{
	char text[MG_SPF_REASON];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	for (char *c = text; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	spf->output.reason = mg_arena_text(spf->arena, mg_str_z(text), sizeof text);
}

static void stop(struct mg_spf *spf, enum mg_result result)
{
	spf->output.result = result;
	spf->phase = OVER;
}

/* Section 4.3: what is no multi-label domain name can't have a record. */
static bool is_checkable(struct mg_str domain)
{
	struct mg_ip ip;

	return mg_domain_labels(domain) >= 2 && !mg_ip_parse(domain, &ip);
}

static void begin(struct mg_spf *spf, struct mg_str domain)
{
	struct frame *bottom = &spf->frames[0];

	spf->depth = 1;
	if (mg_domain_ascii(domain, bottom->domain) && is_checkable(mg_str_z(bottom->domain))) {
		bottom->domain_length = strlen(bottom->domain);
		spf->output.domain = mg_arena_text(spf->arena, mg_str_z(bottom->domain), MG_SPF_NAME);
		return;
	}
	if (domain.n == 0)
		set_reason(spf, "there is no domain to check");
	else
		set_reason(spf, "%.*s is not a domain name that can have an SPF record",
			MG_STR_ARGS(mg_str_first(domain, MG_DNS_NAME_MAX / 2)));
	stop(spf, MG_RESULT_NONE);
}

static void set_values(
	struct mg_spf *spf, const struct mg_spf_input *input, struct mg_str local_part, struct mg_str domain)
{
	struct mg_spf_values *values = &spf->values;

	values->ip = input->ip;
	values->now_s = input->now_s;
	values->helo = keep(spf->arena, input->helo);
	values->receiver = input->receiver.n > 0 ? keep(spf->arena, input->receiver) : MG_STR("unknown");
	values->local_part = local_part.n > 0 ? keep(spf->arena, local_part) : MG_STR("postmaster");
	values->sender_domain = is_ascii(domain) ? keep(spf->arena, domain) : mg_str_z(spf->output.domain);
	values->sender = join(spf->arena, values->local_part, values->sender_domain);
}

struct mg_spf *mg_spf_new(struct mg_arena *arena, const struct mg_spf_input *input)
{
	bool is_helo = input->scope == MG_SPF_HELO || input->mail_from.n == 0;
	struct mg_str local_part = MG_STR("postmaster"), domain = input->helo;
	struct mg_spf *spf = mg_arena_take(arena, sizeof *spf);

	if (spf == NULL)
		return NULL;
	if (!is_helo) {
		local_part = mg_str_first(input->mail_from, mg_str_rfind(input->mail_from, '@'));
		domain = mg_address_domain(input->mail_from);
	}
	spf->arena = arena;
	spf->wants_explanation = input->wants_explanation;
	spf->output = (struct mg_spf_output){ .scope = is_helo ? MG_SPF_HELO : MG_SPF_MFROM,
		.domain = "",
		.mechanism = "",
		.explanation = "",
		.reason = "" };
	begin(spf, domain);
	set_values(spf, input, local_part, domain);
	return spf;
}

/* ---- the end ---- */

static struct frame *top_of(struct mg_spf *spf)
{
	return &spf->frames[spf->depth - 1];
}

static void stop_for_trouble(struct mg_spf *spf, const char *name, enum mg_dns_trouble trouble)
{
	set_reason(spf, "DNS gave no answer about %.*s (%s)", MG_DNS_NAME_MAX / 2, name, mg_dns_trouble_name(trouble));
	stop(spf, MG_RESULT_TEMPERROR);
}

/* "include:a.example (ip4:192.0.2.1 of a.example), redirected to b.example" */
static void describe_match(const struct mg_spf *spf, struct mg_buf *out)
{
	const struct frame *bottom = &spf->frames[0], *reached = &spf->frames[spf->reach - 1];

	mg_buf_add(out, mg_str_first(bottom->term.text, HELD));
	if (spf->reach > 1) {
		mg_buf_addz(out, " (");
		mg_buf_add(out, mg_str_first(reached->term.text, HELD));
		mg_buf_addf(out, " of %s)", reached->domain);
	}
	if (bottom->is_redirected)
		mg_buf_addf(out, ", redirected to %s", bottom->domain);
}

/* %1$s is the client, %2$s the domain, %3$s the match. */
static const char *const endings[MG_RESULTS] = {
	[MG_RESULT_PASS] = "%1$s is among the senders %2$s allows: %3$s",
	[MG_RESULT_FAIL] = "%1$s is not among the senders %2$s allows: %3$s",
	[MG_RESULT_SOFTFAIL] = "%1$s is probably not among the senders %2$s allows: %3$s",
	[MG_RESULT_NEUTRAL] = "%1$s may or may not send for %2$s, which doesn't say: %3$s",
};

static void describe_ending(struct mg_spf *spf, enum mg_result result)
{
	struct mg_buf match;
	char ip[MG_IP_TEXT];

	mg_ip_text(&spf->values.ip, ip, sizeof ip);
	if (spf->frames[0].term.kind == MG_SPF_NO_KIND) {
		set_reason(spf, "no mechanism of %s matches %s", spf->frames[0].domain, ip);
		return;
	}
	mg_buf_init(&match, 2 * MG_SPF_REASON);
	describe_match(spf, &match);
	set_reason(spf, endings[result], ip, spf->output.domain, mg_buf_z(&match));
	mg_buf_fini(&match);
}

static void finish(struct mg_spf *spf, enum mg_result result)
{
	const struct frame *bottom = &spf->frames[0];
	bool is_matched = bottom->term.kind != MG_SPF_NO_KIND;

	describe_ending(spf, result);
	spf->output.mechanism =
		is_matched ? mg_arena_text(spf->arena, bottom->term.text, MG_SPF_REASON - 1) : "default";
	stop(spf, result);
	if (result == MG_RESULT_FAIL && spf->wants_explanation && bottom->record.exp.n > 0)
		spf->phase = EXPLAIN;
}

/* The top frame's record has come to a result: that of all, or of an include (table in section 5.2; errors never come
 * here, they end everything). */
static void conclude(struct mg_spf *spf, enum mg_result result)
{
	spf->reach = spf->depth;
	while (spf->depth > 1) {
		spf->depth--;
		if (result != MG_RESULT_PASS) {
			spf->phase = NEXT;
			return;
		}
		result = top_of(spf)->term.result;
	}
	finish(spf, result);
}

/* ---- records ---- */

static void stop_without_record(struct mg_spf *spf)
{
	const struct frame *top = top_of(spf);

	if (spf->depth == 1 && !top->is_redirected) {
		set_reason(spf, "%s has no SPF record", top->domain);
		stop(spf, MG_RESULT_NONE);
		return;
	}
	set_reason(spf, "%.*s has no SPF record, but %s %s it", MG_DNS_NAME_MAX / 2, top->domain, spf->output.domain,
		top->is_redirected ? "redirects to" : "includes");
	stop(spf, MG_RESULT_PERMERROR);
}

static void read_record(struct mg_spf *spf, const struct mg_dns_answer *answer)
{
	struct frame *top = top_of(spf);
	struct mg_str terms, wrong;

	switch (mg_spf_record_select(answer, &terms)) {
	case MG_SPF_NO_RECORD:
		stop_without_record(spf);
		return;
	case MG_SPF_SEVERAL_RECORDS:
		set_reason(spf, "%s has more than one SPF record", top->domain);
		stop(spf, MG_RESULT_PERMERROR);
		return;
	case MG_SPF_ONE_RECORD:
		break;
	}
	if (mg_spf_record_parse(terms, &top->record, &wrong)) {
		top->rest = top->record.terms;
		spf->phase = NEXT;
		return;
	}
	set_reason(spf, "the SPF record of %.*s has an error: %.*s", MG_DNS_NAME_MAX / 2, top->domain,
		MG_STR_ARGS(mg_str_first(wrong, HELD)));
	stop(spf, MG_RESULT_PERMERROR);
}

static enum mg_step fetch(struct mg_spf *spf, struct mg_lookup *lookup)
{
	const struct frame *top = top_of(spf);
	struct mg_str domain = mg_str_of(top->domain, top->domain_length);
	const struct mg_dns_answer *answer;

	if (!is_checkable(domain)) {
		stop_without_record(spf);
		return MG_STEP_DONE;
	}
	answer = mg_lookup_get(lookup, domain, MG_DNS_TXT);
	if (answer == NULL)
		return MG_STEP_WAIT;
	if (answer->status == MG_DNS_TROUBLE)
		stop_for_trouble(spf, top->domain, answer->trouble);
	else
		read_record(spf, answer);
	return MG_STEP_DONE;
}

/* ---- terms ---- */

static void next_term(struct mg_spf *spf)
{
	struct frame *top = top_of(spf);
	struct mg_str redirect = top->record.redirect;

	spf->is_charged = spf->has_target = false;
	spf->phase = TERM;
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
	if (spf->output.lookups < TERMS) {
		spf->output.lookups++;
		return true;
	}
	set_reason(spf, "more than %d DNS lookups, at %.*s of %s", TERMS,
		MG_STR_ARGS(mg_str_first(top_of(spf)->term.text, HELD)), top_of(spf)->domain);
	stop(spf, MG_RESULT_PERMERROR);
	return false;
}

/* Makes %{p} known if `text` needs it. False: it waits. */
static bool learn_p(struct mg_spf *spf, struct mg_str text, struct mg_lookup *lookup)
{
	const struct frame *top = top_of(spf);

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
	if (!expand(spf, spec)) {
		set_reason(spf, "no memory");
		stop(spf, MG_RESULT_TEMPERROR);
	}
	return MG_STEP_DONE;
}

static void enter(struct mg_spf *spf, struct frame *frame, bool is_redirected)
{
	mg_str_copy(frame->domain, sizeof frame->domain, mg_str_of(spf->target, spf->target_length));
	frame->domain_length = spf->target_length;
	frame->is_redirected = is_redirected;
	spf->phase = FETCH;
}

static void differ(struct mg_spf *spf, bool is_void)
{
	spf->phase = NEXT;
	spf->output.voids += is_void;
	if (spf->output.voids <= VOIDS)
		return;
	set_reason(spf, "more than %d DNS lookups that find nothing, at %.*s of %s", VOIDS,
		MG_STR_ARGS(mg_str_first(top_of(spf)->term.text, HELD)), top_of(spf)->domain);
	stop(spf, MG_RESULT_PERMERROR);
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
		stop_for_trouble(spf, spf->target, found.trouble);
		break;
	case MG_SPF_TOO_MANY:
		set_reason(spf, "%s has more than %d MX hosts", spf->target, MG_SPF_HOSTS);
		stop(spf, MG_RESULT_PERMERROR);
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
	if (spf->phase == OVER)
		return MG_STEP_DONE;
	if (kind == MG_SPF_REDIRECT) {
		enter(spf, top_of(spf), true);
	} else if (kind == MG_SPF_INCLUDE) {
		mg_assert(spf->depth < FRAMES);
		enter(spf, &spf->frames[spf->depth++], false);
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
	struct mg_str spec = spf->frames[0].record.exp, text;
	const struct mg_dns_answer *answer;

	if (!learn_p(spf, spec, lookup))
		return MG_STEP_WAIT;
	if (!expand(spf, spec)) {
		spf->phase = OVER;
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
	spf->phase = OVER;
	return MG_STEP_DONE;
}

/* ---- the machine ---- */

static enum mg_step advance(struct mg_spf *spf, struct mg_lookup *lookup)
{
	switch (spf->phase) {
	case FETCH:
		return fetch(spf, lookup);
	case NEXT:
		next_term(spf);
		return MG_STEP_DONE;
	case TERM:
		return judge(spf, lookup);
	case EXPLAIN:
		return explain(spf, lookup);
	case OVER:
		break;
	}
	return MG_STEP_DONE;
}

enum mg_step mg_spf_step(struct mg_spf *spf, struct mg_lookup *lookup)
{
	while (spf->phase != OVER)
		if (advance(spf, lookup) == MG_STEP_WAIT)
			return MG_STEP_WAIT;
	return MG_STEP_DONE;
}

const struct mg_spf_output *mg_spf_output(const struct mg_spf *spf)
{
	return &spf->output;
}
