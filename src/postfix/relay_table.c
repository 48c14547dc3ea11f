/* Each table is loaded once for all services. What a composed table answers is worked out of its parts, one level deep. */
#include "postfix/relay_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "base/i18n.h"
#include "base/run.h"
#include "postfix/relay_rules.h"
#include "postfix/restrictions.h"

#include <uthash.h>

enum { ARENA_MAX = 512 * 1024 * 1024, NAME_BYTES = 4096, ANSWER_MAX = 64 * 1024 };

struct mg_table_entry {
	UT_hash_handle hh;
	struct mg_str key, value;
};

struct holder {
	UT_hash_handle hh;
	struct mg_table table;
	struct mg_table_entry *asked; /* answers of postmap -q; no value: it found nothing */
};

struct mg_tables {
	struct mg_arena arena;
	const char *directory;
	struct holder *all;
	uint64_t steps;
	unsigned asked;
};

/* ---- the types ---- */

static const struct type {
	const char *name;
	enum mg_table_kind kind;
	const char *suffix; /* of the file that smtpd reads; NULL: no file */
	bool is_pattern;
} types[] = {
	{ "hash", MG_TABLE_KEYED, ".db", false },
	{ "btree", MG_TABLE_KEYED, ".db", false },
	{ "lmdb", MG_TABLE_KEYED, ".lmdb", false },
	{ "cdb", MG_TABLE_KEYED, ".cdb", false },
	{ "dbm", MG_TABLE_KEYED, ".pag", false },
	{ "sdbm", MG_TABLE_KEYED, ".pag", false },
	{ "texthash", MG_TABLE_KEYED, "", false },
	{ "inline", MG_TABLE_KEYED, NULL, false },
	{ "cidr", MG_TABLE_RULES_IP, "", true },
	{ "pcre", MG_TABLE_PATTERNED, "", true },
	{ "regexp", MG_TABLE_PATTERNED, "", true },
	{ "static", MG_TABLE_STATIC, NULL, false },
	{ "randmap", MG_TABLE_STATIC, NULL, true },
	{ "unionmap", MG_TABLE_UNION, NULL, false },
	{ "pipemap", MG_TABLE_PIPE, NULL, false },
	{ "fail", MG_TABLE_BROKEN, NULL, false },
	{ "tcp", MG_TABLE_ASKABLE, NULL, true },
	{ "socketmap", MG_TABLE_ASKABLE, NULL, true },
	{ "environ", MG_TABLE_ASKABLE, NULL, false },
	{ "internal", MG_TABLE_ASKABLE, NULL, false },
	{ "ldap", MG_TABLE_ASKABLE, NULL, false },
	{ "memcache", MG_TABLE_ASKABLE, NULL, false },
	{ "mongodb", MG_TABLE_ASKABLE, NULL, false },
	{ "mysql", MG_TABLE_ASKABLE, NULL, false },
	{ "netinfo", MG_TABLE_ASKABLE, NULL, false },
	{ "nis", MG_TABLE_ASKABLE, NULL, false },
	{ "nisplus", MG_TABLE_ASKABLE, NULL, false },
	{ "pgsql", MG_TABLE_ASKABLE, NULL, false },
	{ "sqlite", MG_TABLE_ASKABLE, NULL, false },
	{ "unix", MG_TABLE_ASKABLE, NULL, false },
};

static const struct type *type_of(struct mg_str name)
{
	struct mg_str type = mg_str_cut(&name, ':');

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (mg_str_eq(type, mg_str_z(types[i].name)))
			return &types[i];
	return NULL;
}

static struct mg_str without_proxy(struct mg_str name)
{
	while (mg_read_token(&name, MG_STR("proxy:")))
		;
	return name;
}

bool mg_table_is_name(struct mg_str word)
{
	word = without_proxy(word);
	return mg_str_find(word, ':') != SIZE_MAX && type_of(word) != NULL;
}

/* ---- loading ---- */

