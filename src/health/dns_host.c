/* dns.a, dns.aaaa, dns.ptr, dns.ptr.match - does the host's name lead to its address, and the address back to its name? */
#include "auth/iprev.h"
#include "base/i18n.h"
#include "health/dns_judge.h"
#include "health/dns_said.h"
#include "health/ptr_name.h"
#include "mail/domain.h"
#include "postfix/restrictions.h"

enum { DEADLINE_MS = 10000, PERIOD_S = 300, NAMES = 5, ADDRESSES = 16 };

/* ---- the name's addresses ---- */

static const char *first_of(struct mg_finding *finding, const struct mg_own *own, enum mg_ip_family family)
{
	for (size_t i = 0; i < own->address_count; i++)
		if (own->addresses[i].family == family)
			return mg_dns_shown_ip(finding, &own->addresses[i]);
	return family == MG_IP_V6 ? "IPV6-ADDRESS" : "IPV4-ADDRESS";
}

/* How many of the records are ours; names each in evidence. */
static size_t count_ours(struct mg_finding *finding, const struct mg_own *own, const struct mg_dns_answer *answer,
	enum mg_dns_type type, const struct mg_ip **stranger_out)
{
	size_t ours = 0;

	for (size_t i = 0; i < answer->count; i++) {
		const struct mg_ip *ip = &answer->records[i].ip;
		bool is_ours = mg_own_has(own, ip);

		if (i < ADDRESSES)
			mg_finding_evidence(finding, "%s %s %s: %s", own->hostname, mg_dns_type_name(type),
				mg_dns_shown_ip(finding, ip), is_ours ? "own address" : "not an own address");
		ours += is_ours;
		if (!is_ours && *stranger_out == NULL)
			*stranger_out = ip;
	}
	return ours;
}

static void say_stranger(struct mg_finding *finding, const struct mg_own *own, enum mg_check_state state,
	enum mg_dns_type type, const struct mg_ip *stranger)
{
	const char *address = mg_dns_shown_ip(finding, stranger);

	mg_finding_is(finding, state, N_("%1 leads to %2, which is not an address of this server"), own->hostname,
		address, NULL);
	if (mg_own_is_public(stranger))
		mg_finding_cause(finding,
			N_("the zone still holds an old address, or health.public_addresses does not name all of this server's: %1"),
			mg_own_list(finding, own), NULL);
	else
		mg_finding_cause(
			finding, N_("%1 is a private address: nobody on the Internet reaches it"), address, NULL);
	mg_finding_fix(finding, N_("in the zone: %1. IN %2 %3"), own->hostname, mg_dns_type_name(type),
		first_of(finding, own, type == MG_DNS_AAAA ? MG_IP_V6 : MG_IP_V4), NULL);
}

static bool has_address(const struct mg_check_env *env, const struct mg_own *own, enum mg_dns_type type)
{
	return mg_check_ask(env, mg_str_z(own->hostname), type)->count > 0;
}

static bool knows_hostname(const struct mg_check_env *env, struct mg_finding *finding, const struct mg_own *own)
{
	if (own->hostname[0] != '\0')
		return true;
	if (mg_check_has_postfix(env, finding))
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("Postfix's myhostname is no name that DNS knows"), NULL);
	mg_finding_fix(finding, N_("postconf -e myhostname=mail.example.com && postfix reload"), NULL);
	return false;
}

