/* Whom a configuration trusts, whose domains it names, and what the relay guard makes of both. */
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "guard/relay.h"
#include "guard/relay_inquiry.h"
#include "postfix_kit.h"
#include "zone_kit.h"

#include <pthread.h>
#include <semaphore.h>
#include <time.h>

/* ---- trusted clients ---- */

struct trust_row {
	const char *name, *main, *table; /* table: the file "table"; NULL none */
	const char *type;                /* of an index to be made; NULL none */
	const char *yes[4], *no[4], *doubt[2];
};
#define ACCESS(type) "smtpd_relay_restrictions = check_client_access " type ":@D@/table, reject_unauth_destination\n"
static const struct trust_row trust_rows[] = {
	{ "narrow networks", "mynetworks = 192.0.2.0/24, 198.51.0.0/16 203.0.113.7 [2001:db8::]/32\n", NULL, NULL,
		{ "192.0.2.9", "198.51.7.7", "203.0.113.7", "2001:db8:1::1" }, { "203.0.113.8", "2001:db9::1" },
		{ 0 } },
	{ "wide networks", "mynetworks = 192.0.0.0/15 0.0.0.0/0 2001:d00::/24 [::]/0\n", NULL, NULL, { 0 },
		{ "192.0.2.9", "203.0.113.8", "2001:db8::1" }, { 0 } },
	{ "private networks of any width", "mynetworks = 10.0.0.0/8 172.16.0.0/12 fc00::/7 fe80::/10\n", NULL, NULL,
		{ "10.1.2.3", "172.31.0.1", "fd00::1", "fe80::1" }, { "11.0.0.1" }, { 0 } },
	{ "an exclusion speaks before what follows", "mynetworks = !192.0.2.66, 192.0.2.0/24, !192.0.2.9\n", NULL, NULL,
		{ "192.0.2.1", "192.0.2.9" }, { "192.0.2.66" }, { 0 } },
	{ "a file of networks", "mynetworks = @D@/table\n",
		"# 203.0.113.1\n  # 203.0.113.2\n192.0.2.0/24 !198.51.100.1\n198.51.100.0/24\n", NULL,
		{ "192.0.2.1", "198.51.100.2" }, { "203.0.113.1", "203.0.113.2", "198.51.100.1" }, { 0 } },
	{ "a cidr table of networks", "mynetworks = cidr:@D@/table\n", "192.0.2.0/24 OK\n0.0.0.0/0 OK\n", NULL,
		{ "192.0.2.1" }, { "203.0.113.1" }, { 0 } },
	{ "a cidr access table: only what permits, and is narrow", ACCESS("cidr"),
		"192.0.2.0/24 REJECT no\n198.51.100.0/24 OK\n203.0.113.0/24 permit\n100.64.0.0/16 4\n0.0.0.0/1 OK\n",
		NULL, { "198.51.100.1", "203.0.113.1", "100.64.1.1" }, { "192.0.2.1", "1.2.3.4" }, { 0 } },
	{ "a value on a line of its own", ACCESS("cidr"), "192.0.2.0/24\n    OK\n", NULL, { "192.0.2.1" },
		{ "192.0.3.1" }, { 0 } },
	{ "octet prefixes in an indexed access table", ACCESS("hash"), "192.0.2 OK\n198.51 OK\n203 OK\n", "hash",
		{ "192.0.2.1", "198.51.7.7" }, { "203.0.113.1", "192.0.3.1" }, { 0 } },
	{ "texthash", ACCESS("texthash"), "192.0.2.101 OK\n192.0.2.102 DUNNO\n", NULL, { "192.0.2.101" },
		{ "192.0.2.102" }, { 0 } },
	{ "inline", "smtpd_relay_restrictions = check_client_access inline:{ {192.0.2.101 = OK} }, reject\n", NULL,
		NULL, { "192.0.2.101" }, { "192.0.2.102" }, { 0 } },
	{ "a pattern table can only be asked", ACCESS("regexp"), "/^192\\.0\\.2\\./ OK\n", NULL, { 0 }, { 0 },
		{ "192.0.2.1", "203.0.113.1" } },
	{ "conditions in a cidr table: asked", ACCESS("cidr"), "if 192.0.2.0/24\n192.0.2.1 OK\nendif\n", NULL, { 0 },
		{ 0 }, { "192.0.2.1", "203.0.113.1" } },
	{ "a table that is not there: asked", ACCESS("hash"), NULL, NULL, { 0 }, { 0 }, { "192.0.2.1" } },
	{ "a restriction class",
		"smtpd_restriction_classes = mine\nmine = check_client_access cidr:@D@/table\n"
		"smtpd_relay_restrictions = mine, reject_unauth_destination\n",
		"192.0.2.0/24 OK\n", NULL, { "192.0.2.1" }, { "203.0.113.1" }, { 0 } },
	{ "an address that others know us by is no client of ours", "proxy_interfaces = 203.0.113.1\n", NULL, NULL,
		{ 0 }, { "203.0.113.1" }, { 0 } },
};