static void give_up(struct mg_table *table, enum mg_table_kind kind, const char *trouble)
{
	table->kind = kind;
	table->trouble = trouble;
}

static const char *keep(struct mg_tables *tables, struct mg_str text)
{
	char *copy = mg_arena_take(&tables->arena, text.n + 1);

	if (copy != NULL && text.n > 0)
		memcpy(copy, text.p, text.n);
	return copy;
}

static void add_entry(struct mg_tables *tables, struct mg_table_entry **entries, struct mg_str key, struct mg_str value)
{
	struct mg_table_entry *entry;

	HASH_FIND(hh, *entries, key.p, key.n, entry);
	if (entry != NULL || (entry = mg_arena_take(&tables->arena, sizeof *entry)) == NULL)
		return;
	entry->key = key;
	entry->value = value;
	HASH_ADD_KEYPTR(hh, *entries, entry->key.p, entry->key.n, entry);
}

/* postmap's "key<tab>value" lines. */
static void add_entries(struct mg_tables *tables, struct mg_table *table, struct mg_str lines)
{
	while (lines.n > 0) {
		struct mg_str line = mg_str_cut(&lines, '\n'), key = mg_str_cut(&line, '\t');

		for (size_t i = 0; i < key.n; i++)
			if (key.p[i] >= 'A' && key.p[i] <= 'Z')
				((char *)key.p)[i] = (char)(key.p[i] - 'A' + 'a'); /* the arena's: ours */
		add_entry(tables, &table->entries, key, mg_str_trim(line));
	}
}

static void enumerate(struct mg_tables *tables, struct mg_table *table, const char *name)
{
	const char *argv[] = { "postmap", "-c", tables->directory, "-s", name, NULL };
	struct mg_run run = { .argv = argv, .timeout_ms = MG_TABLE_MS, .out_max = MG_TABLE_BYTES, .err_max = 4096 };
	struct mg_run_result result;
	const char *text = NULL;

	if (mg_run(&run, &result, NULL) != MG_OK || result.status != 0)
		give_up(table, MG_TABLE_UNREADABLE, N_("postmap can't list %1"));
	else if (!mg_buf_ok(&result.out) || (text = keep(tables, mg_buf_str(&result.out))) == NULL)
		give_up(table, MG_TABLE_UNREADABLE, N_("%1 is too large to be looked at"));
	else
		add_entries(tables, table, mg_str_of(text, result.out.n));
	mg_run_fini(&result);
}

static bool read_file(const char *path, struct mg_buf *out)
{
	char chunk[16384];
	FILE *file = fopen(path, "re");
	size_t n;
	bool is_read;

	if (file == NULL)
		return false;
	while (mg_buf_ok(out) && (n = fread(chunk, 1, sizeof chunk, file)) > 0)
		mg_buf_add(out, mg_str_of(chunk, n));
	is_read = ferror(file) == 0;
	fclose(file);
	return is_read;
}

static void read_rules(struct mg_tables *tables, struct mg_table *table, bool is_pcre)
{
	struct mg_buf text;

	mg_buf_init(&text, MG_TABLE_BYTES);
	if (!read_file(table->file, &text))
		give_up(table, MG_TABLE_UNREADABLE, N_("%1 can't be read"));
	else if (!mg_buf_ok(&text) || mg_table_rules_read(table, &tables->arena, mg_buf_str(&text), is_pcre) != MG_OK)
		give_up(table, MG_TABLE_UNREADABLE, N_("%1 is too large to be looked at"));
	mg_buf_fini(&text);
}

