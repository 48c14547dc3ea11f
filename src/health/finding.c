#include "health/finding.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/i18n.h"

static const char *const state_names[MG_STATES] = { "ok", "warn", "crit", "unknown", "muted" };
/* ok < unknown < warn < crit */
static const int badness[MG_STATES] = { [MG_STATE_UNKNOWN] = 1, [MG_STATE_WARN] = 2, [MG_STATE_CRIT] = 3 };

const char *mg_check_state_name(enum mg_check_state state)
{
	return state_names[state];
}

void mg_finding_init(struct mg_finding *finding)
{
	*finding = (struct mg_finding){ .unit = "" };
	mg_arena_init(&finding->arena, MG_FINDING_ARENA);
}

void mg_finding_fini(struct mg_finding *finding)
{
	mg_arena_fini(&finding->arena);
}

static const char *keep(struct mg_finding *finding, const char *text)
{
	return mg_arena_text(&finding->arena, mg_str_z(text), MG_SAY_TEXT);
}

static void say(struct mg_finding *finding, struct mg_say *place, const char *template, va_list args)
{
	*place = (struct mg_say){ .template = template };
	for (size_t i = 0; i < MG_SAY_ARGS; i++) {
		const char *arg = va_arg(args, const char *);

		if (arg == NULL)
			return;
		place->arg[i] = keep(finding, arg);
	}
}

void mg_finding_is(struct mg_finding *finding, enum mg_check_state state, const char *template, ...)
{
	va_list args;

	if (finding->summary.template != NULL && badness[state] <= badness[finding->state])
		return;
	finding->state = state;
	finding->is_alone = false;
	finding->cause = finding->fix = (struct mg_say){ 0 };
	va_start(args, template);
	say(finding, &finding->summary, template, args);
	va_end(args);
}

void mg_finding_alone(struct mg_finding *finding)
{
	if (finding->cause.template == NULL)
		finding->is_alone = true;
}

void mg_finding_cause(struct mg_finding *finding, const char *template, ...)
{
	va_list args;

	if (finding->cause.template != NULL)
		return;
	va_start(args, template);
	say(finding, &finding->cause, template, args);
	va_end(args);
}

void mg_finding_because(struct mg_finding *finding, const struct mg_say *sentence)
{
	if (finding->cause.template != NULL)
		return;
	finding->cause.template = sentence->template;
	for (size_t i = 0; i < MG_SAY_ARGS && sentence->arg[i] != NULL; i++)
		finding->cause.arg[i] = keep(finding, sentence->arg[i]);
}

void mg_finding_mend(struct mg_finding *finding, const struct mg_say *sentence)
{
	if (finding->fix.template != NULL)
		return;
	finding->fix.template = sentence->template;
	for (size_t i = 0; i < MG_SAY_ARGS && sentence->arg[i] != NULL; i++)
		finding->fix.arg[i] = keep(finding, sentence->arg[i]);
}

void mg_finding_fix(struct mg_finding *finding, const char *template, ...)
{
	va_list args;

	if (finding->fix.template != NULL)
		return;
	va_start(args, template);
	say(finding, &finding->fix, template, args);
	va_end(args);
}

void mg_finding_value(struct mg_finding *finding, double value, const char *unit)
{
	finding->has_value = true;
	finding->value = value;
	finding->unit = unit;
}

void mg_finding_evidence(struct mg_finding *finding, const char *fmt, ...)
{
	char text[MG_SAY_TEXT];
	va_list args;

	if (finding->evidence_count == MG_EVIDENCE_MAX)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	finding->evidence[finding->evidence_count++] = keep(finding, text);
}

void mg_finding_not_applicable(struct mg_finding *finding, const char *template)
{
	finding->is_inapplicable = true;
	mg_finding_is(finding, MG_STATE_OK, template, NULL);
}

const char *mg_finding_number(struct mg_finding *finding, double value, const char *unit)
{
	char text[64];

	snprintf(text, sizeof text, "%.*f%s%s", value == floor(value) ? 0 : 1, value, unit[0] == '\0' ? "" : " ", unit);
	return keep(finding, text);
}

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("@._+-:/%=,", c) != NULL);
}

const char *mg_finding_quoted(struct mg_finding *finding, const char *text)
{
	size_t plain = 0;
	struct mg_buf quoted;
	const char *kept;

	while (is_plain(text[plain]))
		plain++;
	if (text[plain] == '\0' && plain > 0 && text[0] != '-')
		return text;
	mg_buf_init(&quoted, MG_SAY_TEXT);
	mg_buf_addc(&quoted, '\'');
	for (; *text != '\0' && quoted.n + 8 < MG_SAY_TEXT; text++)
		mg_buf_add(&quoted, *text == '\'' ? MG_STR("'\\''") : mg_str_of(text, 1));
	mg_buf_addc(&quoted, '\'');
	kept = keep(finding, mg_buf_z(&quoted));
	mg_buf_fini(&quoted);
	return kept;
}

static json_t *english(const struct mg_say *sentence)
{
	struct mg_buf text;
	json_t *json;

	mg_buf_init(&text, 4 * MG_SAY_TEXT);
	mg_say_english(&text, sentence);
	json = mg_json_text(mg_buf_str(&text));
	mg_buf_fini(&text);
	return json;
}

json_t *mg_finding_json(const struct mg_finding *finding, const char *id, const char *title, int64_t since_us)
{
	json_t *evidence = json_array();

	for (size_t i = 0; i < finding->evidence_count; i++)
		json_array_append_new(evidence, mg_json_text(mg_str_z(finding->evidence[i])));
	return json_pack("{s:s, s:s, s:b, s:s, s:o, s:o, s:o, s:o, s:s, s:I, s:o, s:s, s:{s:o, s:o, s:o}}", "id", id,
		"title", title, "alone", finding->is_alone, "state", mg_check_state_name(finding->state), "summary",
		english(&finding->summary), "cause", english(&finding->cause), "fix", english(&finding->fix), "value",
		finding->has_value ? json_real(finding->value) : json_null(), "unit", finding->unit, "since",
		(json_int_t)(since_us / MG_S_US), "evidence", evidence, "manual",
		finding->manual == NULL ? "" : finding->manual, "say", "summary", mg_say_json(&finding->summary),
		"cause", mg_say_json(&finding->cause), "fix", mg_say_json(&finding->fix));
}
