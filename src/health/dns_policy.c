/* dns.mtasts, dns.tlsrpt, dns.dane - what is published about encryption to this server: is it right? None of them is a duty: a domain
 * without them is passed over. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/i18n.h"
#include "health/dns_said.h"
#include "health/https.h"
#include "health/own.h"
#include "health/sts_policy.h"
#include "health/tlsa.h"
#include "postfix/restrictions.h"

enum { DEADLINE_MS = 12000, FETCH_MS = 5000, SPARE_MS = 500, PERIOD_S = 900, TARGETS = 20, ADDRESSES = 8 };
enum { WEAK_AGE_S = 86400, RECORDS = 16, FILE_BYTES = 64 * 1024, FILES = 4 };

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
		mg_finding_is(finding, MG_STATE_WARN, N_("the MTA-STS policy of %1 is none"), domain, NULL);
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
static bool judge_mtasts(const struct mg_check_env *env, struct mg_finding *finding, const char *domain)
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
	each_domain(env, finding, "_mta-sts", judge_mtasts,
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

static bool judge_tlsrpt(const struct mg_check_env *env, struct mg_finding *finding, const char *domain)
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
	each_domain(env, finding, "_smtp._tls", judge_tlsrpt,
		N_("not applicable: no own domain asks for reports on TLS"),
		N_("the TLS reporting records can be used"));
}

/* ---- DANE ---- */

struct certificates {
	const char *paths[FILES];
	struct mg_buf files[FILES];
	struct mg_str pems[FILES]; /* of `files` */
	size_t count;
	const char *unreadable; /* a file that could not be read, else NULL */
};

static void read_certificates(struct mg_finding *finding, const char *path, struct certificates *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct mg_buf text;
	char piece[4096];
	ssize_t n;

	if (fd < 0) {
		out->unreadable = path;
		return;
	}
	mg_buf_init(&text, FILE_BYTES);
	while (mg_buf_ok(&text) && (n = read(fd, piece, sizeof piece)) > 0)
		mg_buf_add(&text, mg_str_of(piece, (size_t)n));
	mg_fd_close(&fd);
	explicit_bzero(piece, sizeof piece);
	if (out->count < FILES && text.n > 0) {
		out->paths[out->count] = mg_dns_shown(finding, mg_str_z(path));
		out->files[out->count] = text;
		out->pems[out->count++] = mg_buf_str(&text);
	} else {
		mg_buf_fini(&text);
	}
}

/* What port 25 presents, as its service sees the settings. */
static void certificates_of(const struct mg_check_env *env, struct mg_finding *finding, struct certificates *out)
{
	static const char *const parameters[] = { "smtpd_tls_chain_files", "smtpd_tls_cert_file",
		"smtpd_tls_eccert_file" };
	const struct mg_postfix_service *service = mg_postfix_next_smtpd(env->postfix, NULL);

	*out = (struct certificates){ 0 };
	for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++) {
		struct mg_str rest = mg_str_z(mg_check_parameter(env, finding, service, parameters[i])), word;

		while (mg_postfix_word(&rest, &word))
			if (!mg_str_eq(word, MG_STR("none")))
				read_certificates(finding, mg_arena_text(&finding->arena, word, word.n), out);
		if (i == 0 && (out->count > 0 || out->unreadable != NULL))
			return; /* chain files win over the others */
	}
}

/* Chain files hold the private key, too. */
static void free_certificates(struct certificates *certificates)
{
	for (size_t i = 0; i < certificates->count; i++) {
		explicit_bzero(certificates->files[i].p, certificates->files[i].n);
		mg_buf_fini(&certificates->files[i]);
	}
}

static const char *record_text(struct mg_finding *finding, const struct mg_tlsa *tlsa)
{
	enum { SHOWN = 32 };
	const char *text = mg_dns_text(finding, "%u %u %u ", tlsa->usage, tlsa->selector, tlsa->matching);
	char hex[2 * SHOWN + 1] = "";

	for (size_t i = 0; i < tlsa->data.n && i < SHOWN; i++)
		snprintf(hex + 2 * i, 3, "%02x", (unsigned char)tlsa->data.p[i]);
	return mg_dns_text(finding, "%s%s%s", text, hex, tlsa->data.n > SHOWN ? "..." : "");
}

static void say_tlsa_fix(struct mg_finding *finding, const char *name, const struct certificates *certificates)
{
	struct mg_buf record;

	mg_buf_init(&record, MG_SAY_TEXT);
	if (certificates->count > 0 && mg_tlsa_write(certificates->pems[0], &record))
		mg_finding_fix(finding, N_("in the zone: %1. IN TLSA %2"), name, mg_buf_z(&record), NULL);
	else
		mg_finding_fix(finding,
			N_("postconf smtpd_tls_chain_files smtpd_tls_cert_file; or take the record out: %1. IN TLSA"),
			name, NULL);
	mg_buf_fini(&record);
}

/* Whether a record that may be used is one of the certificates'. */
static bool has_match(struct mg_finding *finding, const char *name, const struct mg_dns_answer *answer,
	const struct certificates *certificates, size_t *usable_out)
{
	bool has = false;

	for (size_t i = 0; i < answer->count && i < RECORDS; i++) {
		struct mg_tlsa tlsa;
		bool is_sound = mg_tlsa_parse(answer->records[i].text, &tlsa) && mg_tlsa_is_usable(&tlsa),
		     matches = false;

		*usable_out += is_sound;
		for (size_t k = 0; is_sound && k < certificates->count; k++)
			matches = matches || mg_tlsa_matches(&tlsa, certificates->pems[k]);
		mg_finding_evidence(finding, "%s TLSA %s: %s", name,
			answer->records[i].text.n < 4 ? "(too short)" : record_text(finding, &tlsa),
			matches    ? "matches"
			: is_sound ? "does not match"
				   : "can't be used in SMTP");
		has = has || matches;
	}
	return has;
}