static enum mg_trusted trust_of(const struct mg_domains *domains, const char *ip)
{
	struct mg_ip client = kit_ip(ip);

	return mg_trust_client(mg_domains_trust(domains), &client);
}

static const struct mg_domains *domains_of(
	struct postfix_kit *kit, const char *main, const char *table, const char *type)
{
	const struct mg_domains *domains;

	postfix_kit_begin(kit);
	if (table != NULL)
		postfix_kit_write(kit, "table", table);
	postfix_kit_write(kit, "main.cf", POSTFIX_KIT_MAIN);
	if (type != NULL)
		postfix_kit_postmap(kit, type, "table");
	domains = postfix_kit_domains(kit, main, NULL);
	assert_non_null(domains);
	return domains;
}

static void a_configuration_trusts_whom_it_says(void **state)
{
	const struct trust_row *row = *state;
	struct postfix_kit kit;
	const struct mg_domains *domains = domains_of(&kit, row->main, row->table, row->type);

	for (size_t i = 0; i < ROWS(row->yes) && row->yes[i] != NULL; i++)
		assert_int_equal(trust_of(domains, row->yes[i]), MG_TRUST_YES);
	for (size_t i = 0; i < ROWS(row->no) && row->no[i] != NULL; i++)
		assert_int_equal(trust_of(domains, row->no[i]), MG_TRUST_NO);
	for (size_t i = 0; i < ROWS(row->doubt) && row->doubt[i] != NULL; i++)
		assert_int_equal(trust_of(domains, row->doubt[i]), MG_TRUST_DOUBT);
	assert_true(mg_domains_is_fresh(domains));
	mg_domains_unref(&domains);
	postfix_kit_end(&kit);
}

static void a_table_is_asked(void **state)
{
	struct postfix_kit kit;
	const struct mg_domains *domains = domains_of(&kit, ACCESS("regexp"), "/^192\\.0\\.2\\./ OK\n", NULL);
	struct mg_ip in = kit_ip("192.0.2.1"), out = kit_ip("203.0.113.1");
	char path[512];

	(void)state;
	assert_int_equal(mg_trust_ask_client(mg_domains_trust(domains), &in, 20000), MG_TRUST_YES);
	assert_int_equal(mg_trust_ask_client(mg_domains_trust(domains), &out, 20000), MG_TRUST_NO);
	unlink(postfix_kit_path(&kit, "table", path, sizeof path));
	assert_int_equal(mg_trust_ask_client(mg_domains_trust(domains), &out, 20000), MG_TRUST_DOUBT);
	assert_false(mg_domains_is_fresh(domains));
	mg_domains_unref(&domains);
	postfix_kit_end(&kit);
}

/* ---- certificates ---- */

struct certificate_row {
	const char *name, *main, *master;
	struct mg_certificate certificate;
	enum mg_trusted trusted;
};
#define CCERT  "smtpd_relay_restrictions = permit_tls_clientcerts, reject_unauth_destination\n"
#define CCERTS CCERT "relay_clientcerts = texthash:@D@/table\n"
#define PRINT(p)                                                                                                       \
	{                                                                                                              \
		true, false, true, { p, sizeof p - 1 },                                                                \
		{                                                                                                      \
			"", 0                                                                                          \
		}                                                                                                      \
	}
