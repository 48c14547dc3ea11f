#include "postfix/relay_list.h"

#include <stdlib.h>

#include "base/hash.h"
#include "postfix/restrictions.h"

#include <uthash.h>

enum { ARENA_MAX = 256 * 1024 * 1024, VALUE_MAX = 16 * 1024 * 1024, DEPTH = 100 };

/* What stands behind the word. */
enum takes { ALONE, WORD, TABLE, SERVER };

/* smtpd's words; what is not here never permits and never stops all strangers: see `families`. */
static const struct row {
	const char *name;
	enum mg_relay_op op;
	enum takes takes;
} rows[] = {
	{ "permit", MG_RELAY_PERMIT, ALONE },
	{ "reject", MG_RELAY_REJECT, ALONE },
	{ "defer", MG_RELAY_REJECT, ALONE },
	{ "warn_if_reject", MG_RELAY_WARN, ALONE },
	{ "defer_if_permit", MG_RELAY_DEFERRED, ALONE },
	{ "defer_if_reject", MG_RELAY_NOTHING, ALONE },
	{ "sleep", MG_RELAY_NOTHING, WORD },
	{ "permit_mynetworks", MG_RELAY_MYNETWORKS, ALONE },
	{ "permit_inet_interfaces", MG_RELAY_NOTHING, ALONE },
	{ "permit_naked_ip_address", MG_RELAY_NOTHING, ALONE },
	{ "permit_sasl_authenticated", MG_RELAY_LOGIN, ALONE },
	{ "permit_auth_destination", MG_RELAY_OUR_DESTINATION, ALONE },
	{ "permit_mx_backup", MG_RELAY_MX_BACKUP, ALONE },
	{ "permit_tls_clientcerts", MG_RELAY_LISTED_CERT, ALONE },
	{ "permit_tls_all_clientcerts", MG_RELAY_ANY_CERT, ALONE },
	{ "permit_dnswl_client", MG_RELAY_NOTHING, WORD }, /* both leave foreign destinations alone */
	{ "permit_rhswl_client", MG_RELAY_NOTHING, WORD },
	{ "check_relay_domains", MG_RELAY_OLD_TEST, ALONE },
	{ "reject_unauth_destination", MG_RELAY_TEST, ALONE },
	{ "defer_unauth_destination", MG_RELAY_TEST, ALONE },
	{ "check_policy_service", MG_RELAY_POLICY, SERVER },
	{ "check_client_access", MG_RELAY_CLIENT, TABLE },
	{ "check_reverse_client_hostname_access", MG_RELAY_REVERSE, TABLE },
	{ "check_helo_access", MG_RELAY_HELO, TABLE },
	{ "check_sender_access", MG_RELAY_SENDER, TABLE },
	{ "check_recipient_access", MG_RELAY_RECIPIENT, TABLE },
	{ "check_ccert_access", MG_RELAY_CERT, TABLE },
	{ "check_sasl_access", MG_RELAY_SASL, TABLE },
	{ "check_etrn_access", MG_RELAY_NOTHING, TABLE },
	{ "reject_unknown_client_hostname", MG_RELAY_KNOWN_CLIENT, ALONE },
	{ "reject_unknown_client", MG_RELAY_KNOWN_CLIENT, ALONE },
	{ "reject_non_fqdn_helo_hostname", MG_RELAY_FULL_HELO, ALONE },
	{ "reject_non_fqdn_hostname", MG_RELAY_FULL_HELO, ALONE },
	{ "reject_non_fqdn_sender", MG_RELAY_FULL_SENDER, ALONE },
	{ "reject_plaintext_session", MG_RELAY_ENCRYPTED, ALONE },
	{ "reject_sender_login_mismatch", MG_RELAY_OWNER, ALONE },
	{ "reject_known_sender_login_mismatch", MG_RELAY_OWNER, ALONE },
	{ "reject_unauthenticated_sender_login_mismatch", MG_RELAY_OWNER, ALONE },
	{ "reject_authenticated_sender_login_mismatch", MG_RELAY_NOTHING, ALONE },
	{ "reject_rbl_client", MG_RELAY_NOTHING, WORD },
	{ "reject_rbl", MG_RELAY_NOTHING, WORD },
	{ "reject_rhsbl_client", MG_RELAY_NOTHING, WORD },
	{ "reject_rhsbl_reverse_client", MG_RELAY_NOTHING, WORD },
	{ "reject_rhsbl_helo", MG_RELAY_NOTHING, WORD },
	{ "reject_rhsbl_sender", MG_RELAY_NOTHING, WORD },
	{ "reject_rhsbl_recipient", MG_RELAY_NOTHING, WORD },
	{ "reject_maps_rbl", MG_RELAY_NOTHING, ALONE },
	{ "reject_unauth_pipelining", MG_RELAY_NOTHING, ALONE },
	{ "reject_unknown_reverse_client_hostname", MG_RELAY_NOTHING, ALONE },
	{ "reject_unknown_forward_client_hostname", MG_RELAY_NOTHING, ALONE },
	{ "reject_invalid_helo_hostname", MG_RELAY_NOTHING, ALONE },
	{ "reject_invalid_hostname", MG_RELAY_NOTHING, ALONE },
	{ "reject_unknown_helo_hostname", MG_RELAY_NOTHING, ALONE },
	{ "reject_unknown_hostname", MG_RELAY_NOTHING, ALONE },
	{ "reject_unknown_address", MG_RELAY_NOTHING, ALONE },
	{ "reject_unknown_sender_domain", MG_RELAY_NOTHING, ALONE },
	{ "reject_unknown_recipient_domain", MG_RELAY_NOTHING, ALONE },
	{ "reject_unverified_sender", MG_RELAY_NOTHING, ALONE },
	{ "reject_unverified_recipient", MG_RELAY_NOTHING, ALONE },
	{ "reject_unlisted_sender", MG_RELAY_NOTHING, ALONE },
	{ "reject_unlisted_recipient", MG_RELAY_NOTHING, ALONE },
	{ "check_recipient_maps", MG_RELAY_NOTHING, ALONE },
	{ "reject_non_fqdn_recipient", MG_RELAY_NOTHING, ALONE },
	{ "reject_multi_recipient_bounce", MG_RELAY_NOTHING, ALONE },
};

