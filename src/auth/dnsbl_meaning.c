/* What the return codes of the lists in common use mean, as their operators document them. */
#include "auth/dnsbl.h"

#include "base/i18n.h"

static const struct {
	struct mg_str zone;              /* or the end of one, from a dot on: a customer's key may stand before it */
	unsigned char first[3], last[3]; /* the last three octets of 127/8, from and to */
	const char *meaning;
} rows[] = {
	{ { "spamhaus.org", 12 }, { 0, 0, 2 }, { 0, 0, 2 }, N_("a source of spam (SBL)") },
	{ { "spamhaus.org", 12 }, { 0, 0, 3 }, { 0, 0, 3 }, N_("a source of low-reputation mail (SBL CSS)") },
	{ { "spamhaus.org", 12 }, { 0, 0, 4 }, { 0, 0, 7 }, N_("an infected or hijacked machine (XBL)") },
	{ { "spamhaus.org", 12 }, { 0, 0, 9 }, { 0, 0, 9 }, N_("a hijacked or criminal network (SBL DROP)") },
	{ { "spamhaus.org", 12 }, { 0, 0, 10 }, { 0, 0, 11 },
		N_("an address that should not send mail directly (PBL)") },
	{ { "dq.spamhaus.net", 15 }, { 0, 0, 2 }, { 0, 0, 2 }, N_("a source of spam (SBL)") },
	{ { "dq.spamhaus.net", 15 }, { 0, 0, 3 }, { 0, 0, 3 }, N_("a source of low-reputation mail (SBL CSS)") },
	{ { "dq.spamhaus.net", 15 }, { 0, 0, 4 }, { 0, 0, 7 }, N_("an infected or hijacked machine (XBL)") },
	{ { "dq.spamhaus.net", 15 }, { 0, 0, 9 }, { 0, 0, 9 }, N_("a hijacked or criminal network (SBL DROP)") },
	{ { "dq.spamhaus.net", 15 }, { 0, 0, 10 }, { 0, 0, 11 },
		N_("an address that should not send mail directly (PBL)") },
	{ { "dq.spamhaus.net", 15 }, { 0, 0, 20 }, { 0, 0, 20 }, N_("a machine that tries stolen logins (AuthBL)") },
	{ { "bl.spamcop.net", 14 }, { 0, 0, 2 }, { 0, 0, 2 }, N_("reported as a source of spam (SpamCop)") },
	{ { "barracudacentral.org", 20 }, { 0, 0, 2 }, { 0, 0, 2 }, N_("a source of spam (Barracuda)") },
	{ { "bl.mailspike.net", 16 }, { 0, 0, 2 }, { 0, 0, 2 }, N_("a source of spam (Mailspike)") },
	{ { "mailspike.net", 13 }, { 0, 0, 10 }, { 0, 0, 10 }, N_("the worst reputation (Mailspike)") },
	{ { "mailspike.net", 13 }, { 0, 0, 11 }, { 0, 0, 11 }, N_("a very bad reputation (Mailspike)") },
	{ { "mailspike.net", 13 }, { 0, 0, 12 }, { 0, 0, 12 }, N_("a bad reputation (Mailspike)") },
	{ { "mailspike.net", 13 }, { 0, 0, 13 }, { 0, 0, 13 }, N_("suspicious behaviour (Mailspike)") },
	{ { "mailspike.net", 13 }, { 0, 0, 14 }, { 0, 0, 16 }, N_("a neutral reputation (Mailspike)") },
	{ { "mailspike.net", 13 }, { 0, 0, 17 }, { 0, 0, 17 }, N_("possibly a legitimate sender (Mailspike)") },
	{ { "mailspike.net", 13 }, { 0, 0, 18 }, { 0, 0, 18 }, N_("a good reputation (Mailspike)") },
	{ { "mailspike.net", 13 }, { 0, 0, 19 }, { 0, 0, 19 }, N_("a very good reputation (Mailspike)") },
	{ { "mailspike.net", 13 }, { 0, 0, 20 }, { 0, 0, 20 }, N_("an excellent reputation (Mailspike)") },
	{ { "psbl.surriel.com", 16 }, { 0, 0, 2 }, { 0, 0, 2 }, N_("has sent mail to a spam trap (PSBL)") },
	{ { "dnsbl-1.uceprotect.net", 22 }, { 0, 0, 2 }, { 0, 0, 2 }, N_("a source of spam (UCEPROTECT level 1)") },
	{ { "dnsbl-2.uceprotect.net", 22 }, { 0, 0, 2 }, { 0, 0, 2 },
		N_("in a network that sends spam (UCEPROTECT level 2)") },
	{ { "dnsbl-3.uceprotect.net", 22 }, { 0, 0, 2 }, { 0, 0, 2 },
		N_("at a provider that sends spam (UCEPROTECT level 3)") },
};

