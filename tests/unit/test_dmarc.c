/* DMARC record, tree walk and judgement (RFC 9989), over zones; every row also with answers that come one at a time, and with
 * the identifiers in other orders, which must make no difference. */
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/dmarc.h"
#include "base/buf.h"
#include "zone_kit.h"

/* ---- the record (sections 4.7 and 4.8) ---- */

#define NONE       MG_DMARC_NONE
#define QUARANTINE MG_DMARC_QUARANTINE
#define REJECT     MG_DMARC_REJECT
#define INVALID    MG_DMARC_INVALID

struct record_row {
	const char *name, *text;
	bool is_none; /* no DMARC record */
	struct mg_dmarc_record record;
	bool is_unusable; /* mended, it does not apply */
};
static const struct record_row record_rows[] = {
	{ "version and p", "v=DMARC1; p=reject", false, { .p = REJECT, .pct = 100 }, false },
	{ "version alone", "v=DMARC1", false, { .pct = 100 }, true },
	{ "version and a semicolon", "v=DMARC1;", false, { .pct = 100 }, true },
	{ "no blanks", "v=DMARC1;p=none", false, { .p = NONE, .pct = 100 }, false },
	{ "many blanks", "v \t=  DMARC1 \t; \tp\t = quarantine  ", false, { .p = QUARANTINE, .pct = 100 }, false },
	{ "V in capitals", "V=DMARC1; P=Reject", false, { .p = REJECT, .pct = 100 }, false },
	{ "the version is case-sensitive", "v=dmarc1; p=reject", true, { 0 }, false },
	{ "another version", "v=DMARC2; p=reject", true, { 0 }, false },
	{ "a longer version", "v=DMARC10; p=reject", true, { 0 }, false },
	{ "the version ends without a semicolon", "v=DMARC1 p=reject", true, { 0 }, false },
	{ "the version second", "p=reject; v=DMARC1", true, { 0 }, false },
	{ "a blank first", " v=DMARC1; p=reject", true, { 0 }, false },
	{ "a semicolon first", ";v=DMARC1; p=reject", true, { 0 }, false },
	{ "an empty text", "", true, { 0 }, false },
	{ "SPF", "v=spf1 -all", true, { 0 }, false },
	{ "version without a value", "v=; p=reject", true, { 0 }, false },
	{ "everything",
		"v=DMARC1; p=quarantine; sp=none; np=reject; psd=n; adkim=s; aspf=s; t=y; rua=mailto:a@b.example; "
		"ruf=mailto:c@d.example; fo=1; pct=20; rf=afrf; ri=3600",
		false,
		{ .p = QUARANTINE,
			.sp = NONE,
			.np = REJECT,
			.psd = MG_DMARC_PSD_N,
			.strict_dkim = true,
			.strict_spf = true,
			.is_testing = true,
			.has_rua = true,
			.pct = 20 },
		false },
	{ "any order", "v=DMARC1; t=y; rua=mailto:a@b.example; p=none", false,
		{ .p = NONE, .is_testing = true, .has_rua = true, .pct = 100 }, false },
	{ "psd=y", "v=DMARC1; p=none; psd=y", false, { .p = NONE, .psd = MG_DMARC_PSD_Y, .pct = 100 }, false },
	{ "psd=u", "v=DMARC1; p=none; psd=u", false, { .p = NONE, .pct = 100 }, false },
	{ "psd wrong", "v=DMARC1; p=none; psd=yes", false, { .p = NONE, .pct = 100 }, false },
	{ "adkim wrong", "v=DMARC1; p=none; adkim=strict", false, { .p = NONE, .pct = 100 }, false },
	{ "aspf wrong", "v=DMARC1; p=none; aspf=x", false, { .p = NONE, .pct = 100 }, false },
	{ "adkim=r aspf=r", "v=DMARC1; p=none; adkim=r; aspf=r", false, { .p = NONE, .pct = 100 }, false },
	{ "t wrong", "v=DMARC1; p=none; t=1", false, { .p = NONE, .pct = 100 }, false },
	{ "t=n", "v=DMARC1; p=none; t=n", false, { .p = NONE, .pct = 100 }, false },
	{ "pct wrong", "v=DMARC1; p=none; pct=101", false, { .p = NONE, .pct = 100 }, false },
	{ "pct huge", "v=DMARC1; p=none; pct=18446744073709551617", false, { .p = NONE, .pct = 100 }, false },
	{ "pct=0", "v=DMARC1; p=none; pct=0", false, { .p = NONE }, false },
	{ "unknown tags", "v=DMARC1; x=y; p=reject; zz=reject", false, { .p = REJECT, .pct = 100 }, false },
	{ "a tag without value", "v=DMARC1; p; p=reject", false, { .p = REJECT, .pct = 100 }, false },
	{ "empty tags", "v=DMARC1;;; ;p=reject;;", false, { .p = REJECT, .pct = 100 }, false },
	{ "a tag twice: the first", "v=DMARC1; p=reject; p=none", false, { .p = REJECT, .pct = 100 }, false },
	{ "p wrong", "v=DMARC1; p=rejct", false, { .p = INVALID, .pct = 100 }, true },
	{ "p empty", "v=DMARC1; p=", false, { .p = INVALID, .pct = 100 }, true },
	{ "p wrong and reports wanted", "v=DMARC1; p=rejct; rua=mailto:a@b.example", false,
		{ .p = INVALID, .has_rua = true, .pct = 100 }, false },
	{ "no p and reports wanted", "v=DMARC1; rua=mailto:a@b.example", false, { .has_rua = true, .pct = 100 },
		false },
	{ "sp wrong", "v=DMARC1; p=reject; sp=x", false, { .p = REJECT, .sp = INVALID, .pct = 100 }, true },
	{ "np wrong", "v=DMARC1; p=reject; np=x", false, { .p = REJECT, .np = INVALID, .pct = 100 }, true },
	{ "np wrong and reports wanted", "v=DMARC1; p=reject; np=x; rua=https://b.example/", false,
		{ .p = REJECT, .np = INVALID, .has_rua = true, .pct = 100 }, false },
	{ "rua without a scheme", "v=DMARC1; rua=a@b.example", false, { .pct = 100 }, true },
	{ "rua is nothing", "v=DMARC1; rua=", false, { .pct = 100 }, true },
	{ "rua with a scheme alone", "v=DMARC1; rua=mailto:", false, { .pct = 100 }, true },
	{ "rua of which the second is sound", "v=DMARC1; rua= x , mailto:a@b.example!10m", false,
		{ .has_rua = true, .pct = 100 }, false },
	{ "odd bytes", "v=DMARC1; p=re\xff\x01ject; \xc3\xa9=1", false, { .p = INVALID, .pct = 100 }, true },
	{ "the text of a policy inside another", "v=DMARC1; x=p=none; p=reject", false, { .p = REJECT, .pct = 100 },
		false },
};

