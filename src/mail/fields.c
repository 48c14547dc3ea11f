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

/* Line ends become CRLF; returns the length. `place` has room for twice the text. */
static size_t copy_lines(char *place, struct mg_str text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c != '\r' && c != '\n') {
			place[n++] = c;
			continue;
		}
		if (c == '\r' && i + 1 < text.n && text.p[i + 1] == '\n')
			i++;
		place[n++] = '\r';
		place[n++] = '\n';
	}
	return n;
}

static size_t line_ends(struct mg_str text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.n; i++)
		count += text.p[i] == '\r' || text.p[i] == '\n';
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

size_t mg_fields_count(const struct mg_fields *fields, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < fields->count; i++)
		count += mg_str_eq_nocase(fields->field[i].name, mg_str_z(name));
	return count;
}
