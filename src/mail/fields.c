#include "mail/fields.h"

void mg_fields_init(struct mg_fields *fields, struct mg_arena *arena)
{
	*fields = (struct mg_fields){ .arena = arena };
}

static bool make_room(struct mg_fields *fields)
{
	size_t room = fields->room == 0 ? 32 : 2 * fields->room;
	struct mg_field *field;

	if (fields->count < fields->room)
		return true;
	if ((field = mg_arena_take(fields->arena, room * sizeof *field)) == NULL)
		return false;
	if (fields->count > 0)
		memcpy(field, fields->field, fields->count * sizeof *field);
	fields->field = field;
	fields->room = room;
	return true;
}

/* Takes the text up to its next line end away from it; *has_end_out: there was one (CRLF, or CR or LF alone). */
static struct mg_str cut_line(struct mg_str *text, bool *has_end_out)
{
	size_t lf = mg_str_find(*text, '\n'), cr = mg_str_find(mg_str_first(*text, lf), '\r');
	size_t end = cr < lf ? cr : lf;
	struct mg_str line = mg_str_first(*text, end);

	*has_end_out = end != SIZE_MAX;
	*text = *has_end_out ? mg_str_from(*text, end + (cr != SIZE_MAX && cr + 1 == lf ? 2 : 1)) : mg_str_of(NULL, 0);
	return line;
}

/* Line ends become CRLF; returns the length. `place` has room for twice the text. */
static size_t copy_lines(char *place, struct mg_str text)
{
	size_t n = 0;

	while (text.n > 0) {
		bool has_end;
		struct mg_str line = cut_line(&text, &has_end);

		if (line.n > 0)
			memcpy(place + n, line.p, line.n);
		n += line.n;
		if (has_end) {
			place[n++] = '\r';
			place[n++] = '\n';
		}
	}
	return n;
}

static size_t line_ends(struct mg_str text)
{
	size_t count = 0;

	while (text.n > 0) {
		bool has_end;

		(void)cut_line(&text, &has_end);
		count += has_end;
	}
	return count;
}

bool mg_fields_add(struct mg_fields *fields, struct mg_str name, struct mg_str value)
{
	size_t bytes = name.n + value.n + line_ends(value);
	char *place;

	fields->bytes += bytes + 3;
	if (fields->bytes > MG_FIELDS_BYTES || fields->count >= MG_FIELDS_MAX || !make_room(fields) ||
		(place = mg_arena_take(fields->arena, bytes + 1)) == NULL) {
		fields->is_cut = true;
		return false;
	}
	if (name.n > 0)
		memcpy(place, name.p, name.n);
	fields->field[fields->count++] = (struct mg_field){
		mg_str_of(place, name.n),
		mg_str_of(place + name.n, copy_lines(place + name.n, value)),
	};
	return true;
}
