/* DKIM signatures made here and verified: every tag, every kind of key and key record, and what costs too much. Each row runs
 * with DNS at once and late. */
#include "message_kit.h"
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NOW    1700000000
#define HEADER "From: Ann <ann@example.com>\r\nTo: b@x.example\r\nSubject: Test\r\n"
#define BODY   "Hello.\r\nThis is a test.\r\n"

enum key { RSA_1024, RSA_512, RSA_768, RSA_2048, RSA_4096, RSA_8192, ED, KEYS };
static EVP_PKEY *keys[KEYS];
static char p_tags[KEYS][4096];

/* Replaces each `mark` of `text`. */
static void fill(char *place, size_t size, const char *text, const char *mark, const char *with)
{
	const char *at;
	size_t n = 0;

	for (; (at = strstr(text, mark)) != NULL; text = at + strlen(mark))
		n += (size_t)snprintf(place + n, size - n, "%.*s%s", (int)(at - text), text, with);
	snprintf(place + n, size - n, "%s", text);
}

static void add_signature(struct mg_buf *out, const char *tags, const char *names, enum mg_canon form, enum key key)
{
	char bh[64], filled[4096];
	struct signing signing = { "DKIM-Signature", filled, HEADER, names, form, keys[key], NULL };

	body_hash(BODY, strlen(BODY), MG_CANON_RELAXED, UINT64_MAX, bh);
	fill(filled, sizeof filled, tags, "$BH", bh);
	sign(out, &signing);
}

/* Publishes `record` ($P: the key) under `name`. */
static void publish(struct zone *zone, const char *name, const char *record, enum key key)
{
	static char filled[16384];

	fill(filled, sizeof filled, record, "$P", p_tags[key]);
	zone_add(zone, name, "TXT", filled, strlen(filled));
}

/* ---- one signature ---- */

#define V   "v=1;"
#define A   " a=rsa-sha256;"
#define C   " c=relaxed/relaxed;"
#define D   " d=example.com;"
#define S   " s=sel;"
#define H   " h=From:To:Subject;"
#define BH  " bh=$BH;"
#define ALL V A C D S H BH