/* The file that smtpd opens: is it there, is it a file? False: the table is done with. */
static bool has_file(struct mg_tables *tables, struct mg_table *table, struct mg_str path, const char *suffix)
{
	struct mg_buf name;
	struct stat info;

	mg_buf_init(&name, NAME_BYTES);
	mg_buf_add(&name, path);
	mg_buf_addz(&name, suffix);
	table->file = keep(tables, mg_buf_str(&name));
	mg_buf_fini(&name);
	if (table->file == NULL) {
		table->file = "";
		give_up(table, MG_TABLE_UNREADABLE, N_("%1 is too large to be looked at"));
		return false;
	}
	if (stat(table->file, &info) != 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			give_up(table, MG_TABLE_BROKEN, N_("the file of %1 does not exist"));
		else
			give_up(table, MG_TABLE_UNREADABLE, N_("%1 can't be read"));
		return false;
	}
	if (S_ISREG(info.st_mode))
		return true;
	give_up(table, MG_TABLE_UNREADABLE, N_("%1 is no plain file"));
	return false;
}

/* The inside of { }, else all of it. */
static struct mg_str inside(struct mg_str text)
{
	text = mg_str_trim(text);
	return text.n >= 2 && text.p[0] == '{' && text.p[text.n - 1] == '}'
		       ? mg_str_trim(mg_str_of(text.p + 1, text.n - 2))
		       : text;
}

static void load_static(struct mg_tables *tables, struct mg_table *table, struct mg_str text, bool is_random)
{
	struct mg_str rest = inside(text), word;

	if (!is_random) {
		table->values[0] = mg_str_z(mg_arena_text(&tables->arena, rest, rest.n));
		table->part_count = 1;
		return;
	}
	while (mg_postfix_word(&rest, &word) && table->part_count < MG_TABLE_PARTS) {
		word = inside(word);
		table->values[table->part_count++] = mg_str_z(mg_arena_text(&tables->arena, word, word.n));
	}
	if (table->part_count == 0 || table->part_count == MG_TABLE_PARTS)
		give_up(table, MG_TABLE_UNREADABLE, N_("%1 has too many parts"));
}

static void load_simple(struct mg_tables *tables, struct mg_table *table, const struct type *type, struct mg_str name)
{
	struct mg_str path = name;
	const char *text = mg_arena_text(&tables->arena, name, NAME_BYTES);

	(void)mg_str_cut(&path, ':');
	if (type->suffix != NULL && !has_file(tables, table, path, type->suffix))
		return;
	if (type->kind == MG_TABLE_KEYED)
		enumerate(tables, table, text);
	else if (type->kind == MG_TABLE_RULES_IP || type->kind == MG_TABLE_PATTERNED)
		read_rules(tables, table, mg_str_eq(mg_str_z(type->name), MG_STR("pcre")));
	else if (type->kind == MG_TABLE_STATIC)
		load_static(tables, table, path, type->is_pattern);
	else if (type->kind == MG_TABLE_BROKEN)
		give_up(table, MG_TABLE_BROKEN, N_("%1 always fails"));
}

static bool is_composed(const struct type *type)
{
	return type != NULL && (type->kind == MG_TABLE_UNION || type->kind == MG_TABLE_PIPE);
}

static struct mg_table *hold(struct mg_tables *tables, struct mg_str name)
{
	struct holder *holder;

	if (HASH_COUNT(tables->all) >= MG_TABLES_MAX)
		return NULL;
	holder = calloc(1, sizeof *holder);
	if (holder == NULL)
		return NULL;
	holder->table.name = keep(tables, name);
	if (holder->table.name == NULL) {
		free(holder);
		return NULL;
	}
	holder->table.file = holder->table.trouble = "";
	holder->table.hh = holder;
	HASH_ADD_KEYPTR(hh, tables->all, holder->table.name, name.n, holder);
	return &holder->table;
}

static struct mg_table *find_held(struct mg_tables *tables, struct mg_str name)
{
	struct holder *holder;

	HASH_FIND(hh, tables->all, name.p, name.n, holder);
	return holder == NULL ? NULL : &holder->table;
}

/* A table that is no composition, or whose composition is not looked into. */
static struct mg_table *get_simple(struct mg_tables *tables, struct mg_str name)
{
	struct mg_table *table = find_held(tables, name);
	struct mg_str plain = without_proxy(name);
	const struct type *type = type_of(plain);

