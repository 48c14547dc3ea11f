/* dns.mx - does mail for our domains find this server? */
#include "base/i18n.h"
#include "health/dns_said.h"
#include "health/own.h"

enum { DEADLINE_MS = 12000, PERIOD_S = 300, TARGETS = 20, ADDRESSES = 16 };

/* ---- MX ---- */

struct targets {
	bool has_ours, has_lowest;
	unsigned ours, lowest;              /* preferences */
	const struct mg_dns_answer *silent; /* some target's, else NULL */
	const char *silent_name;
};

static bool is_hostname(const struct mg_own *own, struct mg_str name)
{
	return own->hostname[0] != '\0' && mg_str_eq_nocase(name, mg_str_z(own->hostname));
}

static void say_mx_fix(struct mg_finding *finding, const struct mg_own *own, const char *domain)
{
	mg_finding_fix(finding, N_("in the zone: %1. IN MX 10 %2."), domain,
		own->hostname[0] == '\0' ? "mail.example.com" : own->hostname, NULL);
}

static void say_dangling(struct mg_finding *finding, const struct mg_own *own, const char *domain, const char *target)
{
	struct mg_ip ip;

	mg_finding_is(
		finding, MG_STATE_CRIT, N_("the MX of %1 leads nowhere: %2 has no address"), domain, target, NULL);
	if (mg_ip_parse(mg_str_z(target), &ip))
		mg_finding_cause(finding, N_("an MX record names a host, never an address"), NULL);
	else
		mg_finding_cause(
			finding, N_("the zone of %1 holds neither an A nor an AAAA record for it"), target, NULL);
	if (is_hostname(own, mg_str_z(target)) && own->address_count > 0)
		mg_finding_fix(finding, N_("in the zone: %1. IN %2 %3"), target,
			own->addresses[0].family == MG_IP_V6 ? "AAAA" : "A",
			mg_dns_shown_ip(finding, &own->addresses[0]), NULL);
	else
		say_mx_fix(finding, own, domain);
}

static void say_alias(
	const struct mg_check_env *env, struct mg_finding *finding, const char *domain, const char *target)
{
	const struct mg_dns_answer *answer = mg_check_ask(env, mg_str_z(target), MG_DNS_CNAME);
	const char *real;

	if (answer->count == 0)
		return;
	real = mg_dns_shown(finding, answer->records[0].text);
	mg_finding_evidence(finding, "%s CNAME %s", target, real);
	mg_finding_is(finding, MG_STATE_WARN, N_("the MX of %1 is an alias: %2"), domain, target, NULL);
	mg_finding_cause(finding,
		N_("a host that an MX names must have its own address (RFC 2181 section 10.3); some senders refuse an alias"),
		NULL);
	mg_finding_fix(finding, N_("in the zone: %1. IN MX 10 %2."), domain, real, NULL);
}

static void judge_target(const struct mg_check_env *env, const struct mg_own *own, const char *domain,
	const struct mg_dns_record *record, struct mg_finding *finding, struct targets *targets)
{
	const char *name = mg_dns_shown(finding, record->text);
	struct mg_ip addresses[ADDRESSES];
	const struct mg_dns_answer *silent;
	size_t count = mg_dns_addresses(env, record->text, addresses, ADDRESSES, &silent);
	bool is_ours = is_hostname(own, record->text);

	for (size_t i = 0; i < count; i++)
		is_ours = is_ours || mg_own_has(own, &addresses[i]);
	mg_finding_evidence(finding, "%s MX %u %s (%s)%s", domain, record->preference, name,
		count > 0        ? mg_dns_shown_ip(finding, &addresses[0])
		: silent != NULL ? mg_dns_trouble_name(silent->trouble)
				 : "no address",
		is_ours ? ", this server" : "");
	if (silent != NULL && count == 0) {
		targets->silent = silent;
		targets->silent_name = name;
	} else if (count == 0) {
		say_dangling(finding, own, domain, name);
	} else {
		say_alias(env, finding, domain, name);
	}
	if (is_ours && (!targets->has_ours || record->preference < targets->ours))
		targets->ours = record->preference;
	targets->has_ours = targets->has_ours || is_ours;
}

static void say_none_ours(struct mg_finding *finding, const struct mg_own *own, const char *domain)
{
	mg_finding_is(finding, MG_STATE_CRIT, N_("mail for %1 goes to other servers: no MX is this one"), domain, NULL);
	mg_finding_cause(finding, N_("no host that its MX records name has an address of this server: %1"),
		own->address_count == 0 ? own->hostname : mg_own_list(finding, own), NULL);
	say_mx_fix(finding, own, domain);
}