static void a_record_is_read(void **state)
{
	const struct record_row *row = *state;
	struct mg_dmarc_record got;
	const struct mg_dmarc_record *want = &row->record;

	assert_int_equal(mg_dmarc_record_parse(mg_str_z(row->text), &got), !row->is_none);
	if (row->is_none)
		return;
	assert_int_equal(got.p, want->p);
	assert_int_equal(got.sp, want->sp);
	assert_int_equal(got.np, want->np);
	assert_int_equal(got.psd, want->psd);
	assert_int_equal(got.strict_dkim, want->strict_dkim);
	assert_int_equal(got.strict_spf, want->strict_spf);
	assert_int_equal(got.is_testing, want->is_testing);
	assert_int_equal(got.has_rua, want->has_rua);
	assert_int_equal(got.pct, want->pct);
	assert_int_equal(mg_dmarc_record_mend(&got), !row->is_unusable);
	if (want->p < NONE || want->sp == INVALID || want->np == INVALID) {
		assert_int_equal(got.p, NONE);
		assert_int_equal(got.sp, MG_DMARC_UNSET);
		assert_int_equal(got.np, MG_DMARC_UNSET);
	}
}

/* A text with a NUL in it is no C string's business. */
static void a_null_byte_ends_nothing(void **state)
{
	struct mg_dmarc_record got;

	(void)state;
	assert_true(mg_dmarc_record_parse(MG_STR("v=DMARC1; p=none\0; p=reject"), &got));
	assert_int_equal(got.p, INVALID);
	assert_false(mg_dmarc_record_parse(MG_STR("v=DMARC1\0; p=reject"), &got));
}

/* ---- the walk (section 4.10) ---- */

enum { ASKED = 2048 };

/* A zone that notes what it is asked. */
struct noting {
	struct zone zone;
	struct mg_lookup_source source;
	char asked[ASKED];
};

static const struct mg_dns_answer *note_and_ask(void *context, const struct mg_dns_question *question,
	int64_t deadline_us, struct mg_lookup *lookup, unsigned slot, void **token_out)
{
	struct noting *noting = context;
	size_t n = strlen(noting->asked);

	snprintf(noting->asked + n, ASKED - n, "%s%s", n == 0 ? "" : " ", question->name);
	return noting->zone.source.ask(&noting->zone, question, deadline_us, lookup, slot, token_out);
}

static void cancel_noted(void *context, void *token)
{
	struct noting *noting = context;

	noting->zone.source.cancel(&noting->zone, token);
}

static struct mg_lookup *noting_lookup(struct noting *noting, unsigned questions)
{
	struct mg_lookup_options options = {
		.source = &noting->source, .questions_max = questions, .deadline_us = INT64_MAX
	};

	noting->source = (struct mg_lookup_source){ noting, note_and_ask, cancel_noted };
	noting->asked[0] = '\0';
	return mg_lookup_new(&options);
}

