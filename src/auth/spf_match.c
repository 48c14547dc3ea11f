/* Address questions of one term are asked together, and what came of them is tallied. */
#include "auth/spf_match.h"

#include "auth/iprev.h"

struct tally {
	bool waits, matches, is_void;
	enum mg_dns_trouble trouble;
};

static enum mg_dns_type address_type(const struct mg_ip *ip)
{
	return ip->family == MG_IP_V6 ? MG_DNS_AAAA : MG_DNS_A;
}

static bool holds_address(const struct mg_dns_answer *answer, const struct mg_ip *ip, unsigned bits)
{
	for (size_t i = 0; i < answer->count; i++) {
		struct mg_net net = { answer->records[i].ip, bits };

		if (mg_net_contains(&net, ip))
			return true;
	}
	return false;
}

/* Asks, and tallies all but what was found. A name that DNS can't hold has nothing, and costs nothing. */
static const struct mg_dns_answer *ask(
	struct tally *tally, struct mg_lookup *lookup, struct mg_str name, enum mg_dns_type type)
{
	struct mg_dns_question question;
	const struct mg_dns_answer *answer;

	if (!mg_dns_question_make(name, type, &question))
		return NULL;
	answer = mg_lookup_get(lookup, name, type);
	if (answer == NULL) {
		tally->waits = true;
		return NULL;
	}
	if (answer->status == MG_DNS_TROUBLE)
		tally->trouble = answer->trouble;
	else if (answer->count == 0)
		tally->is_void = true;
	return answer->count == 0 ? NULL : answer;
}

static void ask_address(
	struct tally *tally, struct mg_lookup *lookup, struct mg_str name, const struct mg_ip *ip, unsigned bits)
{
	const struct mg_dns_answer *answer = ask(tally, lookup, name, address_type(ip));

	tally->matches |= answer != NULL && holds_address(answer, ip, bits);
}

static struct mg_spf_match sum_up(const struct tally *tally)
{
	if (tally->matches)
		return (struct mg_spf_match){ .verdict = MG_SPF_MATCHES };
	if (tally->waits)
		return (struct mg_spf_match){ .verdict = MG_SPF_WAITS };
	if (tally->trouble != MG_DNS_FINE)
		return (struct mg_spf_match){ .verdict = MG_SPF_TROUBLE, .trouble = tally->trouble };
	return (struct mg_spf_match){ .verdict = MG_SPF_DIFFERS, .is_void = tally->is_void };
}

static struct mg_spf_match match_a(
	const struct mg_spf_term *term, const struct mg_ip *ip, struct mg_str target, struct mg_lookup *lookup)
{
	struct tally tally = { 0 };

	ask_address(&tally, lookup, target, ip, ip->family == MG_IP_V6 ? term->bits6 : term->bits4);
	return sum_up(&tally);
}

static struct mg_spf_match match_mx(
	const struct mg_spf_term *term, const struct mg_ip *ip, struct mg_str target, struct mg_lookup *lookup)
{
	struct tally tally = { 0 };
	const struct mg_dns_answer *hosts = ask(&tally, lookup, target, MG_DNS_MX);

	if (hosts != NULL && hosts->count > MG_SPF_HOSTS)
		return (struct mg_spf_match){ .verdict = MG_SPF_TOO_MANY };
	for (size_t i = 0; hosts != NULL && i < hosts->count; i++)
		ask_address(
			&tally, lookup, hosts->records[i].text, ip, ip->family == MG_IP_V6 ? term->bits6 : term->bits4);
	return sum_up(&tally);
}

/* Always an A record, whatever the client's family (section 5.7). */
static struct mg_spf_match match_exists(
	const struct mg_spf_term *term, const struct mg_ip *ip, struct mg_str target, struct mg_lookup *lookup)
{
	struct tally tally = { 0 };

	(void)term;
	(void)ip;
	tally.matches = ask(&tally, lookup, target, MG_DNS_A) != NULL;
	return sum_up(&tally);
}

static struct mg_spf_match match_net(
	const struct mg_spf_term *term, const struct mg_ip *ip, struct mg_str target, struct mg_lookup *lookup)
{
	struct tally tally = { .matches = mg_net_contains(&term->net, ip) };

	(void)target;
	(void)lookup;
	return sum_up(&tally);
}

