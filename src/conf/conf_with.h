/* conf_with.h - the configuration with some settings changed, as `whatif --set KEY=VALUE` asks for it.
 *
 * KEY is a dotted path ("auth.dmarc", "mode"). VALUE is written as in the file; where a text is wanted, quotes may be left out
 * ("off", "5m", unix:/run/x), and one text may stand for a list of one. The same readers and checks judge it as the file's, and
 * what they say names "--set KEY" where they would say FILE:LINE.
 *
 * Threads: one owner. */
#ifndef MG_CONF_CONF_WITH_H
#define MG_CONF_CONF_WITH_H

#include "conf/conf.h"

struct mg_conf_set { /* borrowed */
	struct mg_str key, value;
};

enum { MG_CONF_SET_BYTES = 64 * 1024 };

/* Cuts "KEY=VALUE"; false: there is no "=" or no key. */
bool mg_conf_set_cut(struct mg_str text, struct mg_conf_set *set_out);

/* mg_conf_load() of `path` (NULL: the defaults alone), and then the changes in their order. */
MG_MUSTCHECK
enum mg_rc mg_conf_load_with(const char *path, const struct mg_conf_set *sets, size_t set_count,
	const struct mg_conf **conf_out, struct mg_err *err);

/* One change, on a snapshot that nobody else knows yet. */
MG_MUSTCHECK
enum mg_rc mg_conf_apply(const struct mg_conf_set *set, struct mg_conf *conf, struct mg_err *err);

/* Whether a verdict can depend on this setting at all: not on where we listen, how checks of health run, and the like. */
bool mg_conf_bears_on_verdicts(struct mg_str key);

#endif
