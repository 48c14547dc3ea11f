#include "postfix/relay_access.h"

/* What a self-made certificate's fingerprint looks like: nobody lists it by accident. */
#define FINGERPRINT "de:ad:be:ef:de:ad:be:ef:de:ad:be:ef:de:ad:be:ef:de:ad:be:ef"

/* randmap: answers anything it holds, sooner or later what the client hopes for. */
static enum mg_table_found find(
	const struct mg_relay_model *model, struct mg_table *table, struct mg_str key, struct mg_str *value_out)
{
	enum mg_table_found found = mg_table_find(model->tables, table, key, value_out);

	if (found != MG_TABLE_UNKNOWN || table->kind != MG_TABLE_STATIC)
		return found;
	*value_out = table->values[0];
	for (size_t i = 1; i < table->part_count; i++)
		if (mg_relay_answer_of(table->values[i]) == MG_RELAY_SAYS_OK ||
			mg_relay_answer_of(*value_out) == MG_RELAY_SAYS_NO)
			*value_out = table->values[i];
	return MG_TABLE_FOUND;
}

static bool is_address(struct mg_str name)
{
	struct mg_ip ip;

	return mg_ip_parse(name, &ip) && name.p[0] != '[';
}

/* The whole name first; then, in tables of plain keys, what it lies below. */
static enum mg_table_found find_domain(const struct mg_relay_model *model, struct mg_table *table, struct mg_str name,
	bool is_partial, struct mg_str *value_out)
{
	enum mg_table_found found = MG_TABLE_NOT_FOUND;
	bool is_numeric = is_address(name);

	while (name.n > 0 && found == MG_TABLE_NOT_FOUND) {
		size_t dot = mg_str_find(mg_str_from(name, 1), '.');

		if (!is_partial || !table->is_pattern)
			found = find(model, table, name, value_out);
		if (dot == SIZE_MAX || is_numeric)
			break;
		name = mg_str_from(name, dot + 1 + model->access_with_parents);
		is_partial = true;
	}
	return found;
}

enum mg_table_found mg_relay_access_name(
	const struct mg_relay_model *model, struct mg_table *table, struct mg_str name, struct mg_str *value_out)
{
	return find_domain(model, table, name, false, value_out);
}

enum mg_table_found mg_relay_access_address(
	const struct mg_relay_model *model, struct mg_table *table, struct mg_str address, struct mg_str *value_out)
{
	char separator = mg_str_find(address, ':') != SIZE_MAX ? ':' : '.';
	enum mg_table_found found = find(model, table, address, value_out);
	size_t at;

	while (found == MG_TABLE_NOT_FOUND && !table->is_pattern &&
		(at = mg_str_rfind(address, separator)) != SIZE_MAX) {
		address = mg_str_first(address, at);
		found = find(model, table, address, value_out);
	}
	return found;
}

enum mg_table_found mg_relay_access_mail(
	const struct mg_relay_model *model, struct mg_table *table, struct mg_str address, struct mg_str *value_out)
{
	size_t at = mg_str_rfind(address, '@');
	enum mg_table_found found = find(model, table, address, value_out);

	if (found == MG_TABLE_NOT_FOUND && at != SIZE_MAX)
		found = find_domain(model, table, mg_str_from(address, at + 1), true, value_out);
	if (found == MG_TABLE_NOT_FOUND && at != SIZE_MAX && !table->is_pattern)
		found = find(model, table, mg_str_first(address, at + 1), value_out);
	return found;
}

static enum mg_table_found find_cert(
	const struct mg_relay_model *model, struct mg_table *table, struct mg_str cert, struct mg_str *value_out)
{
	return cert.n == 0 ? MG_TABLE_NOT_FOUND : find(model, table, MG_STR(FINGERPRINT), value_out);
}

enum mg_table_found mg_relay_access(const struct mg_relay_model *model, enum mg_relay_op op, struct mg_table *table,
	const struct mg_relay_client *client, struct mg_str *value_out)
{
	enum mg_table_found found;
	struct mg_str sender = client->is[MG_CHOICE_SENDER]->text;

	switch (op) {
	case MG_RELAY_CLIENT:
		found = mg_relay_access_name(model, table, client->is[MG_CHOICE_NAME]->text, value_out);
		if (found == MG_TABLE_NOT_FOUND)
			found = mg_relay_access_address(model, table, client->is[MG_CHOICE_ADDRESS]->text, value_out);
		return found;
	case MG_RELAY_REVERSE:
		return mg_relay_access_name(model, table, MG_STR("unknown"), value_out);
	case MG_RELAY_HELO:
		return mg_relay_access_name(model, table, client->is[MG_CHOICE_HELO]->text, value_out);
	case MG_RELAY_SENDER:
		if (sender.n == 0)
			return find(model, table, model->null_sender, value_out);
		return mg_relay_access_mail(model, table, sender, value_out);
	case MG_RELAY_RECIPIENT:
		return mg_relay_access_mail(model, table, client->is[MG_CHOICE_RECIPIENT]->text, value_out);
	case MG_RELAY_CERT:
		return find_cert(model, table, client->is[MG_CHOICE_CERT]->text, value_out);
	default:
		return MG_TABLE_NOT_FOUND;
	}
}
