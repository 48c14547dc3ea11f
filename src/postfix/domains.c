/* A set of names, the networks we trust, and one doubt: whether some list could not be enumerated. */
#include "postfix/domains.h"

#include <ifaddrs.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/run.h"
#include "postfix/restrictions.h"

#include <uthash.h>

enum { VALUE_MAX = 4 * 1024 * 1024, TABLE_MAX = 64 * 1024 * 1024, NETS_MAX = 4096, NAME_MAX_BYTES = 255 };

struct name {
	UT_hash_handle hh;
	bool is_listed;       /* itself */
	bool with_subdomains; /* and what ends in it */
	char text[];          /* lower case, without a leading dot */
};

struct mg_domains {
	atomic_uint refs;
	struct name *names;
	bool is_doubtful; /* a table or pattern that can't be enumerated */
	struct mg_net *trusted;
	size_t trusted_count;
	struct mg_ip *own; /* this machine's addresses */
	size_t own_count;
	char *hostname;
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

/* ---- tables ---- */

static bool can_be_enumerated(struct mg_str type)
{
	static const char *const types[] = { "hash", "btree", "lmdb", "cdb", "dbm", "sdbm", "texthash", "inline" };

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (mg_str_eq(type, mg_str_z(types[i])))
			return true;
	return false;
}

/* Every key without '@' is a domain; address keys speak of recipients. */
static void add_keys(struct mg_domains *domains, struct mg_str lines, bool with_subdomains)
{
	while (lines.n > 0) {
		struct mg_str line = mg_str_cut(&lines, '\n'), key;

		if (mg_read_word(&line, " \t", &key) && mg_str_find(key, '@') == SIZE_MAX)
			add_name(domains, key, with_subdomains);
	}
}

static void add_table(struct mg_domains *domains, const char *directory, struct mg_str table, bool with_subdomains)
{
	char text[1024];
	const char *argv[] = { "postmap", "-c", directory, "-s", text, NULL };
	struct mg_run run = { .argv = argv, .timeout_ms = MG_DOMAINS_TABLE_MS, .out_max = TABLE_MAX, .err_max = 4096 };
	struct mg_run_result result;
	struct mg_str rest;

	mg_read_token(&table, MG_STR("proxy:"));
	rest = table;
	if (!can_be_enumerated(mg_str_cut(&rest, ':')) || !mg_str_copy(text, sizeof text, table)) {
		domains->is_doubtful = true;
		return;
	}
	if (mg_run(&run, &result, NULL) == MG_OK && result.status == 0 && mg_buf_ok(&result.out))
		add_keys(domains, mg_buf_str(&result.out), with_subdomains);
	else
		domains->is_doubtful = true;
	mg_run_fini(&result);
}

/* A "/path" in a list stands for the lines of that file. */
static bool read_file(struct mg_str path, struct mg_buf *out)
{
	char name[1024], chunk[4096];
	FILE *file = mg_str_copy(name, sizeof name, path) ? fopen(name, "re") : NULL;
	size_t n;

	if (file == NULL)
		return false;
	while ((n = fread(chunk, 1, sizeof chunk, file)) > 0)
		mg_buf_add(out, mg_str_of(chunk, n));
	fclose(file);
	return mg_buf_ok(out);
}

static void without_comments(struct mg_buf *text)
{
	bool is_comment = false, is_start = true;

	for (size_t i = 0; i < text->n; i++) {
		is_comment = text->p[i] != '\n' && (is_comment || (is_start && text->p[i] == '#'));
		is_start = text->p[i] == '\n';
		if (is_comment)
			text->p[i] = ' ';
	}
}

/* ---- lists ---- */

/* Calls `take` for every pattern of a list, those of files it names included (one level, as far as Postfix's own
 * examples go). */
static void each_pattern(struct mg_domains *domains, struct mg_str list, void *context,
	void (*take)(struct mg_domains *, struct mg_str, void *))
{
	struct mg_str pattern;

	while (mg_postfix_word(&list, &pattern)) {
		struct mg_buf text;
		struct mg_str inner, one;

		if (pattern.p[0] != '/') {
			take(domains, pattern, context);
			continue;
		}
		mg_buf_init(&text, VALUE_MAX);
		if (!read_file(pattern, &text))
			domains->is_doubtful = true;
		without_comments(&text);
		for (inner = mg_buf_str(&text); mg_read_word(&inner, " ,\t\r\n", &one);)
			if (one.p[0] == '/')
				domains->is_doubtful = true;
			else
				take(domains, one, context);
		mg_buf_fini(&text);
	}
}

struct list {
	const char *directory;
	bool with_subdomains;
};

static void take_domain(struct mg_domains *domains, struct mg_str pattern, void *context)
{
	const struct list *list = context;

	if (pattern.p[0] == '!')
		domains->is_doubtful =
			true; /* an exception to what follows: names stay right, the rest is not certain */
	else if (mg_str_find(pattern, ':') != SIZE_MAX && pattern.p[0] != '[')
		add_table(domains, list->directory, pattern, list->with_subdomains);
	else
		add_name(domains, pattern, list->with_subdomains);
}

static bool is_narrow(const struct mg_net *net)
{
	return mg_ip_is_private(&net->base) || net->bits >= (net->base.family == MG_IP_V4 ? 16 : 32);
}

static void trust(struct mg_domains *domains, struct mg_str text)
{
	struct mg_net net;
	struct mg_net *more;

	if (!mg_net_parse(text, &net) || domains->trusted_count == NETS_MAX)
		return;
	more = realloc(domains->trusted, (domains->trusted_count + 1) * sizeof *more);
	if (more == NULL)
		return;
	domains->trusted = more;
	domains->trusted[domains->trusted_count++] = net;
}

static void take_network(struct mg_domains *domains, struct mg_str pattern, void *context)
{
	struct mg_net net;

	(void)context;
	if (mg_net_parse(pattern, &net) && is_narrow(&net))
		trust(domains, pattern);
}

/* ---- this machine ---- */

static void learn_own_addresses(struct mg_domains *domains)
{
	struct ifaddrs *all = NULL;
	size_t count = 0;
	unsigned port;

	if (getifaddrs(&all) != 0)
		return;
	for (struct ifaddrs *one = all; one != NULL; one = one->ifa_next)
		count++;
	domains->own = calloc(count + 1, sizeof *domains->own);
	for (struct ifaddrs *one = all; domains->own != NULL && one != NULL; one = one->ifa_next)
		if (mg_ip_from_sockaddr(one->ifa_addr, &domains->own[domains->own_count], &port))
			domains->own_count++;
	freeifaddrs(all);
}

static bool is_own(const struct mg_domains *domains, const struct mg_ip *ip)
{
	for (size_t i = 0; i < domains->own_count; i++)
		if (mg_ip_eq(&domains->own[i], ip))
			return true;
	return false;
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

static void load_list(struct mg_domains *domains, const struct mg_postfix *postfix, const char *parameter,
	void (*take)(struct mg_domains *, struct mg_str, void *))
{
	struct list list = { postfix->directory, matches_parents(postfix, parameter) };
	struct mg_buf value;

	mg_buf_init(&value, VALUE_MAX);
	if (mg_postfix_value(postfix, NULL, parameter, &value, NULL) == MG_OK && mg_buf_ok(&value))
		each_pattern(domains, mg_buf_str(&value), &list, take);
	else
		domains->is_doubtful = true;
	mg_buf_fini(&value);
}

enum mg_rc mg_domains_load(const struct mg_postfix *postfix, const struct mg_strings *trusted,
	const struct mg_domains **domains_out, struct mg_err *err)
{
	static const char *const lists[] = { "mydestination", "virtual_alias_domains", "virtual_mailbox_domains",
		"relay_domains" };
	struct mg_domains *domains = calloc(1, sizeof *domains);
	struct mg_buf hostname;

	if (domains == NULL)
		return mg_err_set(err, MG_ENOMEM, "no memory for Postfix's domains");
	atomic_init(&domains->refs, 1);
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
		load_list(domains, postfix, lists[i], take_domain);
	load_list(domains, postfix, "mynetworks", take_network);
	for (size_t i = 0; i < trusted->count; i++)
		trust(domains, mg_str_z(trusted->item[i]));
	learn_own_addresses(domains);
	mg_buf_init(&hostname, 1024);
	if (mg_postfix_value(postfix, NULL, "myhostname", &hostname, NULL) == MG_OK)
		domains->hostname = mg_str_dup(mg_buf_str(&hostname));
	mg_buf_fini(&hostname);
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
	free(last->trusted);
	free(last->own);
	free(last->hostname);
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
	if (domain.n == 0)
		return MG_DOMAIN_OURS;
	if (!mg_str_copy(text, sizeof text, domain))
		return MG_DOMAIN_FOREIGN; /* no name of ours is that long */
	mg_lower(text);
	if (has_name(domains, text, false))
		return MG_DOMAIN_OURS;
	if (text[0] == '[')
		return mg_ip_parse(domain, &ip) && is_own(domains, &ip) ? MG_DOMAIN_OURS : MG_DOMAIN_FOREIGN;
	for (const char *dot = strchr(text, '.'); dot != NULL; dot = strchr(dot + 1, '.'))
		if (has_name(domains, dot + 1, true))
			return MG_DOMAIN_OURS;
	return domains->is_doubtful ? MG_DOMAIN_UNKNOWN : MG_DOMAIN_FOREIGN;
}

bool mg_domains_trusts(const struct mg_domains *domains, const struct mg_ip *client)
{
	if (domains == NULL || client->family == MG_IP_NONE)
		return false;
	for (size_t i = 0; i < domains->trusted_count; i++)
		if (mg_net_contains(&domains->trusted[i], client))
			return true;
	return is_own(domains, client);
}

const char *mg_domains_hostname(const struct mg_domains *domains)
{
	return domains == NULL || domains->hostname == NULL ? "" : domains->hostname;
}
