#include "postfix/relay_report.h"

#include "base/i18n.h"
#include "postfix/relay_net.h"
#include "postfix/relay_suffix.h"

enum { LINE_MAX_BYTES = 4096, WORDS_MAX = 64 };

static const char *copy(struct mg_relay_proof *proof, const char *text)
{
	return text == NULL ? NULL : mg_arena_text(&proof->report->arena, mg_str_z(text), LINE_MAX_BYTES);
}

static void copy_say(struct mg_relay_proof *proof, struct mg_say *say)
{
	for (size_t i = 0; i < MG_SAY_ARGS; i++)
		say->arg[i] = copy(proof, say->arg[i]);
}

static const char *service_name(struct mg_relay_proof *proof, const struct mg_postfix_service *service)
{
	struct mg_buf name;
	const char *kept;

	if (service == NULL)
		return "";
	mg_buf_init(&name, LINE_MAX_BYTES);
	mg_buf_addf(&name, "%s %s", service->name, service->type);
	kept = copy(proof, mg_buf_z(&name));
	mg_buf_fini(&name);
	return kept;
}

static bool is_same(
	const struct mg_relay_path *path, const char *service, const char *restriction, const char *template)
{
	return strcmp(path->service, service) == 0 && strcmp(path->restriction, restriction) == 0 &&
	       strcmp(path->why.template, template) == 0;
}

void mg_relay_report_add(struct mg_relay_proof *proof, enum mg_relay_path_kind kind,
	const struct mg_postfix_service *service, const char *restriction, struct mg_say why, struct mg_say fix,
	const char *topic)
{
	struct mg_relay_report *report = proof->report;
	const char *name = service_name(proof, service);

	for (size_t i = 0; i < report->path_count; i++)
		if (is_same(&report->paths[i], name, restriction, why.template) && report->paths[i].kind >= kind)
			return;
	if (report->path_count == MG_RELAY_PATHS) {
		if (kind <= report->paths[MG_RELAY_PATHS - 1].kind)
			return;
		report->path_count--; /* the worse one takes the place */
	}
	copy_say(proof, &why);
	copy_say(proof, &fix);
	report->paths[report->path_count++] =
		(struct mg_relay_path){ kind, name, copy(proof, restriction), why, fix, topic };
}

const char *mg_relay_report_restriction(
	struct mg_relay_proof *proof, const struct mg_relay_list *list, const struct mg_relay_item *item)
{
	struct mg_buf text;
	const char *kept;

	if (item == NULL)
		return list->name;
	mg_buf_init(&text, LINE_MAX_BYTES);
	mg_buf_addf(&text, "%s: %.*s%s%.*s", list->name, MG_STR_ARGS(item->name), item->argument.n > 0 ? " " : "",
		MG_STR_ARGS(item->argument));
	kept = copy(proof, mg_buf_z(&text));
	mg_buf_fini(&text);
	return kept;
}

/* ---- what to type ---- */

struct mg_say mg_relay_fix_parameter(struct mg_relay_proof *proof, const struct mg_postfix_service *service,
	const char *parameter, const char *const *words, size_t count)
{
	const char *postconf = mg_postfix_program(proof->postfix->directory, &proof->report->arena, "postconf");
	bool is_override = service != NULL && mg_postfix_override(service, mg_str_z(parameter)) != NULL;
	struct mg_buf line;
	struct mg_say fix;

	mg_buf_init(&line, LINE_MAX_BYTES);
	if (is_override)
		mg_buf_addf(&line, "%s -P '%s/%s=", postconf, service->id, parameter);
	else
		mg_buf_addf(&line, "%s -e '%s =", postconf, parameter);
	for (size_t i = 0; i < count; i++)
		mg_buf_addf(&line, "%s%s", is_override ? (i > 0 ? "," : "") : i > 0 ? ", " : " ", words[i]);
	mg_buf_addc(&line, '\'');
	fix = MG_SAY("%1", copy(proof, mg_buf_z(&line)));
	mg_buf_fini(&line);
	return fix;
}

struct mg_say mg_relay_fix_list(struct mg_relay_proof *proof, const struct mg_postfix_service *service)
{
	static const char *const safe[] = { "permit_mynetworks", "permit_sasl_authenticated",
		"reject_unauth_destination" };

	return mg_relay_fix_parameter(proof, service, "smtpd_relay_restrictions", safe, sizeof safe / sizeof safe[0]);
}

static bool is_narrow(const struct mg_match_pattern *pattern)
{
	enum mg_relay_reach reach;

	if (pattern->kind != MG_MATCH_NET || pattern->is_negated)
		return false;
	reach = mg_relay_net_reach(&pattern->net);
	return reach == MG_RELAY_REACH_OURS || reach == MG_RELAY_REACH_NARROW;
}

static bool has_word(const char *const *words, size_t count, const char *word)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(words[i], word) == 0)
			return true;
	return false;
}

struct mg_say mg_relay_fix_networks(
	struct mg_relay_proof *proof, const struct mg_postfix_service *service, const struct mg_match_list *networks)
{
	const char *words[WORDS_MAX] = { "127.0.0.0/8", "[::1]/128" };
	size_t count = 2;

	for (size_t i = 0; i < networks->count && count < WORDS_MAX; i++)
		if (is_narrow(&networks->patterns[i]) && !has_word(words, count, networks->patterns[i].text.p))
			words[count++] = networks->patterns[i].text.p;
	return mg_relay_fix_parameter(proof, service, "mynetworks", words, count);
}

/* A name of one owner, or a table of keys. */
static bool is_own_pattern(const struct mg_match_pattern *pattern)
{
	if (pattern->kind == MG_MATCH_TABLE)
		return pattern->table->kind == MG_TABLE_KEYED;
	return pattern->kind == MG_MATCH_NAME && !pattern->is_negated && !mg_relay_is_suffix(pattern->text) &&
	       mg_str_find(pattern->text, '.') != SIZE_MAX && pattern->text.p[0] != '.';
}

struct mg_say mg_relay_fix_domains(struct mg_relay_proof *proof, const struct mg_match_pattern *culprit)
{
	const struct mg_match_list *domains = &proof->destination.relay;
	const char *words[WORDS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < domains->count && count < WORDS_MAX; i++)
		if (&domains->patterns[i] != culprit && is_own_pattern(&domains->patterns[i]))
			words[count++] = domains->patterns[i].text.p;
	return mg_relay_fix_parameter(proof, NULL, "relay_domains", words, count);
}
