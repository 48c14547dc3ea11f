#include "rows.h"

#include <stdio.h>

#include "base/buf.h"
#include "mail/address.h"
#include "mail/auth_results.h"
#include "mail/author.h"
#include "mail/fields.h"
#include "mail/message.h"

/* `domains`: those told, joined with ','. */
struct from_row {
	const char *name, *field;
	enum mg_author_state state;
	const char *domains;
};
#define SOUND     MG_AUTHOR_SOUND
#define SEVERAL   MG_AUTHOR_SEVERAL
#define MALFORMED MG_AUTHOR_MALFORMED
static const struct from_row from_rows[] = {
	{ "bare", "a@x.example", SOUND, "x.example" },
	{ "angle", " Ann <a@x.example>", SOUND, "x.example" },
	{ "case and a final dot", "A@X.Example.", SOUND, "x.example" },
	{ "an address in the quoted name", "\"bank@bank.example\" <a@x.example>", SOUND, "x.example" },
	{ "an address in the bare name", "bank@bank.example <a@x.example>", SOUND, "x.example" },
	{ "an address in a comment", "(b@bank.example) a@x.example (c@y.example)", SOUND, "x.example" },
	{ "nested comment", "a@x.example (one (b@y.example) two)", SOUND, "x.example" },
	{ "a comment inside the address", "a(b@y.example)@(c)x.example", SOUND, "x.example" },
	{ "quoted local part with an address", "\"a@bank.example\"@x.example", SOUND, "x.example" },
	{ "quoted local part with an escape", "\"a\\\"@bank.example\"@x.example", SOUND, "x.example" },
	{ "two authors of one domain", "a@x.example, b@X.example", SOUND, "x.example" },
	{ "two authors of two domains", "a@x.example, b@y.example", SEVERAL, "x.example,y.example" },
	{ "two of two, the second hidden by a name", "Ann <a@x.example>, \"b\" <b@y.example>", SEVERAL,
		"x.example,y.example" },
	{ "five domains", "a@a.example, a@b.example, a@c.example, a@d.example, a@e.example", SEVERAL,
		"a.example,b.example,c.example,d.example" },
	{ "two angles", "<a@x.example> <b@y.example>", SEVERAL, "x.example,y.example" },
	{ "an address behind the angle", "<a@x.example> b@y.example", SEVERAL, "x.example,y.example" },
	{ "group", "team: a@x.example, b@x.example;", SOUND, "x.example" },
	{ "group of two domains", "team: a@x.example, b@y.example;", SEVERAL, "x.example,y.example" },
	{ "group without members", "undisclosed:;", MALFORMED, "" },
	{ "group never closed", "team: a@x.example", MALFORMED, "x.example" },
	{ "nothing", "", MALFORMED, "" },
	{ "a name alone", "Ann", MALFORMED, "" },
	{ "a local part alone", "<ann>", MALFORMED, "" },
	{ "no local part", "<@x.example>", MALFORMED, "x.example" },
	{ "a source route", "<@bank.example:a@x.example>", SEVERAL, "bank.example,x.example" },
	{ "two @", "a@x.example@y.example", SEVERAL, "x.example,y.example" },
	{ "angle never closed", "Ann <a@x.example", MALFORMED, "x.example" },
	{ "angle closed twice", "<a@x.example>>", MALFORMED, "x.example" },
	{ "an open quote", "\"a@x.example", MALFORMED, "x.example" },
	{ "an open comment", "(a@x.example", MALFORMED, "x.example" },
	{ "an open comment behind an address", "a@x.example (b@y.example", SEVERAL, "x.example,y.example" },
	{ "an open quote before an angle", "\"b@y.example <a@x.example>", SEVERAL, "y.example,x.example" },
	{ "a phrase before an open angle", "b@y.example <a@x.example", SEVERAL, "y.example,x.example" },
	{ "brackets in the phrase", "[list] Ann <a@x.example>", SOUND, "x.example" },
	{ "a backslash in the phrase", "b\\@y.example <a@x.example>", SEVERAL, "y.example,x.example" },
	{ "no local part, no angle", "@x.example", MALFORMED, "x.example" },
	{ "folded", "Ann\r\n <a@x.example>", SOUND, "x.example" },
	{ "obsolete dots and spaces", "a . b @x.example", SOUND, "x.example" },
	{ "an address literal", "a@[192.0.2.1]", MALFORMED, "" },
	{ "a parenthesis in the domain", "a@legit.example(.attacker.example", MALFORMED, "legit.example" },
	{ "an encoded word as domain", "a@=?utf-8?q?bank.example?=", MALFORMED, "" },
	{ "an encoded name", "=?utf-8?q?bank=40bank.example?= <a@x.example>", SOUND, "x.example" },
	{ "U-label", "a@b\303\274cher.example", SOUND, "xn--bcher-kva.example" },
	{ "bytes that are no UTF-8", "a@b\377cher.example", MALFORMED, "" },
	{ "an empty label", "a@x..example", MALFORMED, "" },
	{ "a semicolon", "a@x.example; b@y.example", SEVERAL, "x.example,y.example" },
	{ "a comma too many", "a@x.example,", SOUND, "x.example" },
	{ "a null byte's neighbour", "a@x.example\001", MALFORMED, "x.example" },
};