struct signature_row {
	const char *name;
	enum mg_result result;
	const char *reason; /* a part of it */
	const char *tags;
	const char *names; /* NULL: From:To:Subject */
	enum key key;
	const char *record; /* NULL: a plain one */
};
static const struct signature_row signature_rows[] = {
	{ "plain", MG_RESULT_PASS, "", ALL, NULL, RSA_1024, NULL },
	{ "RSA 2048", MG_RESULT_PASS, "", ALL, NULL, RSA_2048, NULL },
	{ "RSA 4096", MG_RESULT_PASS, "", ALL, NULL, RSA_4096, NULL },
	{ "RSA 512", MG_RESULT_POLICY, "too short", ALL, NULL, RSA_512, NULL },
	{ "RSA 768", MG_RESULT_POLICY, "too short", ALL, NULL, RSA_768, NULL },
	{ "RSA 8192", MG_RESULT_POLICY, "too long", ALL, NULL, RSA_8192, NULL },
	{ "Ed25519", MG_RESULT_PASS, "", V " a=ed25519-sha256;" C D S H BH, NULL, ED, "v=DKIM1; k=ed25519; p=$P" },
	{ "Ed25519 with an RSA key", MG_RESULT_PERMERROR, "another kind", V " a=ed25519-sha256;" C D S H BH, NULL, ED,
		"v=DKIM1; k=rsa; p=$P" },
	{ "RSA with an Ed25519 key", MG_RESULT_PERMERROR, "another kind", ALL, NULL, RSA_1024,
		"v=DKIM1; k=ed25519; p=$P" },
	/* v= */
	{ "v= is missing", MG_RESULT_PERMERROR, "v= is missing", A C D S H BH, NULL, RSA_1024, NULL },
	{ "v=2", MG_RESULT_PERMERROR, "v= is not 1", "v=2;" A C D S H BH, NULL, RSA_1024, NULL },
	{ "v=1 comes later", MG_RESULT_PASS, "", A C D S H BH V, NULL, RSA_1024, NULL },
	/* a= */
	{ "a= is missing", MG_RESULT_PERMERROR, "a= is missing", V C D S H BH, NULL, RSA_1024, NULL },
	{ "rsa-sha1", MG_RESULT_PERMERROR, "8301", V " a=rsa-sha1;" C D S H BH, NULL, RSA_1024, NULL },
	{ "a= is unknown", MG_RESULT_PERMERROR, "a= is no", V " a=rsa-sha512;" C D S H BH, NULL, RSA_1024, NULL },
	{ "a= has case", MG_RESULT_PERMERROR, "a= is no", V " a=RSA-SHA256;" C D S H BH, NULL, RSA_1024, NULL },
	{ "a= is empty", MG_RESULT_PERMERROR, "a= is no", V " a=;" C D S H BH, NULL, RSA_1024, NULL },
	/* c= */
	{ "c= is missing: simple", MG_RESULT_FAIL, "header", V A D S H BH, NULL, RSA_1024, NULL },
	{ "c= unknown", MG_RESULT_PERMERROR, "c= is no", V A " c=nowsp;" D S H BH, NULL, RSA_1024, NULL },
	{ "c= of three", MG_RESULT_PERMERROR, "c= is no", V A " c=relaxed/relaxed/simple;" D S H BH, NULL, RSA_1024,
		NULL },
	{ "c= relaxed/", MG_RESULT_PERMERROR, "c= is no", V A " c=relaxed/;" D S H BH, NULL, RSA_1024, NULL },
	/* d=, s= */
	{ "d= is missing", MG_RESULT_PERMERROR, "d= is missing", V A C S H BH, NULL, RSA_1024, NULL },
	{ "d= in capitals", MG_RESULT_PASS, "", V A C " d=EXAMPLE.com;" S H BH, NULL, RSA_1024, NULL },
	{ "d= with a final dot", MG_RESULT_PERMERROR, "d= is no", V A C " d=example.com.;" S H BH, NULL, RSA_1024,
		NULL },
	{ "d= of one label", MG_RESULT_PERMERROR, "d= is no", V A C " d=com;" S H BH, NULL, RSA_1024, NULL },
	{ "d= with a parenthesis", MG_RESULT_PERMERROR, "d= is no", V A C " d=example.net(.example.com;" S H BH, NULL,
		RSA_1024, NULL },
	{ "d= with a blank", MG_RESULT_PERMERROR, "d= is no", V A C " d=exa mple.com;" S H BH, NULL, RSA_1024, NULL },
	{ "s= is missing", MG_RESULT_PERMERROR, "s= is missing", V A C D H BH, NULL, RSA_1024, NULL },
	{ "s= with a slash", MG_RESULT_PERMERROR, "s= is no", V A C D " s=a/b;" H BH, NULL, RSA_1024, NULL },
	{ "s= of two labels", MG_RESULT_PASS, "", V A C D " s=a.b;" H BH, NULL, RSA_1024, NULL },
	{ "U-labels", MG_RESULT_PASS, "",
		V A C " d=b\xc3\xbc"
		      "cher.example; s=\xc3\xa9t\xc3\xa9;" H BH,
		NULL, RSA_1024, NULL },
	{ "no such name", MG_RESULT_PERMERROR, "no key", V A C " d=other.example;" S H BH, NULL, RSA_1024, NULL },
	{ "DNS is in trouble", MG_RESULT_TEMPERROR, "DNS", V A C " d=slow.example;" S H BH, NULL, RSA_1024, NULL },
	/* h= */
	{ "h= is missing", MG_RESULT_PERMERROR, "h= is missing", V A C D S BH, NULL, RSA_1024, NULL },
	{ "h= without From", MG_RESULT_PERMERROR, "From", V A C D S " h=To:Subject;" BH, "To:Subject", RSA_1024, NULL },
	{ "h= is empty", MG_RESULT_PERMERROR, "h= is no", V A C D S " h=;" BH, "", RSA_1024, NULL },
	{ "h= with blanks", MG_RESULT_PASS, "", V A C D S " h = From :\r\n\tto:SUBJECT ;" BH, NULL, RSA_1024, NULL },
	{ "h= with an empty name", MG_RESULT_PERMERROR, "h= is no", V A C D S " h=From::To;" BH, NULL, RSA_1024, NULL },
	{ "h= names absent ones", MG_RESULT_PASS, "", V A C D S " h=From:Cc:From:To:X;" BH, "From:To", RSA_1024, NULL },
	{ "h= names more than were signed", MG_RESULT_FAIL, "header", V A C D S " h=From:To:Subject;" BH, "From:To",
		RSA_1024, NULL },
	{ "h= names the field itself", MG_RESULT_PASS, "", V A C D S " h=From:DKIM-Signature;" BH, "From", RSA_1024,
		NULL },
	/* b=, bh= */
	{ "b= twice", MG_RESULT_PERMERROR, "no list", ALL " b=AAAA;", NULL, RSA_1024, NULL },
	{ "bh= is missing", MG_RESULT_PERMERROR, "bh= is missing", V A C D S H, NULL, RSA_1024, NULL },
	{ "bh= of another body", MG_RESULT_FAIL, "body",
		V A C D S H " bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;", NULL, RSA_1024, NULL },
	{ "bh= is no base64", MG_RESULT_PERMERROR, "bh= is no", V A C D S H " bh=?;", NULL, RSA_1024, NULL },
	{ "bh= folded", MG_RESULT_PASS, "", V A C D S H " bh=$B1\r\n\t $B2 ;", NULL, RSA_1024, NULL },
	/* i= */
	{ "i= is d=", MG_RESULT_PASS, "", ALL " i=ann@example.com;", NULL, RSA_1024, NULL },
	{ "i= below d=", MG_RESULT_PASS, "", ALL " i=@a.example.com;", NULL, RSA_1024, NULL },
	{ "i= above d=", MG_RESULT_PERMERROR, "i= is not", ALL " i=@com;", NULL, RSA_1024, NULL },
	{ "i= only ends like d=", MG_RESULT_PERMERROR, "i= is not", ALL " i=@badexample.com;", NULL, RSA_1024, NULL },
	{ "i= without @", MG_RESULT_PERMERROR, "i= is not", ALL " i=example.com;", NULL, RSA_1024, NULL },
	{ "i= below d=, and t=s", MG_RESULT_PERMERROR, "t=s", ALL " i=@a.example.com;", NULL, RSA_1024,
		"v=DKIM1; t=s; p=$P" },
	{ "i= is d=, and t=s", MG_RESULT_PASS, "", ALL " i=@example.com;", NULL, RSA_1024, "v=DKIM1; t=y:s; p=$P" },
	/* l= */
	{ "l= exact", MG_RESULT_PASS, "", ALL " l=25;", NULL, RSA_1024, NULL },
	{ "l= beyond the body", MG_RESULT_PERMERROR, "l= is beyond", ALL " l=26;", NULL, RSA_1024, NULL },
	{ "l= short", MG_RESULT_POLICY, "l= leaves", V A C D S H " bh=$SHORT; l=8;", NULL, RSA_1024, NULL },
	{ "l=0", MG_RESULT_POLICY, "l= leaves", V A C D S H " bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; l=0;",
		NULL, RSA_1024, NULL },
	{ "l= short and wrong", MG_RESULT_FAIL, "body", ALL " l=8;", NULL, RSA_1024, NULL },
	{ "l= is no number", MG_RESULT_PERMERROR, "l= is no", ALL " l=-1;", NULL, RSA_1024, NULL },
	{ "l= of 77 digits", MG_RESULT_PERMERROR, "l= is no",
		ALL " l=10000000000000000000000000000000000000000000000000000000000000000000000000000;", NULL, RSA_1024,
		NULL },
	/* q=, z=, unknown */
	{ "q=dns/txt", MG_RESULT_PASS, "", ALL " q=dns/txt;", NULL, RSA_1024, NULL },
	{ "q= with dns/txt second", MG_RESULT_PASS, "", ALL " q=x : dns/txt;", NULL, RSA_1024, NULL },
	{ "q= unknown", MG_RESULT_PERMERROR, "q= has", ALL " q=http;", NULL, RSA_1024, NULL },
	{ "z= is ignored", MG_RESULT_PASS, "", ALL " z=From:x@y|To=3A;", NULL, RSA_1024, NULL },
	{ "an unknown tag", MG_RESULT_PASS, "", ALL " xyz=1;", NULL, RSA_1024, NULL },
	{ "a tag twice", MG_RESULT_PERMERROR, "no list", ALL " d=example.com;", NULL, RSA_1024, NULL },
	/* t=, x= */
	{ "t= now, x= later", MG_RESULT_PASS, "", ALL " t=1700000000; x=1700000001;", NULL, RSA_1024, NULL },
	{ "x= is now", MG_RESULT_PASS, "", ALL " x=1700000000;", NULL, RSA_1024, NULL },
	{ "x= is over", MG_RESULT_FAIL, "expired", ALL " x=1699999999;", NULL, RSA_1024, NULL },
	{ "x= is t=", MG_RESULT_PERMERROR, "x= is not later", ALL " t=1699999999; x=1699999999;", NULL, RSA_1024,
		NULL },
	{ "t= a little ahead", MG_RESULT_PASS, "", ALL " t=1700000300;", NULL, RSA_1024, NULL },
	{ "t= in the future", MG_RESULT_PERMERROR, "future", ALL " t=1700000301;", NULL, RSA_1024, NULL },
	{ "t= is no time", MG_RESULT_PERMERROR, "t= is no", ALL " t=now;", NULL, RSA_1024, NULL },
	{ "t= of thirteen digits", MG_RESULT_PERMERROR, "t= is no", ALL " t=1000000000000;", NULL, RSA_1024, NULL },
	{ "x= is empty", MG_RESULT_PERMERROR, "x= is no", ALL " x=;", NULL, RSA_1024, NULL },
	/* the key record */
	{ "only p=", MG_RESULT_PASS, "", ALL, NULL, RSA_1024, "p=$P" },
	{ "all tags", MG_RESULT_PASS, "", ALL, NULL, RSA_1024,
		"v=DKIM1; k=rsa; h=sha1:sha256; s=x:email; t=x; g=nobody; n=a note; zz=1; p=$P;" },
	{ "v= is not first", MG_RESULT_PERMERROR, "no key", ALL, NULL, RSA_1024, "k=rsa; v=DKIM1; p=$P" },
	{ "v=DKIM2", MG_RESULT_PERMERROR, "no key", ALL, NULL, RSA_1024, "v=DKIM2; p=$P" },
	{ "revoked", MG_RESULT_PERMERROR, "revoked", ALL, NULL, RSA_1024, "v=DKIM1; p=" },
	{ "p= is missing", MG_RESULT_PERMERROR, "no key", ALL, NULL, RSA_1024, "v=DKIM1; k=rsa" },
	{ "p= is no base64", MG_RESULT_PERMERROR, "not base64", ALL, NULL, RSA_1024, "v=DKIM1; p=!" },
	{ "p= is no key", MG_RESULT_PERMERROR, "can't be read", ALL, NULL, RSA_1024, "v=DKIM1; p=AAAA" },
	{ "another's key", MG_RESULT_FAIL, "header", ALL, NULL, RSA_1024, "v=DKIM1; p=$OTHER" },
	{ "k= unknown", MG_RESULT_PERMERROR, "another kind", ALL, NULL, RSA_1024, "v=DKIM1; k=dsa; p=$P" },
	{ "h= only sha1", MG_RESULT_PERMERROR, "SHA-256", ALL, NULL, RSA_1024, "v=DKIM1; h=sha1; p=$P" },
	{ "s= not for mail", MG_RESULT_PERMERROR, "not for mail", ALL, NULL, RSA_1024, "v=DKIM1; s=tlsrpt; p=$P" },
	{ "s=*", MG_RESULT_PASS, "", ALL, NULL, RSA_1024, "v=DKIM1; s=*; p=$P" },
	{ "no list of tags", MG_RESULT_PERMERROR, "no key", ALL, NULL, RSA_1024, "v=spf1 -all" },
};

