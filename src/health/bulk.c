/* bulk.sender - the rules that Gmail, Yahoo and Microsoft have for who sends much (from 5000 messages a day, but in part for everybody):
 * SPF and DKIM both, DMARC, alignment, PTR, TLS. What DNS says is judged as the checks of DNS do; what was really sent, the record tells.
 * Whether mailing lists have one-click unsubscribe is not looked at: the record keeps no such header. */
#include <math.h>
#include <stdio.h>

#include "auth/dmarc_walk.h"
#include "base/clock.h"
#include "base/i18n.h"
#include "health/dns_judge.h"
#include "health/dns_said.h"
#include "mail/domain.h"

enum { DEADLINE_MS = 12000, PERIOD_S = 900, READ_MS = 5000, DAY_S = 86400, LINE = 5000 };

/* ---- what was sent ---- */

struct volume {
	uint64_t all, misaligned;
	uint64_t to[MG_PROVIDER_MICROSOFT + 1];
};

struct volumes {
	const struct mg_own *own;
	struct volume of[MG_OWN_DOMAINS];
};

/* A subdomain's mail counts for its domain, as providers do. */
static void see(void *context, const struct mg_sent *sent)
{
	struct volumes *volumes = context;
	char domain[MG_DOMAIN_TEXT];

	if (!mg_domain_ascii(sent->domain, domain))
		return;
	for (size_t i = 0; i < volumes->own->domain_count; i++)
		if (mg_domain_is_within(mg_str_z(domain), mg_str_z(volumes->own->domains[i]))) {
			volumes->of[i].all += sent->messages;
			volumes->of[i].misaligned += sent->misaligned;
			volumes->of[i].to[sent->provider] += sent->messages;
		}
}

static uint64_t most_to_one(const struct volume *volume)
{
	uint64_t most = 0;

	for (size_t i = MG_PROVIDER_GMAIL; i <= MG_PROVIDER_MICROSOFT; i++)
		most = volume->to[i] > most ? volume->to[i] : most;
	return most;
}

/* ---- what is missing ---- */

struct gaps {
	const char *list; /* "SPF, DMARC", for people who read either language */
	size_t count;
	bool is_dkim_unknown, has_unknown;
	struct mg_say cause, fix; /* of the first */
};

/* What one judgement came to, in a finding of its own. */
static void look(
	struct mg_finding *finding, struct gaps *gaps, const char *what, const char *domain, struct mg_finding *seen)
{
	bool is_gap = seen->summary.template != NULL && seen->state == MG_STATE_CRIT;

	gaps->has_unknown = gaps->has_unknown || (seen->summary.template != NULL && seen->state == MG_STATE_UNKNOWN);
	mg_finding_evidence(finding, "%s: %s: %s", domain, what,
		is_gap                            ? "missing or wrong"
		: seen->summary.template == NULL  ? "in order"
		: seen->state == MG_STATE_UNKNOWN ? "DNS gave no answer"
						  : "in order, with a warning");
	if (!is_gap)
		return;
	gaps->list = mg_dns_text(finding, "%s%s%s", gaps->list, gaps->count > 0 ? ", " : "", what);
	if (gaps->count++ > 0)
		return;
	gaps->cause = seen->summary;
	gaps->fix = seen->fix;
	for (size_t i = 0; i < MG_SAY_ARGS; i++) {
		if (gaps->cause.arg[i] != NULL)
			gaps->cause.arg[i] = mg_arena_text(&finding->arena, mg_str_z(gaps->cause.arg[i]), MG_SAY_TEXT);
		if (gaps->fix.arg[i] != NULL)
			gaps->fix.arg[i] = mg_arena_text(&finding->arena, mg_str_z(gaps->fix.arg[i]), MG_SAY_TEXT);
	}
}

static void look_at_spf(const struct mg_check_env *env, struct mg_finding *finding, const struct mg_own *own,
	const char *domain, struct gaps *gaps)
{
	struct mg_finding seen;

	mg_finding_init(&seen);
	mg_judge_spf(env, own, domain, &seen);
	look(finding, gaps, "SPF", domain, &seen);
	mg_finding_fini(&seen);
}

