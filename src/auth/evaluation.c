/* The methods stand side by side; only DMARC waits for SPF and DKIM. What a method needs of memory lies in one arena that goes
 * with the message. */
#include "auth/evaluation_state.h"

#include <stdlib.h>

#include "base/clock.h"

/* A message has MG_LOOKUP_QUESTIONS in all, besides those that the configured lists cost. Whoever sends it chooses most of
 * them: by the SPF records of his own domains, his signatures, his chain. What decides about the author's domain must not
 * lose by that, so each keeps back what those who matter more may need: DMARC two walks and one question more, the first ten signatures, SPF of MAIL FROM some twenty. */
enum { KEPT_FOR_DMARC = 17, KEPT_FROM_SPF = KEPT_FOR_DMARC + 10, KEPT_FROM_OTHERS = KEPT_FROM_SPF + 19 };

/* ---- life ---- */

static void begin_client(struct mg_evaluation *e)
{
	const struct mg_conf *conf = e->o.conf;

	if (e->o.client.family == MG_IP_NONE)
		return;
	if (conf->auth.iprev != MG_LEVEL_OFF)
		e->iprev = mg_iprev_new(&e->arena, &e->o.client);
	if (conf->auth.dnsbl_action != MG_LEVEL_OFF && conf->auth.dnsbl_count > 0) {
		struct mg_dnsbl_zone *zones = mg_arena_take(&e->arena, conf->auth.dnsbl_count * sizeof *zones);

		for (size_t i = 0; zones != NULL && i < conf->auth.dnsbl_count; i++)
			zones[i] = (struct mg_dnsbl_zone){ conf->auth.dnsbl[i].zone, (int)conf->auth.dnsbl[i].weight };
		if (zones != NULL)
			e->dnsbl = mg_dnsbl_new(&e->arena, &e->o.client, zones, conf->auth.dnsbl_count, e->o.zones);
	}
}

static struct mg_lookup *new_lookup(const struct mg_evaluation *e)
{
	size_t lists = e->o.conf->auth.dnsbl_count < MG_DNSBL_ZONES ? e->o.conf->auth.dnsbl_count : MG_DNSBL_ZONES;
	struct mg_lookup_options options = { .source = e->o.source,
		.questions_max =
			MG_LOOKUP_QUESTIONS + (e->o.conf->auth.dnsbl_action != MG_LEVEL_OFF ? (unsigned)lists : 0),
		.deadline_us = INT64_MAX, /* expire() ends it; a session may idle long before its message */
		.ready = e->o.ready,
		.context = e->o.context };

	return mg_lookup_new(&options);
}

struct mg_evaluation *mg_evaluation_new(const struct mg_evaluation_options *options)
{
	struct mg_evaluation *e = calloc(1, sizeof *e);

	if (e == NULL)
		return NULL;
	e->o = *options;
	e->o.conf = mg_conf_ref(options->conf);
	mg_arena_init(&e->arena, MG_EVALUATION_BYTES);
	mg_fields_init(&e->fields, &e->arena);
	e->receiver = mg_arena_text(&e->arena, options->receiver, MG_DOMAIN_MAX);
	e->mail_from = "";
	if ((e->lookup = new_lookup(e)) == NULL) {
		mg_evaluation_free(&e);
		return NULL;
	}
	mg_evaluation_restart_clock(e);
	begin_client(e);
	return e;
}

void mg_evaluation_free(struct mg_evaluation **evaluation)
{
	struct mg_evaluation *ending = *evaluation;

	if (ending == NULL)
		return;
	*evaluation = NULL;
	mg_lookup_free(&ending->lookup);
	mg_body_hashes_free(&ending->hashes);
	mg_arena_fini(&ending->arena);
	mg_conf_unref(&ending->o.conf);
	free(ending);
}

void mg_evaluation_restart_clock(struct mg_evaluation *e)
{
	e->deadline_us = mg_mono_us() + (int64_t)e->o.conf->auth.time_budget_ms * MG_MS_US;
}

bool mg_evaluation_is_cut_short(const struct mg_evaluation *e)
{
	return e->is_cut_short;
}

void mg_evaluation_expire(struct mg_evaluation *e)
{
	e->is_cut_short = true;
	mg_lookup_expire(e->lookup);
}

