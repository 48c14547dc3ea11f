/* A pattern's sample keeps its literals, puts one character where any may stand, and one turn for each repetition. */
#include "postfix/relay_pattern.h"

#include <regex.h>
#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { MATCH_LIMIT = 100000, DEPTH_LIMIT = 1000, REPEAT_MAX = 32 };

struct mg_relay_pattern {
	pcre2_code *code; /* pcre: */
	pcre2_match_data *data;
	pcre2_match_context *limits;
	regex_t posix; /* regexp: */
	bool has_posix;
};

/* ---- compiling ---- */

/* Postfix's letters switch: i is on from the start, x of regexp: too. */
static bool has_letter(struct mg_str flags, char letter, bool preset)
{
	bool is_on = preset;

	for (size_t i = 0; i < flags.n; i++)
		if (flags.p[i] == letter)
			is_on = !is_on;
	return is_on;
}

static bool compile_pcre(struct mg_relay_pattern *pattern, const char *text, struct mg_str flags)
{
	int error;
	PCRE2_SIZE at;
	uint32_t options = (has_letter(flags, 'i', true) ? PCRE2_CASELESS : 0) |
			   (has_letter(flags, 'm', false) ? PCRE2_MULTILINE : 0) |
			   (has_letter(flags, 's', true) ? PCRE2_DOTALL : 0) |
			   (has_letter(flags, 'x', false) ? PCRE2_EXTENDED : 0) |
			   (has_letter(flags, 'A', false) ? PCRE2_ANCHORED : 0) |
			   (has_letter(flags, 'E', false) ? PCRE2_DOLLAR_ENDONLY : 0) |
			   (has_letter(flags, 'U', false) ? PCRE2_UNGREEDY : 0);

	pattern->code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, options, &error, &at, NULL);
	if (pattern->code == NULL)
		return false;
	pattern->data = pcre2_match_data_create_from_pattern(pattern->code, NULL);
	pattern->limits = pcre2_match_context_create(NULL);
	if (pattern->data == NULL || pattern->limits == NULL)
		return false;
	pcre2_set_match_limit(pattern->limits, MATCH_LIMIT);
	pcre2_set_depth_limit(pattern->limits, DEPTH_LIMIT);
	return true;
}

static bool compile_posix(struct mg_relay_pattern *pattern, const char *text, struct mg_str flags)
{
	int options = (has_letter(flags, 'i', true) ? REG_ICASE : 0) |
		      (has_letter(flags, 'x', true) ? REG_EXTENDED : 0) |
		      (has_letter(flags, 'm', false) ? REG_NEWLINE : 0);

	pattern->has_posix = regcomp(&pattern->posix, text, options) == 0;
	return pattern->has_posix;
}

struct mg_relay_pattern *mg_relay_pattern_new(
	bool is_pcre, struct mg_str text, struct mg_str flags, bool *is_too_long_out)
{
	struct mg_relay_pattern *pattern = NULL;
	char *copy = NULL;

	*is_too_long_out = text.n > MG_PATTERN_MAX;
	if (*is_too_long_out || (copy = mg_str_dup(text)) == NULL || (pattern = calloc(1, sizeof *pattern)) == NULL)
		goto end;
	if (!(is_pcre ? compile_pcre(pattern, copy, flags) : compile_posix(pattern, copy, flags)))
		mg_relay_pattern_free(&pattern);
end:
	free(copy);
	return pattern;
}

void mg_relay_pattern_free(struct mg_relay_pattern **pattern)
{
	struct mg_relay_pattern *last = *pattern;

	*pattern = NULL;
	if (last == NULL)
		return;
	pcre2_match_data_free(last->data);
	pcre2_match_context_free(last->limits);
	pcre2_code_free(last->code);
	if (last->has_posix)
		regfree(&last->posix);
	free(last);
}

/* ---- matching ---- */

static void take_group(struct mg_str *group, struct mg_str subject, size_t from, size_t to)
{
	*group = from <= to && to <= subject.n ? mg_str_of(subject.p + from, to - from) : (struct mg_str){ 0 };
}

static bool match_pcre(
	const struct mg_relay_pattern *pattern, struct mg_str subject, struct mg_str groups[MG_PATTERN_GROUPS])
{
	int found = pcre2_match(pattern->code, (PCRE2_SPTR)subject.p, subject.n, 0, 0, pattern->data, pattern->limits);
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(pattern->data);

	for (int i = 0; i < found && i < MG_PATTERN_GROUPS; i++)
		take_group(&groups[i], subject, at[2 * i], at[2 * i + 1]);
	return found > 0;
}

