#include "health/health.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "base/log.h"
#include "health/configuration.h"
#include "health/fold.h"

enum {
	LOOK_EVERY_MS = 1000,
	TROUBLE_PERIOD_S = 5,
	TROUBLE_SHARE = 12,
	QUICK_US = 20000,
	SETTLING_S = 20,
	CACHE_ENTRIES = 2000
};

struct result {
	const struct mg_check *check;
	struct mg_finding finding;
	bool has_run;
	unsigned differing; /* how often in a row it was another state than is believed */
	int64_t since_us;   /* wall: when it came into this state */
	int64_t due_us;     /* monotonic */
};

struct mg_health {
	struct mg_health_options o;
	pthread_t thread, follower;
	bool has_thread, has_follower;

	pthread_mutex_t running; /* one check at a time; guards the configuration */
	struct mg_configuration configuration;
	struct mg_log_history history;
	_Atomic bool must_read, must_follow; /* our own configuration has changed */
	struct mg_resolver *resolver;        /* of the checks alone: the mail's never notices them */

	pthread_mutex_t lock; /* results, conf, is_stopping */
	pthread_cond_t wake;
	const struct mg_conf *conf;
	int64_t started_us; /* monotonic */
	bool is_stopping;
	uint64_t hastened_count;
	struct result *results;
	size_t count;
};

static const struct mg_conf *pin_conf(struct mg_health *health)
{
	const struct mg_conf *conf;

	pthread_mutex_lock(&health->lock);
	conf = mg_conf_ref(health->conf);
	pthread_mutex_unlock(&health->lock);
	return conf;
}

/* `lock` is held. */
static void wait_a_moment(struct mg_health *health)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += LOOK_EVERY_MS / 1000;
	pthread_cond_timedwait(&health->wake, &health->lock, &until);
}

static struct mg_resolver_options resolver_options(const struct mg_conf *conf)
{
	return (struct mg_resolver_options){ .servers = (const char *const *)conf->dns.servers.item,
		.server_count = conf->dns.servers.count,
		.timeout_ms = (unsigned)conf->dns.timeout_ms,
		.tries = (unsigned)conf->dns.tries,
		.cache_entries = CACHE_ENTRIES };
}

/* ---- Postfix's configuration ---- */

/* `running` is held. */
static bool has_postfix_changed(const struct mg_health *health, const struct mg_conf *conf)
{
	return health->must_read || mg_configuration_has_changed(&health->configuration, conf);
}

/* Reads it for the checks when it changed. `running` is held. */
static void look_at_postfix(struct mg_health *health, const struct mg_conf *conf)
{
	if (!has_postfix_changed(health, conf))
		return;
	health->must_read = false;
	mg_configuration_read(&health->configuration, conf);
}

static bool is_stopping(struct mg_health *health)
{
	bool is;

	pthread_mutex_lock(&health->lock);
	is = health->is_stopping;
	pthread_mutex_unlock(&health->lock);
	return is;
}

/* The guards want to know of a change at once, however long a check takes: whoever waits for them has a thread and a copy of his own. */
static void *follow(void *arg)
{
	struct mg_health *health = arg;
	struct mg_configuration configuration = { .postfix = NULL };

	pthread_setname_np(pthread_self(), "mg-postfix");
	while (!is_stopping(health)) {
		const struct mg_conf *conf = pin_conf(health);

		if (atomic_exchange(&health->must_follow, false) ||
			mg_configuration_has_changed(&configuration, conf) ||
			(health->o.is_stale != NULL && health->o.is_stale(health->o.context))) {
			mg_configuration_read(&configuration, conf);
			if (configuration.postfix != NULL)
				health->o.postfix_read(health->o.context, configuration.postfix);
		}
		mg_conf_unref(&conf);
		pthread_mutex_lock(&health->lock);
		if (!health->is_stopping && !health->must_follow)
			wait_a_moment(health);
		pthread_mutex_unlock(&health->lock);
	}
	mg_configuration_fini(&configuration);
	return NULL;
}

/* ---- running ---- */

/* What a run is for: what is due, or what somebody asked for. */
struct wanted {
	const struct mg_checks_asked *asked; /* NULL: the schedule */
	int64_t now_us;                      /* schedule */
};

static bool is_wanted(const struct result *result, const struct wanted *wanted)
{
	if (wanted->asked == NULL)
		return result->due_us <= wanted->now_us;
	for (size_t i = 0; i < wanted->asked->count; i++)
		if (wanted->asked->checks[i] == result->check)
			return true;
	return false;
}

static const struct result *result_of(const struct mg_health *health, const char *id)
{
	for (size_t i = 0; id != NULL && i < health->count; i++)
		if (mg_str_eq(mg_str_z(health->results[i].check->id), mg_str_z(id)))
			return &health->results[i];
	return NULL;
}

