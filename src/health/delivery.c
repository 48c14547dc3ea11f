/* delivery.* and limit.provider - what became of the attempts to deliver in the last hour, by the record of the mail log. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "explain/explain.h"
#include "health/check.h"

enum {
	HOUR_S = 3600,
	READ_MS = 4000,
	PERIOD_S = 120,
	ATTEMPTS_MIN = 50,
	CAUSES = 64,
	PROVIDERS = 16,
	SAMPLES = 20000,
	HELD_S = 1800
};

/* Failures of one kind. */
struct cause {
	struct mg_explanation explanation;
	uint64_t count;
	char relay[96], reply[128]; /* of the first */
};

struct provider {
	const char *name;
	struct mg_explanation explanation; /* of the first limit it set */
	uint64_t count;
	int64_t first_us, last_us; /* wall */
	char reply[160];
};

struct tally {
	const char *status; /* of the failures whose causes are wanted; NULL: of limits */
	uint64_t attempts, failures;
	struct cause causes[CAUSES];
	size_t cause_count;
	struct provider providers[PROVIDERS];
	size_t provider_count;
	double *queue_s, *connect_s; /* SAMPLES each */
	size_t samples;
};

static void note_cause(
	struct tally *tally, const struct mg_delivery_attempt *attempt, const struct mg_explanation *found)
{
	struct cause *cause = tally->causes;

	for (; cause < tally->causes + tally->cause_count; cause++)
		if (cause->explanation.cause.template == found->cause.template &&
			mg_str_eq(mg_str_z(cause->explanation.enhanced), mg_str_z(found->enhanced)))
			break;
	if (cause == tally->causes + CAUSES)
		return;
	if (cause == tally->causes + tally->cause_count) {
		tally->cause_count++;
		mg_explain_delivery(attempt->reply, attempt->dsn, attempt->status, attempt->relay, &cause->explanation);
		mg_str_copy(cause->relay, sizeof cause->relay, attempt->relay);
		mg_str_copy(cause->reply, sizeof cause->reply, attempt->reply);
	}
	cause->count++;
}

static void note_limit(
	struct tally *tally, const struct mg_delivery_attempt *attempt, const struct mg_explanation *found)
{
	struct provider *provider = tally->providers;

	for (; provider < tally->providers + tally->provider_count; provider++)
		if (mg_str_eq(mg_str_z(provider->name), mg_str_z(found->provider)))
			break;
	if (provider == tally->providers + PROVIDERS)
		return;
	if (provider == tally->providers + tally->provider_count) {
		tally->provider_count++;
		provider->name = found->provider;
		provider->first_us = provider->last_us = attempt->time_us;
		mg_explain_delivery(
			attempt->reply, attempt->dsn, attempt->status, attempt->relay, &provider->explanation);
		mg_str_copy(provider->reply, sizeof provider->reply, attempt->reply);
	}
	provider->count++;
	if (attempt->time_us < provider->first_us)
		provider->first_us = attempt->time_us;
	if (attempt->time_us > provider->last_us)
		provider->last_us = attempt->time_us;
}

static void note_delays(struct tally *tally, const struct mg_delivery_attempt *attempt)
{
	if (tally->queue_s == NULL || tally->connect_s == NULL || tally->samples == SAMPLES || attempt->delays_s[2] < 0)
		return;
	tally->queue_s[tally->samples] = attempt->delays_s[1];
	tally->connect_s[tally->samples++] = attempt->delays_s[2];
}

static void see(void *context, const struct mg_delivery_attempt *attempt)
{
	struct tally *tally = context;
	struct mg_explanation found;

	tally->attempts++;
	note_delays(tally, attempt);
	if (mg_str_eq(attempt->status, MG_STR("sent")))
		return;
	if (tally->status != NULL && !mg_str_eq(attempt->status, mg_str_z(tally->status)))
		return;
	tally->failures++;
	if (!mg_explain_delivery(attempt->reply, attempt->dsn, attempt->status, attempt->relay, &found))
		return;
	if (tally->status != NULL)
		note_cause(tally, attempt, &found);
	else if (found.is_rate_limit && found.provider[0] != '\0')
		note_limit(tally, attempt, &found);
}

/* NULL: said why not; else free() it. */
static struct tally *gather(const struct mg_check_env *env, struct mg_finding *finding, const char *status)
{
	struct tally *tally = calloc(1, sizeof *tally);
	struct mg_err err = { "" };