struct mg_lookup *mg_evaluation_lookup(struct mg_evaluation *e)
{
	return e->lookup;
}

/* ---- facts ---- */

static struct mg_spf *new_spf(struct mg_evaluation *e, enum mg_spf_scope scope)
{
	struct mg_spf_input input = { .ip = e->o.client,
		.scope = scope,
		.helo = mg_str_z(e->helo),
		.mail_from = mg_str_z(scope == MG_SPF_HELO ? "" : e->mail_from),
		.receiver = mg_str_z(e->receiver),
		.now_s = e->o.now_s,
		.wants_explanation = scope == MG_SPF_MFROM };

	return mg_spf_new(&e->arena, &input);
}

static bool wants_spf(const struct mg_evaluation *e)
{
	return (e->o.conf->auth.spf != MG_LEVEL_OFF || e->o.conf->auth.dmarc != MG_LEVEL_OFF) &&
	       e->o.client.family != MG_IP_NONE;
}

void mg_evaluation_helo(struct mg_evaluation *e, struct mg_str helo)
{
	if (!e->has_mail)
		mg_str_copy(e->helo, sizeof e->helo, mg_str_first(helo, sizeof e->helo - 1));
}

/* The author is most often the sender's domain: its policy is asked for before From arrives. */
static void expect_author(struct mg_evaluation *e, struct mg_str mail_from)
{
	size_t at = mg_str_rfind(mail_from, '@');
	char domain[MG_DOMAIN_TEXT];

	mg_lookup_keep(e->lookup, KEPT_FROM_SPF);
	if (e->o.conf->auth.dmarc != MG_LEVEL_OFF && !e->is_without_message && at != SIZE_MAX &&
		mg_domain_ascii(mg_str_from(mail_from, at + 1), domain) && mg_domain_labels(mg_str_z(domain)) <= 4)
		mg_dmarc_walk_prefetch(e->lookup, mg_str_z(domain));
}

void mg_evaluation_mail(struct mg_evaluation *e, struct mg_str mail_from)
{
	e->has_mail = true;
	e->mail_from = mg_arena_text(&e->arena, mail_from, 1024);
	if (wants_spf(e))
		e->spf = new_spf(e, MG_SPF_MFROM);
	expect_author(e, mail_from);
}

static bool wants_dkim(const struct mg_evaluation *e)
{
	return e->o.conf->auth.dkim != MG_LEVEL_OFF || e->o.conf->auth.dmarc != MG_LEVEL_OFF;
}

static bool wants_arc(const struct mg_evaluation *e)
{
	return e->o.conf->auth.arc != MG_LEVEL_OFF || e->o.conf->auth.trusted_sealers.count > 0;
}

static void begin_message(struct mg_evaluation *e)
{
	struct mg_dkim_options options = { .max_signatures = (unsigned)e->o.conf->auth.max_signatures,
		.now_s = e->o.now_s };

	e->has_message = true;
	if (e->o.conf->auth.dmarc != MG_LEVEL_OFF)
		e->author = mg_arena_take(&e->arena, sizeof *e->author);
	if (wants_dkim(e))
		e->dkim = mg_dkim_new(&e->arena, &e->fields, &options);
	if (wants_arc(e))
		e->arc = mg_arc_new(&e->arena, &e->fields, e->o.now_s);
}

void mg_evaluation_field(struct mg_evaluation *e, struct mg_str name, struct mg_str value)
{
	if (!e->has_message)
		begin_message(e);
	if (e->author != NULL && mg_str_eq_nocase(mg_str_trim(name), MG_STR("From")))
		mg_author_field(e->author, value);
	if (!mg_fields_add(&e->fields, name, value))
		return;
	mg_lookup_keep(e->lookup, KEPT_FOR_DMARC);
	if (e->dkim != NULL)
		mg_dkim_field(e->dkim, e->lookup);
	mg_lookup_keep(e->lookup, KEPT_FROM_OTHERS);
	if (e->arc != NULL)
		mg_arc_field(e->arc, e->lookup);
}

