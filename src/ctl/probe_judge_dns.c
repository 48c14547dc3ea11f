/* dns.*, dnsbl of a probe: what DNS says of the domain and of its servers' addresses, with the judgements of our own checks. */
#include <stdio.h>

#include "auth/spf.h"
#include "base/clock.h"
#include "base/i18n.h"
#include "ctl/probe.h"
#include "health/dns_judge.h"
#include "health/dns_said.h"
#include "health/tlsa.h"

enum { SPF_MEMORY = 256 * 1024, TLSA_RECORDS = 16 };

/* False, and said so: it is not known whose mail this is. */
static bool has_domain(const struct mg_probe *probe, struct mg_finding *finding)
{
	if (probe->domain[0] == '\0')
		mg_finding_not_applicable(finding,
			N_("not looked at: whose mail this server takes is not known; name the domain instead"));
	return probe->domain[0] != '\0';
}

/* The server as its own checks would see it. */
static struct mg_own own_of(const struct mg_probe *probe, const struct mg_probe_host *host)
{
	struct mg_own own = { .hostname = host == NULL ? "" : host->name, .has_smarthost = true };

	if (probe->domain[0] != '\0')
		own.domains[own.domain_count++] = probe->domain;
	return own;
}

/* ---- dns.mx ---- */

static const char *first_host(const struct mg_probe *probe)
{
	return probe->host_count > 0 ? probe->host[0].name : "";
}

static void judge_target(struct mg_probe *probe, struct mg_finding *finding, const struct mg_probe_host *host)
{
	struct mg_ip ip;

	mg_finding_evidence(finding, "%s MX %u %s (%s)", probe->domain, host->preference, host->name,
		host->address_count > 0          ? host->address[0].text
		: host->status == MG_DNS_TROUBLE ? mg_dns_trouble_name(host->trouble)
						 : "no address");
	if (host->status == MG_DNS_TROUBLE) {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("DNS gave no answer about %1"), host->name, NULL);
		mg_finding_cause(finding, N_("asked for %1, the resolver came to: %2"), "A",
			mg_dns_trouble_name(host->trouble), NULL);
		mg_finding_fix(finding, N_("dig %1 %2; mailguardctl check dns.resolver"), host->name, "A", NULL);
	} else if (host->address_count == 0) {
		mg_finding_is(finding, MG_STATE_CRIT, N_("the MX of %1 leads nowhere: %2 has no address"),
			probe->domain, host->name, NULL);
		if (mg_ip_parse(mg_str_z(host->name), &ip))
			mg_finding_cause(finding, N_("an MX record names a host, never an address"), NULL);
		else
			mg_finding_cause(finding, N_("the zone of %1 holds neither an A nor an AAAA record for it"),
				host->name, NULL);
		mg_finding_fix(finding,
			N_("in the zone: %1. IN A with the server's address, or another host: %2. IN MX 10 NAME"),
			host->name, probe->domain, NULL);
	} else if (host->alias[0] != '\0') {
		mg_finding_is(
			finding, MG_STATE_WARN, N_("the MX of %1 is an alias: %2"), probe->domain, host->name, NULL);
		mg_finding_cause(finding,
			N_("a host that an MX names must have its own address (RFC 2181 section 10.3); some senders refuse an alias"),
			NULL);
		mg_finding_fix(finding, N_("in the zone: %1. IN MX 10 %2."), probe->domain, host->alias, NULL);
	}
}

static void judge_exchanges(struct mg_probe *probe, struct mg_finding *finding)
{
	if (probe->is_null_mx) {
		mg_finding_evidence(finding, "%s MX .", probe->domain);
		mg_finding_is(
			finding, MG_STATE_CRIT, N_("%1 says that it takes no mail (a null MX)"), probe->domain, NULL);
		mg_finding_cause(finding,
			N_("its MX is \".\" (RFC 7505): nobody can write or answer to it, and Gmail refuses mail from it (5.7.27)"),
			NULL);
		mg_finding_fix(
			finding, N_("if that is not meant, in the zone: %1. IN MX 10 mail.%1."), probe->domain, NULL);
	}
	for (size_t i = 0; i < probe->host_count; i++)
		judge_target(probe, finding, &probe->host[i]);
	if (probe->hosts_left_out > 0)
		mg_finding_evidence(finding, "%zu more servers not looked at", probe->hosts_left_out);
	if (probe->mx->count > 0 && probe->host_count == 0 && !probe->is_null_mx)
		mg_finding_is(finding, MG_STATE_CRIT, N_("no MX of %1 can be read"), probe->domain, NULL);
	mg_finding_is(finding, MG_STATE_OK, N_("mail for %1 goes to %2"), probe->domain, first_host(probe), NULL);
}

