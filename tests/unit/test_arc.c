/* Chains made here and verified: structure, message signatures, seals, and where the older ones stop holding. */
#include "message_kit.h"
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>

#define HEADER "From: Ann <ann@example.com>\r\nTo: b@x.example\r\nSubject: Test\r\n"
#define BEFORE "From: Ann <ann@example.com>\r\nTo: b@x.example\r\nSubject: Before\r\n"
#define BODY   "Hello.\r\n"

#define RESULTS "i=$N; mx$N.example; spf=pass"
#define MESSAGE "i=$N; a=rsa-sha256; c=relaxed/relaxed; d=hop$N.example; s=sel; h=From:To:Subject; bh=$BH;"
#define SEAL    "i=$N; a=rsa-sha256; d=hop$N.example; s=sel; t=1600000000; cv=$CV;"

static EVP_PKEY *rsa, *ed25519;
static char rsa_p[1024], ed25519_p[64];

/* Replaces each `mark` in `text`, in place. */
static void fill(char *text, size_t size, const char *mark, const char *with)
{
	char filled[4096], *at;
	size_t n = 0;
	const char *rest = text;

	while ((at = strstr(rest, mark)) != NULL) {
		n += (size_t)snprintf(filled + n, sizeof filled - n, "%.*s%s", (int)(at - rest), rest, with);
		rest = at + strlen(mark);
	}
	snprintf(filled + n, sizeof filled - n, "%s", rest);
	mg_str_copy(text, size, mg_str_z(filled));
}

/* What a set is made of; NULL: the usual. "" leaves the field out. */
struct shape {
	const char *results, *message, *seal;
	const char *header; /* what its message signature covers */
};

struct chain {
	struct mg_buf text;    /* the newest first, as in a message */
	struct mg_buf covered; /* by the next seal */
};

static void into_buf(void *context, struct mg_str piece)
{
	mg_buf_add(context, piece);
}

static void put_on_top(struct chain *chain, const struct mg_buf *fields)
{
	struct mg_buf text;

	mg_buf_init(&text, 1 << 24);
	mg_buf_add(&text, mg_buf_str(fields));
	mg_buf_add(&text, mg_buf_str(&chain->text));
	mg_buf_fini(&chain->text);
	chain->text = text;
}

/* "Name: value\r\n" as it was made. */
static void cover(struct chain *chain, const struct mg_buf *field)
{
	size_t colon = mg_str_find(mg_buf_str(field), ':');
	struct mg_field parts = { mg_str_first(mg_buf_str(field), colon),
		mg_str_of(field->p + colon + 1, field->n - colon - 3) };

	mg_canon_field(MG_CANON_RELAXED, &parts, true, into_buf, &chain->covered);
}

static void prepare(char *place, size_t size, const char *form, unsigned number)
{
	char text[64];

	mg_str_copy(place, size, mg_str_z(form));
	snprintf(text, sizeof text, "%u", number);
	fill(place, size, "$N", text);
	fill(place, size, "$CV", number == 1 ? "none" : "pass");
	body_hash(BODY, strlen(BODY), MG_CANON_RELAXED, UINT64_MAX, text);
	fill(place, size, "$BH", text);
}

static EVP_PKEY *key_for(const char *tags)
{
	return strstr(tags, "ed25519") != NULL ? ed25519 : rsa;
}