static const struct certificate_row certificate_rows[] = {
	{ "listed", CCERTS, NULL, PRINT("AA:BB"), MG_TRUST_YES },
	{ "listed, in another case", CCERTS, NULL, PRINT("aa:bb"), MG_TRUST_YES },
	{ "not listed", CCERTS, NULL, PRINT("CC:DD"), MG_TRUST_NO },
	{ "none", CCERTS, NULL, PRINT(""), MG_TRUST_NO },
	{ "no TLS", CCERTS, NULL, { false, false, false, { "", 0 }, { "", 0 } }, MG_TRUST_NO },
	{ "the milter does not know the fingerprint", CCERTS, NULL, { true, false, false, { "", 0 }, { "", 0 } },
		MG_TRUST_DOUBT },
	{ "nothing permits by it", "relay_clientcerts = texthash:@D@/table\n", NULL, PRINT("AA:BB"), MG_TRUST_NO },
	{ "verified, where that is enough", "smtpd_relay_restrictions = permit_tls_all_clientcerts, reject\n", NULL,
		{ true, true, false, { "", 0 }, { "", 0 } }, MG_TRUST_YES },
	{ "verified, where it is not", CCERTS, NULL, { true, true, true, { "CC", 2 }, { "", 0 } }, MG_TRUST_NO },
	{ "a table that can't be read", CCERT "relay_clientcerts = regexp:@D@/table\n", NULL, PRINT("CC:DD"),
		MG_TRUST_DOUBT },
	{ "an access table", "smtpd_relay_restrictions = check_ccert_access texthash:@D@/table, reject\n", NULL,
		PRINT("AA:BB"), MG_TRUST_YES },
	{ "an access table that refuses it",
		"smtpd_relay_restrictions = check_ccert_access texthash:@D@/table, reject\n", NULL, PRINT("EE:FF"),
		MG_TRUST_NO },
	{ "listed for one service", CCERT "relay_clientcerts =\n",
		"smtp inet n - n - - smtpd\n587 inet n - n - - smtpd -o relay_clientcerts=texthash:@D@/table\n",
		PRINT("AA:BB"), MG_TRUST_YES },
};

static void a_certificate_is_worth_what_postfix_says(void **state)
{
	const struct certificate_row *row = *state;
	struct postfix_kit kit;
	const struct mg_domains *domains;

	postfix_kit_begin(&kit);
	postfix_kit_write(&kit, "table", "AA:BB OK\nEE:FF REJECT\n");
	domains = postfix_kit_domains(&kit, row->main, row->master);
	assert_int_equal(mg_trust_certificate(mg_domains_trust(domains), &row->certificate), row->trusted);
	mg_domains_unref(&domains);
	postfix_kit_end(&kit);
}

/* ---- domains ---- */

struct domain_row {
	const char *name, *main, *domain;
	enum mg_domain_class class, asked;
};
#define OURS    MG_DOMAIN_OURS
#define FOREIGN MG_DOMAIN_FOREIGN
#define UNKNOWN MG_DOMAIN_UNKNOWN
static const struct domain_row domain_rows[] = {
	{ "ours", "", "example.com", OURS, OURS },
	{ "in another case", "", "EXAMPLE.Com", OURS, OURS },
	{ "with a final dot", "", "example.com.", OURS, OURS },
	{ "none", "", "", OURS, OURS },
	{ "a foreign one", "", "other.example", FOREIGN, FOREIGN },
	{ "below ours", "", "a.example.com", FOREIGN, FOREIGN },
	{ "below a relay domain", "parent_domain_matches_subdomains = relay_domains\nrelay_domains = r.example\n",
		"a.b.r.example", OURS, OURS },
	{ "below a relay domain, where that does not count",
		"relay_domains = r.example\nparent_domain_matches_subdomains =\n", "a.r.example", FOREIGN, FOREIGN },
	{ "a dot in front: what ends in it", "relay_domains = .r.example\nparent_domain_matches_subdomains =\n",
		"a.r.example", OURS, OURS },
	{ "a dot in front: not itself", "relay_domains = .r.example\nparent_domain_matches_subdomains =\n", "r.example",
		FOREIGN, FOREIGN },
	{ "an own address", "", "[127.0.0.1]", OURS, OURS },
	{ "an own address of IPv6", "", "[IPv6:2001:db8::1]", FOREIGN, FOREIGN },
	{ "an address that others know us by", "proxy_interfaces = 203.0.113.1\n", "[203.0.113.1]", OURS, OURS },
	{ "a foreign address", "", "[203.0.113.2]", FOREIGN, FOREIGN },
	{ "a table that can be listed", "relay_domains = texthash:@D@/table\n", "t.example", OURS, OURS },
	{ "a table that can be listed: another", "relay_domains = texthash:@D@/table\n", "u.example", FOREIGN,
		FOREIGN },
	{ "a pattern table says yes", "relay_domains = regexp:@D@/patterns\n", "p.example", UNKNOWN, OURS },
	{ "a pattern table says no", "relay_domains = regexp:@D@/patterns\n", "q.example", UNKNOWN, FOREIGN },
	{ "a table that is not there", "relay_domains = hash:@D@/nothing\n", "q.example", UNKNOWN, UNKNOWN },
	{ "a table that is not there, and a name that is", "relay_domains = hash:@D@/nothing\n", "example.com", OURS,
		OURS },
	{ "an exclusion leaves doubt", "relay_domains = !q.example, texthash:@D@/table\n", "q.example", UNKNOWN,
		UNKNOWN },
	{ "a file that is not there", "relay_domains = @D@/nothing\n", "q.example", UNKNOWN, UNKNOWN },
	{ "a virtual alias domain by its maps", "virtual_alias_maps = texthash:@D@/table\n", "t.example", OURS, OURS },
};

