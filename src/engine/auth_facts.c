#include "engine/auth_facts.h"

#include "mail/address.h"

static struct mg_auth_facts nothing(void)
{
	return (struct mg_auth_facts){ .spf_domain = "", .helo_domain = "", .explanation = "", .dmarc_domain = "" };
}

/* ---- of an evaluation ---- */

static void take_dnsbl(const struct mg_dnsbl_output *dnsbl, struct mg_auth_facts *facts)
{
	facts->has_dnsbl = dnsbl != NULL;
	if (dnsbl == NULL)
		return;
	facts->dnsbl_score = dnsbl->score;
	for (size_t i = 0; i < dnsbl->count; i++)
		if (dnsbl->found[i].state == MG_DNSBL_LISTED && dnsbl->found[i].zone->weight > 0) {
			mg_dnsbl_shown(dnsbl->found[i].zone->name, facts->listing_zone);
			return;
		}
}

void mg_auth_facts_of(const struct mg_evaluation *evaluation, struct mg_auth_facts *facts_out)
{
	struct mg_auth_result result = mg_evaluation_result(evaluation);
	const struct mg_spf_output *spf = mg_evaluation_spf(evaluation), *helo = mg_evaluation_spf_helo(evaluation);
	const struct mg_dmarc_output *dmarc = mg_evaluation_dmarc(evaluation);

	*facts_out = nothing();
	facts_out->client = *mg_evaluation_client(evaluation);
	facts_out->iprev = result.iprev;
	facts_out->spf = result.spf;
	facts_out->spf_helo = result.spf_helo;
	facts_out->dkim = result.dkim;
	facts_out->arc = result.arc;
	facts_out->dmarc = result.dmarc;
	facts_out->is_overridden = mg_evaluation_arc_overrides(evaluation);
	if (spf != NULL) {
		facts_out->spf_domain = spf->domain;
		facts_out->explanation = spf->explanation;
	}
	if (helo != NULL) {
		facts_out->helo_domain = helo->domain;
		if (helo->result == MG_RESULT_FAIL && result.spf != MG_RESULT_PASS)
			facts_out->explanation = helo->explanation;
	}
	if (dmarc != NULL) {
		facts_out->dmarc_domain = dmarc->domain;
		facts_out->disposition = dmarc->disposition;
	}
	take_dnsbl(mg_evaluation_dnsbl(evaluation), facts_out);
}

static void write_dnsbl(const struct mg_dnsbl_output *dnsbl, struct mg_buf *out)
{
	char shown[MG_DNSBL_SHOWN];

	if (dnsbl == NULL)
		return;
	mg_buf_addz(out, " dnsbl=");
	for (size_t i = 0; i < dnsbl->count; i++) {
		enum mg_dnsbl_state state = dnsbl->found[i].state;

		mg_buf_addf(out, "%s%c%s", i == 0 ? "" : ",",
			state == MG_DNSBL_LISTED       ? '+'
			: state == MG_DNSBL_NOT_LISTED ? '-'
						       : '?',
			mg_dnsbl_shown(dnsbl->found[i].zone->name, shown));
	}
}

void mg_auth_facts_write(const struct mg_evaluation *evaluation, struct mg_buf *out)
{
	struct mg_auth_facts facts;

	mg_auth_facts_of(evaluation, &facts);
	mg_buf_addz(out, MG_AUTH_FACTS_NONE);
	if (facts.spf_helo != MG_RESULT_UNSET)
		mg_buf_addf(out, " helo=%s", mg_result_name(facts.spf_helo));
	if (facts.dmarc != MG_RESULT_UNSET)
		mg_buf_addf(out, " dis=%s", mg_dmarc_disposition_name(facts.disposition));
	if (facts.is_overridden)
		mg_buf_addz(out, " arc=override");
	write_dnsbl(mg_evaluation_dnsbl(evaluation), out);
}

/* ---- of a record ---- */

static bool disposition_of(struct mg_str word, enum mg_dmarc_disposition *disposition_out)
{
	for (enum mg_dmarc_disposition d = MG_DISPOSITION_NONE; d <= MG_DISPOSITION_REJECT; d++)
		if (mg_str_eq(word, mg_str_z(mg_dmarc_disposition_name(d)))) {
			*disposition_out = d;
			return true;
		}
	return false;
}

static enum mg_result result_of(struct mg_str word)
{
	enum mg_result result = mg_result_of(word);

	return result == MG_RESULTS ? MG_RESULT_UNSET : result;
}

/* What a list said of the client: '+', '-', '?', or 0: it was not asked. */
static char said_by(const char *zone, struct mg_str said)
{
	char shown[MG_DNSBL_SHOWN];

	mg_dnsbl_shown(zone, shown);
	while (said.n > 0) {
		struct mg_str one = mg_str_cut(&said, ',');

		if (one.n > 1 && mg_str_eq_nocase(mg_str_from(one, 1), mg_str_z(shown)))
			return one.p[0];
	}
	return 0;
}