static void make_message(const struct signature_row *row, struct mg_buf *out)
{
	const char *names = row->names == NULL ? "From:To:Subject" : row->names;
	char bh[64], part[64], tags[4096], more[4096];

	body_hash(BODY, strlen(BODY), MG_CANON_RELAXED, UINT64_MAX, bh);
	mg_str_copy(part, 11, mg_str_z(bh));
	fill(tags, sizeof tags, row->tags, "$B1", part);
	fill(more, sizeof more, tags, "$B2", bh + 10);
	body_hash(BODY, strlen(BODY), MG_CANON_RELAXED, 8, part);
	fill(tags, sizeof tags, more, "$SHORT", part);
	add_signature(out, tags, names, MG_CANON_RELAXED, row->key);
	mg_buf_addz(out, HEADER "\r\n" BODY);
}

static void publish_for(struct zone *zone, const struct signature_row *row)
{
	static const char *const names[] = { "sel._domainkey.example.com", "a.b._domainkey.example.com",
		"xn--t-9fab._domainkey.xn--bcher-kva.example" };
	char record[8192];

	zone_begin(zone, "sel._domainkey.slow.example TIMEOUT\n");
	fill(record, sizeof record, row->record == NULL ? "v=DKIM1; p=$P" : row->record, "$OTHER", p_tags[RSA_2048]);
	for (size_t i = 0; i < ROWS(names); i++)
		publish(zone, names[i], record, row->key);
}

