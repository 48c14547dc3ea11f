/* The Authentication-Results field: what it tells of an evaluation, and that nothing a message or DNS holds can break out of
 * its place in it. */
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/results_field.h"
#include "evaluation_kit.h"

#define ID             "mx.example"
#define LETTER         "From: a@b.example\n\nHello\n"
#define AUTH(settings) "auth = { " settings " };"
#define OFF            AUTH("spf = \"off\"; dkim = \"off\"; arc = \"off\"; dmarc = \"off\"; iprev = \"off\";")
#define SIGNATURE(tags)                                                                                                     \
	"DKIM-Signature: v=1; a=rsa-sha256; h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAAAAAAAAAA; " tags \
	"\n"

struct field_row {
	const char *name, *conf, *zone, *helo, *from, *message;
	const char *has, *has_not; /* parts of the field */
};
static const struct field_row field_rows[] = {
	{ "nothing is evaluated", OFF, "", NULL, "a@b.example", LETTER, "mx.example; none", "=" },
	{ "SPF", NULL, "b.example TXT v=spf1 ip4:192.0.2.1 -all\n", NULL, "a@b.example", LETTER,
		"; spf=pass smtp.mailfrom=b.example;", NULL },
	{ "SPF of a null sender", NULL, "h.example TXT v=spf1 -all\n", NULL, "", LETTER, " smtp.helo=h.example",
		"smtp.mailfrom" },
	{ "HELO and MAIL FROM are told apart", NULL, "h.example TXT v=spf1 +all\nb.example TXT v=spf1 -all\n", NULL,
		"a@b.example", LETTER, "; spf=pass smtp.helo=h.example; spf=fail reason=", NULL },
	{ "no signature", NULL, "", NULL, "a@b.example", LETTER, "; dkim=none;", NULL },
	{ "a signature of another body", NULL, "", NULL, "a@b.example",
		SIGNATURE("d=b.example; s=sel") "From: a@b.example\n\n", "; dkim=fail reason=\"", NULL },
	{ "what a signature says", NULL, "", NULL, "a@b.example",
		SIGNATURE("d=b.example; s=sel") "From: a@b.example\n\n",
		" header.d=b.example header.i=@b.example header.s=sel header.a=rsa-sha256 header.b=AAAAAAAA", NULL },
	{ "a signature that is none", NULL, "", NULL, "a@b.example",
		"DKIM-Signature: \"; dkim=pass header.d=bank.example\n" LETTER,
		"; dkim=permerror reason=", "dkim=pass" },
	{ "a domain with a parenthesis", NULL, "", NULL, "a@b.example",
		SIGNATURE("d=example.net(.example.com; s=sel") "From: a@b.example\n\n",
		"; dkim=permerror reason=", "example.net(" },
	{ "a selector with a quote", NULL, "", NULL, "a@b.example",
		SIGNATURE("d=b.example; s=a\"; dkim=pass x=\"") "From: a@b.example\n\n", "; dkim=permerror",
		"dkim=pass" },
	{ "an identity with a quote", NULL, "", NULL, "a@b.example",
		SIGNATURE("d=b.example; s=sel; i=\"x\\\" y\"@b.example") "From: a@b.example\n\n",
		" header.i=\"\\\"x\\\\\\\"y\\\"@b.example\" ", NULL },
	{ "an algorithm unknown", NULL, "", NULL, "a@b.example",
		"DKIM-Signature: v=1; a=x\"y; d=b.example; s=sel; h=from; bh=AAAA; b=AAAA\nFrom: a@b.example\n\n",
		"dkim=permerror", "x\"y " },
	{ "b= of odd letters", NULL, "", NULL, "a@b.example",
		"DKIM-Signature: v=1; a=rsa-sha256; d=b.example; s=s; h=from; bh=AAAA; b=\";x=\"\nFrom: a@b.example\n\n",
		"dkim=permerror", NULL },
	{ "HELO with a semicolon", NULL, "", "h.example; spf=pass", "a@b.example", LETTER, "mx.example;", "spf=pass" },
	{ "HELO with a line end", NULL, "", "h.example\r\nX: y", "", LETTER, "mx.example;", "X:" },
	{ "MAIL FROM with a semicolon", NULL, "", NULL, "\"; spf=pass\"@b.example", LETTER, "spf=none", "spf=pass" },
	{ "MAIL FROM of odd bytes", NULL, "", NULL, "a@b\xff\r\n.example", LETTER, "; spf=none", NULL },
	{ "SPF's reason quotes the record", NULL, "b.example TXT v=spf1 \"x\\\\y -all\n", NULL, "a@b.example", LETTER,
		"; spf=permerror reason=\"", NULL },
	{ "a name of the client that lies", NULL, "1.2.0.192.in-addr.arpa PTR x\\x22;\\x0d\\x0aspf=pass.example\n",
		NULL, "a@b.example", LETTER, "x\\\";??spf=pass.example ", NULL },
	{ "IPv4", NULL, "", NULL, "a@b.example", LETTER,
		"iprev=permerror reason=\"192.0.2.1 has no name in DNS\" policy.iprev=192.0.2.1", NULL },
	{ "DMARC", NULL, "_dmarc.b.example TXT v=DMARC1; p=reject; t=y\n", NULL, "x@y.example", LETTER,
		"; dmarc=fail (p=reject dis=quarantine) reason=", NULL },
	{ "DMARC's policy after t=y", NULL, "_dmarc.b.example TXT v=DMARC1; p=reject; t=y\n", NULL, "x@y.example",
		LETTER, " policy.dmarc=quarantine", NULL },
	{ "DMARC's domain", NULL, "_dmarc.b.example TXT v=DMARC1; p=reject\n", NULL, "x@y.example", LETTER,
		" header.from=b.example policy.dmarc=reject", NULL },
	{ "DMARC without a record", NULL, "", NULL, "x@y.example", LETTER, "; dmarc=none header.from=b.example",
		"policy.dmarc" },
	{ "DMARC of a hostile From", NULL, "", NULL, "x@y.example", "From: <a@b.example\"; dmarc=pass\n\n",
		"; dmarc=permerror", "dmarc=pass" },
	{ "no From", NULL, "", NULL, "x@y.example", "To: a\n\n",
		"; dmarc=permerror reason=\"the message has no From field\"", "header.from" },
	{ "an allowlist", AUTH("dnsbl = ( { zone = \"wl.example\"; weight = -1; } );"),
		"1.2.0.192.wl.example A 127.0.1.2\n", NULL, "a@b.example", LETTER,
		"; dnswl=pass dns.zone=wl.example policy.ip=127.0.1.2", NULL },
	{ "an allowlist's key", AUTH("dnsbl = ( { zone = \"abcdefgh12345678.wl.example\"; weight = -1; } );"),
		"1.2.0.192.abcdefgh12345678.wl.example A 127.0.1.2\n", NULL, "a@b.example", LETTER,
		"dns.zone=KEY.wl.example", "abcdefgh" },
	{ "a blocklist is not told", AUTH("dnsbl = ( \"bl.example\" );"), "1.2.0.192.bl.example A 127.0.0.2\n", NULL,
		"a@b.example", LETTER, "mx.example;", "bl.example" },
	{ "no chain", NULL, "", NULL, "a@b.example", LETTER, "; arc=none;", "oldest" },
	{ "a broken chain", NULL, "", NULL, "a@b.example", "ARC-Seal: i=1; x=\"\n" LETTER, "; arc=fail reason=\"",
		NULL },
};

