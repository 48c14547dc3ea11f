/* dns.mtasts, dns.tlsrpt - what is published about encryption to this server: is it right? None of them is a duty: a domain without
 * them is passed over. */
#include "base/clock.h"
#include "base/i18n.h"
#include "health/dns_judge.h"
#include "health/dns_said.h"
#include "health/https.h"
#include "health/own.h"
#include "health/sts_policy.h"

enum { DEADLINE_MS = 12000, FETCH_MS = 5000, SPARE_MS = 500, PERIOD_S = 900, TARGETS = 20, ADDRESSES = 8 };
enum { WEAK_AGE_S = 86400 };

/* ---- MTA-STS ---- */

static void say_record(struct mg_finding *finding, const char *domain)
{
	mg_finding_fix(finding,
		N_("in the zone, with a new id at every change: _mta-sts.%1. IN TXT \"v=STSv1; id=%2\""), domain,
		mg_finding_number(finding, (double)(mg_wall_us() / MG_S_US), ""), NULL);
}

/* The addresses of the host that serves the policy; 0: none, and that is said. */
static size_t policy_host(
	const struct mg_check_env *env, struct mg_finding *finding, const char *host, struct mg_ip addresses[ADDRESSES])
{
	const struct mg_dns_answer *silent;
	size_t count = mg_dns_addresses(env, mg_str_z(host), addresses, ADDRESSES, &silent);

	if (count > 0)
		return count;
	if (silent != NULL) {
		mg_dns_is_silent(finding, host, MG_DNS_A, silent);
		return 0;
	}
	mg_finding_evidence(finding, "%s: no address", host);
	mg_finding_is(finding, MG_STATE_WARN, N_("the MTA-STS policy is announced, but %1 does not exist"), host, NULL);
	mg_finding_cause(finding,
		N_("senders fetch the policy from that host; without it they go on as if there were none"), NULL);
	mg_finding_fix(finding, N_("in the zone: %1. IN A with the address of a web server that serves %2"), host,
		mg_dns_text(finding, "https://%s/.well-known/mta-sts.txt", host), NULL);
	return 0;
}

static void say_not_had(
	struct mg_finding *finding, const char *url, enum mg_https_end end, long status, const char *said)
{
	static const char *const causes[] = {
		[MG_HTTPS_UNTRUSTED] = N_("the certificate of the web server does not verify: %1"),
		[MG_HTTPS_OTHER_REPLY] =
			N_("the web server answers with status %1 instead of 200 (a redirect is not followed)"),
		[MG_HTTPS_TOO_LARGE] = N_("the file is larger than 64 KiB: %1"),
		[MG_HTTPS_UNREACHED] = N_("the web server can't be reached from here: %1"),
		[MG_HTTPS_FAILED] = N_("no memory to fetch it: %1"),
	};
	bool is_known = end != MG_HTTPS_UNREACHED && end != MG_HTTPS_FAILED;

	mg_finding_evidence(finding, "%s: status %ld%s%s", url, status, said[0] == '\0' ? "" : ": ", said);
	mg_finding_is(finding, is_known ? MG_STATE_WARN : MG_STATE_UNKNOWN,
		N_("the MTA-STS policy can't be fetched: %1"), url, NULL);
	mg_finding_cause(finding, causes[end],
		end == MG_HTTPS_OTHER_REPLY ? mg_finding_number(finding, (double)status, "") : said, NULL);
	mg_finding_fix(finding, N_("see what it says: curl -v %1"), url, NULL);
}

/* Every MX must be named by the policy. */
static void judge_cover(const struct mg_check_env *env, struct mg_finding *finding, const char *domain, const char *url,
	const struct mg_sts_policy *policy)
{
	const struct mg_dns_answer *answer = mg_check_ask(env, mg_str_z(domain), MG_DNS_MX);
	enum mg_check_state state = policy->mode == MG_STS_ENFORCE ? MG_STATE_CRIT : MG_STATE_WARN;

	if (mg_dns_is_silent(finding, domain, MG_DNS_MX, answer))
		return;
	for (size_t i = 0; i < answer->count && i < TARGETS; i++) {
		struct mg_str host = answer->records[i].text;
		const char *name = mg_dns_shown(finding, host);

		if (mg_sts_policy_covers(policy, host)) {
			mg_finding_evidence(finding, "%s MX %s: in the policy", domain, name);
			continue;
		}
		mg_finding_evidence(finding, "%s MX %s: not in the policy", domain, name);
		mg_finding_is(finding, state,
			policy->mode == MG_STS_ENFORCE ? N_("the MTA-STS policy of %1 forbids its own MX %2")
						       : N_("the MTA-STS policy of %1 does not name its MX %2"),
			domain, name, NULL);
		mg_finding_cause(finding,
			policy->mode == MG_STS_ENFORCE
				? N_("in mode enforce Gmail and others deliver only to the hosts that the policy names")
				: N_("in mode testing it is only reported; in mode enforce no mail would come there"),
			NULL);
		mg_finding_fix(finding,
			N_("add the line \"mx: %1\" to %2, then a new id: _mta-sts.%3. IN TXT \"v=STSv1; id=%4\""),
			name, url, domain, mg_finding_number(finding, (double)(mg_wall_us() / MG_S_US), ""), NULL);
	}
}