static void a_signature_is_judged(void **state)
{
	const struct signature_row *row = *state;
	struct mg_buf text;

	mg_buf_init(&text, 1 << 20);
	make_message(row, &text);
	for (int is_slow = 0; is_slow < 2; is_slow++) {
		struct zone zone;
		struct message message;
		size_t count;
		const struct mg_dkim_signature *found;

		publish_for(&zone, row);
		zone.is_slow = is_slow;
		message_verify(&message, &zone, mg_buf_z(&text), text.n, NULL, 0);
		found = mg_dkim_signatures(message.dkim, &count);
		assert_int_equal(count, 1);
		if (found->result != row->result || strstr(found->reason, row->reason) == NULL)
			fail_msg("%s: %s", mg_result_name(found->result), found->reason);
		assert_int_equal(mg_dkim_result(message.dkim), row->result);
		message_end(&message);
		zone_end(&zone);
	}
	mg_buf_fini(&text);
}

/* ---- what is told of a signature ---- */

static struct message verified; /* of the test that runs */
static struct zone its_zone;

static const struct mg_dkim_signature *verify(
	const char *text, size_t n, const struct mg_dkim_options *options, size_t *count_out)
{
	message_verify(&verified, &its_zone, text, n, options, 3);
	return mg_dkim_signatures(verified.dkim, count_out);
}

static int begin(void **state)
{
	(void)state;
	zone_begin(&its_zone, "");
	publish(&its_zone, "sel._domainkey.example.com", "v=DKIM1; t=y:s; p=$P", RSA_1024);
	publish(&its_zone, "ed._domainkey.example.com", "v=DKIM1; k=ed25519; p=$P", ED);
	verified = (struct message){ 0 };
	return 0;
}