static bool is_tspecial(char c)
{
	return strchr("()<>@,;:\\\"/[]?=", c) != NULL;
}

/* The grammar of RFC 8601 section 2.2 as far as we write it: id *(";" method "=" word [comment] *(property "=" value)). */
static void check_grammar(const char *text)
{
	const char *p = text;
	bool in_quotes = false, in_comment = false;

	for (; *p != '\0'; p++) {
		assert_true(*p >= ' ' && *p <= '~');
		if (in_quotes && *p == '\\')
			assert_true(*++p != '\0');
		else if (*p == '"' && !in_comment)
			in_quotes = !in_quotes;
		else if (!in_quotes && *p == '(')
			in_comment = true;
		else if (!in_quotes && *p == ')')
			in_comment = false;
		else if (!in_quotes && !in_comment && is_tspecial(*p))
			/* only where they part: an identity's own '@' stands behind '=' */
			assert_true(*p == ';' || *p == '=' || (*p == '@' && p[-1] == '=') ||
				    (*p == ':' && strstr(text, "remote-ip")));
	}
	assert_false(in_quotes);
	assert_false(in_comment);
}

static void tell(const struct field_row *row, struct zone *zone, const char *fold, struct mg_buf *out)
{
	const struct evaluation_case c = {
		.conf = row->conf, .helo = row->helo, .from = row->from, .message = row->message
	};
	struct evaluation_run run;

	evaluation_begin(&run, zone, &c);
	mg_buf_init(out, MG_RESULTS_FIELD);
	mg_results_field(out, run.evaluation, ID, fold);
	assert_true(mg_buf_ok(out));
	evaluation_end(&run);
}