static void add_set(struct chain *chain, unsigned number, const struct shape *shape)
{
	char tags[4096];
	struct mg_buf results, message, seal;

	mg_buf_init(&results, 1 << 16);
	mg_buf_init(&message, 1 << 16);
	mg_buf_init(&seal, 1 << 16);
	prepare(tags, sizeof tags, shape->results == NULL ? RESULTS : shape->results, number);
	if (tags[0] != '\0')
		mg_buf_addf(&results, "ARC-Authentication-Results: %s\r\n", tags);
	prepare(tags, sizeof tags, shape->message == NULL ? MESSAGE : shape->message, number);
	if (tags[0] != '\0')
		sign(&message, &(struct signing){ "ARC-Message-Signature", tags,
				       shape->header == NULL ? HEADER : shape->header, "From:To:Subject",
				       MG_CANON_RELAXED, key_for(tags), NULL });
	if (results.n > 0)
		cover(chain, &results);
	if (message.n > 0)
		cover(chain, &message);
	prepare(tags, sizeof tags, shape->seal == NULL ? SEAL : shape->seal, number);
	if (tags[0] != '\0') {
		sign(&seal, &(struct signing){ "ARC-Seal", tags, HEADER, NULL, MG_CANON_RELAXED, key_for(tags),
				    mg_buf_z(&chain->covered) });
		cover(chain, &seal);
	}
	put_on_top(chain, &results);
	put_on_top(chain, &message);
	put_on_top(chain, &seal);
	mg_buf_fini(&results);
	mg_buf_fini(&message);
	mg_buf_fini(&seal);
}

/* `sets` of them; the one at `at` has the shape. */
static void make_chain(struct chain *chain, unsigned sets, unsigned at, const struct shape *shape)
{
	static const struct shape usual = { 0 };

	mg_buf_init(&chain->text, 1 << 24);
	mg_buf_init(&chain->covered, 1 << 24);
	for (unsigned number = 1; number <= sets; number++)
		add_set(chain, number, number == at ? shape : &usual);
	mg_buf_addz(&chain->text, HEADER);
}

static void end_chain(struct chain *chain)
{
	mg_buf_fini(&chain->text);
	mg_buf_fini(&chain->covered);
}

static void make_zone(struct zone *zone)
{
	char record[2048], name[64];

	zone_begin(zone, "sel._domainkey.slow.example TIMEOUT\n");
	snprintf(record, sizeof record, "v=DKIM1; p=%s", rsa_p);
	for (int i = 1; i <= MG_ARC_SETS; i++) {
		snprintf(name, sizeof name, "sel._domainkey.hop%d.example", i);
		zone_add(zone, name, "TXT", record, strlen(record));
	}
	snprintf(record, sizeof record, "v=DKIM1; k=ed25519; p=%s", ed25519_p);
	zone_add(zone, "ed._domainkey.hop1.example", "TXT", record, strlen(record));
}

/* ---- rows ---- */