static void the_author_domain_is_found(void **state)
{
	const struct from_row *row = *state;
	struct mg_author author = { 0 };
	char domains[MG_AUTHOR_DOMAINS * MG_DOMAIN_TEXT] = "";

	mg_author_field(&author, mg_str_z(row->field));
	for (size_t i = 0; i < author.count; i++)
		snprintf(domains + strlen(domains), sizeof domains - strlen(domains), "%s%s", i > 0 ? "," : "",
			author.domain[i]);
	assert_string_equal(domains, row->domains);
	assert_int_equal(author.state, row->state);
}

static void no_field_and_two_fields_have_no_author(void **state)
{
	struct mg_author author = { 0 };

	(void)state;
	assert_int_equal(author.state, MG_AUTHOR_MISSING);
	mg_author_field(&author, MG_STR("a@x.example"));
	mg_author_field(&author, MG_STR("a@x.example"));
	assert_int_equal(author.state, MG_AUTHOR_REPEATED);
	assert_int_equal(author.count, 1);
}

struct domain_row {
	const char *name, *domain, *ascii; /* "": refused */
};
static const struct domain_row domain_rows[] = {
	{ "plain", "Example.COM", "example.com" },
	{ "final dot", "example.com.", "example.com" },
	{ "one label", "localhost", "localhost" },
	{ "underscore", "_dmarc.example", "_dmarc.example" },
	{ "U-label", "b\303\274cher.example", "xn--bcher-kva.example" },
	{ "U-label in capitals", "B\303\234CHER.example", "xn--bcher-kva.example" },
	{ "empty", "", "" },
	{ "a dot", ".", "" },
	{ "two dots", "a..b", "" },
	{ "leading dot", ".a", "" },
	{ "a hyphen at the edge", "-a.example", "" },
	{ "a space", "a b.example", "" },
	{ "a parenthesis", "example.net(.example.com", "" },
	{ "a literal", "[192.0.2.1]", "" },
	{ "63 bytes", "a23456789012345678901234567890123456789012345678901234567890123.x",
		"a23456789012345678901234567890123456789012345678901234567890123.x" },
	{ "64 bytes", "a234567890123456789012345678901234567890123456789012345678901234.x", "" },
};

static void a_domain_is_made_ascii(void **state)
{
	const struct domain_row *row = *state;
	char ascii[MG_DOMAIN_TEXT] = "?";

	assert_int_equal(mg_domain_ascii(mg_str_z(row->domain), ascii), row->ascii[0] != '\0');
	assert_string_equal(ascii, row->ascii);
}

/* `fields`: name=value, ... with folds as they are; `body`: with CRLF. */
struct message_row {
	const char *name, *message, *fields, *body;
};
static const struct message_row message_rows[] = {
	{ "LF", "A: b\nC: d\n\nx\ny\n", "A= b|C= d|", "x\r\ny\r\n" },
	{ "CRLF", "A: b\r\n\r\nx\r\n", "A= b|", "x\r\n" },
	{ "folded", "A: b\r\n\tc\nD:e\n\n", "A= b\r\n\tc|D=e|", "" },
	{ "no body", "A: b\n", "A= b|", "" },
	{ "no final line end", "A: b\n\nx", "A= b|", "x" },
	{ "the body begins without an empty line", "A: b\nnot a field\n", "A= b|", "not a field\r\n" },
	{ "blanks before the colon", "A : b\n\n", "A = b|", "" },
	{ "empty", "", "", "" },
	{ "a bare CR stays", "A: b\n\nx\ry\n", "A= b|", "x\ry\r\n" },
};

static void add_piece(void *context, struct mg_str piece)
{
	mg_buf_add(context, piece);
}

static void a_message_is_taken_apart(void **state)
{
	const struct message_row *row = *state;
	struct mg_str rest = mg_str_z(row->message), name, value;
	struct mg_buf fields, body;

	mg_buf_init(&fields, 1000);
	mg_buf_init(&body, 1000);
	while (mg_message_field(&rest, &name, &value))
		mg_buf_addf(&fields, "%.*s=%.*s|", MG_STR_ARGS(name), MG_STR_ARGS(value));
	mg_message_body(rest, add_piece, &body);
	assert_string_equal(mg_buf_z(&fields), row->fields);
	assert_string_equal(mg_buf_z(&body), row->body);
	mg_buf_fini(&fields);
	mg_buf_fini(&body);
}

