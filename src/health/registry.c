/* The registry is the families' rows one after the other. */
#include "health/health.h"

#include <pthread.h>

static struct mg_check all[MG_CHECKS_MAX];
static size_t count;

static void add(const struct mg_check *rows, size_t n)
{
	for (size_t i = 0; i < n && count < MG_CHECKS_MAX; i++)
		all[count++] = rows[i];
}

static void gather(void)
{
#define ADD(name) add(mg_checks_##name, mg_checks_##name##_count);
	MG_CHECK_FAMILIES(ADD)
#undef ADD
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