struct chain_row {
	const char *name;
	unsigned sets, at;
	struct shape shape;
	enum mg_result result;
	const char *reason; /* a part of it */
	unsigned oldest_pass;
};
#define M_(rest) "i=$N; a=rsa-sha256; d=hop$N.example; s=sel; " rest
#define CRR      "c=relaxed/relaxed; "
#define HB       "h=From:To:Subject; bh=$BH;"
static const struct chain_row chain_rows[] = {
	{ "no chain", 0, 0, { 0 }, MG_RESULT_NONE, "no chain", 0 },
	{ "one set", 1, 0, { 0 }, MG_RESULT_PASS, "", 0 },
	{ "three sets", 3, 0, { 0 }, MG_RESULT_PASS, "", 0 },
	{ "Ed25519", 1, 1,
		{ .message = "i=$N; a=ed25519-sha256; c=relaxed/relaxed; d=hop$N.example; s=ed; " HB,
			.seal = "i=$N; a=ed25519-sha256; d=hop$N.example; s=ed; cv=$CV;" },
		MG_RESULT_PASS, "", 0 },
	{ "the older ones no longer hold", 4, 2, { .header = BEFORE }, MG_RESULT_PASS, "", 3 },
	{ "the first no longer holds", 2, 1, { .header = BEFORE }, MG_RESULT_PASS, "", 2 },
	{ "the newest does not hold", 3, 3, { .header = BEFORE }, MG_RESULT_FAIL, "header", 0 },
	{ "results are missing", 3, 2, { .results = "" }, MG_RESULT_FAIL, "Results is missing", 0 },
	{ "a message signature is missing", 3, 2, { .message = "" }, MG_RESULT_FAIL, "Signature is missing", 0 },
	{ "a seal is missing", 3, 2, { .seal = "" }, MG_RESULT_FAIL, "Seal is missing", 0 },
	{ "a gap", 2, 1, { .results = "", .message = "", .seal = "" }, MG_RESULT_FAIL, "is missing", 0 },
	{ "two of an instance", 2, 2, { .seal = "i=1; a=rsa-sha256; d=hop1.example; s=sel; cv=none;" }, MG_RESULT_FAIL,
		"two ARC-Seals", 0 },
	{ "results without i=", 1, 1, { .results = "mx.example; spf=pass" }, MG_RESULT_FAIL, "instance", 0 },
	{ "results with i= later", 1, 1, { .results = "mx.example; i=1; spf=pass" }, MG_RESULT_FAIL, "instance", 0 },
	{ "results with i=51", 1, 1, { .results = "i=51; mx.example" }, MG_RESULT_FAIL, "instance", 0 },
	{ "results with blanks", 1, 1, { .results = " i = 1 ; mx.example" }, MG_RESULT_PASS, "", 0 },
	{ "cv=fail", 2, 2, { .seal = M_("cv=fail;") }, MG_RESULT_FAIL, "cv=fail", 0 },
	{ "cv=fail in an older one", 3, 2, { .seal = M_("cv=fail;") }, MG_RESULT_FAIL, "cv=fail", 0 },
	{ "cv=none later", 2, 2, { .seal = M_("cv=none;") }, MG_RESULT_FAIL, "cv=", 0 },
	{ "cv=pass first", 1, 1, { .seal = M_("cv=pass;") }, MG_RESULT_FAIL, "cv=", 0 },
	{ "cv= is missing", 1, 1, { .seal = M_("") }, MG_RESULT_FAIL, "cv= is missing", 0 },
	{ "cv= unknown", 1, 1, { .seal = M_("cv=maybe;") }, MG_RESULT_FAIL, "cv=", 0 },
	{ "a seal with h=", 1, 1, { .seal = SEAL " h=From;" }, MG_RESULT_FAIL, "must not have h=", 0 },
	{ "a seal with an unknown tag", 1, 1, { .seal = SEAL " zz=1;" }, MG_RESULT_PASS, "", 0 },
	{ "a seal without i=", 1, 1, { .seal = "a=rsa-sha256; d=hop1.example; s=sel; cv=none;" }, MG_RESULT_FAIL,
		"i=", 0 },
	{ "a seal without d=", 1, 1, { .seal = "i=$N; a=rsa-sha256; s=sel; cv=none;" }, MG_RESULT_FAIL, "d=", 0 },
	{ "a seal without a=", 1, 1, { .seal = "i=$N; d=hop1.example; s=sel; cv=none;" }, MG_RESULT_FAIL, "a=", 0 },
	{ "a seal of rsa-sha1", 1, 1, { .seal = "i=$N; a=rsa-sha1; d=hop1.example; s=sel; cv=none;" }, MG_RESULT_FAIL,
		"rsa-sha1", 0 },
	{ "a seal without a key", 2, 1, { .seal = "i=$N; a=rsa-sha256; d=none.example; s=sel; cv=none;" },
		MG_RESULT_FAIL, "no key", 0 },
	{ "a seal whose key can't be had", 2, 1, { .seal = "i=$N; a=rsa-sha256; d=slow.example; s=sel; cv=none;" },
		MG_RESULT_TEMPERROR, "DNS", 0 },
	{ "a message signature without a key", 1, 1,
		{ .message = "i=$N; a=rsa-sha256; " CRR "d=none.example; s=sel; " HB }, MG_RESULT_FAIL, "no key", 0 },
	{ "a message signature whose key can't be had", 1, 1,
		{ .message = "i=$N; a=rsa-sha256; " CRR "d=slow.example; s=sel; " HB }, MG_RESULT_TEMPERROR, "DNS", 0 },
	{ "an older one whose key can't be had", 2, 1,
		{ .message = "i=$N; a=rsa-sha256; " CRR "d=slow.example; s=sel; " HB }, MG_RESULT_PASS, "", 2 },
	{ "h= names ARC-Seal", 1, 1, { .message = M_(CRR "h=From:arc-seal; bh=$BH;") }, MG_RESULT_FAIL, "ARC-Seal", 0 },
	{ "h= without From", 1, 1, { .message = M_(CRR "h=To:Subject; bh=$BH;") }, MG_RESULT_FAIL, "From", 0 },
	{ "without bh=", 1, 1, { .message = M_(CRR "h=From:To:Subject;") }, MG_RESULT_FAIL, "bh=", 0 },
	{ "another body", 1, 1,
		{ .message = M_(CRR "h=From:To:Subject; bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=;") },
		MG_RESULT_FAIL, "body", 0 },
	{ "v= is ignored", 1, 1, { .message = MESSAGE " v=1;" }, MG_RESULT_PASS, "", 0 },
	{ "l= exact", 1, 1, { .message = MESSAGE " l=8;" }, MG_RESULT_PASS, "", 0 },
	{ "l= short", 1, 1, { .message = MESSAGE " l=4;" }, MG_RESULT_FAIL, "l=", 0 },
	{ "expired", 1, 1, { .message = MESSAGE " x=1699999999;" }, MG_RESULT_FAIL, "expired", 0 },
	{ "an older one expired", 2, 1, { .message = MESSAGE " x=1699999999;" }, MG_RESULT_PASS, "", 2 },
	{ "an older one with a key of its own", 2, 1,
		{ .message = "i=$N; a=rsa-sha256; " CRR "d=hop9.example; s=sel; " HB }, MG_RESULT_PASS, "", 0 },
	{ "fifty sets", 50, 0, { 0 }, MG_RESULT_PASS, "", 27 }, /* the keys of 24 hops are asked for early */
	{ "fifty-one sets", 51, 0, { 0 }, MG_RESULT_FAIL, "instance", 0 },
};

