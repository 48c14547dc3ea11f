/* A set of names, the tables that can only be asked, and one doubt: whether some list could not be read whole. */
#include "postfix/domains.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "postfix/lookup_table.h"
#include "postfix/match_list.h"
#include "postfix/restrictions.h"

#include <uthash.h>

enum { VALUE_MAX = 4 * 1024 * 1024, NAME_MAX_BYTES = 255, OPEN_MAX = 32 };

struct name {
	UT_hash_handle hh;
	bool is_listed;       /* itself */
	bool with_subdomains; /* and what ends in it */
	char text[];          /* lower case, without a leading dot */
};

struct open_table { /* can only be asked */
	char *name;
	bool with_subdomains;
};

struct mg_domains {
	atomic_uint refs;
	uint64_t serial;
	struct name *names;
	bool is_doubtful; /* a list that could not be read whole */
	struct open_table *open;
	size_t open_count;
	struct mg_trust *trust;
	struct mg_watch watch;
	bool has_mx_backup, is_relay_first;
	char *hostname, *directory;
};

/* "example.com" is itself (and its subdomains where parents match); ".example.com" only what ends in it. */
static void add_name(struct mg_domains *domains, struct mg_str pattern, bool with_subdomains)
{
	bool is_parent = pattern.n > 0 && pattern.p[0] == '.';
	char text[NAME_MAX_BYTES + 1];
	struct name *name;

	if (!mg_str_copy(text, sizeof text, mg_str_from(pattern, is_parent)) || text[0] == '\0')
		return;
	mg_lower(text);
	HASH_FIND_STR(domains->names, text, name);
	if (name == NULL && HASH_COUNT(domains->names) < MG_DOMAINS_MAX &&
		(name = calloc(1, sizeof *name + strlen(text) + 1)) != NULL) {
		memcpy(name->text, text, strlen(text));
		HASH_ADD_STR(domains->names, text, name);
	}
	if (name == NULL) {
		domains->is_doubtful = true;
		return;
	}
	name->is_listed = name->is_listed || !is_parent;
	name->with_subdomains = name->with_subdomains || is_parent || with_subdomains;
}

/* ---- lists ---- */

struct list {
	struct mg_domains *domains;
	bool with_subdomains;
};

/* Every key without '@' is a domain; address keys speak of recipients. */
static void take_key(void *context, struct mg_str key, struct mg_str value)
{
	const struct list *list = context;

	(void)value;
	if (mg_str_find(key, '@') == SIZE_MAX)
		add_name(list->domains, key, list->with_subdomains);
}

static void take_table(const struct list *list, struct mg_str table)
{
	struct mg_domains *domains = list->domains;
	struct open_table *more;

	if (mg_lookup_table_list(domains->directory, table, take_key, (void *)list))
		return;
	more = domains->open_count == OPEN_MAX ? NULL
					       : realloc(domains->open, (domains->open_count + 1) * sizeof *more);
	if (more == NULL) {
		domains->is_doubtful = true;
		return;
	}
	domains->open = more;
	more += domains->open_count++;
	*more = (struct open_table){ mg_str_dup(table), list->with_subdomains };
	domains->is_doubtful = domains->is_doubtful || more->name == NULL;
}

static void take_domain(void *context, struct mg_str pattern, bool is_excluded)
{
	const struct list *list = context;

	if (is_excluded)
		list->domains->is_doubtful = true; /* names stay right, the rest is not certain */
	else if (mg_match_list_is_table(pattern))
		take_table(list, pattern);
	else
		add_name(list->domains, pattern, list->with_subdomains);
}

/* ---- loading ---- */

static bool matches_parents(const struct mg_postfix *postfix, const char *parameter)
{
	struct mg_buf value;
	struct mg_str rest, word;
	bool found = false;

	mg_buf_init(&value, VALUE_MAX);
	if (mg_postfix_value(postfix, NULL, "parent_domain_matches_subdomains", &value, NULL) == MG_OK)
		for (rest = mg_buf_str(&value); mg_postfix_word(&rest, &word);)
			found = found || mg_str_eq(word, mg_str_z(parameter));
	mg_buf_fini(&value);
	return found;
}

static void load_list(struct mg_domains *domains, const struct mg_postfix *postfix, const char *parameter)
{
	struct list list = { domains, matches_parents(postfix, parameter) };
	struct mg_buf value;

	bool is_known;

	mg_buf_init(&value, VALUE_MAX);
	is_known = mg_postfix_value(postfix, NULL, parameter, &value, NULL) == MG_OK && mg_buf_ok(&value);
	mg_watch_add_list(&domains->watch, mg_buf_str(&value)); /* before it is read */
	if (!is_known || !mg_match_list_each(mg_buf_str(&value), take_domain, &list))
		domains->is_doubtful = true;
	mg_buf_fini(&value);
}

