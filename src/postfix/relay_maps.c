#include "postfix/relay_maps.h"

#include "postfix/restrictions.h"

enum { VALUE_MAX = 1024 * 1024 };

void mg_relay_maps_load(struct mg_relay_maps *maps, struct mg_tables *tables, const struct mg_postfix *postfix,
	const struct mg_postfix_service *service, const char *parameter)
{
	struct mg_buf value;
	struct mg_str rest, word;

	*maps = (struct mg_relay_maps){ 0 };
	mg_buf_init(&value, VALUE_MAX);
	maps->is_doubtful = mg_postfix_value(postfix, service, parameter, &value, NULL) != MG_OK || !mg_buf_ok(&value);
	for (rest = mg_buf_str(&value); mg_postfix_word(&rest, &word);) {
		if (maps->count == MG_RELAY_MAPS)
			maps->is_doubtful = true;
		else if (mg_str_find(word, ':') != SIZE_MAX)
			maps->tables[maps->count++] = mg_tables_get(tables, word);
	}
	mg_buf_fini(&value);
}

/* The first table that knows it answers; one that fails ends the search. */
enum mg_table_found mg_relay_maps_find(
	struct mg_tables *tables, const struct mg_relay_maps *maps, struct mg_str key, struct mg_str *value_out)
{
	enum mg_table_found found = MG_TABLE_NOT_FOUND;

	for (size_t i = 0; i < maps->count && found == MG_TABLE_NOT_FOUND; i++)
		found = mg_table_find(tables, maps->tables[i], key, value_out);
	return found == MG_TABLE_NOT_FOUND && maps->is_doubtful ? MG_TABLE_UNKNOWN : found;
}

enum mg_table_found mg_relay_maps_find_address(
	struct mg_tables *tables, const struct mg_relay_maps *maps, struct mg_str address, struct mg_str *value_out)
{
	enum mg_table_found found = mg_relay_maps_find(tables, maps, address, value_out);
	size_t at = mg_str_rfind(address, '@');

	if (found != MG_TABLE_NOT_FOUND || at == SIZE_MAX)
		return found;
	for (size_t i = 0; i < maps->count && found == MG_TABLE_NOT_FOUND; i++)
		if (!maps->tables[i]->is_pattern) /* patterns see whole addresses only */
			found = mg_table_find(tables, maps->tables[i], mg_str_from(address, at), value_out);
	return found;
}