static void check(const struct chain_row *row, const struct mg_arc_output *output)
{
	if (output->result != row->result || strstr(output->reason, row->reason) == NULL)
		fail_msg("%s: %s", mg_result_name(output->result), output->reason);
	assert_int_equal(output->oldest_pass, row->oldest_pass);
	if (row->result == MG_RESULT_PASS) {
		assert_int_equal(output->instance, row->sets);
		assert_string_equal(output->sealer[0], "hop1.example");
		assert_true(mg_str_starts(mg_str_trim(output->results[0]), MG_STR("i")));
	}
}

static void a_chain_is_judged(void **state)
{
	const struct chain_row *row = *state;
	struct chain chain;

	make_chain(&chain, row->sets, row->at, &row->shape);
	mg_buf_addz(&chain.text, "\r\n" BODY);
	for (int is_slow = 0; is_slow < 2; is_slow++) {
		struct zone zone;
		struct message message;

		make_zone(&zone);
		zone.is_slow = is_slow;
		message_verify(&message, &zone, mg_buf_z(&chain.text), chain.text.n, NULL, 3);
		check(row, mg_arc_output(message.arc));
		message_end(&message);
		zone_end(&zone);
	}
	end_chain(&chain);
}

/* A chain of one with more fields below it must fail, and say `reason`. */
static void fails_with(const char *more, int times, const char *reason)
{
	const struct mg_dkim_options options = { .max_signatures = 64, .now_s = 1700000000 };
	struct chain chain;
	struct zone zone;
	struct message message;

	make_chain(&chain, 1, 0, NULL);
	make_zone(&zone);
	for (int i = 0; i < times; i++)
		mg_buf_addf(&chain.text, more, i);
	mg_buf_addz(&chain.text, "\r\n" BODY);
	message_verify(&message, &zone, mg_buf_z(&chain.text), chain.text.n, &options, 0);
	assert_int_equal(mg_arc_output(message.arc)->result, MG_RESULT_FAIL);
	assert_non_null(strstr(mg_arc_output(message.arc)->reason, reason));
	message_end(&message);
	zone_end(&zone);
	end_chain(&chain);
}

