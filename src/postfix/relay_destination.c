#include "postfix/relay_destination.h"

#include "postfix/restrictions.h"

enum { VALUE_MAX = 16 * 1024 * 1024 };

bool mg_relay_matches_parents(
	const struct mg_postfix *postfix, const struct mg_postfix_service *service, const char *list)
{
	struct mg_buf value;
	struct mg_str rest, word;
	bool is_named = false;

	mg_buf_init(&value, VALUE_MAX);
	if (mg_postfix_value(postfix, service, "parent_domain_matches_subdomains", &value, NULL) == MG_OK)
		for (rest = mg_buf_str(&value); mg_postfix_word(&rest, &word);)
			is_named = is_named || mg_str_eq(word, mg_str_z(list));
	mg_buf_fini(&value);
	return is_named;
}

static void load_list(struct mg_match_list *list, struct mg_tables *tables, struct mg_arena *arena,
	const struct mg_postfix *postfix, const char *parameter)
{
	struct mg_buf value;
	bool is_known;

	mg_buf_init(&value, VALUE_MAX);
	is_known = mg_postfix_value(postfix, NULL, parameter, &value, NULL) == MG_OK && mg_buf_ok(&value);
	mg_match_load(list, tables, arena, is_known ? mg_buf_str(&value) : MG_STR("/"),
		mg_relay_matches_parents(postfix, NULL, parameter));
	mg_buf_fini(&value);
}

static bool is_empty(const struct mg_postfix *postfix, const char *parameter)
{
	struct mg_buf value;
	bool is_nothing;

	mg_buf_init(&value, VALUE_MAX);
	is_nothing = mg_postfix_value(postfix, NULL, parameter, &value, NULL) == MG_OK &&
		     mg_str_trim(mg_buf_str(&value)).n == 0;
	mg_buf_fini(&value);
	return is_nothing;
}

/* Mail to strangers' domains goes nowhere, and no table says otherwise. */
static bool is_dead_end(const struct mg_postfix *postfix)
{
	static const char *const nowhere[] = { "error:", "retry:", "discard:" };
	struct mg_buf value;
	bool is_nowhere = false;

	mg_buf_init(&value, VALUE_MAX);
	if (mg_postfix_value(postfix, NULL, "default_transport", &value, NULL) == MG_OK)
		for (size_t i = 0; i < sizeof nowhere / sizeof nowhere[0]; i++)
			is_nowhere = is_nowhere || mg_str_starts(mg_buf_str(&value), mg_str_z(nowhere[i]));
	mg_buf_fini(&value);
	return is_nowhere && is_empty(postfix, "transport_maps") &&
	       is_empty(postfix, "sender_dependent_default_transport_maps");
}

/* Some domain of ours that is written out. */
static struct mg_str own_domain(const struct mg_relay_destination *destination)
{
	const struct mg_match_list *lists[] = { &destination->local, &destination->alias, &destination->mailbox };
	struct mg_str own = { 0 };

	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
		for (size_t j = 0; j < lists[i]->count; j++) {
			const struct mg_match_pattern *pattern = &lists[i]->patterns[j];

			if (pattern->kind != MG_MATCH_NAME || pattern->is_negated)
				continue;
			if (own.n == 0 ||
				(mg_str_find(own, '.') == SIZE_MAX && mg_str_find(pattern->text, '.') != SIZE_MAX))
				own = pattern->text;
		}
	return own;
}

void mg_relay_destination_load(struct mg_relay_destination *destination, struct mg_tables *tables,
	struct mg_arena *arena, const struct mg_postfix *postfix)
{
	destination->tables = tables;
	load_list(&destination->local, tables, arena, postfix, "mydestination");
	load_list(&destination->alias, tables, arena, postfix, "virtual_alias_domains");
	load_list(&destination->mailbox, tables, arena, postfix, "virtual_mailbox_domains");
	load_list(&destination->relay, tables, arena, postfix, "relay_domains");
	mg_relay_maps_load(&destination->recipients, tables, postfix, NULL, "relay_recipient_maps");
	destination->refuses_unlisted = mg_postfix_is_yes(postfix, NULL, "smtpd_reject_unlisted_recipient");
	destination->is_dead_end = is_dead_end(postfix);
	destination->own_domain = own_domain(destination);
}

enum mg_relay_class mg_relay_destination_class(
	const struct mg_relay_destination *destination, struct mg_str domain, const struct mg_match_pattern **which_out)
{
	const struct mg_match_list *final[] = { &destination->local, &destination->alias, &destination->mailbox };

	*which_out = NULL;
	for (size_t i = 0; i < sizeof final / sizeof final[0]; i++) {
		enum mg_match match = mg_match_name(destination->tables, final[i], domain);

		if (match == MG_MATCH_YES)
			return MG_RELAY_CLASS_FINAL;
		if (match == MG_MATCH_ERROR)
			return MG_RELAY_CLASS_BROKEN;
	}
	switch (mg_match_domain(destination->tables, &destination->relay, domain, which_out)) {
	case MG_MATCH_YES:
		return MG_RELAY_CLASS_RELAY;
	case MG_MATCH_ERROR:
		return MG_RELAY_CLASS_BROKEN;
	case MG_MATCH_UNKNOWN:
		return MG_RELAY_CLASS_DOUBT;
	default:
		return MG_RELAY_CLASS_FOREIGN;
	}
}

bool mg_relay_destination_is_own(const struct mg_relay_destination *destination, struct mg_str domain)
{
	const struct mg_match_pattern *which;

	while (domain.n > 0) {
		enum mg_relay_class class = mg_relay_destination_class(destination, domain, &which);
		size_t dot = mg_str_find(domain, '.');

		if (class == MG_RELAY_CLASS_FINAL || class == MG_RELAY_CLASS_RELAY)
			return true;
		if (dot == SIZE_MAX)
			return false;
		domain = mg_str_from(domain, dot + 1);
	}
	return false;
}