void mg_evaluation_header_end(struct mg_evaluation *e)
{
	if (!e->has_message)
		begin_message(e);
	mg_lookup_keep(e->lookup, 0);
	if (e->author != NULL) {
		e->dmarc = mg_dmarc_new(&e->arena, e->author);
		if (e->dmarc != NULL)
			mg_dmarc_prefetch(e->dmarc, e->lookup);
	}
	e->hashes = mg_body_hashes_new();
	if (e->hashes == NULL) {
		e->dkim = NULL;
		e->arc = NULL;
		return;
	}
	if (e->dkim != NULL)
		mg_dkim_header_end(e->dkim, e->hashes);
	if (e->arc != NULL)
		mg_arc_header_end(e->arc, e->hashes);
}

void mg_evaluation_body(struct mg_evaluation *e, struct mg_str chunk)
{
	if (e->hashes != NULL)
		mg_body_hashes_add(e->hashes, chunk);
}

void mg_evaluation_body_end(struct mg_evaluation *e)
{
	e->has_message_end = true;
	if (e->hashes == NULL)
		return;
	mg_body_hashes_end(e->hashes);
	if (e->dkim != NULL)
		mg_dkim_body_end(e->dkim, e->hashes);
	if (e->arc != NULL)
		mg_arc_body_end(e->arc, e->hashes);
}

void mg_evaluation_no_message(struct mg_evaluation *e)
{
	e->is_without_message = true;
	e->has_message_end = true;
}

/* ---- going on ---- */

/* SPF of MAIL FROM and every DKIM signature, as DMARC wants them. */
static struct mg_dmarc_identifier *identifiers_of(const struct mg_evaluation *e, size_t *count_out)
{
	size_t signatures = 0;
	const struct mg_dkim_signature *signature = e->dkim == NULL ? NULL : mg_dkim_signatures(e->dkim, &signatures);
	struct mg_dmarc_identifier *identifiers =
		mg_arena_take((struct mg_arena *)&e->arena, (signatures + 1) * sizeof *identifiers);
	size_t count = 0;

	*count_out = 0;
	if (identifiers == NULL)
		return NULL;
	if (e->spf != NULL && mg_spf_output(e->spf)->domain[0] != '\0')
		identifiers[count++] = (struct mg_dmarc_identifier){ mg_spf_output(e->spf)->domain, true,
			mg_spf_output(e->spf)->result };
	for (size_t i = 0; i < signatures; i++)
		if (signature[i].domain[0] != '\0')
			identifiers[count++] =
				(struct mg_dmarc_identifier){ signature[i].domain, false, signature[i].result };
	*count_out = count;
	return identifiers;
}

static void step_dmarc(struct mg_evaluation *e)
{
	size_t count;
	struct mg_dmarc_identifier *identifiers;

	if (e->dmarc == NULL || e->dmarc_done)
		return;
	if ((e->spf != NULL && !e->spf_done) || (e->dkim != NULL && !e->dkim_done)) {
		mg_dmarc_prefetch(e->dmarc, e->lookup);
		return;
	}
	if ((identifiers = identifiers_of(e, &count)) == NULL) { /* no memory is no verdict */
		e->dmarc = NULL;
		return;
	}
	if (mg_dmarc_step(e->dmarc, e->lookup, identifiers, count) == MG_STEP_DONE) {
		e->dmarc_output = *mg_dmarc_output(e->dmarc);
		e->dmarc_done = true;
	}
}

static bool is_trusted_sealer(const struct mg_conf *conf, const char *sealer)
{
	for (size_t i = 0; i < conf->auth.trusted_sealers.count; i++)
		if (mg_str_eq_nocase(mg_str_z(conf->auth.trusted_sealers.item[i]), mg_str_z(sealer)))
			return true;
	return false;
}

/* Every hand the message went through must be trusted: each could have changed it. The first of them must not have seen DMARC
 * fail itself. */
static bool is_chain_trusted(const struct mg_evaluation *e)
{
	const struct mg_arc_output *arc = e->arc == NULL ? NULL : mg_arc_output(e->arc);

	if (arc == NULL || arc->result != MG_RESULT_PASS || arc->instance == 0)
		return false;
	for (unsigned i = 0; i < arc->instance; i++)
		if (!is_trusted_sealer(e->o.conf, arc->sealer[i]))
			return false;
	return mg_str_find_str(arc->results[0], MG_STR("dmarc=fail")) == SIZE_MAX;
}