/* A key of the domain, or of one above or below it, is aligned with it. One that is in order is enough. */
static void look_at_dkim(
	const struct mg_check_env *env, struct mg_finding *finding, const char *domain, struct gaps *gaps)
{
	const struct mg_dkim_row *rows = env->conf->health.dkim;
	struct mg_finding seen;
	bool has_row = false, is_good = false;

	mg_finding_init(&seen);
	for (size_t i = 0; i < env->conf->health.dkim_count && !is_good; i++) {
		if (!mg_domain_is_within(mg_str_z(rows[i].domain), mg_str_z(domain)) &&
			!mg_domain_is_within(mg_str_z(domain), mg_str_z(rows[i].domain)))
			continue;
		has_row = true;
		mg_finding_fini(&seen);
		mg_finding_init(&seen);
		mg_judge_dkim(env, rows[i].domain, rows[i].selector, rows[i].key_file, &seen);
		is_good = seen.summary.template == NULL || seen.state != MG_STATE_CRIT;
	}
	if (!has_row && env->conf->health.dkim_count > 0) {
		mg_finding_is(&seen, MG_STATE_CRIT, N_("no DKIM key of %1 is named in health.dkim"), domain, NULL);
		mg_finding_fix(&seen,
			N_("opendkim-genkey -b 2048 -d %1 -s mail, publish mail.txt, let the signer use the key and name it in health.dkim"),
			domain, NULL);
	}
	if (env->conf->health.dkim_count == 0) {
		gaps->is_dkim_unknown = true;
		mg_finding_evidence(finding, "%s: DKIM: health.dkim names no key, so it is not known", domain);
	} else {
		look(finding, gaps, "DKIM", domain, &seen);
	}
	mg_finding_fini(&seen);
}

static void look_at_dmarc(
	const struct mg_check_env *env, struct mg_finding *finding, const char *domain, struct gaps *gaps)
{
	struct mg_finding seen;

	mg_finding_init(&seen);
	mg_judge_dmarc(env, domain, &seen);
	look(finding, gaps, "DMARC", domain, &seen);
	mg_finding_fini(&seen);
}

static void look_at_ptr(const struct mg_check_env *env, struct mg_finding *finding, const struct mg_own *own,
	const char *domain, struct gaps *gaps)
{
	struct mg_finding seen;

	if (own->has_smarthost || own->address_count == 0)
		return;
	mg_finding_init(&seen);
	for (size_t i = 0; i < own->address_count; i++)
		mg_judge_ptr_match(env, own, &own->addresses[i], &seen);
	look(finding, gaps, "PTR", domain, &seen);
	mg_finding_fini(&seen);
}

/* Without mail to them it is no matter of theirs. */
static void look_at_tls(const struct mg_check_env *env, struct mg_finding *finding, const char *domain,
	const struct volume *volume, struct gaps *gaps)
{
	struct mg_finding seen;
	const char *level;

	if (env->postfix == NULL)
		return;
	level = mg_check_parameter(env, finding, NULL, "smtp_tls_security_level");
	mg_finding_init(&seen);
	if ((level[0] == '\0' || mg_str_eq(mg_str_z(level), MG_STR("none"))) && most_to_one(volume) > 0 &&
		!mg_postfix_is_yes(env->postfix, NULL, "smtp_use_tls")) {
		mg_finding_is(&seen, MG_STATE_CRIT, N_("Postfix sends without TLS"), NULL);
		mg_finding_fix(&seen, N_("postconf -e smtp_tls_security_level=may && postfix reload"), NULL);
	}
	look(finding, gaps, "TLS", domain, &seen);
	mg_finding_fini(&seen);
}

static void look_at_alignment(
	struct mg_finding *finding, const char *domain, const struct volume *volume, struct gaps *gaps)
{
	struct mg_finding seen;

	if (volume->misaligned == 0)
		return;
	mg_finding_init(&seen);
	if (volume->misaligned * 2 > volume->all && gaps->is_dkim_unknown) {
		mg_finding_is(&seen, MG_STATE_CRIT,
			N_("mail from %1 has another domain in its envelope, so SPF does not count for it"), domain,
			NULL);
		mg_finding_fix(&seen,
			N_("let the program that sends it use an envelope sender of %1, or sign with DKIM for %1"),
			domain, NULL);
	}
	mg_finding_evidence(finding, "%s: %llu of %llu with an envelope of another domain", domain,
		(unsigned long long)volume->misaligned, (unsigned long long)volume->all);
	look(finding, gaps, "alignment", domain, &seen);
	mg_finding_fini(&seen);
}

/* ---- the verdict ---- */

