#include "auth/tag_list.h"

static bool is_letter(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_name(struct mg_str name)
{
	if (name.n == 0 || !is_letter(name.p[0]))
		return false;
	for (size_t i = 1; i < name.n; i++)
		if (!is_letter(name.p[i]) && !(name.p[i] >= '0' && name.p[i] <= '9') && name.p[i] != '_')
			return false;
	return true;
}

static bool is_wsp(char c)
{
	return c == ' ' || c == '\t';
}

/* FWS and what may stand in a value (';' has been cut away). */
static bool is_sound(struct mg_str text)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if ((c >= ' ' && c != 0x7f) || c == '\t')
			continue;
		if (c != '\r' || i + 2 >= text.n || text.p[i + 1] != '\n' || !is_wsp(text.p[i + 2]))
			return false;
		i += 2;
	}
	return true;
}

const struct mg_tag *mg_tag_list_find(const struct mg_tag_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (mg_str_eq(list->tags[i].name, mg_str_z(name)))
			return &list->tags[i];
	return NULL;
}

static bool has_name(const struct mg_tag_list *list, struct mg_str name)
{
	for (size_t i = 0; i < list->count; i++)
		if (mg_str_eq(list->tags[i].name, name))
			return true;
	return false;
}

static bool add_tag(struct mg_tag_list *list, struct mg_str spec)
{
	size_t equals = mg_str_find(spec, '=');
	struct mg_tag tag;

	if (equals == SIZE_MAX || list->count == MG_TAGS_MAX || !is_sound(spec))
		return false;
	tag.name = mg_str_trim(mg_str_first(spec, equals));
	tag.raw = mg_str_from(spec, equals + 1);
	tag.value = mg_str_trim(tag.raw);
	if (!is_name(tag.name) || has_name(list, tag.name))
		return false;
	list->tags[list->count++] = tag;
	return true;
}

bool mg_tag_list_parse(struct mg_str text, struct mg_tag_list *list_out)
{
	list_out->count = 0;
	while (text.n > 0) {
		size_t end = mg_str_find(text, ';');
		struct mg_str spec = mg_str_first(text, end);

		if (end == SIZE_MAX && mg_str_trim(spec).n == 0)
			return is_sound(spec);
		if (!add_tag(list_out, spec))
			return false;
		text = end == SIZE_MAX ? mg_str_of(text.p, 0) : mg_str_from(text, end + 1);
	}
	return true;
}

bool mg_read_colon_item(struct mg_str *rest, struct mg_str *item_out)
{
	size_t colon = mg_str_find(*rest, ':');

	if (rest->p == NULL)
		return false;
	*item_out = mg_str_trim(mg_str_first(*rest, colon));
	*rest = colon == SIZE_MAX ? mg_str_of(NULL, 0) : mg_str_from(*rest, colon + 1);
	return true;
}