struct held_list {
	UT_hash_handle hh;
	struct mg_relay_list list;
	char key[];
};

struct mg_relay_lists {
	struct mg_arena arena;
	const struct mg_postfix *postfix;
	const struct mg_postfix_service *service;
	struct mg_tables *tables;
	struct held_list *classes, *parameters, *answers;
	const char *undefined;
	size_t item_count;
};

/* ---- words ---- */

static bool is_server_access(struct mg_str name)
{
	static const char *const ends[] = { "_mx_access", "_ns_access", "_a_access" };

	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
		if (mg_str_starts_nocase(name, MG_STR("check_")) && mg_str_ends_nocase(name, mg_str_z(ends[i])))
			return true;
	return false;
}

static const struct row *row_of(struct mg_str name)
{
	static const struct row server = { "", MG_RELAY_SERVER, TABLE };

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (mg_str_eq_nocase(name, mg_str_z(rows[i].name)))
			return &rows[i];
	return is_server_access(name) ? &server : NULL;
}

bool mg_relay_list_knows(struct mg_str name)
{
	return row_of(name) != NULL;
}

const char *mg_relay_list_nearest(struct mg_str name, unsigned edits)
{
	const char *nearest = NULL;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		unsigned distance = mg_str_distance(name, mg_str_z(rows[i].name));

		if (distance <= edits && distance > 0) {
			nearest = rows[i].name;
			edits = distance - 1;
		}
	}
	return nearest;
}

static struct held_list *held_of(struct held_list *all, struct mg_str name)
{
	struct held_list *held;

	HASH_FIND(hh, all, name.p, name.n, held);
	return held;
}

static struct held_list *hold(struct held_list **all, struct mg_str name)
{
	struct held_list *held = HASH_COUNT(*all) < MG_RELAY_LISTS ? calloc(1, sizeof *held + name.n + 1) : NULL;

