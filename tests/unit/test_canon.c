/* Canonical forms against RFC 6376's examples, and against a plain second writing of its text over all short bodies in all
 * chunkings. */
#include "rows.h"

#include "mail/canon.h"

struct text {
	char p[4096];
	size_t n;
};

static void take(void *context, struct mg_str piece)
{
	struct text *text = context;

	assert_true(piece.n <= sizeof text->p - text->n);
	if (piece.n > 0)
		memcpy(text->p + text->n, piece.p, piece.n);
	text->n += piece.n;
}

static void is_same(const struct text *got, struct mg_str wanted)
{
	assert_int_equal(got->n, wanted.n);
	if (wanted.n > 0)
		assert_memory_equal(got->p, wanted.p, wanted.n);
}

/* ---- header fields ---- */

struct field_row {
	const char *name;
	const char *field, *value, *simple, *relaxed;
};
static const struct field_row field_rows[] = {
	{ "RFC 3.4.5, A", "A", " X", "A: X\r\n", "a:X\r\n" },
	{ "RFC 3.4.5, B", "B ", " Y\t\r\n\tZ  ", "B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n" },
	{ "empty", "Subject", "", "Subject:\r\n", "subject:\r\n" },
	{ "only white space", "X", " \t\r\n ", "X: \t\r\n \r\n", "x:\r\n" },
	{ "blanks inside", "X", "a\t b  c d", "X:a\t b  c d\r\n", "x:a b c d\r\n" },
	{ "a fold of one tab", "X", "a\r\n\tb", "X:a\r\n\tb\r\n", "x:a b\r\n" },
	{ "bytes over 127", "X", " \xc3\xa9 \xff", "X: \xc3\xa9 \xff\r\n", "x:\xc3\xa9 \xff\r\n" },
	{ "a long name", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRST", "x",
		"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRST:x\r\n",
		"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrst:x\r\n" },
};

static void a_field_has_its_forms(void **state)
{
	const struct field_row *row = *state;
	const struct mg_field field = { mg_str_z(row->field), mg_str_z(row->value) };
	struct text simple = { .n = 0 }, relaxed = { .n = 0 }, bare = { .n = 0 };

	mg_canon_field(MG_CANON_SIMPLE, &field, true, take, &simple);
	mg_canon_field(MG_CANON_RELAXED, &field, true, take, &relaxed);
	mg_canon_field(MG_CANON_RELAXED, &field, false, take, &bare);
	is_same(&simple, mg_str_z(row->simple));
	is_same(&relaxed, mg_str_z(row->relaxed));
	is_same(&bare, mg_str_of(row->relaxed, strlen(row->relaxed) - 2));
}

/* ---- bodies ---- */

struct body_row {
	const char *name, *body, *simple, *relaxed;
};
static const struct body_row body_rows[] = {
	{ "RFC 3.4.5", " C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n" },
	{ "nothing", "", "\r\n", "" },
	{ "one line end", "\r\n", "\r\n", "" },
	{ "blank lines only", "\r\n\r\n\r\n", "\r\n", "" },
	{ "white space only", " \t", " \t\r\n", "" },
	{ "a line of blanks last", "a\r\n \r\n", "a\r\n \r\n", "a\r\n" },
	{ "no final line end", "a", "a\r\n", "a\r\n" },
	{ "blank lines first", "\r\n\r\na\r\n", "\r\n\r\na\r\n", "\r\n\r\na\r\n" },
	{ "a bare LF is a byte", "a\n\nb\n", "a\n\nb\n\r\n", "a\n\nb\n\r\n" },
	{ "a bare CR is a byte", "a \r b\r", "a \r b\r\r\n", "a \r b\r\r\n" },
	{ "one space first stays", "  a", "  a\r\n", " a\r\n" },
	{ "a long line", "0123456789 0123456789 0123456789 0123456789 0123456789  x\r\n",
		"0123456789 0123456789 0123456789 0123456789 0123456789  x\r\n",
		"0123456789 0123456789 0123456789 0123456789 0123456789 x\r\n" },
};

static void canon_body(enum mg_canon form, struct mg_str body, unsigned cuts, struct text *out)
{
	struct mg_canon_body canon;
	size_t from = 0;

	out->n = 0;
	mg_canon_body_init(&canon, form);
	for (size_t i = 1; i <= body.n; i++) {
		if (i < body.n && (cuts >> (i - 1) % 32 & 1) == 0)
			continue;
		mg_canon_body_add(&canon, mg_str_of(body.p + from, i - from), take, out);
		from = i;
	}
	mg_canon_body_end(&canon, take, out);
}

