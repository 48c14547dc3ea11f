/* No parser: the first `listen` behind `control` and before the next closing brace, comments left out. It is only asked
 * when the parser has refused the file. */
#include "conf/conf.h"

#include <stdio.h>

#include "base/buf.h"

enum { FILE_MAX = 1024 * 1024 };

static bool read_without_comments(const char *path, struct mg_buf *text)
{
	FILE *file = fopen(path, "re");
	char line[4096];

	if (file == NULL)
		return false;
	while (fgets(line, sizeof line, file) != NULL) {
		struct mg_str rest = mg_str_trim(mg_str_z(line));

		if (!mg_str_starts(rest, MG_STR("//")) && !mg_str_starts(rest, MG_STR("#")))
			mg_buf_add(text, rest);
		mg_buf_addc(text, ' ');
	}
	fclose(file);
	return mg_buf_ok(text);
}

/* Advances *rest behind `word`; false when it is not there. */
static bool skip_to(struct mg_str *rest, struct mg_str word)
{
	size_t at = mg_str_find_str(*rest, word);

	if (at == SIZE_MAX)
		return false;
	*rest = mg_str_from(*rest, at + word.n);
	return true;
}

static bool scan(struct mg_str text, char *place, size_t size)
{
	struct mg_str value;

	if (!skip_to(&text, MG_STR("control")))
		return false;
	text = mg_str_cut(&text, '}');
	if (!skip_to(&text, MG_STR("listen")) || !skip_to(&text, MG_STR("\"")))
		return false;
	value = mg_str_cut(&text, '"');
	return value.n > 0 && mg_str_copy(place, size, value);
}

void mg_conf_control_listen(const char *path, char *place, size_t size)
{
	const struct mg_conf *conf = NULL;
	struct mg_buf text;

	if (mg_conf_load(path, &conf, NULL) == MG_OK || mg_conf_defaults(&conf, NULL) == MG_OK)
		mg_str_copy(place, size, mg_str_z(conf->control.listen));
	if (conf != NULL && conf->path[0] == '\0') {
		mg_buf_init(&text, FILE_MAX);
		if (read_without_comments(path, &text))
			scan(mg_buf_str(&text), place, size);
		mg_buf_fini(&text);
	}
	mg_conf_unref(&conf);
}