static void check_a(const struct mg_check_env *env, struct mg_finding *finding)
{
	const struct mg_dns_answer *answer;
	const struct mg_ip *stranger = NULL;
	struct mg_own own;
	size_t ours;

	finding->manual = "postconf myhostname; dig HOSTNAME A AAAA";
	if (!mg_own(env, finding, &own) || !knows_hostname(env, finding, &own))
		return;
	finding->manual = mg_dns_text(finding, "dig %s A", own.hostname);
	answer = mg_check_ask(env, mg_str_z(own.hostname), MG_DNS_A);
	if (mg_dns_is_silent(finding, own.hostname, MG_DNS_A, answer))
		return;
	if (answer->count == 0 && own.address_count > 0 && !mg_own_has_family(&own, MG_IP_V4) &&
		has_address(env, &own, MG_DNS_AAAA)) {
		mg_finding_not_applicable(finding, N_("not applicable: this server has no public IPv4 address"));
		return;
	}
	mg_finding_evidence(finding, "own addresses: %s%s",
		own.address_count == 0 ? "none known" : mg_own_list(finding, &own),
		own.source == MG_OWN_ZONE ? " (as the zone says: no interface has a public address)" : "");
	if (answer->count == 0) {
		mg_finding_evidence(finding, "%s A: %s", own.hostname,
			answer->status == MG_DNS_NXDOMAIN ? "no such name" : "no such record");
		mg_finding_is(finding, MG_STATE_CRIT, N_("%1 has no address in DNS"), own.hostname, NULL);
		mg_finding_cause(finding,
			answer->status == MG_DNS_NXDOMAIN
				? N_("the zone does not hold the name that this server calls itself by (myhostname)")
				: N_("the zone holds the name, but no A record for it"),
			NULL);
		mg_finding_fix(finding, N_("in the zone: %1. IN %2 %3"), own.hostname, "A",
			first_of(finding, &own, MG_IP_V4), NULL);
		return;
	}
	ours = count_ours(finding, &own, answer, MG_DNS_A, &stranger);
	if (stranger != NULL)
		say_stranger(finding, &own, ours == 0 ? MG_STATE_CRIT : MG_STATE_WARN, MG_DNS_A, stranger);
	mg_finding_is(finding, MG_STATE_OK, N_("%1 leads to this server"), own.hostname, NULL);
}

static void check_aaaa(const struct mg_check_env *env, struct mg_finding *finding)
{
	const struct mg_dns_answer *answer;
	const struct mg_ip *stranger = NULL;
	struct mg_own own;

	finding->manual = "postconf myhostname; dig HOSTNAME A AAAA";
	if (!mg_own(env, finding, &own) || !knows_hostname(env, finding, &own))
		return;
	finding->manual = mg_dns_text(finding, "dig %s AAAA", own.hostname);
	answer = mg_check_ask(env, mg_str_z(own.hostname), MG_DNS_AAAA);
	if (mg_dns_is_silent(finding, own.hostname, MG_DNS_AAAA, answer))
		return;
	if (answer->count == 0) {
		mg_finding_not_applicable(finding, N_("not applicable: the host's name has no AAAA record"));
		return;
	}
	count_ours(finding, &own, answer, MG_DNS_AAAA, &stranger);
	if (stranger != NULL && mg_own_has_family(&own, MG_IP_V6)) {
		say_stranger(finding, &own, MG_STATE_WARN, MG_DNS_AAAA, stranger);
	} else if (stranger != NULL) {
		mg_finding_is(finding, MG_STATE_WARN, N_("%1 leads to %2, which is not an address of this server"),
			own.hostname, mg_dns_shown_ip(finding, stranger), NULL);
		mg_finding_cause(finding,
			N_("this server has no public IPv6 address, or health.public_addresses does not name it; others try it first and wait in vain"),
			NULL);
		mg_finding_fix(finding, N_("take the record out of the zone: %1. IN AAAA %2"), own.hostname,
			mg_dns_shown_ip(finding, stranger), NULL);
	}
	mg_finding_is(finding, MG_STATE_OK, N_("%1 leads to this server by IPv6"), own.hostname, NULL);
}

/* ---- the address's names ---- */

static const struct mg_dns_answer *ask_ptr(
	const struct mg_check_env *env, struct mg_finding *finding, const struct mg_ip *ip, const char **name_out)
{
	const struct mg_dns_answer *answer;
	struct mg_buf name;

	mg_buf_init(&name, MG_DNS_NAME_MAX + 1);
	mg_ip_reversed(&name, ip, ip->family == MG_IP_V6 ? MG_STR("ip6.arpa") : MG_STR("in-addr.arpa"));
	*name_out = mg_dns_shown(finding, mg_buf_str(&name));
	answer = mg_check_ask(env, mg_buf_str(&name), MG_DNS_PTR);
	mg_buf_fini(&name);
	return answer;
}

