#include "health/health.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"

enum { POSTCONF_DEADLINE_MS = 10000, LOOK_EVERY_MS = 1000, TROUBLE_PERIOD_S = 5, READ_AGAIN_S = 600 };

struct result {
	const struct mg_check *check;
	struct mg_finding finding;
	bool has_run;
	int64_t since_us; /* wall: when it came into this state */
	int64_t due_us;   /* monotonic */
};

struct mg_health {
	struct mg_health_options o;
	pthread_t thread;
	bool has_thread;

	pthread_mutex_t running; /* one check at a time; guards postfix and what goes with it */
	struct mg_postfix *postfix;
	char postfix_trouble[512];
	struct timespec main_cf, master_cf; /* as last read */
	int64_t read_us;                    /* monotonic: when */
	_Atomic bool must_read;             /* our own configuration has changed */

	pthread_mutex_t lock; /* results, conf, is_stopping */
	pthread_cond_t wake;
	const struct mg_conf *conf;
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

/* ---- Postfix's configuration ---- */

static struct timespec changed_at(const char *directory, const char *file)
{
	char path[512];
	struct stat info;

	snprintf(path, sizeof path, "%s/%s", directory, file);
	return stat(path, &info) == 0 ? info.st_mtim : (struct timespec){ 0 };
}

static bool is_same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* Whether main.cf or master.cf are others than those last read, or that is long ago: tables they name change without
 * them. `running` is held. */
static bool has_postfix_changed(const struct mg_health *health, const struct mg_conf *conf)
{
	const char *directory = conf->postfix.config_directory;

	return health->must_read || mg_mono_us() - health->read_us > READ_AGAIN_S * MG_S_US ||
	       (health->postfix == NULL && health->postfix_trouble[0] == '\0') ||
	       (health->o.is_stale != NULL && health->o.is_stale(health->o.context)) ||
	       !is_same_time(changed_at(directory, "main.cf"), health->main_cf) ||
	       !is_same_time(changed_at(directory, "master.cf"), health->master_cf);
}

/* Reads them when they changed. `running` is held. */
static void look_at_postfix(struct mg_health *health, const struct mg_conf *conf)
{
	struct mg_postfix *postfix = NULL;
	struct mg_err err = { "" };

	if (!has_postfix_changed(health, conf))
		return;
	health->must_read = false;
	health->read_us = mg_mono_us();
	health->main_cf = changed_at(conf->postfix.config_directory, "main.cf");
	health->master_cf = changed_at(conf->postfix.config_directory, "master.cf");
	health->postfix_trouble[0] = '\0';
	if (mg_postfix_load(conf->postfix.config_directory, POSTCONF_DEADLINE_MS, &postfix, &err) != MG_OK)
		mg_str_copy(health->postfix_trouble, sizeof health->postfix_trouble, mg_str_z(err.text));
	mg_postfix_free(&health->postfix);
	health->postfix = postfix;
	if (postfix != NULL && health->o.postfix_read != NULL)
		health->o.postfix_read(health->o.context, postfix);
}

/* ---- running ---- */

static uint64_t hastened_count(struct mg_health *health)
{
	uint64_t count;

	pthread_mutex_lock(&health->lock);
	count = health->hastened_count;
	pthread_mutex_unlock(&health->lock);
	return count;
}

/* `hastened`: how often the checks had been hastened when this one began. What it found may be old news by now. */
static void store(struct mg_health *health, struct result *result, struct mg_finding *finding, unsigned period_s,
	uint64_t hastened)
{
	pthread_mutex_lock(&health->lock);
	if (!result->has_run || result->finding.state != finding->state)
		result->since_us = mg_wall_us();
	mg_finding_fini(&result->finding);
	result->finding = *finding;
	result->has_run = true;
	result->due_us = hastened == health->hastened_count || finding->state == MG_STATE_OK
				 ? mg_mono_us() + period_s * MG_S_US
				 : 0;
	pthread_mutex_unlock(&health->lock);
}

static void run_one(struct mg_health *health, struct result *result, struct mg_check_env *env)
{
	struct mg_finding finding;
	struct mg_figures figures;
	uint64_t hastened = hastened_count(health);
	unsigned period_s =
		result->check->period_s != 0 ? result->check->period_s : (unsigned)env->conf->health.interval_s;

	mg_finding_init(&finding);
	if (health->o.figures != NULL) {
		health->o.figures(health->o.context, &figures);
		env->figures = &figures;
	}
	env->deadline_us = mg_mono_us() + result->check->deadline_ms * MG_MS_US;
	result->check->run(env, &finding);
	env->figures = NULL;
	if (finding.summary.template == NULL)
		mg_finding_is(&finding, MG_STATE_UNKNOWN, "this check said nothing", NULL);
	if (finding.state == MG_STATE_WARN || finding.state == MG_STATE_CRIT)
		mg_log(MG_LOG_DEBUG, "check: id=%s, state=%s", result->check->id, mg_check_state_name(finding.state));
	if (finding.state != MG_STATE_OK && period_s > TROUBLE_PERIOD_S)
		period_s = TROUBLE_PERIOD_S; /* so that what was mended is soon seen to be */
	store(health, result, &finding, period_s, hastened);
}

/* Runs the results that `wanted` names, with one environment for all of them. */
static void run_some(struct mg_health *health, bool (*wanted)(const struct result *, const void *), const void *what)
{
	const struct mg_conf *conf = pin_conf(health);
	struct mg_check_env env = { .conf = conf };

	pthread_mutex_lock(&health->running);
	look_at_postfix(health, conf);
	env.postfix = health->postfix;
	env.postfix_trouble = health->postfix_trouble;
	if (mg_query_open(conf->journal.path, &env.query, NULL) != MG_OK)
		env.query = NULL;
	for (size_t i = 0; i < health->count; i++)
		if (wanted(&health->results[i], what))
			run_one(health, &health->results[i], &env);
	mg_query_close(&env.query);
	pthread_mutex_unlock(&health->running);
	mg_conf_unref(&conf);
}

static bool is_due(const struct result *result, const void *now_us)
{
	return result->due_us <= *(const int64_t *)now_us;
}

static bool is_any_due(const struct mg_health *health, int64_t now_us)
{
	for (size_t i = 0; i < health->count; i++)
		if (is_due(&health->results[i], &now_us))
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
		int64_t now_us;
		struct timespec until;

		pthread_mutex_unlock(&health->lock);
		hasten_after_change(health);
		pthread_mutex_lock(&health->lock);
		now_us = mg_mono_us();
		if (is_any_due(health, now_us)) {
			pthread_mutex_unlock(&health->lock);
			run_some(health, is_due, &now_us);
			pthread_mutex_lock(&health->lock);
			continue; /* some may have been hastened meanwhile */
		}
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += LOOK_EVERY_MS / 1000;
		pthread_cond_timedwait(&health->wake, &health->lock, &until);
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

	if (health == NULL || (health->results = calloc(count, sizeof *health->results)) == NULL) {
		free(health);
		return mg_err_set(err, MG_ENOMEM, "no memory for the health checks");
	}
	health->o = *options;
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
	if (!is_once && pthread_create(&health->thread, NULL, work, health) != 0) {
		mg_health_stop(&health);
		return mg_err_set(err, MG_EIO, "no thread for the health checks");
	}
	health->has_thread = !is_once;
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
	pthread_cond_signal(&stopping->wake);
	pthread_mutex_unlock(&stopping->lock);
	if (stopping->has_thread)
		pthread_join(stopping->thread, NULL);
	for (size_t i = 0; i < stopping->count; i++)
		mg_finding_fini(&stopping->results[i].finding);
	mg_postfix_free(&stopping->postfix);
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

	pthread_mutex_lock(&health->lock);
	before = health->conf;
	health->conf = mg_conf_ref(conf);
	health->must_read = true;
	for (size_t i = 0; i < health->count; i++)
		health->results[i].due_us = 0;
	pthread_cond_signal(&health->wake);
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
	pthread_cond_signal(&health->wake);
	pthread_mutex_unlock(&health->lock);
}

/* ---- reading ---- */

static const struct result *result_of(const struct mg_health *health, const char *id)
{
	for (size_t i = 0; id != NULL && i < health->count; i++)
		if (mg_str_eq(mg_str_z(health->results[i].check->id), mg_str_z(id)))
			return &health->results[i];
	return NULL;
}

static bool is_bad(const struct result *result)
{
	return result->has_run && (result->finding.state == MG_STATE_WARN || result->finding.state == MG_STATE_CRIT);
}

/* The finding that explains this one: the farthest bad one along depends_on. */
static const char *root_of(const struct mg_health *health, const struct result *result)
{
	const char *root = NULL;
	const struct result *on = result;

	for (int depth = 0; depth < 8 && (on = result_of(health, on->check->depends_on)) != NULL; depth++)
		if (is_bad(on))
			root = on->check->id;
	return root;
}

static json_t *to_json(const struct mg_health *health, const struct result *result, bool may_fold)
{
	json_t *json = mg_finding_json(&result->finding, result->check->id, result->since_us);
	const char *root = may_fold && result->finding.state != MG_STATE_OK ? root_of(health, result) : NULL;

	if (root != NULL)
		json_object_set_new(json, "root", json_string(root));
	return json;
}

json_t *mg_health_results(struct mg_health *health, enum mg_check_state *worst_out)
{
	json_t *array = json_array();

	*worst_out = MG_STATE_OK;
	pthread_mutex_lock(&health->lock);
	for (size_t i = 0; i < health->count; i++) {
		const struct result *result = &health->results[i];

		if (!result->has_run || result->finding.is_inapplicable)
			continue;
		json_array_append_new(array, to_json(health, result, true));
		if (is_bad(result) && result->finding.state > *worst_out)
			*worst_out = result->finding.state;
	}
	pthread_mutex_unlock(&health->lock);
	return array;
}

struct wanted {
	const struct mg_check *const *checks;
	size_t count;
};

static bool is_wanted(const struct result *result, const void *what)
{
	const struct wanted *wanted = what;

	for (size_t i = 0; i < wanted->count; i++)
		if (wanted->checks[i] == result->check)
			return true;
	return wanted->count == 0;
}

json_t *mg_health_check(struct mg_health *health, const struct mg_check *const *checks, size_t count)
{
	struct wanted wanted = { checks, count };
	enum mg_check_state worst;
	json_t *array;

	run_some(health, is_wanted, &wanted);
	if (count == 0)
		return mg_health_results(health, &worst);
	array = json_array();
	pthread_mutex_lock(&health->lock);
	for (size_t i = 0; i < count; i++) {
		const struct result *result = result_of(health, checks[i]->id);

		if (result != NULL)
			json_array_append_new(array, to_json(health, result, false));
	}
	pthread_mutex_unlock(&health->lock);
	return array;
}

void mg_health_wiring(struct mg_health *health, struct mg_wiring_state *state_out)
{
	const struct result *milter, *policy;

	pthread_mutex_lock(&health->lock);
	milter = result_of(health, "wiring.milter");
	policy = result_of(health, "wiring.policy");
	state_out->milter =
		milter != NULL && milter->has_run && milter->finding.has_value && milter->finding.value == 0;
	state_out->policy =
		policy != NULL && policy->has_run && policy->finding.has_value && policy->finding.value == 0;
	pthread_mutex_unlock(&health->lock);
}
