/* dns.spf - may this server send for our domains? What the record says of own addresses is asked of the evaluator that judges others'
 * mail; what it says of strangers, of an address that no record names. */
#include "auth/spf.h"

#include "auth/spf_record.h"
#include "base/clock.h"
#include "base/i18n.h"
#include "health/dns_judge.h"
#include "health/dns_said.h"

enum { DEADLINE_MS = 12000, PERIOD_S = 300, ADDRESSES = 16, SPF_MEMORY = 256 * 1024 };

/* The addresses of a mail host among an MX's, so that "mx" speaks for them. */
static bool is_mx_address(const struct mg_check_env *env, const char *domain, const struct mg_ip *ip)
{
	const struct mg_dns_answer *answer = mg_check_ask(env, mg_str_z(domain), MG_DNS_MX), *silent;
	struct mg_ip addresses[ADDRESSES];

	for (size_t i = 0; i < answer->count && i < 10; i++) {
		size_t count = mg_dns_addresses(env, answer->records[i].text, addresses, ADDRESSES, &silent);

		for (size_t k = 0; k < count; k++)
			if (mg_ip_eq(&addresses[k], ip))
				return true;
	}
	return false;
}

static void add_ip(struct mg_buf *record, const struct mg_ip *ip)
{
	char text[MG_IP_TEXT];

	mg_buf_addf(record, " %s:%s", ip->family == MG_IP_V6 ? "ip6" : "ip4", mg_ip_text(ip, text, sizeof text));
}

static const char *keep_record(struct mg_finding *finding, struct mg_buf *record)
{
	const char *kept = mg_dns_txt(finding, mg_buf_str(record));

	mg_buf_fini(record);
	return kept;
}

/* The shortest record that lets this server send. */
static const char *fresh_record(
	const struct mg_check_env *env, const struct mg_own *own, const char *domain, struct mg_finding *finding)
{
	struct mg_buf record;

	mg_buf_init(&record, MG_SAY_TEXT);
	mg_buf_addz(&record, "v=spf1 mx");
	for (size_t i = 0; i < own->address_count && !own->has_smarthost; i++)
		if (!is_mx_address(env, domain, &own->addresses[i]))
			add_ip(&record, &own->addresses[i]);
	mg_buf_addz(&record, " -all");
	return keep_record(finding, &record);
}

static bool is_all(struct mg_str word)
{
	if (word.n > 0 && strchr("+-~?", word.p[0]) != NULL)
		word = mg_str_from(word, 1);
	return mg_str_eq_nocase(word, MG_STR("all"));
}

static bool is_open_all(struct mg_str word)
{
	return is_all(word) && word.p[0] != '-' && word.p[0] != '~';
}

/* The record as it is, with `ip` (may be NULL) in front, without the term `wrong`, and an "all" that closes it. */
static const char *mended_record(
	struct mg_finding *finding, struct mg_str terms, const struct mg_ip *ip, struct mg_str wrong)
{
	bool has_redirect = false, has_all = false;
	struct mg_str word;
	struct mg_buf record;

	mg_buf_init(&record, MG_SAY_TEXT);
	mg_buf_addz(&record, "v=spf1");
	if (ip != NULL)
		add_ip(&record, ip);
	while (mg_read_word(&terms, " ", &word)) {
		if (wrong.n > 0 && word.p == wrong.p)
			continue;
		has_redirect = has_redirect || mg_str_starts_nocase(word, MG_STR("redirect="));
		has_all = has_all || is_all(word);
		mg_buf_addc(&record, ' ');
		mg_buf_add(&record, is_open_all(word) ? MG_STR("-all") : word);
	}
	if (!has_all && !has_redirect)
		mg_buf_addz(&record, " -all");
	return keep_record(finding, &record);
}

struct spf_verdict {
	enum mg_result result;
	const char *mechanism;
	struct mg_say say; /* in the evaluation's memory */
	unsigned lookups, voids;
};

/* `arena` keeps what the verdict says. */
static struct spf_verdict evaluate(const struct mg_check_env *env, const struct mg_own *own, const char *domain,
	const struct mg_ip *ip, struct mg_arena *arena)
{
	char mail_from[MG_DNS_NAME_MAX + sizeof "postmaster@"];
	struct mg_spf_input input = { .ip = *ip,
		.scope = MG_SPF_MFROM,
		.helo = mg_str_z(own->hostname[0] == '\0' ? domain : own->hostname),
		.receiver = mg_str_z(own->hostname),
		.now_s = mg_wall_us() / MG_S_US };
	const struct mg_spf_output *output;
	struct mg_buf sender;
	struct mg_spf *spf;

	mg_buf_init(&sender, sizeof mail_from);
	mg_buf_addf(&sender, "postmaster@%s", domain);
	mg_str_copy(mail_from, sizeof mail_from, mg_buf_str(&sender));
	mg_buf_fini(&sender);
	input.mail_from = mg_str_z(mail_from);
	if ((spf = mg_spf_new(arena, &input)) == NULL)
		return (struct spf_verdict){ .result = MG_RESULT_TEMPERROR, .mechanism = "" };
	while (mg_spf_step(spf, env->dns) == MG_STEP_WAIT)
		mg_check_wait(env);
	output = mg_spf_output(spf);
	return (struct spf_verdict){ output->result, output->mechanism, output->say, output->lookups, output->voids };
}

