/* dnsbl.self - do the configured DNS lists hold an address of ours? A list that refuses, or lists everybody, says nothing. */
#include "auth/dnsbl.h"

#include "auth/dnsbl_answer.h"
#include "base/i18n.h"
#include "health/dns_judge.h"
#include "health/dns_said.h"
#include "health/own.h"

enum { DEADLINE_MS = 12000, PERIOD_S = 1800, MEMORY = 64 * 1024 };

/* Lists of dial-up and end-user addresses: Spamhaus' PBL, whose codes others took over. */
static bool is_policy_code(const struct mg_ip *code)
{
	return code->bytes[1] == 0 && code->bytes[2] == 0 && (code->bytes[3] == 10 || code->bytes[3] == 11);
}

/* Codes by which a list of reputations says "neutral" or "good". */
static bool is_praise(const char *zone, const struct mg_ip *code)
{
	return mg_str_ends_nocase(mg_str_z(zone), MG_STR("mailspike.net")) && code->bytes[3] >= 14;
}

static enum mg_check_state gravity(const struct mg_dnsbl_found *found)
{
	bool has_own_words = mg_str_ends_nocase(mg_str_z(found->zone->name), MG_STR("mailspike.net"));
	enum mg_check_state state = MG_STATE_OK;

	for (size_t i = 0; i < found->code_count; i++) {
		if (is_praise(found->zone->name, &found->codes[i]))
			continue;
		if (!is_policy_code(&found->codes[i]) || has_own_words)
			return MG_STATE_CRIT;
		state = MG_STATE_WARN;
	}
	return state;
}

/* The codes with what they mean, where that is known. */
static const char *codes_of(struct mg_finding *finding, const struct mg_dnsbl_found *found)
{
	const char *list = "", *shown;
	struct mg_buf meaning;

	for (size_t i = 0; i < found->code_count; i++) {
		struct mg_say said = mg_dnsbl_meaning(found->zone->name, &found->codes[i]);

		mg_buf_init(&meaning, MG_SAY_TEXT);
		mg_say_english(&meaning, &said);
		shown = mg_dns_shown_ip(finding, &found->codes[i]);
		list = mg_dns_text(finding, "%s%s%s%s%s%s", list, i > 0 ? ", " : "", shown, meaning.n > 0 ? " (" : "",
			mg_buf_z(&meaning), meaning.n > 0 ? ")" : "");
		mg_buf_fini(&meaning);
	}
	return list;
}

/* A zone that lists 127.0.0.1 lists everybody (RFC 5782 section 5). */
static bool lists_everybody(const struct mg_check_env *env, const char *zone)
{
	static const struct mg_ip never = { MG_IP_V4, { 127, 0, 0, 1 } };
	const struct mg_dns_answer *answer;

	while ((answer = mg_dnsbl_ask(env->dns, zone, &never)) == NULL)
		mg_check_wait(env);
	return mg_dnsbl_word(zone, answer) == MG_DNSBL_SAYS_YES;
}

static void say_listed(const struct mg_check_env *env, struct mg_finding *finding, const char *address,
	const struct mg_dnsbl_found *found, const char *zone)
{
	enum mg_check_state state = gravity(found);

	if (state == MG_STATE_OK)
		return;
	if (lists_everybody(env, found->zone->name)) {
		mg_finding_is(
			finding, MG_STATE_UNKNOWN, N_("the list %1 lists everybody: it is not believed"), zone, NULL);
		mg_finding_cause(finding,
			N_("it also lists 127.0.0.1, which no list that works does; it may have been given up"), NULL);
		mg_finding_fix(finding, N_("take %1 out of auth.dnsbl in mailguard.conf and: mailguardctl reload"),
			zone, NULL);
		return;
	}
	mg_finding_is(finding, state, N_("%1 is on the list %2"), address, zone, NULL);
	if (state == MG_STATE_CRIT) {
		mg_finding_cause(finding,
			N_("spam was seen from it, by an account or a web page that was broken into, or by who had the address before: %1"),
			codes_of(finding, found), NULL);
		mg_finding_fix(finding,
			N_("find and stop the source first: mailguardctl check account.compromised host.sendmail relay.runtime; then ask for removal on the page of %1"),
			zone, NULL);
	} else {
		mg_finding_cause(finding,
			N_("its provider says that no mail server stands there (a policy list, no accusation): %1"),
			codes_of(finding, found), NULL);
		mg_finding_fix(finding,
			N_("ask the provider for an address for servers and set its PTR, then remove it on the page of %1; or send through a smarthost: postconf -e 'relayhost=[smarthost.example]:587'"),
			zone, NULL);
	}
}