static struct mg_spf_match match_all(
	const struct mg_spf_term *term, const struct mg_ip *ip, struct mg_str target, struct mg_lookup *lookup)
{
	(void)term;
	(void)ip;
	(void)target;
	(void)lookup;
	return (struct mg_spf_match){ .verdict = MG_SPF_MATCHES };
}

/* ---- names of the client ---- */

static bool is_within(struct mg_str name, struct mg_str domain)
{
	if (!mg_str_ends_nocase(name, domain) || domain.n == 0)
		return false;
	return name.n == domain.n || name.p[name.n - domain.n - 1] == '.';
}

static const struct mg_dns_answer *ask_names(struct tally *tally, const struct mg_ip *ip, struct mg_lookup *lookup)
{
	const struct mg_dns_answer *names;
	struct mg_buf name;

	mg_buf_init(&name, MG_DNS_NAME_MAX);
	mg_ip_reversed(&name, ip, ip->family == MG_IP_V6 ? MG_STR("ip6.arpa") : MG_STR("in-addr.arpa"));
	names = ask(tally, lookup, mg_buf_str(&name), MG_DNS_PTR);
	mg_buf_fini(&name);
	return names;
}

static size_t looked_at(const struct mg_dns_answer *names)
{
	if (names == NULL)
		return 0;
	return names->count < MG_SPF_HOSTS ? names->count : MG_SPF_HOSTS;
}

/* Names outside the target can't match, so they aren't asked about. DNS trouble means no match here (section 5.5), unless
 * it is ours: the message has no time or questions left. */
static struct mg_spf_match match_ptr(
	const struct mg_spf_term *term, const struct mg_ip *ip, struct mg_str target, struct mg_lookup *lookup)
{
	struct tally tally = { 0 };
	const struct mg_dns_answer *names = ask_names(&tally, ip, lookup);

	(void)term;
	for (size_t i = 0; i < looked_at(names); i++)
		if (is_within(names->records[i].text, target))
			ask_address(&tally, lookup, names->records[i].text, ip, 128);
	if (tally.trouble != MG_DNS_BUDGET)
		tally.trouble = MG_DNS_FINE;
	return sum_up(&tally);
}

/* How good a validated name is: 0 not validated. */
static unsigned worth(const struct mg_str name, struct mg_str domain)
{
	if (mg_str_eq_nocase(name, domain))
		return 3;
	return is_within(name, domain) ? 2 : 1;
}

bool mg_spf_validated(const struct mg_ip *ip, struct mg_str domain, struct mg_lookup *lookup, char place[MG_SPF_NAME])
{
	struct tally all = { 0 };
	const struct mg_dns_answer *names = ask_names(&all, ip, lookup);
	struct mg_str best = MG_STR("unknown");
	unsigned best_worth = 0;

	for (size_t i = 0; i < looked_at(names); i++) {
		struct mg_str name = names->records[i].text;
		struct tally one = { 0 };

		ask_address(&one, lookup, name, ip, 128);
		all.waits |= one.waits;
		if (one.matches && worth(name, domain) > best_worth) {
			best = name;
			best_worth = worth(name, domain);
		}
	}
	mg_str_copy(place, MG_SPF_NAME, best);
	return !all.waits;
}

/* ---- all of them ---- */

struct mg_spf_match mg_spf_match(
	const struct mg_spf_term *term, const struct mg_ip *ip, struct mg_str target, struct mg_lookup *lookup)
{
	switch (term->kind) {
	case MG_SPF_ALL:
		return match_all(term, ip, target, lookup);
	case MG_SPF_A:
		return match_a(term, ip, target, lookup);
	case MG_SPF_MX:
		return match_mx(term, ip, target, lookup);
	case MG_SPF_PTR:
		return match_ptr(term, ip, target, lookup);
	case MG_SPF_IP4:
	case MG_SPF_IP6:
		return match_net(term, ip, target, lookup);
	case MG_SPF_EXISTS:
		return match_exists(term, ip, target, lookup);
	case MG_SPF_NO_KIND: /* include is not asked here; the others are no mechanisms */
	case MG_SPF_INCLUDE:
	case MG_SPF_REDIRECT:
	case MG_SPF_EXP:
	case MG_SPF_UNKNOWN_MODIFIER:
		break;
	}
	return (struct mg_spf_match){ .verdict = MG_SPF_DIFFERS };
}
