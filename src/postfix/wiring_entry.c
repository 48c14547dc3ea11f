#include "postfix/wiring_entry.h"

/* The next argument: separated by blanks, braces kept together. */
static bool read_argument(struct mg_str *rest, struct mg_str *word_out)
{
	struct mg_str s = *rest;
	size_t begin = 0, end, depth = 0;

	while (begin < s.n && (s.p[begin] == ' ' || s.p[begin] == '\t'))
		begin++;
	for (end = begin; end < s.n; end++) {
		if (s.p[end] == '{')
			depth++;
		else if (s.p[end] == '}' && depth > 0)
			depth--;
		else if (depth == 0 && (s.p[end] == ' ' || s.p[end] == '\t'))
			break;
	}
	*word_out = mg_str_of(s.p + begin, end - begin);
	*rest = mg_str_from(s, end);
	return end > begin;
}

static bool is_option(struct mg_str word, struct mg_str parameter)
{
	if (word.n >= 2 && word.p[0] == '{' && word.p[word.n - 1] == '}')
		word = mg_str_trim(mg_str_of(word.p + 1, word.n - 2));
	return mg_read_token(&word, parameter) && mg_str_trim(word).n > 0 && mg_str_trim(word).p[0] == '=';
}

bool mg_entry_set(struct mg_buf *entry, const char *parameter, const char *value)
{
	struct mg_str all = mg_buf_str(entry), rest = all, word, old = { 0 };
	bool is_braced = strpbrk(value, " \t{}") != NULL, is_after_o = false;
	struct mg_buf next;

	while (read_argument(&rest, &word)) {
		if (is_after_o && is_option(word, mg_str_z(parameter)))
			old = word;
		is_after_o = !is_after_o && mg_str_eq(word, MG_STR("-o"));
	}
	if (old.n == 0)
		return false;
	mg_buf_init(&next, entry->max);
	mg_buf_add(&next, mg_str_of(all.p, (size_t)(old.p - all.p)));
	mg_buf_addf(&next, is_braced ? "{%s=%s}" : "%s=%s", parameter, value);
	mg_buf_add(&next, mg_str_of(old.p + old.n, (size_t)(all.p + all.n - old.p - (ptrdiff_t)old.n)));
	if (!mg_buf_ok(&next)) {
		mg_buf_fini(&next);
		return false;
	}
	mg_buf_fini(entry);
	*entry = next;
	return true;
}