static void a_domain_is_ours_or_not(void **state)
{
	const struct domain_row *row = *state;
	struct postfix_kit kit;
	const struct mg_domains *domains;

	postfix_kit_begin(&kit);
	postfix_kit_write(&kit, "table", "t.example anything\n@x.example x@y.example\n");
	postfix_kit_write(&kit, "patterns", "/^p\\.example$/ OK\n");
	domains = postfix_kit_domains(&kit, row->main, NULL);
	assert_int_equal(mg_domains_class(domains, mg_str_z(row->domain)), row->class);
	assert_int_equal(mg_domains_ask(domains, mg_str_z(row->domain), 20000), row->asked);
	mg_domains_unref(&domains);
	postfix_kit_end(&kit);
}

static void a_change_is_seen(void **state)
{
	struct postfix_kit kit;
	const struct mg_domains *domains;
	struct mg_watch watch = { 0 };
	char path[512];

	(void)state;
	postfix_kit_begin(&kit);
	postfix_kit_write(&kit, "table", "a.example\n");
	domains = postfix_kit_domains(&kit, "relay_domains = @D@/table, @D@/later\n", NULL);
	assert_true(mg_domains_is_fresh(domains));
	postfix_kit_write(&kit, "later", "b.example\n");
	assert_false(mg_domains_is_fresh(domains));
	mg_watch_add(&watch, mg_str_z(postfix_kit_path(&kit, "table", path, sizeof path)));
	assert_true(mg_watch_is_same(&watch));
	postfix_kit_write(&kit, "table", "a.example, c.example\n");
	assert_false(mg_watch_is_same(&watch));
	mg_watch_fini(&watch);
	mg_watch_add(&watch, mg_str_z(path));
	unlink(path);
	assert_false(mg_watch_is_same(&watch));
	mg_watch_fini(&watch);
	mg_domains_unref(&domains);
	postfix_kit_end(&kit);
}

/* ---- the guard's judgement ---- */

