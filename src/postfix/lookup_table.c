#include "postfix/lookup_table.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/ip.h"
#include "base/run.h"

enum { NAME = 1024, LINE = 64 * 1024 };

static struct mg_str without_proxy(struct mg_str table)
{
	mg_read_token(&table, MG_STR("proxy:"));
	return table;
}

static struct mg_str type_of(struct mg_str table)
{
	return mg_str_cut(&table, ':');
}

/* By its type: what postmap -s lists, and the suffix of the indexed file. */
static const struct kind {
	const char *type, *suffix;
} kinds[] = { { "hash", ".db" }, { "btree", ".db" }, { "lmdb", ".lmdb" }, { "cdb", ".cdb" }, { "dbm", ".pag" },
	{ "sdbm", ".pag" }, { "texthash", "" }, { "inline", NULL } };

static const struct kind *kind_of(struct mg_str table)
{
	struct mg_str type = type_of(table);

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (mg_str_eq(type, mg_str_z(kinds[i].type)))
			return &kinds[i];
	return NULL;
}

static bool is_cidr(struct mg_str table)
{
	return mg_str_eq(type_of(table), MG_STR("cidr"));
}

bool mg_lookup_table_can_list(struct mg_str table)
{
	table = without_proxy(table);
	return kind_of(table) != NULL || is_cidr(table);
}

bool mg_lookup_table_file(struct mg_str table, char *place, size_t size)
{
	const struct kind *kind = kind_of(table = without_proxy(table));
	struct mg_str path = table;

	mg_str_cut(&path, ':');
	if (path.n == 0 || path.p[0] != '/' || (kind != NULL && kind->suffix == NULL))
		return false;
	return (size_t)snprintf(place, size, "%.*s%s", MG_STR_ARGS(path), kind == NULL ? "" : kind->suffix) < size;
}

/* ---- listing ---- */

typedef void taker(void *context, struct mg_str key, struct mg_str value);

static void take_lines(struct mg_str lines, taker *take, void *context)
{
	while (lines.n > 0) {
		struct mg_str value = mg_str_cut(&lines, '\n'), key;

		if (mg_read_word(&value, " \t", &key))
			take(context, key, mg_str_trim(value));
	}
}

static bool list_by_postmap(const char *directory, struct mg_str table, taker *take, void *context)
{
	char text[NAME];
	const char *argv[] = { "postmap", "-c", directory, "-s", text, NULL };
	struct mg_run run = {
		.argv = argv, .timeout_ms = MG_LOOKUP_TABLE_MS, .out_max = MG_LOOKUP_TABLE_BYTES, .err_max = 4096
	};
	struct mg_run_result result;
	bool is_whole;

	if (!mg_str_copy(text, sizeof text, table))
		return false;
	is_whole = mg_run(&run, &result, NULL) == MG_OK && result.status == 0 && mg_buf_ok(&result.out);
	take_lines(mg_buf_str(&result.out), take, context);
	mg_run_fini(&result);
	return is_whole;
}

/* Comments and blank lines say nothing; "if" and "endif" make what lies between them conditional: not listed then. */
static bool take_cidr_line(struct mg_str line, taker *take, void *context)
{
	struct mg_str value = mg_str_trim(line), key;

	if (value.n == 0 || value.p[0] == '#')
		return true;
	if (!mg_read_word(&value, " \t", &key) || mg_str_eq_nocase(key, MG_STR("if")) ||
		mg_str_eq_nocase(key, MG_STR("endif")))
		return false;
	take(context, key, mg_str_trim(value));
	return true;
}

static bool is_continued(struct mg_str line)
{
	return line.n > 0 && (line.p[0] == ' ' || line.p[0] == '\t') && mg_str_trim(line).n > 0 &&
	       mg_str_trim(line).p[0] != '#';
}

/* A line that begins with white space goes on with the one before it. */
static bool list_cidr(struct mg_str table, taker *take, void *context)
{
	char path[NAME], *line = NULL;
	struct mg_buf whole;
	size_t room = 0;
	FILE *file = mg_lookup_table_file(table, path, sizeof path) ? fopen(path, "re") : NULL;
	bool is_whole = file != NULL;
	ssize_t n;

	mg_buf_init(&whole, LINE);
	while (is_whole && (n = getline(&line, &room, file)) >= 0) {
		if (!is_continued(mg_str_of(line, (size_t)n))) {
			is_whole = take_cidr_line(mg_buf_str(&whole), take, context);
			mg_buf_reset(&whole);
		}
		mg_buf_add(&whole, mg_str_trim(mg_str_of(line, (size_t)n)));
		mg_buf_addc(&whole, ' ');
		is_whole = is_whole && mg_buf_ok(&whole);
	}
	is_whole = is_whole && take_cidr_line(mg_buf_str(&whole), take, context);
	mg_buf_fini(&whole);
	free(line);
	if (file != NULL)
		fclose(file);
	return is_whole;
}

bool mg_lookup_table_list(const char *directory, struct mg_str table, taker *take, void *context)
{
	table = without_proxy(table);
	if (is_cidr(table))
		return list_cidr(table, take, context);
	return kind_of(table) != NULL && list_by_postmap(directory, table, take, context);
}

/* ---- asking ---- */

enum mg_lookup_result mg_lookup_table_ask(
	const char *directory, struct mg_str table, struct mg_str key, int timeout_ms, struct mg_buf *value)
{
	char name[NAME], text[512];
	const char *argv[] = { "postmap", "-c", directory, "-q", text, name, NULL };
	struct mg_run run = { .argv = argv, .timeout_ms = timeout_ms, .out_max = 4096, .err_max = 4096 };
	struct mg_run_result result;
	enum mg_lookup_result answer = MG_LOOKUP_FAILED;

	/* postmap -q takes "-" as standard input, and options begin with it */
	if (!mg_str_copy(name, sizeof name, without_proxy(table)) || !mg_str_copy(text, sizeof text, key) ||
		key.n == 0 || key.p[0] == '-')
		return MG_LOOKUP_FAILED;
	if (mg_run(&run, &result, NULL) == MG_OK) {
		if (result.status == 0)
			answer = MG_LOOKUP_FOUND;
		else if (result.status == 1 && result.err.n == 0)
			answer = MG_LOOKUP_ABSENT;
	}
	if (value != NULL && answer == MG_LOOKUP_FOUND)
		mg_buf_add(value, mg_str_trim(mg_buf_str(&result.out)));
	mg_run_fini(&result);
	return answer;
}
