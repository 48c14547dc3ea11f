#include "postfix/relay_rules.h"

#include "postfix/relay_net.h"

enum { LINE_MAX_BYTES = 256 * 1024, IF_DEPTH = 64 };

struct rules_reader {
	struct mg_table *table;
	struct mg_arena *arena;
	bool is_pcre;
	size_t room;
	size_t open[IF_DEPTH]; /* ifs without their endif yet */
	size_t depth;
	bool is_full;
};

/* ---- lines ---- */

static bool is_blank_or_comment(struct mg_str line)
{
	line = mg_str_trim(line);
	return line.n == 0 || line.p[0] == '#';
}

/* The next logical line: what begins with white space continues the one before; comments and blank lines in between don't
 * end it. */
static bool next_line(struct mg_str *text, struct mg_buf *line)
{
	mg_buf_reset(line);
	while (text->n > 0) {
		struct mg_str rest = *text, one = mg_str_cut(&rest, '\n');
		bool continues = one.n > 0 && (one.p[0] == ' ' || one.p[0] == '\t');

		if (is_blank_or_comment(one)) {
			*text = rest;
			continue;
		}
		if (line->n > 0 && !continues)
			break;
		mg_buf_add(line, one);
		*text = rest;
	}
	return line->n > 0;
}

/* ---- one rule ---- */

static struct mg_table_rule *new_rule(struct rules_reader *reader)
{
	struct mg_table *table = reader->table;
	struct mg_table_rule *more;
	size_t room = reader->room == 0 ? 64 : reader->room * 2;

	if (table->rule_count == MG_TABLE_RULES)
		return NULL;
	if (table->rule_count == reader->room) { /* the old place stays in the arena: at most as much again */
		more = mg_arena_take(reader->arena, room * sizeof *more);
		if (more == NULL)
			return NULL;
		if (table->rule_count > 0)
			memcpy(more, table->rules, table->rule_count * sizeof *more);
		table->rules = more;
		reader->room = room;
	}
	return &table->rules[table->rule_count];
}

static struct mg_str keep(struct rules_reader *reader, struct mg_str text)
{
	return mg_str_z(mg_arena_text(reader->arena, text, text.n));
}

/* "/pattern/flags" at the beginning of *rest. */
static bool read_pattern(struct rules_reader *reader, struct mg_str *rest, struct mg_str *text_out,
	struct mg_relay_pattern **pattern_out)
{
	struct mg_str s = *rest, flags;
	char delimiter = s.n > 0 ? s.p[0] : '\0';
	size_t end = 1;
	bool is_too_long = false;

	if (s.n == 0 || (delimiter >= 'a' && delimiter <= 'z') || (delimiter >= '0' && delimiter <= '9'))
		return false;
	while (end < s.n && s.p[end] != delimiter)
		end += s.p[end] == '\\' ? 2 : 1;
	if (end >= s.n)
		return false;
	*text_out = mg_str_of(s.p + 1, end - 1);
	s = mg_str_from(s, end + 1);
	for (end = 0; end < s.n && s.p[end] != ' ' && s.p[end] != '\t' && s.p[end] != '!' && s.p[end] != '\r';)
		end++;
	flags = mg_str_first(s, end);
	*rest = mg_str_from(s, end);
	*pattern_out = mg_relay_pattern_new(reader->is_pcre, *text_out, flags, &is_too_long);
	reader->is_full = reader->is_full || is_too_long;
	return *pattern_out != NULL;
}

/* "!/pattern/flags value", "/a/!/b/ value" */
static bool read_patterned(struct rules_reader *reader, struct mg_str *rest, struct mg_table_rule *rule)
{
	struct mg_str ignored;

	while (mg_read_token(rest, MG_STR("!"))) {
		rule->is_negated = !rule->is_negated;
		*rest = mg_str_trim(*rest);
	}
	if (!read_pattern(reader, rest, &rule->key, &rule->pattern))
		return false;
	rule->key = keep(reader, rule->key);
	return reader->is_pcre || !mg_read_token(rest, MG_STR("!")) ||
	       read_pattern(reader, rest, &ignored, &rule->but_not);
}

static bool read_network(struct rules_reader *reader, struct mg_str *rest, struct mg_table_rule *rule)
{
	struct mg_str word;

	while (mg_read_token(rest, MG_STR("!"))) {
		rule->is_negated = !rule->is_negated;
		*rest = mg_str_trim(*rest);
	}
	if (!mg_read_word(rest, " \t\r", &word) || mg_relay_net_parse(word, true, &rule->net) != MG_RELAY_NET_GOOD)
		return false;
	rule->key = keep(reader, word);
	return true;
}

static void close_if(struct rules_reader *reader)
{
	if (reader->depth == 0)
		return; /* Postfix ignores an endif too many */
	reader->depth--;
	if (reader->depth < IF_DEPTH)
		reader->table->rules[reader->open[reader->depth]].behind = reader->table->rule_count;
}

static bool is_word(struct mg_str *rest, struct mg_str word)
{
	struct mg_str ahead = mg_str_from(*rest, word.n);

	if (!mg_str_starts_nocase(*rest, word) ||
		(ahead.n > 0 && ahead.p[0] != ' ' && ahead.p[0] != '\t' && ahead.p[0] != '/' && ahead.p[0] != '!'))
		return false;
	*rest = mg_str_trim(ahead);
	return true;
}