static int end(void **state)
{
	(void)state;
	if (verified.dkim != NULL)
		message_end(&verified);
	zone_end(&its_zone);
	return 0;
}

static void all_is_told(void **state)
{
	struct mg_buf text;
	size_t count;
	const struct mg_dkim_signature *found;

	(void)state;
	mg_buf_init(&text, 1 << 20);
	add_signature(&text, ALL " i=Ann@EXAMPLE.com;", "From:To:Subject", MG_CANON_RELAXED, RSA_1024);
	mg_buf_addz(&text, HEADER "\r\n" BODY);
	found = verify(mg_buf_z(&text), text.n, NULL, &count);
	assert_int_equal(found->result, MG_RESULT_PASS);
	assert_string_equal(found->domain, "example.com");
	assert_string_equal(found->selector, "sel");
	assert_string_equal(found->algorithm, "rsa-sha256");
	assert_string_equal(found->identity, "Ann@example.com");
	assert_string_equal(found->reason, "");
	assert_int_equal(strlen(found->b_start), 8);
	assert_non_null(strstr(mg_buf_z(&text), found->b_start));
	assert_int_equal(found->key_bits, 1024);
	assert_true(found->is_testing && found->is_strict && found->covers_from_once && !found->covers_part_only);
	mg_buf_fini(&text);
}

static void from_named_twice_can_not_be_added_to(void **state)
{
	struct mg_buf text;
	size_t count;
	const struct mg_dkim_signature *found;

	(void)state;
	mg_buf_init(&text, 1 << 20);
	add_signature(&text, V A C D S " h=From:From;" BH, "From:From", MG_CANON_RELAXED, RSA_1024);
	add_signature(&text, V A C D S " h=From;" BH, "From", MG_CANON_RELAXED, RSA_1024);
	mg_buf_addz(&text, HEADER "\r\n" BODY);
	found = verify(mg_buf_z(&text), text.n, NULL, &count);
	assert_int_equal(count, 2);
	assert_true(found[0].result == MG_RESULT_PASS && !found[0].covers_from_once);
	assert_true(found[1].result == MG_RESULT_PASS && found[1].covers_from_once);
	message_end(&verified);
	mg_buf_reset(&text);
	mg_buf_addz(&text, "From: Bad <bad@bad.example>\r\n");
	add_signature(&text, V A C D S " h=From:From;" BH, "From:From", MG_CANON_RELAXED, RSA_1024);
	add_signature(&text, V A C D S " h=From;" BH, "From", MG_CANON_RELAXED, RSA_1024);
	mg_buf_addz(&text, HEADER "\r\n" BODY);
	found = verify(mg_buf_z(&text), text.n, NULL, &count);
	assert_int_equal(found[0].result, MG_RESULT_FAIL);
	assert_true(found[1].result == MG_RESULT_PASS && found[1].covers_from_once);
	mg_buf_fini(&text);
}

static void a_short_body_may_be_accepted(void **state)
{
	const struct mg_dkim_options options = { .max_signatures = 1, .now_s = NOW, .accepts_short_body = true };
	char bh[64], tags[1024];
	struct mg_buf text;
	size_t count;
	const struct mg_dkim_signature *found;

	(void)state;
	mg_buf_init(&text, 1 << 20);
	body_hash(BODY, strlen(BODY), MG_CANON_RELAXED, 8, bh);
	fill(tags, sizeof tags, V A C D S H " bh=$SHORT; l=8;", "$SHORT", bh);
	add_signature(&text, tags, "From:To:Subject", MG_CANON_RELAXED, RSA_1024);
	mg_buf_addz(&text, HEADER "\r\n" BODY);
	found = verify(mg_buf_z(&text), text.n, &options, &count);
	assert_int_equal(found->result, MG_RESULT_PASS);
	assert_true(found->covers_part_only);
	mg_buf_fini(&text);
}

static void what_can_not_be_read_counts(void **state)
{
	static const char text[] = "DKIM-Signature: nonsense\r\nDKIM-Signature:\r\n" HEADER "\r\n" BODY;
	size_t count;
	const struct mg_dkim_signature *found;

	(void)state;
	found = verify(text, sizeof text - 1, NULL, &count);
	assert_int_equal(count, 2);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(found[i].result, MG_RESULT_PERMERROR);
		assert_string_equal(found[i].domain, "");
		assert_string_equal(found[i].selector, "");
	}
	message_end(&verified);
	verify(HEADER "\r\n", strlen(HEADER) + 2, NULL, &count);
	assert_int_equal(count, 0);
	assert_int_equal(mg_dkim_result(verified.dkim), MG_RESULT_NONE);
}

