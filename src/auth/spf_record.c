/* Terms are words between spaces; a table says of each name what may follow it. */
#include "auth/spf_record.h"

#include <arpa/inet.h>

#include "auth/spf_macro.h"

enum mg_spf_selected mg_spf_record_select(const struct mg_dns_answer *answer, struct mg_str *terms_out)
{
	const struct mg_str version = MG_STR("v=spf1");
	enum mg_spf_selected selected = MG_SPF_NO_RECORD;

	for (size_t i = 0; i < answer->count; i++) {
		struct mg_str text = answer->records[i].text, rest = mg_str_from(text, version.n);

		if (!mg_str_starts_nocase(text, version) || (rest.n > 0 && rest.p[0] != ' '))
			continue;
		if (selected != MG_SPF_NO_RECORD)
			return MG_SPF_SEVERAL_RECORDS;
		selected = MG_SPF_ONE_RECORD;
		*terms_out = rest;
	}
	return selected;
}

/* ---- what may follow a mechanism's name ---- */

typedef bool argument_reader(struct mg_str rest, struct mg_spf_term *term);

/* ip4-cidr-length and ip6-cidr-length without their slash: no leading zero. */
static bool read_bits(struct mg_str digits, unsigned most, unsigned *bits_out)
{
	uint64_t bits;

	if (!mg_str_to_u64(digits, most, &bits) || (digits.n > 1 && digits.p[0] == '0'))
		return false;
	*bits_out = (unsigned)bits;
	return true;
}

/* Takes "/" and digits off the end of *rest. False, and nothing taken, when it doesn't end so. */
static bool cut_length(struct mg_str *rest, struct mg_str *digits_out)
{
	size_t at = rest->n;

	while (at > 0 && rest->p[at - 1] >= '0' && rest->p[at - 1] <= '9')
		at--;
	if (at == rest->n || at == 0 || rest->p[at - 1] != '/')
		return false;
	*digits_out = mg_str_from(*rest, at);
	*rest = mg_str_first(*rest, at - 1);
	return true;
}

/* dual-cidr-length = [ "/" ip4 ] [ "//" ip6 ], read from the end: a domain-spec may hold slashes itself. */
static bool cut_dual_length(struct mg_str *rest, struct mg_spf_term *term)
{
	struct mg_str digits;

	term->bits4 = 32;
	term->bits6 = 128;
	if (!cut_length(rest, &digits))
		return true;
	if (rest->n > 0 && rest->p[rest->n - 1] == '/') {
		rest->n--;
		if (!read_bits(digits, 128, &term->bits6))
			return false;
		if (!cut_length(rest, &digits))
			return true;
	}
	return read_bits(digits, 32, &term->bits4);
}

static bool read_nothing(struct mg_str rest, struct mg_spf_term *term)
{
	(void)term;
	return rest.n == 0;
}

static bool read_domain(struct mg_str rest, struct mg_spf_term *term)
{
	if (!mg_read_token(&rest, MG_STR(":")))
		return false;
	term->spec = rest;
	return mg_spf_domain_spec_is_sound(rest);
}

static bool read_optional_domain(struct mg_str rest, struct mg_spf_term *term)
{
	return rest.n == 0 || read_domain(rest, term);
}

static bool read_domain_and_lengths(struct mg_str rest, struct mg_spf_term *term)
{
	return cut_dual_length(&rest, term) && read_optional_domain(rest, term);
}

/* Reads ":" address [ "/" bits ]. An ip6 network stays IPv6, even ::ffff:0:0/96: no IPv4 client is in it (section 5). */
static bool read_net(struct mg_str rest, int family, const char *bytes, unsigned most, struct mg_spf_term *term)
{
	char address[MG_IP_TEXT];
	struct mg_str digits, text;

	term->net.bits = most;
	term->net.base.family = family == AF_INET ? MG_IP_V4 : MG_IP_V6;
	if (!mg_read_token(&rest, MG_STR(":")))
		return false;
	if (cut_length(&rest, &digits) && !read_bits(digits, most, &term->net.bits))
		return false;
	text = rest;
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] == '\0' || strchr(bytes, text.p[i]) == NULL)
			return false;
	return mg_str_copy(address, sizeof address, text) && inet_pton(family, address, term->net.base.bytes) == 1;
}

static bool read_ip4(struct mg_str rest, struct mg_spf_term *term)
{
	return read_net(rest, AF_INET, "0123456789.", 32, term);
}

static bool read_ip6(struct mg_str rest, struct mg_spf_term *term)
{
	return read_net(rest, AF_INET6, "0123456789abcdefABCDEF:.", 128, term);
}

static const struct mechanism {
	struct mg_str name;
	enum mg_spf_kind kind;
	bool asks;
	argument_reader *read;
} mechanisms[] = {
	{ { "all", 3 }, MG_SPF_ALL, false, read_nothing },
	{ { "include", 7 }, MG_SPF_INCLUDE, true, read_domain },
	{ { "a", 1 }, MG_SPF_A, true, read_domain_and_lengths },
	{ { "mx", 2 }, MG_SPF_MX, true, read_domain_and_lengths },
	{ { "ptr", 3 }, MG_SPF_PTR, true, read_optional_domain },
	{ { "ip4", 3 }, MG_SPF_IP4, false, read_ip4 },
	{ { "ip6", 3 }, MG_SPF_IP6, false, read_ip6 },
	{ { "exists", 6 }, MG_SPF_EXISTS, true, read_domain },
};
enum { MECHANISMS = sizeof mechanisms / sizeof mechanisms[0] };