static void watch_configuration(struct mg_domains *domains)
{
	static const char *const files[] = { "main.cf", "master.cf" };
	char path[1024];

	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", domains->directory, files[i]);
		mg_watch_add(&domains->watch, mg_str_z(path));
	}
}

/* Whether some smtpd's list of that name, or a restriction class, holds the word. */
static bool mentions(const struct mg_postfix *postfix, const char *parameter, struct mg_str wanted)
{
	const struct mg_postfix_service *service = NULL;
	struct mg_buf value;
	struct mg_str rest, word;
	bool found = false;

	mg_buf_init(&value, VALUE_MAX);
	do {
		mg_buf_reset(&value);
		if (mg_postfix_value(postfix, service, parameter, &value, NULL) == MG_OK)
			for (rest = mg_buf_str(&value); mg_postfix_word(&rest, &word);)
				found = found || mg_str_eq_nocase(word, wanted);
		service = mg_postfix_next_smtpd(postfix, service);
	} while (service != NULL && !found);
	mg_buf_fini(&value);
	return found;
}

static bool permits_mx_backup(const struct mg_postfix *postfix)
{
	const struct mg_str wanted = MG_STR("permit_mx_backup");
	struct mg_buf value;
	struct mg_str rest, word;
	char name[256];
	bool found = mentions(postfix, "smtpd_relay_restrictions", wanted) ||
		     mentions(postfix, "smtpd_recipient_restrictions", wanted);

	mg_buf_init(&value, VALUE_MAX);
	if (mg_postfix_value(postfix, NULL, "smtpd_restriction_classes", &value, NULL) == MG_OK)
		for (rest = mg_buf_str(&value); !found && mg_postfix_word(&rest, &word);)
			found = mg_str_copy(name, sizeof name, word) && mentions(postfix, name, wanted);
	mg_buf_fini(&value);
	return found;
}

static char *value_of(const struct mg_postfix *postfix, const char *parameter)
{
	struct mg_buf value;
	char *copy = NULL;

	mg_buf_init(&value, 1024);
	if (mg_postfix_value(postfix, NULL, parameter, &value, NULL) == MG_OK)
		copy = mg_str_dup(mg_buf_str(&value));
	mg_buf_fini(&value);
	return copy;
}

enum mg_rc mg_domains_load(const struct mg_postfix *postfix, const struct mg_strings *trusted,
	const struct mg_domains **domains_out, struct mg_err *err)
{
	static const char *const lists[] = { "mydestination", "virtual_alias_domains", "virtual_mailbox_domains",
		"relay_domains" };
	static _Atomic uint64_t made_so_far;
	struct mg_domains *domains = calloc(1, sizeof *domains);
	const struct mg_domains *made = domains;

	if (domains == NULL)
		return mg_err_set(err, MG_ENOMEM, "no memory for Postfix's domains");
	atomic_init(&domains->refs, 1);
	domains->serial = atomic_fetch_add(&made_so_far, 1) + 1;
	domains->directory = mg_str_dup(mg_str_z(postfix->directory));
	if (domains->directory != NULL) {
		watch_configuration(domains); /* before it is read: a change meanwhile is seen */
		domains->trust = mg_trust_new(postfix, trusted, &domains->watch);
	}
	if (domains->trust == NULL) {
		mg_domains_unref(&made);
		return mg_err_set(err, MG_ENOMEM, "no memory for Postfix's domains");
	}
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
		load_list(domains, postfix, lists[i]);
	domains->hostname = value_of(postfix, "myhostname");
	domains->has_mx_backup = permits_mx_backup(postfix);
	domains->is_relay_first = mg_postfix_is_yes(postfix, NULL, "smtpd_relay_before_recipient_restrictions");
	*domains_out = domains;
	return MG_OK;
}

const struct mg_domains *mg_domains_ref(const struct mg_domains *domains)
{
	atomic_fetch_add(&((struct mg_domains *)domains)->refs, 1);
	return domains;
}

void mg_domains_unref(const struct mg_domains **domains)
{
	struct mg_domains *last = (struct mg_domains *)*domains;
	struct name *name, *next;

	*domains = NULL;
	if (last == NULL || atomic_fetch_sub(&last->refs, 1) != 1)
		return;
	HASH_ITER(hh, last->names, name, next)
	{
		HASH_DEL(last->names, name);
		free(name);
	}
	for (size_t i = 0; i < last->open_count; i++)
		free(last->open[i].name);
	free(last->open);
	mg_trust_free(&last->trust);
	mg_watch_fini(&last->watch);
	free(last->hostname);
	free(last->directory);
	free(last);
}