static void judge_without(struct mg_probe *probe, struct mg_finding *finding)
{
	const struct mg_probe_host *host = &probe->host[0];

	mg_finding_evidence(finding, "%s MX: none", probe->name);
	if (host->status == MG_DNS_TROUBLE) {
		(void)mg_dns_is_silent(finding, probe->name, MG_DNS_A, mg_dns_answer_trouble(host->trouble));
		return;
	}
	if (host->address_count == 0) {
		mg_finding_is(finding, MG_STATE_CRIT,
			probe->mx->status == MG_DNS_NXDOMAIN
				? N_("%1 does not exist in DNS")
				: N_("%1 has neither an MX nor an address: no mail gets there"),
			probe->name, NULL);
		mg_finding_cause(finding,
			probe->mx->status == MG_DNS_NXDOMAIN
				? N_("the name is mistyped, not registered, or not yet in its zone")
				: N_("the zone holds no MX record for the domain"),
			NULL);
		mg_finding_fix(finding,
			N_("in the zone: %1. IN MX 10 mail.%1. and mail.%1. IN A with the server's address"),
			probe->name, NULL);
	} else if (probe->domain[0] == '\0') {
		mg_finding_not_applicable(
			finding, N_("not looked at: the name has no MX, so it is taken for a host's"));
	} else if (mg_str_eq(mg_str_z(probe->domain), mg_str_z(probe->name))) {
		mg_finding_is(finding, MG_STATE_WARN, N_("%1 has no MX; senders fall back on its own address"),
			probe->name, NULL);
		mg_finding_cause(finding, N_("the zone holds no MX record for the domain"), NULL);
		mg_finding_fix(finding, N_("in the zone: %1. IN MX 10 %2."), probe->name, probe->name, NULL);
	}
}

static void check_mx(struct mg_probe *probe, struct mg_finding *finding)
{
	finding->manual = mg_dns_text(finding, "dig %s MX", probe->domain[0] != '\0' ? probe->domain : probe->target);
	if (probe->has_mx) {
		judge_exchanges(probe, finding);
		return;
	}
	if (probe->is_known_here) {
		mg_finding_not_applicable(
			finding, N_("not looked at: DNS gave no address of the name, this machine's /etc/hosts did"));
		return;
	}
	if (probe->ip.family == MG_IP_NONE && mg_dns_is_silent(finding, probe->name, MG_DNS_MX, probe->mx))
		return;
	if (probe->ip.family == MG_IP_NONE)
		judge_without(probe, finding);
	if (finding->summary.template == NULL && has_domain(probe, finding))
		mg_finding_is(
			finding, MG_STATE_OK, N_("%1 is a mail server of %2"), first_host(probe), probe->domain, NULL);
}

/* ---- dns.ptr, dns.ptr.match, dnsbl ---- */

/* An address that the Internet does not know needs no name there. */
static bool is_inside(const struct mg_probe_address *address)
{
	return address->ptr[0] == '\0' && (mg_ip_is_loopback(&address->ip) || mg_ip_is_private(&address->ip));
}

static void say_unnamed(const struct mg_probe *probe, struct mg_finding *finding)
{
	if (finding->evidence_count > 0)
		return;
	if (probe->host_count > 0 && probe->host[0].address_count > 0)
		mg_finding_not_applicable(finding, N_("not looked at: a private address has no name on the Internet"));
	else
		mg_finding_not_applicable(finding, N_("not looked at: no address is known"));
}