static void judge_policy(const struct mg_check_env *env, struct mg_finding *finding, const char *domain,
	const char *url, struct mg_str text)
{
	struct mg_sts_policy policy;

	if (!mg_sts_policy_parse(text, &policy)) {
		mg_finding_evidence(finding, "%s: %s", url, policy.wrong);
		mg_finding_is(
			finding, MG_STATE_WARN, N_("what %1 serves as its MTA-STS policy is no policy"), domain, NULL);
		mg_finding_cause(finding, policy.wrong, NULL);
		mg_finding_fix(finding,
			N_("write into %1 the lines: version: STSv1 / mode: testing / mx: MX-HOST / max_age: 604800"),
			url, NULL);
		return;
	}
	mg_finding_evidence(finding, "%s: mode %s, max_age %llu, %zu mx", url, mg_sts_mode_name(policy.mode),
		(unsigned long long)policy.max_age_s, policy.mx_count + policy.mx_left_out);
	if (policy.mode == MG_STS_NONE)
		return;
	judge_cover(env, finding, domain, url, &policy);
	if (policy.max_age_s >= WEAK_AGE_S && policy.max_age_s <= MG_STS_MAX_AGE)
		return;
	mg_finding_is(finding, MG_STATE_WARN, N_("the MTA-STS policy of %1 has a useless max_age"), domain, NULL);
	mg_finding_cause(finding,
		N_("it is to be weeks; less than a day protects nobody, more than a year is not allowed"), NULL);
	mg_finding_fix(finding, N_("write into %1: max_age: 604800"), url, NULL);
}

static void fetch_policy(const struct mg_check_env *env, struct mg_finding *finding, const char *domain)
{
	const char *host = mg_dns_text(finding, "mta-sts.%s", domain);
	const char *url = mg_dns_text(finding, "https://%s/.well-known/mta-sts.txt", host);
	struct mg_ip addresses[ADDRESSES];
	size_t count = policy_host(env, finding, host, addresses);
	int64_t left_ms = (env->deadline_us - mg_mono_us()) / MG_MS_US - SPARE_MS;
	enum mg_https_end end = MG_HTTPS_UNREACHED;
	char said[256] = "no time left";
	struct mg_buf body;
	long status = 0;

	if (count == 0)
		return;
	mg_buf_init(&body, MG_STS_BYTES);
	if (left_ms > 0)
		end = mg_https_get(host, ".well-known/mta-sts.txt", addresses, count,
			left_ms < FETCH_MS ? (int)left_ms : FETCH_MS, &body, &status, said, sizeof said);
	if (end == MG_HTTPS_GOT)
		judge_policy(env, finding, domain, url, mg_buf_str(&body));
	else
		say_not_had(finding, url, end, status, said);
	mg_buf_fini(&body);
}

/* False: it is not published. */
bool mg_judge_mtasts(const struct mg_check_env *env, struct mg_finding *finding, const char *domain)
{
	const char *name = mg_dns_text(finding, "_mta-sts.%s", domain);
	const struct mg_dns_answer *answer = mg_check_ask(env, mg_str_z(name), MG_DNS_TXT);
	struct mg_str text = MG_STR(""), id;
	size_t count;

	if (mg_dns_is_silent(finding, name, MG_DNS_TXT, answer))
		return true;
	if ((count = mg_dns_versioned(answer, "v=STSv1", &text)) == 0)
		return false;
	mg_finding_evidence(finding, "%s TXT \"%s\"", name, mg_dns_shown(finding, text));
	if (count > 1) {
		mg_finding_is(finding, MG_STATE_WARN, N_("%1 has more than one MTA-STS record, so none counts"), domain,
			NULL);
		mg_finding_cause(finding, N_("exactly one may stand at %1 (RFC 8461 section 3.1)"), name, NULL);
		say_record(finding, domain);
	} else if (!mg_sts_record_parse(text, &id)) {
		mg_finding_is(finding, MG_STATE_WARN, N_("the MTA-STS record of %1 can't be used"), domain, NULL);
		mg_finding_cause(
			finding, N_("it must be \"v=STSv1; id=...\" with an id of 1 to 32 letters and digits"), NULL);
		say_record(finding, domain);
	} else {
		fetch_policy(env, finding, domain);
	}
	return true;
}

