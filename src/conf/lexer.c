/* Every token is a run of bytes found by looking at its first one; nothing is looked at twice except the blanks that
 * follow a quoted text, which decide whether it is a key. */
#include "conf/lexer.h"

#include "base/i18n.h"

enum { INTEGER_MAX = 18 }; /* bytes of an integer, so that it fits 64 bits */

void mg_lexer_init(struct mg_lexer *lexer, struct mg_str text)
{
	*lexer = (struct mg_lexer){ .rest = text, .line = 1, .is_bol = true };
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f';
}

static struct mg_token bad(struct mg_str text, const char *what)
{
	return (struct mg_token){ MG_TOKEN_BAD, text, what };
}

/* Takes `n` bytes off, counting their lines. */
static struct mg_token take(struct mg_lexer *lexer, enum mg_token_kind kind, size_t n)
{
	struct mg_token token = { kind, mg_str_first(lexer->rest, n), NULL };

	for (size_t i = 0; i < token.text.n; i++) {
		char c = token.text.p[i];

		if (c == '\n') {
			lexer->line++;
			lexer->is_bol = true;
		} else if (!is_blank(c)) {
			lexer->is_bol = false;
		}
	}
	if (kind != MG_TOKEN_SPACE && token.text.n > 0)
		lexer->before = token.text.p[token.text.n - 1];
	lexer->rest = mg_str_from(lexer->rest, n);
	return token;
}

static struct mg_token read_comment(struct mg_lexer *lexer, bool is_block)
{
	struct mg_str rest = lexer->rest;
	size_t end = is_block ? mg_str_find_str(mg_str_from(rest, 2), MG_STR("*/")) : mg_str_find(rest, '\n');

	if (is_block && end == SIZE_MAX)
		return bad(rest, _("this comment never ends; close it with */"));
	if (is_block)
		end += 4;
	return take(lexer, MG_TOKEN_SPACE, end == SIZE_MAX ? rest.n : end);
}

static bool may_be_value(const struct mg_lexer *lexer)
{
	return lexer->before != '\0' && mg_str_find(MG_STR("=:([,"), lexer->before) != SIZE_MAX;
}

static struct mg_token read_text(struct mg_lexer *lexer)
{
	struct mg_str rest = lexer->rest;
	size_t end = 1, after;

	while (end < rest.n && rest.p[end] != '"' && rest.p[end] != '\n') {
		if (rest.p[end] == '\\' && mg_str_starts(mg_str_from(rest, end), MG_STR("\\x00")))
			return bad(rest, _("a text can't hold a NUL byte; take out \\x00"));
		end += rest.p[end] == '\\' && end + 1 < rest.n && rest.p[end + 1] != '\n' ? 2 : 1;
	}
	if (end >= rest.n || rest.p[end] != '"')
		return bad(rest, _("this text has no closing quote on its line; add the missing \""));
	for (after = ++end; after < rest.n && is_blank(rest.p[after]);)
		after++;
	if (after < rest.n && (rest.p[after] == '=' || rest.p[after] == ':'))
		return take(lexer, MG_TOKEN_KEY, end);
	if (!may_be_value(lexer) && lexer->before != '"') /* texts side by side are one text */
		return bad(mg_str_of(rest.p + 1, end - 2), _("there is no = before %1; write NAME = VALUE;"));
	return take(lexer, MG_TOKEN_TEXT, end);
}

/* A bare word where a value is expected: only true and false are values. */
static const char *unquoted(struct mg_str word)
{
	static const char *const switches[] = { "yes", "no", "on", "off" };

	if (mg_str_eq_nocase(word, MG_STR("true")) || mg_str_eq_nocase(word, MG_STR("false")))
		return NULL;
	for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++)
		if (mg_str_eq_nocase(word, mg_str_z(switches[i])))
			return _("%1 is no value; write true or false, or the word in quotes");
	return _("%1 is a text without quotes; put it in quotes");
}

static struct mg_token read_name(struct mg_lexer *lexer)
{
	struct mg_str rest = lexer->rest, name;
	size_t n = 1;

	while (n < rest.n && (is_letter(rest.p[n]) || is_digit(rest.p[n]) || rest.p[n] == '_' || rest.p[n] == '-'))
		n++;
	name = mg_str_first(rest, n);
	if (lexer->before != '\0' && mg_str_find(MG_STR("=:(["), lexer->before) != SIZE_MAX) {
		const char *what = unquoted(name);

		if (what != NULL)
			return bad(name, what);
	}
	if (n < rest.n && rest.p[n] == '.')
		return bad(name,
			_("a name ends at the dot after %1; write the name in quotes, or the setting in its section"));
	return take(lexer, MG_TOKEN_NAME, n);
}

static size_t skip_digits(struct mg_str s, size_t at, bool is_hex)
{
	while (at < s.n && (is_digit(s.p[at]) || (is_hex && is_letter(s.p[at]) && (s.p[at] | 0x20) <= 'f')))
		at++;
	return at;
}