/* bh= of 0 to 100 bytes: only 32 can be right (section 3.5), and nothing is read beyond what is there. */
static void hashes_of_every_length(void **state)
{
	(void)state;
	for (int n = 0; n <= 100; n++) {
		unsigned char bytes[100] = { 0 };
		char bh[160], tags[1024];
		struct mg_buf text;
		size_t count;

		EVP_EncodeBlock((unsigned char *)bh, bytes, n);
		fill(tags, sizeof tags, V A C D S H " bh=$X;", "$X", bh);
		mg_buf_init(&text, 1 << 20);
		add_signature(&text, tags, "From:To:Subject", MG_CANON_RELAXED, RSA_1024);
		mg_buf_addz(&text, HEADER "\r\n" BODY);
		assert_int_equal(verify(mg_buf_z(&text), text.n, NULL, &count)->result,
			n == 32 ? MG_RESULT_FAIL : MG_RESULT_PERMERROR);
		message_end(&verified);
		mg_buf_fini(&text);
	}
	verified.dkim = NULL;
}

/* ---- several records, and long ones ---- */

struct records_row {
	const char *name;
	const char *records[6];
	enum mg_result result;
	const char *reason;
};
static const struct records_row records_rows[] = {
	{ "another text first", { "v=spf1 -all", "v=DKIM1; p=$P" }, MG_RESULT_PASS, "" },
	{ "another's key first", { "v=DKIM1; p=$OTHER", "v=DKIM1; p=$P" }, MG_RESULT_PASS, "" },
	{ "a revoked one first", { "v=DKIM1; p=", "v=DKIM1; p=$P" }, MG_RESULT_PASS, "" },
	{ "none is right", { "v=DKIM1; p=", "v=DKIM1; p=$OTHER", "x" }, MG_RESULT_FAIL, "header" },
	{ "a text, then a revoked one", { "x", "v=DKIM1; p=" }, MG_RESULT_PERMERROR, "revoked" },
	{ "none is a key", { "v=DKIM1; p=", "x" }, MG_RESULT_PERMERROR, "revoked" },
	{ "the fifth is too far", { "a", "b", "c", "d", "v=DKIM1; p=$P" }, MG_RESULT_PERMERROR, "no key" },
	{ "4 KiB", { "v=DKIM1; p=$P; n=$4096" }, MG_RESULT_PASS, "" },
	{ "over 4 KiB", { "v=DKIM1; p=$P; n=$4097" }, MG_RESULT_PERMERROR, "4 KiB" },
	{ "16 KiB", { "v=DKIM1; p=$P; n=$16383" }, MG_RESULT_PERMERROR, "4 KiB" },
};

/* "$NUMBER" at the end makes the record that long. */
static void publish_padded(struct zone *zone, const char *record)
{
	static char other[16384], filled[16384];
	const char *mark = strrchr(record, '$');
	uint64_t wanted = 0;
	size_t n;

	fill(other, sizeof other, record, "$OTHER", p_tags[RSA_2048]);
	fill(filled, sizeof filled, other, "$P", p_tags[RSA_1024]);
	n = strlen(filled);
	if (mark != NULL && mg_str_to_u64(mg_str_z(mark + 1), sizeof filled - 1, &wanted)) {
		n -= strlen(mark);
		memset(filled + n, 'x', (size_t)wanted - n);
		n = (size_t)wanted;
	}
	zone_add(zone, "sel._domainkey.example.com", "TXT", filled, n);
}

static void records_are_chosen(void **state)
{
	const struct records_row *row = *state;
	struct mg_buf text;
	struct zone zone;
	struct message message;
	size_t count;
	const struct mg_dkim_signature *found;

	zone_begin(&zone, "");
	for (size_t i = 0; i < ROWS(row->records) && row->records[i] != NULL; i++)
		publish_padded(&zone, row->records[i]);
	mg_buf_init(&text, 1 << 20);
	add_signature(&text, ALL, "From:To:Subject", MG_CANON_RELAXED, RSA_1024);
	mg_buf_addz(&text, HEADER "\r\n" BODY);
	message_verify(&message, &zone, mg_buf_z(&text), text.n, NULL, 0);
	found = mg_dkim_signatures(message.dkim, &count);
	if (found->result != row->result || strstr(found->reason, row->reason) == NULL)
		fail_msg("%s: %s", mg_result_name(found->result), found->reason);
	message_end(&message);
	zone_end(&zone);
	mg_buf_fini(&text);
}

/* ---- what costs ---- */

static double cpu_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void a_thousand_signatures_are_bounded(void **state)
{
	struct mg_buf text;
	size_t count;
	const struct mg_dkim_signature *found;
	double start_ms, took_ms;

	(void)state;
	mg_buf_init(&text, 1 << 20);
	for (int i = 0; i < 1000; i++)
		add_signature(&text, ALL, "From:To:Subject", MG_CANON_RELAXED, ED);
	mg_buf_addz(&text, HEADER "\r\n" BODY);
	start_ms = cpu_ms();
	found = verify(mg_buf_z(&text), text.n, NULL, &count);
	took_ms = cpu_ms() - start_ms;
	assert_int_equal(count, 64);
	assert_string_equal(found[10].reason, "too many signatures: this one was not looked at");
	print_message("1000 signatures: %.1f ms\n", took_ms);
	assert_true(took_ms < 500); /* sanitizers and other work on the machine have their share */
	mg_buf_fini(&text);
}