static void say_provider_fix(struct mg_finding *finding, const struct mg_own *own, const struct mg_ip *ip)
{
	mg_finding_fix(finding,
		N_("ask the provider of %1 (its panel: \"reverse DNS\", \"rDNS\", \"PTR\") to set its name to %2; your own zone can't"),
		mg_dns_shown_ip(finding, ip), own->hostname[0] == '\0' ? "mail.example.com" : own->hostname, NULL);
}

/* The names as text, of an answer that has some. */
static bool is_hostname(const struct mg_own *own, struct mg_str name)
{
	return own->hostname[0] != '\0' && mg_str_eq_nocase(name, mg_str_z(own->hostname));
}

static bool is_generic(const struct mg_own *own, struct mg_str name, const struct mg_ip *ip)
{
	bool is_chosen = is_hostname(own, name);

	for (size_t i = 0; i < own->domain_count; i++)
		is_chosen = is_chosen || mg_domain_is_within(name, mg_str_z(own->domains[i]));
	return mg_ptr_holds_address(name, ip) || (!is_chosen && mg_ptr_has_provider_word(name));
}

static bool has_no_name(struct mg_finding *finding, const struct mg_own *own, const struct mg_ip *ip,
	const char *question, const struct mg_dns_answer *answer)
{
	if (answer->count > 0)
		return false;
	mg_finding_evidence(finding, "%s (%s) PTR: none", mg_dns_shown_ip(finding, ip), question);
	mg_finding_is(
		finding, MG_STATE_CRIT, N_("the address %1 has no name (PTR)"), mg_dns_shown_ip(finding, ip), NULL);
	mg_finding_cause(finding,
		N_("nobody has set its reverse DNS; Gmail refuses such mail with 550 5.7.25, and others do too"), NULL);
	say_provider_fix(finding, own, ip);
	return true;
}

void mg_judge_ptr(
	const struct mg_check_env *env, const struct mg_own *own, const struct mg_ip *ip, struct mg_finding *finding)
{
	const char *question, *generic = NULL;
	const struct mg_dns_answer *answer = ask_ptr(env, finding, ip, &question);
	bool has_good = false;

	if (mg_dns_is_silent(finding, question, MG_DNS_PTR, answer) || has_no_name(finding, own, ip, question, answer))
		return;
	for (size_t i = 0; i < answer->count && i < NAMES; i++) {
		const char *name = mg_dns_shown(finding, answer->records[i].text);

		mg_finding_evidence(finding, "%s PTR %s", mg_dns_shown_ip(finding, ip), name);
		if (is_generic(own, answer->records[i].text, ip))
			generic = name;
		else
			has_good = true;
	}
	if (generic == NULL || has_good)
		return;
	mg_finding_is(finding, MG_STATE_WARN, N_("the name of %1 is the provider's, not this server's: %2"),
		mg_dns_shown_ip(finding, ip), generic, NULL);
	mg_finding_cause(finding,
		N_("names made of the address are those of dial-up lines and hijacked machines: big receivers refuse or distrust them"),
		NULL);
	say_provider_fix(finding, own, ip);
}

static bool leads_back(
	const struct mg_check_env *env, struct mg_str name, const struct mg_ip *ip, const struct mg_dns_answer **silent)
{
	const struct mg_dns_answer *answer = mg_check_ask(env, name, ip->family == MG_IP_V6 ? MG_DNS_AAAA : MG_DNS_A);

	if (answer->status == MG_DNS_TROUBLE)
		*silent = answer;
	for (size_t i = 0; i < answer->count; i++)
		if (mg_ip_eq(&answer->records[i].ip, ip))
			return true;
	return false;
}