static void say_gaps(const struct mg_check_env *env, struct mg_finding *finding, const char *domain,
	const struct volume *volume, const struct gaps *gaps)
{
	double warn = 1, crit = LINE, most = (double)most_to_one(volume);

	mg_check_threshold(env->conf, "bulk.sender", &warn, &crit);
	if (gaps->count > 0 && most >= crit) {
		mg_finding_is(finding, MG_STATE_CRIT,
			N_("%1 sends as much as a bulk sender (%2 messages a day to one provider) and lacks: %3"),
			domain, mg_finding_number(finding, most, ""), gaps->list, NULL);
	} else if (gaps->count > 0) {
		mg_finding_is(finding, MG_STATE_WARN,
			N_("%1 does not meet what Gmail, Yahoo and Microsoft ask of senders; it lacks: %2"), domain,
			gaps->list, NULL);
	} else if (gaps->has_unknown || (gaps->is_dkim_unknown && most > 0)) {
		mg_finding_is(finding, MG_STATE_UNKNOWN,
			N_("whether %1 meets what Gmail, Yahoo and Microsoft ask of senders is not known"), domain,
			NULL);
		mg_finding_cause(finding,
			gaps->has_unknown ? N_("DNS gave no answer to all that was asked")
					  : N_("health.dkim does not say which key signs its mail"),
			NULL);
		mg_finding_fix(finding,
			gaps->has_unknown
				? N_("mailguardctl check dns.resolver")
				: N_("name the key in mailguard.conf: health = { dkim = ( { domain = \"%1\"; selector = \"SELECTOR\"; key_file = \"FILE\"; } ); };"),
			domain, NULL);
		return;
	} else {
		return;
	}
	mg_finding_because(finding, &gaps->cause);
	if (finding->fix.template == NULL)
		finding->fix = gaps->fix;
}

static void judge_domain(const struct mg_check_env *env, struct mg_finding *finding, const struct mg_own *own,
	const char *domain, const struct volume *volume)
{
	struct gaps gaps = { .list = "" };

	mg_finding_evidence(finding, "%s: sent in 24 h: %llu, to Gmail %llu, Yahoo %llu, Microsoft %llu", domain,
		(unsigned long long)volume->all, (unsigned long long)volume->to[MG_PROVIDER_GMAIL],
		(unsigned long long)volume->to[MG_PROVIDER_YAHOO],
		(unsigned long long)volume->to[MG_PROVIDER_MICROSOFT]);
	look_at_spf(env, finding, own, domain, &gaps);
	look_at_dkim(env, finding, domain, &gaps);
	look_at_dmarc(env, finding, domain, &gaps);
	look_at_ptr(env, finding, own, domain, &gaps);
	look_at_tls(env, finding, domain, volume, &gaps);
	look_at_alignment(finding, domain, volume, &gaps);
	say_gaps(env, finding, domain, volume, &gaps);
}

/* What each domain needs, all at once. */
static void prefetch(const struct mg_check_env *env, struct mg_finding *finding, const struct mg_own *own)
{
	const struct mg_dkim_row *rows = env->conf->health.dkim;

	for (size_t i = 0; i < own->domain_count; i++) {
		mg_lookup_get(env->dns, mg_str_z(own->domains[i]), MG_DNS_MX);
		mg_dmarc_walk_prefetch(env->dns, mg_str_z(own->domains[i]));
	}
	for (size_t i = 0; i < env->conf->health.dkim_count && i < MG_OWN_DOMAINS; i++)
		mg_lookup_get(env->dns,
			mg_str_z(mg_dns_text(finding, "%s._domainkey.%s", rows[i].selector, rows[i].domain)),
			MG_DNS_TXT);
}

static void check_sender(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct volumes volumes = { 0 };
	struct mg_err err = { "" };
	double most = 0;
	struct mg_own own;

	finding->manual =
		"mailguardctl check dns.spf dns.dkim dns.dmarc dns.ptr.match; mailguardctl recent --since 24h";
	if (!mg_own(env, finding, &own) || !mg_own_prefetch(env, finding, &own, MG_DNS_TXT))
		return;
	prefetch(env, finding, &own);
	volumes.own = &own;
	if (env->query == NULL || mg_query_sent(env->query, mg_wall_us() - DAY_S * MG_S_US,
					  mg_mono_us() + READ_MS * MG_MS_US, see, &volumes, &err) != MG_OK)
		mg_finding_evidence(finding, "the record can't be read, so how much was sent is not known%s%s",
			err.text[0] == '\0' ? "" : ": ", err.text);
	for (size_t i = 0; i < own.domain_count; i++) {
		judge_domain(env, finding, &own, own.domains[i], &volumes.of[i]);
		most = fmax(most, (double)most_to_one(&volumes.of[i]));
	}
	mg_finding_value(finding, most, "messages/day");
	mg_finding_is(
		finding, MG_STATE_OK, N_("own domains meet what Gmail, Yahoo and Microsoft ask of senders"), NULL);
}

const struct mg_check mg_checks_bulk[] = {
	{ "bulk.sender", N_("the rules of big receivers are met"), PERIOD_S, DEADLINE_MS, .run = check_sender,
		.follows = { "dns.spf", "dns.dkim", "dns.dmarc", "dns.ptr.match" }, .needs = "dns.resolver" },
};
const size_t mg_checks_bulk_count = sizeof mg_checks_bulk / sizeof mg_checks_bulk[0];
