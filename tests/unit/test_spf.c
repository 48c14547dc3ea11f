/* SPF by the clause: each mechanism, modifier, macro, limit and error; and the defects of other implementations. */
#include "rows.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "spf_kit.h"

/* Names that many rows share. */
static const char common[] = "host.example A 192.0.2.1\nhost.example AAAA 2001:db8::1\n"
			     "other.example A 198.51.100.1\nother.example AAAA 2001:db8:ffff::1\n"
			     "mixed.example A 198.51.100.1\nmixed.example A 192.0.2.77\n"
			     "mail.example MX 10 other.example\nmail.example MX 20 host.example\n"
			     "null.example MX 0 \n"
			     "half.example MX 10 slow.example\nhalf.example MX 20 host.example\n"
			     "slow.example TIMEOUT\nbroken.example SERVFAIL\n"
			     "1.2.0.192.in-addr.arpa PTR host.client.example\n"
			     "1.2.0.192.in-addr.arpa PTR forged.other.example\n"
			     "host.client.example A 192.0.2.1\nforged.other.example A 198.51.100.9\n"
			     "7.2.0.192.in-addr.arpa SERVFAIL\n"
			     "9.2.0.192.in-addr.arpa PTR slow.example\n"
			     "pass.example TXT v=spf1 ip4:192.0.2.0/24 -all\n"
			     "fail.example TXT v=spf1 -all exp=why.fail.example\n"
			     "why.fail.example TXT of fail.example: %{d}\n"
			     "soft.example TXT v=spf1 ~all\nneutral.example TXT v=spf1 ?all\n"
			     "odd.example TXT v=spf1 moo\nnone.example TXT hello\n";

static struct mg_spf_input input_of(const char *ip)
{
	struct mg_spf_input input = { .scope = MG_SPF_MFROM,
		.helo = MG_STR("mx.client.example"),
		.mail_from = MG_STR("strong-bad@email.example.com"),
		.receiver = MG_STR("mx.receiver.example"),
		.now_s = 1795291200,
		.wants_explanation = true };

	if (ip != NULL)
		assert_true(mg_ip_parse(mg_str_z(ip), &input.ip));
	else
		assert_true(mg_ip_parse(MG_STR("192.0.2.1"), &input.ip));
	return input;
}

static void begin(struct zone *zone, const char *record, const char *more)
{
	struct mg_buf text;

	mg_buf_init(&text, 64 * 1024);
	mg_buf_addz(&text, common);
	if (record != NULL)
		mg_buf_addf(&text, "email.example.com TXT %s\n", record);
	mg_buf_addz(&text, more == NULL ? "" : more);
	zone_begin(zone, mg_buf_z(&text));
	mg_buf_fini(&text);
}

static void run(struct spf_run *ran, struct zone *zone, const struct mg_spf_input *input)
{
	const char *broken = spf_run_begin(ran, zone, input);

	if (broken != NULL)
		fail_msg("%s: %s", broken, ran->output.reason);
}

static void end(struct spf_run *ran, struct zone *zone)
{
	spf_run_end(ran);
	zone_end(zone);
}

/* ---- results ---- */

