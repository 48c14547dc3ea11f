#include "postfix/relay_match.h"

#include <errno.h>
#include <stdio.h>

#include "postfix/relay_net.h"
#include "postfix/restrictions.h"

enum { FILE_MAX = 16 * 1024 * 1024, PATH_BYTES = 1024 };

/* ---- reading ---- */

struct reading {
	struct mg_match_list *list;
	struct mg_tables *tables;
	struct mg_arena *arena;
};

static struct mg_match_pattern *add(
	struct reading *reading, enum mg_match_kind kind, struct mg_str text, bool is_negated)
{
	struct mg_match_list *list = reading->list;
	size_t room = list->room == 0 ? 32 : list->room * 2;
	struct mg_match_pattern *more;

	if (list->count == list->room) {
		more = list->count >= MG_MATCH_PATTERNS ? NULL : mg_arena_take(reading->arena, room * sizeof *more);
		if (more == NULL) { /* what does not fit makes the last one doubtful */
			if (list->count > 0)
				list->patterns[list->count - 1].kind = MG_MATCH_DOUBT;
			return NULL;
		}
		if (list->count > 0)
			memcpy(more, list->patterns, list->count * sizeof *more);
		list->patterns = more;
		list->room = room;
	}
	more = &list->patterns[list->count++];
	*more = (struct mg_match_pattern){
		.kind = kind, .is_negated = is_negated, .text = mg_str_z(mg_arena_text(reading->arena, text, text.n))
	};
	return more;
}

static void add_one(struct reading *reading, struct mg_str text, bool is_negated)
{
	struct mg_match_pattern *pattern = add(reading, MG_MATCH_NAME, text, is_negated);

	if (pattern == NULL || text.n == 0)
		return;
	if (text.p[0] != '[' && mg_str_find(text, ':') != SIZE_MAX) {
		pattern->kind = MG_MATCH_TABLE;
		pattern->table = mg_tables_get(reading->tables, pattern->text);
		reading->list->is_fatal = reading->list->is_fatal || text.p[0] == ':';
		return;
	}
	switch (mg_relay_net_parse(pattern->text, false, &pattern->net)) {
	case MG_RELAY_NET_GOOD:
		pattern->kind = MG_MATCH_NET;
		break;
	case MG_RELAY_NET_BAD:
		pattern->kind = MG_MATCH_BAD;
		break;
	default:
		break;
	}
}

static struct mg_str strip_not(struct mg_str word, bool *is_negated)
{
	while (word.n > 0 && word.p[0] == '!') {
		*is_negated = !*is_negated;
		word = mg_str_from(word, 1);
	}
	return word;
}

static void add_words(struct reading *reading, struct mg_str text, bool is_negated, bool may_name_files);

/* A line that begins with # is a comment; the others are patterns like those of the list. */
static void add_file(struct reading *reading, struct mg_str path, bool is_negated)
{
	char name[PATH_BYTES], chunk[16384];
	FILE *file = mg_str_copy(name, sizeof name, path) ? fopen(name, "re") : NULL;
	struct mg_buf text;
	struct mg_str rest;
	size_t n;

	if (file == NULL) {
		(void)add(reading, errno == ENOENT ? MG_MATCH_BAD : MG_MATCH_DOUBT, path, false);
		return;
	}
	mg_buf_init(&text, FILE_MAX);
	while (mg_buf_ok(&text) && (n = fread(chunk, 1, sizeof chunk, file)) > 0)
		mg_buf_add(&text, mg_str_of(chunk, n));
	if (ferror(file) != 0 || !mg_buf_ok(&text))
		(void)add(reading, MG_MATCH_DOUBT, path, false);
	fclose(file);
	for (rest = mg_buf_str(&text); rest.n > 0;) {
		struct mg_str line = mg_str_cut(&rest, '\n');

		if (line.n > 0 && line.p[0] != '#')
			add_words(reading, line, is_negated, false);
	}
	mg_buf_fini(&text);
}

static void add_words(struct reading *reading, struct mg_str text, bool is_negated, bool may_name_files)
{
	struct mg_str word;

	while (mg_postfix_word(&text, &word)) {
		bool is_not = is_negated;

		if (word.p[0] == '#')
			return; /* "comment at end of line is not supported": Postfix stops here */
		word = strip_not(word, &is_not);
		if (word.n > 0 && word.p[0] == '/' && may_name_files)
			add_file(reading, word, is_not);
		else if (word.n > 0 && word.p[0] == '/')
			(void)add(reading, MG_MATCH_DOUBT, word, false);
		else
			add_one(reading, word, is_not);
	}
}

void mg_match_load(struct mg_match_list *list, struct mg_tables *tables, struct mg_arena *arena, struct mg_str value,
	bool with_parents)
{
	struct reading reading = { list, tables, arena };

	*list = (struct mg_match_list){ .with_parents = with_parents };
	add_words(&reading, value, false, true);
}

/* ---- matching ---- */

static enum mg_match of_found(enum mg_table_found found)
{
	return found == MG_TABLE_FOUND       ? MG_MATCH_YES
	       : found == MG_TABLE_NOT_FOUND ? MG_MATCH_NO
	       : found == MG_TABLE_ERROR     ? MG_MATCH_ERROR
					     : MG_MATCH_UNKNOWN;
}