static void the_field_tells(void **state)
{
	const struct field_row *row = *state;
	struct mg_buf line, folded;
	struct zone zone;
	size_t parts = 0;

	zone_begin(&zone, row->zone);
	tell(row, &zone, " ", &line);
	tell(row, &zone, "\n\t", &folded);
	check_grammar(mg_buf_z(&line));
	if (strstr(mg_buf_z(&line), row->has) == NULL ||
		(row->has_not != NULL && strstr(mg_buf_z(&line), row->has_not) != NULL))
		fail_msg("%s", mg_buf_z(&line));
	/* folded it is the same, and every line but the first begins with a tab */
	for (const char *p = mg_buf_z(&folded); *p != '\0'; p++)
		if (*p == '\n') {
			parts++;
			assert_true(p[-1] == ';' && p[1] == '\t');
		}
	assert_int_equal(line.n + parts, folded.n);
	mg_buf_fini(&line);
	mg_buf_fini(&folded);
	zone_end(&zone);
}

static void an_id_is_quoted(void **state)
{
	struct evaluation_case c = { .conf = OFF, .message = LETTER };
	struct evaluation_run run;
	struct mg_buf out;
	struct zone zone;

	(void)state;
	zone_begin(&zone, "");
	evaluation_begin(&run, &zone, &c);
	mg_buf_init(&out, MG_RESULTS_FIELD);
	mg_results_field(&out, run.evaluation, "mx; \"x\"\\\r\n\xff", " ");
	assert_string_equal(mg_buf_z(&out), "\"mx; \\\"x\\\"\\\\???\"; none");
	mg_buf_fini(&out);
	evaluation_end(&run);
	zone_end(&zone);
}

/* Whatever the message holds, the field is whole and tells what DMARC found: signatures give way, of which there may be more
 * than fit. */
static void the_field_has_room_for_what_counts(void **state)
{
	const char *label = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.";
	struct mg_buf message, out;
	struct evaluation_run run;
	struct evaluation_case c = { .conf = AUTH("max_signatures = 64;"), .from = "x@y.example" };
	struct zone zone;

	(void)state;
	zone_begin(&zone, "_dmarc.b.example TXT v=DMARC1; p=reject\n");
	mg_buf_init(&message, 1 << 20);
	for (unsigned i = 0; i < 64; i++)
		mg_buf_addf(&message,
			"DKIM-Signature: v=1; a=rsa-sha256; h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\n b=AAAA%u; d=%s%s%sexample; s=%s%s\n",
			i, label, label, label, label, "s");
	mg_buf_addz(&message, "From: a@b.example\n\n");
	c.message = mg_buf_z(&message);
	evaluation_begin(&run, &zone, &c);
	mg_buf_init(&out, MG_RESULTS_FIELD);
	mg_results_field(&out, run.evaluation, ID, " ");
	assert_true(mg_buf_ok(&out));
	check_grammar(mg_buf_z(&out));
	assert_non_null(strstr(mg_buf_z(&out), "; arc=none"));
	assert_non_null(strstr(mg_buf_z(&out), "; dmarc=fail (p=reject dis=reject) reason="));
	assert_non_null(strstr(mg_buf_z(&out), " policy.dmarc=reject"));
	assert_non_null(strstr(mg_buf_z(&out), "; dkim="));
	mg_buf_fini(&out);
	mg_buf_fini(&message);
	evaluation_end(&run);
	zone_end(&zone);
}

int main(void)
{
	static struct CMUnitTest tests[ROWS(field_rows) + 2];
	size_t n = 0;

	ADD_ROWS(tests, n, field_rows, the_field_tells);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(an_id_is_quoted);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(the_field_has_room_for_what_counts);
	return _cmocka_run_group_tests("results_field", tests, n, NULL, NULL);
}