static void check_ptr(struct mg_probe *probe, struct mg_finding *finding)
{
	finding->manual = "dig -x ADDRESS";
	for (size_t i = 0; i < probe->host_count; i++) {
		struct mg_own own = own_of(probe, &probe->host[i]);

		for (size_t n = 0; n < probe->host[i].address_count; n++) {
			const struct mg_probe_address *address = &probe->host[i].address[n];

			finding->manual = mg_dns_text(finding, "dig -x %s", address->text);
			if (!is_inside(address))
				mg_judge_ptr(&probe->env, &own, &address->ip, finding);
		}
	}
	say_unnamed(probe, finding);
	mg_finding_is(finding, MG_STATE_OK, N_("every address has a name"), NULL);
}

/* The first word of an SMTP greeting is the server's name (RFC 5321 section 4.2). */
static struct mg_str name_in_greeting(const struct mg_probe_address *address)
{
	for (size_t i = 0; i < address->port_count; i++) {
		struct mg_str rest = mg_str_z(address->port[i].served.greeting_text), word;

		if (address->port[i].door->protocol == MG_SERVED_SMTP && rest.n > 4 &&
			address->port[i].served.greeting == MG_REPLY_GOOD) {
			rest = mg_str_from(rest, 4);
			if (mg_read_word(&rest, " ", &word) && mg_str_find(word, '.') != SIZE_MAX)
				return word;
		}
	}
	return MG_STR("");
}

static bool leads_to(struct mg_probe *probe, struct mg_str name, const struct mg_ip *ip)
{
	const struct mg_dns_answer *answer =
		mg_check_ask(&probe->env, name, ip->family == MG_IP_V6 ? MG_DNS_AAAA : MG_DNS_A);

	for (size_t i = 0; i < answer->count; i++)
		if (mg_ip_eq(&answer->records[i].ip, ip))
			return true;
	return false;
}

static void judge_greeting(struct mg_probe *probe, struct mg_finding *finding, const struct mg_probe_address *address)
{
	struct mg_str said = name_in_greeting(address);
	const char *name = mg_dns_shown(finding, said);

	if (said.n == 0)
		return;
	mg_finding_evidence(finding, "%s: greets as %s", address->text, name);
	if (mg_str_eq_nocase(said, mg_str_z(address->ptr)) || leads_to(probe, said, &address->ip))
		return;
	mg_finding_is(finding, MG_STATE_WARN, N_("%1 greets as %2, which does not lead to it; it is called %3"),
		address->text, name, address->ptr, NULL);
	mg_finding_cause(finding,
		N_("greeting, PTR and address should be of one name: some receivers distrust what differs"), NULL);
	mg_finding_fix(finding,
		N_("in the zone: %1. IN A %2; or let the server call itself %3 (Postfix: postconf -e myhostname=%3)"),
		name, address->text, address->ptr, NULL);
}

static void judge_match(struct mg_probe *probe, struct mg_finding *finding, const struct mg_probe_host *host,
	const struct mg_probe_address *address)
{
	switch (address->iprev) {
	case MG_RESULT_PASS:
		mg_finding_evidence(finding, "%s PTR %s: leads back", address->text, address->ptr);
		judge_greeting(probe, finding, address);
		break;
	case MG_RESULT_FAIL:
		mg_finding_evidence(finding, "%s PTR %s: does not lead back", address->text, address->ptr);
		mg_finding_is(finding, MG_STATE_CRIT, N_("%1 is called %2, but that name does not lead back to it"),
			address->text, address->ptr, NULL);
		mg_finding_cause(finding,
			N_("a name that does not confirm its address counts for nothing: Gmail answers 550 5.7.25"),
			NULL);
		mg_finding_fix(finding, N_("in the zone: %1. IN %2 %3"), address->ptr,
			address->ip.family == MG_IP_V6 ? "AAAA" : "A", address->text, NULL);
		break;
	case MG_RESULT_PERMERROR:
		mg_finding_evidence(finding, "%s PTR: none", address->text);
		mg_finding_is(finding, MG_STATE_CRIT, N_("the address %1 has no name (PTR)"), address->text, NULL);
		mg_finding_cause(finding,
			N_("nobody has set its reverse DNS; Gmail refuses such mail with 550 5.7.25, and others do too"),
			NULL);
		mg_finding_fix(finding,
			N_("ask the provider of %1 (its panel: \"reverse DNS\", \"rDNS\", \"PTR\") to set its name to %2; your own zone can't"),
			address->text, host->name[0] == '\0' ? "mail.example.com" : host->name, NULL);
		break;
	default:
		mg_finding_evidence(finding, "%s PTR: no answer", address->text);
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("DNS gave no answer about %1"), address->text, NULL);
		mg_finding_cause(finding, N_("its name, or what the name leads to, could not be looked up"), NULL);
		mg_finding_fix(finding, "dig -x %1; mailguardctl check dns.resolver", address->text, NULL);
		break;
	}
}