static void two_results_of_one_instance_break_it(void **state)
{
	(void)state;
	fails_with("ARC-Authentication-Results: i=1; other.example; x=%d\r\n", 1, "two ARC-Authentication-Results");
}

static void a_header_that_was_cut_breaks_it(void **state)
{
	(void)state;
	fails_with("X: %d\r\n", MG_FIELDS_MAX, "too large");
}

/* DKIM signatures have taken all hashes of the body. */
static void without_a_body_hash_it_does_not_pass(void **state)
{
	(void)state;
	fails_with("DKIM-Signature: v=1; a=rsa-sha256; d=hop1.example; s=sel; h=From; l=%d; b=AAAA; "
		   "bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=\r\n",
		MG_BODY_HASHES, "too many different hashes");
}

/* Arenas of every size: never a fail that is ours. */
static void little_memory_is_temperror(void **state)
{
	struct chain chain;
	struct zone zone;
	unsigned passed = 0;

	(void)state;
	make_chain(&chain, 2, 0, NULL);
	make_zone(&zone);
	for (size_t max = 0; max < 48 * 1024; max += 512) {
		struct message message;
		enum mg_result result;

		if (!message_verify_arc(&message, &zone, mg_buf_z(&chain.text), BODY, max))
			continue;
		result = mg_arc_output(message.arc)->result;
		assert_true(result == MG_RESULT_PASS || result == MG_RESULT_TEMPERROR);
		passed += result == MG_RESULT_PASS;
		message_end(&message);
	}
	assert_int_not_equal(passed, 0);
	zone_end(&zone);
	end_chain(&chain);
}

/* Whatever byte of the chain is changed, it does not pass. Free are blanks, and the last bits of base64 before '='. */
static void no_byte_may_change(void **state)
{
	struct chain chain;
	struct zone zone;
	unsigned passed = 0;

	(void)state;
	make_chain(&chain, 2, 0, NULL);
	make_zone(&zone);
	mg_buf_addz(&chain.text, "\r\n" BODY);
	for (size_t i = 0; i < chain.text.n; i++) {
		struct message message;

		if (strchr(" \t\r\n", chain.text.p[i]) != NULL || memcmp(chain.text.p + i + 1, "=\r", 2) == 0)
			continue;
		chain.text.p[i] ^= 1;
		message_verify(&message, &zone, mg_buf_z(&chain.text), chain.text.n, NULL, 0);
		passed += mg_arc_output(message.arc)->result == MG_RESULT_PASS;
		message_end(&message);
		chain.text.p[i] ^= 1;
	}
	assert_int_equal(passed, 0);
	zone_end(&zone);
	end_chain(&chain);
}

int main(void)
{
	static struct CMUnitTest tests[96];
	size_t n = 0;
	int failed;

	rsa = make_rsa(1024);
	ed25519 = make_ed25519();
	public_key(rsa, false, rsa_p, sizeof rsa_p);
	public_key(ed25519, false, ed25519_p, sizeof ed25519_p);
	ADD_ROWS(tests, n, chain_rows, a_chain_is_judged);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(two_results_of_one_instance_break_it);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_header_that_was_cut_breaks_it);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(without_a_body_hash_it_does_not_pass);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(little_memory_is_temperror);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(no_byte_may_change);
	failed = _cmocka_run_group_tests("arc", tests, n, NULL, NULL);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ed25519);
	mg_crypto_fini();
	return failed;
}