/* [+-]digits[L], [+-]digits.digits[e[+-]digits], 0xhex[L] */
static bool is_number(struct mg_str s, bool *is_integer)
{
	size_t at = s.p[0] == '+' || s.p[0] == '-' ? 1 : 0, first;
	bool is_hex = mg_str_starts_nocase(s, MG_STR("0x")), has_digits;

	first = at = is_hex ? 2 : at;
	at = skip_digits(s, at, is_hex);
	has_digits = at > first;
	*is_integer = true;
	if (!is_hex && at < s.n && s.p[at] == '.') {
		*is_integer = false;
		first = at + 1;
		at = skip_digits(s, first, false);
		has_digits = has_digits || at > first;
	}
	if (!is_hex && has_digits && at < s.n && (s.p[at] | 0x20) == 'e') {
		*is_integer = false;
		at += at + 1 < s.n && (s.p[at + 1] == '+' || s.p[at + 1] == '-') ? 2 : 1;
		first = at;
		at = skip_digits(s, first, false);
		has_digits = at > first;
	}
	while (*is_integer && at < s.n && s.p[at] == 'L')
		at++;
	return has_digits && at == s.n;
}

static struct mg_token read_number(struct mg_lexer *lexer)
{
	struct mg_str rest = lexer->rest, word;
	bool is_integer;
	size_t n = 1;

	while (n < rest.n && (is_letter(rest.p[n]) || is_digit(rest.p[n]) || rest.p[n] == '.' || rest.p[n] == '_' ||
				     ((rest.p[n] == '-' || rest.p[n] == '+') && (rest.p[n - 1] | 0x20) == 'e')))
		n++;
	word = mg_str_first(rest, n);
	if (!is_number(word, &is_integer))
		return bad(word, _("%1 is no number; put it in quotes if it is a text or a duration"));
	if (!may_be_value(lexer))
		return bad(word, _("there is no = before %1; write NAME = VALUE;"));
	if (is_integer && n > INTEGER_MAX)
		return bad(word, _("the number %1 is too large; write fewer digits"));
	return take(lexer, MG_TOKEN_NUMBER, n);
}

static struct mg_token read_mark(struct mg_lexer *lexer)
{
	struct mg_str mark = mg_str_first(lexer->rest, 1);
	size_t opening = mg_str_find(MG_STR("{(["), mark.p[0]), closing = mg_str_find(MG_STR("})]"), mark.p[0]);

	if (opening != SIZE_MAX && lexer->depth == MG_SOURCE_NESTING)
		return bad(mark, _("too many brackets within each other; close some before this %1"));
	if (opening != SIZE_MAX)
		lexer->closing[lexer->depth++] = "})]"[opening];
	if (closing != SIZE_MAX && lexer->depth == 0)
		return bad(mark, _("%1 closes nothing; take it out"));
	if (closing != SIZE_MAX && lexer->closing[lexer->depth - 1] != mark.p[0])
		return bad(mg_str_of(&lexer->closing[lexer->depth - 1], 1),
			_("a bracket is closed by another kind; %1 is missing before it"));
	lexer->depth -= closing != SIZE_MAX;
	return take(lexer, MG_TOKEN_MARK, 1);
}

/* @include "FILE", at the beginning of a line, as libconfig has it. */
static struct mg_token read_include(struct mg_lexer *lexer)
{
	struct mg_str rest = lexer->rest, blanks, file;
	struct mg_token token;
	size_t end;

	if (!mg_read_token(&rest, MG_STR("@include")))
		return bad(mg_str_first(lexer->rest, 1), _("%1 is no part of the language; only @include begins so"));
	blanks = rest;
	rest = mg_str_trim(rest);
	end = mg_str_find(mg_str_from(rest, 1), '"');
	file = mg_str_first(mg_str_from(rest, 1), end == SIZE_MAX ? 0 : end);
	if (!lexer->is_bol || rest.n == 0 || rest.p[0] != '"' || file.n == 0 ||
		mg_str_find(mg_str_of(blanks.p, (size_t)(file.p - blanks.p) + file.n), '\n') != SIZE_MAX)
		return bad(
			file, _("@include needs a file name in quotes and a line of its own; write @include \"FILE\""));
	token = take(lexer, MG_TOKEN_INCLUDE, (size_t)(file.p - blanks.p) + file.n + 1 + sizeof "@include" - 1);
	token.text = file;
	return token;
}

struct mg_token mg_lexer_next(struct mg_lexer *lexer)
{
	struct mg_str rest = lexer->rest;
	size_t blanks = 0;
	char c, next;

	if (rest.n == 0)
		return (struct mg_token){ .kind = MG_TOKEN_END };
	while (blanks < rest.n && is_blank(rest.p[blanks]))
		blanks++;
	if (blanks > 0)
		return take(lexer, MG_TOKEN_SPACE, blanks);
	c = rest.p[0];
	next = rest.n > 1 ? rest.p[1] : '\0';
	if (c == '#' || (c == '/' && (next == '/' || next == '*')))
		return read_comment(lexer, c == '/' && next == '*');
	if (c == '"')
		return read_text(lexer);
	if (c == '@')
		return read_include(lexer);
	if (is_letter(c))
		return read_name(lexer);
	if (is_digit(c) || c == '-' || c == '+' || c == '.')
		return read_number(lexer);
	if (mg_str_find(MG_STR("=:;,{}()[]"), c) != SIZE_MAX)
		return read_mark(lexer);
	if (c == '\'')
		return bad(mg_str_first(rest, 1), _("texts stand in double quotes; write \" instead of %1"));
	return bad(mg_str_first(rest, 1), _("%1 is no part of the language; take it out or put the text in quotes"));
}