/* A trusted chain overrides a failure: nothing is left to be done then. */
static void let_arc_override(struct mg_evaluation *e)
{
	if (e->dmarc == NULL)
		return;
	e->is_overridden = e->dmarc_output.result == MG_RESULT_FAIL && is_chain_trusted(e);
	if (e->is_overridden)
		e->dmarc_output.disposition = MG_DISPOSITION_NONE;
}

static bool is_done(const struct mg_evaluation *e)
{
	return e->has_message_end && (e->iprev == NULL || e->iprev_done) && (e->dnsbl == NULL || e->dnsbl_done) &&
	       (e->spf == NULL || e->spf_done) && (e->spf_helo == NULL || e->spf_helo_done) &&
	       (e->dkim == NULL || e->dkim_done) && (e->arc == NULL || e->arc_done) &&
	       (e->dmarc == NULL || e->dmarc_done);
}

/* HELO is an identity of its own (RFC 7208 section 2.3). It is asked about where MAIL FROM does not pass: then only it can tell
 * anything more. */
static void begin_helo(struct mg_evaluation *e)
{
	char domain[MG_DOMAIN_TEXT];

	if (e->o.conf->auth.spf != MG_LEVEL_OFF && mg_spf_output(e->spf)->result != MG_RESULT_PASS &&
		mg_spf_output(e->spf)->scope != MG_SPF_HELO && mg_domain_ascii(mg_str_z(e->helo), domain) &&
		mg_domain_labels(mg_str_z(domain)) > 1)
		e->spf_helo = new_spf(e, MG_SPF_HELO);
}

static void step_spf(struct mg_evaluation *e)
{
	if (e->spf != NULL && !e->spf_done && mg_spf_step(e->spf, e->lookup) == MG_STEP_DONE) {
		e->spf_done = true;
		begin_helo(e);
	}
	mg_lookup_keep(e->lookup, KEPT_FROM_OTHERS);
	if (e->spf_helo != NULL && !e->spf_helo_done)
		e->spf_helo_done = mg_spf_step(e->spf_helo, e->lookup) == MG_STEP_DONE;
}

enum mg_step mg_evaluation_step(struct mg_evaluation *e)
{
	mg_lookup_keep(e->lookup, KEPT_FROM_SPF);
	if (e->iprev != NULL && !e->iprev_done)
		e->iprev_done = mg_iprev_step(e->iprev, e->lookup) == MG_STEP_DONE;
	if (e->dnsbl != NULL && !e->dnsbl_done)
		e->dnsbl_done = mg_dnsbl_step(e->dnsbl, e->lookup) == MG_STEP_DONE;
	step_spf(e);
	mg_lookup_keep(e->lookup, KEPT_FOR_DMARC);
	if (e->has_message_end && e->dkim != NULL && !e->dkim_done)
		e->dkim_done = mg_dkim_step(e->dkim, e->lookup) == MG_STEP_DONE;
	mg_lookup_keep(e->lookup, KEPT_FROM_OTHERS);
	if (e->has_message_end && e->arc != NULL && !e->arc_done)
		e->arc_done = mg_arc_step(e->arc, e->lookup) == MG_STEP_DONE;
	mg_lookup_keep(e->lookup, 0);
	if (e->has_message_end)
		step_dmarc(e);
	if (!is_done(e))
		return MG_STEP_WAIT;
	let_arc_override(e);
	return MG_STEP_DONE;
}

/* Answers may come at any moment. Only a step that had all of them before it and asked for nothing has nothing to wait for. */
void mg_evaluation_finish(struct mg_evaluation *e)
{
	for (;;) {
		bool has_all = mg_lookup_pending(e->lookup) == 0;
		unsigned asked = mg_lookup_asked(e->lookup);

		if (mg_evaluation_step(e) == MG_STEP_DONE)
			return;
		if ((has_all && mg_lookup_asked(e->lookup) == asked) || !mg_lookup_wait(e->lookup, e->deadline_us)) {
			mg_evaluation_expire(e);
			mg_evaluation_step(e);
			return;
		}
	}
}