	if (held == NULL)
		return NULL;
	memcpy(held->key, name.p, name.n);
	held->list.name = held->key;
	HASH_ADD_KEYPTR(hh, *all, held->key, name.n, held);
	return held;
}

static struct mg_relay_item *new_item(struct mg_relay_lists *lists, struct mg_relay_list *list)
{
	size_t room = list->room == 0 ? 16 : list->room * 2;
	struct mg_relay_item *more;

	if (list->count == list->room) {
		more = lists->item_count > MG_RELAY_ITEMS ? NULL : mg_arena_take(&lists->arena, room * sizeof *more);
		if (more == NULL) {
			list->is_doubtful = true;
			return NULL;
		}
		if (list->count > 0)
			memcpy(more, list->items, list->count * sizeof *more);
		list->items = more;
		list->room = room;
	}
	lists->item_count++;
	return &list->items[list->count++];
}

/* { type:name, search_order=... }: the first word within. */
static struct mg_str table_name(struct mg_str word)
{
	struct mg_str name = { 0 };

	if (word.n < 2 || word.p[0] != '{')
		return word;
	word = mg_str_of(word.p + 1, word.n - 2);
	(void)mg_postfix_word(&word, &name);
	return name;
}

static struct mg_table *table_of(struct mg_relay_lists *lists, struct mg_str word)
{
	return mg_tables_get(lists->tables, table_name(word));
}

/* What stands behind a restriction's name. Without it, or without a colon in it, smtpd answers 451; a list of DNS names is
 * merely skipped. */
static void take_argument(
	struct mg_relay_lists *lists, struct mg_relay_item *item, enum takes takes, struct mg_str *rest)
{
	if (takes == ALONE)
		return;
	if (!mg_postfix_word(rest, &item->argument)) {
		item->op = takes == WORD ? MG_RELAY_NOTHING : MG_RELAY_BAD;
		return;
	}
	if (takes != WORD && mg_str_find(item->argument, ':') == SIZE_MAX)
		item->op = MG_RELAY_BAD;
	else if (takes == TABLE)
		item->table = table_of(lists, item->argument);
}

static void parse(struct mg_relay_lists *lists, struct mg_relay_list *list, struct mg_str rest)
{
	struct mg_relay_item item;
	struct mg_relay_item *place;
	struct mg_str word;

	while (mg_postfix_word(&rest, &word)) {
		const struct row *row = row_of(word);
		struct held_list *class = row == NULL ? held_of(lists->classes, word) : NULL;

		item = (struct mg_relay_item){ .op = MG_RELAY_BAD, .name = word };
		if (mg_str_find(word, ':') != SIZE_MAX) {
			item.op = MG_RELAY_BARE;
			item.table = table_of(lists, word);
		} else if (row != NULL) {
			item.op = row->op;
			take_argument(lists, &item, row->takes, &rest);
		} else if (class != NULL) {
			item.op = MG_RELAY_CLASS;
			item.class = &class->list;
		}
		if ((place = new_item(lists, list)) == NULL)
			return;
		*place = item;
	}
}

/* ---- the lists ---- */

/* The expanded value, in the arena; what can't be expanded makes the list doubtful. */
static struct mg_str value_of(struct mg_relay_lists *lists, const char *parameter, struct mg_relay_list *list)
{
	struct mg_buf value;
	struct mg_str text = MG_STR("");

	mg_buf_init(&value, VALUE_MAX);
	if (mg_postfix_value(lists->postfix, lists->service, parameter, &value, NULL) != MG_OK || !mg_buf_ok(&value))
		list->is_doubtful = true;
	else
		text = mg_str_z(mg_arena_text(&lists->arena, mg_buf_str(&value), value.n));
	list->is_doubtful = list->is_doubtful || (text.n == 0 && value.n > 0);
	mg_buf_fini(&value);
	return text;
}

