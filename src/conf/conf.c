#include "conf/conf.h"

#include <stdlib.h>

#include "base/i18n.h"
#include "conf/conf_with.h"
#include "conf/read.h"
#include "conf/value.h"

static enum mg_rc load(const char *path, const struct mg_source *source, const struct mg_conf_set *sets,
	size_t set_count, const struct mg_conf **conf_out, struct mg_err *err)
{
	struct mg_conf *conf = calloc(1, sizeof *conf);
	const struct mg_conf *half;
	enum mg_rc rc;

	*conf_out = NULL;
	if (conf == NULL || (conf->path = mg_str_dup(mg_str_z(path))) == NULL) {
		free(conf);
		return mg_err_set(err, MG_ENOMEM, _("no memory for the configuration"));
	}
	atomic_init(&conf->refs, 1);
	half = conf;
	rc = mg_read_conf(source, conf, err);
	for (size_t i = 0; rc == MG_OK && i < set_count; i++)
		rc = mg_conf_apply(&sets[i], conf, err);
	if (rc == MG_OK)
		*conf_out = conf;
	else
		mg_conf_unref(&half);
	return rc;
}

enum mg_rc mg_conf_load_with(const char *path, const struct mg_conf_set *sets, size_t set_count,
	const struct mg_conf **conf_out, struct mg_err *err)
{
	struct mg_source *source;
	enum mg_rc rc;

	*conf_out = NULL;
	if (path == NULL)
		return load("", NULL, sets, set_count, conf_out, err);
	if ((source = malloc(sizeof *source)) == NULL)
		return mg_err_set(err, MG_ENOMEM, _("no memory for the configuration"));
	if ((rc = mg_source_read(path, source, err)) == MG_OK) {
		rc = load(path, source, sets, set_count, conf_out, err);
		mg_source_fini(source);
	}
	free(source);
	return rc;
}

enum mg_rc mg_conf_load(const char *path, const struct mg_conf **conf_out, struct mg_err *err)
{
	return mg_conf_load_with(path, NULL, 0, conf_out, err);
}

enum mg_rc mg_conf_defaults(const struct mg_conf **conf_out, struct mg_err *err)
{
	return mg_conf_load_with(NULL, NULL, 0, conf_out, err);
}

const struct mg_conf *mg_conf_ref(const struct mg_conf *conf)
{
	atomic_fetch_add_explicit(&((struct mg_conf *)conf)->refs, 1, memory_order_relaxed);
	return conf;
}

void mg_conf_unref(const struct mg_conf **conf)
{
	struct mg_conf *last = (struct mg_conf *)*conf;

	*conf = NULL;
	if (last == NULL || atomic_fetch_sub_explicit(&last->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (const struct mg_setting *row = mg_settings; row->path != NULL; row = mg_value_next(row))
		mg_value_fini(row, last);
	free(last->path);
	free(last);
}

/* The settings that can't change are all texts: where it listens and who it is. */
enum mg_rc mg_conf_may_replace(const struct mg_conf *now, const struct mg_conf *next, struct mg_err *err)
{
	for (const struct mg_setting *row = mg_settings; row->path != NULL; row = mg_value_next(row)) {
		char *const *before = (const void *)((const char *)now + row->offset);
		char *const *after = (const void *)((const char *)next + row->offset);

		if (row->is_fixed && strcmp(*before, *after) != 0)
			return mg_err_set(err, MG_EPERM,
				_("%s: %s can't change by a reload (\"%s\" now, \"%s\" in the file); restart mailguardd for it"),
				next->path, row->path, *before, *after);
	}
	return MG_OK;
}