struct judge_row {
	const char *name, *main, *client, *speaker, *domain;
	bool has_login, is_simulated, is_tapped, is_verified;
	enum mg_relay_proof proof;
};
#define LEGITIMATE MG_RELAY_LEGITIMATE
#define STRANGER   "203.0.113.66"
static const struct judge_row judge_rows[] = {
	{ "a stranger to us", "", STRANGER, "", "example.com", 0, 0, 0, 0, LEGITIMATE },
	{ "a stranger to others", "", STRANGER, "", "other.example", 0, 0, 0, 0, MG_RELAY_PROOF },
	{ "a stranger at the tap", "", STRANGER, "", "example.com", 0, 0, true, 0, MG_RELAY_PROOF },
	{ "a login", "", STRANGER, "", "other.example", true, 0, 0, 0, LEGITIMATE },
	{ "a simulated session", "", "127.0.0.1", "", "other.example", 0, true, 0, 0, LEGITIMATE },
	{ "loopback", "", "127.0.0.1", "", "other.example", 0, 0, 0, 0, LEGITIMATE },
	{ "no address", "", "", "", "other.example", 0, 0, 0, 0, LEGITIMATE },
	{ "a private network", "mynetworks = 10.0.0.0/8\n", "10.1.1.1", "", "other.example", 0, 0, 0, 0, LEGITIMATE },
	{ "a private network that is not trusted", "", "10.1.1.1", "", "other.example", 0, 0, 0, 0, MG_RELAY_PROOF },
	{ "a public network", "mynetworks = 203.0.113.0/24\n", STRANGER, "", "other.example", 0, 0, 0, 0,
		MG_RELAY_LISTED },
	{ "a public network to us", "mynetworks = 203.0.113.0/24\n", STRANGER, "", "example.com", 0, 0, 0, 0,
		LEGITIMATE },
	{ "the whole world", "mynetworks = 0.0.0.0/0\n", STRANGER, "", "other.example", 0, 0, 0, 0, MG_RELAY_PROOF },
	{ "a verified certificate", "smtpd_relay_restrictions = permit_tls_all_clientcerts, reject\n", STRANGER, "",
		"other.example", 0, 0, 0, true, LEGITIMATE },
	{ "a verified certificate that permits nothing", "", STRANGER, "", "other.example", 0, 0, 0, true,
		MG_RELAY_PROOF },
	{ "a certificate that may be listed", CCERT "relay_clientcerts = regexp:@D@/patterns\n", STRANGER, "",
		"other.example", 0, 0, 0, true, LEGITIMATE },
	{ "a liar's login", "", STRANGER, "198.51.100.1", "other.example", true, 0, 0, 0, MG_RELAY_PROOF },
	{ "a liar's trusted client", "mynetworks = 10.0.0.0/8\n", "10.1.1.1", "198.51.100.1", "other.example", 0, 0, 0,
		0, MG_RELAY_PROOF },
	{ "who may speak for others, of a login", "smtpd_authorized_xclient_hosts = 198.51.100.1\n", STRANGER,
		"198.51.100.1", "other.example", true, 0, 0, 0, LEGITIMATE },
	{ "who may speak for others, of a stranger", "smtpd_authorized_xclient_hosts = 198.51.100.1\n", STRANGER,
		"198.51.100.1", "other.example", 0, 0, 0, 0, MG_RELAY_PROOF },
	{ "a table must be asked", "relay_domains = regexp:@D@/patterns\n", STRANGER, "", "other.example", 0, 0, 0, 0,
		MG_RELAY_MUST_ASK },
	{ "backup MX must be asked", "smtpd_relay_restrictions = permit_mx_backup, reject_unauth_destination\n",
		STRANGER, "", "other.example", 0, 0, 0, 0, MG_RELAY_MUST_ASK },
};

static struct mg_relay_facts facts_of(const struct judge_row *row)
{
	return (struct mg_relay_facts){ .is_simulated = row->is_simulated,
		.has_login = row->has_login,
		.client = kit_ip(row->client),
		.speaker = kit_ip(row->speaker),
		.certificate = { .is_tls = row->is_verified, .is_verified = row->is_verified },
		.domain = mg_str_z(row->domain),
		.is_known_foreign = row->is_tapped };
}

static void the_guard_judges(void **state)
{
	const struct judge_row *row = *state;
	struct mg_relay_facts facts = facts_of(row);
	struct postfix_kit kit;
	const struct mg_domains *domains;

	postfix_kit_begin(&kit);
	postfix_kit_write(&kit, "patterns", "/^p$/ OK\n");
	domains = postfix_kit_domains(&kit, row->main, NULL);
	assert_int_equal(mg_relay_judge(domains, &facts), row->proof);
	assert_int_equal(mg_relay_judge(NULL, &facts), MG_RELAY_LEGITIMATE);
	mg_domains_unref(&domains);
	postfix_kit_end(&kit);
}

/* ---- what has to be asked ---- */