	finding->manual = mg_check_log_search(env, finding, "status=(deferred|bounced)");
	if (tally == NULL || env->query == NULL) {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("the record can't be read"), NULL);
		mg_finding_cause(finding,
			N_("there is no record of the mail log that this user may read: mailguardd writes it"), NULL);
		mg_finding_fix(finding, N_("start it: systemctl start mailguard; or look as root"), NULL);
		free(tally);
		return NULL;
	}
	tally->status = status;
	tally->queue_s = calloc(SAMPLES, sizeof *tally->queue_s);
	tally->connect_s = calloc(SAMPLES, sizeof *tally->connect_s);
	if (mg_query_deliveries(env->query, mg_wall_us() - HOUR_S * MG_S_US, env->deadline_us, see, tally, &err) ==
		MG_OK)
		return tally;
	mg_finding_is(finding, MG_STATE_UNKNOWN, N_("the record can't be read"), NULL);
	if (err.text[0] != '\0')
		mg_finding_cause(finding, "%1", err.text, NULL);
	free(tally->queue_s);
	free(tally->connect_s);
	free(tally);
	return NULL;
}

static void tally_free(struct tally *tally)
{
	free(tally->queue_s);
	free(tally->connect_s);
	free(tally);
}

static int by_count(const void *a, const void *b)
{
	const struct cause *left = a, *right = b;

	return left->count < right->count ? 1 : left->count > right->count ? -1 : 0;
}

static void show_causes(struct tally *tally, struct mg_finding *finding)
{
	qsort(tally->causes, tally->cause_count, sizeof tally->causes[0], by_count);
	for (size_t i = 0; i < tally->cause_count; i++) {
		struct cause *cause = &tally->causes[i];

		mg_explanation_moved(&cause->explanation);
		if (i < MG_EVIDENCE_MAX - 1)
			mg_finding_evidence(finding, "%llu times %s %s at %s: %s", (unsigned long long)cause->count,
				cause->explanation.code, cause->explanation.enhanced, cause->relay, cause->reply);
	}
}

struct share {
	const char *id, *status, *bad, *good;
	double warn, crit;
};

static void check_share(const struct mg_check_env *env, struct mg_finding *finding, const struct share *share)
{
	struct tally *tally = gather(env, finding, share->status);
	double percent;
	enum mg_check_state state = MG_STATE_OK;
	const char *number;

	if (tally == NULL)
		return;
	percent = tally->attempts == 0 ? 0 : 100.0 * (double)tally->failures / (double)tally->attempts;
	mg_finding_value(finding, percent, "%");
	mg_finding_evidence(finding, "attempts in an hour: %llu, of them %s: %llu", (unsigned long long)tally->attempts,
		share->status, (unsigned long long)tally->failures);
	show_causes(tally, finding);
	if (tally->attempts >= ATTEMPTS_MIN)
		state = mg_check_grade(env, share->id, percent, share->warn, share->crit);
	number = mg_finding_number(finding, percent, "");
	if (state != MG_STATE_OK && tally->cause_count > 0) {
		mg_finding_is(finding, state, share->bad, number, NULL);
		mg_finding_because(finding, &tally->causes[0].explanation.cause);
		mg_finding_mend(finding, &tally->causes[0].explanation.fix);
	}
	mg_finding_is(finding, MG_STATE_OK, share->good, number, NULL);
	tally_free(tally);
}

static void check_4xx(const struct mg_check_env *env, struct mg_finding *finding)
{
	static const struct share share = { "delivery.4xx", "deferred",
		N_("%1 % of the attempts to deliver were put off in the last hour"),
		N_("few attempts to deliver were put off in the last hour: %1 %"), 20, 50 };

	check_share(env, finding, &share);
}

static void check_5xx(const struct mg_check_env *env, struct mg_finding *finding)
{
	static const struct share share = { "delivery.5xx", "bounced",
		N_("%1 % of the attempts to deliver failed for good in the last hour"),
		N_("few attempts to deliver failed for good in the last hour: %1 %"), 5, 10 };

	check_share(env, finding, &share);
}

/* ---- delays ---- */

static int by_size(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left > right ? 1 : left < right ? -1 : 0;
}

static double p95(double *samples, size_t count)
{
	if (samples == NULL || count == 0)
		return 0;
	qsort(samples, count, sizeof *samples, by_size);
	return samples[(count - 1) * 95 / 100];
}

