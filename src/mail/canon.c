/* Text that canonical form leaves as it is goes to the sink in runs as long as the chunk allows. Bodies pass two stages:
 * relaxed first takes white space out, then both hold back the line ends at the end. */
#include "mail/canon.h"

static bool is_wsp(char c)
{
	return c == ' ' || c == '\t';
}

/* ---- header fields ---- */

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static void pass_lower(struct mg_str text, mg_canon_sink *sink, void *context)
{
	char part[64];

	while (text.n > 0) {
		size_t n = text.n < sizeof part ? text.n : sizeof part;

		for (size_t i = 0; i < n; i++)
			part[i] = lower(text.p[i]);
		sink(context, mg_str_of(part, n));
		text = mg_str_from(text, n);
	}
}

/* The length of what relaxed passes as it is: up to a tab, a line end, or a space with another one behind it. */
static size_t plain_value(struct mg_str text)
{
	size_t i = 0;

	for (; i < text.n; i++) {
		char c = text.p[i], next = i + 1 < text.n ? text.p[i + 1] : 'x';

		if (c == '\t' || c == '\r' || c == '\n' || (c == ' ' && (is_wsp(next) || next == '\r')))
			break;
	}
	return i;
}

/* Section 3.4.2: unfold, make one space of each run of white space, none at the ends. */
static void pass_relaxed_value(struct mg_str text, mg_canon_sink *sink, void *context)
{
	text = mg_str_trim(text);
	while (text.n > 0) {
		size_t n = plain_value(text);
		bool has_space = false;

		if (n > 0)
			sink(context, mg_str_first(text, n));
		for (; n < text.n && (is_wsp(text.p[n]) || text.p[n] == '\r' || text.p[n] == '\n'); n++)
			has_space |= is_wsp(text.p[n]);
		if (has_space)
			sink(context, MG_STR(" "));
		text = mg_str_from(text, n);
	}
}

void mg_canon_field(
	enum mg_canon form, const struct mg_field *field, bool with_crlf, mg_canon_sink *sink, void *context)
{
	if (form == MG_CANON_SIMPLE) {
		sink(context, field->name);
		sink(context, MG_STR(":"));
		sink(context, field->value);
	} else {
		pass_lower(mg_str_trim(field->name), sink, context);
		sink(context, MG_STR(":"));
		pass_relaxed_value(field->value, sink, context);
	}
	if (with_crlf)
		sink(context, MG_STR("\r\n"));
}

/* ---- the body, second stage: line ends ---- */

static void pass_held(struct mg_canon_body *body, mg_canon_sink *sink, void *context)
{
	static const char line_ends[] = "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";
	const uint64_t at_once = (sizeof line_ends - 1) / 2;

	while (body->line_ends > 0) {
		uint64_t count = body->line_ends < at_once ? body->line_ends : at_once;

		sink(context, mg_str_of(line_ends, 2 * (size_t)count));
		body->line_ends -= count;
	}
	if (body->has_cr)
		sink(context, MG_STR("\r"));
	body->has_cr = false;
	body->has_text = true;
}

/* Text without the line ends at its end, which are counted. */
static void pass_lines(struct mg_canon_body *body, struct mg_str text, mg_canon_sink *sink, void *context)
{
	uint64_t line_ends = 0;
	bool has_cr;

	if (body->has_cr && text.n > 0 && text.p[0] == '\n') {
		body->line_ends++;
		body->has_cr = false;
		text = mg_str_from(text, 1);
	}
	if (text.n == 0)
		return;
	has_cr = text.p[text.n - 1] == '\r';
	text.n -= has_cr;
	for (; text.n >= 2 && text.p[text.n - 1] == '\n' && text.p[text.n - 2] == '\r'; text.n -= 2)
		line_ends++;
	if (text.n > 0 || body->has_cr) {
		pass_held(body, sink, context);
		if (text.n > 0)
			sink(context, text);
	}
	body->line_ends += line_ends;
	body->has_cr = has_cr;
}

/* ---- the body, first stage: white space (section 3.4.4) ---- */

enum { BLOCK = 32 };

/* Whether relaxed changes something at `p`: a tab, or a space at which more white space or a line end begins. */
static unsigned is_changed(const char *p)
{
	return (unsigned)(p[0] == '\t') |
	       ((unsigned)(p[0] == ' ') &
		       ((unsigned)(p[1] == ' ') | (unsigned)(p[1] == '\t') | (unsigned)(p[1] == '\r')));
}

/* Written for the compiler to do a block at once. */
static bool has_change(const char *p)
{
	unsigned char found = 0;

	for (size_t i = 0; i < BLOCK; i++)
		found |= (unsigned char)is_changed(p + i);
	return found != 0;
}

/* The length of what the first stage passes as it is. A space at the end of the text may be one too many. */
static size_t plain_text(struct mg_str text)
{
	size_t i = 0;

	while (text.n - i > BLOCK && !has_change(text.p + i))
		i += BLOCK;
	for (; i + 1 < text.n; i++)
		if (is_changed(text.p + i))
			return i;
	return i < text.n && is_wsp(text.p[i]) ? i : text.n;
}

/* What stands behind held white space tells whether it counts. Returns the rest; empty when that is still open. */
static struct mg_str settle_space(struct mg_canon_body *body, struct mg_str text, mg_canon_sink *sink, void *context)
{
	if (body->has_space_cr) {
		bool is_line_end = text.p[0] == '\n';

		body->has_space = body->has_space_cr = false;
		pass_lines(body, is_line_end ? MG_STR("\r") : MG_STR(" \r"), sink, context);
		return text;
	}
	while (text.n > 0 && is_wsp(text.p[0]))
		text = mg_str_from(text, 1);
	if (text.n == 0)
		return text;
	if (text.p[0] == '\r' && text.n == 1) {
		body->has_space_cr = true;
		return mg_str_from(text, 1);
	}
	if (text.p[0] != '\r' || text.p[1] != '\n')
		pass_lines(body, MG_STR(" "), sink, context);
	body->has_space = false;
	return text;
}

static void pass_relaxed(struct mg_canon_body *body, struct mg_str text, mg_canon_sink *sink, void *context)
{
	while (text.n > 0) {
		size_t n;

		if (body->has_space)
			text = settle_space(body, text, sink, context);
		n = plain_text(text);
		pass_lines(body, mg_str_first(text, n), sink, context);
		text = mg_str_from(text, n);
		body->has_space |= text.n > 0;
	}
}

void mg_canon_body_init(struct mg_canon_body *body, enum mg_canon form)
{
	*body = (struct mg_canon_body){ .form = form };
}

void mg_canon_body_add(struct mg_canon_body *body, struct mg_str chunk, mg_canon_sink *sink, void *context)
{
	if (body->form == MG_CANON_SIMPLE)
		pass_lines(body, chunk, sink, context);
	else
		pass_relaxed(body, chunk, sink, context);
}

void mg_canon_body_end(struct mg_canon_body *body, mg_canon_sink *sink, void *context)
{
	if (body->has_space_cr)
		pass_lines(body, MG_STR(" \r"), sink, context);
	if (body->has_cr)
		pass_held(body, sink, context);
	if (body->form == MG_CANON_SIMPLE || body->has_text)
		sink(context, MG_STR("\r\n"));
}