#define BACKUP "smtpd_relay_restrictions = permit_mx_backup, reject_unauth_destination\n"
struct inquiry_row {
	const char *name, *main, *zone, *domain;
	enum mg_relay_proof proof;
};
static const struct inquiry_row inquiry_rows[] = {
	{ "our name among the MX", BACKUP, "b.example MX 10 mx.b.example\nb.example MX 20 mail.example.com\n",
		"b.example", LEGITIMATE },
	{ "our address among the MX", BACKUP, "b.example MX 10 mx.b.example\nmx.b.example A 127.0.0.1\n", "b.example",
		LEGITIMATE },
	{ "behind NAT", BACKUP "proxy_interfaces = 203.0.113.1\n",
		"b.example MX 10 mx.b.example\nmx.b.example A 203.0.113.1\n", "b.example", LEGITIMATE },
	{ "others' MX", BACKUP, "b.example MX 10 mx.b.example\nmx.b.example A 203.0.113.5\n", "b.example",
		MG_RELAY_PROOF },
	{ "no MX", BACKUP, "b.example A 203.0.113.5\n", "b.example", MG_RELAY_PROOF },
	{ "DNS in trouble", BACKUP, "b.example SERVFAIL\n", "b.example", LEGITIMATE },
	{ "DNS in trouble about a host", BACKUP, "b.example MX 10 mx.b.example\nmx.b.example SERVFAIL\n", "b.example",
		LEGITIMATE },
	{ "more MX than are looked at", BACKUP,
		"b.example MX 1 a.b.example\nb.example MX 1 c.b.example\nb.example MX 1 d.b.example\nb.example MX 1 e.b.example\n"
		"b.example MX 1 f.b.example\nb.example MX 1 g.b.example\nb.example MX 1 h.b.example\nb.example MX 1 i.b.example\n"
		"b.example MX 1 j.b.example\nb.example MX 1 k.b.example\nb.example MX 1 mail.example.com\n",
		"b.example", LEGITIMATE },
	{ "a table says yes", "relay_domains = regexp:@D@/patterns\n", "", "p.example", LEGITIMATE },
	{ "a table says no", "relay_domains = regexp:@D@/patterns\n", "", "q.example", MG_RELAY_PROOF },
	{ "a table that is not there", "relay_domains = hash:@D@/nothing\n", "", "q.example", LEGITIMATE },
	{ "a table of clients says yes", "smtpd_relay_restrictions = check_client_access regexp:@D@/clients, reject\n",
		"", "q.example", LEGITIMATE },
};

static void post(void *context)
{
	sem_post(context);
}

static enum mg_relay_proof ask(struct mg_inquiries *inquiries, const struct mg_domains *domains, const char *domain)
{
	struct mg_relay_facts facts = { .client = kit_ip(STRANGER), .domain = mg_str_z(domain) };
	struct mg_inquiry *inquiry;
	enum mg_relay_proof proof;
	struct timespec until;
	sem_t ready;

	sem_init(&ready, 0, 0);
	inquiry = mg_inquiry_begin(inquiries, domains, &facts, post, &ready);
	assert_non_null(inquiry);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 60;
	while (!mg_inquiry_answer(inquiry, &proof))
		assert_int_equal(sem_timedwait(&ready, &until), 0);
	mg_inquiry_drop(&inquiry);
	assert_null(inquiry);
	sem_destroy(&ready);
	return proof;
}

static void an_inquiry_finds_out(void **state)
{
	const struct inquiry_row *row = *state;
	struct postfix_kit kit;
	const struct mg_domains *domains;
	struct mg_inquiries *inquiries;
	struct zone zone;

	postfix_kit_begin(&kit);
	postfix_kit_write(&kit, "patterns", "/^p\\.example$/ OK\n");
	postfix_kit_write(&kit, "clients", "/^203\\.0\\.113\\.66$/ OK\n");
	domains = postfix_kit_domains(&kit, row->main, NULL);
	zone_begin(&zone, row->zone);
	inquiries = mg_inquiries_new(&zone.source);
	assert_int_equal(ask(inquiries, domains, row->domain), row->proof);
	mg_inquiries_free(&inquiries);
	zone_end(&zone);
	mg_domains_unref(&domains);
	postfix_kit_end(&kit);
}

