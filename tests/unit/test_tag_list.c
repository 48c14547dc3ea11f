#include "rows.h"

#include <stdio.h>

#include "auth/base64.h"
#include "auth/tag_list.h"

struct list_row {
	const char *name, *text;
	int count; /* -1: no list */
	const char *tag, *value;
};
static const struct list_row list_rows[] = {
	{ "one", "v=1", 1, "v", "1" },
	{ "a trailing semicolon", "v=1; a=b;", 2, "a", "b" },
	{ "blanks everywhere", " v = 1 ; a\t=\r\n b ; ", 2, "a", "b" },
	{ "a fold inside a value", "b=ab\r\n\tcd", 1, "b", "ab\r\n\tcd" },
	{ "an empty value", "p=;v=1", 2, "p", "" },
	{ "an equals sign in a value", "b=aa==", 1, "b", "aa==" },
	{ "names have case", "A=1;a=2", 2, "a", "2" },
	{ "not there", "a=1", 1, "b", NULL },
	{ "UTF-8 in a value", "d=\xc3\xa9.example", 1, "d", "\xc3\xa9.example" },
	{ "an underscore in a name", "a_1=x", 1, "a_1", "x" },
	{ "nothing", "", 0, "a", NULL },
	{ "twice", "a=1;b=2;a=1", -1, NULL, NULL },
	{ "two semicolons", "a=1;;b=2", -1, NULL, NULL },
	{ "a semicolon first", ";a=1", -1, NULL, NULL },
	{ "a semicolon too many at the end", "a=1; ;", -1, NULL, NULL },
	{ "no equals sign", "a", -1, NULL, NULL },
	{ "no name", "=1", -1, NULL, NULL },
	{ "a name from a digit", "1a=1", -1, NULL, NULL },
	{ "a name with a hyphen", "a-b=1", -1, NULL, NULL },
	{ "a name of two words", "a b=1", -1, NULL, NULL },
	{ "a control byte", "a=\x01", -1, NULL, NULL },
	{ "a bare LF", "a=1\n b", -1, NULL, NULL },
	{ "a line end without a blank", "a=1\r\nb", -1, NULL, NULL },
};

static void a_list_is_read(void **state)
{
	const struct list_row *row = *state;
	struct mg_tag_list list;
	const struct mg_tag *tag;

	assert_int_equal(mg_tag_list_parse(mg_str_z(row->text), &list), row->count >= 0);
	if (row->count < 0)
		return;
	assert_int_equal(list.count, row->count);
	tag = mg_tag_list_find(&list, row->tag);
	assert_int_equal(tag != NULL, row->value != NULL);
	if (tag != NULL)
		assert_true(mg_str_eq(tag->value, mg_str_z(row->value)));
}

static void the_raw_value_has_its_blanks(void **state)
{
	struct mg_tag_list list;

	(void)state;
	assert_true(mg_tag_list_parse(MG_STR("a=1; b = x\r\n y ; c=2"), &list));
	assert_true(mg_str_eq(mg_tag_list_find(&list, "b")->raw, MG_STR(" x\r\n y ")));
}

static void tags_are_bounded(void **state)
{
	char text[8 * (MG_TAGS_MAX + 1)];
	struct mg_tag_list list;
	size_t n = 0;

	(void)state;
	for (int i = 0; i < MG_TAGS_MAX; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "t%d=1;", i);
	assert_true(mg_tag_list_parse(mg_str_of(text, n), &list));
	n += (size_t)snprintf(text + n, sizeof text - n, "z=1;");
	assert_false(mg_tag_list_parse(mg_str_of(text, n), &list));
}

struct colon_row {
	const char *name, *text, *items; /* in brackets */
};
static const struct colon_row colon_rows[] = {
	{ "some", "a : b:\r\n c", "[a][b][c]" },
	{ "one", "a", "[a]" },
	{ "empty", "", "[]" },
	{ "empty ones", ":a:", "[][a][]" },
};

static void colon_items_are_read(void **state)
{
	const struct colon_row *row = *state;
	struct mg_str rest = mg_str_z(row->text), item;
	char got[64];
	size_t n = 0;

	while (mg_read_colon_item(&rest, &item))
		n += (size_t)snprintf(got + n, sizeof got - n, "[%.*s]", MG_STR_ARGS(item));
	assert_string_equal(got, row->items);
}

struct base64_row {
	const char *name, *text, *bytes; /* NULL: none */
};
static const struct base64_row base64_rows[] = {
	{ "RFC 4648, f", "Zg==", "f" },
	{ "RFC 4648, fo", "Zm8=", "fo" },
	{ "RFC 4648, foo", "Zm9v", "foo" },
	{ "RFC 4648, foob", "Zm9vYg==", "foob" },
	{ "RFC 4648, foobar", "Zm9vYmFy", "foobar" },
	{ "folded", " Zm9\r\n\tvYm Fy ", "foobar" },
	{ "blanks in the padding", "Zg = =", "f" },
	{ "without padding", "Zg", "f" },
	{ "half the padding", "Zg=", NULL },
	{ "too much padding", "Zm8==", NULL },
	{ "padding alone", "=", NULL },
	{ "padding behind a whole group", "Zm9v=", NULL },
	{ "text behind the padding", "Zg==Zg==", NULL },
	{ "one character", "Z", NULL },
	{ "a foreign character", "Zm9-", NULL },
	{ "nothing", "", "" },
	{ "too long", "Zm9vYmFyZm9vYmFy", NULL },
};

static void base64_is_decoded(void **state)
{
	const struct base64_row *row = *state;
	unsigned char place[8];
	size_t n = 99;

	assert_int_equal(mg_base64_decode(mg_str_z(row->text), place, sizeof place, &n), row->bytes != NULL);
	if (row->bytes != NULL)
		assert_true(mg_str_eq(mg_str_of(place, n), mg_str_z(row->bytes)));
}

int main(void)
{
	static struct CMUnitTest tests[96];
	size_t n = 0;

	ADD_ROWS(tests, n, list_rows, a_list_is_read);
	ADD_ROWS(tests, n, colon_rows, colon_items_are_read);
	ADD_ROWS(tests, n, base64_rows, base64_is_decoded);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(the_raw_value_has_its_blanks);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(tags_are_bounded);
	return _cmocka_run_group_tests("tag list", tests, n, NULL, NULL);
}