struct walk_row {
	const char *name, *domain, *zone, *asked, *org;
	bool is_broken;
};
#define RECORD(name, tags) "_dmarc." name " TXT v=DMARC1; " tags "\n"
static const struct walk_row walk_rows[] = {
	{ "thirteen labels (4.10)", "a.b.c.d.e.f.g.h.i.j.mail.example.com", "",
		"_dmarc.a.b.c.d.e.f.g.h.i.j.mail.example.com _dmarc.g.h.i.j.mail.example.com _dmarc.h.i.j.mail.example.com "
		"_dmarc.i.j.mail.example.com _dmarc.j.mail.example.com _dmarc.mail.example.com _dmarc.example.com _dmarc.com",
		"a.b.c.d.e.f.g.h.i.j.mail.example.com", false },
	{ "ten labels (5.1.8)", "mail.a.b.c.d.e.f.g.example.com",
		RECORD("b.c.d.e.f.g.example.com", "p=none; psd=n") RECORD("example.com", "p=reject"),
		"_dmarc.mail.a.b.c.d.e.f.g.example.com _dmarc.c.d.e.f.g.example.com _dmarc.d.e.f.g.example.com "
		"_dmarc.e.f.g.example.com _dmarc.f.g.example.com _dmarc.g.example.com _dmarc.example.com _dmarc.com",
		"example.com", false },
	{ "nine labels", "a.b.c.d.e.f.g.example.com", "",
		"_dmarc.a.b.c.d.e.f.g.example.com _dmarc.c.d.e.f.g.example.com _dmarc.d.e.f.g.example.com _dmarc.e.f.g.example.com "
		"_dmarc.f.g.example.com _dmarc.g.example.com _dmarc.example.com _dmarc.com",
		"a.b.c.d.e.f.g.example.com", false },
	{ "eight labels", "b.c.d.e.f.g.example.com", "",
		"_dmarc.b.c.d.e.f.g.example.com _dmarc.c.d.e.f.g.example.com _dmarc.d.e.f.g.example.com _dmarc.e.f.g.example.com "
		"_dmarc.f.g.example.com _dmarc.g.example.com _dmarc.example.com _dmarc.com",
		"b.c.d.e.f.g.example.com", false },
	{ "one label", "com", "", "_dmarc.com", "com", false },
	{ "records at two places (4.10.2)", "a.mail.example.com",
		RECORD("mail.example.com", "p=none") RECORD("example.com", "p=none"),
		"_dmarc.a.mail.example.com _dmarc.mail.example.com _dmarc.example.com _dmarc.com", "example.com",
		false },
	{ "psd=n (4.10.2)", "a.mail.example.com",
		RECORD("mail.example.com", "p=none; psd=n") RECORD("example.com", "p=none"),
		"_dmarc.a.mail.example.com _dmarc.mail.example.com _dmarc.example.com _dmarc.com", "mail.example.com",
		false },
	{ "psd=y at the top (4.10.2)", "a.mail.example.com", RECORD("com", "p=none; psd=y"),
		"_dmarc.a.mail.example.com _dmarc.mail.example.com _dmarc.example.com _dmarc.com", "example.com",
		false },
	{ "psd=y, nothing below it, far away", "a.b.c.mail.example.com", RECORD("com", "p=none; psd=y"),
		"_dmarc.a.b.c.mail.example.com _dmarc.b.c.mail.example.com _dmarc.c.mail.example.com _dmarc.mail.example.com "
		"_dmarc.example.com _dmarc.com",
		"example.com", false },
	{ "psd=y hides what is above", "a.bank.example.com",
		RECORD("example.com", "psd=y; p=none") RECORD("com", "p=none"),
		"_dmarc.a.bank.example.com _dmarc.bank.example.com _dmarc.example.com _dmarc.com", "bank.example.com",
		false },
	{ "psd=y at the start", "example.com", RECORD("example.com", "psd=y; p=none") RECORD("com", "p=none"),
		"_dmarc.example.com _dmarc.com", "example.com", false },
	{ "psd=n at the start", "mail.example.com",
		RECORD("mail.example.com", "psd=n; p=none") RECORD("example.com", "p=none"),
		"_dmarc.mail.example.com _dmarc.example.com _dmarc.com", "mail.example.com", false },
	{ "psd=y below a psd=n is met first", "a.b.example.com",
		RECORD("b.example.com", "psd=y") RECORD("example.com", "psd=n"),
		"_dmarc.a.b.example.com _dmarc.b.example.com _dmarc.example.com _dmarc.com", "a.b.example.com", false },
	{ "psd=y above ten labels: one label below", "a.b.c.d.e.f.g.h.example.com",
		RECORD("d.e.f.g.h.example.com", "psd=y"),
		"_dmarc.a.b.c.d.e.f.g.h.example.com _dmarc.d.e.f.g.h.example.com _dmarc.e.f.g.h.example.com _dmarc.f.g.h.example.com "
		"_dmarc.g.h.example.com _dmarc.h.example.com _dmarc.example.com _dmarc.com",
		"c.d.e.f.g.h.example.com", false },
	{ "no records", "mail.example.com", "", "_dmarc.mail.example.com _dmarc.example.com _dmarc.com",
		"mail.example.com", false },
	{ "two records are none", "mail.example.com", RECORD("example.com", "p=none") RECORD("example.com", "p=none"),
		"_dmarc.mail.example.com _dmarc.example.com _dmarc.com", "mail.example.com", false },
	{ "another text beside it is nothing", "mail.example.com",
		RECORD("example.com", "p=none") "_dmarc.example.com TXT hello\n",
		"_dmarc.mail.example.com _dmarc.example.com _dmarc.com", "example.com", false },
	{ "trouble on the way", "mail.example.com",
		RECORD("mail.example.com", "p=none") "_dmarc.example.com SERVFAIL\n",
		"_dmarc.mail.example.com _dmarc.example.com _dmarc.com", "", true },
	{ "trouble above psd=n does not matter", "mail.example.com",
		RECORD("mail.example.com", "psd=n") "_dmarc.example.com SERVFAIL\n",
		"_dmarc.mail.example.com _dmarc.example.com _dmarc.com", "mail.example.com", false },
	{ "trouble at the top", "mail.example.com", RECORD("mail.example.com", "p=none") "_dmarc.com TIMEOUT\n",
		"_dmarc.mail.example.com _dmarc.example.com _dmarc.com", "", true },
};

