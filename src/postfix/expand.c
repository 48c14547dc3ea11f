#include "postfix/expand.h"

/* While we work: a $ that is no macro, and the end of a $name whose neighbour would otherwise grow into it. */
enum { DOLLAR = 1, JOIN = 2 };

/* The text in the braces at the beginning of *rest, trimmed; advances behind them. */
static bool read_group(struct mg_str *rest, struct mg_str *group_out)
{
	struct mg_str s = mg_str_trim(*rest);
	size_t depth = 0;

	if (s.n == 0 || s.p[0] != '{')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '{') {
			depth++;
		} else if (s.p[i] == '}' && --depth == 0) {
			*group_out = mg_str_trim(mg_str_of(s.p + 1, i - 1));
			*rest = mg_str_trim(mg_str_from(s, i + 1));
			return true;
		}
	}
	return false;
}

uint64_t mg_postfix_level(struct mg_str text)
{
	uint64_t level = 0, part;

	for (int i = 0; i < 3; i++) {
		level *= 1000;
		if (mg_read_u64(&text, 999, &part))
			level += part;
		else if (i == 0)
			return 0;
		mg_read_token(&text, MG_STR("."));
	}
	return level;
}

/* <0, 0, >0: numbers and levels by value, the rest byte by byte. */
static int compare(struct mg_str a, struct mg_str b, bool is_level)
{
	uint64_t x, y;
	int order;

	if (is_level) {
		x = mg_postfix_level(a);
		y = mg_postfix_level(b);
		return x < y ? -1 : x > y;
	}
	if (mg_str_to_u64(a, INT64_MAX, &x) && mg_str_to_u64(b, INT64_MAX, &y))
		return x < y ? -1 : x > y;
	order = a.n == 0 || b.n == 0 ? 0 : memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
	return order != 0 ? order : a.n < b.n ? -1 : a.n > b.n;
}

/* {a} op {b}, at the beginning of *rest. */
static bool read_condition(struct mg_str *rest, bool *is_true)
{
	struct mg_str a, b;
	bool is_less, is_equal, is_greater, is_not;
	int order;

	if (!read_group(rest, &a))
		return false;
	is_not = mg_read_token(rest, MG_STR("!="));
	is_less = !is_not && mg_read_token(rest, MG_STR("<"));
	is_greater = !is_not && !is_less && mg_read_token(rest, MG_STR(">"));
	is_equal = !is_not && mg_read_token(rest, MG_STR("="));
	if (!is_not && !is_less && !is_greater && (!is_equal || !mg_read_token(rest, MG_STR("="))))
		return false;
	order = mg_read_token(rest, MG_STR("level"));
	if (!read_group(rest, &b))
		return false;
	order = compare(a, b, order != 0);
	*is_true =
		is_not ? order != 0 : (is_less && order < 0) || (is_greater && order > 0) || (is_equal && order == 0);
	return true;
}

/* Behind the test: ?yes, ?{yes}, ?{yes}:{no}, ?{yes}:no, :no, :{no}. */
static struct mg_str choose(struct mg_str rest, bool is_true, struct mg_str value)
{
	struct mg_str yes = value, no = MG_STR("");

	if (mg_read_token(&rest, MG_STR("?")) && !read_group(&rest, &yes)) {
		yes = rest;
		rest = MG_STR("");
	}
	if (mg_read_token(&rest, MG_STR(":")) && !read_group(&rest, &no))
		no = rest;
	return is_true ? yes : no;
}

static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static struct mg_str read_name(struct mg_str *rest)
{
	struct mg_str name = *rest;
	size_t n = 0;

	while (n < name.n && is_name_byte(name.p[n]))
		n++;
	*rest = mg_str_from(name, n);
	return mg_str_first(name, n);
}

/* What the inside of ${ } stands for. */
static struct mg_str evaluate(struct mg_str body, mg_expand_lookup *lookup, void *context)
{
	struct mg_str name;
	const char *value;
	bool is_true;