	if (table != NULL || (table = hold(tables, name)) == NULL)
		return table;
	if (type == NULL) {
		give_up(table, MG_TABLE_BROKEN, N_("Postfix knows no table of the type of %1"));
		return table;
	}
	table->kind = type->kind;
	table->is_pattern = type->is_pattern;
	if (is_composed(type))
		give_up(table, MG_TABLE_UNREADABLE, N_("%1 is composed of tables inside another one"));
	else
		load_simple(tables, table, type, plain);
	return table;
}

static struct mg_table *get_composed(struct mg_tables *tables, struct mg_str name, const struct type *type)
{
	struct mg_table *table = hold(tables, name), *part;
	struct mg_str rest = without_proxy(name), word;

	if (table == NULL)
		return NULL;
	table->kind = type->kind;
	(void)mg_str_cut(&rest, ':');
	for (rest = inside(rest); mg_postfix_word(&rest, &word);) {
		part = table->part_count < MG_TABLE_PARTS ? get_simple(tables, inside(word)) : NULL;
		if (part == NULL) {
			give_up(table, MG_TABLE_UNREADABLE, N_("%1 has too many parts"));
			return table;
		}
		table->parts[table->part_count++] = part;
		table->is_pattern = table->is_pattern || part->is_pattern;
	}
	if (table->part_count == 0)
		give_up(table, MG_TABLE_BROKEN, N_("%1 has no parts"));
	return table;
}

struct mg_table *mg_tables_get(struct mg_tables *tables, struct mg_str name)
{
	static struct mg_table too_many = {
		.name = "", .kind = MG_TABLE_UNREADABLE, .file = "", .trouble = N_("there are too many tables")
	};
	const struct type *type = type_of(without_proxy(name));
	struct mg_table *table = find_held(tables, name);

	if (table == NULL)
		table = is_composed(type) ? get_composed(tables, name, type) : get_simple(tables, name);
	return table == NULL ? &too_many : table;
}

struct mg_tables *mg_tables_new(const char *directory)
{
	struct mg_tables *tables = calloc(1, sizeof *tables);

	if (tables == NULL)
		return NULL;
	mg_arena_init(&tables->arena, ARENA_MAX);
	tables->steps = MG_TABLE_STEPS;
	tables->directory = keep(tables, mg_str_z(directory));
	if (tables->directory == NULL)
		mg_tables_free(&tables);
	return tables;
}

void mg_tables_free(struct mg_tables **tables)
{
	struct mg_tables *last = *tables;
	struct holder *holder, *next;

	*tables = NULL;
	if (last == NULL)
		return;
	HASH_ITER(hh, last->all, holder, next)
	{
		HASH_DEL(last->all, holder);
		HASH_CLEAR(hh, holder->table.entries);
		HASH_CLEAR(hh, holder->asked);
		mg_table_rules_free(&holder->table);
		free(holder);
	}
	mg_arena_fini(&last->arena);
	free(last);
}

/* ---- looking up ---- */

static enum mg_table_found find_key(const struct mg_table *table, struct mg_str key, struct mg_str *value_out)
{
	struct mg_table_entry *entry;

	HASH_FIND(hh, table->entries, key.p, key.n, entry);
	if (entry == NULL)
		return MG_TABLE_NOT_FOUND;
	*value_out = entry->value;
	return MG_TABLE_FOUND;
}

static enum mg_table_found find_rule(
	struct mg_tables *tables, const struct mg_table *table, struct mg_str key, struct mg_str *value_out)
{
	struct mg_str groups[MG_PATTERN_GROUPS];
	const struct mg_table_rule *rule = mg_table_rules_find(table, key, groups, &tables->steps);
	struct mg_buf filled;
	const char *text;