static void walk(const struct walk_row *row, struct noting *noting)
{
	struct mg_lookup *lookup = noting_lookup(noting, MG_LOOKUP_QUESTIONS);
	struct mg_dmarc_walk found;

	while (mg_dmarc_walk(lookup, mg_str_z(row->domain), &found) == MG_STEP_WAIT)
		assert_true(zone_deliver(&noting->zone));
	assert_int_equal(found.is_broken, row->is_broken);
	if (!row->is_broken)
		assert_true(mg_str_eq(found.org, mg_str_z(row->org)));
	assert_string_equal(noting->asked, row->asked);
	mg_lookup_free(&lookup);
}

static void the_tree_is_walked(void **state)
{
	const struct walk_row *row = *state;
	struct noting noting;

	zone_begin(&noting.zone, row->zone);
	walk(row, &noting);
	noting.zone.is_slow = true;
	walk(row, &noting);
	zone_end(&noting.zone);
}

/* ---- the judgement ---- */

enum { IDENTIFIERS = 6 };

struct judge_row {
	const char *name, *zone;
	const char *from;        /* values of From fields, parted by '|'; "" none at all */
	const char *identifiers; /* "spf:pass:example.com dkim:fail:example.org" */
	enum mg_result result;
	const char *disposition, *policy, *policy_domain;
	const char *aligned; /* "", "spf", "dkim", "spf dkim" */
};
#define COM      "example.com"
#define P_REJECT RECORD(COM, "p=reject")
#define B4                                                                                                             \
	RECORD("bank.example", "p=none; psd=y; rua=mailto:x@bank.example") RECORD("giant.bank.example", "p=none; psd=n")