static void check_ptr_match(struct mg_probe *probe, struct mg_finding *finding)
{
	finding->manual = "dig -x ADDRESS; dig NAME A";
	for (size_t i = 0; i < probe->host_count; i++)
		for (size_t n = 0; n < probe->host[i].address_count; n++)
			if (!is_inside(&probe->host[i].address[n]))
				judge_match(probe, finding, &probe->host[i], &probe->host[i].address[n]);
	say_unnamed(probe, finding);
	mg_finding_is(finding, MG_STATE_OK, N_("address, name and greeting agree"), NULL);
}

static void check_lists(struct mg_probe *probe, struct mg_finding *finding)
{
	bool has_any = false, has_lists = true;

	finding->manual = "dig OCTETS-REVERSED.LIST A";
	for (size_t i = 0; i < probe->host_count && has_lists; i++)
		for (size_t n = 0; n < probe->host[i].address_count && has_lists; n++) {
			has_any = true;
			has_lists = mg_judge_listing(&probe->env, &probe->host[i].address[n].ip, finding);
		}
	if (!has_any)
		mg_finding_not_applicable(finding, N_("not looked at: no address is known"));
	else if (!has_lists)
		mg_finding_not_applicable(
			finding, N_("not looked at: auth.dnsbl in mailguard.conf names no blocklist"));
	mg_finding_is(finding, MG_STATE_OK, N_("no list holds an address of this server"), NULL);
}

/* ---- dns.spf, dns.dmarc, dns.dkim ---- */

static enum mg_result spf_of(struct mg_probe *probe, const struct mg_probe_host *host, const struct mg_ip *ip)
{
	char sender[MG_DOMAIN_TEXT + 16];
	struct mg_spf_input input = { .ip = *ip,
		.scope = MG_SPF_MFROM,
		.helo = mg_str_z(host->name),
		.receiver = MG_STR("mailguard"),
		.now_s = mg_wall_us() / MG_S_US };
	enum mg_result result = MG_RESULT_TEMPERROR;
	struct mg_arena arena;
	struct mg_spf *spf;

	snprintf(sender, sizeof sender, "postmaster@%s", probe->domain);
	input.mail_from = mg_str_z(sender);
	mg_arena_init(&arena, SPF_MEMORY);
	spf = mg_spf_new(&arena, &input);
	while (spf != NULL && mg_spf_step(spf, probe->env.dns) == MG_STEP_WAIT)
		mg_check_wait(&probe->env);
	if (spf != NULL)
		result = mg_spf_output(spf)->result;
	mg_arena_fini(&arena);
	return result;
}

/* A server that receives need not be the one that sends: only if the record lets none of them, somebody may have forgotten it. */
static void judge_addresses(struct mg_probe *probe, struct mg_finding *finding)
{
	const char *refused = NULL;
	enum mg_result last = MG_RESULT_NONE;

	for (size_t i = 0; i < probe->host_count; i++)
		for (size_t n = 0; n < probe->host[i].address_count; n++) {
			const struct mg_probe_address *address = &probe->host[i].address[n];
			enum mg_result result = spf_of(probe, &probe->host[i], &address->ip);

			mg_finding_evidence(
				finding, "%s: %s: %s", probe->domain, address->text, mg_result_name(result));
			if (result != MG_RESULT_FAIL && result != MG_RESULT_SOFTFAIL)
				return;
			refused = address->text;
			last = result;
		}
	if (refused == NULL)
		return;
	mg_finding_is(finding, MG_STATE_WARN, N_("the SPF record of %1 lets none of its servers send: %2 gets %3"),
		probe->domain, refused, mg_result_name(last), NULL);
	mg_finding_cause(finding,
		N_("that is right only if its mail goes out through others; if these servers send, receivers refuse their mail"),
		NULL);
	mg_finding_fix(finding, N_("if they send, put \"mx\" behind \"v=spf1\" in the record; see it: dig %1 TXT"),
		probe->domain, NULL);
}