static bool match_posix(
	const struct mg_relay_pattern *pattern, struct mg_str subject, struct mg_str groups[MG_PATTERN_GROUPS])
{
	char text[MG_PATTERN_SUBJECT];
	regmatch_t at[MG_PATTERN_GROUPS];

	if (!mg_str_copy(text, sizeof text, subject) || regexec(&pattern->posix, text, MG_PATTERN_GROUPS, at, 0) != 0)
		return false;
	for (int i = 0; i < MG_PATTERN_GROUPS; i++)
		if (at[i].rm_so >= 0)
			take_group(&groups[i], subject, (size_t)at[i].rm_so, (size_t)at[i].rm_eo);
	return true;
}

bool mg_relay_pattern_match(
	const struct mg_relay_pattern *pattern, struct mg_str subject, struct mg_str groups[MG_PATTERN_GROUPS])
{
	memset(groups, 0, MG_PATTERN_GROUPS * sizeof *groups);
	if (subject.n == 0 || subject.n >= MG_PATTERN_SUBJECT)
		return false;
	return pattern->has_posix ? match_posix(pattern, subject, groups) : match_pcre(pattern, subject, groups);
}

/* ---- reading a pattern's literals ---- */

struct reading {
	struct mg_str rest;
	struct mg_buf *out;
	size_t literal_from; /* out from here on is a run of literals without a doubt */
	bool is_at_end;      /* the last thing read was $ or \z */
};

static void put(struct reading *reading, char c, bool is_literal)
{
	mg_buf_addc(reading->out, c);
	if (!is_literal)
		reading->literal_from = reading->out->n;
	reading->is_at_end = false;
}

/* \d, \., \A ... */
static void read_escape(struct reading *reading)
{
	char c = reading->rest.n > 1 ? reading->rest.p[1] : '\\';

	reading->rest = mg_str_from(reading->rest, 2);
	if (c == 'd')
		put(reading, '1', false);
	else if (c == 'w' || c == 'S' || c == 'D' || c == 'H' || c == 'N')
		put(reading, 'a', false);
	else if (c == 's' || c == 'W' || c == 'h')
		put(reading, ' ', false);
	else if (c == 'z' || c == 'Z')
		reading->is_at_end = true;
	else if (c == 'Q' || c == 'E' || c == 'b' || c == 'B' || c == 'A' || c == '<' || c == '>' || c == 'K')
		reading->literal_from = reading->out->n;
	else if (c >= '1' && c <= '9')
		put(reading, 'a', false);
	else
		put(reading, c, (c < 'a' || c > 'z') && (c < 'A' || c > 'Z'));
}

/* Where the class that begins at `at` ends, behind its ]. */
static size_t behind_class(struct mg_str s, size_t at)
{
	size_t end = at + 1, close;

	end += end < s.n && s.p[end] == '^';
	end += end < s.n && s.p[end] == ']'; /* a first ] is one of its characters */
	while (end < s.n && s.p[end] != ']') {
		if (s.p[end] == '[' && end + 1 < s.n && s.p[end + 1] == ':' &&
			(close = mg_str_find(mg_str_from(s, end), ']')) != SIZE_MAX)
			end += close;
		end += s.p[end] == '\\' ? 2 : 1;
	}
	return end < s.n ? end + 1 : s.n;
}

/* The bytes that the next thing of a pattern takes. */
static size_t length_of_next(struct mg_str s)
{
	if (s.p[0] == '\\')
		return s.n > 1 ? 2 : 1;
	return s.p[0] == '[' ? behind_class(s, 0) : 1;
}

static bool is_in_class(struct mg_str class, char c)
{
	for (size_t i = 0; i < class.n; i++) {
		if (class.p[i] == c)
			return true;
		if (i + 2 < class.n && class.p[i + 1] == '-' && class.p[i] <= c && c <= class.p[i + 2])
			return true;
	}
	return false;
}

/* [a-z], [^@], []x] */
static void read_class(struct reading *reading)
{
	struct mg_str s = reading->rest, class;
	bool is_negated = s.n > 1 && s.p[1] == '^';
	size_t begin = is_negated ? 2 : 1, end = behind_class(s, 0);

	class = end > begin ? mg_str_of(s.p + begin, end - begin - 1) : (struct mg_str){ 0 };
	reading->rest = mg_str_from(s, end);
	if (!is_negated && class.n > 0 && class.p[0] != '\\' && class.p[0] != '[') {
		put(reading, class.p[0], false);
		return;
	}
	for (const char *c = "a1x-_."; *c != '\0'; c++)
		if (is_in_class(class, *c) != is_negated || c[1] == '\0') {
			put(reading, *c, false);
			return;
		}
}