struct result_row {
	const char *name, *record, *ip;
	enum mg_result result;
	int lookups; /* -1: any */
	const char *mechanism;
};
static const struct result_row result_rows[] = {
	{ "all", "v=spf1 all", NULL, MG_RESULT_PASS, 0, "all" },
	{ "-all", "v=spf1 -all", NULL, MG_RESULT_FAIL, 0, "-all" },
	{ "~all", "v=spf1 ~ALL", NULL, MG_RESULT_SOFTFAIL, 0, "~ALL" },
	{ "?all", "v=spf1 ?all", NULL, MG_RESULT_NEUTRAL, 0, "?all" },
	{ "nothing", "v=spf1", NULL, MG_RESULT_NEUTRAL, 0, "default" },
	{ "spaces alone", "v=spf1    ", NULL, MG_RESULT_NEUTRAL, 0, "default" },
	{ "no version", "spf1 -all", NULL, MG_RESULT_NONE, 0, "" },
	{ "a longer version", "v=spf10 -all", NULL, MG_RESULT_NONE, 0, "" },
	{ "a tab behind the version", "v=spf1\\x09-all", NULL, MG_RESULT_NONE, 0, "" },
	{ "a tab in it", "v=spf1 a\\x09-all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "DEL in it", "v=spf1 a:\\x7f.example -all", NULL, MG_RESULT_PERMERROR, 0, "" },

	{ "ip4", "v=spf1 ip4:192.0.2.1 -all", NULL, MG_RESULT_PASS, 0, "ip4:192.0.2.1" },
	{ "ip4 network with host bits", "v=spf1 ip4:192.0.2.99/24 -all", NULL, MG_RESULT_PASS, 0, "ip4:192.0.2.99/24" },
	{ "ip4 /0", "v=spf1 ip4:1.2.3.4/0 -all", NULL, MG_RESULT_PASS, 0, "ip4:1.2.3.4/0" },
	{ "ip4 another", "v=spf1 ip4:192.0.2.2 -all", NULL, MG_RESULT_FAIL, 0, "-all" },
	{ "ip4 /33", "v=spf1 ip4:192.0.2.1/33 -all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "ip4 /08", "v=spf1 ip4:192.0.2.1/08 -all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "ip4 /", "v=spf1 ip4:192.0.2.1/ -all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "ip4 //24", "v=spf1 ip4:192.0.2.1//24 -all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "ip4 of three octets", "v=spf1 ip4:192.0.2 -all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "ip4 in brackets", "v=spf1 ip4:[192.0.2.1] -all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "ip4 without", "v=spf1 ip4 -all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "ip4 empty", "v=spf1 ip4: -all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "ip4 holding an IPv6 address", "v=spf1 ip4:::1 -all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "ip4 and an IPv6 client", "v=spf1 ip4:0.0.0.0/0 -all", "2001:db8::1", MG_RESULT_FAIL, 0, "-all" },
	{ "ip4 and a mapped client", "v=spf1 ip4:192.0.2.1 -all", "::ffff:192.0.2.1", MG_RESULT_PASS, 0, NULL },

	{ "ip6", "v=spf1 ip6:2001:DB8::1 -all", "2001:db8::1", MG_RESULT_PASS, 0, "ip6:2001:DB8::1" },
	{ "ip6 /32", "v=spf1 ip6:2001:db8::/32 -all", "2001:db8:1::1", MG_RESULT_PASS, 0, NULL },
	{ "ip6 /33 inside", "v=spf1 ip6:2001:db8::/33 -all", "2001:db8:7fff::1", MG_RESULT_PASS, 0, NULL },
	{ "ip6 /33 outside", "v=spf1 ip6:2001:db8::/33 -all", "2001:db8:8000::1", MG_RESULT_FAIL, 0, NULL },
	{ "ip6 /127 outside", "v=spf1 ip6:2001:db8::/127 -all", "2001:db8::2", MG_RESULT_FAIL, 0, NULL },
	{ "ip6 /0", "v=spf1 ip6:::/0 -all", "2001:db8::2", MG_RESULT_PASS, 0, NULL },
	{ "ip6 /128", "v=spf1 ip6:2001:db8::2/128 -all", "2001:db8::2", MG_RESULT_PASS, 0, NULL },
	{ "ip6 /129", "v=spf1 ip6:2001:db8::/129 -all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "ip6 /-1", "v=spf1 ip6:2001:db8::/-1 -all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "ip6 /00", "v=spf1 ip6:2001:db8::/00 -all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "ip6 /4294967297", "v=spf1 ip6:2001:db8::/4294967297 -all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "ip6 /18446744073709551617", "v=spf1 ip6:::/18446744073709551617 -all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "ip6 / and no digits", "v=spf1 ip6:2001:db8::/ -all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "ip6 two prefixes", "v=spf1 ip6:2001:db8::/32/32 -all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "ip6 //", "v=spf1 ip6:2001:db8:://32 -all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "ip6 only a prefix", "v=spf1 ip6:/32 -all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "ip6 only a colon", "v=spf1 ip6:: -all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "ip6 NUL", "v=spf1 ip6:2001:db8::\\x00/32 -all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "ip6 with a zone index", "v=spf1 ip6:fe80::1%eth0 -all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "ip6 dressed", "v=spf1 ip6:IPv6:2001:db8::1 -all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "ip6 holding an IPv4 address", "v=spf1 ip6:192.0.2.1 -all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "ip6 too long", "v=spf1 ip6:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000 -all", NULL,
		MG_RESULT_PERMERROR, 0, "" },
	{ "ip6 mapped and an IPv4 client", "v=spf1 ip6:::ffff:192.0.2.1 -all", NULL, MG_RESULT_FAIL, 0, NULL },
	{ "ip6 mapped, wide, and an IPv6 client", "v=spf1 ip6:::ffff:192.0.2.1/64 -all", "::5", MG_RESULT_PASS, 0,
		NULL },

	{ "a", "v=spf1 a:host.example -all", NULL, MG_RESULT_PASS, 1, "a:host.example" },
	{ "a of IPv6", "v=spf1 a:host.example -all", "2001:db8::1", MG_RESULT_PASS, 1, NULL },
	{ "a second address", "v=spf1 a:mixed.example -all", "192.0.2.77", MG_RESULT_PASS, 1, NULL },
	{ "a /24", "v=spf1 a:mixed.example/24 -all", NULL, MG_RESULT_PASS, 1, NULL },
	{ "a //32", "v=spf1 a:host.example//32 -all", "2001:db8:77::1", MG_RESULT_PASS, 1, NULL },
	{ "a /24 says nothing of IPv6", "v=spf1 a:host.example/24 -all", "2001:db8::2", MG_RESULT_FAIL, 1, NULL },
	{ "a /024", "v=spf1 a:host.example/024 -all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "a //129", "v=spf1 a//129 -all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "a/24/64", "v=spf1 a/24/64 -all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "a/24//64", "v=spf1 a/24//64 -all", NULL, MG_RESULT_FAIL, 1, NULL },
	{ "a/", "v=spf1 a/ -all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "a of a name without a dot", "v=spf1 a:host -all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "a of an address", "v=spf1 a:192.0.2.1 -all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "a final dot", "v=spf1 a:host.example. -all", NULL, MG_RESULT_PASS, 1, NULL },
	{ "a two final dots", "v=spf1 a:host.example.. -all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "a case", "v=spf1 A:HOST.example -all", NULL, MG_RESULT_PASS, 1, "A:HOST.example" },
	{ "a that times out", "v=spf1 a:slow.example -all", NULL, MG_RESULT_TEMPERROR, 1, "" },
	{ "a that fails", "v=spf1 a:broken.example -all", NULL, MG_RESULT_TEMPERROR, 1, "" },
	{ "trouble behind a match is not met", "v=spf1 a:host.example a:slow.example", NULL, MG_RESULT_PASS, 1, NULL },

	{ "mx", "v=spf1 mx:mail.example -all", NULL, MG_RESULT_PASS, 1, "mx:mail.example" },
	{ "mx /16", "v=spf1 mx:mail.example/16 -all", "192.0.99.1", MG_RESULT_PASS, 1, NULL },
	{ "mx another", "v=spf1 mx:mail.example -all", "203.0.113.1", MG_RESULT_FAIL, 1, NULL },
	{ "mx null", "v=spf1 mx:null.example -all", NULL, MG_RESULT_FAIL, 1, NULL },
	{ "mx is not implied by an address", "v=spf1 mx:host.example -all", NULL, MG_RESULT_FAIL, 1, NULL },
	{ "mx with a slow host, another matches", "v=spf1 mx:half.example -all", NULL, MG_RESULT_PASS, 1, NULL },
	{ "mx with a slow host, none matches", "v=spf1 mx:half.example -all", "203.0.113.1", MG_RESULT_TEMPERROR, 1,
		"" },
	{ "mx that times out", "v=spf1 mx:slow.example -all", NULL, MG_RESULT_TEMPERROR, 1, "" },

	{ "ptr", "v=spf1 ptr:client.example -all", NULL, MG_RESULT_PASS, 1, "ptr:client.example" },
	{ "ptr the name itself", "v=spf1 ptr:host.client.example -all", NULL, MG_RESULT_PASS, 1, NULL },
	{ "ptr forged", "v=spf1 ptr:other.example -all", NULL, MG_RESULT_FAIL, 1, NULL },
	{ "ptr only the end of a label", "v=spf1 ptr:ient.example -all", NULL, MG_RESULT_FAIL, 1, NULL },
	{ "ptr trouble is no match", "v=spf1 ptr:client.example -all", "192.0.2.7", MG_RESULT_FAIL, 1, NULL },
	{ "ptr trouble of a name is no match", "v=spf1 ptr:slow.example -all", "192.0.2.9", MG_RESULT_FAIL, 1, NULL },
	{ "ptr empty", "v=spf1 ptr: -all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "ptr with a length", "v=spf1 ptr/24 -all", NULL, MG_RESULT_PERMERROR, 0, "" },

	{ "exists", "v=spf1 exists:host.example -all", "2001:db8::9", MG_RESULT_PASS, 1, "exists:host.example" },
	{ "exists not", "v=spf1 exists:no.example -all", NULL, MG_RESULT_FAIL, 1, NULL },
	{ "exists without", "v=spf1 exists -all", NULL, MG_RESULT_PERMERROR, 0, "" },

	{ "include pass", "v=spf1 include:pass.example -all", NULL, MG_RESULT_PASS, 1, "include:pass.example" },
	{ "-include pass", "v=spf1 -include:pass.example all", NULL, MG_RESULT_FAIL, 1, "-include:pass.example" },
	{ "include fail", "v=spf1 include:fail.example ?all", NULL, MG_RESULT_NEUTRAL, 1, "?all" },
	{ "include softfail", "v=spf1 include:soft.example -all", NULL, MG_RESULT_FAIL, 1, "-all" },
	{ "include neutral", "v=spf1 include:neutral.example -all", NULL, MG_RESULT_FAIL, 1, "-all" },
	{ "include none", "v=spf1 include:none.example all", NULL, MG_RESULT_PERMERROR, 1, "" },
	{ "include of no name", "v=spf1 include:no.example all", NULL, MG_RESULT_PERMERROR, 1, "" },
	{ "include with an error", "v=spf1 include:odd.example all", NULL, MG_RESULT_PERMERROR, 1, "" },
	{ "include that times out", "v=spf1 include:slow.example all", NULL, MG_RESULT_TEMPERROR, 1, "" },
	{ "include of an odd name", "v=spf1 include:a..example all", NULL, MG_RESULT_PERMERROR, 1, "" },
	{ "include without", "v=spf1 include all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "include of itself", "v=spf1 include:email.example.com all", NULL, MG_RESULT_PERMERROR, 10, "" },

	{ "redirect", "v=spf1 redirect=pass.example", NULL, MG_RESULT_PASS, 1, "ip4:192.0.2.0/24" },
	{ "redirect comes last", "v=spf1 redirect=pass.example -ip4:192.0.2.1", NULL, MG_RESULT_FAIL, 0, NULL },
	{ "redirect beside all", "v=spf1 redirect=pass.example ?all", NULL, MG_RESULT_NEUTRAL, 0, "?all" },
	{ "redirect to none", "v=spf1 redirect=none.example", NULL, MG_RESULT_PERMERROR, 1, "" },
	{ "redirect to no name", "v=spf1 redirect=no.example", NULL, MG_RESULT_PERMERROR, 1, "" },
	{ "redirect to a slow name", "v=spf1 redirect=slow.example", NULL, MG_RESULT_TEMPERROR, 1, "" },
	{ "redirect twice", "v=spf1 redirect=pass.example REDIRECT=pass.example", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "redirect empty", "v=spf1 redirect= -all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "redirect to itself", "v=spf1 redirect=email.example.com", NULL, MG_RESULT_PERMERROR, 10, "" },
	{ "exp twice", "v=spf1 exp=a.example -all exp=b.example", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "exp empty", "v=spf1 exp= -all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "a qualified modifier", "v=spf1 -redirect=pass.example", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "an unknown modifier", "v=spf1 x-y_z.1=%{c}/:= all", NULL, MG_RESULT_PASS, 0, "all" },
	{ "an unknown modifier, empty", "v=spf1 moo= all", NULL, MG_RESULT_PASS, 0, "all" },
	{ "an unknown modifier twice", "v=spf1 moo=1 moo=2 all", NULL, MG_RESULT_PASS, 0, "all" },
	{ "an unknown modifier, badly written", "v=spf1 moo=%x all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "a modifier that begins with a digit", "v=spf1 1x=y all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "an unknown mechanism", "v=spf1 all moo", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "only a qualifier", "v=spf1 - all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "two qualifiers", "v=spf1 --all", NULL, MG_RESULT_PERMERROR, 0, "" },

	{ "macro c in a domain-spec", "v=spf1 exists:%{c}.example all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "macro r in a domain-spec", "v=spf1 exists:%{R}.example all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "macro t in a domain-spec", "v=spf1 exp=%{t}.example all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "macro unknown", "v=spf1 exists:%{x}.example all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "macro open", "v=spf1 exists:%{d.example all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "macro empty", "v=spf1 exists:%{}.example all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "macro of 0 parts", "v=spf1 exists:%{d0}.example all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "macro turned twice", "v=spf1 exists:%{drr}.example all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "macro delimited by what is none", "v=spf1 exists:%{d*}.example all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "a lone percent sign", "v=spf1 exists:%.example all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "a percent sign at the end", "v=spf1 exists:host.example% all", NULL, MG_RESULT_PERMERROR, 0, "" },
	{ "a macro at the end", "v=spf1 exists:x.%{h} all", NULL, MG_RESULT_PASS, 1, "all" },
};

static void the_result_is(void **state)
{
	const struct result_row *row = *state;
	struct mg_spf_input input = input_of(row->ip);
	struct spf_run ran;
	struct zone zone;

	begin(&zone, row->record, NULL);
	run(&ran, &zone, &input);
	if (ran.output.result != row->result)
		fail_msg("%s: %s", mg_result_name(ran.output.result), ran.output.reason);
	if (row->lookups >= 0)
		assert_int_equal(ran.output.lookups, row->lookups);
	if (row->mechanism != NULL)
		assert_string_equal(ran.output.mechanism, row->mechanism);
	end(&ran, &zone);
}

/* ---- identities ---- */

struct identity_row {
	const char *name, *helo, *mail_from;
	enum mg_spf_scope asked, scope;
	const char *domain;
	enum mg_result result;
	const char *sender; /* %{s} */
};
static const struct identity_row identity_rows[] = {
	{ "sender", "h.example", "a@fail.example", 0, MG_SPF_MFROM, "fail.example", MG_RESULT_FAIL, "a@fail.example" },
	{ "case and final dot", "h.example", "A@Fail.Example.", 0, MG_SPF_MFROM, "fail.example", MG_RESULT_FAIL,
		"A@Fail.Example" },
	{ "no local part", "h.example", "@fail.example", 0, MG_SPF_MFROM, "fail.example", MG_RESULT_FAIL,
		"postmaster@fail.example" },
	{ "two @", "h.example", "\"a@b\"@fail.example", 0, MG_SPF_MFROM, "fail.example", MG_RESULT_FAIL,
		"\"a@b\"@fail.example" },
	{ "null", "fail.example", "", 0, MG_SPF_HELO, "fail.example", MG_RESULT_FAIL, "postmaster@fail.example" },
	{ "HELO", "fail.example", "a@pass.example", MG_SPF_HELO, MG_SPF_HELO, "fail.example", MG_RESULT_FAIL,
		"postmaster@fail.example" },
	{ "U-label", "h.example",
		"a@b\xc3\xbc"
		"cher.example",
		0, MG_SPF_MFROM, "xn--bcher-kva.example", MG_RESULT_FAIL, "a@xn--bcher-kva.example" },
	{ "underscore", "h.example", "a@_x.example", 0, MG_SPF_MFROM, "_x.example", MG_RESULT_FAIL, "a@_x.example" },
	{ "no domain", "h.example", "postmaster", 0, MG_SPF_MFROM, "", MG_RESULT_NONE, NULL },
	{ "nothing at all", "", "", 0, MG_SPF_HELO, "", MG_RESULT_NONE, NULL },
	{ "one label", "h.example", "a@localhost", 0, MG_SPF_MFROM, "", MG_RESULT_NONE, NULL },
	{ "address literal", "h.example", "a@[192.0.2.1]", 0, MG_SPF_MFROM, "", MG_RESULT_NONE, NULL },
	{ "bare address", "192.0.2.1", "", 0, MG_SPF_HELO, "", MG_RESULT_NONE, NULL },
	{ "empty label", "h.example", "a@b..example", 0, MG_SPF_MFROM, "", MG_RESULT_NONE, NULL },
	{ "no host's letters", "h.example", "a@b(.fail.example", 0, MG_SPF_MFROM, "", MG_RESULT_NONE, NULL },
	{ "a line end", "h.example", "a@b\r\n.example", 0, MG_SPF_MFROM, "", MG_RESULT_NONE, NULL },
	{ "no such name", "h.example", "a@no.example", 0, MG_SPF_MFROM, "no.example", MG_RESULT_NONE, NULL },
	{ "no TXT", "h.example", "a@host.example", 0, MG_SPF_MFROM, "host.example", MG_RESULT_NONE, NULL },
	{ "no answer", "h.example", "a@slow.example", 0, MG_SPF_MFROM, "slow.example", MG_RESULT_TEMPERROR, NULL },
	{ "SERVFAIL", "h.example", "a@broken.example", 0, MG_SPF_MFROM, "broken.example", MG_RESULT_TEMPERROR, NULL },
	{ "two records", "h.example", "a@two.example", 0, MG_SPF_MFROM, "two.example", MG_RESULT_PERMERROR, NULL },
	{ "an alias", "h.example", "a@alias.example", 0, MG_SPF_MFROM, "alias.example", MG_RESULT_FAIL,
		"a@alias.example" },
};

static void the_identity_is(void **state)
{
	const struct identity_row *row = *state;
	struct mg_spf_input input = input_of(NULL);
	struct spf_run ran;
	struct zone zone;

	begin(&zone, NULL,
		"xn--bcher-kva.example TXT v=spf1 redirect=fail.example\n_x.example TXT v=spf1 -all exp=why.fail.example\n"
		"two.example TXT v=spf1 all\ntwo.example TXT v=spf1\nalias.example CNAME fail.example\n");
	zone_add(&zone, "why.fail.example", "NONE", "", 0);
	for (size_t i = 0; i < zone.count; i++)
		if (strcmp(zone.records[i].name, "why.fail.example") == 0)
			mg_str_copy(zone.records[i].type, sizeof zone.records[i].type, MG_STR("NONE"));
	zone_add(&zone, "why.fail.example", "TXT", "%{s}", 4);
	input.scope = row->asked;
	input.helo = mg_str_z(row->helo);
	input.mail_from = mg_str_z(row->mail_from);
	run(&ran, &zone, &input);
	assert_string_equal(ran.output.domain, row->domain);
	assert_string_equal(mg_result_name(ran.output.result), mg_result_name(row->result));
	assert_int_equal(ran.output.scope, row->scope);
	assert_string_equal(ran.output.explanation, row->sender == NULL ? "" : row->sender);
	end(&ran, &zone);
}

/* ---- macros and explanations ---- */

struct macro_row {
	const char *name, *ip, *text, *expanded;
};
/* The first are those of RFC 7208 section 7.4. */
static const struct macro_row macro_rows[] = {
	{ "s", NULL, "%{s}", "strong-bad@email.example.com" },
	{ "o", NULL, "%{o}", "email.example.com" },
	{ "d", NULL, "%{d}", "email.example.com" },
	{ "d4", NULL, "%{d4}", "email.example.com" },
	{ "d3", NULL, "%{d3}", "email.example.com" },
	{ "d2", NULL, "%{d2}", "example.com" },
	{ "d1", NULL, "%{d1}", "com" },
	{ "dr", NULL, "%{dr}", "com.example.email" },
	{ "d2r", NULL, "%{d2r}", "example.email" },
	{ "l", NULL, "%{l}", "strong-bad" },
	{ "l-", NULL, "%{l-}", "strong.bad" },
	{ "lr", NULL, "%{lr}", "strong-bad" },
	{ "lr-", NULL, "%{lr-}", "bad.strong" },
	{ "l1r-", NULL, "%{l1r-}", "strong" },
	{ "IPv4 query", NULL, "%{ir}.%{v}._spf.%{d2}", "1.2.0.192.in-addr._spf.example.com" },
	{ "local part query", NULL, "%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com" },
	{ "IPv6 query", "2001:db8::cb01", "%{ir}.%{v}._spf.%{d2}",
		"1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com" },
	{ "i of IPv6", "2001:db8::cb01", "%{i}", "2.0.0.1.0.d.b.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.c.b.0.1" },
	{ "a mapped client", "::ffff:192.0.2.1", "%{i} %{v} %{c}", "192.0.2.1 in-addr 192.0.2.1" },
	{ "c", "2001:DB8:0::CB01", "%{c}", "2001:db8::cb01" },
	{ "C", "2001:db8::cb01", "%{C}", "2001%3Adb8%3A%3Acb01" },
	{ "h", NULL, "%{h}", "mx.client.example" },
	{ "r", NULL, "%{r}", "mx.receiver.example" },
	{ "t", NULL, "%{t}", "1795291200" },
	{ "p", NULL, "%{p}", "host.client.example" },
	{ "p1r", NULL, "%{p1r}", "host" },
	{ "p without a name", "192.0.2.200", "%{p}", "unknown" },
	{ "p in trouble", "192.0.2.7", "%{p}", "unknown" },
	{ "p whose address is slow", "192.0.2.9", "%{p}", "unknown" },
	{ "p prefers the domain", "192.0.2.50", "%{p}", "email.example.com" },
	{ "p prefers below the domain", "192.0.2.51", "%{p}", "x.email.example.com" },
	{ "upper case", NULL, "%{S}", "strong-bad%40email.example.com" },
	{ "many parts", NULL, "%{d999999999999999999999}", "email.example.com" },
	{ "delimiters", NULL, "%{s+-@}", "" }, /* @ is none */
	{ "delimiters without the dot", NULL, "%{s-=}", "strong.bad@email.example.com" },
	{ "delimiters with the dot", NULL, "%{s2-.}", "example.com" },
	{ "turned, two delimiters", NULL, "%{sr-.}", "com.example.bad@email.strong" },
	{ "signs", NULL, "100%% a%_b%-c", "100% a b%20c" },
	{ "spaces", NULL, "a  b ", "a  b " },
	{ "a final dot stays", NULL, "see %{d}.", "see email.example.com." },
	{ "a lone percent sign", NULL, "100%", "" },
	{ "an unknown letter", NULL, "%{z}", "" },
	{ "no ASCII", NULL, "na\\xefve", "" },
	{ "a line end", NULL, "a\\x0d\\x0ab", "" },
	{ "a tab", NULL, "a\\x09b", "" },
	{ "a NUL", NULL, "a\\x00b", "" },
};

static void the_explanation_is(void **state)
{
	const struct macro_row *row = *state;
	struct mg_spf_input input = input_of(row->ip);
	struct spf_run ran;
	struct zone zone;
	char more[1024];

	snprintf(more, sizeof more,
		"why.example TXT %s\n50.2.0.192.in-addr.arpa PTR x.email.example.com\n"
		"50.2.0.192.in-addr.arpa PTR email.example.com\n50.2.0.192.in-addr.arpa PTR host.example\n"
		"email.example.com A 192.0.2.50\nx.email.example.com A 192.0.2.50\nx.email.example.com A 192.0.2.51\n"
		"host.example A 192.0.2.50\nhost.example A 192.0.2.51\n51.2.0.192.in-addr.arpa PTR x.email.example.com\n"
		"51.2.0.192.in-addr.arpa PTR host.example\n",
		row->text);
	begin(&zone, "v=spf1 exp=why.example -all", more);
	run(&ran, &zone, &input);
	assert_int_equal(ran.output.result, MG_RESULT_FAIL);
	assert_string_equal(ran.output.explanation, row->expanded);
	assert_int_equal(ran.output.lookups, 0);
	end(&ran, &zone);
}

struct exp_row {
	const char *name, *record, *more, *explanation;
};
static const struct exp_row exp_rows[] = {
	{ "no exp", "v=spf1 -all", NULL, "" },
	{ "there", "v=spf1 exp=why.%{d} -all", "why.email.example.com TXT no, %{l}", "no, strong-bad" },
	{ "no such name", "v=spf1 exp=why.%{d} -all", NULL, "" },
	{ "no answer", "v=spf1 exp=slow.example -all", NULL, "" },
	{ "two texts", "v=spf1 exp=w.example -all", "w.example TXT a\nw.example TXT b", "" },
	{ "not of an include", "v=spf1 include:fail.example -all", NULL, "" },
	{ "of who includes", "v=spf1 include:fail.example -all exp=w.example", "w.example TXT %{d}",
		"email.example.com" },
	{ "of the target of a redirect", "v=spf1 exp=w.example redirect=fail.example", "w.example TXT x",
		"of fail.example: fail.example" },
	{ "not on pass", "v=spf1 exp=w.example all", "w.example TXT x", "" },
	{ "not on softfail", "v=spf1 exp=w.example ~all", "w.example TXT x", "" },
};

static void exp_is_followed(void **state)
{
	const struct exp_row *row = *state;
	struct mg_spf_input input = input_of(NULL);
	struct spf_run ran;
	struct zone zone;

	begin(&zone, row->record, row->more);
	run(&ran, &zone, &input);
	assert_string_equal(ran.output.explanation, row->explanation);
	end(&ran, &zone);
}

static void exp_is_not_fetched_unless_wanted(void **state)
{
	struct mg_spf_input input = input_of(NULL);
	struct spf_run ran;
	struct zone zone;

	(void)state;
	begin(&zone, "v=spf1 -all exp=why.fail.example", NULL);
	input.wants_explanation = false;
	run(&ran, &zone, &input);
	assert_int_equal(ran.output.result, MG_RESULT_FAIL);
	assert_string_equal(ran.output.explanation, "");
	assert_int_equal(ran.asked, 1);
	end(&ran, &zone);
}

/* ---- what others got wrong ---- */

/* Every byte in a local part, in a name and in an explanation. */
static void all_bytes_in_a_local_part(void **state)
{
	char sender[256 + 20];
	struct mg_spf_input input = input_of(NULL);
	struct spf_run ran;
	struct zone zone;

	(void)state;
	for (size_t i = 0; i < 256; i++)
		sender[i] = (char)(255 - i);
	memcpy(sender + 256, "@email.example.com", 18);
	input.mail_from = mg_str_of(sender, 256 + 18);
	begin(&zone, "v=spf1 exists:%{l}.example exists:%{L}.example exists:%{S1r=}.example -all exp=w.example",
		"w.example TXT %{L}");
	run(&ran, &zone, &input);
	assert_int_equal(ran.output.result, MG_RESULT_FAIL);
	assert_memory_equal(ran.output.explanation, "%FF%FE%FD%FC", 12);
	assert_int_equal(strlen(ran.output.explanation), MG_SPF_EXPLANATION - 1);
	end(&ran, &zone);
}

static void each_byte_in_a_local_part(void **state)
{
	(void)state;
	for (unsigned byte = 0; byte < 256; byte++) {
		char sender[] = "?@email.example.com", wanted[8];
		struct mg_spf_input input = input_of(NULL);
		struct spf_run ran;
		struct zone zone;

		sender[0] = (char)byte;
		input.mail_from = mg_str_of(sender, sizeof sender - 1);
		begin(&zone, "v=spf1 exists:%{l}.x.example -all exp=w.example", "w.example TXT %{L}");
		run(&ran, &zone, &input);
		assert_int_equal(ran.output.result, MG_RESULT_FAIL);
		snprintf(wanted, sizeof wanted, "%%%02X", byte);
		if (ran.output.explanation[0] == '%')
			assert_string_equal(ran.output.explanation, wanted);
		else
			assert_int_equal(ran.output.explanation[0], byte == '@' ? 'p' : (int)byte);
		end(&ran, &zone);
	}
}

/* Macros bring bytes of the sender into an explanation, but none that isn't printable. */
static void an_explanation_is_printable(void **state)
{
	static const char *const senders[] = { "\xff@email.example.com", "a\x01@email.example.com",
		"a\n@email.example.com", "\x7f@email.example.com" };

	(void)state;
	for (size_t i = 0; i < ROWS(senders); i++) {
		struct mg_spf_input input = input_of(NULL);
		struct spf_run ran;
		struct zone zone;

		input.mail_from = mg_str_z(senders[i]);
		begin(&zone, "v=spf1 -all exp=w.example", "w.example TXT no, %{l}");
		run(&ran, &zone, &input);
		assert_string_equal(ran.output.explanation, "");
		end(&ran, &zone);
	}
}

/* Ten includes each, ten deep. */
static void a_tree_of_includes_costs_ten_terms(void **state)
{
	struct mg_spf_input input = input_of(NULL);
	struct mg_buf text;
	struct spf_run ran;
	struct zone zone;

	(void)state;
	mg_buf_init(&text, 64 * 1024);
	for (unsigned depth = 0; depth < 10; depth++) {
		mg_buf_addf(&text, "%s%u.tree.example TXT v=spf1", "d", depth);
		for (unsigned width = 0; width < 10; width++)
			mg_buf_addf(&text, " include:d%u.tree.example", depth + 1);
		mg_buf_addz(&text, " ?all\n");
	}
	mg_buf_addz(&text, "d10.tree.example TXT v=spf1 ?all\n");
	begin(&zone, "v=spf1 include:d0.tree.example -all", mg_buf_z(&text));
	run(&ran, &zone, &input);
	assert_int_equal(ran.output.result, MG_RESULT_PERMERROR);
	assert_int_equal(ran.output.lookups, 10);
	assert_in_range(ran.asked, 1, 11);
	end(&ran, &zone);
	mg_buf_fini(&text);
}

struct budget_row {
	const char *name, *record, *more;
	enum mg_result result;
	unsigned lookups, voids;
};
static const struct budget_row budget_rows[] = {
	{ "ten terms",
		"v=spf1 a:other.example a:other.example a:other.example a:other.example a:other.example "
		"a:other.example a:other.example a:other.example a:other.example a:host.example -all",
		NULL, MG_RESULT_PASS, 10, 0 },
	{ "eleven terms",
		"v=spf1 a:other.example a:other.example a:other.example a:other.example a:other.example "
		"a:other.example a:other.example a:other.example a:other.example a:other.example mx -all",
		NULL, MG_RESULT_PERMERROR, 10, 0 },
	{ "ten and an ip4",
		"v=spf1 a:other.example a:other.example a:other.example a:other.example a:other.example "
		"a:other.example a:other.example a:other.example a:other.example a:other.example ip4:192.0.2.1",
		NULL, MG_RESULT_PASS, 10, 0 },
	{ "nested includes share it", "v=spf1 include:five.example include:five.example -all",
		"five.example TXT v=spf1 a:other.example a:other.example a:other.example a:other.example ?all",
		MG_RESULT_FAIL, 10, 0 },
	{ "nested includes exceed it", "v=spf1 include:five.example include:five.example include:five.example -all",
		"five.example TXT v=spf1 a:other.example a:other.example a:other.example a:other.example ?all",
		MG_RESULT_PERMERROR, 10, 0 },
	{ "a redirect counts", "v=spf1 a:other.example redirect=pass.example", NULL, MG_RESULT_PASS, 2, 0 },
	{ "%{p} counts once", "v=spf1 exists:%{p}.x.example exists:host.example -all", NULL, MG_RESULT_PASS, 3, 1 },
	{ "two voids", "v=spf1 a:no1.example exists:no2.example ip4:192.0.2.1", NULL, MG_RESULT_PASS, 2, 2 },
	{ "three voids", "v=spf1 a:no1.example mx:no2.example exists:no3.example all", NULL, MG_RESULT_PERMERROR, 3,
		3 },
	{ "a void of no data", "v=spf1 mx:host.example mx:host.example mx:host.example all", NULL, MG_RESULT_PERMERROR,
		3, 3 },
	{ "voids of includes are shared", "v=spf1 include:void.example include:void.example a:no.example all",
		"void.example TXT v=spf1 a:no1.example ?all", MG_RESULT_PERMERROR, 5, 3 },
	{ "a name DNS can't hold is no void", "v=spf1 a:a..example a:b..example a:c..example ?all", NULL,
		MG_RESULT_NEUTRAL, 3, 0 },
	{ "a term is void once", "v=spf1 mx:lost.example ?all",
		"lost.example MX 1 no1.example\nlost.example MX 1 no2.example\n"
		"lost.example MX 1 no3.example\n",
		MG_RESULT_NEUTRAL, 1, 1 },
};

static void the_budget_holds(void **state)
{
	const struct budget_row *row = *state;
	struct mg_spf_input input = input_of(NULL);
	struct spf_run ran;
	struct zone zone;

	begin(&zone, row->record, row->more);
	run(&ran, &zone, &input);
	if (ran.output.result != row->result)
		fail_msg("%s: %s", mg_result_name(ran.output.result), ran.output.reason);
	assert_int_equal(ran.output.lookups, row->lookups);
	assert_int_equal(ran.output.voids, row->voids);
	end(&ran, &zone);
}

static void add_many(struct zone *zone, const char *name, const char *type, unsigned count, unsigned matching)
{
	for (unsigned i = 1; i <= count; i++) {
		char host[64], value[80];

		snprintf(host, sizeof host, "m%u.many.example", i);
		snprintf(value, sizeof value, "%s%s", type[0] == 'M' ? "10 " : "", host);
		zone_add(zone, name, type, value, strlen(value));
		zone_add(zone, host, "A", i == matching ? "192.0.2.1" : "198.51.100.1", i == matching ? 9 : 12);
	}
}

struct flood_row {
	const char *name, *record, *at, *type;
	unsigned count, matching;
	enum mg_result result;
	unsigned asked;
};
static const struct flood_row flood_rows[] = {
	{ "10 MX, the last matches", "v=spf1 mx:many.example -all", "many.example", "MX", 10, 10, MG_RESULT_PASS, 12 },
	{ "11 MX, the first matches", "v=spf1 mx:many.example -all", "many.example", "MX", 11, 1, MG_RESULT_PERMERROR,
		2 },
	{ "200 MX", "v=spf1 mx:many.example -all", "many.example", "MX", 200, 1, MG_RESULT_PERMERROR, 2 },
	{ "10 PTR, the last matches", "v=spf1 ptr:many.example -all", "2.2.0.192.in-addr.arpa", "PTR", 10, 10,
		MG_RESULT_PASS, 12 },
	{ "11 PTR, the last matches", "v=spf1 ptr:many.example -all", "2.2.0.192.in-addr.arpa", "PTR", 11, 11,
		MG_RESULT_FAIL, 12 },
	{ "200 PTR", "v=spf1 ptr:many.example -all", "2.2.0.192.in-addr.arpa", "PTR", 200, 200, MG_RESULT_FAIL, 12 },
	{ "PTR names of others aren't asked for", "v=spf1 ptr:few.example -all", "2.2.0.192.in-addr.arpa", "PTR", 10, 1,
		MG_RESULT_FAIL, 2 },
};

static void a_flood_is_bounded(void **state)
{
	const struct flood_row *row = *state;
	struct mg_spf_input input = input_of(row->type[0] == 'M' ? "192.0.2.1" : "192.0.2.2");
	struct spf_run ran;
	struct zone zone;

	begin(&zone, row->record, NULL);
	add_many(&zone, row->at, row->type, row->count, row->matching);
	for (size_t i = 0; i < zone.count; i++)
		if (row->type[0] == 'P' && strcmp(zone.records[i].value, "192.0.2.1") == 0)
			zone.records[i].value[8] = '2';
	run(&ran, &zone, &input);
	assert_string_equal(mg_result_name(ran.output.result), mg_result_name(row->result));
	assert_int_equal(ran.asked, row->asked);
	end(&ran, &zone);
}

/* Ten MX terms with ten hosts each: the message's questions end first, and that is a temperror. */
static void the_message_budget_ends_it(void **state)
{
	struct mg_spf_input input = input_of(NULL);
	struct spf_run ran;
	struct zone zone;

	(void)state;
	begin(&zone, "v=spf1 mx:t0.example mx:t1.example mx:t2.example mx:t3.example mx:t4.example mx:t5.example -all",
		NULL);
	for (unsigned term = 0; term < 6; term++)
		for (unsigned host = 0; host < 10; host++) {
			char name[40], value[40];

			snprintf(name, sizeof name, "t%u.example", term);
			snprintf(value, sizeof value, "1 h%u-%u.example", term, host);
			zone_add(&zone, name, "MX", value, strlen(value));
			zone_add(&zone, value + 2, "A", "198.51.100.1", 12);
		}
	run(&ran, &zone, &input);
	assert_int_equal(ran.output.result, MG_RESULT_TEMPERROR);
	assert_int_equal(ran.asked, MG_LOOKUP_QUESTIONS);
	end(&ran, &zone);
}

/* 253 bytes at most, labels taken off the left (section 7.3). */
struct cut_row {
	const char *name, *end, *record; /* 26 labels of 9 bytes with their dots, then the end */
};
static const struct cut_row cut_rows[] = {
	{ "to 246 bytes, in the middle of a label", "long.example", "v=spf1 exists:%{l}.long.example -all" },
	{ "to 253 bytes", "longlonglon.example", "v=spf1 exists:%{l}.longlonglon.example -all" },
};

static void a_long_name_is_cut_on_the_left(void **state)
{
	const struct cut_row *row = *state;
	char sender[512], name[260] = "";
	struct mg_spf_input input = input_of(NULL);
	struct spf_run ran;
	struct zone zone;
	size_t at = 0;

	for (unsigned i = 0; i < 40; i++)
		at += (size_t)snprintf(sender + at, sizeof sender - at, "%slabel%03u", i == 0 ? "" : ".", i);
	for (unsigned i = 14; i < 40; i++)
		snprintf(name + strlen(name), sizeof name - strlen(name), "label%03u.", i);
	snprintf(name + strlen(name), sizeof name - strlen(name), "%s", row->end);
	snprintf(sender + at, sizeof sender - at, "@email.example.com");
	input.mail_from = mg_str_z(sender);
	begin(&zone, row->record, NULL);
	zone_add(&zone, name, "A", "127.0.0.2", 9);
	run(&ran, &zone, &input);
	assert_int_equal(ran.output.result, MG_RESULT_PASS);
	end(&ran, &zone);
}

/* A sender keeps its domain, however long its local part. */
static void a_long_local_part_is_cut(void **state)
{
	struct mg_spf_input input = input_of(NULL);
	char sender[2048];
	struct spf_run ran;
	struct zone zone;

	(void)state;
	memset(sender, 'x', sizeof sender);
	memcpy(sender + sizeof sender - 18, "@email.example.com", 18);
	input.mail_from = mg_str_of(sender, sizeof sender);
	begin(&zone, "v=spf1 -all exp=w.example", "w.example TXT %{s2}");
	run(&ran, &zone, &input);
	assert_string_equal(ran.output.explanation, "example.com");
	end(&ran, &zone);
}

/* A record of 16 kB of macros over a long sender. */
static void a_record_of_macros_is_bounded(void **state)
{
	struct mg_spf_input input = input_of(NULL);
	char sender[2048];
	struct mg_buf record;
	struct spf_run ran;
	struct zone zone;

	(void)state;
	memset(sender, '!', sizeof sender);
	memcpy(sender + sizeof sender - 18, "@email.example.com", 18);
	input.mail_from = mg_str_of(sender, sizeof sender);
	mg_buf_init(&record, MG_DNS_TEXT_MAX);
	mg_buf_addz(&record, "v=spf1 exists:");
	while (record.n < MG_DNS_TEXT_MAX - 40)
		mg_buf_addz(&record, "%{S}");
	mg_buf_addz(&record, ".example -all");
	begin(&zone, mg_buf_z(&record), NULL);
	run(&ran, &zone, &input);
	assert_int_equal(ran.output.result, MG_RESULT_FAIL);
	end(&ran, &zone);
	mg_buf_fini(&record);
}

struct reason_row {
	const char *name, *record, *reason;
};
static const struct reason_row reason_rows[] = {
	{ "pass", "v=spf1 ip4:192.0.2.1 -all",
		"192.0.2.1 is among the senders email.example.com allows: ip4:192.0.2.1" },
	{ "fail", "v=spf1 -all", "192.0.2.1 is not among the senders email.example.com allows: -all" },
	{ "through an include", "v=spf1 include:pass.example -all",
		"192.0.2.1 is among the senders email.example.com allows: include:pass.example (ip4:192.0.2.0/24 of pass.example)" },
	{ "through a redirect", "v=spf1 redirect=fail.example",
		"192.0.2.1 is not among the senders email.example.com allows: -all, redirected to fail.example" },
	{ "nothing matches", "v=spf1 ip4:192.0.2.2", "no mechanism of email.example.com matches 192.0.2.1" },
	{ "none", "v=spf2 -all", "email.example.com has no SPF record" },
	{ "a syntax error", "v=spf1 a:museum -all", "the SPF record of email.example.com has an error: a:museum" },
	{ "odd bytes", "v=spf1 \\x1b[31m\xc3\xa9 -all", "the SPF record of email.example.com has an error: ?[31m??" },
	{ "an include of nothing", "v=spf1 include:no.example -all",
		"no.example has no SPF record, but email.example.com includes it" },
	{ "trouble", "v=spf1 a:slow.example -all", "DNS gave no answer about slow.example (timeout)" },
	{ "too many", "v=spf1 include:email.example.com",
		"more than 10 DNS lookups, at include:email.example.com of email.example.com" },
};

static void the_reason_is(void **state)
{
	const struct reason_row *row = *state;
	struct mg_spf_input input = input_of(NULL);
	struct spf_run ran;
	struct zone zone;
	struct mg_buf said;

	begin(&zone, row->record, NULL);
	run(&ran, &zone, &input);
	assert_string_equal(ran.output.reason, row->reason);
	mg_buf_init(&said, MG_SAY_TEXT);
	mg_say_english(&said, &ran.output.say);
	assert_string_equal(mg_buf_z(&said), row->reason);
	mg_buf_fini(&said);
	end(&ran, &zone);
}

static void a_reason_is_clean_and_bounded(void **state)
{
	char name[400];
	struct mg_arena arena;
	struct mg_say kept;

	(void)state;
	memset(name, 'n', sizeof name);
	name[0] = '\n';
	name[sizeof name - 1] = '\0';
	mg_arena_init(&arena, 16 * 1024);
	assert_int_equal(strlen(mg_reason(&arena, &MG_SAY("%1 %1 %1", name), &kept)), MG_REASON - 1);
	assert_int_equal(strlen(kept.arg[0]), MG_REASON_QUOTED);
	assert_int_equal(kept.arg[0][0], '?');
	assert_null(kept.arg[1]);
	mg_arena_fini(&arena);
	mg_arena_init(&arena, 0);
	assert_string_equal(mg_reason(&arena, &MG_SAY("%1", name), &kept), "");
	assert_string_equal(kept.arg[0], "");
}

static void an_arena_that_is_full_is_no_crash(void **state)
{
	struct mg_spf_input input = input_of(NULL);
	struct zone zone;
	unsigned passed = 0;

	(void)state;
	begin(&zone, "v=spf1 include:pass.example -all exp=why.fail.example", NULL);
	for (size_t room = 0; room < 16 * 1024; room += 512) {
		struct mg_lookup *lookup = zone_lookup(&zone);
		struct mg_arena arena;
		struct mg_spf *spf;

		mg_arena_init(&arena, room);
		spf = mg_spf_new(&arena, &input);
		if (spf != NULL) {
			assert_int_equal(mg_spf_step(spf, lookup), MG_STEP_DONE);
			assert_true(mg_spf_output(spf)->result == MG_RESULT_PASS ||
				    mg_spf_output(spf)->result == MG_RESULT_TEMPERROR);
			passed += mg_spf_output(spf)->result == MG_RESULT_PASS;
		}
		mg_lookup_free(&lookup);
		mg_arena_fini(&arena);
	}
	assert_true(passed > 0);
	zone_end(&zone);
}

static void time_that_is_over_is_a_temperror(void **state)
{
	struct mg_spf_input input = input_of(NULL);
	struct mg_lookup *lookup;
	struct mg_arena arena;
	struct mg_spf *spf;
	struct zone zone;

	(void)state;
	begin(&zone, "v=spf1 ptr:other.example a:host.example -all", NULL);
	zone.is_slow = true;
	lookup = zone_lookup(&zone);
	mg_arena_init(&arena, 64 * 1024);
	spf = mg_spf_new(&arena, &input);
	assert_int_equal(mg_spf_step(spf, lookup), MG_STEP_WAIT);
	assert_true(zone_deliver(&zone));
	assert_int_equal(mg_spf_step(spf, lookup), MG_STEP_WAIT);
	mg_lookup_expire(lookup);
	assert_int_equal(mg_spf_step(spf, lookup), MG_STEP_DONE);
	assert_int_equal(mg_spf_output(spf)->result, MG_RESULT_TEMPERROR);
	mg_lookup_free(&lookup);
	mg_arena_fini(&arena);
	zone_end(&zone);
}

/* A ptr that could not be asked for is our trouble, not the client's. */
static void a_ptr_beyond_the_budget_is_a_temperror(void **state)
{
	struct mg_spf_input input = input_of(NULL);
	struct mg_lookup_options options;
	struct mg_lookup *lookup;
	struct mg_arena arena;
	struct mg_spf *spf;
	struct zone zone;

	(void)state;
	begin(&zone, "v=spf1 ptr:other.example -all", NULL);
	options = (struct mg_lookup_options){
		.source = &zone.source, .questions_max = 1, .deadline_us = mg_mono_us() + 3600 * MG_S_US
	};
	lookup = mg_lookup_new(&options);
	mg_arena_init(&arena, 64 * 1024);
	spf = mg_spf_new(&arena, &input);
	assert_int_equal(mg_spf_step(spf, lookup), MG_STEP_DONE);
	assert_int_equal(mg_spf_output(spf)->result, MG_RESULT_TEMPERROR);
	mg_lookup_free(&lookup);
	mg_arena_fini(&arena);
	zone_end(&zone);
}

int main(void)
{
	static struct CMUnitTest tests[400];
	size_t n = 0;

	ADD_ROWS(tests, n, result_rows, the_result_is);
	ADD_ROWS(tests, n, identity_rows, the_identity_is);
	ADD_ROWS(tests, n, macro_rows, the_explanation_is);
	ADD_ROWS(tests, n, exp_rows, exp_is_followed);
	ADD_ROWS(tests, n, budget_rows, the_budget_holds);
	ADD_ROWS(tests, n, flood_rows, a_flood_is_bounded);
	ADD_ROWS(tests, n, cut_rows, a_long_name_is_cut_on_the_left);
	ADD_ROWS(tests, n, reason_rows, the_reason_is);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(exp_is_not_fetched_unless_wanted);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(all_bytes_in_a_local_part);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(each_byte_in_a_local_part);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(an_explanation_is_printable);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_ptr_beyond_the_budget_is_a_temperror);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_tree_of_includes_costs_ten_terms);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(the_message_budget_ends_it);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_long_local_part_is_cut);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_record_of_macros_is_bounded);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(an_arena_that_is_full_is_no_crash);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_reason_is_clean_and_bounded);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(time_that_is_over_is_a_temperror);
	return _cmocka_run_group_tests("spf", tests, n, NULL, NULL);
}