static uint64_t hastened_count(struct mg_health *health)
{
	uint64_t count;

	pthread_mutex_lock(&health->lock);
	count = health->hastened_count;
	pthread_mutex_unlock(&health->lock);
	return count;
}

static bool is_alarm(enum mg_check_state state)
{
	return state == MG_STATE_WARN || state == MG_STATE_CRIT;
}

/* Whether what was found now is believed: of a check that measures something restless, or what is just being started, a change (and a first
 * alarm) must be seen several times. `lock` is held. */
static bool is_believed(struct result *result, const struct mg_finding *finding, const struct wanted *wanted)
{
	bool is_news = result->has_run ? finding->state != result->finding.state : is_alarm(finding->state);

	if (wanted->asked != NULL || !is_news || ++result->differing >= result->check->steady) {
		result->differing = 0;
		return true;
	}
	return false;
}

/* What was mended should soon be seen to be; what is looked at rarely is costly, unless it could not be looked at. */
static unsigned soon(const struct mg_finding *finding, unsigned period_s, int64_t took_us)
{
	if (finding->state == MG_STATE_UNKNOWN && took_us < QUICK_US)
		return TROUBLE_PERIOD_S;
	return period_s / TROUBLE_SHARE > TROUBLE_PERIOD_S ? period_s / TROUBLE_SHARE : TROUBLE_PERIOD_S;
}

/* Takes the finding. `hastened`: how often the checks had been hastened when this one began. What it found may be old news by now. */
static void store(struct mg_health *health, struct result *result, struct mg_finding *finding,
	const struct wanted *wanted, unsigned period_s, int64_t began_us, uint64_t hastened)
{
	if (finding->state != MG_STATE_OK && period_s > TROUBLE_PERIOD_S)
		period_s = soon(finding, period_s, mg_mono_us() - began_us);
	pthread_mutex_lock(&health->lock);
	result->due_us = hastened == health->hastened_count || finding->state == MG_STATE_OK
				 ? mg_mono_us() + period_s * MG_S_US
				 : 0;
	if (is_believed(result, finding, wanted)) {
		if (!result->has_run || result->finding.state != finding->state)
			result->since_us = mg_wall_us();
		mg_finding_fini(&result->finding);
		result->finding = *finding;
		result->has_run = true;
	} else {
		mg_finding_fini(finding);
		result->due_us = mg_mono_us() + TROUBLE_PERIOD_S * MG_S_US;
	}
	pthread_mutex_unlock(&health->lock);
}

/* The check without which this one can't be looked at, where that is known to have failed; in a run of single checks nobody looked. */
static const struct result *missing_need(
	const struct mg_health *health, const struct result *result, const struct wanted *wanted)
{
	const struct result *need = result_of(health, result->check->needs);

	if (need == NULL || !need->has_run || need->finding.state != MG_STATE_CRIT)
		return NULL;
	return wanted->asked == NULL || wanted->asked->is_general ? need : NULL;
}

/* On the schedule, while everything is being started: what it needs is not there yet, and nothing is said of either. */
static bool is_too_early(const struct mg_health *health, const struct result *result, const struct wanted *wanted)
{
	const struct result *need = result_of(health, result->check->needs);

	return wanted->asked == NULL && need != NULL && mg_mono_us() - health->started_us < SETTLING_S * MG_S_US &&
	       (!need->has_run || need->finding.state != MG_STATE_OK);
}

static void postpone(struct mg_health *health, struct result *result)
{
	pthread_mutex_lock(&health->lock);
	result->due_us = mg_mono_us() + MG_S_US;
	pthread_mutex_unlock(&health->lock);
}

static void look(
	struct mg_health *health, const struct result *result, struct mg_check_env *env, struct mg_finding *finding)
{
	struct mg_figures figures;
	struct mg_lookup_options questions = { .source = mg_resolver_source(health->resolver),
		.questions_max = MG_CHECK_QUESTIONS };

	if (health->o.figures != NULL) {
		health->o.figures(health->o.context, &figures);
		env->figures = &figures;
	}
	env->before = result->has_run ? result->finding.state : MG_STATE_OK;
	env->deadline_us = questions.deadline_us = mg_mono_us() + result->check->deadline_ms * MG_MS_US;
	if ((env->dns = mg_lookup_new(&questions)) != NULL)
		result->check->run(env, finding);
	mg_lookup_free(&env->dns);
	env->figures = NULL;
	if (finding->summary.template == NULL)
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("this check came to no result"), NULL);
}

