#include "health/jail_conf.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/escape.h"
#include "base/file.h"

enum { FILE_MAX = 512 * 1024, PATH_BYTES = 512 };

static void keep(char *place, struct mg_str value)
{
	if (mg_str_copy(place, MG_JAIL_TEXT, value))
		mg_escape_in_place(place);
}

void mg_jail_read(struct mg_str text, const char *name, struct mg_jail *jail)
{
	bool is_own = false, is_default = false;

	while (text.n > 0) {
		struct mg_str line = mg_str_cut(&text, '\n'), value = line, key;

		if (line.n > 0 && line.p[0] == '[') {
			struct mg_str section = mg_str_from(line, 1);

			section = mg_str_cut(&section, ']');
			is_own = mg_str_eq(section, mg_str_z(name));
			is_default = mg_str_eq(section, MG_STR("DEFAULT"));
			continue;
		}
		if (line.n == 0 || line.p[0] == '#' || line.p[0] == ';' || line.p[0] == ' ' || line.p[0] == '\t')
			continue;
		key = mg_str_trim(mg_str_cut(&value, '='));
		value = mg_str_trim(value);
		if (mg_str_eq(key, MG_STR("filter")) && (is_own || is_default))
			keep(is_own ? jail->filter : jail->default_filter, value);
		else if (mg_str_eq(key, MG_STR("mode")) && (is_own || is_default))
			keep(is_own ? jail->mode : jail->default_mode, value);
	}
}

/* %(__name__)s and %(mode)s are filled in; what else is in the text stays. */
void mg_jail_settle(const struct mg_jail *jail, const char *name, char *place, size_t size)
{
	const char *filter = jail->filter[0] != '\0'           ? jail->filter
			     : jail->default_filter[0] != '\0' ? jail->default_filter
							       : "%(__name__)s[mode=%(mode)s]";
	const char *mode = jail->mode[0] != '\0'           ? jail->mode
			   : jail->default_mode[0] != '\0' ? jail->default_mode
							   : "normal";
	struct mg_str rest = mg_str_z(filter);
	struct mg_buf out;

	mg_buf_init(&out, 4096);
	while (rest.n > 0) {
		if (mg_read_token(&rest, MG_STR("%(__name__)s"))) {
			mg_buf_addz(&out, name);
		} else if (mg_read_token(&rest, MG_STR("%(mode)s"))) {
			mg_buf_addz(&out, mode);
		} else {
			mg_buf_addc(&out, rest.p[0] == '\'' ? '?' : rest.p[0]);
			rest = mg_str_from(rest, 1);
		}
	}
	(void)mg_str_copy(place, size, mg_buf_str(&out));
	mg_buf_fini(&out);
}

static void read_file(const char *path, const char *name, struct mg_jail *jail)
{
	struct mg_buf text;

	if (mg_file_read(path, FILE_MAX, &text, NULL) == MG_OK)
		mg_jail_read(mg_buf_str(&text), name, jail);
	mg_buf_fini(&text);
}

static void read_folder(const char *directory, const char *suffix, const char *name, struct mg_jail *jail)
{
	struct dirent **entries = NULL;
	char path[PATH_BYTES];
	int count;

	snprintf(path, sizeof path, "%s/jail.d", directory);
	count = scandir(path, &entries, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		if (mg_str_ends(mg_str_z(entries[i]->d_name), mg_str_z(suffix))) {
			snprintf(path, sizeof path, "%s/jail.d/%s", directory, entries[i]->d_name);
			read_file(path, name, jail);
		}
		free(entries[i]);
	}
	free(entries);
}

void mg_jail_filter(const char *directory, const char *name, char *place, size_t size)
{
	struct mg_jail jail = { .filter = "" };
	char path[PATH_BYTES];

	snprintf(path, sizeof path, "%s/jail.conf", directory);
	read_file(path, name, &jail);
	read_folder(directory, ".conf", name, &jail);
	snprintf(path, sizeof path, "%s/jail.local", directory);
	read_file(path, name, &jail);
	read_folder(directory, ".local", name, &jail);
	mg_jail_settle(&jail, name, place, size);
}