/* Runs `judge` for every own domain; says that it does not apply where nobody publishes such a thing. */
static void each_domain(const struct mg_check_env *env, struct mg_finding *finding, const char *prefix,
	bool (*judge)(const struct mg_check_env *, struct mg_finding *, const char *), const char *not_applicable,
	const char *ok)
{
	size_t published = 0;
	struct mg_own own;

	finding->manual = "dig _mta-sts.DOMAIN TXT; dig _smtp._tls.DOMAIN TXT";
	if (!mg_own_names(env, finding, &own))
		return;
	finding->manual =
		mg_dns_text(finding, "dig %s.%s TXT", prefix, own.domain_count > 0 ? own.domains[0] : "DOMAIN");
	for (size_t i = 0; i < own.domain_count; i++)
		mg_lookup_get(env->dns, mg_str_z(mg_dns_text(finding, "%s.%s", prefix, own.domains[i])), MG_DNS_TXT);
	for (size_t i = 0; i < own.domain_count; i++)
		published += judge(env, finding, own.domains[i]);
	if (published == 0)
		mg_finding_not_applicable(finding, not_applicable);
	mg_finding_is(finding, MG_STATE_OK, ok, NULL);
}

static void check_mtasts(const struct mg_check_env *env, struct mg_finding *finding)
{
	each_domain(env, finding, "_mta-sts", mg_judge_mtasts,
		N_("not applicable: no own domain announces an MTA-STS policy"),
		N_("the MTA-STS policies can be had and name every MX"));
}

/* ---- TLS reporting ---- */

static bool has_report_uri(struct mg_str text)
{
	while (text.n > 0) {
		struct mg_str value = mg_str_trim(mg_str_cut(&text, ';')), name = mg_str_trim(mg_str_cut(&value, '='));

		if (!mg_str_eq_nocase(name, MG_STR("rua")))
			continue;
		while (value.n > 0) {
			struct mg_str uri = mg_str_trim(mg_str_cut(&value, ','));

			if ((mg_str_starts_nocase(uri, MG_STR("mailto:")) && mg_str_find(uri, '@') != SIZE_MAX) ||
				(mg_str_starts_nocase(uri, MG_STR("https://")) && uri.n > 8))
				return true;
		}
	}
	return false;
}

bool mg_judge_tlsrpt(const struct mg_check_env *env, struct mg_finding *finding, const char *domain)
{
	const char *name = mg_dns_text(finding, "_smtp._tls.%s", domain);
	const struct mg_dns_answer *answer = mg_check_ask(env, mg_str_z(name), MG_DNS_TXT);
	struct mg_str text = MG_STR("");
	size_t count;

	if (mg_dns_is_silent(finding, name, MG_DNS_TXT, answer))
		return true;
	if (answer->count == 0)
		return false;
	count = mg_dns_versioned(answer, "v=TLSRPTv1", &text);
	mg_finding_evidence(
		finding, "%s TXT \"%s\"", name, mg_dns_shown(finding, count > 0 ? text : answer->records[0].text));
	if (count == 1 && has_report_uri(text))
		return true;
	mg_finding_is(finding, MG_STATE_WARN, N_("the TLS reporting record of %1 can't be used"), domain, NULL);
	mg_finding_cause(finding,
		count > 1 ? N_("there is more than one, so none counts (RFC 8460 section 3)")
			  : N_("it must be \"v=TLSRPTv1; rua=mailto:...\" or rua=https://... (RFC 8460 section 3)"),
		NULL);
	mg_finding_fix(
		finding, N_("in the zone: %1. IN TXT \"v=TLSRPTv1; rua=mailto:postmaster@%2\""), name, domain, NULL);
	return true;
}

static void check_tlsrpt(const struct mg_check_env *env, struct mg_finding *finding)
{
	each_domain(env, finding, "_smtp._tls", mg_judge_tlsrpt,
		N_("not applicable: no own domain asks for reports on TLS"),
		N_("the TLS reporting records can be used"));
}

const struct mg_check mg_checks_dns_policy[] = {
	{ "dns.mtasts", N_("the MTA-STS policy names every MX"), PERIOD_S, DEADLINE_MS, .run = check_mtasts,
		.needs = "dns.resolver" },
	{ "dns.tlsrpt", N_("the TLS reporting record can be used"), PERIOD_S, DEADLINE_MS, .run = check_tlsrpt,
		.needs = "dns.resolver" },
};
const size_t mg_checks_dns_policy_count = sizeof mg_checks_dns_policy / sizeof mg_checks_dns_policy[0];
