/* Every list is read in its order, since "!" excludes from what comes behind it: the first rule that names the client decides. */
#include "postfix/trust.h"

#include <ifaddrs.h>
#include <stdlib.h>

#include "postfix/lookup_table.h"
#include "postfix/match_list.h"
#include "postfix/restrictions.h"

enum { RULES_MAX = 16384, TABLES_MAX = 32, VALUE_MAX = 4 * 1024 * 1024 };

struct rule {
	struct mg_net net;
	bool is_excluded;
};

struct rules {
	struct rule *item;
	size_t count;
};

struct mg_trust {
	struct rules networks, proxies;
	struct rules proxied; /* proxy_interfaces */
	struct mg_ip *own;
	size_t own_count;
	struct mg_strings certificates;  /* fingerprints that are permitted */
	bool permits_verified;           /* permit_tls_all_clientcerts */
	bool has_certificate_doubt;      /* a certificate table that can't be listed */
	struct mg_strings net_tables;    /* that can't be listed: whatever they find is trusted */
	struct mg_strings client_tables; /* likewise: what they find must permit */
	char *directory;
	struct mg_watch *watch; /* while it is made */
};

/* ---- networks ---- */

static bool is_narrow(const struct mg_net *net)
{
	return mg_net_is_private(net) || net->bits >= (net->base.family == MG_IP_V4 ? 16 : 32);
}

static void add_rule(struct rules *rules, const struct mg_net *net, bool is_excluded)
{
	struct rule *more;

	more = rules->count == RULES_MAX ? NULL : realloc(rules->item, (rules->count + 1) * sizeof *more);
	if (more == NULL)
		return;
	rules->item = more;
	rules->item[rules->count++] = (struct rule){ *net, is_excluded };
}

static bool names(const struct rules *rules, const struct mg_ip *ip)
{
	for (size_t i = 0; i < rules->count; i++)
		if (mg_net_contains(&rules->item[i].net, ip))
			return !rules->item[i].is_excluded;
	return false;
}

static void add_text(struct mg_strings *strings, struct mg_str text)
{
	char **more = strings->count == RULES_MAX ? NULL : realloc(strings->item, (strings->count + 1) * sizeof *more);

	if (more == NULL)
		return;
	strings->item = more;
	strings->item[strings->count] = mg_str_dup(text);
	strings->count += strings->item[strings->count] != NULL;
}

/* "192.0.2" in an indexed table stands for what begins with it. */
static bool parse_prefix(struct mg_str key, struct mg_net *net_out)
{
	struct mg_str rest = key, part;
	struct mg_net net = { .base.family = MG_IP_V4 };
	uint64_t number;

	while (net.bits < 32 && mg_read_word(&rest, ".", &part)) {
		if (!mg_str_to_u64(part, 255, &number))
			return false;
		net.base.bytes[net.bits / 8] = (unsigned char)number;
		net.bits += 8;
	}
	*net_out = net;
	return net.bits > 0 && rest.n == 0 && mg_str_find(key, '.') != SIZE_MAX;
}

static bool is_permission(struct mg_str value)
{
	struct mg_str rest = value, word;
	uint64_t number;

	if (!mg_read_word(&rest, " \t,", &word))
		return false;
	return mg_str_eq_nocase(word, MG_STR("OK")) || mg_str_eq_nocase(word, MG_STR("permit")) ||
	       (rest.n == 0 && mg_str_to_u64(word, UINT64_MAX, &number));
}

struct listing {
	struct mg_trust *trust;
	struct rules *rules;
	bool needs_permission; /* an access table: its value must permit */
};

static void take_entry(void *context, struct mg_str key, struct mg_str value)
{
	struct listing *listing = context;
	bool is_excluded = mg_read_token(&key, MG_STR("!"));
	struct mg_net net;

	if (listing->needs_permission && !is_permission(value))
		return;
	if (!is_excluded && (mg_net_parse(key, &net) || parse_prefix(key, &net)) && is_narrow(&net))
		add_rule(listing->rules, &net, false);
}

static void take_table(struct listing *listing, struct mg_str table)
{
	struct mg_trust *trust = listing->trust;
	struct mg_strings *asked = listing->needs_permission ? &trust->client_tables : &trust->net_tables;

	if (!mg_lookup_table_list(trust->directory, table, take_entry, listing) && asked->count < TABLES_MAX)
		add_text(asked, table);
}