#define FAILS        MG_RESULT_FAIL
#define PASSES       MG_RESULT_PASS
#define EXISTS(name) name " A 192.0.2.1\n"
static const struct judge_row judge_rows[] = {
	{ "SPF is the author's", P_REJECT, "a@example.com", "spf:pass:example.com", PASSES, "none", "reject", COM,
		"spf" },
	{ "DKIM is the author's", P_REJECT, "a@example.com", "dkim:pass:example.com", PASSES, "none", "reject", COM,
		"dkim" },
	{ "both are", P_REJECT, "a@example.com", "spf:pass:example.com dkim:pass:example.com", PASSES, "none", "reject",
		COM, "spf dkim" },
	{ "one of many signatures", P_REJECT, "a@example.com",
		"dkim:fail:example.com dkim:pass:list.example dkim:pass:example.com spf:softfail:example.com", PASSES,
		"none", "reject", COM, "dkim" },
	{ "nobody", P_REJECT, "a@example.com", "", FAILS, "reject", "reject", COM, "" },
	{ "another passes", P_REJECT, "a@example.com", "spf:pass:example.org dkim:pass:example.net", FAILS, "reject",
		"reject", COM, "" },
	{ "no pass: none, neutral, softfail, policy, permerror", P_REJECT, "a@example.com",
		"spf:softfail:example.com dkim:policy:example.com dkim:permerror:example.com dkim:none:example.com "
		"dkim:neutral:example.com",
		FAILS, "reject", "reject", COM, "" },
	{ "quarantine", RECORD(COM, "p=quarantine"), "a@example.com", "", FAILS, "quarantine", "quarantine", COM, "" },
	{ "none", RECORD(COM, "p=none"), "a@example.com", "", FAILS, "none", "none", COM, "" },
	{ "no record", "", "a@example.com", "spf:pass:example.com", MG_RESULT_NONE, "none", "", "", "" },
	{ "a record without a policy", RECORD(COM, "aspf=s"), "a@example.com", "spf:pass:example.com", MG_RESULT_NONE,
		"none", "", "", "" },
	{ "a record without a policy that wants reports", RECORD(COM, "rua=mailto:a@example.com"), "a@example.com", "",
		FAILS, "none", "none", COM, "" },
	{ "an unsound sp makes it none", RECORD(COM, "p=reject; sp=x; rua=mailto:a@example.com"), "a@example.com", "",
		FAILS, "none", "none", COM, "" },
	{ "two records", P_REJECT P_REJECT, "a@example.com", "", MG_RESULT_NONE, "none", "", "", "" },
	{ "two records below one",
		RECORD("a.example.com", "p=none") RECORD("a.example.com", "p=none") P_REJECT EXISTS("a.example.com"),
		"x@a.example.com", "", FAILS, "reject", "reject", COM, "" },
	{ "a record without a policy hides the one above", RECORD("a.example.com", "aspf=s") P_REJECT,
		"x@a.example.com", "", MG_RESULT_NONE, "none", "", "", "" },

	/* t=y: one level below (section 4.7) */
	{ "t=y of reject", RECORD(COM, "p=reject; t=y"), "a@example.com", "", FAILS, "quarantine", "reject", COM, "" },
	{ "t=y of quarantine", RECORD(COM, "p=quarantine; t=y"), "a@example.com", "", FAILS, "none", "quarantine", COM,
		"" },
	{ "t=y of none", RECORD(COM, "p=none; t=y"), "a@example.com", "", FAILS, "none", "none", COM, "" },
	{ "t=y of sp", RECORD(COM, "p=none; sp=reject; t=y") EXISTS("a.example.com"), "x@a.example.com", "", FAILS,
		"quarantine", "reject", COM, "" },

	/* p, sp, np */
	{ "sp", RECORD(COM, "p=reject; sp=quarantine; np=none") EXISTS("a.example.com"), "x@a.example.com", "", FAILS,
		"quarantine", "quarantine", COM, "" },
	{ "sp is not for the domain itself", RECORD(COM, "p=none; sp=reject"), "x@example.com", "", FAILS, "none",
		"none", COM, "" },
	{ "p for a subdomain", P_REJECT EXISTS("a.example.com"), "x@a.example.com", "", FAILS, "reject", "reject", COM,
		"" },
	{ "np: no such name", RECORD(COM, "p=none; sp=none; np=reject"), "x@a.example.com", "", FAILS, "reject",
		"reject", COM, "" },
	{ "np: the name has nothing but exists", RECORD(COM, "p=none; sp=none; np=reject") EXISTS("b.a.example.com"),
		"x@a.example.com", "", FAILS, "none", "none", COM, "" },
	{ "np: DNS does not tell", RECORD(COM, "p=none; sp=none; np=reject") "a.example.com SERVFAIL\n",
		"x@a.example.com", "", MG_RESULT_TEMPERROR, "none", "", "", "" },
	{ "np says what sp says: DNS need not tell",
		RECORD(COM, "p=none; sp=reject; np=reject") "a.example.com SERVFAIL\n", "x@a.example.com", "", FAILS,
		"reject", "reject", COM, "" },
	{ "no np: sp for what does not exist", RECORD(COM, "p=none; sp=reject"), "x@a.example.com", "", FAILS, "reject",
		"reject", COM, "" },
	{ "no np, no sp: p for what does not exist", P_REJECT, "x@a.example.com", "", FAILS, "reject", "reject", COM,
		"" },
	{ "np does not weaken the domain itself", RECORD(COM, "p=reject; np=none"), "x@example.com", "", FAILS,
		"reject", "reject", COM, "" },

	/* discovery */
	{ "the own record, not the one above", RECORD("a.example.com", "p=none") P_REJECT, "x@a.example.com", "", FAILS,
		"none", "none", "a.example.com", "" },
	{ "between is passed over", RECORD("b.example.com", "p=none") P_REJECT EXISTS("a.b.example.com"),
		"x@a.b.example.com", "", FAILS, "reject", "reject", COM, "" },
	{ "psd=n between stops", RECORD("b.example.com", "p=none; psd=n") P_REJECT EXISTS("a.b.example.com"),
		"x@a.b.example.com", "", FAILS, "none", "none", "b.example.com", "" },
	{ "the suffix's policy", RECORD("com", "p=none; sp=reject; psd=y") EXISTS(COM), "x@example.com", "", FAILS,
		"reject", "reject", "com", "" },
	{ "not the suffix's policy when there is one below", RECORD("com", "p=reject; psd=y") RECORD(COM, "p=none"),
		"x@a.example.com", "", FAILS, "none", "none", COM, "" },
	{ "the suffix itself writes", RECORD("com", "p=reject; psd=y"), "x@com", "", FAILS, "reject", "reject", "com",
		"" },
	{ "more than eight labels: the own record", RECORD("a.b.c.d.e.f.g.h.example.com", "p=quarantine") P_REJECT,
		"x@a.b.c.d.e.f.g.h.example.com", "", FAILS, "quarantine", "quarantine", "a.b.c.d.e.f.g.h.example.com",
		"" },
	{ "more than eight labels: too deep to be seen",
		RECORD("b.c.d.e.f.g.h.example.com", "p=none; psd=n") P_REJECT EXISTS("a.b.c.d.e.f.g.h.example.com"),
		"x@a.b.c.d.e.f.g.h.example.com", "", FAILS, "reject", "reject", COM, "" },
	{ "an alias", "_dmarc.example.com CNAME r.example.net\nr.example.net TXT v=DMARC1; p=reject\n", "x@example.com",
		"", FAILS, "reject", "reject", COM, "" },

	/* alignment */
	{ "relaxed: below the author", P_REJECT, "a@example.com", "spf:pass:bounces.example.com", PASSES, "none",
		"reject", COM, "spf" },
	{ "relaxed: above the author", P_REJECT EXISTS("a.example.com"), "a@a.example.com", "dkim:pass:example.com",
		PASSES, "none", "reject", COM, "dkim" },
	{ "relaxed: beside the author", P_REJECT EXISTS("a.example.com"), "a@a.example.com", "dkim:pass:b.example.com",
		PASSES, "none", "reject", COM, "dkim" },
	{ "relaxed: the author has a record of its own", RECORD("a.example.com", "p=reject") P_REJECT,
		"x@a.example.com", "dkim:pass:b.example.com", PASSES, "none", "reject", "a.example.com", "dkim" },
	{ "strict SPF", RECORD(COM, "p=reject; aspf=s"), "a@example.com", "spf:pass:b.example.com", FAILS, "reject",
		"reject", COM, "" },
	{ "strict SPF does not bind DKIM", RECORD(COM, "p=reject; aspf=s"), "a@example.com", "dkim:pass:b.example.com",
		PASSES, "none", "reject", COM, "dkim" },
	{ "strict DKIM", RECORD(COM, "p=reject; adkim=s"), "a@example.com", "dkim:pass:b.example.com", FAILS, "reject",
		"reject", COM, "" },
	{ "strict DKIM does not bind SPF", RECORD(COM, "p=reject; adkim=s"), "a@example.com", "spf:pass:b.example.com",
		PASSES, "none", "reject", COM, "spf" },
	{ "strict and the same", RECORD(COM, "p=reject; adkim=s; aspf=s"), "a@example.com",
		"spf:pass:example.com dkim:pass:example.com", PASSES, "none", "reject", COM, "spf dkim" },
	{ "a name that only ends so", P_REJECT RECORD("badexample.com", "p=none"), "a@example.com",
		"spf:pass:badexample.com", FAILS, "reject", "reject", COM, "" },
	{ "the top alone is shared", P_REJECT, "a@example.com", "dkim:pass:com", FAILS, "reject", "reject", COM, "" },
	{ "a record at the top makes all one organization", RECORD("com", "p=none") P_REJECT, "a@example.com",
		"dkim:pass:evil.com", PASSES, "none", "reject", COM, "dkim" },
	{ "not with psd=y there", RECORD("com", "p=none; psd=y") P_REJECT, "a@example.com", "dkim:pass:evil.com", FAILS,
		"reject", "reject", COM, "" },
	{ "psd=n cuts off a part", P_REJECT RECORD("dept.example.com", "p=none; psd=n"), "a@example.com",
		"dkim:pass:dept.example.com", FAILS, "reject", "reject", COM, "" },
	{ "and what is below the part", P_REJECT RECORD("dept.example.com", "p=none; psd=n"), "a@example.com",
		"dkim:pass:x.dept.example.com", FAILS, "reject", "reject", COM, "" },
	{ "the part is no child of the whole", P_REJECT RECORD("dept.example.com", "p=reject; psd=n"),
		"a@dept.example.com", "dkim:pass:example.com", FAILS, "reject", "reject", "dept.example.com", "" },
	{ "the part's own child", P_REJECT RECORD("dept.example.com", "p=reject; psd=n"), "a@dept.example.com",
		"dkim:pass:x.dept.example.com", PASSES, "none", "reject", "dept.example.com", "dkim" },

	/* Appendix B: B.1.2, and B.4.1 to B.4.3 as far as they concern alignment */
	{ "the suffix's children are strangers", RECORD("bank.example", "p=reject; psd=y") EXISTS("mega.bank.example"),
		"a@mega.bank.example", "dkim:pass:giant.bank.example", FAILS, "reject", "reject", "bank.example", "" },
	{ "a child of a suffix without a record of its own",
		RECORD("bank.example", "p=reject; psd=y") EXISTS("mail.mega.bank.example"), "a@mail.mega.bank.example",
		"spf:pass:mega.bank.example", PASSES, "none", "reject", "bank.example", "spf" },
	{ "a child that is its own organization", B4, "a@mail.giant.bank.example", "spf:pass:mail.mega.bank.example",
		FAILS, "none", "none", "giant.bank.example", "" },
	{ "a suffix that writes is its own organization", RECORD("bank.example", "p=reject; psd=y"), "a@bank.example",
		"dkim:pass:bank.example", PASSES, "none", "reject", "bank.example", "dkim" },
	{ "a suffix that writes and a child", RECORD("bank.example", "p=reject; psd=y"), "a@bank.example",
		"dkim:pass:mail.bank.example", FAILS, "reject", "reject", "bank.example", "" },

	/* trouble */
	{ "no answer about the policy", "_dmarc.example.com SERVFAIL\n", "a@example.com", "spf:pass:example.com",
		MG_RESULT_TEMPERROR, "none", "", "", "" },
	{ "no answer from above", "_dmarc.example.com TIMEOUT\n" EXISTS("a.example.com"), "x@a.example.com", "",
		MG_RESULT_TEMPERROR, "none", "", "", "" },
	{ "an aligned signature in trouble", P_REJECT, "a@example.com", "dkim:temperror:example.com",
		MG_RESULT_TEMPERROR, "none", "reject", COM, "" },
	{ "an aligned signature below in trouble", P_REJECT, "a@example.com", "dkim:temperror:s.example.com",
		MG_RESULT_TEMPERROR, "none", "reject", COM, "" },
	{ "aligned SPF in trouble", P_REJECT, "a@example.com", "spf:temperror:example.com", MG_RESULT_TEMPERROR, "none",
		"reject", COM, "" },
	{ "aligned SPF in trouble and aligned DKIM", P_REJECT, "a@example.com",
		"spf:temperror:example.com dkim:pass:example.com", PASSES, "none", "reject", COM, "dkim" },
	{ "unaligned trouble", P_REJECT, "a@example.com", "spf:temperror:example.net dkim:temperror:other.com", FAILS,
		"reject", "reject", COM, "" },
	{ "unaligned trouble by strictness", RECORD(COM, "p=reject; adkim=s; aspf=s"), "a@example.com",
		"spf:temperror:b.example.com dkim:temperror:b.example.com", FAILS, "reject", "reject", COM, "" },
	{ "the organization of a passing child can't be told", P_REJECT "_dmarc.s.example.com TIMEOUT\n",
		"a@example.com", "dkim:pass:s.example.com", MG_RESULT_TEMPERROR, "none", "reject", COM, "" },
	{ "the organization of a failing child does not matter", P_REJECT "_dmarc.s.example.com TIMEOUT\n",
		"a@example.com", "dkim:fail:s.example.com", FAILS, "reject", "reject", COM, "" },
	{ "the organization of a stranger does not matter",
		P_REJECT "_dmarc.evil.com TIMEOUT\n_dmarc.example.org TIMEOUT\n", "a@example.com",
		"dkim:pass:evil.com dkim:pass:example.org", FAILS, "reject", "reject", COM, "" },
	{ "the same domain needs no walk", P_REJECT "_dmarc.com TIMEOUT\n", "a@example.com", "dkim:pass:example.com",
		PASSES, "none", "reject", COM, "dkim" },
	{ "nothing passes: no walk is needed", P_REJECT "_dmarc.com TIMEOUT\n", "a@example.com",
		"dkim:fail:b.example.com", FAILS, "reject", "reject", COM, "" },

	/* authors (section 11.5) */
	{ "several: the strictest of the failing", RECORD("a.example", "p=quarantine") RECORD("b.example", "p=reject"),
		"x@a.example, y@b.example", "", MG_RESULT_PERMERROR, "reject", "reject", "b.example", "" },
	{ "several, the other way round", RECORD("a.example", "p=reject") RECORD("b.example", "p=quarantine"),
		"x@a.example, y@b.example", "", MG_RESULT_PERMERROR, "reject", "reject", "a.example", "" },
	{ "several: who is answered for does not count",
		RECORD("a.example", "p=reject") RECORD("b.example", "p=quarantine"), "x@a.example, y@b.example",
		"spf:pass:a.example", MG_RESULT_PERMERROR, "quarantine", "quarantine", "b.example", "" },
	{ "several: all are answered for", RECORD("a.example", "p=reject") RECORD("b.example", "p=reject"),
		"x@a.example, y@b.example", "spf:pass:a.example dkim:pass:b.example", MG_RESULT_PERMERROR, "none",
		"reject", "a.example", "" },
	{ "several: one without a record", RECORD("b.example", "p=reject"), "x@a.example, y@b.example",
		"spf:pass:a.example", MG_RESULT_PERMERROR, "reject", "reject", "b.example", "" },
	{ "several: trouble of one", "_dmarc.a.example TIMEOUT\n" RECORD("b.example", "p=reject"),
		"x@a.example, y@b.example", "", MG_RESULT_PERMERROR, "reject", "reject", "b.example", "" },
	{ "two fields", P_REJECT, "x@evil.example|y@example.com", "spf:pass:evil.example", MG_RESULT_PERMERROR,
		"reject", "reject", COM, "" },
	{ "two fields of one domain", P_REJECT, "x@example.com|y@example.com", "spf:pass:example.com",
		MG_RESULT_PERMERROR, "none", "reject", COM, "" },
	{ "malformed, with a domain", P_REJECT, "<x@example.com", "", MG_RESULT_PERMERROR, "reject", "reject", COM,
		"" },
	{ "malformed, with a domain that is answered for", P_REJECT, "<x@example.com", "spf:pass:example.com",
		MG_RESULT_PERMERROR, "none", "reject", COM, "" },
	{ "malformed, without a domain", P_REJECT, "Ann", "spf:pass:example.com", MG_RESULT_PERMERROR, "none", "", "",
		"" },
	{ "no From", P_REJECT, "", "spf:pass:example.com", MG_RESULT_PERMERROR, "none", "", "", "" },
	{ "one author, U-labels", RECORD("xn--bcher-kva.example", "p=reject"), "x@b\303\274cher.example",
		"dkim:pass:xn--bcher-kva.example", PASSES, "none", "reject", "xn--bcher-kva.example", "dkim" },
};