/* A table is asked for the name and what it lies below: "a.b.c", "b.c" (or ".b.c"), "c" (or ".c"). */
static enum mg_match match_in_table(
	struct mg_tables *tables, struct mg_table *table, struct mg_str name, bool with_parents, bool only_whole)
{
	enum mg_match match = MG_MATCH_NO;
	struct mg_str value;

	while (name.n > 0 && match == MG_MATCH_NO) {
		size_t dot = mg_str_find(mg_str_from(name, 1), '.');

		match = of_found(mg_table_find(tables, table, name, &value));
		if (only_whole || dot == SIZE_MAX)
			break;
		name = mg_str_from(name, dot + 1 + with_parents);
	}
	return match;
}

static enum mg_match match_domain_pattern(struct mg_tables *tables, const struct mg_match_list *list,
	const struct mg_match_pattern *pattern, struct mg_str name)
{
	struct mg_str text = pattern->text;

	if (pattern->kind == MG_MATCH_TABLE)
		return match_in_table(tables, pattern->table, name, list->with_parents, false);
	if (pattern->kind == MG_MATCH_DOUBT)
		return MG_MATCH_UNKNOWN;
	if (mg_str_eq_nocase(name, text))
		return MG_MATCH_YES;
	if (name.n <= text.n || text.n == 0 || !mg_str_ends_nocase(name, text))
		return MG_MATCH_NO;
	if (list->with_parents)
		return name.p[name.n - text.n - 1] == '.' ? MG_MATCH_YES : MG_MATCH_NO;
	return text.p[0] == '.' ? MG_MATCH_YES : MG_MATCH_NO;
}

static enum mg_match match_address_pattern(
	struct mg_tables *tables, const struct mg_match_pattern *pattern, struct mg_str address, const struct mg_ip *ip)
{
	struct mg_str value;
	bool is_v6 = mg_str_find(pattern->text, ':') != SIZE_MAX;

	if (address.n == 0)
		return MG_MATCH_NO;
	switch (pattern->kind) {
	case MG_MATCH_TABLE:
		return of_found(mg_table_find(tables, pattern->table, address, &value));
	case MG_MATCH_NET:
		return mg_net_contains(&pattern->net, ip) ? MG_MATCH_YES : MG_MATCH_NO;
	case MG_MATCH_BAD:
		if (pattern->text.n > 0 && pattern->text.p[0] == '/')
			return MG_MATCH_ERROR;
		return is_v6 == (ip->family == MG_IP_V6) ? MG_MATCH_ERROR : MG_MATCH_NO;
	case MG_MATCH_DOUBT:
		return MG_MATCH_UNKNOWN;
	default:
		return MG_MATCH_NO;
	}
}

enum mg_match mg_match_client(struct mg_tables *tables, const struct mg_match_list *list, struct mg_str name,
	struct mg_str address, const struct mg_ip *ip, const struct mg_match_pattern **which_out)
{
	*which_out = NULL;
	for (size_t i = 0; i < list->count; i++) {
		const struct mg_match_pattern *pattern = &list->patterns[i];
		enum mg_match match = match_address_pattern(tables, pattern, address, ip);

		if (match == MG_MATCH_NO && pattern->kind != MG_MATCH_BAD && name.n > 0)
			match = match_domain_pattern(tables, list, pattern, name);
		if (match == MG_MATCH_NO)
			continue;
		*which_out = pattern;
		return match == MG_MATCH_YES && pattern->is_negated ? MG_MATCH_NO : match;
	}
	return MG_MATCH_NO;
}

enum mg_match mg_match_domain(struct mg_tables *tables, const struct mg_match_list *list, struct mg_str domain,
	const struct mg_match_pattern **which_out)
{
	*which_out = NULL;
	for (size_t i = 0; i < list->count; i++) {
		const struct mg_match_pattern *pattern = &list->patterns[i];
		bool is_missing = pattern->kind == MG_MATCH_BAD && pattern->text.n > 0 && pattern->text.p[0] == '/';
		enum mg_match match = is_missing ? MG_MATCH_ERROR : match_domain_pattern(tables, list, pattern, domain);

		if (match == MG_MATCH_NO)
			continue;
		*which_out = pattern;
		return match == MG_MATCH_YES && pattern->is_negated ? MG_MATCH_NO : match;
	}
	return MG_MATCH_NO;
}

enum mg_match mg_match_name(struct mg_tables *tables, const struct mg_match_list *list, struct mg_str domain)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct mg_match_pattern *pattern = &list->patterns[i];
		enum mg_match match = MG_MATCH_NO;

		if (pattern->kind == MG_MATCH_TABLE)
			match = match_in_table(tables, pattern->table, domain, false, true);
		else if (pattern->kind == MG_MATCH_DOUBT)
			match = MG_MATCH_UNKNOWN;
		else if (mg_str_eq_nocase(pattern->text, domain))
			match = MG_MATCH_YES;
		if (match != MG_MATCH_NO)
			return match == MG_MATCH_YES && pattern->is_negated ? MG_MATCH_NO : match;
	}
	return MG_MATCH_NO;
}
