#include "postfix/match_list.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/ip.h"
#include "postfix/restrictions.h"

static bool read_file(struct mg_str path, struct mg_buf *out)
{
	char name[1024], chunk[4096];
	FILE *file = mg_str_copy(name, sizeof name, path) ? fopen(name, "re") : NULL;
	size_t n;

	if (file == NULL)
		return false;
	while (mg_buf_ok(out) && (n = fread(chunk, 1, sizeof chunk, file)) > 0)
		mg_buf_add(out, mg_str_of(chunk, n));
	fclose(file);
	return mg_buf_ok(out);
}

static void without_comments(struct mg_buf *text)
{
	bool is_comment = false, is_start = true;

	for (size_t i = 0; i < text->n; i++) {
		is_comment = text->p[i] != '\n' && (is_comment || (is_start && text->p[i] == '#'));
		is_start = text->p[i] == '\n' || (is_start && (text->p[i] == ' ' || text->p[i] == '\t'));
		if (is_comment)
			text->p[i] = ' ';
	}
}

/* Takes the "!"s off: an even number of them cancels out. */
static bool read_exclusions(struct mg_str *pattern)
{
	bool is_excluded = false;

	while (mg_read_token(pattern, MG_STR("!")))
		is_excluded = !is_excluded;
	return is_excluded;
}

typedef void taker(void *context, struct mg_str pattern, bool is_excluded);

static bool take_file(struct mg_str path, bool is_excluded, taker *take, void *context)
{
	struct mg_buf text;
	struct mg_str rest, pattern;
	bool is_whole;

	mg_buf_init(&text, MG_MATCH_LIST_BYTES);
	is_whole = read_file(path, &text);
	without_comments(&text);
	for (rest = mg_buf_str(&text); mg_read_word(&rest, " ,\t\r\n", &pattern);) {
		bool is_turned = read_exclusions(&pattern);

		if (pattern.n > 0 && pattern.p[0] == '/')
			is_whole = false;
		else if (pattern.n > 0)
			take(context, pattern, is_excluded != is_turned);
	}
	mg_buf_fini(&text);
	return is_whole;
}

bool mg_match_list_each(struct mg_str list, taker *take, void *context)
{
	struct mg_str pattern;
	bool is_whole = true;

	while (mg_postfix_word(&list, &pattern)) {
		bool is_excluded = read_exclusions(&pattern);

		if (pattern.n > 0 && pattern.p[0] == '/')
			is_whole = take_file(pattern, is_excluded, take, context) && is_whole;
		else if (pattern.n > 0)
			take(context, pattern, is_excluded);
	}
	return is_whole;
}

bool mg_match_list_is_table(struct mg_str pattern)
{
	struct mg_net net;

	return pattern.n > 0 && pattern.p[0] != '[' && mg_str_find(pattern, ':') != SIZE_MAX &&
	       !mg_net_parse(pattern, &net);
}