static void fields_keep_their_folds_and_their_bounds(void **state)
{
	struct mg_arena arena;
	struct mg_fields fields;
	size_t added = 0;

	(void)state;
	mg_arena_init(&arena, 8 * MG_FIELDS_BYTES);
	mg_fields_init(&fields, &arena);
	assert_true(mg_fields_add(&fields, MG_STR("A"), MG_STR(" b\n\tc\r\n d")));
	assert_true(mg_str_eq(fields.field[0].value, MG_STR(" b\r\n\tc\r\n d")));
	while (mg_fields_add(&fields, MG_STR("B"), MG_STR("x")))
		added++;
	assert_int_equal(added, MG_FIELDS_MAX - 1);
	assert_true(fields.is_cut);
	assert_int_equal(fields.count, MG_FIELDS_MAX);
	mg_arena_fini(&arena);
}

struct claim_row {
	const char *name, *value;
	bool is_ours;
};
static const struct claim_row claim_rows[] = {
	{ "ours", " mail.example; spf=pass", true },
	{ "another's", " mx.example; spf=pass", false },
	{ "case", "MAIL.Example; dkim=pass", true },
	{ "a comment first", "(hi (there)) mail.example; x=y", true },
	{ "folded", "\r\n\tmail.example;\r\n spf=pass", true },
	{ "quoted", "\"mail.example\"; spf=pass", true },
	{ "quoted with escapes", "\"ma\\il.example\"; spf=pass", true },
	{ "a version", "mail.example 1; none", true },
	{ "a comment right behind", "mail.example(x); none", true },
	{ "final dot", "mail.example.; none", true },
	{ "longer name", "mail.example.org; none", false },
	{ "only a prefix", "mail; none", false },
	{ "an escaped parenthesis in a comment", "(\\)) mail.example; none", true },
	{ "empty", "", false },
	{ "open quote", "\"mail.example", true },
	{ "a slash behind", "mail.example/1; none", true },
	{ "a comma behind", "mail.example,none", true },
	{ "an A-label of it", "xn--bcher-kva.example; none", false },
};

static void a_forged_field_is_known(void **state)
{
	const struct claim_row *row = *state;

	assert_int_equal(mg_auth_results_claims(mg_str_z(row->value), MG_STR("mail.example")), row->is_ours);
}

static void an_id_is_known_in_both_its_forms(void **state)
{
	(void)state;
	assert_true(mg_auth_results_claims(MG_STR("xn--bcher-kva.example; none"), MG_STR("b\303\274cher.example")));
	assert_true(mg_auth_results_claims(MG_STR("B\303\234CHER.Example; none"), MG_STR("xn--bcher-kva.example")));
	assert_false(mg_auth_results_claims(MG_STR("bucher.example; none"), MG_STR("b\303\274cher.example")));
}

static void an_unknown_id_claims_nothing(void **state)
{
	(void)state;
	assert_false(mg_auth_results_claims(MG_STR("; none"), MG_STR("")));
}

struct path_row {
	const char *name, *path, *bare, *domain;
};
static const struct path_row path_rows[] = {
	{ "brackets", "<a@b.example>", "a@b.example", "b.example" },
	{ "none", "a@b.example", "a@b.example", "b.example" },
	{ "null", "<>", "", "" },
	{ "no domain", "<postmaster>", "postmaster", "" },
	{ "quoted @", "<\"a@x\"@b.example>", "\"a@x\"@b.example", "b.example" },
	{ "final dot", "<a@b.example.>", "a@b.example.", "b.example" },
};

static void a_path_is_taken_apart(void **state)
{
	const struct path_row *row = *state;
	struct mg_str bare = mg_address_bare(mg_str_z(row->path));

	assert_true(mg_str_eq(bare, mg_str_z(row->bare)));
	assert_true(mg_str_eq(mg_address_domain(bare), mg_str_z(row->domain)));
}

int main(void)
{
	static struct CMUnitTest tests[160];
	size_t n = 0;

	ADD_ROWS(tests, n, from_rows, the_author_domain_is_found);
	ADD_ROWS(tests, n, domain_rows, a_domain_is_made_ascii);
	ADD_ROWS(tests, n, message_rows, a_message_is_taken_apart);
	ADD_ROWS(tests, n, claim_rows, a_forged_field_is_known);
	ADD_ROWS(tests, n, path_rows, a_path_is_taken_apart);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(no_field_and_two_fields_have_no_author);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(fields_keep_their_folds_and_their_bounds);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(an_id_is_known_in_both_its_forms);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(an_unknown_id_claims_nothing);
	return _cmocka_run_group_tests("mail", tests, n, NULL, NULL);
}