/* ---- questions ---- */

static bool has_name(const struct mg_domains *domains, const char *text, bool as_parent)
{
	struct name *name;

	HASH_FIND_STR(domains->names, text, name);
	return name != NULL && (as_parent ? name->with_subdomains : name->is_listed);
}

enum mg_domain_class mg_domains_class(const struct mg_domains *domains, struct mg_str domain)
{
	char text[NAME_MAX_BYTES + 1];
	struct mg_ip ip;

	if (domains == NULL)
		return MG_DOMAIN_UNKNOWN;
	if (domain.n > 1 && domain.p[domain.n - 1] == '.')
		domain.n--; /* Postfix takes it off, too */
	if (domain.n == 0)
		return MG_DOMAIN_OURS;
	if (!mg_str_copy(text, sizeof text, domain))
		return MG_DOMAIN_FOREIGN; /* no name of ours is that long */
	mg_lower(text);
	if (has_name(domains, text, false))
		return MG_DOMAIN_OURS;
	if (text[0] == '[')
		return mg_ip_parse(domain, &ip) && mg_trust_is_own(domains->trust, &ip) ? MG_DOMAIN_OURS
											: MG_DOMAIN_FOREIGN;
	for (const char *dot = strchr(text, '.'); dot != NULL; dot = strchr(dot + 1, '.'))
		if (has_name(domains, dot + 1, true))
			return MG_DOMAIN_OURS;
	return domains->is_doubtful || domains->open_count > 0 ? MG_DOMAIN_UNKNOWN : MG_DOMAIN_FOREIGN;
}

/* As Postfix's maps do: the domain, then its parents, with a dot in front unless parents match subdomains. */
static enum mg_lookup_result ask_table(
	const struct mg_domains *domains, const struct open_table *table, const char *domain, int timeout_ms)
{
	enum mg_lookup_result answer =
		mg_lookup_table_ask(domains->directory, mg_str_z(table->name), mg_str_z(domain), timeout_ms, NULL);

	for (const char *dot = strchr(domain, '.'); answer == MG_LOOKUP_ABSENT && dot != NULL;
		dot = strchr(dot + 1, '.'))
		answer = mg_lookup_table_ask(domains->directory, mg_str_z(table->name),
			mg_str_z(dot + table->with_subdomains), timeout_ms, NULL);
	return answer;
}

enum mg_domain_class mg_domains_ask(const struct mg_domains *domains, struct mg_str domain, int timeout_ms)
{
	enum mg_domain_class class = mg_domains_class(domains, domain);
	char text[NAME_MAX_BYTES + 1];

	if (class != MG_DOMAIN_UNKNOWN || domains == NULL || domains->is_doubtful ||
		!mg_str_copy(text, sizeof text, domain))
		return class;
	mg_lower(text);
	for (size_t i = 0; i < domains->open_count; i++)
		switch (ask_table(domains, &domains->open[i], text, timeout_ms)) {
		case MG_LOOKUP_FOUND:
			return MG_DOMAIN_OURS;
		case MG_LOOKUP_FAILED:
			return MG_DOMAIN_UNKNOWN;
		case MG_LOOKUP_ABSENT:
			break;
		}
	return MG_DOMAIN_FOREIGN;
}

const struct mg_trust *mg_domains_trust(const struct mg_domains *domains)
{
	return domains == NULL ? NULL : domains->trust;
}

bool mg_domains_has_mx_backup(const struct mg_domains *domains)
{
	return domains != NULL && domains->has_mx_backup;
}

bool mg_domains_is_relay_first(const struct mg_domains *domains)
{
	return domains != NULL && domains->is_relay_first;
}

bool mg_domains_is_fresh(const struct mg_domains *domains)
{
	return domains != NULL && mg_watch_is_same(&domains->watch);
}

bool mg_domains_trusts(const struct mg_domains *domains, const struct mg_ip *client)
{
	return domains != NULL && mg_trust_client(domains->trust, client) == MG_TRUST_YES;
}

uint64_t mg_domains_serial(const struct mg_domains *domains)
{
	return domains == NULL ? 0 : domains->serial;
}

const char *mg_domains_hostname(const struct mg_domains *domains)
{
	return domains == NULL || domains->hostname == NULL ? "" : domains->hostname;
}
