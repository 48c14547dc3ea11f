#include "engine/enforce.h"

#include <stdarg.h>
#include <stdio.h>

struct bench {
	const struct mg_auth_facts *facts;
	const struct mg_conf *conf;
	struct mg_record *record;
	struct mg_judgement judgement; /* the gravest so far */
};

int mg_gravity(enum mg_action action)
{
	switch (action) {
	case MG_ACTION_REJECT:
		return 3;
	case MG_ACTION_TEMPFAIL:
		return 2;
	case MG_ACTION_QUARANTINE:
		return 1;
	default:
		return 0;
	}
}

static void say(struct bench *bench, enum mg_action action, const char *dsn, const char *rule, const char *fmt, ...)
	MG_PRINTF(5, 6);
static void say(struct bench *bench, enum mg_action action, const char *dsn, const char *rule, const char *fmt, ...)
{
	char text[400];
	va_list args;

	if (mg_gravity(action) <= mg_gravity(bench->judgement.action))
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	for (char *p = text; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	bench->judgement = (struct mg_judgement){ action, action == MG_ACTION_TEMPFAIL ? "451" : "550", dsn,
		mg_record_text(bench->record, mg_str_z(text)), rule };
}

/* What a method without an answer from DNS asks for. */
static void say_temperror(struct bench *bench, const char *dsn, const char *rule, const char *method)
{
	if (bench->conf->auth.tempfail_on_temperror)
		say(bench, MG_ACTION_TEMPFAIL, dsn, rule, "DNS gave no answer for the %s check, please try again later",
			method);
}

static void judge_iprev(struct bench *bench)
{
	const struct mg_auth_facts *facts = bench->facts;
	char ip[MG_IP_TEXT];

	if (bench->conf->auth.iprev != MG_LEVEL_ENFORCE)
		return;
	if (facts->iprev == MG_RESULT_FAIL || facts->iprev == MG_RESULT_PERMERROR)
		say(bench, MG_ACTION_REJECT, "5.7.25", "auth:iprev", "%s has no name in DNS that leads back to it",
			mg_ip_text(&facts->client, ip, sizeof ip));
	else if (facts->iprev == MG_RESULT_TEMPERROR)
		say_temperror(bench, "4.7.25", "auth:iprev", "reverse name");
}

static void judge_dnsbl(struct bench *bench)
{
	const struct mg_auth_facts *facts = bench->facts;
	char ip[MG_IP_TEXT];

	if (!facts->has_dnsbl || bench->conf->auth.dnsbl_action != MG_LEVEL_ENFORCE)
		return;
	if (facts->dnsbl_score >= (int)bench->conf->auth.dnsbl_threshold)
		say(bench, MG_ACTION_REJECT, "5.7.1", "auth:dnsbl", "%s is blocked: it is listed by %s",
			mg_ip_text(&facts->client, ip, sizeof ip), facts->listing_zone);
}

/* The HELO identity's failure counts as well: a host that uses a name which denies it (RFC 7208 section 2.3). */
static void judge_spf(struct bench *bench)
{
	const struct mg_auth_facts *facts = bench->facts;
	bool is_helo = facts->spf_helo == MG_RESULT_FAIL && facts->spf != MG_RESULT_PASS;
	enum mg_result result = is_helo ? facts->spf_helo : facts->spf;
	char ip[MG_IP_TEXT];

	if (bench->conf->auth.spf != MG_LEVEL_ENFORCE)
		return;
	if (result == MG_RESULT_FAIL)
		say(bench, MG_ACTION_REJECT, "5.7.23", "auth:spf", "SPF: %s does not allow mail from %s%s%s",
			is_helo ? facts->helo_domain : facts->spf_domain, mg_ip_text(&facts->client, ip, sizeof ip),
			facts->explanation[0] != '\0' ? "; it explains: " : "", facts->explanation);
	else if (result == MG_RESULT_TEMPERROR)
		say_temperror(bench, "4.7.24", "auth:spf", "SPF");
}

static void judge_dkim(struct bench *bench)
{
	if (bench->conf->auth.dkim != MG_LEVEL_ENFORCE)
		return;
	if (bench->facts->dkim == MG_RESULT_FAIL)
		say(bench, MG_ACTION_REJECT, "5.7.20", "auth:dkim", "no DKIM signature of this message is valid");
	else if (bench->facts->dkim == MG_RESULT_TEMPERROR)
		say_temperror(bench, "4.7.20", "auth:dkim", "DKIM");
}

static void judge_arc(struct bench *bench)
{
	if (bench->conf->auth.arc != MG_LEVEL_ENFORCE)
		return;
	if (bench->facts->arc == MG_RESULT_FAIL)
		say(bench, MG_ACTION_REJECT, "5.7.29", "auth:arc", "the ARC chain of this message is broken");
	else if (bench->facts->arc == MG_RESULT_TEMPERROR)
		say_temperror(bench, "4.7.29", "auth:arc", "ARC");
}

static void judge_dmarc(struct bench *bench)
{
	const struct mg_auth_facts *facts = bench->facts;

	if (bench->conf->auth.dmarc != MG_LEVEL_ENFORCE)
		return;
	if (facts->disposition == MG_DISPOSITION_REJECT)
		say(bench, MG_ACTION_REJECT, "5.7.1", "auth:dmarc", "Email rejected per DMARC policy for %s",
			facts->dmarc_domain);
	else if (facts->disposition == MG_DISPOSITION_QUARANTINE)
		say(bench, MG_ACTION_QUARANTINE, "", "auth:dmarc", "held per DMARC policy for %s", facts->dmarc_domain);
	else if (facts->dmarc == MG_RESULT_TEMPERROR)
		say_temperror(bench, "4.7.1", "auth:dmarc", "DMARC");
}

void mg_enforce_facts(const struct mg_auth_facts *facts, const struct mg_conf *conf, struct mg_record *record,
	struct mg_judgement *judgement_out)
{
	static void (*const judges[])(
		struct bench *) = { judge_dnsbl, judge_iprev, judge_spf, judge_dkim, judge_arc, judge_dmarc };
	struct bench bench = { facts, conf, record, { MG_ACTION_ACCEPT, "", "", "", "" } };

	for (size_t i = 0; i < sizeof judges / sizeof judges[0]; i++)
		judges[i](&bench);
	*judgement_out = bench.judgement;
}

void mg_enforce(const struct mg_evaluation *evaluation, const struct mg_conf *conf, struct mg_record *record,
	struct mg_judgement *judgement_out)
{
	struct mg_auth_facts facts;

	mg_auth_facts_of(evaluation, &facts);
	mg_enforce_facts(&facts, conf, record, judgement_out);
}
