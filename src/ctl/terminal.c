/* How things look on a terminal. Widths are counted in columns, not bytes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

#include "base/escape.h"
#include "base/i18n.h"
#include "ctl/ctl.h"

enum { TEXT_MAX = 16 * 1024 };

static const char *const inks[] = {
	[MG_INK_PLAIN] = "",
	[MG_INK_GOOD] = "\033[32m",
	[MG_INK_WARN] = "\033[33m",
	[MG_INK_BAD] = "\033[31m",
	[MG_INK_FAINT] = "\033[2m",
	[MG_INK_STRONG] = "\033[1m",
};

/* The columns that valid UTF-8 takes. */
static int columns_of(struct mg_str text)
{
	int columns = 0;

	while (text.n > 0) {
		unsigned code = 0;
		size_t length = mg_utf8_next(text, &code);
		int width = length == 0 ? 1 : wcwidth((wchar_t)code);

		columns += width < 0 ? 0 : width;
		text = mg_str_from(text, length == 0 ? 1 : length);
	}
	return columns;
}

void mg_ctl_print(const struct mg_ctl *ctl, enum mg_ink ink, int width, const char *text)
{
	struct mg_buf clean;
	bool is_inked = ctl->colour && ink != MG_INK_PLAIN;

	mg_buf_init(&clean, TEXT_MAX);
	mg_escape_terminal(&clean, mg_str_z(text), TEXT_MAX / 4);
	printf("%s%s%s", is_inked ? inks[ink] : "", mg_buf_z(&clean), is_inked ? "\033[0m" : "");
	for (int columns = columns_of(mg_buf_str(&clean)); columns < width; columns++)
		putchar(' ');
	mg_buf_fini(&clean);
}

void mg_ctl_paragraph(const struct mg_ctl *ctl, int indent, const char *label, const char *text)
{
	struct mg_buf clean;
	struct mg_str rest, word;
	int column = indent;

	mg_buf_init(&clean, TEXT_MAX);
	mg_escape_terminal(&clean, mg_str_z(text), TEXT_MAX / 4);
	mg_ctl_print(ctl, MG_INK_FAINT, indent, label);
	rest = mg_buf_str(&clean);
	while (mg_read_word(&rest, " ", &word)) {
		int width = columns_of(word);

		if (column > indent && column + 1 + width > ctl->columns) {
			printf("\n%*s", indent, "");
			column = indent;
		}
		printf("%s%.*s", column > indent ? " " : "", MG_STR_ARGS(word));
		column += width + (column > indent);
	}
	putchar('\n');
	mg_buf_fini(&clean);
}

void mg_ctl_print_json(json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(json);
}

const char *mg_ctl_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text == NULL ? "" : text;
}

int64_t mg_ctl_number(const json_t *object, const char *key)
{
	return (int64_t)json_number_value(json_object_get(object, key));
}

const char *mg_ctl_duration(char *place, size_t size, int64_t seconds)
{
	if (seconds >= 86400)
		snprintf(place, size, _("%" PRId64 " d %" PRId64 " h"), seconds / 86400, seconds % 86400 / 3600);
	else if (seconds >= 3600)
		snprintf(place, size, _("%" PRId64 " h %" PRId64 " min"), seconds / 3600, seconds % 3600 / 60);
	else if (seconds >= 60)
		snprintf(place, size, _("%" PRId64 " min"), seconds / 60);
	else
		snprintf(place, size, _("%" PRId64 " s"), seconds < 0 ? 0 : seconds);
	return place;
}