static void say_unanswered(struct mg_finding *finding, const char *domain, const struct spf_verdict *verdict)
{
	mg_finding_is(finding, MG_STATE_UNKNOWN, N_("the SPF record of %1 can't be followed to its end"), domain, NULL);
	mg_finding_because(finding, &verdict->say);
	mg_finding_fix(finding, N_("dig %1 TXT; mailguardctl check dns.resolver"), domain, NULL);
}

static void say_broken(const struct mg_check_env *env, const struct mg_own *own, const char *domain,
	const struct spf_verdict *verdict, struct mg_finding *finding)
{
	mg_finding_is(
		finding, MG_STATE_CRIT, N_("the SPF record of %1 is in error, so it counts for nothing"), domain, NULL);
	mg_finding_because(finding, &verdict->say);
	mg_finding_fix(finding,
		N_("write addresses (ip4:, ip6:) instead of names, and take out what no longer sends; the shortest that works: %1. IN TXT %2"),
		domain, fresh_record(env, own, domain, finding), NULL);
}

/* What the record says of somebody it does not name, who walks through all of it. */
static void judge_stranger(const struct mg_check_env *env, const struct mg_own *own, const char *domain,
	struct mg_str terms, struct mg_finding *finding)
{
	static const struct mg_ip stranger = { MG_IP_V4, { 240, 0, 0, 1 } };
	enum mg_check_state state;
	struct spf_verdict verdict;
	struct mg_arena arena;

	mg_arena_init(&arena, SPF_MEMORY);
	verdict = evaluate(env, own, domain, &stranger, &arena);
	mg_finding_evidence(finding, "%s: %u look-ups of 10, %u void, strangers: %s (%s)", domain, verdict.lookups,
		verdict.voids, mg_result_name(verdict.result), mg_dns_shown(finding, mg_str_z(verdict.mechanism)));
	switch (verdict.result) {
	case MG_RESULT_TEMPERROR:
		say_unanswered(finding, domain, &verdict);
		break;
	case MG_RESULT_PERMERROR:
		say_broken(env, own, domain, &verdict, finding);
		break;
	case MG_RESULT_PASS:
		mg_finding_is(finding, MG_STATE_CRIT, N_("the SPF record of %1 lets the whole world send in its name"),
			domain, NULL);
		mg_finding_cause(finding, N_("\"%1\" matches every address"),
			mg_dns_shown(finding, mg_str_z(verdict.mechanism)), NULL);
		mg_finding_fix(finding, N_("in the zone: %1. IN TXT %2"), domain,
			is_open_all(mg_str_z(verdict.mechanism)) ? mended_record(finding, terms, NULL, MG_STR(""))
								 : fresh_record(env, own, domain, finding),
			NULL);
		break;
	case MG_RESULT_NEUTRAL:
		mg_finding_is(
			finding, MG_STATE_WARN, N_("the SPF record of %1 says nothing about strangers"), domain, NULL);
		mg_finding_cause(finding,
			N_("it ends in \"?all\", or without an \"all\": forged mail is not told from yours"), NULL);
		mg_finding_fix(finding, N_("in the zone: %1. IN TXT %2"), domain,
			mended_record(finding, terms, NULL, MG_STR("")), NULL);
		break;
	default:
		break;
	}
	state = verdict.result == MG_RESULT_PERMERROR ? MG_STATE_OK
						      : mg_check_grade(env, "dns.spf", verdict.lookups, 8, 11);
	if (state != MG_STATE_OK) {
		mg_finding_is(finding, state, N_("the SPF record of %1 takes %2 look-ups of the 10 allowed"), domain,
			mg_finding_number(finding, verdict.lookups, ""), NULL);
		mg_finding_cause(finding,
			N_("an include: more, or one that a provider adds to its own, and the record counts for nothing"),
			NULL);
		mg_finding_fix(finding,
			N_("write addresses (ip4:, ip6:) instead of names, and take out what no longer sends; the shortest that works: %1. IN TXT %2"),
			domain, fresh_record(env, own, domain, finding), NULL);
	}
	if (!finding->has_value || verdict.lookups > finding->value)
		mg_finding_value(finding, verdict.lookups, "look-ups");
	mg_arena_fini(&arena);
}

static void judge_own_address(const struct mg_check_env *env, const struct mg_own *own, const char *domain,
	struct mg_str terms, const struct mg_ip *ip, struct mg_finding *finding)
{
	const char *address = mg_dns_shown_ip(finding, ip);
	struct spf_verdict verdict;
	struct mg_arena arena;