bool mg_spf_kind_asks(enum mg_spf_kind kind)
{
	for (size_t i = 0; i < MECHANISMS; i++)
		if (mechanisms[i].kind == kind)
			return mechanisms[i].asks;
	return kind == MG_SPF_REDIRECT;
}

/* ---- terms ---- */

static enum mg_result read_qualifier(struct mg_str *rest)
{
	static const struct {
		struct mg_str sign;
		enum mg_result result;
	} qualifiers[] = {
		{ { "+", 1 }, MG_RESULT_PASS },
		{ { "-", 1 }, MG_RESULT_FAIL },
		{ { "~", 1 }, MG_RESULT_SOFTFAIL },
		{ { "?", 1 }, MG_RESULT_NEUTRAL },
	};

	for (size_t i = 0; i < sizeof qualifiers / sizeof qualifiers[0]; i++)
		if (mg_read_token(rest, qualifiers[i].sign))
			return qualifiers[i].result;
	return MG_RESULT_PASS;
}

/* Its name ends at the first ":" or "/" (section 4.6.1), or with the term. */
static bool read_mechanism(struct mg_str text, struct mg_spf_term *term)
{
	struct mg_str rest = text, name;
	size_t end = 0;

	term->result = read_qualifier(&rest);
	while (end < rest.n && rest.p[end] != ':' && rest.p[end] != '/')
		end++;
	name = mg_str_first(rest, end);
	rest = mg_str_from(rest, end);
	for (size_t i = 0; i < MECHANISMS; i++) {
		if (!mg_str_eq_nocase(name, mechanisms[i].name))
			continue;
		term->kind = mechanisms[i].kind;
		return mechanisms[i].read(rest, term);
	}
	return false;
}

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* name = ALPHA *( ALPHA / DIGIT / "-" / "_" / "." ), and "=" right behind it. */
static bool read_modifier_name(struct mg_str *rest, struct mg_str *name_out)
{
	size_t end = mg_str_find(*rest, '=');

	if (end == SIZE_MAX || end == 0 || !is_alpha(rest->p[0]))
		return false;
	for (size_t i = 1; i < end; i++)
		if (!is_alpha(rest->p[i]) && strchr("0123456789-_.", rest->p[i]) == NULL)
			return false;
	*name_out = mg_str_first(*rest, end);
	*rest = mg_str_from(*rest, end + 1);
	return true;
}

static bool read_modifier(struct mg_str name, struct mg_str value, struct mg_spf_term *term)
{
	term->spec = value;
	if (mg_str_eq_nocase(name, MG_STR("redirect")))
		term->kind = MG_SPF_REDIRECT;
	else if (mg_str_eq_nocase(name, MG_STR("exp")))
		term->kind = MG_SPF_EXP;
	else
		term->kind = MG_SPF_UNKNOWN_MODIFIER;
	return term->kind == MG_SPF_UNKNOWN_MODIFIER ? mg_spf_macro_is_sound(value, MG_SPF_IN_MODIFIER)
						     : mg_spf_domain_spec_is_sound(value);
}

static bool is_visible(struct mg_str text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] <= ' ' || text.p[i] > '~')
			return false;
	return true;
}

static bool read_term(struct mg_str text, struct mg_spf_term *term)
{
	struct mg_str rest = text, name;

	*term = (struct mg_spf_term){ .text = text };
	if (!is_visible(text))
		return false;
	if (read_modifier_name(&rest, &name))
		return read_modifier(name, rest, term);
	return read_mechanism(text, term);
}

/* False for a second one (section 6). */
static bool keep_modifier(struct mg_str *place, const struct mg_spf_term *term)
{
	bool is_first = place->n == 0;

	*place = term->spec;
	return is_first;
}

bool mg_spf_record_parse(struct mg_str terms, struct mg_spf_record *record_out, struct mg_str *wrong_out)
{
	struct mg_spf_term term;
	struct mg_str text;

	*record_out = (struct mg_spf_record){ .terms = terms };
	while (mg_read_word(&terms, " ", &text)) {
		bool is_sound = read_term(text, &term);

		if (is_sound && term.kind == MG_SPF_REDIRECT)
			is_sound = keep_modifier(&record_out->redirect, &term);
		else if (is_sound && term.kind == MG_SPF_EXP)
			is_sound = keep_modifier(&record_out->exp, &term);
		if (!is_sound) {
			*wrong_out = text;
			return false;
		}
	}
	return true;
}

bool mg_spf_directive_next(struct mg_str *terms, struct mg_spf_term *term_out)
{
	struct mg_str text;

	while (mg_read_word(terms, " ", &text) && read_term(text, term_out))
		if (term_out->kind < MG_SPF_REDIRECT)
			return true;
	return false;
}
