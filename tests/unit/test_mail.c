#include "rows.h"

#include "mail/address.h"
#include "mail/auth_results.h"

struct from_row {
	const char *name, *field, *domain;
};
static const struct from_row from_rows[] = {
	{ "bare", "a@x.example", "x.example" },
	{ "angle", "Ann <a@x.example>", "x.example" },
	{ "an address in the display name", "\"bank@bank.example\" <a@x.example>", "x.example" },
	{ "an address in a comment", "(b@bank.example) a@x.example (c@y.example)", "x.example" },
	{ "nested comment", "a@x.example (one (b@y.example) two)", "x.example" },
	{ "quoted local part with an address", "\"a@bank.example\"@x.example", "x.example" },
	{ "two authors of one domain", "a@x.example, b@X.example", "X.example" },
	{ "two authors of two domains", "a@x.example, b@y.example", "" },
	{ "group without members", "undisclosed:;", "" },
	{ "nothing", "", "" },
	{ "an open quote", "\"a@x.example", "" },
	{ "an open comment", "(a@x.example", "" },
	{ "folded", "Ann\r\n <a@x.example>", "x.example" },
};

static void the_author_domain_is_found(void **state)
{
	const struct from_row *row = *state;
	struct mg_str domain = mg_from_field_domain(mg_str_z(row->field));

	assert_true(mg_str_eq(domain, mg_str_z(row->domain)));
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
	{ "open quote", "\"mail.example", false },
};

static void a_forged_field_is_known(void **state)
{
	const struct claim_row *row = *state;

	assert_int_equal(mg_auth_results_claims(mg_str_z(row->value), MG_STR("mail.example")), row->is_ours);
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
	static struct CMUnitTest tests[64];
	size_t n = 0;

	ADD_ROWS(tests, n, from_rows, the_author_domain_is_found);
	ADD_ROWS(tests, n, claim_rows, a_forged_field_is_known);
	ADD_ROWS(tests, n, path_rows, a_path_is_taken_apart);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(an_unknown_id_claims_nothing);
	return _cmocka_run_group_tests("mail", tests, n, NULL, NULL);
}