static void read_rule(struct rules_reader *reader, struct mg_str line)
{
	struct mg_table_rule *rule = new_rule(reader);
	bool is_good;

	line = mg_str_trim(line);
	if (rule == NULL) {
		reader->is_full = true;
		return;
	}
	if (is_word(&line, MG_STR("endif"))) {
		close_if(reader);
		return;
	}
	*rule = (struct mg_table_rule){ .is_if = is_word(&line, MG_STR("if")) };
	is_good = reader->table->kind == MG_TABLE_RULES_IP ? read_network(reader, &line, rule)
							   : read_patterned(reader, &line, rule);
	if (!is_good) {
		mg_relay_pattern_free(&rule->pattern);
		mg_relay_pattern_free(&rule->but_not);
		return;
	}
	rule->value = keep(reader, mg_str_trim(line));
	if (rule->is_if) {
		if (reader->depth < IF_DEPTH)
			reader->open[reader->depth] = reader->table->rule_count;
		else
			reader->is_full = true;
		reader->depth++;
		rule->behind = SIZE_MAX;
	}
	reader->table->rule_count++;
	reader->is_full = reader->is_full || (rule->pattern != NULL && reader->table->rule_count > MG_TABLE_PATTERNS);
}

enum mg_rc mg_table_rules_read(struct mg_table *table, struct mg_arena *arena, struct mg_str text, bool is_pcre)
{
	struct rules_reader reader = { .table = table, .arena = arena, .is_pcre = is_pcre };
	struct mg_buf line;

	mg_buf_init(&line, LINE_MAX_BYTES);
	while (!reader.is_full && next_line(&text, &line)) {
		if (!mg_buf_ok(&line))
			reader.is_full = true;
		else
			read_rule(&reader, mg_buf_str(&line));
	}
	mg_buf_fini(&line);
	return reader.is_full ? MG_EFULL : MG_OK;
}

void mg_table_rules_free(struct mg_table *table)
{
	for (size_t i = 0; i < table->rule_count; i++) {
		mg_relay_pattern_free(&table->rules[i].pattern);
		mg_relay_pattern_free(&table->rules[i].but_not);
	}
	table->rule_count = 0;
}

/* ---- looking up ---- */

static bool fits(const struct mg_table_rule *rule, struct mg_str key, const struct mg_ip *ip,
	struct mg_str groups[MG_PATTERN_GROUPS])
{
	struct mg_str ignored[MG_PATTERN_GROUPS];

	if (rule->pattern == NULL) /* an address of the other family fits no pattern, and no negated one */
		return ip->family != MG_IP_NONE && ip->family == rule->net.base.family &&
		       mg_net_contains(&rule->net, ip) != rule->is_negated;
	if (mg_relay_pattern_match(rule->pattern, key, groups) == rule->is_negated)
		return false;
	return rule->but_not == NULL || !mg_relay_pattern_match(rule->but_not, key, ignored);
}

const struct mg_table_rule *mg_table_rules_find(
	const struct mg_table *table, struct mg_str key, struct mg_str groups[MG_PATTERN_GROUPS], uint64_t *steps)
{
	struct mg_ip ip = { 0 };

	if (table->kind == MG_TABLE_RULES_IP && !mg_relay_ip_parse(key, &ip))
		return NULL;
	for (size_t i = 0; i<table->rule_count && * steps> 0; (*steps)--) {
		const struct mg_table_rule *rule = &table->rules[i];
		bool is_hit = fits(rule, key, &ip, groups);

		if (is_hit && !rule->is_if)
			return rule;
		i = rule->is_if && !is_hit && rule->behind > i ? rule->behind : i + 1;
	}
	return NULL;
}

/* $1, ${1}, $(1) at the beginning of *rest: its number. */
static bool read_group_name(struct mg_str *rest, uint64_t *number_out)
{
	struct mg_str s = mg_str_from(*rest, 1);
	char close = s.n == 0 ? '\0' : s.p[0] == '{' ? '}' : s.p[0] == '(' ? ')' : '\0';

	s = mg_str_from(s, close != '\0');
	if (!mg_read_u64(&s, MG_PATTERN_GROUPS - 1, number_out))
		return false;
	if (close != '\0')
		(void)mg_str_cut(&s, close);
	*rest = s;
	return true;
}

void mg_table_rule_fill(struct mg_str value, const struct mg_str groups[MG_PATTERN_GROUPS], struct mg_buf *out)
{
	uint64_t number = 0;

	while (value.n > 0) {
		if (value.p[0] == '$' && read_group_name(&value, &number)) {
			mg_buf_add(out, groups[number]);
			continue;
		}
		value = mg_str_from(value, value.p[0] == '$' && value.n > 1 && value.p[1] == '$');
		mg_buf_addc(out, value.p[0]);
		value = mg_str_from(value, 1);
	}
}

bool mg_table_rule_has_groups(struct mg_str value)
{
	uint64_t number;

	for (; value.n > 0; value = mg_str_from(value, 1)) {
		if (value.p[0] != '$')
			continue;
		if (value.n > 1 && value.p[1] == '$')
			value = mg_str_from(value, 1);
		else if (read_group_name(&value, &number) && number > 0)
			return true;
	}
	return false;
}
