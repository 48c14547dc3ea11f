#include "conf/settings.h"

#include "base/i18n.h"
#include "conf/check.h"
#include "conf/conf.h"

#define AT(field)    offsetof(struct mg_conf, field)
#define LIMIT(field) offsetof(struct mg_limit_row, field)
#define DNSBL(field) offsetof(struct mg_dnsbl_row, field)
#define DKIM(field)  offsetof(struct mg_dkim_row, field)
#define LEVEL(field) offsetof(struct mg_threshold_row, field)

enum {
	LIST_MAX = 1000,
	DNS_SERVERS_MAX = 8, /* MG_RESOLVER_SERVERS */
	MINUTE_S = 60,
	HOUR_S = 3600,
	DAY_S = 86400,
	YEAR_S = 365 * DAY_S,
};

static const struct mg_setting_word modes[] = { { "enforce", MG_MODE_ENFORCE }, { "observe", MG_MODE_OBSERVE }, { 0 } };
static const struct mg_setting_word levels[] = { { "off", MG_LEVEL_OFF }, { "record", MG_LEVEL_RECORD },
	{ "enforce", MG_LEVEL_ENFORCE }, { 0 } };
static const struct mg_setting_word temperrors[] = { { "accept", 0 }, { "tempfail", 1 }, { 0 } };
static const struct mg_setting_word relay_actions[] = { { "reject", MG_RELAY_ACTION_REJECT },
	{ "observe", MG_RELAY_ACTION_OBSERVE }, { "off", MG_RELAY_ACTION_OFF }, { 0 } };
static const struct mg_setting_word limit_actions[] = { { "tempfail", MG_LIMIT_TEMPFAIL },
	{ "reject", MG_LIMIT_REJECT }, { "hold", MG_LIMIT_HOLD }, { "observe", MG_LIMIT_OBSERVE }, { 0 } };
static const struct mg_setting_word limit_counts[] = { { "messages", MG_COUNT_MESSAGES },
	{ "recipients", MG_COUNT_RECIPIENTS }, { "new_recipients", MG_COUNT_NEW_RECIPIENTS },
	{ "bytes", MG_COUNT_BYTES }, { "connections", MG_COUNT_CONNECTIONS }, { "failures", MG_COUNT_FAILURES },
	{ 0 } };
static const struct mg_setting_word abuse_actions[] = { { "notify", MG_ABUSE_NOTIFY },
	{ "tempfail", MG_ABUSE_TEMPFAIL }, { "hold", MG_ABUSE_HOLD }, { "off", MG_ABUSE_OFF }, { 0 } };

static enum mg_rc finish_limit(void *items, size_t at, struct mg_err *why)
{
	struct mg_limit_row *limits = items, *limit = &limits[at];
	char name[MG_QUOTED];

	if (limit->burst == 0)
		limit->burst = limit->limit;
	if (limit->burst > limit->limit)
		return mg_err_set(why, MG_ERANGE,
			_("the burst %llu of the limit %s is above its limit of %llu; write burst = %llu or less"),
			(unsigned long long)limit->burst, mg_quoted(name, mg_str_z(limit->name)),
			(unsigned long long)limit->limit, (unsigned long long)limit->limit);
	for (size_t i = 0; i < at; i++)
		if (strcmp(limits[i].name, limit->name) == 0)
			return mg_err_set(why, MG_ESYNTAX, _("two limits are named %s; give each its own name"),
				mg_quoted(name, mg_str_z(limit->name)));
	return MG_OK;
}

static enum mg_rc finish_dnsbl(void *items, size_t at, struct mg_err *why)
{
	struct mg_dnsbl_row *lists = items;
	char zone[MG_QUOTED];

	if (lists[at].weight == 0)
		return mg_err_set(why, MG_ERANGE,
			_("the weight of %s is 0, so it would count for nothing; write another or take the list out"),
			mg_quoted(zone, mg_str_z(lists[at].zone)));
	for (size_t i = 0; i < at; i++)
		if (mg_str_eq_nocase(mg_str_z(lists[i].zone), mg_str_z(lists[at].zone)))
			return mg_err_set(why, MG_ESYNTAX, _("the list %s is named twice; take one out"),
				mg_quoted(zone, mg_str_z(lists[at].zone)));
	return MG_OK;
}

