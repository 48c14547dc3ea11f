/* relay_table.h - a lookup table that a restriction or a list of main.cf names: what it answers, and its keys.
 *
 * hash:, btree:, lmdb:, cdb:, texthash:, inline: and their like are enumerated by `postmap -s`: what smtpd would find in
 * the indexed file, not what the text beside it says. cidr:, pcre: and regexp: are read here. static:, randmap:, unionmap:
 * and pipemap: are worked out of their parts. Anything else (ldap:, mysql:, tcp: ...) is asked by `postmap -q`, and can't be
 * enumerated. proxy: is looked through. Bounds: MG_TABLE_BYTES a table, MG_TABLES_MAX tables, MG_TABLE_ASKED questions,
 * MG_TABLE_STEPS patterns tried in all; beyond them a table is unreadable, which is never taken for "no".
 *
 * Threads: one owner. Loading and asking block on postmap, each at most MG_TABLE_MS. */
#ifndef MG_POSTFIX_RELAY_TABLE_H
#define MG_POSTFIX_RELAY_TABLE_H

#include "base/arena.h"
#include "base/ip.h"
#include "postfix/relay_pattern.h"

enum {
	MG_TABLE_MS = 5000,
	MG_TABLE_BYTES = 64 * 1024 * 1024,
	MG_TABLES_MAX = 1000,
	MG_TABLE_RULES = 1000000,
	MG_TABLE_PATTERNS = 20000,
	MG_TABLE_ASKED = 64,
	MG_TABLE_STEPS = 100000000,
	MG_TABLE_PARTS = 16,
};

enum mg_table_kind {
	MG_TABLE_KEYED,     /* keys and values */
	MG_TABLE_RULES_IP,  /* cidr: */
	MG_TABLE_PATTERNED, /* pcre:, regexp: */
	MG_TABLE_STATIC,    /* one answer to everything; randmap: has several */
	MG_TABLE_UNION,     /* all its parts' answers, joined */
	MG_TABLE_PIPE,      /* each part asked for what the one before answered */
	MG_TABLE_ASKABLE,   /* by postmap -q only */
	MG_TABLE_BROKEN,    /* Postfix can't open it either: every lookup is a temporary error */
	MG_TABLE_UNREADABLE,
};

struct mg_table_rule {
	struct mg_str key;   /* the pattern or network as written, without delimiters */
	struct mg_str value; /* "" of if and endif */
	struct mg_net net;
	struct mg_relay_pattern *pattern, *but_not; /* but_not: regexp's /a/!/b/ */
	bool is_negated, is_if, is_endif;
	size_t behind; /* of an if: the rule behind its endif */
};

struct mg_table_entry; /* of a keyed table */

struct mg_table {
	const char *name; /* type:name, as main.cf has it */
	enum mg_table_kind kind;
	bool is_pattern;     /* asked for whole keys only, never for parents or networks */
	const char *file;    /* the file that smtpd reads; "" none */
	const char *trouble; /* why it is broken or unreadable: a template, %1 is its name */
	struct mg_table_entry *entries;
	struct mg_table_rule *rules;
	size_t rule_count;
	struct mg_str values[MG_TABLE_PARTS]; /* static, randmap */
	struct mg_table *parts[MG_TABLE_PARTS];
	size_t part_count;
	void *hh; /* of the set */
};

enum mg_table_found { MG_TABLE_NOT_FOUND, MG_TABLE_FOUND, MG_TABLE_ERROR, MG_TABLE_UNKNOWN };

struct mg_tables;

/* `directory`: of main.cf, for postmap -c. */
struct mg_tables *mg_tables_new(const char *directory);
void mg_tables_free(struct mg_tables **tables);

/* The table of that name (type:name, expanded), loaded at its first use. Never NULL but out of memory. */
struct mg_table *mg_tables_get(struct mg_tables *tables, struct mg_str name);

/* Whether a word names a table: a type that Postfix knows, and a colon. */
bool mg_table_is_name(struct mg_str word);

/* What it answers to `key` (looked up in lower case where the table's keys are). *value_out lives as long as `tables`. */
enum mg_table_found mg_table_find(
	struct mg_tables *tables, struct mg_table *table, struct mg_str key, struct mg_str *value_out);

/* Calls `take` for each key of the table and of its parts. */
typedef void mg_table_take_key(void *context, struct mg_str key, struct mg_str value);
void mg_table_each_key(const struct mg_table *table, mg_table_take_key *take, void *context);
typedef void mg_table_take_rule(void *context, const struct mg_table *table, const struct mg_table_rule *rule);
void mg_table_each_rule(const struct mg_table *table, mg_table_take_rule *take, void *context);

/* The first table, or part of one, that can't be known in full: "" or its name. */
const struct mg_table *mg_table_unknown_part(const struct mg_table *table);

/* Why it can't be known in full: a template, %1 is the table's name. */
const char *mg_table_trouble(const struct mg_table *table);

/* The files read so far. */
size_t mg_tables_files(const struct mg_tables *tables, const char **files_out, size_t room);

/* Whether the bound of MG_TABLE_STEPS was met. */
bool mg_tables_is_exhausted(const struct mg_tables *tables);

#endif