static void judge_targets(const struct mg_check_env *env, const struct mg_own *own, const char *domain,
	const struct mg_dns_answer *answer, struct mg_finding *finding)
{
	struct targets targets = { 0 };

	for (size_t i = 0; i < answer->count; i++) {
		const struct mg_dns_record *record = &answer->records[i];

		if (!targets.has_lowest || record->preference < targets.lowest)
			targets.lowest = record->preference;
		targets.has_lowest = true;
		if (i < TARGETS || is_hostname(own, record->text))
			judge_target(env, own, domain, record, finding, &targets);
	}
	if (answer->count > TARGETS)
		mg_finding_evidence(finding, "%s: %zu MX records, %d looked at", domain, answer->count, TARGETS);
	if (targets.silent != NULL)
		mg_dns_is_silent(finding, targets.silent_name, MG_DNS_A, targets.silent);
	if (!targets.has_ours && targets.silent == NULL)
		say_none_ours(finding, own, domain);
	if (!targets.has_ours || targets.ours == targets.lowest)
		return;
	mg_finding_is(finding, MG_STATE_WARN, N_("mail for %1 goes to another server first"), domain, NULL);
	mg_finding_cause(finding, N_("another host has a lower MX preference (%1) than this one (%2)"),
		mg_finding_number(finding, targets.lowest, ""), mg_finding_number(finding, targets.ours, ""), NULL);
	mg_finding_fix(finding, N_("if that is not meant, give this server the lowest number: %1. IN MX %2 %3."),
		domain, mg_finding_number(finding, targets.lowest > 0 ? targets.lowest - 1 : 0, ""),
		own->hostname[0] == '\0' ? "mail.example.com" : own->hostname, NULL);
}

/* Without an MX the domain's own address counts (RFC 5321 section 5.1). */
static void judge_without(
	const struct mg_check_env *env, const struct mg_own *own, const char *domain, struct mg_finding *finding)
{
	struct mg_ip addresses[ADDRESSES];
	const struct mg_dns_answer *silent;
	size_t count = mg_dns_addresses(env, mg_str_z(domain), addresses, ADDRESSES, &silent);
	bool is_ours = is_hostname(own, mg_str_z(domain));

	for (size_t i = 0; i < count; i++)
		is_ours = is_ours || mg_own_has(own, &addresses[i]);
	mg_finding_evidence(finding, "%s MX: none", domain);
	if (is_ours)
		mg_finding_is(finding, MG_STATE_WARN,
			N_("%1 has no MX; mail comes only because its own address is this server"), domain, NULL);
	else
		mg_finding_is(finding, MG_STATE_CRIT, N_("%1 has no MX: others don't know where its mail goes"), domain,
			NULL);
	mg_finding_cause(finding, N_("the zone holds no MX record for the domain"), NULL);
	say_mx_fix(finding, own, domain);
}

static void judge_mx(
	const struct mg_check_env *env, const struct mg_own *own, const char *domain, struct mg_finding *finding)
{
	const struct mg_dns_answer *answer = mg_check_ask(env, mg_str_z(domain), MG_DNS_MX);

	if (mg_dns_is_silent(finding, domain, MG_DNS_MX, answer))
		return;
	if (answer->count == 0) {
		judge_without(env, own, domain, finding);
	} else if (answer->count == 1 && answer->records[0].text.n == 0) {
		mg_finding_evidence(finding, "%s MX %u .", domain, answer->records[0].preference);
		mg_finding_is(finding, MG_STATE_CRIT, N_("%1 says that it takes no mail (a null MX)"), domain, NULL);
		mg_finding_cause(finding,
			N_("its MX is \".\" (RFC 7505): nobody can write or answer to it, and Gmail refuses mail from it (5.7.27)"),
			NULL);
		say_mx_fix(finding, own, domain);
	} else {
		judge_targets(env, own, domain, answer, finding);
	}
}

static void check_mx(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct mg_own own;

	finding->manual = "dig DOMAIN MX";
	if (!mg_own(env, finding, &own) || !mg_own_prefetch(env, finding, &own, MG_DNS_MX))
		return;
	finding->manual = mg_dns_text(finding, "dig %s MX", own.domains[0]);
	for (size_t i = 0; i < own.domain_count; i++)
		judge_mx(env, &own, own.domains[i], finding);
	mg_finding_is(finding, MG_STATE_OK, N_("mail for every own domain finds this server"), NULL);
}

const struct mg_check mg_checks_dns_mx[] = {
	{ "dns.mx", N_("mail for own domains finds this server"), PERIOD_S, DEADLINE_MS, .run = check_mx,
		.follows = { "dns.a" }, .needs = "dns.resolver" },
};
const size_t mg_checks_dns_mx_count = sizeof mg_checks_dns_mx / sizeof mg_checks_dns_mx[0];