static void take_network(void *context, struct mg_str pattern, bool is_excluded)
{
	struct listing *listing = context;
	struct mg_net net;

	if (mg_match_list_is_table(pattern) && !is_excluded)
		take_table(listing, pattern);
	else if (mg_net_parse(pattern, &net) && (is_excluded || is_narrow(&net)))
		add_rule(listing->rules, &net, is_excluded);
}

static void load_networks(struct mg_trust *trust, const struct mg_postfix *postfix,
	const struct mg_postfix_service *service, const char *parameter, struct rules *rules)
{
	struct listing listing = { trust, rules, false };
	struct mg_buf value;

	mg_buf_init(&value, VALUE_MAX);
	if (mg_postfix_value(postfix, service, parameter, &value, NULL) == MG_OK) {
		mg_watch_add_list(trust->watch, mg_buf_str(&value)); /* before it is read */
		mg_match_list_each(mg_buf_str(&value), take_network, &listing);
	}
	mg_buf_fini(&value);
}

/* ---- certificates ---- */

static void take_certificate(void *context, struct mg_str key, struct mg_str value)
{
	struct listing *listing = context;

	if (!listing->needs_permission || is_permission(value))
		add_text(&listing->trust->certificates, key);
}

static void take_certificate_table(struct listing *listing, struct mg_str table)
{
	if (!mg_lookup_table_list(listing->trust->directory, table, take_certificate, listing))
		listing->trust->has_certificate_doubt = true;
}

static void take_certificates(void *context, struct mg_str pattern, bool is_excluded)
{
	(void)is_excluded;
	if (mg_match_list_is_table(pattern))
		take_certificate_table(context, pattern);
}

static void load_certificates(
	struct mg_trust *trust, const struct mg_postfix *postfix, const struct mg_postfix_service *service)
{
	struct listing listing = { trust, NULL, false };
	struct mg_buf value;

	mg_buf_init(&value, VALUE_MAX);
	if (mg_postfix_value(postfix, service, "relay_clientcerts", &value, NULL) == MG_OK) {
		mg_watch_add_list(trust->watch, mg_buf_str(&value));
		mg_match_list_each(mg_buf_str(&value), take_certificates, &listing);
	}
	mg_buf_fini(&value);
}

/* ---- restriction lists ---- */

/* "{ type:name, search_order=... }" or "type:name". */
static struct mg_str table_of(struct mg_str argument)
{
	struct mg_str word = argument;

	if (mg_read_token(&argument, MG_STR("{")))
		mg_read_word(&argument, " ,\t\r\n}", &word);
	return word;
}

static void read_restriction(struct mg_trust *trust, const struct mg_postfix *postfix,
	const struct mg_postfix_service *service, const struct mg_restriction *restriction)
{
	struct listing listing = { trust, &trust->networks, true };

	if (mg_str_eq_nocase(restriction->name, MG_STR("permit_tls_all_clientcerts")))
		trust->permits_verified = true;
	else if (mg_str_eq_nocase(restriction->name, MG_STR("permit_tls_clientcerts")))
		load_certificates(trust, postfix, service);
	else if (mg_str_eq_nocase(restriction->name, MG_STR("check_ccert_access")))
		take_certificate_table(&listing, table_of(restriction->argument));
	else if (mg_str_eq_nocase(restriction->name, MG_STR("check_client_access")))
		take_table(&listing, table_of(restriction->argument));
}

static void read_restrictions(struct mg_trust *trust, const struct mg_postfix *postfix,
	const struct mg_postfix_service *service, const char *parameter)
{
	struct mg_restriction restriction;
	struct mg_buf value;
	struct mg_str rest;
	bool is_known;

	mg_buf_init(&value, VALUE_MAX);
	is_known = mg_postfix_value(postfix, service, parameter, &value, NULL) == MG_OK;
	mg_watch_add_list(trust->watch, mg_buf_str(&value));
	if (is_known)
		for (rest = mg_buf_str(&value); mg_restriction_next(&rest, &restriction);)
			read_restriction(trust, postfix, service, &restriction);
	mg_buf_fini(&value);
}

static void read_classes(
	struct mg_trust *trust, const struct mg_postfix *postfix, const struct mg_postfix_service *service)
{
	struct mg_buf value;
	struct mg_str rest, word;
	char name[256];