/* Declared first, read afterwards: they may name each other. */
static enum mg_rc read_classes(struct mg_relay_lists *lists)
{
	struct mg_relay_list names = { 0 };
	struct mg_str rest = value_of(lists, "smtpd_restriction_classes", &names), word;
	struct held_list *class;

	while (mg_read_word(&rest, ", \t\r\n", &word)) {
		if (HASH_COUNT(lists->classes) >= MG_RELAY_CLASSES || held_of(lists->classes, word) != NULL)
			continue;
		if (hold(&lists->classes, word) == NULL)
			return MG_ENOMEM;
	}
	for (class = lists->classes; class != NULL; class = class->hh.next) {
		struct mg_str text = value_of(lists, class->key, &class->list);

		if (mg_str_trim(text).n == 0 && !class->list.is_doubtful && lists->undefined == NULL)
			lists->undefined = class->key;
		parse(lists, &class->list, text);
	}
	return MG_OK;
}

enum mg_rc mg_relay_lists_new(const struct mg_postfix *postfix, const struct mg_postfix_service *service,
	struct mg_tables *tables, struct mg_relay_lists **lists_out)
{
	struct mg_relay_lists *lists = calloc(1, sizeof *lists);

	*lists_out = lists;
	if (lists == NULL)
		return MG_ENOMEM;
	lists->postfix = postfix;
	lists->service = service;
	lists->tables = tables;
	mg_arena_init(&lists->arena, ARENA_MAX);
	if (read_classes(lists) == MG_OK)
		return MG_OK;
	mg_relay_lists_free(lists_out);
	return MG_ENOMEM;
}

static void free_held(struct held_list **all)
{
	struct held_list *held, *next;

	HASH_ITER(hh, *all, held, next)
	{
		HASH_DEL(*all, held);
		free(held);
	}
}

void mg_relay_lists_free(struct mg_relay_lists **lists)
{
	struct mg_relay_lists *last = *lists;

	*lists = NULL;
	if (last == NULL)
		return;
	free_held(&last->classes);
	free_held(&last->parameters);
	free_held(&last->answers);
	mg_arena_fini(&last->arena);
	free(last);
}

const struct mg_relay_list *mg_relay_lists_parameter(struct mg_relay_lists *lists, const char *parameter)
{
	struct held_list *held = held_of(lists->parameters, mg_str_z(parameter));

	if (held != NULL)
		return &held->list;
	if ((held = hold(&lists->parameters, mg_str_z(parameter))) == NULL)
		return NULL;
	parse(lists, &held->list, value_of(lists, parameter, &held->list));
	return &held->list;
}

const struct mg_relay_list *mg_relay_lists_answer(struct mg_relay_lists *lists, struct mg_str text)
{
	struct held_list *held = held_of(lists->answers, text);

	if (held != NULL)
		return &held->list;
	if ((held = hold(&lists->answers, text)) == NULL)
		return NULL;
	held->list.name = "";
	parse(lists, &held->list, mg_str_of(held->key, text.n));
	return &held->list;
}

const char *mg_relay_lists_undefined(const struct mg_relay_lists *lists)
{
	return lists->undefined;
}

static void each_of(const struct held_list *all, void (*take)(void *, const struct mg_relay_item *), void *context)
{
	for (; all != NULL; all = all->hh.next)
		for (size_t i = 0; i < all->list.count; i++)
			take(context, &all->list.items[i]);
}

void mg_relay_lists_each(const struct mg_relay_lists *lists,
	void (*take)(void *context, const struct mg_relay_item *item), void *context)
{
	each_of(lists->parameters, take, context);
	each_of(lists->classes, take, context);
}

/* ---- what smtpd insists on ---- */

static bool is_required(struct mg_str name, bool with_case)
{
	static const char *const required[] = { "reject_unauth_destination", "defer_unauth_destination", "reject",
		"defer", "defer_if_permit", "check_relay_domains" };

	for (size_t i = 0; i < sizeof required / sizeof required[0]; i++)
		if (with_case ? mg_str_eq(name, mg_str_z(required[i])) : mg_str_eq_nocase(name, mg_str_z(required[i])))
			return true;
	return false;
}