static enum mg_result result_of(struct mg_str word)
{
	for (enum mg_result r = MG_RESULT_NONE; r < MG_RESULTS; r++)
		if (mg_str_eq(word, mg_str_z(mg_result_name(r))))
			return r;
	fail_msg("no result");
	return MG_RESULT_UNSET;
}

static size_t read_identifiers(
	const char *text, char names[IDENTIFIERS][256], struct mg_dmarc_identifier identifiers[IDENTIFIERS])
{
	struct mg_str rest = mg_str_z(text), word;
	size_t count = 0;

	while (count < IDENTIFIERS && mg_read_word(&rest, " ", &word)) {
		bool is_spf = mg_str_eq(mg_str_cut(&word, ':'), MG_STR("spf"));
		enum mg_result result = result_of(mg_str_cut(&word, ':'));

		mg_str_copy(names[count], 256, word);
		identifiers[count] = (struct mg_dmarc_identifier){ names[count], is_spf, result };
		count++;
	}
	return count;
}

static void read_author(const char *text, struct mg_author *author)
{
	struct mg_str rest = mg_str_z(text);

	*author = (struct mg_author){ 0 };
	while (rest.n > 0)
		mg_author_field(author, mg_str_cut(&rest, '|'));
}

static void judge(
	const struct judge_row *row, struct zone *zone, const struct mg_dmarc_identifier *identifiers, size_t count)
{
	struct mg_lookup *lookup = zone_lookup(zone);
	const struct mg_dmarc_output *output;
	struct mg_author author;
	struct mg_arena arena;
	struct mg_dmarc *dmarc;
	char aligned[16];

	zone->asked = 0;
	mg_arena_init(&arena, 64 * 1024);
	read_author(row->from, &author);
	assert_non_null(dmarc = mg_dmarc_new(&arena, &author));
	mg_dmarc_prefetch(dmarc, lookup);
	while (mg_dmarc_step(dmarc, lookup, identifiers, count) == MG_STEP_WAIT)
		assert_true(zone_deliver(zone));
	output = mg_dmarc_output(dmarc);
	assert_string_equal(mg_result_name(output->result), mg_result_name(row->result));
	assert_string_equal(mg_dmarc_disposition_name(output->disposition), row->disposition);
	assert_string_equal(mg_dmarc_policy_name(output->policy), row->policy);
	assert_string_equal(output->policy_domain, row->policy_domain);
	snprintf(aligned, sizeof aligned, "%s%s%s", output->aligned_spf ? "spf" : "",
		output->aligned_spf && output->aligned_dkim ? " " : "", output->aligned_dkim ? "dkim" : "");
	assert_string_equal(aligned, row->aligned);
	assert_true(output->reason[0] != '\0');
	assert_non_null(output->rfc7489);
	assert_in_range(zone->asked, 0, MG_LOOKUP_QUESTIONS);
	mg_lookup_free(&lookup);
	mg_arena_fini(&arena);
}