/* Skips the other alternatives of the group we are in, up to its end. */
static void skip_alternatives(struct reading *reading)
{
	size_t depth = 0;

	while (reading->rest.n > 0) {
		char c = reading->rest.p[0];

		if (c == ')' && depth == 0)
			return;
		depth += c == '(';
		depth -= c == ')';
		reading->rest = mg_str_from(reading->rest, length_of_next(reading->rest));
	}
}

static void read_group_start(struct reading *reading)
{
	struct mg_str s = mg_str_from(reading->rest, 1);

	if (mg_read_token(&s, MG_STR("?")))
		while (s.n > 0 && s.p[0] != ':' && s.p[0] != '>' && s.p[0] != '=' && s.p[0] != '!' && s.p[0] != ')')
			s = mg_str_from(s, 1);
	if (reading->rest.n > 1 && reading->rest.p[1] == '?' && s.n > 0 && s.p[0] != ')')
		s = mg_str_from(s, 1);
	reading->rest = s;
	reading->literal_from = reading->out->n;
	reading->is_at_end = false;
}

/* *, +, ?, {3}, and the ? or + behind them */
static void read_repetition(struct reading *reading)
{
	struct mg_str s = reading->rest;
	uint64_t times = 1;

	if (s.p[0] == '{') {
		s = mg_str_from(s, 1);
		(void)mg_read_u64(&s, REPEAT_MAX, &times);
		(void)mg_str_cut(&s, '}');
	} else {
		s = mg_str_from(s, 1);
	}
	for (uint64_t i = 1; i < times && reading->out->n > 0; i++)
		mg_buf_addc(reading->out, reading->out->p[reading->out->n - 1]);
	if (s.n > 0 && (s.p[0] == '?' || s.p[0] == '+'))
		s = mg_str_from(s, 1);
	reading->rest = s;
	reading->literal_from = reading->out->n;
	reading->is_at_end = false;
}

static void read_one(struct reading *reading)
{
	char c = reading->rest.p[0];

	switch (c) {
	case '\\':
		read_escape(reading);
		return;
	case '[':
		read_class(reading);
		return;
	case '(':
		read_group_start(reading);
		return;
	case '|':
		skip_alternatives(reading);
		return;
	case '*':
	case '+':
	case '?':
	case '{':
		read_repetition(reading);
		return;
	default:
		break;
	}
	reading->rest = mg_str_from(reading->rest, 1);
	if (c == ')' || c == '^')
		reading->literal_from = reading->out->n;
	else if (c == '$')
		reading->is_at_end = true;
	else
		put(reading, c == '.' ? 'a' : c, c != '.');
}

/* Cuts the next top-level alternative off *rest. */
static struct mg_str cut_alternative(struct mg_str *rest, bool *has_more)
{
	struct mg_str all = *rest;
	size_t depth = 0;

	for (size_t i = 0; i < all.n; i += length_of_next(mg_str_from(all, i))) {
		char c = all.p[i];

		depth += c == '(';
		depth -= c == ')' && depth > 0;
		if (c == '|' && depth == 0) {
			*rest = mg_str_from(all, i + 1);
			*has_more = true;
			return mg_str_first(all, i);
		}
	}
	*rest = MG_STR("");
	*has_more = false;
	return all;
}

static void read_all(struct reading *reading)
{
	while (reading->rest.n > 0 && mg_buf_ok(reading->out))
		read_one(reading);
}

bool mg_relay_pattern_sample(struct mg_str text, size_t which, struct mg_buf *out)
{
	struct reading reading = { .out = out };
	bool has_more = true;

	for (size_t i = 0; i <= which; i++) {
		if (!has_more)
			return false;
		reading.rest = cut_alternative(&text, &has_more);
	}
	read_all(&reading);
	return true;
}

void mg_relay_pattern_end(struct mg_str text, struct mg_buf *out)
{
	struct mg_buf sample;
	struct reading reading = { .out = &sample };
	bool has_more;

	if (mg_str_find_str(text, MG_STR("(?")) != SIZE_MAX || mg_str_find_str(text, MG_STR("\\Q")) != SIZE_MAX)
		return; /* what stands there may mean anything */
	mg_buf_init(&sample, MG_PATTERN_MAX);
	reading.rest = cut_alternative(&text, &has_more);
	read_all(&reading);
	if (!has_more && reading.is_at_end && mg_buf_ok(&sample))
		mg_buf_add(out, mg_str_from(mg_buf_str(&sample), reading.literal_from));
	mg_buf_fini(&sample);
}