	mg_buf_init(&value, VALUE_MAX);
	if (mg_postfix_value(postfix, service, "smtpd_restriction_classes", &value, NULL) == MG_OK)
		for (rest = mg_buf_str(&value); mg_postfix_word(&rest, &word);)
			if (mg_str_copy(name, sizeof name, word))
				read_restrictions(trust, postfix, service, name);
	mg_buf_fini(&value);
}

/* What one service says for itself counts for all: to refuse needs certainty. */
static void read_services(struct mg_trust *trust, const struct mg_postfix *postfix)
{
	const struct mg_postfix_service *service = NULL;

	do { /* first main.cf alone, then each smtpd that overrides it */
		if (service == NULL || service->override_count > 0) {
			load_networks(trust, postfix, service, "mynetworks", &trust->networks);
			load_networks(trust, postfix, service, "smtpd_authorized_xclient_hosts", &trust->proxies);
			read_restrictions(trust, postfix, service, "smtpd_relay_restrictions");
			read_restrictions(trust, postfix, service, "smtpd_recipient_restrictions");
			read_classes(trust, postfix, service);
		}
		service = mg_postfix_next_smtpd(postfix, service);
	} while (service != NULL);
}

/* Behind NAT or a proxy: addresses that are ours to others. A client that has one is no more ours than any other. */
static void load_proxied(struct mg_trust *trust, const struct mg_postfix *postfix)
{
	struct mg_buf value;
	struct mg_str rest, word;

	mg_buf_init(&value, VALUE_MAX);
	if (mg_postfix_value(postfix, NULL, "proxy_interfaces", &value, NULL) == MG_OK)
		for (rest = mg_buf_str(&value); mg_postfix_word(&rest, &word);) {
			struct mg_net net;

			if (mg_net_parse(word, &net))
				add_rule(&trust->proxied, &net, false);
		}
	mg_buf_fini(&value);
}

/* ---- life ---- */

static void learn_own_addresses(struct mg_trust *trust)
{
	struct ifaddrs *all = NULL;
	size_t count = 0;
	unsigned port;

	if (getifaddrs(&all) != 0)
		return;
	for (struct ifaddrs *one = all; one != NULL; one = one->ifa_next)
		count++;
	trust->own = calloc(count + 1, sizeof *trust->own);
	for (struct ifaddrs *one = all; trust->own != NULL && one != NULL; one = one->ifa_next)
		if (mg_ip_from_sockaddr(one->ifa_addr, &trust->own[trust->own_count], &port))
			trust->own_count++;
	freeifaddrs(all);
}

struct mg_trust *mg_trust_new(
	const struct mg_postfix *postfix, const struct mg_strings *trusted, struct mg_watch *watch)
{
	struct mg_trust *trust = calloc(1, sizeof *trust);
	struct mg_net net;

	if (trust == NULL || (trust->directory = mg_str_dup(mg_str_z(postfix->directory))) == NULL) {
		free(trust);
		return NULL;
	}
	trust->watch = watch;
	learn_own_addresses(trust);
	for (size_t i = 0; i < trusted->count; i++)
		if (mg_net_parse(mg_str_z(trusted->item[i]), &net))
			add_rule(&trust->networks, &net, false); /* of any width: the administrator said so to us */
	read_services(trust, postfix);
	load_proxied(trust, postfix);
	trust->watch = NULL;
	return trust;
}

static void free_texts(struct mg_strings *strings)
{
	for (size_t i = 0; i < strings->count; i++)
		free(strings->item[i]);
	free(strings->item);
}

void mg_trust_free(struct mg_trust **trust)
{
	if (*trust == NULL)
		return;
	free((*trust)->networks.item);
	free((*trust)->proxies.item);
	free((*trust)->proxied.item);
	free((*trust)->own);
	free_texts(&(*trust)->certificates);
	free_texts(&(*trust)->net_tables);
	free_texts(&(*trust)->client_tables);
	free((*trust)->directory);
	free(*trust);
	*trust = NULL;
}

/* ---- questions ---- */

static bool is_local(const struct mg_trust *trust, const struct mg_ip *ip)
{
	for (size_t i = 0; i < trust->own_count; i++)
		if (mg_ip_eq(&trust->own[i], ip))
			return true;
	return false;
}

bool mg_trust_is_own(const struct mg_trust *trust, const struct mg_ip *ip)
{
	return is_local(trust, ip) || names(&trust->proxied, ip);
}