static void judge_found(const struct mg_check_env *env, struct mg_finding *finding, const char *address,
	const struct mg_dnsbl_found *found)
{
	static const char *const words[] = { "not listed", "listed", "refuses", "no answer", "muted" };
	char place[MG_DNSBL_SHOWN];
	const char *zone = mg_dns_shown(finding, mg_str_z(mg_dnsbl_shown(found->zone->name, place)));
	const char *codes = codes_of(finding, found);

	mg_finding_evidence(
		finding, "%s at %s: %s%s%s", address, zone, words[found->state], codes[0] == '\0' ? "" : ": ", codes);
	switch (found->state) {
	case MG_DNSBL_LISTED:
		say_listed(env, finding, address, found, zone);
		break;
	case MG_DNSBL_ERROR:
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("the list %1 refuses to answer this server"), zone, NULL);
		mg_finding_cause(finding,
			N_("it answered %1: it takes no questions from public or busy resolvers, or the key in its name is wrong"),
			codes, NULL);
		mg_finding_fix(finding,
			N_("let a resolver of your own ask it: apt install unbound && echo 'nameserver 127.0.0.1' > /etc/resolv.conf"),
			NULL);
		break;
	case MG_DNSBL_TROUBLE:
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("the list %1 gave no answer"), zone, NULL);
		mg_finding_cause(finding, N_("DNS gave no answer about %1 in time"), zone, NULL);
		mg_finding_fix(finding, N_("dig 2.0.0.127.%1 A; mailguardctl check dns.resolver"), zone, NULL);
		break;
	case MG_DNSBL_NOT_LISTED:
	case MG_DNSBL_MUTED:
		break;
	}
}

struct lists {
	struct mg_dnsbl_zone zones[MG_DNSBL_ZONES];
	size_t count;
};

/* Allowlists are no reproach. */
static void blocklists_of(const struct mg_conf *conf, struct lists *lists)
{
	for (size_t i = 0; i < conf->auth.dnsbl_count && lists->count < MG_DNSBL_ZONES; i++)
		if (conf->auth.dnsbl[i].weight > 0)
			lists->zones[lists->count++] =
				(struct mg_dnsbl_zone){ conf->auth.dnsbl[i].zone, conf->auth.dnsbl[i].weight };
}

static void judge_address(
	const struct mg_check_env *env, struct mg_finding *finding, const struct mg_ip *ip, const struct lists *lists)
{
	struct mg_dnsbl *dnsbl;
	struct mg_arena arena;

	mg_arena_init(&arena, MEMORY);
	dnsbl = mg_dnsbl_new(&arena, ip, lists->zones, lists->count, NULL);
	while (dnsbl != NULL && mg_dnsbl_step(dnsbl, env->dns) == MG_STEP_WAIT)
		mg_check_wait(env);
	for (size_t i = 0; dnsbl != NULL && i < mg_dnsbl_output(dnsbl)->count; i++)
		judge_found(env, finding, mg_dns_shown_ip(finding, ip), &mg_dnsbl_output(dnsbl)->found[i]);
	mg_arena_fini(&arena);
}

bool mg_judge_listing(const struct mg_check_env *env, const struct mg_ip *ip, struct mg_finding *finding)
{
	struct lists lists = { .count = 0 };

	blocklists_of(env->conf, &lists);
	if (lists.count > 0)
		judge_address(env, finding, ip, &lists);
	return lists.count > 0;
}

static void check_self(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct lists lists = { .count = 0 };
	struct mg_own own;

	finding->manual = "dig OCTETS-REVERSED.LIST A";
	blocklists_of(env->conf, &lists);
	if (lists.count == 0) {
		mg_finding_not_applicable(finding, N_("not applicable: auth.dnsbl names no list"));
		return;
	}
	if (!mg_own(env, finding, &own))
		return;
	for (size_t i = 0; i < own.address_count; i++)
		judge_address(env, finding, &own.addresses[i], &lists);
	if (own.address_count == 0) {
		if (own.trouble != NULL)
			mg_dns_is_silent(finding, own.hostname, MG_DNS_A, own.trouble);
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("which public address this server sends from is not known"),
			NULL);
		mg_finding_cause(
			finding, N_("no interface has a public address, and the zone does not tell one either"), NULL);
		mg_finding_fix(finding,
			N_("name it in mailguard.conf: health = { public_addresses = ( \"192.0.2.25\" ); };"), NULL);
		return;
	}
	if (own.addresses[0].family == MG_IP_V4)
		finding->manual = mg_dns_text(finding, "dig %u.%u.%u.%u.%s A", own.addresses[0].bytes[3],
			own.addresses[0].bytes[2], own.addresses[0].bytes[1], own.addresses[0].bytes[0],
			lists.zones[0].name);
	mg_finding_is(finding, MG_STATE_OK, N_("no list holds an address of this server"), NULL);
}

const struct mg_check mg_checks_dnsbl[] = {
	{ "dnsbl.self", N_("no blocklist holds an own address"), PERIOD_S, DEADLINE_MS, .run = check_self,
		.needs = "dns.resolver" },
};
const size_t mg_checks_dnsbl_count = sizeof mg_checks_dnsbl / sizeof mg_checks_dnsbl[0];