static void check_spf(struct mg_probe *probe, struct mg_finding *finding)
{
	struct mg_own own = own_of(probe, probe->host_count > 0 ? &probe->host[0] : NULL);

	finding->manual = mg_dns_text(finding, "dig %s TXT", probe->domain);
	if (!has_domain(probe, finding))
		return;
	mg_judge_spf(&probe->env, &own, probe->domain, finding);
	if (finding->summary.template == NULL)
		judge_addresses(probe, finding);
	mg_finding_is(finding, MG_STATE_OK, N_("the SPF record of %1 is sound"), probe->domain, NULL);
}

static void check_dmarc(struct mg_probe *probe, struct mg_finding *finding)
{
	finding->manual = mg_dns_text(finding, "dig _dmarc.%s TXT", probe->domain);
	if (!has_domain(probe, finding))
		return;
	mg_judge_dmarc(&probe->env, probe->domain, finding);
	mg_finding_is(finding, MG_STATE_OK, N_("%1 has a sound DMARC record"), probe->domain, NULL);
}

static void check_dkim(struct mg_probe *probe, struct mg_finding *finding)
{
	finding->manual = "dig SELECTOR._domainkey.DOMAIN TXT";
	if (!has_domain(probe, finding))
		return;
	if (probe->selector == NULL) {
		mg_finding_not_applicable(finding,
			N_("not looked at: the selector of a DKIM key can't be known from outside; it stands behind s= in the DKIM-Signature of a message: --selector S"));
		return;
	}
	finding->manual = mg_dns_text(finding, "dig %s._domainkey.%s TXT", probe->selector, probe->domain);
	mg_judge_dkim(&probe->env, probe->domain, probe->selector, NULL, finding);
	mg_finding_is(
		finding, MG_STATE_OK, N_("the DKIM key %1 of %2 is published"), probe->selector, probe->domain, NULL);
}

/* ---- dns.mtasts, dns.tlsrpt, dns.dane ---- */

static void check_mtasts(struct mg_probe *probe, struct mg_finding *finding)
{
	finding->manual = mg_dns_text(finding, "dig _mta-sts.%s TXT", probe->domain);
	if (!has_domain(probe, finding))
		return;
	if (!mg_judge_mtasts(&probe->env, finding, probe->domain))
		mg_finding_not_applicable(finding, N_("not published: the domain announces no MTA-STS policy"));
	mg_finding_is(finding, MG_STATE_OK, N_("the MTA-STS policies can be had and name every MX"), NULL);
}

static void check_tlsrpt(struct mg_probe *probe, struct mg_finding *finding)
{
	finding->manual = mg_dns_text(finding, "dig _smtp._tls.%s TXT", probe->domain);
	if (!has_domain(probe, finding))
		return;
	if (!mg_judge_tlsrpt(&probe->env, finding, probe->domain))
		mg_finding_not_applicable(finding, N_("not published: the domain asks for no reports on TLS"));
	mg_finding_is(finding, MG_STATE_OK, N_("the TLS reporting records can be used"), NULL);
}

/* By SHA-256 alone, which is what is published (RFC 7672 section 3.1). */
static bool matches(const struct mg_tlsa *tlsa, const struct mg_chain *chain)
{
	size_t first = tlsa->usage == 2 ? 1 : 0, end = tlsa->usage == 2 ? mg_chain_count(chain) : 1;

	for (size_t i = first; i < end; i++) {
		const struct mg_cert_facts *facts = mg_chain_at(chain, i);

		if (mg_str_eq(tlsa->data,
			    mg_str_of(tlsa->selector == 0 ? facts->sha256 : facts->spki_sha256, MG_CERT_DIGEST)))
			return true;
	}
	return false;
}