static void run_one(
	struct mg_health *health, struct result *result, struct mg_check_env *env, const struct wanted *wanted)
{
	const struct result *need = missing_need(health, result, wanted);
	struct mg_finding finding;
	uint64_t hastened = hastened_count(health);
	int64_t began_us = mg_mono_us();

	mg_finding_init(&finding);
	if (need == NULL) {
		look(health, result, env, &finding);
	} else {
		mg_finding_is(&finding, MG_STATE_UNKNOWN, N_("not looked at, because of %1"), need->check->id, NULL);
	}
	if (finding.state == MG_STATE_WARN || finding.state == MG_STATE_CRIT)
		mg_log(MG_LOG_DEBUG, "check: id=%s, state=%s", result->check->id, mg_check_state_name(finding.state));
	store(health, result, &finding, wanted,
		result->check->period_s != 0 ? result->check->period_s : (unsigned)env->conf->health.interval_s,
		began_us, hastened);
}

/* Runs what is wanted, with one environment for all of them; ends early when the whole is to stop. */
static void run_some(struct mg_health *health, const struct wanted *wanted)
{
	const struct mg_conf *conf = pin_conf(health);
	struct mg_check_env env = { .conf = conf, .history = &health->history };

	pthread_mutex_lock(&health->running);
	look_at_postfix(health, conf);
	env.postfix = health->configuration.postfix;
	env.postfix_trouble = health->configuration.trouble;
	if (mg_query_open(conf->journal.path, &env.query, NULL) != MG_OK)
		env.query = NULL;
	for (size_t i = 0; i < health->count && !is_stopping(health); i++) {
		if (!is_wanted(&health->results[i], wanted))
			continue;
		if (is_too_early(health, &health->results[i], wanted))
			postpone(health, &health->results[i]);
		else
			run_one(health, &health->results[i], &env, wanted);
	}
	mg_query_close(&env.query);
	pthread_mutex_unlock(&health->running);
	mg_conf_unref(&conf);
}

static bool is_any_due(const struct mg_health *health, const struct wanted *due)
{
	for (size_t i = 0; i < health->count; i++)
		if (is_wanted(&health->results[i], due))
			return true;
	return false;
}

/* Whoever edits Postfix's configuration wants to know at once what became of it. */
static void hasten_after_change(struct mg_health *health)
{
	const struct mg_conf *conf = pin_conf(health);
	bool has_changed;

	pthread_mutex_lock(&health->running);
	has_changed = has_postfix_changed(health, conf);
	pthread_mutex_unlock(&health->running);
	mg_conf_unref(&conf);
	pthread_mutex_lock(&health->lock);
	for (size_t i = 0; has_changed && i < health->count; i++)
		health->results[i].due_us = 0;
	pthread_mutex_unlock(&health->lock);
}

static void *work(void *arg)
{
	struct mg_health *health = arg;

	pthread_setname_np(pthread_self(), "mg-health");
	pthread_mutex_lock(&health->lock);
	while (!health->is_stopping) {
		struct wanted due = { 0 };

		pthread_mutex_unlock(&health->lock);
		hasten_after_change(health);
		pthread_mutex_lock(&health->lock);
		due.now_us = mg_mono_us();
		if (is_any_due(health, &due)) {
			pthread_mutex_unlock(&health->lock);
			run_some(health, &due);
			pthread_mutex_lock(&health->lock);
			continue; /* some may have been hastened meanwhile */
		}
		wait_a_moment(health);
	}
	pthread_mutex_unlock(&health->lock);
	return NULL;
}

/* ---- life ---- */

