/* config.table.* - do the indexed tables hold what their text files say? */
#include <stdio.h>
#include <sys/stat.h>

#include "base/i18n.h"
#include "health/check.h"

enum { PATH_BYTES = 1024, TABLES_MAX = 500 };

/* Types that postmap makes a file of, and how that ends. */
static const struct {
	const char *type, *ending;
} indexed[] = { { "hash", ".db" }, { "btree", ".db" }, { "lmdb", ".lmdb" }, { "cdb", ".cdb" }, { "dbm", ".pag" },
	{ "sdbm", ".pag" } };

struct look {
	const struct mg_check_env *env;
	struct mg_finding *finding;
	size_t seen;
};

static bool is_newer(const struct stat *a, const struct stat *b)
{
	return a->st_mtim.tv_sec != b->st_mtim.tv_sec ? a->st_mtim.tv_sec > b->st_mtim.tv_sec
						      : a->st_mtim.tv_nsec > b->st_mtim.tv_nsec;
}

/* postalias for tables of aliases(5), postmap for all others. */
static const char *program_for(const char *parameter)
{
	return strcmp(parameter, "alias_maps") == 0 || strcmp(parameter, "alias_database") == 0 ? "postalias"
												: "postmap";
}

static void judge(struct look *look, const char *parameter, struct mg_str type, struct mg_str path, const char *ending)
{
	struct mg_finding *finding = look->finding;
	const char *source = mg_arena_text(&finding->arena, path, PATH_BYTES);
	const char *kind = mg_arena_text(&finding->arena, type, 16), *program = program_for(parameter);
	char index[PATH_BYTES];
	struct stat text, made;
	bool has_text;

	snprintf(index, sizeof index, "%s%s", source, ending);
	has_text = stat(source, &text) == 0;
	look->seen++;
	if (stat(index, &made) != 0) {
		mg_finding_evidence(finding, "%s: %s:%s: no %s", parameter, kind, source, index);
		mg_finding_is(finding, MG_STATE_CRIT, N_("%1 of %2 is missing: what asks it is answered 451"),
			mg_arena_text(&finding->arena, mg_str_z(index), sizeof index), parameter, NULL);
		mg_finding_cause(finding,
			has_text ? N_("the text file was written, but never indexed")
				 : N_("neither the text file nor its index is there"),
			NULL);
		mg_finding_fix(
			finding, has_text ? "%1 %2:%3" : N_("write %3, then: %1 %2:%3"), program, kind, source, NULL);
	} else if (has_text && is_newer(&text, &made)) {
		mg_finding_evidence(finding, "%s: %s:%s is newer than %s", parameter, kind, source, index);
		mg_finding_is(finding, MG_STATE_WARN, N_("%1 has changed, but Postfix still uses its old index"),
			source, NULL);
		mg_finding_cause(finding, N_("Postfix reads the indexed file; the text was edited later"), NULL);
		mg_finding_fix(finding, "%1 %2:%3", program, kind, source, NULL);
	}
}

/* One word of a value: [proxy:]type:/path. */
static void look_at_word(struct look *look, const char *parameter, struct mg_str word)
{
	struct mg_str type;

	if (look->seen >= TABLES_MAX)
		return;
	(void)mg_read_token(&word, MG_STR("proxy:"));
	type = mg_str_cut(&word, ':');
	if (word.n == 0 || word.p[0] != '/')
		return;
	for (size_t i = 0; i < sizeof indexed / sizeof indexed[0]; i++)
		if (mg_str_eq(type, mg_str_z(indexed[i].type)))
			judge(look, parameter, type, word, indexed[i].ending);
}

static void look_at_value(
	struct look *look, const struct mg_postfix_service *service, const char *parameter, const char *raw)
{
	struct mg_buf value;
	struct mg_str rest, word;

	if (mg_str_find(mg_str_z(raw), ':') == SIZE_MAX && mg_str_find(mg_str_z(raw), '$') == SIZE_MAX)
		return;
	mg_buf_init(&value, 1024 * 1024);
	if (mg_postfix_expand(look->env->postfix, service, mg_str_z(raw), &value, NULL) == MG_OK) {
		rest = mg_buf_str(&value);
		while (mg_read_word(&rest, ", \t\r\n{}", &word))
			look_at_word(look, parameter, word);
	}
	mg_buf_fini(&value);
}

static void check_stale(const struct mg_check_env *env, struct mg_finding *finding)
{
	const struct mg_postfix *postfix = env->postfix;
	struct look look = { env, finding, 0 };

	finding->manual = "postconf -n | grep -E 'hash:|lmdb:|btree:|cdb:'; ls -l --time-sort /etc/postfix";
	if (!mg_check_has_postfix(env, finding))
		return;
	for (size_t i = 0; i < postfix->parameter_count; i++)
		if (postfix->parameters[i].is_set)
			look_at_value(&look, NULL, postfix->parameters[i].name, postfix->parameters[i].value);
	for (size_t i = 0; i < postfix->service_count; i++)
		for (size_t o = 0; o < postfix->services[i].override_count; o++)
			look_at_value(&look, &postfix->services[i], postfix->services[i].overrides[o].name,
				postfix->services[i].overrides[o].value);
	mg_finding_value(finding, (double)look.seen, "tables");
	mg_finding_is(finding, MG_STATE_OK, N_("every indexed table is as new as its text"), NULL);
}

const struct mg_check mg_checks_table[] = {
	{ "config.table.stale", N_("indexed tables are up to date"), 0, 10000, .run = check_stale },
};
const size_t mg_checks_table_count = sizeof mg_checks_table / sizeof mg_checks_table[0];