static void a_body_has_its_forms(void **state)
{
	const struct body_row *row = *state;
	const unsigned cuts[] = { 0, ~0U, 0x55555555, 0xaaaaaaaa, 0x11111111, 0x22222222, 0x44444444, 0x88888888 };
	struct text got;

	for (size_t i = 0; i < ROWS(cuts); i++) {
		canon_body(MG_CANON_SIMPLE, mg_str_z(row->body), cuts[i], &got);
		is_same(&got, mg_str_z(row->simple));
		canon_body(MG_CANON_RELAXED, mg_str_z(row->body), cuts[i], &got);
		is_same(&got, mg_str_z(row->relaxed));
	}
}

static bool is_wsp(char c)
{
	return c == ' ' || c == '\t';
}

static void add_relaxed_line(struct text *out, struct mg_str line)
{
	while (line.n > 0 && is_wsp(line.p[line.n - 1]))
		line.n--;
	for (size_t i = 0; i < line.n; i++)
		if (!is_wsp(line.p[i]))
			take(out, mg_str_of(line.p + i, 1));
		else if (i == 0 || !is_wsp(line.p[i - 1]))
			take(out, MG_STR(" "));
}

/* Line by line, then off with the blank ones at the end. */
static void canon_plainly(enum mg_canon form, struct mg_str body, struct text *out)
{
	out->n = 0;
	while (body.n > 0) {
		size_t end = mg_str_find_str(body, MG_STR("\r\n"));
		struct mg_str line = mg_str_first(body, end);

		if (form == MG_CANON_SIMPLE)
			take(out, line);
		else
			add_relaxed_line(out, line);
		take(out, MG_STR("\r\n"));
		body = end == SIZE_MAX ? mg_str_of(body.p, 0) : mg_str_from(body, end + 2);
	}
	while (mg_str_ends(mg_str_of(out->p, out->n), MG_STR("\r\n\r\n")))
		out->n -= 2;
	if (out->n == 2 && mg_str_eq(mg_str_of(out->p, 2), MG_STR("\r\n")))
		out->n = 0;
	if (out->n == 0 && form == MG_CANON_SIMPLE)
		take(out, MG_STR("\r\n"));
}

static void check_all_chunkings(enum mg_canon form, struct mg_str body)
{
	struct text wanted, got;

	canon_plainly(form, body, &wanted);
	for (unsigned cuts = 0; cuts < 1U << (body.n == 0 ? 0 : body.n - 1); cuts++) {
		canon_body(form, body, cuts, &got);
		is_same(&got, mg_str_of(wanted.p, wanted.n));
	}
}

/* Every body of up to six bytes of this alphabet. */
static void every_short_body_in_every_chunking(void **state)
{
	static const char alphabet[] = { 'a', ' ', '\t', '\r', '\n' };
	enum { LONGEST = 6 };
	unsigned bodies = 1;

	(void)state;
	for (size_t n = 0; n <= LONGEST; n++, bodies *= sizeof alphabet)
		for (unsigned number = 0; number < bodies; number++) {
			char body[LONGEST];
			unsigned rest = number;

			for (size_t i = 0; i < n; i++, rest /= sizeof alphabet)
				body[i] = alphabet[rest % sizeof alphabet];
			check_all_chunkings(MG_CANON_SIMPLE, mg_str_of(body, n));
			check_all_chunkings(MG_CANON_RELAXED, mg_str_of(body, n));
		}
}

/* Long enough for what is looked at a block at a time. */
static void long_bodies_of_chance(void **state)
{
	static const char letters[] = "abcdefghij    \t\r\n";
	uint32_t seed = 1;
	char body[300];
	struct text wanted, got;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		size_t n = 0;

		for (; n + 2 < sizeof body; n++) {
			seed = seed * 1664525 + 1013904223;
			body[n] = letters[(seed >> 16) % (sizeof letters - 1)];
			if (body[n] == '\r' && (seed >> 8) % 4 != 0)
				body[++n] = '\n';
			if (seed >> 24 == 0)
				break;
		}
		for (enum mg_canon form = MG_CANON_SIMPLE; form <= MG_CANON_RELAXED; form++) {
			canon_plainly(form, mg_str_of(body, n), &wanted);
			canon_body(form, mg_str_of(body, n), 0, &got);
			is_same(&got, mg_str_of(wanted.p, wanted.n));
		}
	}
}

int main(void)
{
	static struct CMUnitTest tests[64];
	size_t n = 0;

	ADD_ROWS(tests, n, field_rows, a_field_has_its_forms);
	ADD_ROWS(tests, n, body_rows, a_body_has_its_forms);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(every_short_body_in_every_chunking);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(long_bodies_of_chance);
	return _cmocka_run_group_tests("canon", tests, n, NULL, NULL);
}