static void weigh(
	const struct mg_conf *conf, struct mg_str said, struct mg_auth_facts *facts, struct mg_auth_gaps *gaps)
{
	facts->has_dnsbl = true;
	for (size_t i = 0; i < conf->auth.dnsbl_count; i++) {
		const struct mg_dnsbl_row *row = &conf->auth.dnsbl[i];
		char word = said_by(row->zone, said);

		if (word == 0)
			gaps->dnsbl = true;
		if (word != '+')
			continue;
		facts->dnsbl_score += row->weight;
		if (row->weight > 0 && facts->listing_zone[0] == '\0')
			mg_dnsbl_shown(row->zone, facts->listing_zone);
	}
}

static void read_line(
	struct mg_str line, const struct mg_conf *conf, struct mg_auth_facts *facts, struct mg_auth_gaps *gaps)
{
	struct mg_str word;

	gaps->dnsbl = conf->auth.dnsbl_count > 0;
	while (mg_read_word(&line, " ", &word)) {
		struct mg_str value = word, key = mg_str_cut(&value, '=');

		if (mg_str_eq(key, MG_STR("helo")))
			facts->spf_helo = result_of(value);
		else if (mg_str_eq(key, MG_STR("dis")))
			gaps->dmarc = !disposition_of(value, &facts->disposition);
		else if (mg_str_eq(key, MG_STR("arc")))
			facts->is_overridden = true;
		else if (mg_str_eq(key, MG_STR("dnsbl"))) {
			gaps->dnsbl = false;
			weigh(conf, value, facts, gaps);
		}
	}
}

/* " (p=reject dis=quarantine arc=override)" behind DMARC's result: our own words, and nobody else's stand there. */
static void read_dmarc_report(struct mg_str rest, struct mg_auth_facts *facts, struct mg_auth_gaps *gaps)
{
	struct mg_str comment = mg_str_first(rest, mg_str_find(rest, ')')), word;

	if (facts->dmarc != MG_RESULT_UNSET && mg_str_find(rest, '(') == SIZE_MAX)
		gaps->dmarc = facts->dmarc == MG_RESULT_PERMERROR; /* no record: nothing was asked for */
	while (mg_read_word(&comment, " (", &word)) {
		if (mg_str_starts(word, MG_STR("dis=")))
			gaps->dmarc = !disposition_of(mg_str_from(word, 4), &facts->disposition);
		else if (mg_str_eq(word, MG_STR("arc=override")))
			facts->is_overridden = true;
	}
}

/* HELO's line stands before that of MAIL FROM, and alone where there is none. The report may have been cut. */
static void read_report(struct mg_str report, struct mg_auth_facts *facts, struct mg_auth_gaps *gaps)
{
	unsigned spf_lines = 0;
	enum mg_result first = MG_RESULT_UNSET;

	mg_str_cut(&report, '\n');
	while (report.n > 0) {
		struct mg_str line = mg_str_cut(&report, '\n'), method = mg_str_cut(&line, '='), word = { 0 };
		struct mg_str rest = line;

		(void)mg_read_word(&rest, " ;", &word);
		if (mg_str_eq(method, MG_STR("spf")) && spf_lines++ == 0)
			first = result_of(word);
		else if (mg_str_eq(method, MG_STR("dmarc")))
			read_dmarc_report(rest, facts, gaps);
	}
	if (spf_lines > (facts->spf != MG_RESULT_UNSET))
		facts->spf_helo = first;
	gaps->spf_helo = spf_lines == 0 && facts->spf != MG_RESULT_UNSET;
}

bool mg_auth_facts_read(const struct mg_record *record, const struct mg_conf *conf, struct mg_auth_facts *facts_out,
	struct mg_auth_gaps *gaps_out)
{
	struct mg_auth_facts *facts = facts_out;
	const char *const *words = record->auth;

	*facts = nothing();
	*gaps_out = (struct mg_auth_gaps){ false, false, false };
	facts->client = record->client_ip;
	facts->iprev = result_of(mg_str_z(words[MG_METHOD_IPREV]));
	facts->spf = result_of(mg_str_z(words[MG_METHOD_SPF]));
	facts->dkim = result_of(mg_str_z(words[MG_METHOD_DKIM]));
	facts->arc = result_of(mg_str_z(words[MG_METHOD_ARC]));
	facts->dmarc = result_of(mg_str_z(words[MG_METHOD_DMARC]));
	facts->helo_domain = record->helo;
	facts->dmarc_domain = record->from_domain;
	facts->spf_domain = record->helo;
	if (record->sender[0] != '\0' && mg_address_domain(mg_str_z(record->sender)).n > 0)
		facts->spf_domain = mg_address_domain(mg_str_z(record->sender)).p;
	gaps_out->dmarc = facts->dmarc == MG_RESULT_FAIL || facts->dmarc == MG_RESULT_PERMERROR;
	if (record->auth_facts[0] != '\0') {
		read_line(mg_str_z(record->auth_facts), conf, facts, gaps_out);
		return true;
	}
	gaps_out->dnsbl = conf->auth.dnsbl_count > 0;
	read_report(mg_str_z(record->auth_report), facts, gaps_out);
	return record->auth_report[0] != '\0';
}