static void judge_tlsa(struct mg_finding *finding, const char *name, const struct mg_dns_answer *answer,
	const struct mg_probe_address *address, const struct mg_probe_port *port)
{
	size_t usable = 0;

	for (size_t i = 0; i < answer->count && i < TLSA_RECORDS; i++) {
		struct mg_tlsa tlsa;

		if (!mg_tlsa_parse(answer->records[i].text, &tlsa) || !mg_tlsa_is_usable(&tlsa) || tlsa.matching != 1)
			continue;
		usable++;
		if (port->served.chain != NULL && matches(&tlsa, port->served.chain)) {
			mg_finding_evidence(finding, "%s: %s: matches, DNSSEC %s", name, address->text,
				answer->is_authentic ? "validated by the resolver" : "not validated by the resolver");
			return;
		}
	}
	mg_finding_evidence(finding, "%s: %s: no match among %zu records with SHA-256", name, address->text, usable);
	if (!port->served.is_greeted)
		return;
	if (usable == 0) {
		mg_finding_is(finding, MG_STATE_UNKNOWN,
			N_("the TLSA record %1 can't be compared with the certificate"), name, NULL);
		mg_finding_cause(finding, N_("only records of usage 2 or 3 with a SHA-256 hash are compared"), NULL);
		mg_finding_fix(finding, "dig %1 TLSA", name, NULL);
		return;
	}
	mg_finding_is(finding, MG_STATE_CRIT, N_("the TLSA record %1 is not of the certificate that %2 shows"), name,
		address->text, NULL);
	mg_finding_cause(finding,
		N_("the certificate was changed without the record, or TLS is not offered: senders that know DANE deliver nothing"),
		NULL);
	mg_finding_fix(finding,
		N_("on that server: openssl x509 -in CERTIFICATE -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum; in the zone: %1. IN TLSA 3 1 1 with that hash"),
		name, NULL);
}

static void check_dane(struct mg_probe *probe, struct mg_finding *finding)
{
	bool is_published = false, is_silent = false;

	finding->manual = "dig _25._tcp.HOST TLSA";
	for (size_t i = 0; i < probe->host_count; i++) {
		const struct mg_probe_host *host = &probe->host[i];
		const char *name = mg_dns_text(finding, "_25._tcp.%s", host->name);
		const struct mg_dns_answer *answer;

		if (host->name[0] == '\0')
			continue;
		answer = mg_check_ask(&probe->env, mg_str_z(name), MG_DNS_TLSA);
		is_silent = is_silent || answer->status == MG_DNS_TROUBLE;
		is_published = is_published || answer->count > 0;
		for (size_t n = 0; answer->count > 0 && n < host->address_count; n++)
			judge_tlsa(finding, name, answer, &host->address[n], &host->address[n].port[0]);
	}
	if (is_published)
		mg_finding_is(finding, MG_STATE_OK, N_("the TLSA records are of the certificates shown"), NULL);
	else if (is_silent) /* few servers of zones know the type, and resolvers less: no fault of the server */
		mg_finding_not_applicable(finding, N_("not looked at: DNS gave no answer about TLSA records"));
	else
		mg_finding_not_applicable(finding, N_("not published: no TLSA record (DANE) names the certificates"));
}

const struct mg_probe_check mg_probe_checks_dns[] = {
	{ "dns.mx", N_("mail for the domain finds its servers"), check_mx },
	{ "dns.ptr", N_("every address has a name"), check_ptr },
	{ "dns.spf", N_("the SPF record is sound"), check_spf },
	{ "dns.dkim", N_("the DKIM key is published"), check_dkim },
	{ "dns.dmarc", N_("the domain has a DMARC record"), check_dmarc },
	{ "dns.mtasts", N_("the MTA-STS policy names every MX"), check_mtasts },
	{ "dns.tlsrpt", N_("the TLS reporting record can be used"), check_tlsrpt },
	{ "dnsbl", N_("no blocklist holds an address"), check_lists },
	{ NULL, NULL, NULL },
};

/* These compare with what the ports said. */
const struct mg_probe_check mg_probe_checks_said[] = {
	{ "dns.ptr.match", N_("name, address and greeting agree"), check_ptr_match },
	{ "dns.dane", N_("the TLSA record is the certificate's"), check_dane },
	{ NULL, NULL, NULL },
};