void mg_judge_ptr_match(
	const struct mg_check_env *env, const struct mg_own *own, const struct mg_ip *ip, struct mg_finding *finding)
{
	enum mg_dns_type type = ip->family == MG_IP_V6 ? MG_DNS_AAAA : MG_DNS_A;
	const char *question, *address = mg_dns_shown_ip(finding, ip), *name = "", *confirmed = NULL;
	const struct mg_dns_answer *answer = ask_ptr(env, finding, ip, &question), *silent = NULL;
	bool is_named = false;

	if (mg_dns_is_silent(finding, question, MG_DNS_PTR, answer) || has_no_name(finding, own, ip, question, answer))
		return;
	for (size_t i = 0; i < answer->count && i < NAMES; i++) {
		struct mg_str text = answer->records[i].text;
		bool is_right = leads_back(env, text, ip, &silent);

		name = mg_dns_shown(finding, text);
		mg_finding_evidence(finding, "%s PTR %s, %s %s: %s", address, name, name, mg_dns_type_name(type),
			is_right ? "the same address" : "not this address");
		if (is_right && (confirmed == NULL || is_hostname(own, text)))
			confirmed = name;
		is_named = is_named || (is_right && is_hostname(own, text));
	}
	if (confirmed == NULL && silent != NULL) {
		mg_dns_is_silent(finding, name, type, silent);
	} else if (confirmed == NULL) {
		mg_finding_is(finding, MG_STATE_CRIT, N_("%1 is called %2, but that name does not lead back to it"),
			address, name, NULL);
		mg_finding_cause(finding,
			N_("a name that does not confirm its address counts for nothing: Gmail answers 550 5.7.25"),
			NULL);
		if (is_hostname(own, mg_str_z(name)))
			mg_finding_fix(
				finding, N_("in the zone: %1. IN %2 %3"), name, mg_dns_type_name(type), address, NULL);
		else
			say_provider_fix(finding, own, ip);
	} else if (!is_named && own->hostname[0] != '\0') {
		mg_finding_is(finding, MG_STATE_WARN, N_("%1 is called %2, but this server calls itself %3"), address,
			confirmed, own->hostname, NULL);
		mg_finding_cause(
			finding, N_("the PTR, Postfix's myhostname and its greeting should be one name"), NULL);
		mg_finding_fix(finding,
			N_("ask the provider of %1 to set its name to %2; or: postconf -e myhostname=%3 && postfix reload"),
			address, own->hostname, confirmed, NULL);
	}
}

/* Behind a smarthost, whose addresses send our mail; or where no address is known. */
static bool is_about_sending(const struct mg_check_env *env, struct mg_finding *finding, const struct mg_own *own)
{
	(void)env;
	if (own->has_smarthost) {
		mg_finding_not_applicable(finding, N_("not applicable: mail goes out through relayhost"));
		return false;
	}
	if (own->address_count > 0)
		return true;
	if (own->trouble != NULL)
		mg_dns_is_silent(finding, own->hostname, MG_DNS_A, own->trouble);
	mg_finding_is(finding, MG_STATE_UNKNOWN, N_("which public address this server sends from is not known"), NULL);
	mg_finding_cause(finding, N_("no interface has a public address, and the zone does not tell one either"), NULL);
	mg_finding_fix(
		finding, N_("name it in mailguard.conf: health = { public_addresses = ( \"192.0.2.25\" ); };"), NULL);
	return false;
}

static void each_address(const struct mg_check_env *env, struct mg_finding *finding, const struct mg_own *own,
	void (*judge)(const struct mg_check_env *, const struct mg_own *, const struct mg_ip *, struct mg_finding *))
{
	for (size_t i = 0; i < own->address_count; i++)
		judge(env, own, &own->addresses[i], finding);
}

