/* relay_rules.h - the files of cidr:, pcre: and regexp: tables as rules, with if and endif.
 *
 * A rule that Postfix would skip with a warning (bad network, bad pattern) is skipped here too.
 *
 * Threads: the owner's of the table. */
#ifndef MG_POSTFIX_RELAY_RULES_H
#define MG_POSTFIX_RELAY_RULES_H

#include "postfix/relay_table.h"

/* Takes `text` (kept by the caller as long as the table) apart into table->rules. MG_EFULL: too many rules or a pattern
 * too long. */
MG_MUSTCHECK
enum mg_rc mg_table_rules_read(struct mg_table *table, struct mg_arena *arena, struct mg_str text, bool is_pcre);
void mg_table_rules_free(struct mg_table *table);

/* The first rule that fits `key`, NULL without. `groups` is what its pattern caught; each try takes one of *steps. */
const struct mg_table_rule *mg_table_rules_find(
	const struct mg_table *table, struct mg_str key, struct mg_str groups[MG_PATTERN_GROUPS], uint64_t *steps);

/* Appends a rule's value with $1, ${1} and $(1) filled in. */
void mg_table_rule_fill(struct mg_str value, const struct mg_str groups[MG_PATTERN_GROUPS], struct mg_buf *out);

/* Whether the value makes use of what the pattern caught. */
bool mg_table_rule_has_groups(struct mg_str value);

#endif