/* dnswl.org: 127.0.CATEGORY.TRUST. */
static const char *const trusts[] = {
	N_("%1, no trust (dnswl.org)"),
	N_("%1, low trust (dnswl.org)"),
	N_("%1, medium trust (dnswl.org)"),
	N_("%1, high trust (dnswl.org)"),
};
static const char *const categories[] = {
	[2] = N_("financial services"),
	[3] = N_("email service provider"),
	[4] = N_("organisation"),
	[5] = N_("network provider"),
	[6] = N_("personal or private server"),
	[7] = N_("travel or leisure industry"),
	[8] = N_("public sector"),
	[9] = N_("media or technology company"),
	[10] = N_("special case"),
	[11] = N_("education"),
	[12] = N_("healthcare"),
	[13] = N_("manufacturing or industry"),
	[14] = N_("retail, wholesale or services"),
	[15] = N_("email marketing provider"),
	[20] = N_("registered by itself"),
};

static bool is_of(struct mg_str zone, struct mg_str list)
{
	if (!mg_str_ends_nocase(zone, list))
		return false;
	return zone.n == list.n || zone.p[zone.n - list.n - 1] == '.';
}

static struct mg_say dnswl_meaning(const unsigned char code[3])
{
	if (code[0] != 0 || code[1] >= sizeof categories / sizeof categories[0] || categories[code[1]] == NULL ||
		code[2] >= sizeof trusts / sizeof trusts[0])
		return (struct mg_say){ 0 };
	return MG_SAY(trusts[code[2]], categories[code[1]]);
}

struct mg_say mg_dnsbl_meaning(const char *zone, const struct mg_ip *code)
{
	struct mg_str name = mg_str_z(zone);

	if (code->family != MG_IP_V4 || code->bytes[0] != 127)
		return (struct mg_say){ 0 };
	if (is_of(name, MG_STR("list.dnswl.org")))
		return dnswl_meaning(code->bytes + 1);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (is_of(name, rows[i].zone) && memcmp(code->bytes + 1, rows[i].first, 3) >= 0 &&
			memcmp(code->bytes + 1, rows[i].last, 3) <= 0)
			return MG_SAY(rows[i].meaning);
	return (struct mg_say){ 0 };
}

/* A key: at least 16 letters and digits, and a digit among them. */
static bool is_key(struct mg_str label)
{
	enum { KEY_MIN = 16 };
	bool has_digit = false;

	for (size_t i = 0; i < label.n; i++) {
		char c = label.p[i];

		if ((c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z'))
			return false;
		has_digit |= c >= '0' && c <= '9';
	}
	return label.n >= KEY_MIN && has_digit;
}

const char *mg_dnsbl_shown(const char *zone, char place[MG_DNSBL_SHOWN])
{
	struct mg_str rest = mg_str_z(zone), label = mg_str_cut(&rest, '.');
	size_t at = 0;

	if (is_key(label)) {
		mg_str_copy(place, MG_DNSBL_SHOWN, MG_STR("KEY."));
		at = rest.n > 0 ? 4 : 3;
	} else {
		rest = mg_str_z(zone);
	}
	mg_str_copy(place + at, MG_DNSBL_SHOWN - at, rest);
	for (char *c = place; *c != '\0'; c++)
		if (*c <= ' ' || *c > '~')
			*c = '?';
	return place;
}