static void check_ptr(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct mg_own own;

	finding->manual = "dig -x ADDRESS";
	if (!mg_own(env, finding, &own) || !is_about_sending(env, finding, &own))
		return;
	finding->manual = mg_dns_text(finding, "dig -x %s", mg_dns_shown_ip(finding, &own.addresses[0]));
	each_address(env, finding, &own, mg_judge_ptr);
	mg_finding_is(finding, MG_STATE_OK, N_("every address that sends mail has a name: %1"),
		mg_own_list(finding, &own), NULL);
}

/* The first word of the greeting should be the name as well (RFC 5321 section 4.3.1). */
static void judge_banner(const struct mg_check_env *env, struct mg_finding *finding, const struct mg_own *own)
{
	struct mg_str rest, word;

	if (env->postfix == NULL || own->hostname[0] == '\0')
		return;
	rest = mg_str_z(mg_check_parameter(env, finding, NULL, "smtpd_banner"));
	if (!mg_postfix_word(&rest, &word) || mg_str_eq_nocase(word, mg_str_z(own->hostname)))
		return;
	mg_finding_evidence(finding, "smtpd_banner: %s", mg_dns_shown(finding, word));
	mg_finding_is(finding, MG_STATE_WARN, N_("the greeting begins with %1, but this server is called %2"),
		mg_dns_shown(finding, word), own->hostname, NULL);
	mg_finding_cause(finding, N_("smtpd_banner must begin with the server's own name"), NULL);
	mg_finding_fix(finding, N_("postconf -e 'smtpd_banner=$myhostname ESMTP' && postfix reload"), NULL);
}

static void judge_helo(const struct mg_check_env *env, struct mg_finding *finding, const struct mg_own *own)
{
	const char *helo;

	if (env->postfix == NULL || own->hostname[0] == '\0')
		return;
	helo = mg_check_parameter(env, finding, NULL, "smtp_helo_name");
	if (helo[0] == '\0' || mg_str_eq_nocase(mg_str_z(helo), mg_str_z(own->hostname)))
		return;
	mg_finding_evidence(finding, "smtp_helo_name: %s", mg_dns_shown(finding, mg_str_z(helo)));
	mg_finding_is(finding, MG_STATE_WARN, N_("this server greets others as %1, but is called %2"),
		mg_dns_shown(finding, mg_str_z(helo)), own->hostname, NULL);
	mg_finding_cause(finding, N_("smtp_helo_name differs from myhostname"), NULL);
	mg_finding_fix(finding, N_("postconf -e 'smtp_helo_name=$myhostname' && postfix reload"), NULL);
}

static void check_ptr_match(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct mg_own own;

	finding->manual = "dig -x ADDRESS";
	if (!mg_own(env, finding, &own) || !is_about_sending(env, finding, &own))
		return;
	finding->manual = mg_dns_text(finding, "dig -x %s; dig %s A; postconf myhostname smtpd_banner smtp_helo_name",
		mg_dns_shown_ip(finding, &own.addresses[0]), own.hostname);
	each_address(env, finding, &own, mg_judge_ptr_match);
	judge_banner(env, finding, &own);
	judge_helo(env, finding, &own);
	mg_finding_is(finding, MG_STATE_OK, N_("address, name and greeting agree: %1"), own.hostname, NULL);
}

const struct mg_check mg_checks_dns_host[] = {
	{ "dns.a", N_("the host's name leads to this server"), PERIOD_S, DEADLINE_MS, .run = check_a,
		.needs = "dns.resolver" },
	{ "dns.aaaa", N_("the host's name leads to this server by IPv6"), PERIOD_S, DEADLINE_MS, .run = check_aaaa,
		.needs = "dns.resolver" },
	{ "dns.ptr", N_("every sending address has a name"), PERIOD_S, DEADLINE_MS, .run = check_ptr,
		.needs = "dns.resolver" },
	{ "dns.ptr.match", N_("name, address and greeting agree"), PERIOD_S, DEADLINE_MS, .run = check_ptr_match,
		.follows = { "dns.ptr", "dns.a" }, .needs = "dns.resolver" },
};
const size_t mg_checks_dns_host_count = sizeof mg_checks_dns_host / sizeof mg_checks_dns_host[0];