/* The time to connect weighs twice: its limits are half of those of the queue manager's. */
static void check_delay(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct tally *tally = gather(env, finding, NULL);
	double queue_s, connect_s, weighed;
	enum mg_check_state state = MG_STATE_OK;

	if (tally == NULL)
		return;
	queue_s = p95(tally->queue_s, tally->samples);
	connect_s = p95(tally->connect_s, tally->samples);
	weighed = queue_s > 2 * connect_s ? queue_s : 2 * connect_s;
	mg_finding_value(finding, queue_s > connect_s ? queue_s : connect_s, "s");
	mg_finding_evidence(finding,
		"95 of 100 attempts: less than %.1f s in the queue manager, %.1f s connecting; attempts: %llu", queue_s,
		connect_s, (unsigned long long)tally->attempts);
	if (tally->attempts >= ATTEMPTS_MIN)
		state = mg_check_grade(env, "delivery.delay", weighed, 60, 600);
	if (state != MG_STATE_OK && queue_s >= 2 * connect_s) {
		mg_finding_is(finding, state, N_("mail waits long in the queue manager: %1"),
			mg_finding_number(finding, queue_s, "s"), NULL);
		mg_finding_cause(finding,
			N_("the queue manager has too few delivery processes, or one slow destination holds them all"),
			NULL);
		mg_finding_fix(finding,
			N_("find the destination: qshape active; more processes: postconf -e default_process_limit=200 && postfix reload"),
			NULL);
	} else if (state != MG_STATE_OK) {
		mg_finding_is(finding, state, N_("connecting to other servers takes long: %1"),
			mg_finding_number(finding, connect_s, "s"), NULL);
		mg_finding_cause(finding, N_("DNS is slow, hosts do not answer at once, or TLS takes long"), NULL);
		mg_finding_fix(finding,
			N_("test the resolver: mailguardctl check dns.resolver; wait less for dead hosts: postconf -e smtp_connect_timeout=10s && postfix reload"),
			NULL);
	}
	mg_finding_is(finding, MG_STATE_OK, N_("mail goes out without waiting"), NULL);
	tally_free(tally);
}

/* ---- limits ---- */

static void check_limit(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct tally *tally = gather(env, finding, NULL);
	double warn = 1, crit = 20;
	uint64_t most = 0;

	if (tally == NULL)
		return;
	mg_check_threshold(env->conf, "limit.provider", &warn, &crit);
	for (size_t i = 0; i < tally->provider_count; i++) {
		const struct provider *provider = &tally->providers[i];
		bool is_long = provider->last_us - provider->first_us > HELD_S * MG_S_US;

		most = provider->count > most ? provider->count : most;
		mg_finding_evidence(finding, "%s: %llu times in an hour, %s %s: %s", provider->name,
			(unsigned long long)provider->count, provider->explanation.code, provider->explanation.enhanced,
			provider->reply);
		if ((double)provider->count < warn)
			continue;
		mg_finding_is(finding, (double)provider->count >= crit || is_long ? MG_STATE_CRIT : MG_STATE_WARN,
			N_("%1 limits the mail of this server: %2 times in an hour"), provider->name,
			mg_finding_number(finding, (double)provider->count, ""), NULL);
		mg_finding_because(finding, &provider->explanation.cause);
		mg_finding_mend(finding, &provider->explanation.fix);
	}
	mg_finding_value(finding, (double)most, "times/h");
	mg_finding_is(finding, MG_STATE_OK, N_("no big receiver limits the mail of this server"), NULL);
	tally_free(tally);
}

const struct mg_check mg_checks_delivery[] = {
	{ "delivery.4xx", N_("attempts to deliver that were put off"), PERIOD_S, READ_MS, .run = check_4xx,
		.follows = { "journal.write" }, .needs = "journal.write" },
	{ "delivery.5xx", N_("attempts to deliver that failed for good"), PERIOD_S, READ_MS, .run = check_5xx,
		.follows = { "journal.write" }, .needs = "journal.write" },
	{ "delivery.delay", N_("how long deliveries take"), PERIOD_S, READ_MS, .run = check_delay,
		.follows = { "journal.write" }, .needs = "journal.write" },
	{ "limit.provider", N_("whether big receivers limit this server"), PERIOD_S, READ_MS, .run = check_limit,
		.follows = { "journal.write" }, .needs = "journal.write" },
};
const size_t mg_checks_delivery_count = sizeof mg_checks_delivery / sizeof mg_checks_delivery[0];