	body = mg_str_trim(body);
	if (body.n > 0 && body.p[0] == '{')
		return read_condition(&body, &is_true) ? choose(body, is_true, MG_STR("")) : MG_STR("");
	name = read_name(&body);
	value = lookup(context, name);
	is_true = value != NULL && value[0] != '\0';
	return choose(mg_str_trim(body), is_true, mg_str_z(value));
}

/* Where the bracket that opens at `at` closes; SIZE_MAX when it doesn't. */
static size_t closing(struct mg_str s, size_t at)
{
	char open = s.p[at], close = open == '{' ? '}' : ')';
	size_t depth = 0;

	for (size_t i = at; i < s.n; i++) {
		if (s.p[i] == open)
			depth++;
		else if (s.p[i] == close && --depth == 0)
			return i;
	}
	return SIZE_MAX;
}

/* Appends raw text; a doubled $ is none. */
static void add_raw(struct mg_buf *out, struct mg_str text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '$' && i + 1 < text.n && text.p[i + 1] == '$') {
			mg_buf_addc(out, DOLLAR);
			i++;
		} else {
			mg_buf_addc(out, text.p[i]);
		}
	}
}

static bool ends_in_macro(struct mg_str s)
{
	size_t n = s.n;

	while (n > 0 && is_name_byte(s.p[n - 1]))
		n--;
	return n > 0 && n < s.n && s.p[n - 1] == '$';
}

/* Replaces the $ at `at`; `spare` is a buffer to build in. */
static void replace(struct mg_buf *text, size_t at, struct mg_buf *spare, mg_expand_lookup *lookup, void *context)
{
	struct mg_str all = mg_buf_str(text), behind = mg_str_from(all, at + 1);
	struct mg_str value = mg_str_of("\1", 1);
	struct mg_buf swap = *text;
	size_t end = behind.n > 0 && (behind.p[0] == '{' || behind.p[0] == '(') ? closing(all, at + 1) : SIZE_MAX;

	if (end != SIZE_MAX) {
		value = evaluate(mg_str_of(all.p + at + 2, end - at - 2), lookup, context);
		behind = mg_str_from(all, end + 1);
	} else if (behind.n > 0 && is_name_byte(behind.p[0])) {
		value = mg_str_z(lookup(context, read_name(&behind)));
		if (behind.n > 0 && behind.p[0] == JOIN)
			behind = mg_str_from(behind, 1);
	}
	mg_buf_reset(spare);
	mg_buf_add(spare, mg_str_first(all, at));
	if (ends_in_macro(mg_buf_str(spare)))
		mg_buf_addc(spare, JOIN);
	add_raw(spare, value);
	if (behind.n > 0 && is_name_byte(behind.p[0]) && ends_in_macro(mg_buf_str(spare)))
		mg_buf_addc(spare, JOIN);
	mg_buf_add(spare, behind);
	*text = *spare;
	*spare = swap;
}

enum mg_rc mg_expand(
	struct mg_str text, mg_expand_lookup *lookup, void *context, struct mg_buf *out, struct mg_err *err)
{
	struct mg_buf work, spare;
	enum mg_rc rc = MG_OK;
	size_t at, steps = 0;

	mg_buf_init(&work, MG_EXPAND_MAX);
	mg_buf_init(&spare, MG_EXPAND_MAX);
	add_raw(&work, text);
	while (mg_buf_ok(&work) && steps++ < MG_EXPAND_STEPS && (at = mg_str_rfind(mg_buf_str(&work), '$')) != SIZE_MAX)
		replace(&work, at, &spare, lookup, context);
	if (!mg_buf_ok(&work) || steps > MG_EXPAND_STEPS)
		rc = mg_err_set(
			err, MG_EFULL, "the $macros of \"%.*s\" have no end", MG_STR_ARGS(mg_str_first(text, 60)));
	for (size_t i = 0; rc == MG_OK && i < work.n; i++)
		if (work.p[i] != JOIN)
			mg_buf_addc(out, work.p[i] == DOLLAR ? '$' : work.p[i]);
	mg_buf_fini(&work);
	mg_buf_fini(&spare);
	return rc;
}