static void answers_are_kept_for_the_same_configuration_only(void **state)
{
	struct postfix_kit kit;
	const struct mg_domains *domains, *next;
	struct mg_inquiries *inquiries = mg_inquiries_new(NULL);

	(void)state;
	postfix_kit_begin(&kit);
	postfix_kit_write(&kit, "patterns", "/^p\\.example$/ OK\n");
	domains = postfix_kit_domains(&kit, "relay_domains = regexp:@D@/patterns\n", NULL);
	assert_int_equal(ask(inquiries, domains, "q.example"), MG_RELAY_PROOF);
	postfix_kit_write(&kit, "patterns", "/^q\\.example$/ OK\n");
	assert_int_equal(ask(inquiries, domains, "q.example"), MG_RELAY_PROOF); /* kept */
	next = postfix_kit_domains(&kit, "relay_domains = regexp:@D@/patterns\n", NULL);
	assert_int_equal(ask(inquiries, next, "q.example"), LEGITIMATE);
	mg_inquiries_free(&inquiries);
	mg_domains_unref(&domains);
	mg_domains_unref(&next);
	postfix_kit_end(&kit);
}

/* A resolver that never answers: inquiries are dropped under way, and beyond the most there may be the answer is no proof. */
static void inquiries_are_dropped_and_bounded(void **state)
{
	struct mg_relay_facts facts = { .client = kit_ip(STRANGER) };
	struct mg_inquiry *inquiry[MG_INQUIRIES + 1];
	struct mg_inquiries *inquiries;
	const struct mg_domains *domains;
	enum mg_relay_proof proof;
	struct postfix_kit kit;
	struct zone zone[1];
	char name[40];
	sem_t ready;

	(void)state;
	sem_init(&ready, 0, 0);
	postfix_kit_begin(&kit);
	postfix_kit_write(&kit, "patterns", "/^p$/ OK\n");
	domains = postfix_kit_domains(&kit, "relay_domains = regexp:@D@/patterns\n", NULL);
	zone_begin(zone, "");
	inquiries = mg_inquiries_new(&zone->source);
	for (size_t i = 0; i < ROWS(inquiry); i++) {
		snprintf(name, sizeof name, "d%zu.example", i);
		facts.domain = mg_str_z(name);
		inquiry[i] = mg_inquiry_begin(inquiries, domains, &facts, post, &ready);
		assert_non_null(inquiry[i]);
	}
	for (size_t i = 0; i < ROWS(inquiry); i++) {
		if (mg_inquiry_answer(inquiry[i], &proof))
			assert_int_not_equal(proof, MG_RELAY_MUST_ASK);
		mg_inquiry_drop(&inquiry[i]);
	}
	mg_inquiries_free(&inquiries);
	zone_end(zone);
	mg_domains_unref(&domains);
	postfix_kit_end(&kit);
	sem_destroy(&ready);
}

static void a_name_too_long_is_no_inquiry(void **state)
{
	struct mg_inquiries *inquiries = mg_inquiries_new(NULL);
	struct mg_relay_facts facts = { .client = kit_ip(STRANGER) };
	static char name[2000];

	(void)state;
	memset(name, 'a', sizeof name - 1);
	facts.domain = mg_str_z(name);
	assert_null(mg_inquiry_begin(inquiries, NULL, &facts, post, NULL));
	mg_inquiries_free(&inquiries);
}

int main(void)
{
	static struct CMUnitTest tests[120];
	size_t n = 0;

	ADD_ROWS(tests, n, trust_rows, a_configuration_trusts_whom_it_says);
	ADD_ROWS(tests, n, certificate_rows, a_certificate_is_worth_what_postfix_says);
	ADD_ROWS(tests, n, domain_rows, a_domain_is_ours_or_not);
	ADD_ROWS(tests, n, judge_rows, the_guard_judges);
	ADD_ROWS(tests, n, inquiry_rows, an_inquiry_finds_out);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_table_is_asked);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_change_is_seen);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(answers_are_kept_for_the_same_configuration_only);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(inquiries_are_dropped_and_bounded);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_name_too_long_is_no_inquiry);
	return _cmocka_run_group_tests("trust", tests, n, NULL, NULL);
}
