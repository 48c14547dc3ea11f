#include "postfix/local_domains.h"

#include <stdio.h>

#include "postfix/lookup_table.h"
#include "postfix/match_list.h"

enum { LIST_MAX = 256 * 1024 };

struct walk {
	const struct mg_postfix *postfix;
	void (*take)(void *context, struct mg_str domain);
	void *context;
};

/* Address keys of a table speak of recipients. */
static void take_key(void *context, struct mg_str key, struct mg_str value)
{
	const struct walk *walk = context;

	(void)value;
	if (mg_str_find(key, '@') == SIZE_MAX)
		walk->take(walk->context, key);
}

static void take_pattern(void *context, struct mg_str pattern, bool is_excluded)
{
	struct walk *walk = context;

	if (is_excluded)
		return;
	if (mg_match_list_is_table(pattern))
		mg_lookup_table_list(walk->postfix->directory, pattern, take_key, walk);
	else
		walk->take(walk->context, pattern);
}

/* It may name a file, whose first line counts ("/etc/mailname"). */
static void take_origin(const struct walk *walk, struct mg_buf *origin)
{
	char line[512] = "";
	FILE *file = mg_buf_z(origin)[0] == '/' ? fopen(mg_buf_z(origin), "re") : NULL;

	if (mg_buf_z(origin)[0] != '/')
		walk->take(walk->context, mg_buf_str(origin));
	if (file == NULL)
		return;
	if (fgets(line, sizeof line, file) != NULL)
		walk->take(walk->context, mg_str_trim(mg_str_z(line)));
	fclose(file);
}

void mg_local_domains_each(
	const struct mg_postfix *postfix, void (*take)(void *context, struct mg_str domain), void *context)
{
	static const char *const lists[] = { "mydestination", "virtual_mailbox_domains", "virtual_alias_domains" };
	struct walk walk = { postfix, take, context };
	struct mg_buf value;

	mg_buf_init(&value, LIST_MAX);
	if (mg_postfix_value(postfix, NULL, "myorigin", &value, NULL) == MG_OK)
		take_origin(&walk, &value);
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		mg_buf_reset(&value);
		if (mg_postfix_value(postfix, NULL, lists[i], &value, NULL) == MG_OK)
			(void)mg_match_list_each(mg_buf_str(&value), take_pattern, &walk);
	}
	mg_buf_fini(&value);
}