enum mg_rc mg_health_start(
	const struct mg_health_options *options, bool is_once, struct mg_health **health_out, struct mg_err *err)
{
	struct mg_health *health = calloc(1, sizeof *health);
	size_t count;
	const struct mg_check *checks = mg_checks(&count);
	pthread_condattr_t monotonic;
	struct mg_resolver_options dns = resolver_options(options->conf);
	enum mg_rc rc;

	if (health == NULL || (health->results = calloc(count, sizeof *health->results)) == NULL) {
		free(health);
		return mg_err_set(err, MG_ENOMEM, "no memory for the health checks");
	}
	health->o = *options;
	health->started_us = mg_mono_us();
	health->conf = mg_conf_ref(options->conf);
	health->count = count;
	for (size_t i = 0; i < count; i++) {
		health->results[i].check = &checks[i];
		mg_finding_init(&health->results[i].finding);
	}
	pthread_mutex_init(&health->running, NULL);
	pthread_mutex_init(&health->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&health->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if ((rc = mg_resolver_start(&dns, &health->resolver, err)) != MG_OK) {
		mg_health_stop(&health);
		return rc;
	}
	if (!is_once && pthread_create(&health->thread, NULL, work, health) != 0) {
		mg_health_stop(&health);
		return mg_err_set(err, MG_EIO, "no thread for the health checks");
	}
	health->has_thread = !is_once;
	if (!is_once && options->postfix_read != NULL && pthread_create(&health->follower, NULL, follow, health) != 0) {
		mg_health_stop(&health);
		return mg_err_set(err, MG_EIO, "no thread for Postfix's configuration");
	}
	health->has_follower = !is_once && options->postfix_read != NULL;
	*health_out = health;
	return MG_OK;
}

void mg_health_stop(struct mg_health **health)
{
	struct mg_health *stopping = *health;

	if (stopping == NULL)
		return;
	pthread_mutex_lock(&stopping->lock);
	stopping->is_stopping = true;
	pthread_cond_broadcast(&stopping->wake);
	pthread_mutex_unlock(&stopping->lock);
	if (stopping->has_thread)
		pthread_join(stopping->thread, NULL);
	if (stopping->has_follower)
		pthread_join(stopping->follower, NULL);
	for (size_t i = 0; i < stopping->count; i++)
		mg_finding_fini(&stopping->results[i].finding);
	mg_configuration_fini(&stopping->configuration);
	mg_log_history_fini(&stopping->history);
	mg_resolver_stop(&stopping->resolver);
	mg_conf_unref(&stopping->conf);
	pthread_cond_destroy(&stopping->wake);
	pthread_mutex_destroy(&stopping->lock);
	pthread_mutex_destroy(&stopping->running);
	free(stopping->results);
	free(stopping);
	*health = NULL;
}

void mg_health_set_conf(struct mg_health *health, const struct mg_conf *conf)
{
	const struct mg_conf *before;
	struct mg_resolver_options dns = resolver_options(conf);
	struct mg_err err = { "" };

	if (mg_resolver_set_options(health->resolver, &dns, &err) != MG_OK)
		mg_log(MG_LOG_ERROR, "checks-resolver: %s", err.text);
	pthread_mutex_lock(&health->lock);
	before = health->conf;
	health->conf = mg_conf_ref(conf);
	health->must_read = health->must_follow = true;
	for (size_t i = 0; i < health->count; i++)
		health->results[i].due_us = 0;
	pthread_cond_broadcast(&health->wake);
	pthread_mutex_unlock(&health->lock);
	mg_conf_unref(&before);
}

void mg_health_hasten(struct mg_health *health)
{
	pthread_mutex_lock(&health->lock);
	health->hastened_count++;
	for (size_t i = 0; i < health->count; i++)
		if (health->results[i].finding.state != MG_STATE_OK)
			health->results[i].due_us = 0;
	pthread_cond_broadcast(&health->wake);
	pthread_mutex_unlock(&health->lock);
}

/* ---- reading ---- */

static json_t *to_json(const struct result *result)
{
	return mg_finding_json(&result->finding, result->check->id, result->check->title, result->since_us);
}

json_t *mg_health_results(struct mg_health *health)
{
	json_t *array = json_array();

	pthread_mutex_lock(&health->lock);
	for (size_t i = 0; i < health->count; i++)
		if (health->results[i].has_run && !health->results[i].finding.is_inapplicable)
			json_array_append_new(array, to_json(&health->results[i]));
	pthread_mutex_unlock(&health->lock);
	mg_health_fold(array);
	return array;
}

void mg_checks_ask_all(struct mg_checks_asked *asked_out, const struct mg_check **place)
{
	size_t count;
	const struct mg_check *checks = mg_checks(&count);

	for (size_t i = 0; i < count; i++)
		place[i] = &checks[i];
	*asked_out = (struct mg_checks_asked){ place, count, true };
}

json_t *mg_health_check(struct mg_health *health, const struct mg_checks_asked *asked)
{
	const struct wanted wanted = { .asked = asked };
	json_t *array = json_array();

	run_some(health, &wanted);
	pthread_mutex_lock(&health->lock);
	for (size_t i = 0; i < asked->count; i++) {
		const struct result *result = result_of(health, asked->checks[i]->id);

		if (!asked->is_general || !result->finding.is_inapplicable)
			json_array_append_new(array, to_json(result));
	}
	pthread_mutex_unlock(&health->lock);
	return array;
}

static bool is_wired(const struct result *result)
{
	return result->has_run && result->finding.has_value && result->finding.value == 0;
}

void mg_health_wiring(struct mg_health *health, struct mg_wiring_state *state_out)
{
	pthread_mutex_lock(&health->lock);
	state_out->milter = is_wired(result_of(health, "wiring.milter"));
	state_out->policy = is_wired(result_of(health, "wiring.policy"));
	pthread_mutex_unlock(&health->lock);
}