static const struct mg_setting_table limits_table = {
	.shape = MG_TABLE_GROUPS,
	.item_size = sizeof(struct mg_limit_row),
	.count_offset = AT(rate.limit_count),
	.items_max = 32,
	.finish = finish_limit,
};
static const struct mg_setting_table dnsbl_table = {
	.shape = MG_TABLE_NAME_GROUPS,
	.item_size = sizeof(struct mg_dnsbl_row),
	.count_offset = AT(auth.dnsbl_count),
	.items_max = 32,
	.finish = finish_dnsbl,
};
static const struct mg_setting_table dkim_table = {
	.shape = MG_TABLE_GROUPS,
	.item_size = sizeof(struct mg_dkim_row),
	.count_offset = AT(health.dkim_count),
	.items_max = 1000,
};
static const struct mg_setting_table thresholds_table = {
	.shape = MG_TABLE_KEYED,
	.item_size = sizeof(struct mg_threshold_row),
	.count_offset = AT(health.threshold_count),
	.items_max = 200,
	.name_offset = LEVEL(check),
	.name_check = mg_check_id,
};

/* One row, one setting. The macros only save the columns a type doesn't use. */
#define TEXT(name, field, preset, check, fixed, help)                                                                  \
	{                                                                                                              \
		name, MG_SETTING_TEXT, field, preset, 0, 0, NULL, check, NULL, fixed, help                             \
	}
#define TEXTS(name, field, check, help)                                                                                \
	{                                                                                                              \
		name, MG_SETTING_TEXTS, field, "( )", 0, LIST_MAX, NULL, check, NULL, false, help                      \
	}
#define BOOL(name, field, preset, help)                                                                                \
	{                                                                                                              \
		name, MG_SETTING_BOOL, field, preset, 0, 1, NULL, NULL, NULL, false, help                              \
	}
#define WORD(name, field, preset, words, help)                                                                         \
	{                                                                                                              \
		name, MG_SETTING_WORD, field, preset, 0, 0, words, NULL, NULL, false, help                             \
	}
#define UINT(name, field, preset, min, max, help)                                                                      \
	{                                                                                                              \
		name, MG_SETTING_UINT, field, preset, min, max, NULL, NULL, NULL, false, help                          \
	}
#define SECONDS(name, field, preset, min, max, help)                                                                   \
	{                                                                                                              \
		name, MG_SETTING_SECONDS, field, preset, min, max, NULL, NULL, NULL, false, help                       \
	}
#define TABLE(name, field, preset, table, help)                                                                        \
	{                                                                                                              \
		name, MG_SETTING_TABLE, field, preset, 0, 0, NULL, NULL, &table, false, help                           \
	}

