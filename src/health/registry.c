/* The registry is the families' rows one after the other. */
#include "health/check.h"

#include <pthread.h>

enum { MOST_CHECKS = 160 };

static struct mg_check all[MOST_CHECKS];
static size_t count;

static void add(const struct mg_check *rows, size_t n)
{
	for (size_t i = 0; i < n && count < MOST_CHECKS; i++)
		all[count++] = rows[i];
}

static void gather(void)
{
	add(mg_checks_wiring, mg_checks_wiring_count);
	add(mg_checks_relay, mg_checks_relay_count);
	add(mg_checks_self, mg_checks_self_count);
	add(mg_checks_journal, mg_checks_journal_count);
	add(mg_checks_log, mg_checks_log_count);
	add(mg_checks_relaying, mg_checks_relaying_count);
	add(mg_checks_state, mg_checks_state_count);
	add(mg_checks_account, mg_checks_account_count);
}

const struct mg_check *mg_checks(size_t *count_out)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, gather);
	*count_out = count;
	return all;
}

const struct mg_check *mg_check_find(const char *id)
{
	size_t n;
	const struct mg_check *rows = mg_checks(&n);

	for (size_t i = 0; i < n; i++)
		if (mg_str_eq(mg_str_z(rows[i].id), mg_str_z(id)))
			return &rows[i];
	return NULL;
}

void mg_check_threshold(const struct mg_conf *conf, const char *id, double *warn, double *crit)
{
	for (size_t i = 0; i < conf->health.threshold_count; i++) {
		const struct mg_threshold_row *row = &conf->health.thresholds[i];

		if (mg_str_eq(mg_str_z(row->check), mg_str_z(id))) {
			*warn = row->warn;
			*crit = row->crit;
		}
	}
}