struct walk {
	const struct mg_relay_list *list;
	size_t at;
};

/* One restriction of the walk: 1 found, -1 this list is looked at no further, 0 go on. */
static int look_at(struct walk *walk, bool with_case)
{
	const struct mg_relay_item *item = &walk->list->items[walk->at++];

	if (item->op == MG_RELAY_WARN && mg_str_eq(item->name, MG_STR("warn_if_reject")) &&
		walk->at < walk->list->count) {
		walk->at++; /* what it only warns of does not count */
		return 0;
	}
	if (item->op == MG_RELAY_PERMIT && (!with_case || mg_str_eq(item->name, MG_STR("permit"))))
		return -1;
	return is_required(item->name, with_case) || is_required(item->argument, with_case);
}

bool mg_relay_list_is_working(
	const struct mg_relay_lists *lists, const struct mg_relay_list *list, bool with_case, bool *is_circle_out)
{
	struct walk stack[DEPTH] = { { list, 0 } };
	size_t depth = 1, steps = 0;

	(void)lists;
	while (depth > 0) {
		struct walk *walk = &stack[depth - 1];
		const struct mg_relay_item *item = NULL;
		int found;

		if (walk->at >= walk->list->count) {
			depth--;
			continue;
		}
		item = &walk->list->items[walk->at];
		found = look_at(walk, with_case);
		if (found > 0)
			return true;
		if (found < 0) {
			depth--;
		} else if (item->op == MG_RELAY_CLASS) {
			if (depth == DEPTH || ++steps > MG_RELAY_ITEMS) {
				*is_circle_out = true;
				return false;
			}
			stack[depth++] = (struct walk){ item->class, 0 };
		}
	}
	return false;
}

/* ---- what a table answers ---- */

static bool is_all_digits(struct mg_str text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
	return text.n > 0;
}

/* "450 text": three digits, the first 4 or 5, and something behind them. */
static bool is_code(struct mg_str word, struct mg_str text)
{
	return word.n == 3 && is_all_digits(word) && (word.p[0] == '4' || word.p[0] == '5') && text.n > 0;
}

enum mg_relay_answer mg_relay_answer_of(struct mg_str value)
{
	static const struct {
		const char *word;
		enum mg_relay_answer answer;
	} words[] = {
		{ "DUNNO", MG_RELAY_SAYS_NOTHING },
		{ "WARN", MG_RELAY_SAYS_NOTHING },
		{ "INFO", MG_RELAY_SAYS_NOTHING },
		{ "PREPEND", MG_RELAY_SAYS_NOTHING },
		{ "BCC", MG_RELAY_SAYS_NOTHING },
		{ "DEFER_IF_REJECT", MG_RELAY_SAYS_NOTHING },
		{ "DEFER_IF_PERMIT", MG_RELAY_SAYS_DEFER },
		{ "REJECT", MG_RELAY_SAYS_NO },
		{ "DEFER", MG_RELAY_SAYS_NO },
		{ "DISCARD", MG_RELAY_SAYS_DISCARD },
		{ "HOLD", MG_RELAY_SAYS_ELSEWHERE },
		{ "REDIRECT", MG_RELAY_SAYS_ELSEWHERE },
		{ "FILTER", MG_RELAY_SAYS_ELSEWHERE },
		{ "OK", MG_RELAY_SAYS_OK },
		{ "RELAY", MG_RELAY_SAYS_OK },
	};
	struct mg_str rest = value, word = { 0 };

	if (!mg_read_word(&rest, " \t", &word))
		return MG_RELAY_SAYS_OK; /* empty */
	if (is_all_digits(value))
		return MG_RELAY_SAYS_OK;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (mg_str_eq_nocase(word, mg_str_z(words[i].word)))
			return words[i].answer;
	if (is_code(word, mg_str_trim(rest)))
		return MG_RELAY_SAYS_NO;
	return mg_str_find(value, ':') != SIZE_MAX ? MG_RELAY_SAYS_BAD : MG_RELAY_SAYS_LIST;
}