#define SPOOL "\"unix:/var/spool/postfix/mailguard/"
#define STATE "\"/var/lib/mailguard/"
/* clang-format off */
const struct mg_setting mg_settings[] = {
	WORD("mode", AT(mode), "\"enforce\"", modes, N_("decide and act, or decide, record and accept")),
	TEXT("authserv_id", AT(authserv_id), "\"\"", mg_check_authserv, false, N_("the name under which results are added and forged ones removed")),
	TEXT("language", AT(language), "\"\"", mg_check_language, false, N_("the language of sentences for people")),
	TEXT("user", AT(user), "\"mailguard\"", mg_check_account, true, N_("the account the daemon runs as")),
	TEXT("milter.listen", AT(milter.listen), SPOOL "milter.sock\"", mg_check_listen, true, N_("where Postfix reaches the milter")),
	UINT("milter.max_sessions", AT(milter.max_sessions), "500", 1, 10000, N_("milter sessions at once")),
	TEXT("policy.listen", AT(policy.listen), SPOOL "policy.sock\"", mg_check_listen, true, N_("where Postfix asks for policy")),
	TEXT("control.listen", AT(control.listen), "\"unix:/run/mailguard/control.sock\"", mg_check_listen, true, N_("where mailguardctl reaches the daemon")),
	TEXT("control.group", AT(control.group), "\"mailguard\"", mg_check_account, false, N_("the group that may read through the control socket")),
	TEXT("control.admin_group", AT(control.admin_group), "\"\"", mg_check_account, false, N_("the group that may change state through the control socket")),
	TEXT("http.listen", AT(http.listen), "\"inet:127.0.0.1:9619\"", mg_check_listen, true, N_("where metrics, health and the status page are served")),
	TEXT("postfix.config_directory", AT(postfix.config_directory), "\"/etc/postfix\"", mg_check_path, false, N_("the directory of main.cf and master.cf")),
	TEXT("postfix.log", AT(postfix.log), "\"auto\"", mg_check_log, false, N_("where Postfix's log is read")),
	TEXT("dovecot.config", AT(dovecot.config), "\"\"", mg_check_path_none, false, N_("the configuration file of Dovecot")),
	{ "dns.servers", MG_SETTING_TEXTS, AT(dns.servers), "( )", 0, DNS_SERVERS_MAX, NULL, mg_check_server, NULL, false, N_("the resolvers to ask") },
	UINT("dns.timeout_ms", AT(dns.timeout_ms), "2000", 50, 30000, N_("how long one try waits for its answer")),
	UINT("dns.tries", AT(dns.tries), "2", 1, 10, N_("how often a question is asked")),
	UINT("dns.cache_entries", AT(dns.cache_entries), "100000", 100, 10000000, N_("answers kept")),
	TEXT("journal.path", AT(journal.path), STATE "journal.db\"", mg_check_path, false, N_("the file of the record")),
	UINT("journal.keep_days", AT(journal.keep_days), "30", 1, 3650, N_("how long transactions are kept")),
	UINT("journal.max_mb", AT(journal.max_mb), "2048", 1, 1048576, N_("how large the record may grow")),
	BOOL("journal.pseudonymize", AT(journal.pseudonymize), "false", N_("keep addresses as keyed hashes only")),
	TEXT("state.store", AT(state.store), "\"memory\"", mg_check_store, false, N_("where limits, scores and bans live")),
	TEXT("state.snapshot", AT(state.snapshot), STATE "state.db\"", mg_check_path_none, false, N_("the copy on disk that outlives a restart")),
	UINT("state.max_keys", AT(state.max_keys), "200000", 16, 16777216, N_("keys kept in memory")),
	TEXT("state.password_file", AT(state.password_file), "\"\"", mg_check_path_none, false, N_("the file that holds the store's password")),
	WORD("auth.spf", AT(auth.spf), "\"record\"", levels, N_("Sender Policy Framework")),
	WORD("auth.dkim", AT(auth.dkim), "\"record\"", levels, N_("DomainKeys Identified Mail")),
	WORD("auth.arc", AT(auth.arc), "\"record\"", levels, N_("Authenticated Received Chain")),
	WORD("auth.dmarc", AT(auth.dmarc), "\"enforce\"", levels, N_("Domain-based Message Authentication")),
	WORD("auth.iprev", AT(auth.iprev), "\"record\"", levels, N_("whether the client's address and name agree")),
	{ "auth.on_temperror", MG_SETTING_SWITCH, AT(auth.tempfail_on_temperror), "\"accept\"", 0, 1, temperrors, NULL, NULL, false, N_("what an enforced method does when DNS gives no answer") },
	TEXTS("auth.trusted_sealers", AT(auth.trusted_sealers), mg_check_domain, N_("domains whose ARC seals are believed")),
	BOOL("auth.add_header", AT(auth.add_header), "true", N_("add an Authentication-Results field")),
	BOOL("auth.add_received_spf", AT(auth.add_received_spf), "false", N_("add a Received-SPF field too")),
	UINT("auth.max_signatures", AT(auth.max_signatures), "8", 1, 64, N_("DKIM signatures looked at in a message")),
	UINT("auth.time_budget_ms", AT(auth.time_budget_ms), "15000", 100, 29000, N_("time all evaluators have for a message")),
	TABLE("auth.dnsbl", AT(auth.dnsbl), "( )", dnsbl_table, N_("DNS blocklists asked about the client")),
	TEXT("auth.dnsbl.zone", DNSBL(zone), NULL, mg_check_domain, false, N_("the list's zone")),
	{ "auth.dnsbl.weight", MG_SETTING_INT, DNSBL(weight), "1", -100, 100, NULL, NULL, NULL, false, N_("points for being listed; a negative weight speaks for the client") },
	WORD("auth.dnsbl_action", AT(auth.dnsbl_action), "\"record\"", levels, N_("what is done when the points reach the threshold")),
	UINT("auth.dnsbl_threshold", AT(auth.dnsbl_threshold), "1", 1, 1000, N_("points from which on a client counts as listed")),
	WORD("relay.action", AT(relay.action), "\"reject\"", relay_actions, N_("what is done when a stranger relays")),
	TEXTS("relay.trusted", AT(relay.trusted), mg_check_net, N_("addresses and networks that may relay")),
	TABLE("rate.limits", AT(rate.limits), "( { name = \"login-hour\"; key = \"user\"; count = \"recipients\"; limit = 500; per = \"1h\"; action = \"tempfail\"; } )",
		limits_table, N_("how much a client, user or domain may send")),
	TEXT("rate.limits.name", LIMIT(name), NULL, mg_check_limit_name, false, N_("how the limit is called in logs and commands")),
	TEXT("rate.limits.key", LIMIT(key), NULL, mg_check_limit_key, false, N_("whose share it is; one word or two joined by +")),
	WORD("rate.limits.count", LIMIT(count), NULL, limit_counts, N_("what is counted")),
	UINT("rate.limits.limit", LIMIT(limit), NULL, 1, 1000000000000, N_("how much in a period")),
	UINT("rate.limits.burst", LIMIT(burst), "0", 1, 1000000000000, N_("how much at once")),
	SECONDS("rate.limits.per", LIMIT(per_s), NULL, 1, YEAR_S, N_("the period")),
	WORD("rate.limits.action", LIMIT(action), "\"tempfail\"", limit_actions, N_("what is done beyond the limit")),
	TEXTS("rate.limits.except", LIMIT(except), mg_check_except, N_("keys the limit is not for")),
	WORD("abuse.action", AT(abuse.action), "\"tempfail\"", abuse_actions, N_("what is done with an account that looks compromised")),
	UINT("abuse.score", AT(abuse.score), "3", 1, 100, N_("signs that make an account suspicious")),
	SECONDS("abuse.expire", AT(abuse.expire_s), "\"24h\"", MINUTE_S, YEAR_S, N_("when a sign is forgotten")),
	BOOL("greylist.enabled", AT(greylist.enabled), "false", N_("ask unknown clients to come back later")),
	SECONDS("greylist.delay", AT(greylist.delay_s), "\"5m\"", 1, DAY_S, N_("how much later")),
	SECONDS("health.interval", AT(health.interval_s), "\"60s\"", 1, DAY_S, N_("how often checks run")),
	TEXTS("health.domains", AT(health.domains), mg_check_domain, N_("own sending domains")),
	TEXTS("health.public_addresses", AT(health.public_addresses), mg_check_ip, N_("addresses this server sends from, as the world sees them")),
	TABLE("health.dkim", AT(health.dkim), "( )", dkim_table, N_("own DKIM keys")),
	TEXT("health.dkim.domain", DKIM(domain), NULL, mg_check_domain, false, N_("the signing domain")),
	TEXT("health.dkim.selector", DKIM(selector), NULL, mg_check_selector, false, N_("its selector")),
	TEXT("health.dkim.key_file", DKIM(key_file), "\"\"", mg_check_path_none, false, N_("the private key, compared with the published one")),
	TEXTS("health.outbound25", AT(health.outbound25), mg_check_host, N_("hosts whose port 25 is tried")),
	TEXT("health.backup.path", AT(health.backup_path), "\"\"", mg_check_path_none, false, N_("where backups of the mailboxes are written")),
	SECONDS("health.backup.period", AT(health.backup_period_s), "\"1d\"", MINUTE_S, YEAR_S, N_("how often one is made")),
	BOOL("health.updates", AT(health.updates), "false", N_("look for pending security updates of mail packages")),
	TABLE("health.thresholds", AT(health.thresholds), "{ }", thresholds_table, N_("other thresholds for single checks")),
	{ "health.thresholds.warn", MG_SETTING_NUMBER, LEVEL(warn), "", -1000000000000, 1000000000000, NULL, NULL, NULL, false, N_("the value from which on the check warns") },
	{ "health.thresholds.crit", MG_SETTING_NUMBER, LEVEL(crit), "", -1000000000000, 1000000000000, NULL, NULL, NULL, false, N_("the value from which on the check is critical") },
	TEXT("alert.mail", AT(alert.mail), "\"\"", mg_check_mail, false, N_("the address told of changes for the worse")),
	TEXT("alert.exec", AT(alert.exec), "\"\"", mg_check_path_none, false, N_("the program run on a change")),
	TEXT("alert.webhook", AT(alert.webhook), "\"\"", mg_check_webhook, false, N_("the URL posted to on a change")),
	{ 0 },
};
/* clang-format on */

struct mg_str mg_setting_key(const struct mg_setting *row)
{
	struct mg_str path = mg_str_z(row->path);
	size_t dot = mg_str_rfind(path, '.');

	return dot == SIZE_MAX ? path : mg_str_from(path, dot + 1);
}

const struct mg_setting *mg_setting_find(struct mg_str path)
{
	for (const struct mg_setting *row = mg_settings; row->path != NULL; row++)
		if (mg_str_eq(mg_str_z(row->path), path))
			return row;
	return NULL;
}

bool mg_setting_is_section(struct mg_str path)
{
	for (const struct mg_setting *row = mg_settings; row->path != NULL; row++)
		if (mg_str_starts(mg_str_z(row->path), path) && row->path[path.n] == '.')
			return true;
	return false;
}

bool mg_setting_is_field(const struct mg_setting *row, const struct mg_setting *table_row)
{
	struct mg_str table = mg_str_z(table_row->path);

	return row->path != NULL && mg_str_starts(mg_str_z(row->path), table) && row->path[table.n] == '.';
}

const char *mg_setting_word_name(const struct mg_setting_word *words, int value)
{
	for (; words->name != NULL; words++)
		if (words->value == value)
			return words->name;
	return "";
}
