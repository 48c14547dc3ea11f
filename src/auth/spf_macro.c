/* A macro-string is a row of pieces: runs of literal bytes, and macros. One reader serves the syntax check and the
 * expansion, so that they can't disagree. */
#include "auth/spf_macro.h"

#include <stdio.h>

#include "dns/answer.h"

struct piece {
	struct mg_str literal; /* when letter is 0 */
	char letter;           /* lower case */
	bool is_macro;         /* also for %%, %_ and %-, whose literal is what they stand for */
	bool is_url_escaped;   /* an upper-case letter */
	bool is_reversed;
	unsigned parts;           /* the right-most ones to keep; 0: all */
	struct mg_str delimiters; /* "" means "." */
};

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_one_of(char c, struct mg_str set)
{
	return mg_str_find(set, c) != SIZE_MAX;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* transformers = *DIGIT [ "r" ]: any number of digits, and not zero. */
static bool read_transformers(struct mg_str *rest, struct piece *piece)
{
	enum { MANY = 1000000 };
	bool has_digits = false;

	for (; rest->n > 0 && is_digit(rest->p[0]); *rest = mg_str_from(*rest, 1)) {
		has_digits = true;
		piece->parts = piece->parts >= MANY ? MANY : piece->parts * 10 + (unsigned)(rest->p[0] - '0');
	}
	if (has_digits && piece->parts == 0)
		return false;
	if (rest->n > 0 && lower(rest->p[0]) == 'r') {
		piece->is_reversed = true;
		*rest = mg_str_from(*rest, 1);
	}
	return true;
}

/* What follows "%{". */
static bool read_macro(struct mg_str *rest, struct piece *piece)
{
	size_t end;

	if (rest->n == 0 || !is_one_of(lower(rest->p[0]), MG_STR("slodiphcrtv")))
		return false;
	piece->letter = lower(rest->p[0]);
	piece->is_url_escaped = piece->letter != rest->p[0];
	*rest = mg_str_from(*rest, 1);
	if (!read_transformers(rest, piece))
		return false;
	for (end = 0; end < rest->n && is_one_of(rest->p[end], MG_STR(".-+,/_=")); end++)
		;
	piece->delimiters = mg_str_first(*rest, end);
	*rest = mg_str_from(*rest, end);
	return mg_read_token(rest, MG_STR("}"));
}

static bool read_percent(struct mg_str *rest, struct piece *piece)
{
	static const struct {
		struct mg_str written, meant;
	} simple[] = {
		{ { "%%", 2 }, { "%", 1 } },
		{ { "%_", 2 }, { " ", 1 } },
		{ { "%-", 2 }, { "%20", 3 } },
	};

	piece->is_macro = true;
	for (size_t i = 0; i < sizeof simple / sizeof simple[0]; i++) {
		piece->literal = simple[i].meant;
		if (mg_read_token(rest, simple[i].written))
			return true;
	}
	return mg_read_token(rest, MG_STR("%{")) && read_macro(rest, piece);
}

static bool is_literal(char c)
{
	return c >= ' ' && c <= '~' && c != '%';
}

/* False: the text's end, or a byte that may not stand there; *rest tells which. */
static bool read_piece(struct mg_str *rest, struct piece *piece)
{
	size_t end = 0;

	*piece = (struct piece){ 0 };
	if (rest->n > 0 && rest->p[0] == '%')
		return read_percent(rest, piece);
	while (end < rest->n && is_literal(rest->p[end]))
		end++;
	piece->literal = mg_str_first(*rest, end);
	*rest = mg_str_from(*rest, end);
	return end > 0;
}

/* Leaves the last piece in *last. */
static bool is_sound(struct mg_str text, enum mg_spf_place place, struct piece *last)
{
	*last = (struct piece){ 0 };
	while (text.n > 0) {
		if (!read_piece(&text, last))
			return false;
		if (place == MG_SPF_IN_DOMAIN && last->letter != 0 && is_one_of(last->letter, MG_STR("crt")))
			return false;
		if (place != MG_SPF_IN_TEXT && !last->is_macro && is_one_of(' ', last->literal))
			return false;
	}
	return true;
}

bool mg_spf_macro_is_sound(struct mg_str text, enum mg_spf_place place)
{
	struct piece last;

	return is_sound(text, place, &last);
}

/* toplabel: letters, digits and inner hyphens, not digits alone. */
static bool is_top_label(struct mg_str label)
{
	bool has_other = false;

	if (label.n == 0 || label.p[0] == '-' || label.p[label.n - 1] == '-')
		return false;
	for (size_t i = 0; i < label.n; i++) {
		if (!is_alpha(label.p[i]) && !is_digit(label.p[i]) && label.p[i] != '-')
			return false;
		has_other |= !is_digit(label.p[i]);
	}
	return has_other;
}

bool mg_spf_domain_spec_is_sound(struct mg_str spec)
{
	struct piece last;
	size_t dot;

	if (spec.n == 0 || !is_sound(spec, MG_SPF_IN_DOMAIN, &last))
		return false;
	if (last.is_macro)
		return true;
	if (last.literal.p[last.literal.n - 1] == '.')
		last.literal.n--;
	dot = mg_str_rfind(last.literal, '.');
	return dot != SIZE_MAX && is_top_label(mg_str_from(last.literal, dot + 1));
}

bool mg_spf_macro_uses_p(struct mg_str text)
{
	struct piece piece;

	while (read_piece(&text, &piece))
		if (piece.letter == 'p')
			return true;
	return false;
}

/* %{i}: an IPv6 address is its nibbles, parted by dots. */
static void write_ip(const struct mg_ip *ip, char *place, size_t size)
{
	static const char digits[] = "0123456789abcdef";

	if (ip->family != MG_IP_V6) {
		mg_ip_text(ip, place, size);
		return;
	}
	for (size_t i = 0; i < 32; i++) {
		place[2 * i] = digits[ip->bytes[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
		place[2 * i + 1] = i == 31 ? '\0' : '.';
	}
}

enum { WRITTEN = 64 };

static struct mg_str value_of(char letter, const struct mg_spf_values *values, char place[WRITTEN])
{
	switch (letter) {
	case 's':
		return values->sender;
	case 'l':
		return values->local_part;
	case 'o':
		return values->sender_domain;
	case 'd':
		return values->domain;
	case 'h':
		return values->helo;
	case 'p':
		return values->validated;
	case 'r':
		return values->receiver;
	case 'v':
		return values->ip.family == MG_IP_V6 ? MG_STR("ip6") : MG_STR("in-addr");
	case 'i':
		write_ip(&values->ip, place, WRITTEN);
		break;
	case 'c':
		mg_ip_text(&values->ip, place, WRITTEN);
		break;
	default: /* 't' */
		snprintf(place, WRITTEN, "%lld", (long long)values->now_s);
	}
	return mg_str_z(place);
}

/* Only what RFC 3986 section 2.3 calls unreserved stays itself. */
static void add_escaped(struct mg_buf *out, struct mg_str part)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < part.n; i++) {
		unsigned char c = (unsigned char)part.p[i];

		if (is_alpha(part.p[i]) || is_digit(part.p[i]) || is_one_of(part.p[i], MG_STR("-._~"))) {
			mg_buf_addc(out, part.p[i]);
			continue;
		}
		mg_buf_addc(out, '%');
		mg_buf_addc(out, digits[c >> 4]);
		mg_buf_addc(out, digits[c & 15]);
	}
}

static void add_part(struct mg_buf *out, const struct piece *piece, struct mg_str part)
{
	if (piece->is_url_escaped)
		add_escaped(out, part);
	else
		mg_buf_add(out, part);
}

/* The right-most `parts` of the value, in their order. */
static void add_forward(struct mg_buf *out, const struct piece *piece, struct mg_str value, struct mg_str delimiters)
{
	size_t from = value.n, start;
	unsigned parts = piece->parts;

	for (; from > 0; from--)
		if (is_one_of(value.p[from - 1], delimiters) && parts > 0 && --parts == 0)
			break;
	for (start = from; from < value.n; from++) {
		if (!is_one_of(value.p[from], delimiters))
			continue;
		add_part(out, piece, mg_str_of(value.p + start, from - start));
		mg_buf_addc(out, '.');
		start = from + 1;
	}
	add_part(out, piece, mg_str_of(value.p + start, value.n - start));
}

/* Turned round, the right-most parts are the value's first: from the last of those back to its start. */
static void add_backward(struct mg_buf *out, const struct piece *piece, struct mg_str value, struct mg_str delimiters)
{
	size_t end = 0, at;
	unsigned parts = piece->parts;

	for (; end < value.n; end++)
		if (is_one_of(value.p[end], delimiters) && parts > 0 && --parts == 0)
			break;
	for (at = end; at > 0; at--) {
		if (!is_one_of(value.p[at - 1], delimiters))
			continue;
		add_part(out, piece, mg_str_of(value.p + at, end - at));
		mg_buf_addc(out, '.');
		end = at - 1;
	}
	add_part(out, piece, mg_str_of(value.p, end));
}

static void add_macro(struct mg_buf *out, const struct piece *piece, const struct mg_spf_values *values)
{
	char place[WRITTEN];
	struct mg_str value = mg_str_first(value_of(piece->letter, values, place), MG_SPF_VALUE);
	struct mg_str delimiters = piece->delimiters.n > 0 ? piece->delimiters : MG_STR(".");

	if (value.n == 0)
		return;
	if (piece->is_reversed)
		add_backward(out, piece, value, delimiters);
	else
		add_forward(out, piece, value, delimiters);
}

static void add_piece(struct mg_buf *out, const struct piece *piece, const struct mg_spf_values *values)
{
	if (piece->letter != 0)
		add_macro(out, piece, values);
	else
		mg_buf_add(out, piece->literal);
}

void mg_spf_expand(struct mg_buf *out, struct mg_str text, const struct mg_spf_values *values)
{
	struct piece piece;

	while (mg_buf_ok(out) && read_piece(&text, &piece))
		add_piece(out, &piece, values);
}

/* Cuts at the first dot that leaves at most 253 bytes. */
static struct mg_str truncate_left(struct mg_str name)
{
	struct mg_str tail = mg_str_from(name, name.n - MG_DNS_NAME_MAX - 1);
	size_t dot = mg_str_find(tail, '.');

	return dot == SIZE_MAX ? mg_str_from(tail, 1) : mg_str_from(tail, dot + 1);
}

bool mg_spf_expand_name(
	struct mg_str spec, const struct mg_spf_values *values, char place[MG_SPF_NAME], size_t *length_out)
{
	/* A name is made of its last 254 bytes: of more, the left goes as it comes. */
	enum { KEPT = 2 * MG_DNS_NAME_MAX, HELD = KEPT + MG_DNS_TEXT_MAX + 3 * MG_SPF_VALUE };
	struct mg_buf out;
	struct piece piece;
	struct mg_str name;
	bool is_whole;

	mg_buf_init(&out, HELD);
	while (mg_buf_ok(&out) && read_piece(&spec, &piece)) {
		add_piece(&out, &piece, values);
		mg_buf_drop(&out, out.n > KEPT ? out.n - KEPT : 0);
	}
	name = mg_buf_str(&out);
	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	if (name.n > MG_DNS_NAME_MAX)
		name = truncate_left(name);
	mg_str_copy(place, MG_SPF_NAME, name);
	*length_out = name.n;
	is_whole = mg_buf_ok(&out);
	mg_buf_fini(&out);
	return is_whole;
}