static void add_long_list(struct mg_buf *text, int number)
{
	mg_buf_addf(text, "DKIM-Signature: v=1; a=rsa-sha256; c=%s/simple; d=example.com; s=sel; h=From",
		number % 2 == 0 ? "simple" : "relaxed");
	for (int name = 0; name < 99; name++)
		mg_buf_addz(text, ":X");
	mg_buf_addf(text, "; bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=; b=%0*d\r\n", 172 - number % 2, 0);
}

/* 64 signatures that name 100 fields each, the fields 5000 with names that differ only at their ends. */
static void the_worst_header_is_bounded(void **state)
{
	const struct mg_dkim_options options = { .max_signatures = 64, .now_s = NOW };
	struct mg_buf text;
	size_t count;
	double start_ms, took_ms;

	(void)state;
	mg_buf_init(&text, 4 << 20);
	for (int i = 0; i < 64; i++)
		add_long_list(&text, i);
	mg_buf_addz(&text, "From: a@example.com\r\n");
	for (int i = 0; i < 100; i++)
		mg_buf_addf(&text, "X: %02000d\r\n", i);
	for (int i = 0; i < 4000; i++)
		mg_buf_addf(&text, "%0150d:\r\n", i);
	mg_buf_addz(&text, "\r\n");
	start_ms = cpu_ms();
	verify(mg_buf_z(&text), text.n, &options, &count);
	took_ms = cpu_ms() - start_ms;
	assert_int_equal(count, 64);
	assert_false(verified.fields.is_cut);
	print_message("64 signatures over 100 fields of 2000 bytes: %.1f ms\n", took_ms);
	assert_true(took_ms < 2000);
	mg_buf_fini(&text);
}

/* What all signatures hash together has an end, which the sender's last signatures feel. */
static void hashing_is_bounded(void **state)
{
	const struct mg_dkim_options options = { .max_signatures = 64, .now_s = NOW };
	struct mg_buf text;
	size_t count;
	const struct mg_dkim_signature *found;

	(void)state;
	mg_buf_init(&text, 4 << 20);
	for (int i = 0; i < 64; i++)
		add_long_list(&text, i);
	mg_buf_addz(&text, "From: a@example.com\r\n");
	for (int i = 0; i < 100; i++)
		mg_buf_addf(&text, "X: %08000d\r\n", i);
	mg_buf_addz(&text, "\r\n");
	found = verify(mg_buf_z(&text), text.n, &options, &count);
	assert_int_equal(found[0].result, MG_RESULT_FAIL);
	assert_int_equal(found[63].result, MG_RESULT_PERMERROR);
	assert_string_equal(found[63].reason, "the signatures cover too much");
	mg_buf_fini(&text);
}

static void long_fields_and_lists_are_refused(void **state)
{
	struct mg_buf text;
	size_t count;
	const struct mg_dkim_signature *found;

	(void)state;
	mg_buf_init(&text, 4 << 20);
	mg_buf_addf(&text, "DKIM-Signature: %s b=AAAA; z=%065536d\r\n", ALL, 0);
	mg_buf_addz(&text, "DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=sel; b=AAAA; h=From");
	for (int i = 0; i < 100; i++)
		mg_buf_addz(&text, ":X");
	mg_buf_addz(&text, "; bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=\r\n");
	mg_buf_addf(&text,
		"DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=sel; b=%04000d; h=From; "
		"bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=\r\n",
		0);
	mg_buf_addz(&text, HEADER "\r\n" BODY);
	found = verify(mg_buf_z(&text), text.n, NULL, &count);
	assert_int_equal(count, 3);
	assert_string_equal(found[0].reason, "the field is longer than 64 KiB");
	assert_string_equal(found[1].reason, "h= is no list of at most 100 names");
	assert_string_equal(found[2].reason, "b= is no signature in base64");
	mg_buf_fini(&text);
}

static void a_header_that_was_cut_verifies_nothing(void **state)
{
	struct mg_buf text;
	size_t count;
	const struct mg_dkim_signature *found;

	(void)state;
	mg_buf_init(&text, 4 << 20);
	add_signature(&text, ALL, "From:To:Subject", MG_CANON_RELAXED, RSA_1024);
	for (int i = 0; i < MG_FIELDS_MAX; i++)
		mg_buf_addz(&text, "X: y\r\n");
	mg_buf_addz(&text, HEADER "\r\n" BODY);
	found = verify(mg_buf_z(&text), text.n, NULL, &count);
	assert_int_equal(found->result, MG_RESULT_PERMERROR);
	assert_non_null(strstr(found->reason, "too large"));
	mg_buf_fini(&text);
}