	if (tables->steps == 0)
		return MG_TABLE_UNKNOWN;
	if (rule == NULL)
		return MG_TABLE_NOT_FOUND;
	*value_out = rule->value;
	if (rule->pattern == NULL || mg_str_find(rule->value, '$') == SIZE_MAX)
		return MG_TABLE_FOUND;
	mg_buf_init(&filled, ANSWER_MAX);
	mg_table_rule_fill(rule->value, groups, &filled);
	text = keep(tables, mg_buf_str(&filled));
	*value_out = mg_str_of(text, text == NULL ? 0 : filled.n);
	mg_buf_fini(&filled);
	return text == NULL ? MG_TABLE_UNKNOWN : MG_TABLE_FOUND;
}

/* postmap -q says 1 without a word for "not found", and complains otherwise. */
static enum mg_table_found ask(
	struct mg_tables *tables, struct mg_table *table, struct mg_str key, struct mg_str *value_out)
{
	struct holder *holder = table->hh;
	const char *name = table->name, *text = mg_arena_text(&tables->arena, key, NAME_BYTES);
	const char *argv[] = { "postmap", "-c", tables->directory, "-q", text, name, NULL };
	struct mg_run run = { .argv = argv, .timeout_ms = MG_TABLE_MS, .out_max = ANSWER_MAX, .err_max = 4096 };
	struct mg_run_result result;
	struct mg_table_entry *entry;
	bool is_answered;

	HASH_FIND(hh, holder->asked, key.p, key.n, entry);
	if (entry == NULL && (tables->asked >= MG_TABLE_ASKED || text[0] == '\0' || text[0] == '-'))
		return MG_TABLE_UNKNOWN;
	if (entry == NULL) {
		tables->asked++;
		is_answered = mg_run(&run, &result, NULL) == MG_OK && result.status <= 1 && result.err.n == 0;
		text = is_answered ? keep(tables, mg_str_trim(mg_buf_str(&result.out))) : NULL;
		if (text == NULL)
			give_up(table, MG_TABLE_UNREADABLE, N_("postmap -q gets no answer from %1"));
		else
			add_entry(tables, &holder->asked, mg_str_z(mg_arena_text(&tables->arena, key, key.n)),
				mg_str_z(text));
		mg_run_fini(&result);
		if (text == NULL)
			return MG_TABLE_UNKNOWN;
		*value_out = mg_str_z(text);
		return value_out->n > 0 ? MG_TABLE_FOUND : MG_TABLE_NOT_FOUND;
	}
	*value_out = entry->value;
	return entry->value.n > 0 ? MG_TABLE_FOUND : MG_TABLE_NOT_FOUND;
}

static enum mg_table_found find_simple(
	struct mg_tables *tables, struct mg_table *table, struct mg_str key, struct mg_str *value_out)
{
	switch (table->kind) {
	case MG_TABLE_KEYED:
		return find_key(table, key, value_out);
	case MG_TABLE_RULES_IP:
	case MG_TABLE_PATTERNED:
		return find_rule(tables, table, key, value_out);
	case MG_TABLE_STATIC:
		*value_out = table->values[0];
		for (size_t i = 1; i < table->part_count; i++)
			if (!mg_str_eq(table->values[i], table->values[0]))
				return MG_TABLE_UNKNOWN; /* randmap: it may be any of them */
		return MG_TABLE_FOUND;
	case MG_TABLE_ASKABLE:
		return ask(tables, table, key, value_out);
	case MG_TABLE_BROKEN:
		return MG_TABLE_ERROR;
	default:
		return MG_TABLE_UNKNOWN;
	}
}

static enum mg_table_found find_union(
	struct mg_tables *tables, const struct mg_table *table, struct mg_str key, struct mg_str *value_out)
{
	enum mg_table_found all = MG_TABLE_NOT_FOUND, one;
	struct mg_buf joined;
	const char *text;