enum mg_trusted mg_trust_client(const struct mg_trust *trust, const struct mg_ip *client)
{
	if (client->family == MG_IP_NONE)
		return MG_TRUST_NO;
	if (names(&trust->networks, client) || is_local(trust, client))
		return MG_TRUST_YES;
	return trust->client_tables.count + trust->net_tables.count > 0 ? MG_TRUST_DOUBT : MG_TRUST_NO;
}

/* What one table says of one address: NO, YES, or DOUBT where it does not answer. */
static enum mg_trusted ask_table(const struct mg_trust *trust, const char *table, const struct mg_ip *client,
	bool needs_permission, int timeout_ms)
{
	char text[MG_IP_TEXT];
	struct mg_buf value;
	enum mg_lookup_result found;
	bool permits;

	mg_buf_init(&value, 4096);
	found = mg_lookup_table_ask(
		trust->directory, mg_str_z(table), mg_str_z(mg_ip_text(client, text, sizeof text)), timeout_ms, &value);
	permits = found == MG_LOOKUP_FOUND && (!needs_permission || is_permission(mg_buf_str(&value)));
	mg_buf_fini(&value);
	return found == MG_LOOKUP_FAILED ? MG_TRUST_DOUBT : permits ? MG_TRUST_YES : MG_TRUST_NO;
}

/* A table that permits addresses from other ends of the world as well is no list of trusted clients. */
static bool is_wide_table(const struct mg_trust *trust, const char *table, const struct mg_ip *client,
	bool needs_permission, int timeout_ms)
{
	static const unsigned char elsewhere[] = { 5, 94, 201 };

	for (size_t i = 0; i < sizeof elsewhere; i++) {
		struct mg_ip other = *client;

		other.bytes[client->family == MG_IP_V4 ? 0 : 2] ^= elsewhere[i];
		other.bytes[3] ^= elsewhere[i];
		if (!mg_ip_is_private(&other) && !mg_ip_is_loopback(&other) &&
			ask_table(trust, table, &other, needs_permission, timeout_ms) == MG_TRUST_YES)
			return true;
	}
	return false;
}

/* DOUBT: one of them does not answer. */
static enum mg_trusted ask_tables(const struct mg_trust *trust, const struct mg_strings *tables,
	const struct mg_ip *client, bool needs_permission, int timeout_ms)
{
	for (size_t i = 0; i < tables->count; i++) {
		const char *table = tables->item[i];
		enum mg_trusted answer = ask_table(trust, table, client, needs_permission, timeout_ms);

		if (answer == MG_TRUST_DOUBT ||
			(answer == MG_TRUST_YES && !is_wide_table(trust, table, client, needs_permission, timeout_ms)))
			return answer;
	}
	return MG_TRUST_NO;
}

enum mg_trusted mg_trust_ask_client(const struct mg_trust *trust, const struct mg_ip *client, int timeout_ms)
{
	enum mg_trusted answer = mg_trust_client(trust, client);

	if (answer != MG_TRUST_DOUBT)
		return answer;
	answer = ask_tables(trust, &trust->net_tables, client, false, timeout_ms);
	return answer == MG_TRUST_NO ? ask_tables(trust, &trust->client_tables, client, true, timeout_ms) : answer;
}

static bool has_fingerprint(const struct mg_trust *trust, struct mg_str fingerprint)
{
	for (size_t i = 0; fingerprint.n > 0 && i < trust->certificates.count; i++)
		if (mg_str_eq_nocase(mg_str_z(trust->certificates.item[i]), fingerprint))
			return true;
	return false;
}

enum mg_trusted mg_trust_certificate(const struct mg_trust *trust, const struct mg_certificate *certificate)
{
	bool is_listing = trust->certificates.count > 0 || trust->has_certificate_doubt;

	if (!certificate->is_tls)
		return MG_TRUST_NO;
	if ((certificate->is_verified && trust->permits_verified) || has_fingerprint(trust, certificate->fingerprint) ||
		has_fingerprint(trust, certificate->key_fingerprint))
		return MG_TRUST_YES;
	if (!is_listing || (certificate->knows_fingerprints && certificate->fingerprint.n == 0))
		return MG_TRUST_NO;
	return certificate->knows_fingerprints && !trust->has_certificate_doubt ? MG_TRUST_NO : MG_TRUST_DOUBT;
}

bool mg_trust_proxy(const struct mg_trust *trust, const struct mg_ip *client)
{
	return mg_ip_is_loopback(client) || names(&trust->proxies, client) ||
	       mg_trust_client(trust, client) != MG_TRUST_NO;
}