static void different_body_hashes_are_bounded(void **state)
{
	const struct mg_dkim_options options = { .max_signatures = 64, .now_s = NOW };
	struct mg_buf text;
	size_t count;
	const struct mg_dkim_signature *found;

	(void)state;
	mg_buf_init(&text, 1 << 20);
	for (int i = 0; i <= MG_BODY_HASHES; i++) {
		char tags[512];

		snprintf(tags, sizeof tags, "%s l=%d;", ALL, i);
		add_signature(&text, tags, "From:To:Subject", MG_CANON_RELAXED, ED);
	}
	mg_buf_addz(&text, HEADER "\r\n" BODY);
	found = verify(mg_buf_z(&text), text.n, &options, &count);
	assert_int_equal(found[MG_BODY_HASHES - 1].result, MG_RESULT_FAIL);
	assert_int_equal(found[MG_BODY_HASHES].result, MG_RESULT_PERMERROR);
	mg_buf_fini(&text);
}

/* Arenas of every size: something is told, and nothing breaks. */
static void little_memory_breaks_nothing(void **state)
{
	struct mg_buf text;
	const struct mg_dkim_options options = { .max_signatures = 10, .now_s = NOW };

	(void)state;
	mg_buf_init(&text, 1 << 20);
	add_signature(&text, ALL, "From:To:Subject", MG_CANON_RELAXED, RSA_1024);
	for (size_t max = 0; max < 40000; max += 512) {
		struct mg_arena arena, small;
		struct mg_fields fields;
		struct mg_lookup *lookup = zone_lookup(&its_zone);
		struct mg_body_hashes *hashes = mg_body_hashes_new();
		struct mg_dkim *dkim;
		size_t count = 0;

		mg_arena_init(&arena, 1 << 20);
		mg_arena_init(&small, max);
		mg_fields_init(&fields, &arena);
		mg_fields_add(&fields, MG_STR("DKIM-Signature"), mg_str_of(text.p + 15, text.n - 17));
		if ((dkim = mg_dkim_new(&small, &fields, &options)) != NULL) {
			mg_dkim_field(dkim, lookup);
			mg_fields_add(&fields, MG_STR("From"), MG_STR("x"));
			mg_dkim_field(dkim, lookup);
			mg_dkim_header_end(dkim, hashes);
			mg_body_hashes_add(hashes, MG_STR(BODY));
			mg_body_hashes_end(hashes);
			mg_dkim_body_end(dkim, hashes);
			assert_int_equal(mg_dkim_step(dkim, lookup), MG_STEP_DONE);
			assert_true(mg_dkim_signatures(dkim, &count)->result == MG_RESULT_TEMPERROR ||
				    mg_dkim_signatures(dkim, &count)->result == MG_RESULT_FAIL);
			assert_int_equal(count, 1);
		}
		mg_lookup_free(&lookup);
		mg_body_hashes_free(&hashes);
		mg_arena_fini(&small);
		mg_arena_fini(&arena);
	}
	mg_buf_fini(&text);
}

#define WITH_ZONE(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
	static struct CMUnitTest tests[160];
	static const unsigned bits[KEYS] = { 1024, 512, 768, 2048, 4096, 8192, 0 };
	const struct CMUnitTest others[] = { WITH_ZONE(all_is_told), WITH_ZONE(from_named_twice_can_not_be_added_to),
		WITH_ZONE(a_short_body_may_be_accepted), WITH_ZONE(what_can_not_be_read_counts),
		WITH_ZONE(hashes_of_every_length), WITH_ZONE(a_thousand_signatures_are_bounded),
		WITH_ZONE(the_worst_header_is_bounded), WITH_ZONE(hashing_is_bounded),
		WITH_ZONE(long_fields_and_lists_are_refused), WITH_ZONE(a_header_that_was_cut_verifies_nothing),
		WITH_ZONE(different_body_hashes_are_bounded), WITH_ZONE(little_memory_breaks_nothing) };
	size_t n = 0;
	int failed;

	for (int key = 0; key < KEYS; key++) {
		keys[key] = key == ED ? make_ed25519() : make_rsa(bits[key]);
		public_key(keys[key], key == RSA_2048, p_tags[key], sizeof p_tags[key]);
	}
	ADD_ROWS(tests, n, signature_rows, a_signature_is_judged);
	ADD_ROWS(tests, n, records_rows, records_are_chosen);
	for (size_t i = 0; i < ROWS(others); i++)
		tests[n++] = others[i];
	failed = _cmocka_run_group_tests("dkim", tests, n, NULL, NULL);
	for (int key = 0; key < KEYS; key++)
		EVP_PKEY_free(keys[key]);
	mg_crypto_fini();
	return failed;
}