static void the_author_is_judged(void **state)
{
	const struct judge_row *row = *state;
	struct mg_dmarc_identifier identifiers[IDENTIFIERS];
	char names[IDENTIFIERS][256];
	size_t count = read_identifiers(row->identifiers, names, identifiers);
	struct zone zone;

	zone_begin(&zone, row->zone);
	for (size_t turn = 0; turn <= count; turn++) { /* every rotation, forwards and backwards */
		for (size_t i = 0; i + 1 < count; i++) {
			struct mg_dmarc_identifier first = identifiers[i];

			if (turn % 2 == 0 || i == 0) {
				identifiers[i] = identifiers[i + 1];
				identifiers[i + 1] = first;
			}
		}
		zone.is_slow = false;
		judge(row, &zone, identifiers, count);
		zone.is_slow = true;
		judge(row, &zone, identifiers, count);
	}
	zone_end(&zone);
}

/* ---- what was asked for early is enough ---- */

/* Who is slow elsewhere must not gain by it: once the time is over, all that the policy needs has been asked long ago. */
static void the_policy_needs_nothing_late(void **state)
{
	static const char *const zones[] = {
		RECORD("example.com", "p=reject"),
		RECORD("example.com", "p=none; sp=none; np=reject"),
		RECORD("com", "p=none; np=reject; psd=y"),
	};

	(void)state;
	for (size_t i = 0; i < ROWS(zones); i++) {
		struct mg_author author = { 0 };
		struct mg_lookup *lookup;
		struct mg_dmarc *dmarc;
		struct mg_arena arena;
		struct zone zone;

		zone_begin(&zone, zones[i]);
		lookup = zone_lookup(&zone);
		mg_arena_init(&arena, 64 * 1024);
		mg_author_field(&author, MG_STR("<a@none.example.com>"));
		dmarc = mg_dmarc_new(&arena, &author);
		mg_dmarc_prefetch(dmarc, lookup);
		mg_lookup_expire(lookup);
		assert_int_equal(mg_dmarc_step(dmarc, lookup, NULL, 0), MG_STEP_DONE);
		assert_string_equal(mg_result_name(mg_dmarc_output(dmarc)->result), "fail");
		assert_int_equal(mg_dmarc_output(dmarc)->disposition, MG_DISPOSITION_REJECT);
		mg_lookup_free(&lookup);
		mg_arena_fini(&arena);
		zone_end(&zone);
	}
}

