/* What checks share: thresholds, questions of DNS, parameters of Postfix. */
#include "health/check.h"

#include <math.h>

#include "base/clock.h"
#include "base/i18n.h"

static const double SLACK = 0.1;

void mg_check_threshold(const struct mg_conf *conf, const char *id, double *warn, double *crit)
{
	for (size_t i = 0; i < conf->health.threshold_count; i++) {
		const struct mg_threshold_row *row = &conf->health.thresholds[i];

		if (!mg_str_eq(mg_str_z(row->check), mg_str_z(id)))
			continue;
		if (!isnan(row->warn))
			*warn = row->warn;
		if (!isnan(row->crit))
			*crit = row->crit;
	}
}

/* `is_inside`: it was the last time, and must leave by more than a little. */
static bool is_past(double value, double threshold, bool is_less_worse, bool is_inside)
{
	if (is_inside)
		threshold *= is_less_worse ? 1 + SLACK : 1 - SLACK;
	return is_less_worse ? value < threshold : value >= threshold;
}

enum mg_check_state mg_check_grade(
	const struct mg_check_env *env, const char *id, double value, double warn, double crit)
{
	bool was_crit = env->before == MG_STATE_CRIT, was_warn = was_crit || env->before == MG_STATE_WARN;
	bool is_less_worse = warn > crit;

	mg_check_threshold(env->conf, id, &warn, &crit);
	if (is_past(value, crit, is_less_worse, was_crit))
		return MG_STATE_CRIT;
	return is_past(value, warn, is_less_worse, was_warn) ? MG_STATE_WARN : MG_STATE_OK;
}

bool mg_check_wait(const struct mg_check_env *env)
{
	if (mg_lookup_wait(env->dns, env->deadline_us))
		return true;
	mg_lookup_expire(env->dns);
	return false;
}

const struct mg_dns_answer *mg_check_ask(const struct mg_check_env *env, struct mg_str name, enum mg_dns_type type)
{
	const struct mg_dns_answer *answer;

	while ((answer = mg_lookup_get(env->dns, name, type)) == NULL)
		mg_check_wait(env);
	return answer;
}

bool mg_check_has_postfix(const struct mg_check_env *env, struct mg_finding *finding)
{
	if (env->postfix != NULL)
		return true;
	mg_finding_is(finding, MG_STATE_UNKNOWN, N_("Postfix's configuration can't be read"), NULL);
	mg_finding_cause(finding, "%1", env->postfix_trouble, NULL);
	mg_finding_fix(finding, N_("set postfix.config_directory in mailguard.conf to Postfix's directory"), NULL);
	return false;
}

const char *mg_check_parameter(const struct mg_check_env *env, struct mg_finding *finding,
	const struct mg_postfix_service *service, const char *name)
{
	struct mg_buf value;
	const char *kept = "";

	mg_buf_init(&value, MG_FINDING_ARENA / 4);
	if (mg_postfix_value(env->postfix, service, name, &value, NULL) == MG_OK && value.n > 0)
		kept = mg_arena_text(&finding->arena, mg_buf_str(&value), value.n);
	mg_buf_fini(&value);
	return kept;
}

const char *mg_check_program(const struct mg_check_env *env, struct mg_finding *finding, const char *program)
{
	return mg_postfix_program(env->conf->postfix.config_directory, &finding->arena, program);
}

/* "file:PATH", "journald", "off", "" none found. */
static const char *log_source(const struct mg_check_env *env, struct mg_finding *finding)
{
	char source[160] = "";

	if (strcmp(env->conf->postfix.log, "auto") != 0)
		return env->conf->postfix.log;
	mg_log_source_find(env->postfix == NULL ? "" : mg_check_parameter(env, finding, NULL, "maillog_file"), "",
		source, sizeof source);
	return mg_arena_text(&finding->arena, mg_str_z(source), sizeof source);
}

const char *mg_check_log_path(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct mg_str source = mg_str_z(log_source(env, finding));

	return mg_read_token(&source, MG_STR("file:")) ? source.p : "";
}

const char *mg_check_log_search(const struct mg_check_env *env, struct mg_finding *finding, const char *pattern)
{
	const char *path = mg_check_log_path(env, finding), *command;
	struct mg_buf text;

	mg_buf_init(&text, MG_SAY_TEXT);
	if (path[0] == '\0')
		mg_buf_addf(&text, "journalctl -o short -g '%s' | tail", pattern);
	else
		mg_buf_addf(&text, "grep -E '%s' %s | tail", pattern, mg_finding_quoted(finding, path));
	command = mg_arena_text(&finding->arena, mg_buf_str(&text), text.n);
	mg_buf_fini(&text);
	return command;
}

struct mg_log_tally *mg_check_tally(const struct mg_check_env *env, struct mg_finding *finding)
{
	const char *source = log_source(env, finding);
	struct mg_err err = { "" };
	struct mg_log_tally *tally;
	enum mg_rc rc;

	if (strcmp(source, "off") == 0) {
		mg_finding_not_applicable(finding, N_("not applicable: postfix.log = \"off\""));
		return NULL;
	}
	rc = mg_log_history_get(env->history, source, env->deadline_us, &tally, &err);
	if (rc == MG_OK)
		return tally;
	mg_finding_is(finding, MG_STATE_UNKNOWN, N_("the mail log can't be read"), NULL);
	if (rc == MG_EPERM)
		mg_finding_cause(finding, N_("needs root: %1"), err.text, NULL);
	mg_finding_cause(finding, "%1", err.text, NULL);
	mg_finding_fix(finding,
		N_("say where the log is: postfix.log = \"file:/path\" in mailguard.conf, then: mailguardctl reload"),
		NULL);
	return NULL;
}