	mg_arena_init(&arena, SPF_MEMORY);
	verdict = evaluate(env, own, domain, ip, &arena);
	mg_finding_evidence(finding, "%s: %s: %s (%s)", domain, address, mg_result_name(verdict.result),
		mg_dns_shown(finding, mg_str_z(verdict.mechanism)));
	if (verdict.result == MG_RESULT_TEMPERROR) {
		say_unanswered(finding, domain, &verdict);
	} else if (verdict.result == MG_RESULT_PERMERROR) {
		say_broken(env, own, domain, &verdict, finding);
	} else if (verdict.result != MG_RESULT_PASS) {
		mg_finding_is(finding, MG_STATE_CRIT,
			N_("the SPF record of %1 does not let this server send: %2 gets %3"), domain, address,
			mg_result_name(verdict.result), NULL);
		mg_finding_because(finding, &verdict.say);
		mg_finding_fix(finding, N_("in the zone: %1. IN TXT %2"), domain,
			mended_record(finding, terms, ip, MG_STR("")), NULL);
	}
	mg_arena_fini(&arena);
}

/* False: there is not one record that can be read, and that is said. */
static bool has_sound_record(const struct mg_check_env *env, const struct mg_own *own, const char *domain,
	const struct mg_dns_answer *answer, struct mg_str *terms, struct mg_finding *finding)
{
	struct mg_spf_record record;
	struct mg_str wrong = MG_STR("");

	switch (mg_spf_record_select(answer, terms)) {
	case MG_SPF_NO_RECORD:
		mg_finding_evidence(finding, "%s TXT: no SPF record", domain);
		mg_finding_is(finding, MG_STATE_CRIT, N_("%1 has no SPF record"), domain, NULL);
		mg_finding_cause(finding,
			N_("nothing in the zone says which servers may send for it, so big receivers refuse or mark its mail"),
			NULL);
		mg_finding_fix(finding, N_("in the zone: %1. IN TXT %2"), domain,
			fresh_record(env, own, domain, finding), NULL);
		return false;
	case MG_SPF_SEVERAL_RECORDS:
		for (size_t i = 0; i < answer->count; i++)
			if (mg_str_starts_nocase(answer->records[i].text, MG_STR("v=spf1")))
				mg_finding_evidence(finding, "%s TXT \"%s\"", domain,
					mg_dns_shown(finding, answer->records[i].text));
		mg_finding_is(
			finding, MG_STATE_CRIT, N_("%1 has more than one SPF record, so none counts"), domain, NULL);
		mg_finding_cause(finding,
			N_("a domain has exactly one (RFC 7208 section 4.5): join their terms into one"), NULL);
		mg_finding_fix(finding, N_("take all of them out of the zone but one, such as: %1. IN TXT %2"), domain,
			fresh_record(env, own, domain, finding), NULL);
		return false;
	case MG_SPF_ONE_RECORD:
		break;
	}
	mg_finding_evidence(finding, "%s TXT \"v=spf1%s\"", domain, mg_dns_shown(finding, *terms));
	if (mg_spf_record_parse(*terms, &record, &wrong))
		return true;
	mg_finding_is(finding, MG_STATE_CRIT, N_("the SPF record of %1 can't be read: \"%2\""), domain,
		mg_dns_shown(finding, wrong), NULL);
	mg_finding_cause(finding, N_("a typing error in one term makes the whole record count for nothing"), NULL);
	mg_finding_fix(finding, N_("mend or leave out that term: %1. IN TXT %2"), domain,
		mended_record(finding, *terms, NULL, wrong), NULL);
	return false;
}

void mg_judge_spf(
	const struct mg_check_env *env, const struct mg_own *own, const char *domain, struct mg_finding *finding)
{
	const struct mg_dns_answer *answer = mg_check_ask(env, mg_str_z(domain), MG_DNS_TXT);
	struct mg_str terms;

	if (mg_dns_is_silent(finding, domain, MG_DNS_TXT, answer) ||
		!has_sound_record(env, own, domain, answer, &terms, finding))
		return;
	judge_stranger(env, own, domain, terms, finding);
	for (size_t i = 0; i < own->address_count && !own->has_smarthost; i++)
		judge_own_address(env, own, domain, terms, &own->addresses[i], finding);
}

static void check_spf(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct mg_own own;

	finding->manual = "dig DOMAIN TXT";
	if (!mg_own(env, finding, &own) || !mg_own_prefetch(env, finding, &own, MG_DNS_TXT))
		return;
	finding->manual = mg_dns_text(finding, "dig %s TXT", own.domains[0]);
	if (own.has_smarthost || own.address_count == 0)
		mg_finding_evidence(finding, "own addresses not judged: %s",
			own.has_smarthost ? "mail goes out through relayhost" : "none is known");
	for (size_t i = 0; i < own.domain_count; i++)
		mg_judge_spf(env, &own, own.domains[i], finding);
	mg_finding_is(finding, MG_STATE_OK, N_("SPF lets this server send for every own domain"), NULL);
}

const struct mg_check mg_checks_dns_spf[] = {
	{ "dns.spf", N_("SPF lets this server send"), PERIOD_S, DEADLINE_MS, .run = check_spf,
		.follows = { "dns.mx", "dns.a" }, .needs = "dns.resolver" },
};
const size_t mg_checks_dns_spf_count = sizeof mg_checks_dns_spf / sizeof mg_checks_dns_spf[0];
