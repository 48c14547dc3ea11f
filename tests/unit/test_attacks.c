/* Messages made by people who mean ill, judged whole: no way around the policy of the author's domain, no pass for somebody
 * who is not answered for, and no more work than the bounds say. */
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "evaluation_kit.h"
#include "message_kit.h"

/* The bank wants everything refused that it does not answer for; the thief owns evil.example, and answers for that. */
#define BANK      "_dmarc.bank.example TXT v=DMARC1; p=reject\nbank.example TXT v=spf1 ip4:198.51.100.1 -all\n"
#define EVIL      "evil.example TXT v=spf1 +all\n_dmarc.evil.example TXT v=DMARC1; p=none\n"
#define FROM_BANK "From: <boss@bank.example>\n"
#define BODY      "\nPlease pay.\n"

enum { MESSAGE = 64 * 1024 * 1024 };

/* ---- no way around the policy ---- */

struct heist {
	const char *name;
	void (*prepare)(struct zone *zone);
	unsigned greetings; /* HELO so often, each time with another name, h0.evil.example ... */
	const char *helo, *from;
	void (*write)(struct mg_buf *message);
	const char *conf;
};

static void add(struct zone *zone, const char *type, const char *value, const char *fmt, ...) MG_PRINTF(4, 5);
static void add(struct zone *zone, const char *type, const char *value, const char *fmt, ...)
{
	char name[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(name, sizeof name, fmt, args);
	va_end(args);
	zone_add(zone, name, type, value, strlen(value));
}

/* An SPF record that asks a hundred questions and comes to no match. */
static void add_tree(struct zone *zone, const char *domain)
{
	char value[300];

	snprintf(value, sizeof value,
		"v=spf1 mx:m0.%s mx:m1.%s mx:m2.%s mx:m3.%s mx:m4.%s mx:m5.%s mx:m6.%s mx:m7.%s mx:m8.%s mx:m9.%s -all",
		domain, domain, domain, domain, domain, domain, domain, domain, domain, domain);
	add(zone, "TXT", value, "%s", domain);
	for (unsigned i = 0; i < 10; i++)
		for (unsigned k = 0; k < 10; k++) {
			snprintf(value, sizeof value, "10 x%u.m%u.%s", k, i, domain);
			add(zone, "MX", value, "m%u.%s", i, domain);
			add(zone, "A", "198.51.100.7", "x%u.m%u.%s", k, i, domain);
		}
}

static void a_tree(struct zone *zone)
{
	add_tree(zone, "tree.example");
}

static void greetings_answer(struct zone *zone)
{
	for (unsigned i = 0; i < 100; i++)
		add(zone, "TXT", "v=spf1 a mx -all", "h%u.evil.example", i);
}

static void many_names(struct zone *zone)
{
	char value[64];

	for (unsigned i = 0; i < 40; i++) {
		snprintf(value, sizeof value, "p%u.evil.example", i);
		add(zone, "PTR", value, "1.2.0.192.in-addr.arpa");
	}
	a_tree(zone);
}

static void only_from(struct mg_buf *message)
{
	mg_buf_addz(message, FROM_BANK BODY);
}

static void thousands_of_fields(struct mg_buf *message)
{
	for (unsigned i = 0; i < 6000; i++)
		mg_buf_addz(message, "X:\n");
	only_from(message);
}

static void a_huge_field(struct mg_buf *message)
{
	for (unsigned i = 0; i < 30; i++) {
		mg_buf_addz(message, "X: ");
		for (unsigned k = 0; k < 40000; k++)
			mg_buf_addc(message, 'x');
		mg_buf_addz(message, "\n");
	}
	only_from(message);
}

static void a_second_author_far_below(struct mg_buf *message)
{
	mg_buf_addz(message, "From: me@evil.example\n");
	thousands_of_fields(message);
}

static void signatures_of(struct mg_buf *message, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		mg_buf_addf(message,
			"DKIM-Signature: v=1; a=rsa-sha256; d=evil.example; s=s%u; h=from; bh=%s; b=AAAA\n", i,
			"NzAlQGDPqyZUahVwZWw8m9nwdThj4dKELCqyzXCwlX8=");
}

static void one_of_the_bank(struct mg_buf *message)
{
	mg_buf_addz(message, "DKIM-Signature: v=1; a=rsa-sha256; d=bank.example; s=s; h=from; b=AAAA;\n"
			     " bh=NzAlQGDPqyZUahVwZWw8m9nwdThj4dKELCqyzXCwlX8=\n");
}

static void signatures(struct mg_buf *message)
{
	signatures_of(message, 9);
	one_of_the_bank(message);
	only_from(message);
}

static void chain(struct mg_buf *message)
{
	for (unsigned i = 50; i > 0; i--)
		mg_buf_addf(message,
			"ARC-Seal: i=%u; cv=%s; a=rsa-sha256; d=a%u.evil.example; s=s; b=AAAA\n"
			"ARC-Message-Signature: i=%u; a=rsa-sha256; d=b%u.evil.example; s=s; h=from; bh=%s; b=AAAA\n"
			"ARC-Authentication-Results: i=%u; bank.example; dmarc=pass\n",
			i, i == 1 ? "none" : "pass", i, i, i, "NzAlQGDPqyZUahVwZWw8m9nwdThj4dKELCqyzXCwlX8=", i);
}

static void a_chain_and_signatures(struct mg_buf *message)
{
	chain(message);
	signatures(message);
}

static void many_signatures(struct mg_buf *message)
{
	signatures_of(message, 63);
	one_of_the_bank(message);
	only_from(message);
}

static void deep_authors(struct mg_buf *message)
{
	mg_buf_addz(message, "From: a@a.b.c.d.e.f.g.evil.example, b@h.i.j.k.l.m.n.evil.example,\n"
			     " c@o.p.q.r.s.t.u.evil.example, boss@bank.example\n" BODY);
}

static void five_authors(struct mg_buf *message)
{
	mg_buf_addz(message, "From: a@a.example, b@b.example, c@c.example, d@d.example, boss@bank.example\n" BODY);
}

static void short_authors(struct mg_buf *message)
{
	mg_buf_addz(
		message, "From: a@a.evil.example, b@b.evil.example, c@c.evil.example, boss@mail.bank.example\n" BODY);
}

static void an_endless_from(struct mg_buf *message)
{
	mg_buf_addz(message, "From: ");
	for (unsigned i = 0; i < 1000000; i++)
		mg_buf_addz(message, "x ");
	mg_buf_addz(message, "<boss@bank.example>\n" BODY);
}

static void a_comment_left_open(struct mg_buf *message)
{
	mg_buf_addz(message, "From: (Boss <boss@bank.example>\n" BODY);
}

static void results_of_his_own(struct mg_buf *message)
{
	mg_buf_addz(message, "Authentication-Results: mx.example; dmarc=pass header.from=bank.example; spf=pass\n"
			     "Received-SPF: pass (mx.example: domain of boss@bank.example) client-ip=192.0.2.1;\n"
			     "ARC-Authentication-Results: i=1; mx.example; dmarc=pass\n"
			     "X-Original-Authentication-Results: mx.example; dkim=pass header.d=bank.example\n");
	only_from(message);
}

static void sender_and_resent(struct mg_buf *message)
{
	mg_buf_addz(message, "Sender: me@evil.example\nResent-From: me@evil.example\nReply-To: me@evil.example\n");
	only_from(message);
}

static void from_with_blanks_before_the_colon(struct mg_buf *message)
{
	mg_buf_addz(message, "From : me@evil.example\n");
	only_from(message);
}

static void from_folded_deep(struct mg_buf *message)
{
	mg_buf_addz(message, "From:\n \n \n <boss@\n bank.example>\n" BODY);
}

static void after_a_null_byte(struct mg_buf *message)
{
	mg_buf_add(message, MG_STR("From: <boss@bank.example>\0 <me@evil.example>\n" BODY));
}

static void after_a_bare_cr(struct mg_buf *message)
{
	mg_buf_addz(message, "From: me@evil.example\rFrom: boss@bank.example\n" BODY);
}

static const struct heist heists[] = {
	{ "plainly", NULL, 1, NULL, "me@evil.example", only_from, NULL },
	{ "HELO passes as the bank", NULL, 1, "bank.example", "me@evil.example", only_from, NULL },
	{ "a hundred greetings use up the questions", greetings_answer, 100, NULL, "me@evil.example", only_from, NULL },
	{ "ten thousand greetings use up the memory", greetings_answer, 10000, NULL, "me@evil.example", only_from,
		NULL },
	{ "HELO's SPF uses up the questions", a_tree, 1, "tree.example", "me@evil.example", only_from, NULL },
	{ "HELO's SPF uses up the bank's SPF", a_tree, 1, "tree.example", "boss@bank.example", only_from, NULL },
	{ "MAIL FROM's SPF uses up the questions", a_tree, 1, NULL, "me@tree.example", only_from, NULL },
	{ "MAIL FROM's SPF and an aligned signature", a_tree, 1, NULL, "me@tree.example", signatures, NULL },
	{ "many names of the client", many_names, 1, "tree.example", "me@tree.example", only_from, NULL },
	{ "signatures use up the questions", NULL, 1, NULL, "me@evil.example", many_signatures,
		"auth = { max_signatures = 64; };" },
	{ "signatures beside a tree", a_tree, 1, "tree.example", "me@tree.example", many_signatures,
		"auth = { max_signatures = 64; };" },
	{ "a chain uses up the questions", NULL, 1, NULL, "me@evil.example", a_chain_and_signatures, NULL },
	{ "a chain and the bank's SPF", NULL, 1, NULL, "boss@bank.example", a_chain_and_signatures, NULL },
	{ "all together", many_names, 100, "tree.example", "me@tree.example", a_chain_and_signatures, NULL },
	{ "all together, and the bank's SPF", many_names, 100, "tree.example", "boss@bank.example",
		a_chain_and_signatures, NULL },
	{ "authors with long names first", a_tree, 1, "tree.example", "me@tree.example", deep_authors, NULL },
	{ "more authors than are told", NULL, 1, NULL, "me@evil.example", five_authors, NULL },
	{ "authors with short names first", many_names, 100, "tree.example", "me@tree.example", short_authors, NULL },
	{ "a comment left open", NULL, 1, NULL, "me@evil.example", a_comment_left_open, NULL },
	{ "a From of two megabytes", NULL, 1, NULL, "me@evil.example", an_endless_from, NULL },
	{ "thousands of fields before From", NULL, 1, NULL, "me@evil.example", thousands_of_fields, NULL },
	{ "a megabyte before From", NULL, 1, NULL, "me@evil.example", a_huge_field, NULL },
	{ "a second From behind thousands of fields", NULL, 1, NULL, "me@evil.example", a_second_author_far_below,
		NULL },
	{ "results that he brings along", NULL, 1, NULL, "me@evil.example", results_of_his_own, NULL },
	{ "Sender and Resent-From", NULL, 1, NULL, "me@evil.example", sender_and_resent, NULL },
	{ "blanks before the colon", NULL, 1, NULL, "me@evil.example", from_with_blanks_before_the_colon, NULL },
	{ "folds", NULL, 1, NULL, "me@evil.example", from_folded_deep, NULL },
	{ "a null byte", NULL, 1, NULL, "me@evil.example", after_a_null_byte, NULL },
	{ "a bare CR", NULL, 1, NULL, "me@evil.example", after_a_bare_cr, NULL },
};

static void greet(struct mg_evaluation *evaluation, const struct heist *heist)
{
	char name[64];

	for (unsigned i = 0; i + 1 < heist->greetings; i++) {
		snprintf(name, sizeof name, "h%u.evil.example", i);
		mg_evaluation_helo(evaluation, mg_str_z(name));
		mg_evaluation_step(evaluation);
	}
	mg_evaluation_helo(evaluation, mg_str_z(heist->helo == NULL ? "h.evil.example" : heist->helo));
	mg_evaluation_step(evaluation);
}

static void attempt(const struct heist *heist, struct zone *zone, struct mg_str message)
{
	const struct mg_dmarc_output *dmarc;
	struct evaluation_run run;

	evaluation_open(&run, zone, heist->conf, "192.0.2.1");
	greet(run.evaluation, heist);
	mg_evaluation_mail(run.evaluation, mg_str_z(heist->from));
	mg_evaluation_step(run.evaluation);
	evaluation_message(&run, zone, message);
	dmarc = mg_evaluation_dmarc(run.evaluation);
	assert_non_null(dmarc);
	if (dmarc->result == MG_RESULT_PASS || dmarc->disposition != MG_DISPOSITION_REJECT)
		fail_msg("%s, %s: %s", mg_result_name(dmarc->result), mg_dmarc_disposition_name(dmarc->disposition),
			dmarc->reason);
	assert_in_range(mg_lookup_asked(mg_evaluation_lookup(run.evaluation)), 1, MG_LOOKUP_QUESTIONS);
	evaluation_end(&run);
}

static void the_policy_holds(void **state)
{
	const struct heist *heist = *state;
	struct mg_buf message;
	struct zone zone;

	zone_begin(&zone, BANK EVIL);
	if (heist->prepare != NULL)
		heist->prepare(&zone);
	mg_buf_init(&message, MESSAGE);
	heist->write(&message);
	attempt(heist, &zone, mg_buf_str(&message));
	zone.is_slow = true;
	attempt(heist, &zone, mg_buf_str(&message));
	mg_buf_fini(&message);
	zone_end(&zone);
}

/* What the administrator asks about a client is not at the sender's cost: with many lists the greeting is still checked. */
static void lists_cost_the_sender_nothing(void **state)
{
	struct evaluation_run run;
	struct mg_buf conf;
	struct zone zone;

	(void)state;
	zone_begin(&zone, BANK EVIL "h.evil.example TXT v=spf1 a mx ip4:192.0.2.1 -all\n");
	many_names(&zone);
	mg_buf_init(&conf, 4096);
	mg_buf_addz(&conf, "auth = { dnsbl = ( \"l.example\"");
	for (unsigned i = 1; i < 32; i++)
		mg_buf_addf(&conf, ", \"l%u.example\"", i);
	mg_buf_addz(&conf, " ); };");
	evaluation_open(&run, &zone, mg_buf_z(&conf), "192.0.2.1");
	mg_evaluation_helo(run.evaluation, MG_STR("h.evil.example"));
	mg_evaluation_mail(run.evaluation, MG_STR("me@without.example"));
	evaluation_message(&run, &zone, MG_STR(FROM_BANK BODY));
	assert_string_equal(mg_result_name(mg_evaluation_spf_helo(run.evaluation)->result), "pass");
	assert_string_equal(mg_result_name(mg_evaluation_spf(run.evaluation)->result), "none");
	assert_false(mg_evaluation_dnsbl(run.evaluation)->is_incomplete);
	assert_int_equal(mg_evaluation_dmarc(run.evaluation)->disposition, MG_DISPOSITION_REJECT);
	evaluation_end(&run);
	mg_buf_fini(&conf);
	zone_end(&zone);
}

/* ---- more than one author, or none that can be told: never pass ---- */

struct author_row {
	const char *name, *header;
};
static const struct author_row authors[] = {
	{ "two fields", "From: a@evil.example\nFrom: b@bank.example\n" },
	{ "two fields, the other way round", "From: b@bank.example\nFrom: a@evil.example\n" },
	{ "two fields of the thief", "From: a@evil.example\nFrom: b@evil.example\n" },
	{ "three fields", "From: a@evil.example\nFrom: a@evil.example\nFrom: b@bank.example\n" },
	{ "an empty one first", "From:\nFrom: a@evil.example\n" },
	{ "an empty one last", "From: a@evil.example\nFrom: \n" },
	{ "other letters", "From: a@evil.example\nFROM: b@bank.example\n" },
	{ "a blank before the colon", "From: a@evil.example\nFrom : b@bank.example\n" },
	{ "a list", "From: a@evil.example, b@bank.example\n" },
	{ "a list, folded", "From: a@evil.example,\n b@bank.example\n" },
	{ "a list with names", "From: \"A\" <a@evil.example>, \"B\" <b@bank.example>\n" },
	{ "a group and an address", "From: g: a@evil.example;, b@bank.example\n" },
	{ "a group of two", "From: g: a@evil.example, b@bank.example;\n" },
	{ "a group open", "From: g: a@evil.example\n" },
	{ "two angles", "From: <a@evil.example> <b@bank.example>\n" },
	{ "two angles without a blank", "From: <b@bank.example><a@evil.example>\n" },
	{ "an angle in an angle", "From: <<b@bank.example> a@evil.example>\n" },
	{ "an address behind the angle", "From: <a@evil.example> b@bank.example\n" },
	{ "a route", "From: <@bank.example:a@evil.example>\n" },
	{ "a long route", "From: <@bank.example,@x.example:a@evil.example>\n" },
	{ "two @", "From: b@bank.example@evil.example\n" },
	{ "two @, the other way round", "From: a@evil.example@bank.example\n" },
	{ "two @ in an angle", "From: <b@bank.example@evil.example>\n" },
	{ "a quote left open", "From: \"b@bank.example <a@evil.example>\n" },
	{ "a comment left open", "From: (b@bank.example <a@evil.example>\n" },
	{ "an angle left open", "From: b@bank.example <a@evil.example\n" },
	{ "an angle closed twice", "From: <a@evil.example>>\n" },
	{ "a semicolon", "From: b@bank.example; a@evil.example\n" },
	{ "nothing", "From: \n" },
	{ "a name", "From: Boss\n" },
	{ "no local part", "From: @evil.example\n" },
	{ "no domain", "From: boss@\n" },
	{ "a literal", "From: a@[192.0.2.1]\n" },
	{ "an encoded domain", "From: <b@=?us-ascii?q?bank.example?=>\n" },
	{ "an encoded address", "From: =?utf-8?b?PGJAYmFuay5leGFtcGxlPg==?=\n" },
	{ "two dots", "From: a@evil..example\n" },
	{ "bytes that are no UTF-8", "From: a@evil\xff.example\n" },
	{ "a control byte", "From: <b@bank.example\x01@evil.example>\n" },
	{ "a space in the domain", "From: <a@bank.example evil.example>\n" },
	{ "a backslash", "From: <b@bank.example\\@evil.example>\n" },
	{ "none", "Sender: a@evil.example\n" },
	{ "From behind the header's end", "X: y\n\nFrom: a@evil.example\n" },
	{ "nothing at all", "" },
};

static void nobody_passes(void **state)
{
	const struct evaluation_case base = { .helo = "evil.example", .from = "a@evil.example" };
	struct evaluation_case c = base;
	struct evaluation_run run;
	struct mg_buf message;
	struct zone zone;
	const char *header = ((const struct author_row *)*state)->header;

	zone_begin(&zone, BANK EVIL);
	mg_buf_init(&message, MESSAGE);
	mg_buf_addf(&message, "%s%s", header, BODY);
	c.message = mg_buf_z(&message);
	evaluation_begin(&run, &zone, &c);
	assert_string_equal(mg_result_name(mg_evaluation_spf(run.evaluation)->result), "pass");
	assert_string_equal(mg_result_name(mg_evaluation_dmarc(run.evaluation)->result), "permerror");
	assert_int_equal(mg_evaluation_dmarc(run.evaluation)->disposition,
		strstr(header, "bank.example") != NULL && strstr(header, "?q?") == NULL ? MG_DISPOSITION_REJECT
											: MG_DISPOSITION_NONE);
	evaluation_end(&run);
	mg_buf_fini(&message);
	zone_end(&zone);
}

/* ---- signed, but not what is shown ---- */

struct signed_row {
	const char *name, *tags;    /* besides v a c d s h bh */
	const char *names;          /* of h= */
	const char *before, *after; /* what is put before the header and behind the body once it is signed */
	const char *dkim, *dmarc;
};
static const struct signed_row signed_rows[] = {
	{ "as it was sent", "", "From:To", "", "", "pass", "pass" },
	{ "l= and something appended", "l=13; ", "From:To", "", "<a href=evil>\n", "policy", "fail" },
	{ "l=0 and another body", "l=0; ", "From:To", "", "", "policy", "fail" },
	{ "another From on top", "", "From:To", "From: boss@bank.example\n", "", "pass", "permerror" },
	{ "another From on top, oversigned", "", "From:From:To", "From: boss@bank.example\n", "", "fail", "permerror" },
	{ "another To on top", "", "From:To", "To: all@victim.example\n", "", "pass", "pass" },
	{ "another To on top, oversigned", "", "From:To:To", "To: all@victim.example\n", "", "fail", "fail" },
	{ "something appended", "", "From:To", "", "PS\n", "fail", "fail" },
	{ "From not signed", "", "To", "", "", "permerror", "fail" },
};

static void write_signed(const struct signed_row *row, EVP_PKEY *key, struct mg_buf *message)
{
	static const char header[] = "From: me@evil.example\r\nTo: you@victim.example\r\n";
	const char *body = "Please pay.\r\n";
	char hash[64], tags[512];
	struct signing signing = { "DKIM-Signature", tags, header, row->names, MG_CANON_RELAXED, key, NULL };

	body_hash(body, strlen(body), MG_CANON_RELAXED, strstr(row->tags, "l=0") != NULL ? 0 : MG_BODY_WHOLE, hash);
	snprintf(tags, sizeof tags, "v=1; a=rsa-sha256; c=relaxed/relaxed; d=evil.example; s=s; h=%s; %sbh=%s;",
		row->names, row->tags, hash);
	mg_buf_addz(message, row->before);
	sign(message, &signing);
	mg_buf_addf(message, "%s\r\n%s%s", header, body, row->after);
}

static void what_is_signed_counts(void **state)
{
	static EVP_PKEY *key;
	const struct signed_row *row = *state;
	struct evaluation_case c = { .from = "bounce@list.example" };
	struct evaluation_run run;
	struct mg_buf message;
	char text[2048] = "v=DKIM1; p=";
	struct zone zone;

	if (key == NULL)
		key = make_rsa(1024);
	public_key(key, false, text + strlen(text), sizeof text - strlen(text));
	zone_begin(&zone, BANK EVIL);
	add(&zone, "TXT", text, "s._domainkey.evil.example");
	mg_buf_init(&message, MESSAGE);
	write_signed(row, key, &message);
	c.message = mg_buf_z(&message);
	evaluation_begin(&run, &zone, &c);
	assert_string_equal(mg_result_name(mg_evaluation_result(run.evaluation).dkim), row->dkim);
	assert_string_equal(mg_result_name(mg_evaluation_result(run.evaluation).dmarc), row->dmarc);
	evaluation_end(&run);
	mg_buf_fini(&message);
	zone_end(&zone);
}

/* ---- work ---- */

static void repeat(struct mg_buf *message, const char *text, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		mg_buf_addz(message, text);
}

static void semicolons(struct mg_buf *message)
{
	static const char *const names[] = { "DKIM-Signature", "ARC-Seal", "ARC-Message-Signature",
		"ARC-Authentication-Results", "Authentication-Results", "From" };

	for (size_t i = 0; i < ROWS(names); i++) {
		mg_buf_addf(message, "%s: ", names[i]);
		repeat(message, ";", 60000);
		mg_buf_addz(message, "\n");
	}
	mg_buf_addz(message, BODY);
}

static void comments(struct mg_buf *message)
{
	static const char *const names[] = { "From", "Authentication-Results", "ARC-Authentication-Results" };

	for (size_t i = 0; i < ROWS(names); i++) {
		mg_buf_addf(message, "%s: ", names[i]);
		repeat(message, "(", 300000);
		mg_buf_addz(message, "\n");
	}
	mg_buf_addz(message, BODY);
}

static void authors_without_end(struct mg_buf *message)
{
	mg_buf_addz(message, "From: ");
	repeat(message, "<@a:", 50000);
	repeat(message, "a@b.c,", 50000);
	repeat(message, "\"\"@", 50000);
	mg_buf_addz(message, "\n" BODY);
}

static void quotes_left_open(struct mg_buf *message)
{
	mg_buf_addz(message, "From: ");
	repeat(message, "\"\\", 100000);
	repeat(message, "a ( b : ", 30000);
	mg_buf_addz(message, "\n" BODY);
}

static void names_before_a_colon(struct mg_buf *message)
{
	mg_buf_addz(message, "From: ");
	repeat(message, "a,", 200000);
	mg_buf_addz(message, "\n" BODY);
}

static void a_thousand_signatures(struct mg_buf *message)
{
	signatures_of(message, 1000);
	only_from(message);
}

/* Every signature over every field, thousands of times, and bodies by other lengths. */
static void everything_signed(struct mg_buf *message)
{
	for (unsigned i = 0; i < 64; i++) {
		mg_buf_addf(message,
			"DKIM-Signature: v=1; a=rsa-sha256; c=%s/%s; d=evil.example; s=s%u; l=%u; b=AAAA;\n bh=%s; h=from",
			i % 2 ? "simple" : "relaxed", i % 2 ? "relaxed" : "simple", i % 8, 1000000 + i,
			"NzAlQGDPqyZUahVwZWw8m9nwdThj4dKELCqyzXCwlX8=");
		repeat(message, ":x", 99);
		mg_buf_addz(message, "\n");
	}
	for (unsigned i = 0; i < 100; i++) {
		mg_buf_addz(message, "X: ");
		repeat(message, " a\t \tb ", 1000);
		mg_buf_addz(message, "\n");
	}
	only_from(message);
	repeat(message, " a \t b  \r\n \t \n\n", 80000);
}

static void blank_lines(struct mg_buf *message)
{
	everything_signed(message);
	repeat(message, "\n", 500000);
}

struct load {
	const char *name;
	void (*write)(struct mg_buf *message);
};
static const struct load loads[] = {
	{ "sixty thousand semicolons", semicolons },
	{ "three hundred thousand parentheses", comments },
	{ "authors without end", authors_without_end },
	{ "quotes left open", quotes_left_open },
	{ "names, names", names_before_a_colon },
	{ "a thousand signatures", a_thousand_signatures },
	{ "a chain of fifty", a_chain_and_signatures },
	{ "everything signed", everything_signed },
	{ "blank lines without end", blank_lines },
};

/* The bound that fails is the questions'; the time is told, not judged. */
static void the_work_is_bounded(void **state)
{
	const struct load *load = *state;
	struct evaluation_case c = {
		.conf = "auth = { max_signatures = 64; };", .from = "me@tree.example", .helo = "tree.example"
	};
	struct evaluation_run run;
	struct mg_buf message;
	struct zone zone;
	int64_t start_us;

	zone_begin(&zone, BANK EVIL "*._domainkey.evil.example TXT x\n");
	many_names(&zone);
	mg_buf_init(&message, MESSAGE);
	load->write(&message);
	c.message = mg_buf_z(&message);
	start_us = mg_mono_us();
	evaluation_begin(&run, &zone, &c);
	print_message("%s: %zu KiB, %.1f ms, %u questions\n", load->name, message.n / 1024,
		(double)(mg_mono_us() - start_us) / 1000, mg_lookup_asked(mg_evaluation_lookup(run.evaluation)));
	assert_in_range(mg_lookup_asked(mg_evaluation_lookup(run.evaluation)), 0, MG_LOOKUP_QUESTIONS);
	assert_int_not_equal(mg_evaluation_dmarc(run.evaluation)->result, MG_RESULT_PASS);
	evaluation_end(&run);
	mg_buf_fini(&message);
	zone_end(&zone);
}

int main(void)
{
	static struct CMUnitTest tests[ROWS(heists) + ROWS(authors) + ROWS(signed_rows) + ROWS(loads) + 1];
	size_t n = 0;

	ADD_ROWS(tests, n, heists, the_policy_holds);
	ADD_ROWS(tests, n, authors, nobody_passes);
	ADD_ROWS(tests, n, signed_rows, what_is_signed_counts);
	ADD_ROWS(tests, n, loads, the_work_is_bounded);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(lists_cost_the_sender_nothing);
	return _cmocka_run_group_tests("attacks", tests, n, NULL, NULL);
}