	mg_buf_init(&joined, ANSWER_MAX);
	for (size_t i = 0; i < table->part_count && all <= MG_TABLE_FOUND; i++) {
		one = find_simple(tables, table->parts[i], key, value_out);
		if (one == MG_TABLE_FOUND) {
			if (joined.n > 0)
				mg_buf_addc(&joined, ',');
			mg_buf_add(&joined, *value_out);
		}
		all = one > all ? one : all;
	}
	text = keep(tables, mg_buf_str(&joined));
	*value_out = mg_str_of(text, text == NULL ? 0 : joined.n);
	mg_buf_fini(&joined);
	return text == NULL ? MG_TABLE_UNKNOWN : all;
}

static enum mg_table_found find_pipe(
	struct mg_tables *tables, const struct mg_table *table, struct mg_str key, struct mg_str *value_out)
{
	enum mg_table_found found = MG_TABLE_FOUND;

	*value_out = key;
	for (size_t i = 0; i < table->part_count && found == MG_TABLE_FOUND; i++)
		found = find_simple(tables, table->parts[i], *value_out, value_out);
	return found;
}

enum mg_table_found mg_table_find(
	struct mg_tables *tables, struct mg_table *table, struct mg_str key, struct mg_str *value_out)
{
	*value_out = MG_STR("");
	if (key.n == 0)
		return MG_TABLE_NOT_FOUND;
	if (table->kind == MG_TABLE_UNION)
		return find_union(tables, table, key, value_out);
	if (table->kind == MG_TABLE_PIPE)
		return find_pipe(tables, table, key, value_out);
	return find_simple(tables, table, key, value_out);
}

/* ---- what is in them ---- */

static void each_key_of(const struct mg_table *table, mg_table_take_key *take, void *context)
{
	for (const struct mg_table_entry *entry = table->entries; entry != NULL; entry = entry->hh.next)
		take(context, entry->key, entry->value);
}

void mg_table_each_key(const struct mg_table *table, mg_table_take_key *take, void *context)
{
	each_key_of(table, take, context);
	if (table->kind != MG_TABLE_UNION && table->kind != MG_TABLE_PIPE)
		return;
	for (size_t i = 0; i < table->part_count; i++)
		each_key_of(table->parts[i], take, context);
}

static void each_rule_of(const struct mg_table *table, mg_table_take_rule *take, void *context)
{
	for (size_t i = 0; i < table->rule_count; i++)
		take(context, table, &table->rules[i]);
}

void mg_table_each_rule(const struct mg_table *table, mg_table_take_rule *take, void *context)
{
	each_rule_of(table, take, context);
	if (table->kind != MG_TABLE_UNION && table->kind != MG_TABLE_PIPE)
		return;
	for (size_t i = 0; i < table->part_count; i++)
		each_rule_of(table->parts[i], take, context);
}

static bool is_unknown(const struct mg_table *table)
{
	return table->kind == MG_TABLE_UNREADABLE || table->kind == MG_TABLE_ASKABLE;
}

const struct mg_table *mg_table_unknown_part(const struct mg_table *table)
{
	if (is_unknown(table))
		return table;
	if (table->kind == MG_TABLE_UNION || table->kind == MG_TABLE_PIPE)
		for (size_t i = 0; i < table->part_count; i++)
			if (is_unknown(table->parts[i]))
				return table->parts[i];
	return NULL;
}

const char *mg_table_trouble(const struct mg_table *table)
{
	const struct mg_table *part = mg_table_unknown_part(table);

	if (part == NULL)
		part = table;
	return part->trouble[0] != '\0' ? part->trouble : N_("the entries of %1 can't be listed");
}

size_t mg_tables_files(const struct mg_tables *tables, const char **files_out, size_t room)
{
	size_t n = 0;

	for (const struct holder *holder = tables->all; holder != NULL && n < room; holder = holder->hh.next)
		if (holder->table.file[0] != '\0')
			files_out[n++] = holder->table.file;
	return n;
}

bool mg_tables_is_exhausted(const struct mg_tables *tables)
{
	return tables->steps == 0;
}