/* An author domain cut out of many: those beyond the fourth are not told, which the author says. */
static void many_authors_stay_within_bounds(void **state)
{
	struct mg_author author = { 0 };

	(void)state;
	mg_author_field(&author, MG_STR("a@a.example, a@b.example, a@c.example, a@d.example, a@e.example"));
	assert_int_equal(author.count, MG_AUTHOR_DOMAINS);
	assert_true(author.is_cut);
}

static void no_memory_is_no_verdict(void **state)
{
	struct mg_author author = { 0 };
	struct mg_arena arena;

	(void)state;
	mg_arena_init(&arena, 16);
	assert_null(mg_dmarc_new(&arena, &author));
	mg_arena_fini(&arena);
}

int main(void)
{
	static struct CMUnitTest tests[ROWS(record_rows) + ROWS(walk_rows) + ROWS(judge_rows) + 4];
	size_t n = 0;

	ADD_ROWS(tests, n, record_rows, a_record_is_read);
	ADD_ROWS(tests, n, walk_rows, the_tree_is_walked);
	ADD_ROWS(tests, n, judge_rows, the_author_is_judged);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_null_byte_ends_nothing);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(the_policy_needs_nothing_late);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(many_authors_stay_within_bounds);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(no_memory_is_no_verdict);
	return _cmocka_run_group_tests("dmarc", tests, n, NULL, NULL);
}