static void judge_tlsa(struct mg_finding *finding, const char *name, const struct mg_dns_answer *answer,
	const struct certificates *certificates)
{
	size_t usable = 0;

	mg_finding_evidence(finding, "%s: DNSSEC %s", name,
		answer->is_authentic
			? "validated, as the resolver says (worth what the way to it is worth)"
			: "not validated by the resolver: senders ignore the record unless theirs validates it");
	if (has_match(finding, name, answer, certificates, &usable))
		return;
	if (usable == 0) {
		mg_finding_is(finding, MG_STATE_WARN, N_("the TLSA record %1 can't be used for mail"), name, NULL);
		mg_finding_cause(
			finding, N_("SMTP knows usages 2 and 3 with a whole hash (RFC 7672 section 3.1)"), NULL);
	} else if (certificates->count == 0 && certificates->unreadable != NULL) {
		mg_finding_is(finding, MG_STATE_UNKNOWN,
			N_("the TLSA record %1 can't be compared with the certificate"), name, NULL);
		mg_finding_cause(
			finding, N_("needs root, or the file is not there: %1"), certificates->unreadable, NULL);
	} else if (certificates->count == 0) {
		mg_finding_is(finding, MG_STATE_CRIT,
			N_("a TLSA record promises TLS at %1, but Postfix has no certificate"), name, NULL);
		mg_finding_cause(finding,
			N_("senders that know DANE (Microsoft, many in Europe) deliver nothing to a server without TLS"),
			NULL);
	} else {
		mg_finding_is(
			finding, MG_STATE_CRIT, N_("the TLSA record %1 is not of Postfix's certificate"), name, NULL);
		mg_finding_cause(finding,
			N_("the certificate %1 was changed without the record: senders that know DANE deliver nothing"),
			certificates->paths[0], NULL);
	}
	say_tlsa_fix(finding, name, certificates);
}

struct hosts {
	const char *names[TARGETS];
	size_t count;
};

static void add_host(struct mg_finding *finding, struct hosts *hosts, struct mg_str name)
{
	for (size_t i = 0; i < hosts->count; i++)
		if (mg_str_eq_nocase(mg_str_z(hosts->names[i]), name))
			return;
	if (hosts->count < TARGETS && name.n > 0)
		hosts->names[hosts->count++] = mg_dns_shown(finding, name);
}

/* The MX hosts that are this server: others' certificates are not here to compare. */
static void own_hosts(
	const struct mg_check_env *env, struct mg_finding *finding, const struct mg_own *own, struct hosts *hosts)
{
	struct mg_ip addresses[ADDRESSES];
	const struct mg_dns_answer *silent;

	if (own->hostname[0] != '\0')
		add_host(finding, hosts, mg_str_z(own->hostname));
	for (size_t i = 0; i < own->domain_count; i++) {
		const struct mg_dns_answer *answer = mg_check_ask(env, mg_str_z(own->domains[i]), MG_DNS_MX);

		for (size_t k = 0; k < answer->count && k < TARGETS; k++) {
			struct mg_str name = answer->records[k].text;
			size_t count = mg_dns_addresses(env, name, addresses, ADDRESSES, &silent);

			for (size_t at = 0; at < count; at++)
				if (mg_own_has(own, &addresses[at]))
					add_host(finding, hosts, name);
		}
	}
}

static void check_dane(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct certificates certificates;
	struct hosts hosts = { .count = 0 };
	size_t published = 0;
	struct mg_own own;

	finding->manual = "dig _25._tcp.HOST TLSA";
	if (!mg_check_has_postfix(env, finding) || !mg_own(env, finding, &own))
		return;
	finding->manual =
		mg_dns_text(finding, "dig _25._tcp.%s TLSA; postconf smtpd_tls_chain_files smtpd_tls_cert_file",
			own.hostname[0] == '\0' ? "HOST" : own.hostname);
	own_hosts(env, finding, &own, &hosts);
	certificates_of(env, finding, &certificates);
	for (size_t i = 0; i < hosts.count; i++) {
		const char *name = mg_dns_text(finding, "_25._tcp.%s", hosts.names[i]);
		const struct mg_dns_answer *answer = mg_check_ask(env, mg_str_z(name), MG_DNS_TLSA);

		if (mg_dns_is_silent(finding, name, MG_DNS_TLSA, answer)) {
			published++;
		} else if (answer->count > 0) {
			published++;
			judge_tlsa(finding, name, answer, &certificates);
		}
	}
	free_certificates(&certificates);
	if (published == 0)
		mg_finding_not_applicable(finding, N_("not applicable: no TLSA record is published for this server"));
	mg_finding_is(finding, MG_STATE_OK, N_("the TLSA records are those of Postfix's certificate"), NULL);
}

const struct mg_check mg_checks_dns_policy[] = {
	{ "dns.mtasts", N_("the MTA-STS policy names every MX"), PERIOD_S, DEADLINE_MS, .run = check_mtasts,
		.needs = "dns.resolver" },
	{ "dns.tlsrpt", N_("the TLS reporting record can be used"), PERIOD_S, DEADLINE_MS, .run = check_tlsrpt,
		.needs = "dns.resolver" },
	{ "dns.dane", N_("the TLSA record is the certificate's"), PERIOD_S, DEADLINE_MS, .run = check_dane,
		.needs = "dns.resolver" },
};
const size_t mg_checks_dns_policy_count = sizeof mg_checks_dns_policy / sizeof mg_checks_dns_policy[0];
